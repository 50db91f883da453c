package raw

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/ipv4"
	"nsmodel/ipv6"
	"nsmodel/netns"
)

// A rover is where a Net looks next for a free identifier. In Linux one serves
// all, so that each learns from its own what others have opened
// (ping_port_rover); here each has its own.
type rover struct {
	last uint16 // under Raw.mu
}

// ListenPing makes a ping socket in n, of IPv4 or, if six is set, of IPv6, bound
// to local, which may be the zero Addr, and to an identifier, 0 being any free
// one. Errors: EACCES unless net.ipv4.ping_group_range of n, which counts for both
// families, has group 0 in it; EADDRINUSE if all are taken; those of Listen.
// Linux: socket(SOCK_DGRAM, IPPROTO_ICMP), bind.
func (r *Raw) ListenPing(n *netns.Net, six bool, local netip.Addr, ident uint16, o Options) (*Conn, error) {
	proto := uint8(protoICMP)
	if six {
		proto = protoICMPv6
	}
	o.Whole, o.Checksum, o.Blocked = false, false, [8]uint32{}
	c, err := r.socket(n, six, true, proto, o)
	if err == nil && !r.ip.PingGroup(n, 0) {
		err = syscall.EACCES
	}
	if err == nil {
		err = c.bind(local, ident)
	}
	if err != nil {
		return nil, opError("listen", "icmp", err)
	}
	return c, nil
}

// takeIdent gives c an identifier; ident 0 is one that no other socket of its Net
// has, of either family: EADDRINUSE if there is none. One that was asked for may
// be another's, too: Linux has address reuse on for these sockets.
// Linux: ping_get_port.
func (r *Raw) takeIdent(c *Conn, ident uint16) (uint16, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var old []*Conn
	if ident != 0 {
		old, _ = r.pings.Get(c.n, ident)
	} else if ident = r.freeIdent(c.n); ident == 0 {
		return 0, syscall.EADDRINUSE
	}
	if err := r.pings.Set(c.n, ident, append([]*Conn{c}, old...)); err != nil {
		if err == syscall.ESRCH {
			err = syscall.ENETDOWN
		}
		return 0, err
	}
	return ident, nil
}

// freeIdent finds an identifier that no socket of n has; 0 if there is none.
func (r *Raw) freeIdent(n *netns.Net) uint16 {
	v := r.rover.Own(n)
	for range 1 << 16 {
		if v.last++; v.last == 0 {
			continue
		}
		if _, taken := r.pings.Get(n, v.last); !taken {
			return v.last
		}
	}
	return 0
}

// dropIdent gives c's identifier back.
func (r *Raw) dropIdent(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	without(r.pings, c, c.Ident())
}

// isEcho reports whether a message may be sent by a ping socket.
// Linux: ping_supported.
func isEcho(b []byte, six bool) bool {
	typ := uint8(wire.ICMPEcho)
	if six {
		typ = wire.ICMP6Echo
	}
	return len(b) >= wire.ICMPLen && b[0] == typ && b[1] == 0
}

// owner returns the newest ping socket of n with that identifier and family that
// takes what came to dst by a device. Linux: ping_lookup; the peer is not looked
// at.
func (r *Raw) owner(n *netns.Net, six bool, id uint16, dst netip.Addr, dev func() int) *Conn {
	list, _ := r.pings.Get(n, id)
	for _, c := range list {
		e := c.at.Load()
		if c.six == six && e.ident == id && (!e.local.IsValid() || e.local == dst) && (e.dev == 0 || e.dev == dev()) {
			return c
		}
	}
	return nil
}

// echoReply gives an echo reply to the ping socket that it is for, and reports
// whether there is one. Linux: ping_rcv.
func (r *Raw) echoReply(_ *core.Worker, p *core.Packet, ip wire.IPv4, m wire.ICMP) bool {
	dev := func() int { return r.ip.ArrivedBy(p, ip) }
	c := r.owner(p.Net(), false, m.ID(), ip.Dst(), dev)
	return c != nil && c.enqueue(Message{From: ip.Src(), Dev: dev(), Data: m})
}

// echoReply6 is the same for IPv6.
func (r *Raw) echoReply6(_ *core.Worker, p *core.Packet, ip wire.IPv6, m wire.ICMPv6) bool {
	dev := func() int { return r.six.ArrivedBy(p, ip) }
	c := r.owner(p.Net(), true, m.ID(), ip.Dst(), dev)
	return c != nil && c.enqueue(Message{From: r.zoned(p, ip.Src(), dev), Dev: dev(), Data: m})
}

// echoError tells a ping socket what became of its request. Linux: ping_err.
func (r *Raw) echoError(_ *core.Worker, p *core.Packet, id uint16, e ipv4.ICMPError) {
	dev := func() int { return r.ip.ArrivedBy(p, wire.IPv4(p.L3())) }
	if c := r.owner(p.Net(), false, id, wire.IPv4(p.L3()).Dst(), dev); c != nil {
		errno, hard := e.Errno(r.ip.WantDF(p.Net()))
		if errno == syscall.EMSGSIZE && !hard {
			return
		}
		c.report(errno, hard)
	}
}

// echoError6 is the same for IPv6.
func (r *Raw) echoError6(_ *core.Worker, p *core.Packet, id uint16, e ipv6.ICMPError) {
	dev := func() int { return r.six.ArrivedBy(p, wire.IPv6(p.L3())) }
	if c := r.owner(p.Net(), true, id, wire.IPv6(p.L3()).Dst(), dev); c != nil {
		c.report(e.Errno())
	}
}
