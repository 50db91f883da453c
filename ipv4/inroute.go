package ipv4

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// An inRoute is what becomes of a packet that arrived.
// Linux: struct rtable of an input route.
type inRoute struct {
	res      fib.Result // what the FIB said of the destination, if it was asked
	typ      fib.Type   // Local, Broadcast, Multicast, or Unicast to be forwarded
	flags    uint16     // flagLocal, flagBroadcast, flagMulticast
	forward  bool
	mroute   bool          // multicast routing looks at it
	redirect bool          // it goes back to the link it came from. Linux: IPSKB_DOREDIRECT
	err      syscall.Errno // no route, or one that refuses
}

// routeInput decides what becomes of p, were it for dst, or gives the reason to
// drop it. It writes nothing but r. Linux: ip_route_input_slow.
func (s *Inet) routeInput(p *core.Packet, ip wire.IPv4, dst [4]byte, in *device, r *inRoute) core.Reason {
	src := ip.Src4()
	if p.Type == core.Looped || in.dev.Flags()&core.FlagLoopback != 0 && p.Opts[optFlags]&flagAgain == 0 {
		return s.routeLooped(p, ip, dst, r)
	}
	switch {
	case dst[0]&0xf0 == 0xe0:
		return s.routeMulticast(p, ip, dst, in, r)
	case src[0]&0xf0 == 0xe0 || src == [4]byte{255, 255, 255, 255}:
		return core.MartianSource
	case dst == [4]byte{255, 255, 255, 255} || src == [4]byte{} && dst == [4]byte{}:
		return s.routeBroadcast(p, ip, in, r)
	case src[0] == 0:
		return core.MartianSource
	case dst[0] == 0:
		return core.MartianDest
	case dst[0] == 127:
		if !in.RouteLocalnet() {
			return core.MartianDest
		}
	case src[0] == 127 && !in.RouteLocalnet():
		return core.MartianSource
	}
	fl := inFlow(p, ip, dst, in)
	res, err := s.FIB.Lookup(p.Net(), &fl)
	if err != nil {
		if r.err = err.(syscall.Errno); !in.Forwarding() {
			r.err = syscall.EHOSTUNREACH // whatever the route says
		}
		return 0
	}
	if res.Several() {
		s.spreadIn(p.Net(), ip, &res)
	}
	r.res, r.typ = res, res.Type
	switch {
	case res.Type == fib.Broadcast && in.BCForwarding() && res.Hop != nil: // whatever forwarding says
		return s.routeForward(p, ip, dst, in, r)
	case res.Type == fib.Broadcast:
		return s.routeBroadcast(p, ip, in, r)
	case res.Type == fib.Local:
		r.flags = flagLocal
		_, why := s.validateSource(p, ip, dst, nil, in)
		return why
	case !in.Forwarding():
		r.err = syscall.EHOSTUNREACH
		return 0
	case res.Type != fib.Unicast || res.Hop == nil:
		return core.MartianDest
	}
	return s.routeForward(p, ip, dst, in, r)
}

// inFlow is what routing looks at of a packet that arrived.
func inFlow(p *core.Packet, ip wire.IPv4, dst [4]byte, in *device) fib.Flow {
	fl := fib.Flow{Dst: netip.AddrFrom4(dst), Src: ip.Src(), Iif: int32(in.dev.Index()), Mark: p.Mark, TOS: ip.TOS(), Proto: ip.Proto()}
	if hdr := ip.HeaderLen(); (fl.Proto == wire.ProtoUDP || fl.Proto == wire.ProtoTCP) && len(ip) >= hdr+4 && ip.FragOffset() == 0 {
		fl.SPort, fl.DPort = wire.UDP(ip[hdr:]).SrcPort(), wire.UDP(ip[hdr:]).DstPort()
	}
	return fl
}

// routeLooped decides about what this Net has sent to itself. In Linux such a
// packet still carries its output route, so nobody asks whether its source,
// one of ours, is a martian, nor whether its destination is ours.
func (s *Inet) routeLooped(p *core.Packet, ip wire.IPv4, dst [4]byte, r *inRoute) core.Reason {
	r.typ, r.flags = fib.Local, flagLocal
	switch {
	case dst[0]&0xf0 == 0xe0:
		r.typ, r.flags = fib.Multicast, flagLocal|flagMulticast
		// What goes out by lo comes in there, and is thrown away unless somebody
		// has joined there. Linux: dst_discard of a route without RTCF_LOCAL.
		if p.Type != core.Looped && !s.member(p.Dev, dst, ip.Src4(), ip.Proto()) {
			return core.MartianDest
		}
		if in := s.devs.Of(p.Dev); p.Type == core.Looped && in != nil && in.routesGroups(dst) {
			r.mroute = true
			if !s.member(p.Dev, dst, ip.Src4(), ip.Proto()) {
				r.flags = flagMulticast
			}
		}
	case s.AddrType(p.Net(), dst) == fib.Broadcast:
		r.typ, r.flags = fib.Broadcast, flagLocal|flagBroadcast
	}
	return 0
}

// routeBroadcast lets a broadcast in. Linux: brd_input of ip_route_input_slow.
func (s *Inet) routeBroadcast(p *core.Packet, ip wire.IPv4, in *device, r *inRoute) core.Reason {
	if ip.Src4()[0] != 0 {
		if _, why := s.validateSource(p, ip, [4]byte{}, nil, in); why != 0 {
			return why
		}
	}
	r.typ, r.flags = fib.Broadcast, flagLocal|flagBroadcast
	return 0
}

// routeMulticast lets in what is for a group that the device is in, or that
// multicast routing may know. Linux: ip_route_input_mc, ip_mc_validate_source.
func (s *Inet) routeMulticast(p *core.Packet, ip wire.IPv4, dst [4]byte, in *device, r *inRoute) core.Reason {
	our := s.member(in.dev, dst, ip.Src4(), ip.Proto())
	if r.mroute = in.routesGroups(dst); !our && !r.mroute {
		return core.MartianDest
	}
	src := ip.Src4()
	switch {
	case src[0]&0xf0 == 0xe0, src == [4]byte{255, 255, 255, 255}, src[0] == 127 && !in.RouteLocalnet():
		return core.MartianSource
	case src[0] == 0:
		if !(dst[0] == 224 && dst[1] == 0 && dst[2] == 0) && ip.Proto() != wire.ProtoIGMP {
			return core.MartianSource
		}
	default:
		if _, why := s.validateSource(p, ip, [4]byte{}, nil, in); why != 0 {
			return why
		}
	}
	if r.typ, r.flags = fib.Multicast, flagMulticast; our {
		r.flags |= flagLocal
	}
	return 0
}

// routeForward lets a packet pass through. Linux: __mkroute_input.
func (s *Inet) routeForward(p *core.Packet, ip wire.IPv4, dst [4]byte, in *device, r *inRoute) core.Reason {
	out := r.res.Hop.Dev
	near, why := s.validateSource(p, ip, dst, out, in)
	if why != 0 {
		return why
	}
	r.forward = true
	if near && out == in.dev && in.SendRedirects() {
		gw := r.res.Hop.Gw
		r.redirect = in.SharedMedia() || s.onLink(in, ip.Src(), gw)
	}
	return 0
}

// onLink reports whether both addresses are in one subnet of the device; b may
// be missing. Linux: inet_addr_onlink.
func (s *Inet) onLink(in *device, a, b netip.Addr) bool {
	for _, own := range in.Addrs() {
		if own.Prefix.Contains(a) && (!b.IsValid() || own.Prefix.Contains(b)) {
			return true
		}
	}
	return false
}

// validateSource asks whether a packet may have its source address: it must not
// be ours, and with rp_filter the way back must be by the device it came from
// (strict) or by any (loose); RFC 3704. out is the device it would leave by, nil
// if it stays; dst is zero for a broadcast. near reports that the source is on
// the link. Linux: fib_validate_source.
func (s *Inet) validateSource(p *core.Packet, ip wire.IPv4, dst [4]byte, out *core.Device, in *device) (near bool, why core.Reason) {
	rpf := in.RPFilter()
	if rpf == 0 && (out != in.dev || !in.SendRedirects()) {
		switch {
		case in.AcceptLocal():
			return false, 0
		case s.FIB.CustomRules(p.Net()): // what is ours, the rules say
		case s.holds(p.Net(), ip.Src4()):
			return false, core.MartianSource
		default:
			return false, 0
		}
	}
	return s.validateByFIB(p, ip, dst, out, in, rpf)
}

// holds reports whether n has the address a at a device.
// Linux: inet_lookup_ifaddr_rcu.
func (s *Inet) holds(n *netns.Net, a [4]byte) bool {
	_, ok := s.addrs.Get(n, a)
	return ok
}

// validateByFIB looks for the way back. Linux: __fib_validate_source.
func (s *Inet) validateByFIB(p *core.Packet, ip wire.IPv4, dst [4]byte, out *core.Device, in *device, rpf int) (near bool, why core.Reason) {
	fl := fib.Flow{Dst: ip.Src(), Src: netip.AddrFrom4(dst), Iif: loopbackIndex, TOS: ip.TOS()}
	if out != nil {
		fl.Iif = int32(out.Index())
	}
	if in.SrcValidMark() {
		fl.Mark = p.Mark
	}
	refuse := core.Reason(0)
	if rpf != 0 {
		refuse = core.ReversePath
	}
	n := p.Net()
	res, err := s.FIB.Lookup(n, &fl)
	if err != nil {
		return false, refuse
	}
	if res.Type != fib.Unicast && (res.Type != fib.Local || !in.AcceptLocal()) {
		return false, core.MartianSource
	}
	if usesDevice(res, in.dev) {
		return res.Hop.Scope >= fib.Host, 0
	}
	if len(in.Addrs()) == 0 {
		return false, refuse
	}
	if rpf == 1 {
		return false, core.ReversePath
	}
	fl.Oif, fl.IgnoreLinkState = int32(in.dev.Index()), true
	if res, err = s.FIB.Lookup(n, &fl); err == nil && res.Type == fib.Unicast {
		near = res.Hop.Scope >= fib.Host
	}
	return near, 0
}

// usesDevice reports whether any next hop of a route is by d.
// Linux: fib_info_nh_uses_dev.
func usesDevice(res fib.Result, d *core.Device) bool {
	if res.Hop == nil || res.Hop.Dev == d {
		return res.Hop != nil
	}
	for _, h := range res.Route().NextHops {
		if h.Dev == d {
			return true
		}
	}
	return false
}
