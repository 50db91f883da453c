package raw

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
)

// receive gives every raw socket of p's Net that a datagram is for a copy of it,
// and reports whether there is one: one that does not want ICMP of this type is,
// one whose buffer is full is not. Linux: raw_v4_input.
func (r *Raw) receive(_ *core.Worker, p *core.Packet, ip wire.IPv4) (taken bool) {
	list, _ := r.sockets.Get(p.Net(), protoKey{proto: ip.Proto()})
	if len(list) == 0 {
		return false
	}
	src, dst := ip.Src(), ip.Dst()
	dev := func() int { return r.ip.ArrivedBy(p, ip) }
	for _, c := range list {
		if !c.at.Load().takes(src, dst, dev) || !c.room() {
			continue
		}
		taken = true
		if m := ip.Payload(); c.proto != protoICMP || len(m) == 0 || m[0] >= 32 || c.opts.Blocked[0]&(1<<m[0]) == 0 {
			c.enqueue(Message{From: src, Dev: dev(), Data: ip})
		}
	}
	return taken
}

// icmpError tells raw sockets what became of a packet of theirs.
// Linux: raw_icmp_error.
func (r *Raw) icmpError(_ *core.Worker, p *core.Packet, quoted wire.IPv4, e ipv4.ICMPError) {
	list, _ := r.sockets.Get(p.Net(), protoKey{proto: quoted.Proto()})
	for _, c := range list {
		if c.at.Load().takes(quoted.Dst(), quoted.Src(), func() int { return r.ip.ArrivedBy(p, wire.IPv4(p.L3())) }) {
			c.report(e.Errno(r.ip.WantDF(p.Net())))
		}
	}
}

// route4 finds the way to a peer.
func (c *Conn) route4(to netip.Addr, e *endpoints) (ipv4.Route, error) {
	return c.r.ip.Route(c.n, &fib.Flow{Dst: to, Src: e.source, Mark: c.opts.Mark, TOS: c.opts.TOS & 0x1c, Proto: c.proto, Oif: int32(e.dev)})
}

func (c *Conn) send(b []byte, to netip.Addr) error {
	e := c.at.Load()
	if !to.IsValid() {
		to = e.remote
	}
	switch {
	case len(b) > 0xffff:
		return syscall.EMSGSIZE
	case !to.IsValid():
		return syscall.EDESTADDRREQ
	case to.Is4() && c.six:
		return syscall.EINVAL // Linux: an address too short
	case to.Is6() != c.six:
		return syscall.EAFNOSUPPORT
	case c.ping && !isEcho(b, c.six):
		return syscall.EINVAL
	}
	if err := c.sendable(); err != nil {
		return err
	}
	w := c.r.stack.Enter()
	defer w.Leave()
	if !c.n.Alive() {
		return syscall.ENETDOWN
	}
	if c.six {
		return c.send6(w, b, to, e)
	}
	rt, err := c.route4(to, e)
	if err != nil {
		return err
	}
	if rt.Broadcast && !c.opts.Broadcast {
		return syscall.EACCES
	}
	p := w.NewPacket(c.n, len(b))
	data := p.Bytes()
	copy(data, b)
	o := ipv4.SendOptions{Proto: c.proto, TOS: c.opts.TOS, TTL: c.opts.TTL, DF: c.r.ip.WantDF(c.n), NoFragment: c.opts.DF,
		Mark: c.opts.Mark, Priority: c.opts.Priority, MulticastLoop: !c.opts.NoLoop}
	switch {
	case c.opts.Whole:
		return c.r.ip.SendWhole(w, p, &rt, &o)
	case c.ping:
		m := wire.ICMP(data)
		m.SetID(e.ident)
		m.FillChecksum()
	}
	return c.r.ip.Send(w, p, &rt, &o)
}
