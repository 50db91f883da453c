package fib

import (
	"net/netip"
	"slices"
	"syscall"

	"nsmodel/core"
	"nsmodel/netns"
)

// What IPv6 does otherwise than IPv4: tables local and main are never one; a
// route has no scope and no TOS; what may be a next hop is asked in another
// way; a second route through a gateway with the same prefix and metric becomes
// a second hop of the first. Linux: net/ipv6/route.c, ip6_fib.c, fib6_rules.c.

// DefaultMetric6 is the metric of an IPv6 route whose maker gives none. Linux:
// IP6_RT_PRIO_USER.
const DefaultMetric6 = 1024

// build6 is the part of build that IPv6 has of its own.
// Linux: ip6_route_info_create.
func (f *FIB) build6(n *netns.Net, a *alias, r *Route) error {
	switch {
	case int(r.Type) >= len(typeNames) || r.Type == Broadcast || r.Type == NAT:
		return refuse(syscall.EINVAL, "Invalid route type")
	case typeErrno[r.Type] != 0: // it goes by lo, says Linux; nothing goes by it
	default:
		if err := f.buildHops6(n, a, r); err != nil {
			return err
		}
	}
	if r.Src.IsValid() && f.addrType6(n, TableLocal, r.Src) != Local {
		return refuse(syscall.EINVAL, "Invalid source address")
	}
	return nil
}

// buildHops6 is buildHops for IPv6. Linux: fib6_nh_init.
func (f *FIB) buildHops6(n *netns.Net, a *alias, r *Route) error {
	hops := slices.Clone(r.NextHops)
	if len(hops) == 0 {
		return refuse(syscall.ENODEV, "")
	}
	for i := range hops {
		h := &hops[i]
		if h.Weight == 0 {
			h.Weight = 1
		}
		if err := f.checkHop6(n, a, h); err != nil {
			return err
		}
		if f.conf.Carrier != nil && !f.conf.Carrier(h.Dev) && !a.ours() {
			h.Flags |= HopLinkDown
		}
	}
	a.info.hop = hops[0]
	if len(hops) > 1 {
		a.info.multi = f.rebalance(hops)
	}
	return nil
}

func (f *FIB) checkHop6(n *netns.Net, a *alias, h *NextHop) error {
	switch {
	case h.Flags&^HopOnlink != 0:
		return refuse(syscall.EINVAL, "Invalid flags for nexthop - can not contain DEAD or LINKDOWN")
	case h.Weight > 256:
		return refuse(syscall.EINVAL, "")
	case h.Flags&HopOnlink != 0 && h.Dev == nil:
		return refuse(syscall.ENODEV, "Nexthop device required for onlink")
	case h.Flags&HopOnlink != 0 && !f.up(h.Dev):
		return refuse(syscall.ENETDOWN, "Nexthop device is not up")
	}
	h.Scope = Host
	if h.Gw.IsValid() && h.Gw.IsUnspecified() {
		h.Gw = netip.Addr{}
	}
	if h.Gw.IsValid() {
		h.Scope = Link
		if err := f.checkGateway6(n, a, h); err != nil {
			return err
		}
		if h.Dev != nil && h.Dev.Flags()&core.FlagLoopback != 0 {
			return refuse(syscall.EINVAL, "Egress device can not be loopback device for this route")
		}
	}
	switch {
	case h.Dev == nil:
		return refuse(syscall.ENODEV, "")
	case f.conf.Disabled != nil && f.conf.Disabled(h.Dev):
		return refuse(syscall.EACCES, "IPv6 is disabled on nexthop device")
	case !f.up(h.Dev) && !(a.ours() && a.proto == ProtoKernel): // Linux: fc_ignore_dev_down, addrconf_f6i_alloc
		return refuse(syscall.ENETDOWN, "Nexthop device is not up")
	}
	return nil
}

// checkGateway6 looks the gateway up, unless it is link-local, and tells the
// device if none is given. Linux: ip6_validate_gw, ip6_route_check_nh,
// ip6_route_check_nh_onlink.
func (f *FIB) checkGateway6(n *netns.Net, a *alias, h *NextHop) error {
	if !h.Gw.Is6() || h.Gw.IsMulticast() || h.Gw.IsLoopback() {
		return refuse(syscall.EINVAL, "Invalid gateway address")
	}
	k, _ := keyOf(IPv6, h.Gw)
	local := Flow{}
	if h.Gw.IsLinkLocalUnicast() { // another device's does not count
		local.Oif = h.IfIndex
	}
	var res Result
	t := f.snapshot(n)
	if (local.Oif != 0 || !h.Gw.IsLinkLocalUnicast()) &&
		f.find(t.get(TableLocal), TableLocal, k, &local, &res) == 0 && res.Type == Local && res.plen == 128 {
		return refuse(syscall.EINVAL, "Gateway can not be a local address")
	}
	if h.Gw.IsLinkLocalUnicast() {
		if h.Dev == nil {
			return refuse(syscall.EINVAL, "Egress device not specified")
		}
		return nil
	}
	fl := Flow{Dst: h.Gw, Iif: 1, Oif: h.IfIndex, IgnoreLinkState: true}
	res = Result{}
	if h.Flags&HopOnlink != 0 {
		if !f.onlink6(t, a.table, k, &fl) {
			return refuse(syscall.EINVAL, "Nexthop has invalid gateway or device mismatch")
		}
		return nil
	}
	if f.find(t.get(a.table), a.table, k, &fl, &res) != 0 || res.Hop == nil || res.Hop.Gw.IsValid() {
		var err error
		if res, err = f.Lookup(n, &fl); err != nil || res.Hop == nil || res.Hop.Gw.IsValid() {
			return refuse(syscall.EHOSTUNREACH, "")
		}
	}
	if h.Dev == nil {
		h.Dev, h.IfIndex = res.Hop.Dev, res.Hop.IfIndex
	}
	return nil
}

// onlink6 reports whether a gateway may be taken for one of the flow's device: no
// route but the default one leads to it elsewhere. The longest prefix decides,
// and the device only among its routes. Linux: ip6_route_check_nh_onlink.
func (f *FIB) onlink6(t *tables, table uint32, k key, fl *Flow) bool {
	var any, own Result
	free := *fl
	free.Oif = 0
	if f.find(t.get(table), table, k, &free, &any) != 0 || any.plen == 0 {
		return true
	}
	return any.Type == Unicast && f.find(t.get(table), table, k, fl, &own) == 0 && own.plen == any.plen
}

// gathers reports whether a route may be one of several hops.
// Linux: rt6_qualify_for_ecmp.
func (a *alias) gathers() bool {
	return a.typ == Unicast && a.proto != ProtoRedirect && a.proto != ProtoRA && a.info.hop.Gw.IsValid()
}

// insert6 is insert for IPv6: a goes behind its peers or, if both go through
// gateways, its hops join those of a peer. Linux: fib6_add_rt2node.
func (f *FIB) insert6(chain []*alias, a *alias, how Flags) (out []*alias, gone, put6 *alias, err error) {
	mate := -1
	if a.gathers() && how&(Excl|Replace) == 0 {
		mate = slices.IndexFunc(chain, func(c *alias) bool { return a.peer(c) && c.gathers() })
	}
	if mate < 0 {
		if how&Replace != 0 && how&Create == 0 && !slices.ContainsFunc(chain, a.peer) {
			return nil, nil, nil, refuse(syscall.ENOENT, "Can not replace route - no match found")
		}
		out, gone, err = insert(chain, a, how|Append)
		return out, gone, a, err
	}
	old := chain[mate]
	for _, h := range a.info.hops() {
		if slices.ContainsFunc(old.info.hops(), func(o NextHop) bool { return o.IfIndex == h.IfIndex && o.Gw == h.Gw }) {
			return nil, nil, nil, refuse(syscall.EEXIST, "")
		}
	}
	if how&Create == 0 {
		return nil, nil, nil, refuse(syscall.ENOENT, "")
	}
	both := f.withHops(old, slices.Concat(old.info.hops(), a.info.hops()))
	return put(chain, mate, both, true), nil, both, nil
}

// withHops returns a copy of a that goes by hops.
func (f *FIB) withHops(a *alias, hops []NextHop) *alias {
	b := *a
	b.info = &info{infoKey: a.info.infoKey}
	b.info.hop = hops[0]
	if len(hops) > 1 {
		b.info.multi = f.rebalance(hops)
	}
	return &b
}

// selects6 returns what is left of a when what r means of it is deleted: nil for
// nothing, a itself if it is not meant. One hop of several can be meant alone.
// Linux: ip6_route_del, ip6_route_multipath_del.
func (f *FIB) selects6(r *Route, a *alias) (rest *alias) {
	all := *r
	all.NextHops = nil
	if !all.selects(a) {
		return a
	}
	hops := a.info.hops()
	left := slices.DeleteFunc(slices.Clone(hops), func(h NextHop) bool {
		return slices.ContainsFunc(r.NextHops, func(w NextHop) bool { return selectHops([]NextHop{w}, []NextHop{h}) })
	})
	switch {
	case len(r.NextHops) == 0, len(left) == 0:
		return nil
	case len(left) == len(hops):
		return a
	}
	return f.withHops(a, left)
}

// order6 sorts routes as Linux's walk of the tree dumps them: by address, but a
// prefix behind all that lie in it. Linux: fib6_walk_continue.
func order6(a, b cell) int {
	switch {
	case a.plen == b.plen && a.key == b.key:
		return 0
	case a.plen < b.plen && a.key.agree(b.key, a.plen):
		return 1
	case b.plen < a.plen && b.key.agree(a.key, b.plen):
		return -1
	case a.key.less(b.key):
		return -1
	}
	return 1
}

// walk6 is walk in the order of IPv6's dump.
func (t *trie) walk6(yield func(c cell, a *alias) bool) {
	if t == nil {
		return
	}
	var all []cell
	collect := func(c cell) bool { all = append(all, c); return true }
	if t.root != nil {
		t.root.walk(collect)
	} else {
		t.few.walk(collect)
	}
	if slices.ContainsFunc(all, cell.hasFrom) {
		dump6(all, yield)
		return
	}
	slices.SortFunc(all, order6)
	for _, c := range all {
		for a := c.chain; a != nil; a = a.next {
			if !yield(c, a) {
				return
			}
		}
	}
}
