package raw

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv6"
)

// receive6 is receive for IPv6: the sockets do not get the header, and look at
// the checksum if they know where it is. A socket for the number of an extension
// header, which Linux has, gets nothing here. Linux: ipv6_raw_deliver, rawv6_rcv.
func (r *Raw) receive6(_ *core.Worker, p *core.Packet, ip wire.IPv6, proto uint8) (taken bool) {
	list, _ := r.sockets.Get(p.Net(), protoKey{true, proto})
	if len(list) == 0 {
		return false
	}
	src, dst, data := ip.Src(), ip.Dst(), p.Bytes()
	dev := func() int { return r.six.ArrivedBy(p, ip) }
	from := r.zoned(p, src, dev)
	for _, c := range list {
		if !c.at.Load().takes(src, dst, dev) || !c.room() {
			continue
		}
		taken = true
		switch {
		case proto == protoICMPv6 && (len(data) < wire.ICMPLen || c.opts.Blocked[data[0]>>5]&(1<<(data[0]&31)) != 0):
		case c.opts.Checksum && p.Checksum == core.ChecksumNone && wire.Fold(wire.Sum(data, ip.PseudoSum(proto, len(data)))) != 0xffff:
			c.mu.Lock()
			c.dropped++
			c.mu.Unlock()
		default:
			c.enqueue(Message{From: from, Dev: dev(), Data: data})
		}
	}
	return taken
}

// zoned returns an address with its link's device where it means nothing without.
func (r *Raw) zoned(p *core.Packet, a netip.Addr, dev func() int) netip.Addr {
	if a.IsLinkLocalUnicast() {
		if d := r.stack.DeviceByIndex(p.Net(), dev()); d != nil {
			return a.WithZone(d.Name())
		}
	}
	return a
}

// icmpError6 tells raw sockets what became of a packet of theirs.
// Linux: raw6_icmp_error.
func (r *Raw) icmpError6(_ *core.Worker, p *core.Packet, quoted wire.IPv6, proto uint8, e ipv6.ICMPError) {
	list, _ := r.sockets.Get(p.Net(), protoKey{true, proto})
	for _, c := range list {
		if c.at.Load().takes(quoted.Dst(), quoted.Src(), func() int { return r.six.ArrivedBy(p, wire.IPv6(p.L3())) }) {
			errno, hard := e.Errno()
			c.report(errno, hard || e.Type == wire.ICMP6PacketTooBig && c.opts.DF)
		}
	}
}

// local6 looks at an address to bind to: one on a link means something only with
// the link's device. Linux: rawv6_bind, ping_check_bind_addr.
func (c *Conn) local6(a netip.Addr, e *endpoints) error {
	if a.Zone() != "" || a.IsLinkLocalUnicast() {
		dev := int(c.zone(a, e))
		if dev == 0 {
			return syscall.EINVAL
		}
		if dev < 0 || e.dev != 0 && e.dev != dev {
			return syscall.ENODEV
		}
		if a = a.WithZone(""); a.IsLinkLocalUnicast() {
			e.dev = dev
		}
	}
	e.local = a
	if a.IsMulticast() {
		if c.ping {
			return syscall.EADDRNOTAVAIL
		}
		return nil
	}
	if c.r.six.LocalAddr(c.n, c.r.stack.DeviceByIndex(c.n, e.dev), a) == nil && !c.r.six.NonlocalBind(c.n) {
		return syscall.EADDRNOTAVAIL
	}
	e.source = a
	return nil
}

// zone returns the index of the device that an address names, or that the socket
// is bound to; -1 for a name that is none.
func (c *Conn) zone(a netip.Addr, e *endpoints) int32 {
	if z := a.Zone(); z != "" {
		d := c.r.stack.Device(c.n, z)
		if d == nil {
			return -1
		}
		return int32(d.Index())
	}
	return int32(e.dev)
}

// route6 finds the way to a peer; a zone names the device.
func (c *Conn) route6(to netip.Addr, e *endpoints) (ipv6.Route, error) {
	fl := fib.Flow{Dst: to.WithZone(""), Src: e.source, Mark: c.opts.Mark, Proto: c.proto, Oif: c.zone(to, e)}
	switch {
	case fl.Oif < 0:
		return ipv6.Route{}, syscall.ENODEV
	case e.dev != 0 && int(fl.Oif) != e.dev:
		return ipv6.Route{}, syscall.EINVAL
	}
	return c.r.six.Route(c.n, &fl)
}

// send6 is the part of send for IPv6.
func (c *Conn) send6(w *core.Worker, b []byte, to netip.Addr, e *endpoints) error {
	rt, err := c.route6(to, e)
	if err != nil {
		return err
	}
	if c.opts.Checksum && !c.opts.Whole && c.opts.ChecksumAt >= len(b)-1 {
		return syscall.EINVAL
	}
	p := w.NewPacket(c.n, len(b))
	data := p.Bytes()
	copy(data, b)
	o := ipv6.SendOptions{Proto: c.proto, Class: c.opts.TOS, HopLimit: c.opts.TTL, Mark: c.opts.Mark, Priority: c.opts.Priority,
		MulticastLoop: !c.opts.NoLoop}
	switch {
	case c.opts.Whole:
		return c.r.six.SendWhole(w, p, &rt, &o)
	case c.ping:
		m := wire.ICMPv6(data)
		data[4], data[5] = byte(e.ident>>8), byte(e.ident)
		m.FillChecksum(rt.Src.As16(), rt.Dst.As16())
	case c.opts.Checksum:
		fillChecksum(data, c.opts.ChecksumAt, wire.PseudoSum6(rt.Src.As16(), rt.Dst.As16(), c.proto, len(data)), c.proto)
	}
	return c.r.six.Send(w, p, &rt, &o)
}

// fillChecksum writes the checksum over data and the pseudo header at an offset
// within data; 0 means none to UDP. Linux: rawv6_push_pending_frames.
func fillChecksum(data []byte, at int, pseudo uint32, proto uint8) {
	data[at], data[at+1] = 0, 0
	sum := ^wire.Fold(wire.Sum(data, pseudo))
	if sum == 0 && proto == ipv6.ProtoUDP {
		sum = 0xffff
	}
	data[at], data[at+1] = byte(sum>>8), byte(sum)
}
