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
	a, err := f.build(n, &r)
	if err != nil {
		return err
	}
	t := f.snapshot(n)
	tr := t.get(a.table)
	chain := tr.get(a.key, a.plen).chain()
	chain, gone, err := insert(chain, a, how)
	if err != nil || gone == a {
		return err
	}
	h := f.homes.Own(n)
	h.share(tr, a)
	if gone != nil {
		h.release(gone)
	}
	h.tables.Store(t.with(a.table, tr.set(link(chain))))
	op := Added
	if gone != nil {
		op = Replaced
	}
	f.tell(n, op, a)
	return nil
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
			at = end
		}
	}
	if how&Create == 0 {
		return nil, nil, refuse(syscall.ENOENT, "")
	}
	return put(chain, at, a, false), nil, nil
}

// Delete takes away the first route with r's prefix, table (0: main) and TOS
// that also has what else r gives: Type unless Unspec, Scope unless Nowhere,
// Metric, Proto, MTU and AdvMSS unless 0, Src if valid, and in each of NextHops
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
	chain := tr.get(k, plen).chain()
	i := slices.IndexFunc(chain, r.selects)
	if i < 0 {
		return refuse(syscall.ESRCH, "")
	}
	a, h := chain[i], f.homes.Own(n)
	if rest := link(cut(chain, i)); rest != nil {
		tr = tr.set(rest)
	} else {
		tr = tr.drop(k, plen)
	}
	h.release(a)
	h.tables.Store(t.with(r.Table, tr))
	f.tell(n, Deleted, a)
	return nil
}

// selects reports whether a is what a Delete with r means.
// Linux: fib_table_delete, fib_nh_match, fib_metrics_match.
func (r *Route) selects(a *alias) bool {
	i := a.info
	return a.table == r.Table && a.tos == r.TOS &&
		(r.Type == Unspec || a.typ == r.Type) &&
		(r.Scope == Nowhere || a.scope == r.Scope) &&
		(r.Proto == 0 || a.proto == r.Proto) &&
		(r.Metric == 0 || a.metric == r.Metric) &&
		(!r.Src.IsValid() || i.src == r.Src) &&
		(r.MTU == 0 || i.mtu == r.MTU) && (r.AdvMSS == 0 || i.advmss == r.AdvMSS) &&
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
		return (w.IfIndex == 0 || w.IfIndex == h.IfIndex) && (!w.Gw.IsValid() || w.Gw == h.Gw)
	})
}

// tell passes a change on.
func (f *FIB) tell(n *netns.Net, op Op, a *alias) {
	if f.OnChange != nil {
		f.OnChange(n, op, a.route())
	}
}

// share lets a, not yet published, use the info of a route that says the same.
// In a small table it asks the neighbours, in a large one a map; tr is the
// table's trie before a.
func (h *home) share(tr *trie, a *alias) {
	if a.info.multi != nil || tr == nil {
		return
	}
	if tr.root == nil {
		for _, c := range tr.few {
			if c.info.multi == nil && c.info.infoKey == a.info.infoKey {
				a.info = c.info
				h.hold(a)
				return
			}
		}
		return
	}
	if i := h.infos[a.info.infoKey]; i != nil {
		a.info = i
	} else {
		if h.infos == nil {
			h.infos = make(map[infoKey]*info)
		}
		h.infos[a.info.infoKey] = a.info
		a.info.users = 0
	}
	a.info.users++
}

// hold counts a as a user of its info, if that is in the map.
func (h *home) hold(a *alias) {
	if a.info.users > 0 {
		a.info.users++
	}
}

// release is told that a is no longer in a table.
func (h *home) release(a *alias) {
	if a.info.users == 0 {
		return
	}
	if a.info.users--; a.info.users == 0 {
		delete(h.infos, a.info.infoKey)
	}
}
