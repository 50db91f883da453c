package udp

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv6"
	"nsmodel/netns"
	"nsmodel/sockhash"
)

// What IPv6 has of its own: sockets of both families stand in one table.
// Linux: net/ipv6/udp.c.

// Handle6 makes UDP run over IPv6, too, before the machine boots.
func (u *UDP) Handle6(six *ipv6.Inet, sockets *ipv6.Sockets) error {
	u.six = six
	sockets.Handle(ipv6.SockDgram, ipv6.ProtoUDP, func(n *netns.Net) (any, error) { return u.newConn(n), nil })
	return six.Handle(ipv6.Protocol{Number: ipv6.ProtoUDP, Receive: u.receive6, Error: u.icmpError6})
}

// isSix reports whether a socket for an address is IPv6's.
func isSix(a netip.Addr) bool { return a.IsValid() && a.Unmap().Is6() }

// receive6 takes a datagram. Linux: __udp6_lib_rcv.
func (u *UDP) receive6(w *core.Worker, p *core.Packet, ip wire.IPv6) {
	h, ok := wire.ParseUDP(p.Bytes())
	if !ok {
		w.Drop(p, core.HeaderTooShort)
		return
	}
	if p.Checksum == core.ChecksumNone && !h.ChecksumOK6(ip.Src16(), ip.Dst16()) {
		w.Drop(p, core.BadL4Checksum)
		return
	}
	src := ip.Src()
	f := sockhash.Flow{Local: sockhash.AddrOf(ip.Dst()), Remote: sockhash.AddrOf(src), LocalPort: h.DstPort(), RemotePort: h.SrcPort(),
		Dev: u.six.ArrivedBy(p, ip), Six: true}
	if src.IsLinkLocalUnicast() { // it means something on its link only
		if d := u.stack.DeviceByIndex(p.Net(), f.Dev); d != nil {
			src = src.WithZone(d.Name())
		}
	}
	if ipv6.Multicast(p) {
		if !u.deliverAll(w, p, src, h, &f, func(c *Conn) bool { return c.takes6(ip) }) {
			w.Drop(p, core.NoSocket)
		}
		return
	}
	c, ok := u.table.Lookup(p.Net(), &f)
	if !ok {
		u.six.SendICMP(w, p, wire.ICMP6DestUnreach, wire.ICMP6PortUnreach, 0)
		w.Drop(p, core.NoSocket)
		return
	}
	u.deliver(w, p, c, src, h)
}

// icmpError6 tells a socket what became of its datagram. Linux: __udp6_lib_err.
func (u *UDP) icmpError6(w *core.Worker, p *core.Packet, quoted wire.IPv6, b []byte, e ipv6.ICMPError) {
	f := sockhash.Flow{Local: sockhash.AddrOf(quoted.Src()), Remote: sockhash.AddrOf(quoted.Dst()), Six: true,
		LocalPort: wire.UDP(b).SrcPort(), RemotePort: wire.UDP(b).DstPort()}
	if p.Dev != nil {
		f.Dev = u.six.ArrivedBy(p, wire.IPv6(p.L3()))
	}
	if c, ok := u.table.Lookup(p.Net(), &f); ok {
		fl := fib.Flow{Dst: quoted.Dst(), Src: quoted.Src(), Oif: int32(c.dev), Mark: c.opts.Mark, Proto: ipv6.ProtoUDP}
		u.six.LearnFrom(w, p, &fl, e)
		c.report(convert6(e))
	}
}

// convert6 returns the errno of an ICMPv6 error and whether it is hard.
// Linux: icmpv6_err_convert.
func convert6(e ipv6.ICMPError) (errno syscall.Errno, hard bool) {
	switch e.Type {
	case wire.ICMP6DestUnreach:
		unreach := [...]struct {
			errno syscall.Errno
			hard  bool
		}{{syscall.ENETUNREACH, false}, {syscall.EACCES, true}, {syscall.EHOSTUNREACH, false}, {syscall.EHOSTUNREACH, false},
			{syscall.ECONNREFUSED, true}, {syscall.EACCES, true}, {syscall.EACCES, true}}
		if int(e.Code) < len(unreach) {
			return unreach[e.Code].errno, unreach[e.Code].hard
		}
		return syscall.EPROTO, false
	case wire.ICMP6PacketTooBig:
		return syscall.EMSGSIZE, false
	case wire.ICMP6ParamProblem:
		return syscall.EPROTO, true
	case wire.ICMP6TimeExceeded:
		return syscall.EHOSTUNREACH, false
	}
	return syscall.EPROTO, false
}

// source6 is the part of bind that looks at the address: one on a link means
// something only with the link's device. Linux: inet6_bind.
func (c *Conn) source6(a netip.Addr) (local, source netip.Addr, err error) {
	dev := c.dev
	if z := a.Zone(); z != "" {
		d := c.u.stack.Device(c.n, z)
		if d == nil {
			return a, source, syscall.ENODEV
		}
		dev = d.Index()
		a = a.WithZone("")
	}
	if a.IsUnspecified() {
		return a, source, nil
	}
	if a.IsLinkLocalUnicast() {
		if dev == 0 {
			return a, source, syscall.EINVAL
		}
		c.dev = dev
	}
	if a.IsMulticast() {
		return a, source, nil
	}
	if c.u.six.LocalAddr(c.n, c.u.stack.DeviceByIndex(c.n, dev), a) == nil && !c.u.six.NonlocalBind(c.n) {
		return a, source, syscall.EADDRNOTAVAIL
	}
	return a, a, nil
}

// linkOf binds a socket that connects to an address or a group of one link to the
// link's device: EINVAL if nobody has named one. Linux: __ip6_datagram_connect.
func (c *Conn) linkOf(to netip.Addr) error {
	if !to.IsLinkLocalUnicast() && !to.IsLinkLocalMulticast() && !to.IsInterfaceLocalMulticast() {
		return nil
	}
	dev := c.dev
	if z := to.Zone(); z != "" {
		d := c.u.stack.Device(c.n, z)
		if d == nil {
			return syscall.ENODEV
		}
		if dev != 0 && dev != d.Index() {
			return syscall.EINVAL
		}
		dev = d.Index()
	}
	if dev == 0 && to.IsMulticast() {
		dev = c.opts.MulticastIf.Index
	}
	if dev == 0 {
		return syscall.EINVAL
	}
	c.dev = dev
	return nil
}

// route6 finds the way to a peer; a zone names the device.
func (c *Conn) route6(to netip.AddrPort, src netip.Addr, port uint16) (ipv6.Route, error) {
	fl := fib.Flow{Dst: to.Addr().WithZone(""), Src: src, Mark: c.opts.Mark, Proto: ipv6.ProtoUDP, SPort: port, DPort: to.Port(), Oif: int32(c.dev)}
	if z := to.Addr().Zone(); z != "" {
		d := c.u.stack.Device(c.n, z)
		if d == nil {
			return ipv6.Route{}, syscall.ENODEV
		}
		if c.dev != 0 && c.dev != d.Index() {
			return ipv6.Route{}, syscall.EINVAL
		}
		fl.Oif = int32(d.Index())
	}
	if fl.Oif == 0 && fl.Dst.IsMulticast() {
		fl.Oif = int32(c.opts.MulticastIf.Index)
	}
	return c.u.six.Route(c.n, &fl)
}

// send6 builds a datagram. Its checksum is left to whoever puts it on a wire.
// Linux: udpv6_sendmsg, udp_v6_send_skb.
func (c *Conn) send6(w *core.Worker, b []byte, src netip.Addr, sport uint16, to netip.AddrPort) error {
	rt, err := c.route6(to, src, sport)
	if err != nil {
		return err
	}
	p := w.NewPacket(c.n, wire.UDPLen+len(b))
	data := p.Bytes()
	copy(data[wire.UDPLen:], b)
	h, ok := wire.PutUDPHeader(data, sport, to.Port())
	if !ok {
		w.Drop(p, core.NotSpecified)
		return syscall.EMSGSIZE
	}
	h.FillPartial6(rt.Src.As16(), rt.Dst.As16())
	p.SetPartial(0, wire.UDPChecksumOffset)
	o := ipv6.SendOptions{Proto: ipv6.ProtoUDP, Class: c.opts.TOS, HopLimit: c.opts.TTL,
		Mark: c.opts.Mark, Priority: c.opts.Priority, NoFragment: c.opts.DF, MulticastLoop: !c.opts.NoLoop}
	if rt.Multicast { // Linux: mcast_hops
		o.HopLimit, o.HostOnly = c.opts.MulticastTTL, c.opts.HostOnly
	}
	return c.u.six.Send(w, p, &rt, &o)
}
