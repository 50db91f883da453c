package netns

// A Cell keeps one T for each Net that has asked for its own, and one shared
// default for the rest: settings, counters, a queue. It is a [Table] with one key,
// so there is one place where tags are compared.
//
// Linux: a field of struct net, such as net->ipv4.sysctl_ip_default_ttl.
type Cell[T any] struct {
	table *Table[struct{}, *T]
	init  func(*Net) *T
	none  *T
}

// NewCell registers a cell under a name unique in s, before Boot. init builds a
// Net's T; it is called once with nil, at once, for the default that Nets without
// their own share and nobody writes to.
func NewCell[T any](s *System, name string, place Placement, init func(*Net) *T) *Cell[T] {
	return &Cell[T]{
		table: NewTable[struct{}, *T](s, name, place, func(struct{}) uint64 { return 0 }),
		init:  init,
		none:  init(nil),
	}
}

// Of returns n's T, or the shared default if n has none. It takes no lock.
func (c *Cell[T]) Of(n *Net) *T {
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
	if c.table.Add(n, struct{}{}, v) == nil {
		return v
	}
	if kept, ok := c.table.Get(n, struct{}{}); ok {
		return kept
	}
	return v // ESRCH
}
