package fib

import (
	"slices"
	"syscall"

	"nsmodel/netns"
)

// Add adds a route to n's tables as how says; under rtnl. r.Table 0 means main.
// Device and scope of a gateway are filled in from the routes that lead to it.
//
// Errors, all of type *Error: EEXIST there is one already (with Excl: of this
// prefix, TOS and metric; without: the same in all); ENOENT there is none and
// how lacks Create; EINVAL, ENODEV, ENETDOWN, ENETUNREACH the route is not
// possible, with Linux's reason. Linux: fib_table_insert.
func (f *FIB) Add(n *netns.Net, r Route, how Flags) error {
	f.makeTable(n, r.Table)
	c, a, err := f.build(n, &r)
	if err != nil {
		return err
	}
	t := f.snapshot(n)
	tr := t.get(a.table)
	var list []*alias
	var gone *alias
	if f.conf.Family == IPv6 {
		list, gone, a, err = f.insert6(tr.get(c.key, c.plen).list(), a, how)
	} else {
		list, gone, err = insert(tr.get(c.key, c.plen).list(), a, how)
	}
	if err != nil || gone == a {
		return err
	}
	h := f.homes.Own(n)
	if h.share(tr, a); len(list) == 1 {
		list[0] = h.shareAlias(tr, a)
	}
	c.chain = link(list)
	h.tables.Store(t.with(a.table, tr.set(c)))
	op := Added
	if gone != nil {
		op = Replaced
	}
	f.tell(n, op, c, a)
	return nil
}

// makeTable makes the table that a route is meant for, which stays even if the
// route is refused then. Linux: fib_new_table, inet_rtm_newroute.
func (f *FIB) makeTable(n *netns.Net, id uint32) {
	if id == 0 {
		id = TableMain
	}
	if t := f.snapshot(n); t.get(id) == nil || id == TableLocal && !t.known {
		tr := t.get(id)
		if tr == nil {
			tr = new(trie)
		}
		f.homes.Own(n).tables.Store(t.with(id, tr))
	}
}

// insert puts a into a chain as how says. gone is the alias that a took the
// place of; a itself if it is there already and may be.
func insert(chain []*alias, a *alias, how Flags) (out []*alias, gone *alias, err error) {
	i := slices.IndexFunc(chain, func(c *alias) bool { return a.peer(c) || a.before(c) })
	if i < 0 {
		i = len(chain)
	}
	end := i // the end of a's peers
	for end < len(chain) && a.peer(chain[end]) {
		end++
	}
	at := i
	if i < end {
		if how&Excl != 0 {
			return nil, nil, refuse(syscall.EEXIST, "")
		}
		match := slices.IndexFunc(chain[i:end], a.duplicates)
		switch {
		case how&Replace != 0 && match == 0:
			return nil, a, nil
		case match >= 0:
			return nil, nil, refuse(syscall.EEXIST, "")
		case how&Replace != 0:
			return put(chain, i, a, true), chain[i], nil
		case how&Append != 0:
			for at < end && prefRank(chain[at].pref) >= prefRank(a.pref) {
				at++
			}
		}
	}
	if how&Create == 0 {
		return nil, nil, refuse(syscall.ENOENT, "")
	}
	return put(chain, at, a, false), nil, nil
}

// Delete takes away the first route with r's prefix, table (0: main) and TOS
// that also has what else r gives: Type unless Unspec, Scope unless Nowhere,
// Metric, Proto, MTU, AdvMSS and Metrics unless 0, Src if valid, and in each of NextHops
// the interface index and gateway if given. One next hop is compared with the
// route's first, several with all. Under rtnl.
//
// Errors, of type *Error: ESRCH no such route or table, EINVAL host bits in the
// prefix. Linux: fib_table_delete.
func (f *FIB) Delete(n *netns.Net, r Route) error {
	k, err := f.keyOfPrefix(r.Dst)
	if err != nil {
		return err
	}
	if r.Table == 0 {
		r.Table = TableMain
	}
	t := f.snapshot(n)
	tr := t.get(r.Table)
	if tr == nil {
		return refuse(syscall.ESRCH, "FIB table does not exist")
	}
	plen := uint8(r.Dst.Bits())
	list := tr.get(k, plen).list()
	selects := r.selects
	var rest *alias // of a route that loses a hop alone
	if f.conf.Family == IPv6 {
		selects = func(a *alias) bool { rest = f.selects6(&r, a); return rest != a }
	}
	i := slices.IndexFunc(list, selects)
	if i < 0 {
		return refuse(syscall.ESRCH, "")
	}
	left := cut(list, i)
	if rest != nil {
		left = put(list, i, rest, true)
	}
	c := cell{k, link(left), plen}
	if c.chain != nil {
		tr = tr.set(c)
	} else {
		tr = tr.drop(k, plen)
	}
	f.homes.Own(n).tables.Store(t.with(r.Table, tr))
	f.tell(n, Deleted, c, list[i])
	return nil
}

// selects reports whether a is what a Delete with r means.
// Linux: fib_table_delete, fib_nh_match, fib_metrics_match.
func (r *Route) selects(a *alias) bool {
	i := a.info
	return a.table == r.Table && a.tos == r.class() && i.sources() == r.sources() &&
		(r.Type == Unspec || a.typ == r.Type) &&
		(r.Scope == Nowhere || a.scope == r.Scope) &&
		(r.Proto == 0 || a.proto == r.Proto) &&
		(r.Metric == 0 || a.metric == r.Metric) &&
		(!r.Src.IsValid() || i.src == r.Src) &&
		(r.MTU == 0 || i.mtu == r.MTU) && (r.AdvMSS == 0 || i.advmss == r.AdvMSS) && r.Metrics.selects(i.metrics) &&
		selectHops(r.NextHops, i.hops())
}

func selectHops(want, have []NextHop) bool {
	if len(want) == 0 {
		return true
	}
	if len(want) == 1 && len(have) > 0 {
		have = have[:1]
	}
	return slices.EqualFunc(want, have, func(w, h NextHop) bool {
		return (w.IfIndex == 0 || w.IfIndex == h.IfIndex) && (!w.Gw.IsValid() || w.Gw.IsUnspecified() || w.Gw == h.Gw)
	})
}

// tell passes on what happened to route a of c's prefix.
func (f *FIB) tell(n *netns.Net, op Op, c cell, a *alias) {
	if f.OnChange != nil {
		f.OnChange(n, op, c.route(a))
	}
}

// share lets a, not yet published, use the info of a route that says the same.
// In a small table it asks the neighbours, in a large one a map; tr is the
// table's trie before a.
func (h *home) share(tr *trie, a *alias) {
	if a.info.multi != nil || tr == nil {
		return
	}
	if tr.root != nil {
		a.info = share(&h.infos, tr, a.info.infoKey, a.info)
		return
	}
	for _, c := range tr.few {
		if c.chain.info.multi == nil && c.chain.info.infoKey == a.info.infoKey {
			a.info = c.chain.info
			return
		}
	}
}

// shareAlias returns an alias like a, the only one of its prefix, that other
// prefixes may share.
func (h *home) shareAlias(tr *trie, a *alias) *alias {
	if tr == nil || tr.root == nil {
		return a
	}
	return share(&h.aliases, tr, *a, a)
}

// share returns what m has under k, or v, which it then has. The map only saves
// memory, so it may forget: it does when it has grown to a part of the table, lest
// it hold on to much that is no longer used.
func share[K comparable, V any](m *map[K]*V, tr *trie, k K, v *V) *V {
	if old := (*m)[k]; old != nil {
		return old
	}
	if *m == nil || len(*m) > 64+tr.size()/8 {
		*m = make(map[K]*V)
	}
	(*m)[k] = v
	return v
}
