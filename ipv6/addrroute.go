package ipv6

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/fib"
)

// Metrics of the kernel's own routes. Linux: IP6_RT_PRIO_ADDRCONF.
const addrMetric = 256

// addPrefixRoute routes an address's subnet to its link; under the Net's lock.
// While the device is down there is no such route. Linux: addrconf_prefix_route.
func (s *Inet) addPrefixRoute(dev *device, a *Addr) {
	if a.Flags&unix.IFA_F_NOPREFIXROUTE == 0 && !a.Local.IsLoopback() {
		s.prefixRoute(dev, a.Prefix(), a.Metric, a.end(), false)
	}
}

// addrReady makes the routes of an address that may be used from now on: its
// own, which delivers here, that of its peer, and on a router that of the
// subnet's routers (RFC 4291 section 2.6.1). Linux: __ipv6_ifa_notify.
func (s *Inet) addrReady(dev *device, a *Addr) {
	s.kernelRoute(dev, fib.Local, netip.PrefixFrom(a.Local, 128), 0)
	if dev.on(confForwarding) {
		s.addAnycast(dev, a)
	}
	if a.Peer.IsValid() {
		s.kernelRoute(dev, fib.Unicast, netip.PrefixFrom(a.Peer, 128), a.Metric)
	}
}

// delRoutes takes away what an address, gone from dev's list, stood for: its
// subnet's route stays if another address is in the same.
// Linux: ipv6_del_addr, check_cleanup_prefix_route.
func (s *Inet) delRoutes(dev *device, a *Addr) {
	shared := false
	for _, b := range dev.Addrs() {
		shared = shared || b.Bits == a.Bits && b.Prefix() == a.Prefix()
	}
	if a.Flags&unix.IFA_F_PERMANENT != 0 && a.Flags&unix.IFA_F_NOPREFIXROUTE == 0 {
		s.cleanPrefixRoute(dev, a)
	}
	if !shared {
		s.delAnycast(dev, a)
	}
	if a.Peer.IsValid() {
		s.kernelUnroute(dev, fib.Unicast, netip.PrefixFrom(a.Peer, 128), a.Metric)
	}
	s.kernelUnroute(dev, fib.Local, netip.PrefixFrom(a.Local, 128), 0)
}

// addAnycast takes packets for a subnet's routers, whose address is its first.
// Linux: addrconf_join_anycast.
func (s *Inet) addAnycast(dev *device, a *Addr) {
	first := a.Prefix().Addr()
	if a.Bits >= 127 || first.IsUnspecified() {
		return
	}
	r := kernelRoute(dev, fib.Anycast, netip.PrefixFrom(first, 128), 0)
	if s.FIB.Add(dev.dev.Net(), r, fib.AppendRoute) == nil { // else another address of the subnet was first
		s.joinSolicited(dev, first)
	}
}

func (s *Inet) delAnycast(dev *device, a *Addr) {
	first := a.Prefix().Addr()
	if a.Bits >= 127 || first.IsUnspecified() {
		return
	}
	r := kernelRoute(dev, fib.Anycast, netip.PrefixFrom(first, 128), 0)
	if s.FIB.Delete(dev.dev.Net(), r) == nil {
		s.leaveSolicited(dev, first)
	}
}

// addMulticastRoute lets groups be sent to by dev. Linux: addrconf_add_mroute.
func (s *Inet) addMulticastRoute(dev *device) {
	s.kernelRoute(dev, fib.Multicast, groups, 0)
}

// groups is where all groups are (RFC 4291 section 2.7).
var groups = netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff}), 8)

// kernelRoute adds a route of the kernel's own; that it is there already, or
// cannot be, is nobody's concern.
func (s *Inet) kernelRoute(dev *device, t fib.Type, dst netip.Prefix, metric uint32) {
	_ = s.FIB.Add(dev.dev.Net(), kernelRoute(dev, t, dst, metric), fib.AppendRoute)
}

func (s *Inet) kernelUnroute(dev *device, t fib.Type, dst netip.Prefix, metric uint32) {
	_ = s.FIB.Delete(dev.dev.Net(), kernelRoute(dev, t, dst, metric))
}

func kernelRoute(dev *device, t fib.Type, dst netip.Prefix, metric uint32) fib.Route {
	r := fib.Route{Dst: dst, Table: fib.TableLocal, Type: t, Proto: fib.ProtoKernel, Metric: metric,
		NextHops: []fib.NextHop{{Dev: dev.dev, IfIndex: int32(dev.dev.Index()), Weight: 1}}}
	if t == fib.Unicast {
		r.Table = fib.TableMain
	}
	if metric == 0 && t != fib.Local && t != fib.Anycast {
		r.Metric = addrMetric
	}
	return r
}
