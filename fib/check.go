package fib

import (
	"net/netip"
	"slices"
	"syscall"

	"nsmodel/core"
	"nsmodel/netns"
)

// typeScope is the widest scope that a type may have. Linux: fib_props.
var typeScope = [...]Scope{Unspec: Nowhere, Local: Host, Broadcast: Link, Anycast: Link, NAT: Nowhere}

// keyOfPrefix returns the key of a prefix without host bits.
func (f *FIB) keyOfPrefix(p netip.Prefix) (key, error) {
	k, ok := keyOf(f.conf.Family, p.Addr())
	if !ok || p.Bits() < 0 || p.Masked() != p {
		return k, refuse(syscall.EINVAL, "Invalid prefix for given prefix length")
	}
	return k, nil
}

// build turns a Route into an alias, or says what is wrong with it.
// Linux: fib_create_info, net/ipv4/fib_semantics.c.
func (f *FIB) build(n *netns.Net, r *Route) (c cell, a *alias, err error) {
	if c.key, err = f.keyOfPrefix(r.Dst); err != nil {
		return c, nil, err
	}
	c.plen = uint8(r.Dst.Bits())
	a = &alias{
		family: f.conf.Family, table: r.Table,
		metric: r.Metric, typ: r.Type, scope: r.Scope, proto: r.Proto, tos: r.TOS, pref: r.Pref,
		info: &info{infoKey: infoKey{src: r.Src, mtu: r.MTU, advmss: r.AdvMSS, metrics: r.Metrics}},
	}
	if a.table == 0 {
		a.table = TableMain
	}
	if f.conf.Family == IPv6 {
		if err := a.setFrom(r); err != nil {
			return c, nil, err
		}
		return c, a, f.build6(n, a, r)
	}
	switch {
	case r.TOS&3 != 0:
		return c, nil, refuse(syscall.EINVAL, "Invalid dsfield (tos): ECN bits must be 0")
	case int(r.Type) >= len(typeNames):
		return c, nil, refuse(syscall.EINVAL, "Invalid route type")
	case int(r.Type) < len(typeScope) && typeScope[r.Type] > r.Scope:
		return c, nil, refuse(syscall.EINVAL, "Invalid scope")
	}
	if typeErrno[r.Type] != 0 {
		if len(r.NextHops) > 0 {
			return c, nil, refuse(syscall.EINVAL, "Gateway, device and multipath can not be specified for this route type")
		}
	} else if err := f.buildHops(n, a, r); err != nil {
		return c, nil, err
	}
	if r.Src.IsValid() && !f.validSrc(n, a, r) {
		return c, nil, refuse(syscall.EINVAL, "Invalid prefsrc address")
	}
	return c, a, nil
}

// buildHops checks r's next hops and gives a what they become.
func (f *FIB) buildHops(n *netns.Net, a *alias, r *Route) error {
	if r.Scope > Host {
		return refuse(syscall.EINVAL, "Invalid scope")
	}
	hops := slices.Clone(r.NextHops)
	if len(hops) == 0 {
		return refuse(syscall.ENODEV, "")
	}
	for i := range hops {
		h := &hops[i]
		if h.Flags&^HopOnlink != 0 {
			return refuse(syscall.EINVAL, "Invalid flags for nexthop - can not contain DEAD or LINKDOWN")
		}
		if h.Weight == 0 {
			h.Weight = 1
		}
		if h.Weight > 256 || h.Gw.IsValid() && h.Gw.BitLen() != f.conf.Family.bits() {
			return refuse(syscall.EINVAL, "")
		}
	}
	if r.Scope == Host {
		return f.buildHostHop(a, hops)
	}
	for i := range hops {
		if err := f.checkHop(n, a, &hops[i]); err != nil {
			return err
		}
		if f.conf.Carrier != nil && !f.conf.Carrier(hops[i].Dev) {
			hops[i].Flags |= HopLinkDown
		}
	}
	a.info.hop = hops[0]
	if len(hops) > 1 {
		a.info.multi = f.rebalance(hops)
	}
	return nil
}

// buildHostHop is for a local address, which may sit on a device that is down.
func (f *FIB) buildHostHop(a *alias, hops []NextHop) error {
	switch {
	case len(hops) != 1:
		return refuse(syscall.EINVAL, "Route with host scope can not have multiple nexthops")
	case hops[0].Gw.IsValid():
		return refuse(syscall.EINVAL, "Route with host scope can not have a gateway")
	case hops[0].Dev == nil:
		return refuse(syscall.ENODEV, "")
	}
	a.info.hop = hops[0]
	a.info.hop.Scope = Nowhere
	return nil
}

func (f *FIB) up(d *core.Device) bool { return f.conf.Up == nil || f.conf.Up(d) }

// checkHop checks one next hop and fills in its scope and device.
// Linux: fib_check_nh.
func (f *FIB) checkHop(n *netns.Net, a *alias, h *NextHop) error {
	if h.Gw.IsValid() && !h.Gw.IsUnspecified() {
		if h.Flags&HopOnlink != 0 {
			return f.checkOnlink(n, a, h)
		}
		return f.checkGateway(n, a, h)
	}
	h.Gw, h.Scope = netip.Addr{}, Host
	switch {
	case h.Flags&HopOnlink != 0:
		return refuse(syscall.EINVAL, "Invalid flags for nexthop - PERVASIVE and ONLINK can not be set")
	case h.Dev == nil:
		return refuse(syscall.ENODEV, "")
	case !f.up(h.Dev):
		return refuse(syscall.ENETDOWN, "Device for nexthop is not up")
	}
	return nil
}

// checkOnlink checks a gateway that is said to be on its device's link.
func (f *FIB) checkOnlink(n *netns.Net, a *alias, h *NextHop) error {
	h.Scope = Link
	switch {
	case a.scope >= Link:
		return refuse(syscall.EINVAL, "Nexthop has invalid scope")
	case h.Dev == nil:
		return refuse(syscall.ENODEV, "Nexthop device required for onlink")
	case !f.up(h.Dev):
		return refuse(syscall.ENETDOWN, "Nexthop device is not up")
	case f.addrType(n, TableLocal, h.Gw) != Unicast:
		return refuse(syscall.EINVAL, "Nexthop has invalid gateway")
	}
	return nil
}

// checkGateway looks the gateway up: it must be nearer than the route is, on a
// link or our own, and tells the device if none is given.
// Linux: fib_check_nh_v4_gw.
func (f *FIB) checkGateway(n *netns.Net, a *alias, h *NextHop) error {
	fl := Flow{Dst: h.Gw, Iif: 1, Oif: h.IfIndex, Scope: max(a.scope+1, Link), IgnoreLinkState: true}
	k, _ := keyOf(f.conf.Family, h.Gw)
	res, errno := Result{}, syscall.EAGAIN
	if a.table != TableMain {
		errno = f.find(f.snapshot(n).get(a.table), a.table, k, &fl, &res)
	}
	if errno != 0 {
		var err error
		if res, err = f.Lookup(n, &fl); err != nil {
			return refuse(err.(syscall.Errno), "Nexthop has invalid gateway")
		}
	}
	if res.Type != Unicast && res.Type != Local {
		return refuse(syscall.EINVAL, "Nexthop has invalid gateway")
	}
	h.Scope, h.Dev, h.IfIndex = res.Scope, res.Hop.Dev, res.Hop.IfIndex
	if h.Dev == nil {
		return refuse(syscall.EINVAL, "No egress device for nexthop gateway")
	}
	if !f.up(h.Dev) {
		return refuse(syscall.ENETDOWN, "")
	}
	return nil
}

// validSrc reports whether a preferred source is one of n's addresses, or just
// becoming one. Linux: fib_valid_prefsrc.
func (f *FIB) validSrc(n *netns.Net, a *alias, r *Route) bool {
	if r.Type == Local && !r.Dst.Addr().IsUnspecified() && r.Src == r.Dst.Addr() {
		return true
	}
	table := a.table
	if table == TableMain {
		table = TableLocal
	}
	return f.addrType(n, table, r.Src) == Local ||
		table != TableLocal && f.addrType(n, TableLocal, r.Src) == Local
}
