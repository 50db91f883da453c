package ipv6

import (
	"fmt"
	"net/netip"
	"strconv"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// protocol is a transport with the gate before it.
type protocol struct {
	Protocol
	gate *netns.Gate
}

// Handle gives the datagrams of a protocol number to a transport, before the
// machine boots: ENOENT without a row in the table of gates, EEXIST if the
// number is taken. Linux: inet6_add_protocol.
func (s *Inet) Handle(t Protocol) error {
	g, err := s.Core.Gate(core.LayerTransport, "ipv6 "+strconv.Itoa(int(t.Number)))
	if err != nil {
		return err
	}
	if s.protos[t.Number] != nil {
		return fmt.Errorf("ipv6: protocol %d: %w", t.Number, syscall.EEXIST)
	}
	s.protos[t.Number] = &protocol{t, g}
	return nil
}

// Receive takes a packet that arrived at a device, its data at the IP header.
// Linux: ipv6_rcv.
func (s *Inet) Receive(w *core.Worker, p *core.Packet) {
	if p.Type == core.ToOther {
		w.Drop(p, core.OtherHost)
		return
	}
	in := s.devs.Of(p.Dev)
	if in == nil || in.on(confDisable) {
		w.Drop(p, core.IPv6Disabled)
		return
	}
	ip, why := checkHeader(p, in)
	if why != 0 {
		w.Drop(p, why)
		return
	}
	p.Trim(len(ip)) // Ethernet pads short frames
	// What was forwarded to lo comes back, and is forwarded once more.
	again := p.Opts[optFlags] & flagForwarded
	p.Opts = [4]uint16{optNext: 6}
	if again != 0 && in.loopback() {
		p.Opts[optFlags] = flagAgain
	}
	p.SetL3(0)
	if ip.Next() == wire.ProtoHopByHop && !s.hopByHop(w, p, ip) {
		return
	}
	if !s.Hooks.Run(w, p, netfilter.PreRouting, core.AFInet6, p.Dev, nil) {
		return
	}
	s.receiveFinish(w, p)
}

// checkHeader returns the datagram without what follows it, or the reason to
// drop it. Linux: ip6_rcv_core, whose comments name the sections of RFC 4291.
func checkHeader(p *core.Packet, in *device) (wire.IPv6, core.Reason) {
	b := p.Bytes()
	if len(b) < wire.IPv6Len {
		return nil, core.HeaderTooShort
	}
	ip, ok := wire.ParseIPv6(b)
	switch {
	case b[0]>>4 != 6:
		return nil, core.BadIPHeader
	case !ok:
		return nil, core.HeaderTooShort
	}
	src, dst := ip.Src16(), ip.Dst16()
	inside := p.Type == core.Looped || in.loopback()
	switch {
	case !inside && (isLoopback(src) || isLoopback(dst)): // section 2.5.3
		return nil, core.BadIPHeader
	case !inside && dst[0] == 0xff && dst[1]&15 == 1: // for this host only
		return nil, core.BadIPHeader
	case dst[0] == 0xff && dst[1]&15 == 0: // the reserved scope, section 2.7
		return nil, core.BadIPHeader
	case src[0] == 0xff:
		return nil, core.BadIPHeader
	case dst[0] != 0xff && (p.Type == core.ToBroadcast || p.Type == core.ToMulticast) && in.on(confDropUnicastInL2Multicast):
		return nil, core.UnicastInLinkMulticast
	}
	return ip, 0
}

func isLoopback(a [16]byte) bool { return a == [16]byte{15: 1} }

// receiveFinish routes a packet that the hooks let pass, and hands it on.
// Linux: ip6_rcv_finish, ip6_route_input.
func (s *Inet) receiveFinish(w *core.Worker, p *core.Packet) {
	ip, ok := wire.ParseIPv6(p.Bytes()) // a hook may have changed it
	in := s.devs.Of(p.Dev)
	if !ok || in == nil {
		w.Drop(p, core.BadIPHeader)
		return
	}
	var r inRoute
	if why := s.routeInput(p, ip, in, &r); why != 0 {
		w.Drop(p, why)
		return
	}
	p.Opts[optFlags] |= r.flags
	switch {
	case r.err != 0:
		s.inputError(w, p, r.err)
	case r.forward:
		s.forward(w, p, ip, in, &r)
	default:
		s.deliver(w, p)
	}
}

// inputError ends a packet that no route leads on, and tells its sender why: a
// host does so, too. Linux: ip6_pkt_discard, ip6_pkt_prohibit.
func (s *Inet) inputError(w *core.Worker, p *core.Packet, err syscall.Errno) {
	code := uint8(wire.ICMP6NoRoute)
	switch err {
	case syscall.EACCES:
		code = wire.ICMP6AdmProhibited
	case syscall.EINVAL:
		w.Drop(p, core.Blackhole)
		return
	}
	s.SendICMP(w, p, wire.ICMP6DestUnreach, code, 0)
	w.Drop(p, core.NoRoute)
}

// deliver takes a packet that is for this Net. Linux: ip6_input.
func (s *Inet) deliver(w *core.Worker, p *core.Packet) {
	if !s.Hooks.Run(w, p, netfilter.LocalIn, core.AFInet6, p.Dev, nil) {
		return
	}
	ip, ok := wire.ParseIPv6(p.Bytes())
	if !ok {
		w.Drop(p, core.BadIPHeader)
		return
	}
	p, proto, off, ok := s.headers(w, p, ip)
	if !ok {
		return
	}
	ip = wire.IPv6(p.Bytes()) // it may be another datagram, put together
	p.Pull(off)
	p.SetL4(0)
	t := s.protos[proto]
	switch {
	case proto == wire.ProtoNone:
		w.Deliver(p) // there is nothing in it
	case t == nil:
		s.paramProblem(w, p, wire.ICMP6UnknownNext, int(p.Opts[optNext]))
		w.Drop(p, core.NoProtocol)
	case !t.gate.Admit(p.Net()):
		w.Drop(p, core.GateClosed)
	case p.Opts[optFlags]&flagMulticast != 0 && !s.wanted(p, ip, proto):
		w.Drop(p, core.MartianDest)
	default:
		t.Receive(w, p, ip)
	}
}

// Multicast reports whether a packet that a transport was given came to a group.
func Multicast(p *core.Packet) bool { return p.Opts[optFlags]&flagMulticast != 0 }

// ReplySource returns the address from which to answer a packet that a
// transport was given: the one it was sent to or, if that is not this host's
// alone, the zero Addr, to let the route choose.
func ReplySource(p *core.Packet, ip wire.IPv6) netip.Addr {
	if p.Opts[optFlags]&(flagMulticast|flagAnycast) != 0 {
		return netip.Addr{}
	}
	return ip.Dst()
}

// ArrivedBy returns the index of the device that a socket takes p to have come
// in by: of what a Net has sent to itself that of the address. Linux: inet6_iif.
func (s *Inet) ArrivedBy(p *core.Packet, ip wire.IPv6) int {
	if p.Dev.Flags()&core.FlagLoopback != 0 {
		if d := s.FIB.LocalDevice(p.Net(), ip.Dst()); d != nil {
			return d.Index()
		}
	}
	return p.Dev.Index()
}

// linkOf returns the device that an answer to p must leave by, as an index: that
// it came by, if its sender's address means nothing elsewhere; else 0.
func (s *Inet) linkOf(p *core.Packet, ip wire.IPv6, to netip.Addr) int32 {
	if !needsDevice(to) || to.IsLoopback() {
		return 0
	}
	return int32(s.ArrivedBy(p, ip))
}
