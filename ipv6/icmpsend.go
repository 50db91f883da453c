package ipv6

import (
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// SendICMP sends an ICMP error about a packet, which it does not take: its IP
// header is at L3. info is the second word of the ICMP header. Nothing is sent
// about what RFC 4443 section 2.4 (e) excepts, nor beyond the Net's rates.
// Linux: icmp6_send.
func (s *Inet) SendICMP(w *core.Worker, about *core.Packet, typ, code uint8, info uint32) {
	n := about.Net()
	ip, ok := wire.ParseIPv6(about.L3())
	if !ok || n == nil || !mayComplain(about, ip, typ, code) {
		return
	}
	now := w.Now()
	rates := &s.path.nets.Own(n).rates
	// Path MTU discovery must not starve. Linux: icmpv6_ratemask.
	limited := typ != wire.ICMP6PacketTooBig
	fromLoop := about.Dev != nil && about.Dev.Flags()&core.FlagLoopback != 0
	if limited && !fromLoop && !s.budget.AllowICMP(n, now) {
		return
	}
	fl := fib.Flow{Dst: ip.Src(), Mark: s.replyMark(about), Proto: wire.ProtoICMPv6}
	if isOurs(about) && about.Opts[optFlags]&flagOutput == 0 {
		fl.Src = ip.Dst()
	} else if in := s.Core.DeviceByIndex(n, about.InIndex); in != nil && about.Opts[optFlags]&flagOutput == 0 && !s.prefers(n, fl) {
		fl.Src = s.SelectSource(n, in, fl.Dst)
	}
	if about.Dev != nil && needsDevice(fl.Dst) && !fl.Dst.IsLoopback() {
		fl.Oif = s.linkOf(about, ip, fl.Dst)
	}
	rt, err := s.Route(n, &fl)
	if err != nil || isAnycast(&rt) && s.conf.Of(n).ErrorAnycast.Load() == 0 || limited && !fromLoop && !s.icmpAllowPeer(n, &rt, rates, now) {
		return
	}
	room := min(rt.MTU, minMTU) - wire.IPv6Len - wire.ICMPLen
	q := w.NewPacket(n, wire.ICMPLen+min(len(ip), room))
	copy(q.Bytes()[wire.ICMPLen:], ip)
	wire.PutICMPv6(q.Bytes(), typ, code, info, rt.Src.As16(), rt.Dst.As16())
	_ = s.Send(w, q, &rt, &SendOptions{Proto: wire.ProtoICMPv6, Mark: fl.Mark})
}

// isAnycast reports whether a route's destination is known to be an anycast
// address: one of our own, or that of the routers of a prefix on the link.
// Linux: ipv6_anycast_destination.
func isAnycast(rt *Route) bool {
	p := rt.Prefix()
	return rt.Type == fib.Anycast || p.Bits() < 127 && rt.Hop != nil && !rt.Hop.Gw.IsValid() && p.Addr() == rt.Dst
}

// prefers reports whether the route of an error says which source it has. Else it
// is an address of the device that the packet came in by, and rules for that
// source decide on the error too. Linux: icmpv6_rt_has_prefsrc.
func (s *Inet) prefers(n *netns.Net, fl fib.Flow) bool {
	fl.Iif, fl.Scope = loopbackIndex, fib.Global
	res, err := s.FIB.Lookup(n, &fl)
	return err == nil && chosen(res.Src())
}

// mayComplain reports whether an error may be sent about a packet at all.
// Linux: the head of icmp6_send, is_ineligible.
func mayComplain(about *core.Packet, ip wire.IPv6, typ, code uint8) bool {
	src, dst := ip.Src16(), ip.Dst16()
	group := dst[0] == 0xff || about.Type != core.ToHost && (about.Type != core.Outgoing || about.Opts[optFlags]&flagOutput == 0)
	if group && typ != wire.ICMP6PacketTooBig && (typ != wire.ICMP6ParamProblem || code != wire.ICMP6UnknownOption) {
		return false
	}
	if src == [16]byte{} || src[0] == 0xff {
		return false
	}
	e, pieces := ip.EachExt(), false
	for e.Next() {
		if f := e.Bytes(); e.Kind() == wire.ProtoFragment {
			pieces = wire.Frag6(f).Offset() > 0 || wire.Frag6(f).More()
		}
	}
	// What cannot be told, of a later fragment or of a broken one, does not stop an
	// error, as in Linux.
	proto, off, ok := e.Rest()
	if !ok || proto != wire.ProtoICMPv6 || e.Kind() == wire.ProtoFragment && wire.Frag6(e.Bytes()).Offset() > 0 {
		return true
	}
	if len(ip) <= off {
		return pieces
	}
	return ip[off] >= wire.ICMP6Echo && ip[off] != wire.ICMP6Redirect
}

// paramProblem is SendICMP about an octet of the header. Linux: icmpv6_param_prob.
func (s *Inet) paramProblem(w *core.Worker, about *core.Packet, code uint8, at int) {
	s.SendICMP(w, about, wire.ICMP6ParamProblem, code, uint32(at))
}

// icmpAllowPeer reports whether one more error may go by rt, and counts it. A
// route to more than one host lets more of them pass. Linux: icmpv6_xrlim_allow.
func (s *Inet) icmpAllowPeer(n *netns.Net, rt *Route, rates *rates, now time.Duration) bool {
	if rt.Dev.Flags()&core.FlagLoopback == 0 {
		every := time.Duration(s.conf.Of(n).ICMPRatelimit.Load()) * time.Millisecond
		if bits := rt.Prefix().Bits(); bits < 128 {
			every >>= (128 - bits) >> 5
		}
		if !rates.allowPeer(rt.Dst.As16(), every, now) {
			return false
		}
	}
	s.budget.CountICMP(n)
	return true
}
