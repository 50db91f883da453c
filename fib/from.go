package fib

import (
	"net/netip"
	"slices"
	"syscall"
)

// Routes of IPv6 that hold for some sources alone ("from"). They stand in the
// chain of their destination before those for all sources, the longest source
// first, and carry its length where a route of IPv4 has its TOS, which no route
// of IPv6 has. So only who meets one pays for it. Linux: CONFIG_IPV6_SUBTREES,
// where a node of the tree has a tree of sources below it.

// setFrom makes a a route for r's sources.
func (a *alias) setFrom(r *Route) error {
	if a.tos = 0; !r.From.IsValid() || r.From.Bits() == 0 {
		return nil
	}
	if !r.From.Addr().Is6() || r.From.Masked() != r.From {
		return refuse(syscall.EINVAL, "Invalid source address length")
	}
	from := r.From
	a.tos, a.info.from = uint8(from.Bits()), &from
	return nil
}

// sources returns for what sources a route is, the zero Prefix for all.
func (i *info) sources() netip.Prefix {
	if i.from == nil {
		return netip.Prefix{}
	}
	return *i.from
}

// sources is the same of a route that a caller gives.
func (r *Route) sources() netip.Prefix {
	if r.From.IsValid() && r.From.Bits() == 0 {
		return netip.Prefix{}
	}
	return r.From
}

// class returns what a table keeps as the TOS of a route like r: the length of
// its source, if it has one.
func (r *Route) class() uint8 {
	if p := r.sources(); p.IsValid() {
		return uint8(p.Bits())
	}
	return r.TOS
}

// service returns the TOS for which a route is.
func (a *alias) service() uint8 {
	if a.family == IPv6 {
		return 0
	}
	return a.tos
}

// beforeFrom orders routes of sources of one length, as before does.
func (i *info) beforeFrom(o *info) bool { return i.sources().Addr().Less(o.sources().Addr()) }

// From returns for what sources the route is, the zero Prefix for all.
func (r Result) From() netip.Prefix { return r.alias.info.sources() }

// findFrom is find where a destination has routes for some sources.
//
// Linux first chooses the longest destination that has either no such routes or
// one for this source: what else that has for all sources is passed over, unless
// it is the default route. Should no hop of the chosen do, it goes on with the
// next one, by then with all of each. Linux: fib6_node_lookup, fib6_backtrack.
func (f *FIB) findFrom(tr *trie, id uint32, k key, fl *Flow, res *Result) syscall.Errno {
	chosen := false
	for a, plen := tr.lookup(k); a != nil; a, plen = tr.below(k, plen-1) {
		c := a.fits(fl.Src)
		chosen = chosen || plen == 0 || a.tos == 0 || c != nil && c.tos != 0
		for ; chosen && c != nil; c = c.next.fits(fl.Src) {
			if e := typeErrno[c.typ]; e != 0 {
				return e
			}
			hop := f.choose(c.info, fl)
			if fl.Past != nil && hop != nil && hop.Gw.IsValid() {
				hop = f.choosePast(c.info, fl)
			}
			if hop != nil {
				res.Hop, res.Type, res.Scope, res.Table = hop, c.typ, c.scope, id
				res.plen, res.dst, res.alias = plen, k, c
				return 0
			}
		}
		if plen == 0 {
			break
		}
	}
	return syscall.EAGAIN
}

// findPast is find for a flow that passes some next hops over: a table in which no
// other will do is asked as if it did not. Linux: the second round of
// fib6_table_lookup.
func (f *FIB) findPast(tr *trie, id uint32, k key, fl *Flow, res *Result) syscall.Errno {
	if e := f.findFrom(tr, id, k, fl, res); e != syscall.EAGAIN {
		return e
	}
	all := *fl
	all.Past = nil
	return f.find(tr, id, k, &all, res)
}

// choosePast is choose among the next hops that the flow does not pass over.
// Linux: find_match.
func (f *FIB) choosePast(i *info, fl *Flow) *NextHop {
	if i.multi == nil {
		if h := &i.hop; !fl.Past(h) {
			return h
		}
		return nil
	}
	for j := range i.multi.hops {
		if h := &i.multi.hops[j]; f.good(h, fl) && !fl.Past(h) {
			return h
		}
	}
	return nil
}

// fits returns the first from a on that holds for a source; nil for none. A
// source not yet chosen is none.
func (a *alias) fits(src netip.Addr) *alias {
	for ; a != nil; a = a.next {
		if a.tos == 0 || src.IsValid() && a.info.from.Contains(src) {
			return a
		}
	}
	return nil
}

// dump6 yields the routes of cells, which are in the order of IPv6's dump: those
// for some sources before all that lie in their destination, sorted among each
// other as destinations are. Linux: the state FWS_S of fib6_walk_continue.
func dump6(cells []cell, yield func(c cell, a *alias) bool) {
	var open []cell // prefixes around the present one whose own routes are still to come
	finish := func(c *cell) bool {
		for len(open) > 0 {
			last := open[len(open)-1]
			if c != nil && c.plen >= last.plen && c.key.agree(last.key, last.plen) {
				break
			}
			open = open[:len(open)-1]
			for a := last.chain; a != nil; a = a.next {
				if a.tos == 0 && !yield(last, a) {
					return false
				}
			}
		}
		return true
	}
	slices.SortFunc(cells, func(a, b cell) int { // a prefix before what lies in it
		switch {
		case a.key == b.key:
			return int(a.plen) - int(b.plen)
		case a.key.less(b.key):
			return -1
		}
		return 1
	})
	for _, c := range cells {
		if !finish(&c) {
			return
		}
		for _, a := range c.fromList() {
			if !yield(c, a) {
				return
			}
		}
		open = append(open, c)
	}
	finish(nil)
}

// fromList returns the routes of c for some sources as they are dumped.
func (c cell) fromList() (list []*alias) {
	for a := c.chain; a != nil && a.tos != 0; a = a.next {
		list = append(list, a)
	}
	at := func(a *alias) cell {
		k, _ := keyOf(IPv6, a.info.from.Addr())
		return cell{key: k, plen: a.tos}
	}
	slices.SortStableFunc(list, func(a, b *alias) int { return order6(at(a), at(b)) })
	return list
}

// hasFrom reports whether a cell has routes for some sources.
func (c cell) hasFrom() bool { return c.chain.tos != 0 }
