package fib

import (
	"net/netip"
	"slices"

	"nsmodel/core"
)

// An alias is a route as tables hold it. Those of one prefix form a chain in
// the order in which a lookup tries them: by table (local before main, while
// they are one trie), by TOS downwards, by metric upwards, by age. Once
// published it is never written again.
// Linux: struct fib_alias, include/net/ip_fib.h.
//
// An alias does not know its prefix, so that routes that differ in nothing else
// share one: a million routes over a few gateways are a few aliases.
type alias struct {
	next   *alias
	info   *info
	table  uint32
	metric uint32
	typ    Type
	scope  Scope
	proto  uint8
	tos    uint8
	pref   uint8
	family Family
}

// An info is what many routes of a Net have in common.
// Linux: struct fib_info; ours leaves to the alias what differs cheaply.
type info struct {
	infoKey
	multi *multi // if there are several next hops: all of them; hop is then the first
}

// An infoKey is an info with one next hop, to be found again.
type infoKey struct {
	src         netip.Addr
	hop         NextHop // the zero NextHop: the type has none
	mtu, advmss uint32
	metrics     Metrics
	from        *netip.Prefix // for what sources it is, IPv6's alone; nil for all
}

// A multi is a choice of next hops. bounds[i] is the largest hash that chooses
// hops[i], or -1. Linux: nh_upper_bound.
type multi struct {
	hops   []NextHop
	bounds []int32
}

// hops returns the next hops, none for a type without.
func (i *info) hops() []NextHop {
	if i.multi != nil {
		return i.multi.hops
	}
	if i.hop == (NextHop{}) {
		return nil
	}
	return []NextHop{i.hop}
}

// settled is a hop without what changes by itself. Linux: RTNH_COMPARE_MASK.
func (h NextHop) settled() NextHop {
	h.Flags &^= HopDead | HopLinkDown
	return h
}

// same reports whether two infos say the same, whatever the state of devices.
// Linux: fib_find_info, nh_comp.
func (i *info) same(o *info) bool {
	return i.src == o.src && i.mtu == o.mtu && i.advmss == o.advmss && i.metrics == o.metrics &&
		slices.EqualFunc(i.hops(), o.hops(), func(a, b NextHop) bool { return a.settled() == b.settled() })
}

// duplicates reports whether a and b are the same route but for their age.
func (a *alias) duplicates(b *alias) bool {
	return a.typ == b.typ && a.scope == b.scope && a.proto == b.proto && a.metric == b.metric && a.info.same(b.info)
}

// route returns an alias and its prefix as a Route that the caller may keep.
func (c cell) route(a *alias) Route {
	return Route{
		Dst: netip.PrefixFrom(c.key.addr(a.family), int(c.plen)), Src: a.info.src, NextHops: slices.Clone(a.info.hops()),
		Table: a.table, Metric: a.metric, MTU: a.info.mtu, AdvMSS: a.info.advmss, Metrics: a.info.metrics,
		Type: a.typ, Scope: a.scope, Proto: a.proto, TOS: a.service(), Pref: a.pref, From: a.info.sources(),
	}
}

// rebalance returns a multi for hops, whose hash space is shared out by weight
// among the living. Linux: fib_rebalance.
func (f *FIB) rebalance(hops []NextHop) *multi {
	m := &multi{hops: hops, bounds: make([]int32, len(hops))}
	var total, sum uint64
	for i := range hops {
		if f.usable(&hops[i]) {
			total += uint64(hops[i].Weight)
		}
	}
	for i := range hops {
		m.bounds[i] = -1
		if f.usable(&hops[i]) {
			sum += uint64(hops[i].Weight)
			m.bounds[i] = int32((sum<<31+total/2)/total - 1)
		}
	}
	return m
}

// usable reports whether a hop may be chosen at all.
func (f *FIB) usable(h *NextHop) bool {
	return h.Flags&HopDead == 0 && (h.Flags&HopLinkDown == 0 || !f.ignores(h.Dev))
}

func (f *FIB) ignores(d *core.Device) bool {
	return f.conf.IgnoreLinkDown != nil && f.conf.IgnoreLinkDown(d)
}

// before reports whether a new alias a goes before c in a chain, were age not
// asked. Linux: fib_find_alias.
func (a *alias) before(c *alias) bool {
	if a.table != c.table {
		return a.table > c.table
	}
	if a.tos != c.tos {
		return a.tos > c.tos
	}
	if a.info.from != nil && a.info.sources() != c.info.sources() {
		return a.info.beforeFrom(c.info)
	}
	return a.metric < c.metric
}

// prefRank is how a preference of RFC 4191, two bits with a sign, compares. Linux:
// IPV6_DECODE_PREF.
func prefRank(pref uint8) int8 { return int8(pref<<6) >> 6 }

// peer reports whether c has a's table, TOS, sources and metric.
func (a *alias) peer(c *alias) bool {
	return a.table == c.table && a.tos == c.tos && a.metric == c.metric && a.info.sources() == c.info.sources()
}

// list returns the aliases from a on as a slice.
func (a *alias) list() (s []*alias) {
	for ; a != nil; a = a.next {
		s = append(s, a)
	}
	return s
}

// link makes a chain of s, copying each alias whose successor is not the one
// it has, and returns its head; nil for none.
func link(s []*alias) *alias {
	var head *alias
	for _, a := range slices.Backward(s) {
		if a.next != head {
			c := *a
			c.next = head
			a = &c
		}
		head = a
	}
	return head
}
