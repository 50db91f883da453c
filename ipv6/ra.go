package ipv6

import (
	"net/netip"
	"time"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// receiveRA takes a router's advertisement; false if it makes no sense (RFC 4861
// section 6.1.2). Linux: ndisc_router_discovery.
func (s *Inet) receiveRA(w *core.Worker, dev *device, ip wire.IPv6, m wire.ICMPv6) bool {
	ra, ok := m.RouterAdvert()
	if !ok || !ip.Src().IsLinkLocalUnicast() {
		return false
	}
	o, ok := wire.ParseNDOptions(ra.Options())
	if !ok {
		return false
	}
	if dev.acceptsRA() {
		mu := s.lock(dev.dev.Net())
		if dev.rs != nil {
			dev.rs.heard = true
		}
		if !s.fromSelf(dev, ip.Src()) {
			s.defaultRouter(dev, ip.Src(), ra)
		}
		s.neighTimes(dev, ra)
		mu.Unlock()
	}
	if nb, err := s.Core.NewNeighbour(dev.dev, ip.Src(), w.Now()); err == nil {
		_ = nb.Update(w, core.NeighUpdate{State: core.NudStale, MAC: o.SourceLL, Override: true, Weak: true, Router: true})
	}
	if !dev.acceptsRA() {
		return true
	}
	mu := s.lock(dev.dev.Net())
	defer mu.Unlock()
	s.advertised(dev, ip.Src(), ra, o)
	return true
}

// fromSelf reports whether an advertisement is our own, come back.
func (s *Inet) fromSelf(dev *device, src netip.Addr) bool {
	return !dev.on(confAcceptRAFromLocal) && s.LocalAddr(dev.dev.Net(), dev.dev, src) != nil
}

// advertised takes an advertisement's options, kind by kind as Linux does: routes,
// prefixes, MTU.
func (s *Inet) advertised(dev *device, from netip.Addr, ra wire.RA, o wire.NDOptions) {
	v := &dev.own.Load().v
	if !s.fromSelf(dev, from) && v[confAcceptRARtrPref] != 0 {
		eachOption(o.Raw, wire.NDRouteInfo, func(b []byte) {
			if r, ok := wire.ParseNDRoute(b); ok {
				s.moreRoute(dev, from, r)
			}
		})
	}
	if v[confAcceptRAPinfo] != 0 {
		eachOption(o.Raw, wire.NDPrefix, func(b []byte) {
			if p, ok := wire.ParseNDPrefix(b); ok {
				s.prefixInfo(dev, p, o.HasSource)
			}
		})
	}
	if v[confAcceptRAMTU] == 0 {
		return
	}
	eachOption(o.Raw, wire.NDMTU, func(b []byte) {
		mtu, ok := wire.ParseNDMTU(b)
		if !ok || mtu < minMTU || mtu > uint32(dev.dev.MTU()) || int32(mtu) == dev.own.Load().v[confMTU] {
			return
		}
		dev.own.Store(dev.own.Load().with(confMTU, int32(mtu)))
		s.FIB.Adjust(dev.dev.Net(), routerRoute(dev, anywhere, from), fib.Adjustment{MTU: mtu})
	})
}

// eachOption calls f for each option of a kind.
func eachOption(b []byte, kind uint8, f func([]byte)) {
	for it := wire.EachND(b); it.Next(); {
		if it.Kind() == kind {
			f(it.Bytes())
		}
	}
}

var anywhere = netip.PrefixFrom(netip.IPv6Unspecified(), 0)

// routerRoute is a route by a router on dev's link, to be looked for.
func routerRoute(dev *device, dst netip.Prefix, router netip.Addr) fib.Route {
	return fib.Route{Dst: dst, Table: fib.TableMain, Type: fib.Unicast, Proto: fib.ProtoRA,
		NextHops: []fib.NextHop{{Dev: dev.dev, IfIndex: int32(dev.dev.Index()), Gw: router, Weight: 1}}}
}

// defaultRouter makes the sender a default router for as long as it says, or no
// longer one (RFC 4861 section 6.3.4); under the Net's lock.
func (s *Inet) defaultRouter(dev *device, from netip.Addr, ra wire.RA) {
	v := &dev.own.Load().v
	life := time.Duration(ra.Lifetime())
	if v[confAcceptRADefRtr] == 0 || life != 0 && life < time.Duration(v[confAcceptRAMinLft]) {
		return
	}
	pref := ra.Pref()
	if pref == 2 || v[confAcceptRARtrPref] == 0 {
		pref = 0
	}
	s.routeBy(dev, routerRoute(dev, anywhere, from), uint32(v[confRADefRtrMetric]), pref, life*time.Second)
	if hops := ra.HopLimit(); hops != 0 && v[confAcceptRAMinHopLimit] < 256 && v[confAcceptRAMinHopLimit] <= int32(hops) {
		dev.own.Store(dev.own.Load().with(confHopLimit, int32(hops)))
		s.FIB.Adjust(dev.dev.Net(), routerRoute(dev, anywhere, from), fib.Adjustment{HopLimit: uint32(hops)})
	}
}

// routeBy keeps a router's route for a time: makes it, gives it a new end, or
// takes it away if that is now. Linux: rt6_add_dflt_router, rt6_add_route_info.
func (s *Inet) routeBy(dev *device, r fib.Route, metric uint32, pref uint8, life time.Duration) {
	n := dev.dev.Net()
	old, found := s.FIB.Find(n, r)
	if found && (life == 0 || old.Metric != metric) {
		_ = s.FIB.Delete(n, r) // it is there
		found = false
	}
	r.Metric = metric
	end := netlink.Forever
	if life != netlink.Forever {
		end = s.Core.Sys.Now() + life
	}
	switch {
	case life == 0:
		return
	case found:
		s.FIB.Adjust(n, r, fib.Adjustment{Pref: pref, SetPref: true})
	default:
		r.Pref = pref
		if s.FIB.Add(n, r, fib.AppendRoute) != nil {
			return // the router is one of our own, or the device is going down
		}
	}
	s.setExpiry(n, &r, end, true)
}

// moreRoute takes a route information option (RFC 4191 section 3.1).
// Linux: rt6_route_rcv.
func (s *Inet) moreRoute(dev *device, from netip.Addr, o wire.NDRoute) {
	v := &dev.own.Load().v
	bits, dst := int32(o.Bits), wire.NDSubnet(o.Prefix, o.Bits)
	switch {
	case bits == 0 && v[confAcceptRADefRtr] == 0,
		o.Lifetime != 0 && int64(o.Lifetime) < int64(v[confAcceptRAMinLft]),
		bits < v[confAcceptRARtInfoMin], bits > v[confAcceptRARtInfoMax],
		o.Pref == 2, !dst.IsValid():
		return
	}
	metric := uint32(fib.DefaultMetric6)
	r := routerRoute(dev, dst, from)
	if old, ok := s.FIB.Find(dev.dev.Net(), r); ok {
		metric = old.Metric
	}
	s.routeBy(dev, r, metric, o.Pref, lifespan(o.Lifetime))
}

// neighTimes takes what an advertisement says of times between neighbours; under
// the Net's lock. The limits are Linux's, with 1,000 ticks a second.
func (s *Inet) neighTimes(dev *device, ra wire.RA) {
	const longest = 1<<63 - 1
	retrans, reach := time.Duration(ra.Retrans())*time.Millisecond, time.Duration(ra.Reachable())*time.Millisecond
	old := s.neighParms(dev.dev)
	own := *old
	if retrans != 0 && retrans < longest {
		own.Retrans = max(retrans, 10*time.Millisecond)
	}
	if reach = max(reach, 100*time.Millisecond); ra.Reachable() != 0 && reach != own.BaseReachable {
		own.BaseReachable, own.GCStale = reach, 3*reach
		own.Draw(dev.dev.Net())
	}
	if own != *old {
		dev.parms.Store(&own)
	}
}

// purgeRouters takes away the default routes that routers have advertised: n is a
// router itself now. Devices that listen all the same keep theirs.
// Linux: rt6_purge_dflt_routers.
func (s *Inet) purgeRouters(n *netns.Net) {
	for _, d := range s.Core.Devices(n) {
		dev := s.devs.Of(d)
		if dev == nil || dev.own.Load().v[confAcceptRA] == 2 {
			continue
		}
		r := routerRoute(dev, anywhere, netip.Addr{})
		for s.FIB.Delete(n, r) == nil {
		}
	}
}

// SendND sends an ICMP message of neighbour discovery from d's link-local address
// to dst, as a program with a raw socket would; the checksum is filled in. False
// if d has no such address, or no IPv6.
func (s *Inet) SendND(w *core.Worker, d *core.Device, m []byte, dst netip.Addr) bool {
	dev := s.devs.Of(d)
	if dev == nil || dev.on(confDisable) || !d.Up() {
		return false
	}
	src := dev.linkLocal()
	if !src.IsValid() {
		return false
	}
	s.sendMessage(w, dev, m, src, dst.As16())
	return true
}
