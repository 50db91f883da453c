package ipv6

import (
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

// An inRoute is what becomes of a packet that arrived.
// Linux: struct rt6_info of an input route.
type inRoute struct {
	res     fib.Result // what the FIB said of the destination, if it was asked
	flags   uint16     // flagLocal, flagMulticast, flagAnycast
	forward bool
	mroute  bool          // multicast routing looks at it
	err     syscall.Errno // no route, or one that refuses
}

// routeInput decides what becomes of p, or gives the reason to drop it. It
// writes nothing but r. Linux: ip6_route_input.
func (s *Inet) routeInput(p *core.Packet, ip wire.IPv6, in *device, r *inRoute) core.Reason {
	dst := ip.Dst16()
	if p.Type == core.Looped || in.loopback() && p.Opts[optFlags]&flagAgain == 0 {
		// In Linux it still carries its output route, so nobody asks again.
		r.flags = flagLocal
		if dst[0] == 0xff {
			r.flags |= flagMulticast
			if r.mroute = p.Type == core.Looped && s.routesGroups(p.Net(), dst); r.mroute && !in.member(dst, [16]byte{}) {
				r.flags = flagMulticast
			}
		}
		return 0
	}
	if dst[0] == 0xff { // Linux: ip6_mc_input
		our := in.member(dst, [16]byte{}) // of whom it came is asked of the transport's part
		if r.mroute = s.routesGroups(p.Net(), dst); !our && !r.mroute {
			return core.MartianDest
		}
		if r.flags = flagMulticast; our {
			r.flags |= flagLocal
		}
		return 0
	}
	fl := inFlow(p, ip, in)
	res, err := s.FIB.Lookup(p.Net(), &fl)
	if err != nil {
		r.err = err.(syscall.Errno)
		return 0
	}
	if fl.Oif == 0 && res.Several() {
		s.spreadIn(p.Net(), ip, &res)
	}
	r.res = res
	switch {
	case res.Type == fib.Local:
		r.flags = flagLocal
	case res.Type == fib.Anycast:
		r.flags = flagLocal | flagAnycast
	case res.Hop == nil:
		return core.MartianDest
	default:
		r.forward = true
	}
	return 0
}

// inFlow is what routing looks at of a packet that arrived.
func inFlow(p *core.Packet, ip wire.IPv6, in *device) fib.Flow {
	fl := fib.Flow{Dst: ip.Dst(), Src: ip.Src(), Iif: int32(in.dev.Index()), Mark: p.Mark, TOS: ip.Class(), Proto: ip.Next()}
	if fl.Dst.IsLinkLocalUnicast() {
		fl.Oif = fl.Iif // of this link, and of no other
	}
	if (fl.Proto == wire.ProtoUDP || fl.Proto == wire.ProtoTCP) && len(ip) >= wire.IPv6Len+4 {
		fl.SPort, fl.DPort = wire.UDP(ip[wire.IPv6Len:]).SrcPort(), wire.UDP(ip[wire.IPv6Len:]).DstPort()
	}
	return fl
}
