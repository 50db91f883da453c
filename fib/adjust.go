package fib

import (
	"slices"

	"nsmodel/netns"
)

// An Adjustment is what changes of a route while it stands.
type Adjustment struct {
	MTU, HopLimit uint32 // RTAX_MTU and RTAX_HOPLIMIT; 0: as it was
	Pref          uint8  // as in Route
	SetPref       bool
}

// Find returns the first route that a Delete with r would take away.
func (f *FIB) Find(n *netns.Net, r Route) (Route, bool) {
	c, i, list := f.locate(n, &r)
	if i < 0 {
		return Route{}, false
	}
	return c.route(list[i]), true
}

// Adjust changes the first route that a Delete with r would take away, of one
// next hop, and reports whether there is one. Nobody is told, as in Linux. Under
// whatever Add is under. Linux: fib6_metric_set, and what ndisc_router_discovery
// writes into fib6_flags.
func (f *FIB) Adjust(n *netns.Net, r Route, to Adjustment) bool {
	c, i, list := f.locate(n, &r)
	if i < 0 || list[i].info.multi != nil {
		return false
	}
	a := *list[i]
	own := info{infoKey: a.info.infoKey}
	if to.MTU != 0 {
		own.mtu = to.MTU
	}
	if to.HopLimit != 0 {
		own.metrics.HopLimit = to.HopLimit
	}
	a.info = &own
	var next []*alias
	if to.SetPref && to.Pref != a.pref { // it has another place
		a.pref = to.Pref
		next, _, _ = insert(cut(list, i), &a, Create|Append) // what was there may be there again
	} else {
		next = put(list, i, &a, true)
	}
	if next == nil {
		return false
	}
	t := f.snapshot(n)
	f.homes.Own(n).tables.Store(t.with(a.table, t.get(a.table).set(cell{c.key, link(next), c.plen})))
	return true
}

// locate returns the chain of r's prefix and the place of the first route in it
// that r selects, or -1.
func (f *FIB) locate(n *netns.Net, r *Route) (cell, int, []*alias) {
	k, err := f.keyOfPrefix(r.Dst)
	if r.Table == 0 {
		r.Table = TableMain
	}
	tr := f.snapshot(n).get(r.Table)
	if err != nil || tr == nil {
		return cell{}, -1, nil
	}
	c := cell{key: k, plen: uint8(r.Dst.Bits())}
	c.chain = tr.get(k, c.plen)
	list := c.chain.list()
	return c, slices.IndexFunc(list, r.selects), list
}
