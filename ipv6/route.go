package ipv6

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// loopbackIndex is the index of the loopback device in every Net.
// Linux: LOOPBACK_IFINDEX.
const loopbackIndex = 1

// A Route is how a packet leaves: a plain value, handed on as an argument.
// Linux: struct rt6_info, include/net/ip6_fib.h.
type Route struct {
	fib.Result // what the FIB said

	Dev       *core.Device // the device it leaves by: the loopback device if Local
	Gateway   netip.Addr   // whom to hand it to on Dev's link: a gateway, or the destination
	Src       netip.Addr   // the source address, chosen or as it was asked for
	Dst       netip.Addr   // the destination
	Local     bool         // delivered here; for Multicast: here as well
	Multicast bool
	MTU       int // of the path, in bytes: the route's or else the device's
}

// Route finds the way of a packet that this Net sends, and its source address if
// fl.Src is none. The errors are bare errnos: ENETUNREACH and those of
// [fib.FIB.Lookup]; EADDRNOTAVAIL where no address will do as a source.
// A Net that has no address at all hears of that first. Linux:
// ip6_route_output_flags, ip6_dst_lookup_tail.
func (s *Inet) Route(n *netns.Net, fl *fib.Flow) (Route, error) {
	rt, err := s.route(n, fl, true)
	if err != nil && err != syscall.EAFNOSUPPORT && !chosen(fl.Src) && !s.SelectSource(n, nil, fl.Dst).IsValid() {
		err = syscall.EADDRNOTAVAIL
	}
	return rt, err
}

// route is Route; a question about routes does not go on to choose a source where
// there is none without.
func (s *Inet) route(n *netns.Net, fl *fib.Flow, sends bool) (Route, error) {
	rt := Route{Src: fl.Src, Dst: fl.Dst}
	if !rt.Dst.IsValid() || rt.Dst.IsUnspecified() {
		rt.Dst = netip.IPv6Loopback() // this host. Linux: rawv6_sendmsg, udpv6_sendmsg
	}
	if !rt.Dst.Is6() || rt.Src.IsValid() && !rt.Src.Is6() {
		return Route{}, syscall.EAFNOSUPPORT
	}
	f := *fl
	f.Iif, f.Dst, f.Scope = loopbackIndex, rt.Dst, fib.Global
	if f.Oif != 0 && s.Core.DeviceByIndex(n, int(f.Oif)) == nil {
		return Route{}, syscall.ENETUNREACH
	}
	res, err := s.lookup(n, &f, fl)
	if err != nil && sends && !chosen(fl.Src) {
		res, rt.Src, err = s.routeFrom(n, &f, err)
	}
	if err != nil {
		return Route{}, err
	}
	if fl.Oif == 0 && res.Several() {
		s.spreadOut(n, &f, &res)
	}
	if res.Hop != nil && res.Hop.Gw.IsValid() && s.failed(n, res.Hop) {
		if res, err = s.routePast(n, &f, fl); err != nil {
			return Route{}, err
		}
	}
	rt.Result = res
	if res.Hop == nil || res.Hop.Dev == nil {
		return Route{}, syscall.ENETUNREACH
	}
	return rt, s.finishRoute(n, &rt)
}

// lookup asks the FIB; f is what fl, which somebody gave, came to.
func (s *Inet) lookup(n *netns.Net, f, fl *fib.Flow) (fib.Result, error) {
	res, err := s.FIB.Lookup(n, f)
	if f.Oif != 0 && !s.strict(fl) {
		return s.wish(n, f, res, err)
	}
	return res, err
}

// strict reports whether a flow's device is more than a wish: it is where the
// address means nothing without it, or where the source is still to be chosen.
// Linux: RT6_LOOKUP_F_IFACE.
func (s *Inet) strict(fl *fib.Flow) bool {
	return needsDevice(fl.Dst) || !chosen(fl.Src)
}

// needsDevice reports whether an address means something on one link only.
// Linux: rt6_need_strict.
func needsDevice(a netip.Addr) bool {
	return a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsLoopback()
}

// finishRoute fills in device, next hop, source and MTU.
// Linux: ip6_rt_copy_init, ip6_route_get_saddr.
func (s *Inet) finishRoute(n *netns.Net, rt *Route) error {
	out := rt.Hop.Dev
	rt.Dev, rt.Gateway = out, rt.Dst
	switch rt.Type {
	case fib.Local, fib.Anycast:
		rt.Local = true
		if rt.Dev = s.Core.DeviceByIndex(n, loopbackIndex); rt.Dev == nil { // while it is down it takes packets, and loses them
			return syscall.ENETUNREACH
		}
	default:
		if rt.Hop.Gw.IsValid() {
			rt.Gateway = rt.Hop.Gw
		}
	}
	dev := s.devs.Of(rt.Dev)
	if dev == nil {
		return syscall.ENETUNREACH
	}
	if rt.Dst.IsMulticast() {
		rt.Multicast = true
	}
	if !chosen(rt.Src) {
		if rt.Src = rt.Result.Src(); !chosen(rt.Src) {
			if rt.Src = s.SelectSource(n, out, rt.Dst); !rt.Src.IsValid() {
				return syscall.EADDRNOTAVAIL
			}
		}
	}
	if rt.Multicast {
		rt.Local = rt.Local || dev.member(rt.Dst.As16(), rt.Src.As16())
	}
	if rt.MTU = rt.Result.MTU(); rt.MTU == 0 {
		rt.MTU = dev.mtu()
	}
	rt.MTU = min(rt.MTU, wire.IPv6Len+wire.IPv6MaxLen)
	if e := s.exceptionTo(n, &rt.Result, rt.Dst, rt.Src); e != nil {
		e.apply(rt)
	}
	return nil
}

// apply puts into rt what was learnt of its way.
func (e *exception) apply(rt *Route) {
	if e.better {
		if rt.Gateway = e.gw; !e.gw.IsValid() {
			rt.Gateway = rt.Dst
		}
	}
	if e.mtu != 0 {
		rt.MTU = e.mtu
	}
}

// chosen reports whether a is an address at all: neither missing nor ::.
func chosen(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() }

// hopLimit returns with how many hops a packet begins that goes by rt.
// Linux: ip6_dst_hoplimit.
func (s *Inet) hopLimit(rt *Route) uint8 {
	if x := rt.Metrics().HopLimit; x != 0 {
		return uint8(x)
	}
	if dev := s.devs.Of(rt.Hop.Dev); dev != nil {
		return uint8(dev.own.Load().v[confHopLimit])
	}
	return 64
}
