package ipv4

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
// Linux: struct rtable, include/net/route.h.
type Route struct {
	fib.Result // what the FIB said; its Hop is nil where routing did not ask it or may not use a gateway

	Dev       *core.Device // the device it leaves by: the loopback device if Local
	Gateway   netip.Addr   // whom to hand it to on Dev's link: a gateway, or the destination
	Src       netip.Addr   // the source address, chosen or as it was asked for; 0.0.0.0 if there is none
	Dst       netip.Addr   // the destination; 127.0.0.1 if it was asked for 0.0.0.0
	Local     bool         // delivered here; for Broadcast and Multicast: here as well
	Broadcast bool
	Multicast bool
	MTU       int  // of the path, in bytes: the route's or else the device's, or what ICMP told
	locked    bool // MTU is so small that Don't Fragment would be in vain
}

// Route finds the way of a packet that this Net sends, and its source address if
// fl.Src is none. The errors are bare errnos: ENETUNREACH and those of
// [fib.FIB.Lookup]; EINVAL for a source that cannot be one; ENODEV
// for an fl.Oif that is no device. Linux: ip_route_output_key_hash_rcu.
func (s *Inet) Route(n *netns.Net, fl *fib.Flow) (Route, error) {
	rt := Route{Src: fl.Src, Dst: fl.Dst}
	if !rt.Dst.IsValid() {
		rt.Dst = netip.IPv4Unspecified()
	}
	if !rt.Dst.Is4() || rt.Src.IsValid() && !rt.Src.Is4() {
		return Route{}, syscall.EAFNOSUPPORT
	}
	typ, err := s.routeOutput(n, fl, &rt)
	if err != 0 {
		return Route{}, err
	}
	if err := s.finishRoute(n, typ, fl.Proto, &rt); err != 0 {
		return Route{}, err
	}
	return rt, nil
}

// routeOutput chooses device, source and type of rt.
func (s *Inet) routeOutput(n *netns.Net, fl *fib.Flow, rt *Route) (fib.Type, syscall.Errno) {
	f := *fl
	f.Iif = loopbackIndex
	if chosen(rt.Src) {
		if !canBeSource(rt.Src.As4()) {
			return 0, syscall.EINVAL
		}
		d := s.LocalDevice(n, rt.Src.As4())
		if d == nil {
			return 0, syscall.ENETUNREACH
		}
		if f.Oif == 0 && (rt.Dst.IsMulticast() || rt.Dst == limited) {
			rt.Dev = d
			return fib.Unicast, 0
		}
	}
	if f.Oif != 0 {
		done, err := s.routeBound(n, &f, rt)
		if done || err != 0 {
			return fib.Unicast, err
		}
	}
	if !chosen(rt.Dst) { // this host (RFC 1122 section 3.2.1.3)
		if rt.Dst = rt.Src; !chosen(rt.Dst) {
			rt.Dst, rt.Src = localhost, localhost
		}
		rt.Dev = s.Core.DeviceByIndex(n, loopbackIndex)
		return fib.Local, 0
	}
	f.Dst, f.Src = rt.Dst, rt.Src
	return s.routeByFIB(n, &f, rt)
}

// routeBound is the part of routeOutput for a flow that must leave by f.Oif. It
// reports whether the FIB need not be asked.
func (s *Inet) routeBound(n *netns.Net, f *fib.Flow, rt *Route) (done bool, err syscall.Errno) {
	d := s.Core.DeviceByIndex(n, int(f.Oif))
	switch {
	case d == nil:
		return false, syscall.ENODEV
	case !d.Up() || s.devs.Of(d) == nil:
		return false, syscall.ENETUNREACH
	}
	rt.Dev = d
	dst := rt.Dst.As4()
	if rt.Dst == limited || dst[0] == 224 && dst[1] == 0 && dst[2] == 0 || f.Proto == 2 {
		if !chosen(rt.Src) {
			rt.Src = s.SelectSource(n, d, netip.Addr{}, fib.Link)
		}
		return true, 0
	}
	if !chosen(rt.Src) {
		switch {
		case rt.Dst.IsMulticast():
			rt.Src = s.SelectSource(n, d, netip.Addr{}, f.Scope)
		case !chosen(rt.Dst):
			rt.Src = s.SelectSource(n, d, netip.Addr{}, fib.Host)
		}
	}
	return false, 0
}

// routeByFIB is the part of routeOutput that asks the tables.
func (s *Inet) routeByFIB(n *netns.Net, f *fib.Flow, rt *Route) (fib.Type, syscall.Errno) {
	res, e := s.FIB.Lookup(n, f)
	if e != nil {
		if f.Oif == 0 {
			return 0, e.(syscall.Errno)
		}
		// Whoever names the device may send to what no route knows: it is
		// assumed to be on the link.
		if !chosen(rt.Src) {
			rt.Src = s.SelectSource(n, rt.Dev, netip.Addr{}, fib.Link)
		}
		return fib.Unicast, 0
	}
	if f.Oif == 0 && res.Several() {
		s.spreadOut(n, f, &res)
	}
	rt.Result = res
	if res.Type == fib.Local {
		if !chosen(rt.Src) {
			if rt.Src = res.Src(); !chosen(rt.Src) {
				rt.Src = rt.Dst
			}
		}
		rt.Dev = s.Core.DeviceByIndex(n, loopbackIndex)
		return fib.Local, 0
	}
	rt.Dev = res.Hop.Dev
	if !chosen(rt.Src) {
		rt.Src = s.preferredSource(n, res)
	}
	return res.Type, 0
}

// preferredSource returns the address that a route would have us send from.
// Linux: fib_result_prefsrc.
func (s *Inet) preferredSource(n *netns.Net, res fib.Result) netip.Addr {
	if a := res.Src(); chosen(a) {
		return a
	}
	return s.SelectSource(n, res.Hop.Dev, res.Hop.Gw, res.Scope)
}

// finishRoute fills in next hop, kind and MTU. Linux: __mkroute_output.
func (s *Inet) finishRoute(n *netns.Net, typ fib.Type, proto uint8, rt *Route) syscall.Errno {
	d := rt.Dev
	if d == nil {
		return syscall.ENODEV
	}
	in := s.devs.Of(d)
	if in == nil {
		return syscall.EINVAL
	}
	if !chosen(rt.Src) {
		rt.Src = netip.IPv4Unspecified()
	}
	loop := d.Flags()&core.FlagLoopback != 0
	if rt.Src.IsLoopback() && !loop && !in.RouteLocalnet() {
		return syscall.EINVAL
	}
	switch {
	case rt.Dst == limited:
		typ = fib.Broadcast
	case rt.Dst.IsMulticast():
		typ = fib.Multicast
	case rt.Dst.As4()[0] == 0:
		return syscall.EINVAL
	}
	rt.Local = loop
	rt.Gateway = rt.Dst
	hop := rt.Hop
	switch typ {
	case fib.Broadcast:
		rt.Broadcast, rt.Local = true, true
		hop = nil
	case fib.Multicast:
		rt.Multicast = true
		rt.Local = s.member(d, rt.Dst.As4(), rt.Src.As4(), proto)
		if hop != nil && rt.asked() && rt.Prefix().Bits() < 4 { // a default route says nothing of groups
			hop = nil
		}
	case fib.Local:
		rt.Local = true
		hop = nil
	}
	rt.Hop = hop
	if hop != nil && hop.Scope == fib.Link && hop.Gw.IsValid() {
		rt.Gateway = hop.Gw
	}
	s.pathMTU(rt)
	if e := s.exceptionTo(n, &rt.Result, rt.Dst.As4()); e != nil {
		e.apply(rt)
	}
	return 0
}

// pathMTU fills in the largest datagram that passes the whole way, as far as is
// known. Linux: ipv4_mtu.
func (s *Inet) pathMTU(rt *Route) {
	if rt.asked() {
		rt.MTU, rt.locked = rt.Result.MTU(), lockedMTU(&rt.Result)
	}
	if rt.MTU == 0 {
		rt.MTU = rt.Dev.MTU()
	}
	rt.MTU = min(rt.MTU, wire.IPv4MaxLen)
}

// apply puts into rt what was learnt of its way.
func (e *exception) apply(rt *Route) {
	if e.gw.IsValid() {
		rt.Gateway = e.gw
	}
	if e.mtu != 0 {
		rt.MTU, rt.locked = e.mtu, rt.locked || e.locked
	}
}

// asked reports whether the FIB was asked for rt.
func (rt *Route) asked() bool { return rt.Table != 0 }

// chosen reports whether a is an address at all: neither missing nor 0.0.0.0.
func chosen(a netip.Addr) bool { return a.IsValid() && a != netip.IPv4Unspecified() }

// as4 returns a, or 0.0.0.0 if it is missing.
func as4(a netip.Addr) [4]byte {
	if a.Is4() {
		return a.As4()
	}
	return [4]byte{}
}

// canBeSource reports whether a packet may be sent from a: no group, no
// broadcast, nothing in net 0 (RFC 1122 section 3.2.1.3).
func canBeSource(a [4]byte) bool {
	return a[0] != 0 && a[0]&0xf0 != 0xe0 && a != [4]byte{255, 255, 255, 255}
}
