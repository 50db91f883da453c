package fib

import (
	"net/netip"
	"slices"

	"nsmodel/core"
	"nsmodel/netns"
)

// DeviceDown is told that d went down: its hops die, and routes that have no
// other go. Routes of scope host, which are local addresses, stay. It returns
// how many routes went. Under rtnl, as are all of these; none of the routes
// that go is announced in Linux, so OnChange hears Flushed.
// Linux: fib_disable_ip for NETDEV_DOWN.
func (f *FIB) DeviceDown(n *netns.Net, d *core.Device) int {
	return f.edit(n, d, f.onHops(d, false, func(h *NextHop) { h.Flags |= HopDead | HopLinkDown }))
}

// DeviceDisabled is told that d, up or down, has lost its last address: as
// DeviceDown, but local addresses go as well.
// Linux: fib_disable_ip by force for NETDEV_DOWN, in fib_inetaddr_event.
func (f *FIB) DeviceDisabled(n *netns.Net, d *core.Device) int {
	return f.edit(n, d, f.onHops(d, true, func(h *NextHop) { h.Flags |= HopDead | HopLinkDown }))
}

// DeviceGone is told that d leaves n: every route with a hop over d goes, local
// addresses and routes with other hops included.
// Linux: fib_disable_ip for NETDEV_UNREGISTER.
func (f *FIB) DeviceGone(n *netns.Net, d *core.Device) int {
	return f.edit(n, d, func(i *info) *info {
		if slices.ContainsFunc(i.hops(), func(h NextHop) bool { return h.Dev == d }) {
			return nil
		}
		return i
	})
}

// DeviceUp is told that d came up, with or without carrier: hops over d in
// routes that survived live again. It returns 0. Linux: fib_sync_up.
func (f *FIB) DeviceUp(n *netns.Net, d *core.Device) int {
	clear := HopDead
	if f.conf.Carrier == nil || f.conf.Carrier(d) {
		clear |= HopLinkDown
	}
	return f.edit(n, d, f.onHops(d, false, func(h *NextHop) { h.Flags &^= clear }))
}

// DeviceCarrier is told that d, which is up, gained or lost its carrier. Routes
// stay, marked but for those to our own addresses. Linux: NETDEV_CHANGE in
// fib_netdev_event and fib6_ifdown.
func (f *FIB) DeviceCarrier(n *netns.Net, d *core.Device, on bool) {
	change := once(f.onHops(d, false, func(h *NextHop) {
		if h.Flags &^= HopLinkDown; !on {
			h.Flags |= HopLinkDown
		}
	}))
	f.editAliases(n, via(d), func(a *alias) *info {
		if a.family == IPv6 && !on && a.ours() {
			return a.info
		}
		return change(a.info)
	})
}

// ours reports whether a leads to addresses of this Net's.
func (a *alias) ours() bool { return a.typ == Local || a.typ == Anycast }

// AddrGone is told that src is no longer an address of n: routes of the table
// main that prefer it as their source go. It returns how many.
// Linux: fib_sync_down_addr.
func (f *FIB) AddrGone(n *netns.Net, src netip.Addr) int {
	return f.editAliases(n, preferring(src), func(a *alias) *info {
		if a.info.src == src && a.table == TableMain {
			return nil
		}
		return a.info
	})
}

// FlushNet takes all of n's routes and rules away without a word, at the cost of
// dropping pointers. Linux: ip_fib_net_exit.
func (f *FIB) FlushNet(n *netns.Net) {
	if f.homes.Of(n).tables.Load() != nil {
		h := f.homes.Own(n)
		h.tables.Store(nil)
		h.infos, h.aliases = nil, nil
	}
	if f.rules.Of(n).set.Load() != nil {
		f.rules.Own(n).set.Store(nil)
	}
}

// onHops returns a change to infos: change is applied to each hop over d but,
// unless all says so, those of local addresses. An info all of whose hops are dead goes.
// Linux: fib_sync_down_dev, fib_rebalance.
func (f *FIB) onHops(d *core.Device, all bool, change func(*NextHop)) func(*info) *info {
	return func(i *info) *info {
		hops := i.hops()
		if !slices.ContainsFunc(hops, func(h NextHop) bool { return h.Dev == d && (all || h.Scope != Nowhere) }) {
			return i
		}
		hops, dead := slices.Clone(hops), 0
		for j := range hops {
			if h := &hops[j]; h.Dev == d && (all || h.Scope != Nowhere) {
				change(h)
			}
			if hops[j].Flags&HopDead != 0 {
				dead++
			}
		}
		switch {
		case dead == len(hops):
			return nil
		case slices.Equal(hops, i.hops()):
			return i
		}
		m := &info{infoKey: i.infoKey}
		m.hop = hops[0]
		if i.multi != nil {
			m.multi = f.rebalance(hops)
		}
		return m
	}
}

// edit applies change to each info of n's routes over d: nil takes its routes away.
func (f *FIB) edit(n *netns.Net, d *core.Device, change func(*info) *info) int {
	change = once(change)
	return f.editAliases(n, via(d), func(a *alias) *info { return change(a.info) })
}

// once is change with a memory, for many routes share an info.
func once(change func(*info) *info) func(*info) *info {
	done := make(map[*info]*info)
	return func(old *info) *info {
		i, ok := done[old]
		if !ok {
			i = change(old)
			done[old] = i
		}
		return i
	}
}

// editAliases gives each of n's routes that want means the info that change returns,
// or takes it away, in all tables with one swap; it returns how many went. Others
// change may leave alone only.
func (f *FIB) editAliases(n *netns.Net, want hint, change func(*alias) *info) int {
	t := f.homes.Of(n).tables.Load()
	if t == nil {
		return 0
	}
	type gone struct {
		c cell
		a *alias
	}
	var all []gone
	done := make(map[*alias]*alias) // many prefixes share one chain
	next := t.each(func(tr *trie) *trie {
		return tr.edit(want, func(c cell) *alias {
			chain, ok := done[c.chain]
			if !ok {
				chain = editChain(c.chain, change)
				done[c.chain] = chain
			}
			if chain != c.chain {
				for a := c.chain; a != nil; a = a.next {
					if change(a) == nil {
						all = append(all, gone{c, a})
					}
				}
			}
			return chain
		})
	})
	f.homes.Own(n).tables.Store(next)
	for _, g := range all {
		f.tell(n, Flushed, g.c, g.a)
	}
	return len(all)
}

// editChain is editAliases for one chain.
func editChain(head *alias, change func(*alias) *info) *alias {
	list := head.list()
	rest := list[:0]
	for _, a := range list {
		i := change(a)
		if i == nil {
			continue
		}
		if i != a.info {
			b := *a
			b.info = i
			a = &b
		}
		rest = append(rest, a)
	}
	return link(rest)
}
