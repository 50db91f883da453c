package netns

import "sync/atomic"

// A Cell keeps one T for each Net that has asked for its own, and one shared
// default for the rest: settings, counters, a queue. Tagged, it is a [Table] with
// one key, so there is one place where tags are compared; Replicated, it is a
// [Slot], where there is nothing to look for.
//
// Linux: a field of struct net, such as net->ipv4.sysctl_ip_default_ttl.
type Cell[T any] struct {
	table *Table[struct{}, *T] // Tagged
	slot  Slot[cellHome[T]]    // Replicated
	init  func(*Net) *T
	none  *T
}

// cellHome holds a Net's T, or the default before and after.
type cellHome[T any] struct{ val atomic.Pointer[T] }

// NewCell registers a cell under a name unique in s, before Boot. init builds a
// Net's T; it is called once with nil, at once, for the default that Nets without
// their own share and nobody writes to.
func NewCell[T any](s *System, name string, place Placement, init func(*Net) *T) *Cell[T] {
	c := &Cell[T]{init: init, none: init(nil)}
	if place == Tagged {
		c.table = NewTable[struct{}, *T](s, name, place, func(struct{}) uint64 { return 0 })
		return c
	}
	c.slot = register(s, Ops[cellHome[T]]{
		Name:  name,
		Place: place,
		Make:  func() *cellHome[T] { return c.home(c.none) },
		Exit: func(n *Net, h *cellHome[T]) {
			if h != c.slot.empty {
				h.val.Store(c.none)
			}
		},
	}, true)
	return c
}

func (c *Cell[T]) home(v *T) *cellHome[T] {
	h := new(cellHome[T])
	h.val.Store(v)
	return h
}

// Of returns n's T, or the shared default if n has none. It takes no lock.
func (c *Cell[T]) Of(n *Net) *T {
	if c.table == nil {
		return c.slot.Of(n).val.Load()
	}
	h := c.table.slot.Of(n)
	for e := chain(*h.chains.Load(), 0, n.salt).Load(); e != nil; e = e.next.Load() {
		if e.is(n, 0, &struct{}{}) {
			return e.val
		}
	}
	return c.none
}

// Own returns n's T, which it builds on first use. On a Net that has exited it is
// one that nobody else will see. If two callers race, init runs twice and one
// result is kept.
func (c *Cell[T]) Own(n *Net) *T {
	if v := c.Of(n); v != c.none {
		return v
	}
	v := c.init(n)
	if c.table == nil {
		return c.place(n, v)
	}
	if c.table.Add(n, struct{}{}, v) == nil {
		return v
	}
	if kept, ok := c.table.Get(n, struct{}{}); ok {
		return kept
	}
	return v // ESRCH
}

// place publishes v as n's, unless n has one by now, and returns what n has.
func (c *Cell[T]) place(n *Net, v *T) *T {
	n.mu.Lock()
	defer n.mu.Unlock()
	if kept := c.Of(n); kept != c.none {
		return kept
	}
	c.slot.publish(n, c.home(v))
	return v
}
