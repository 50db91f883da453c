package netns

import (
	"sync"
	"sync/atomic"
)

// An ID is the tag that every object of a Net carries under [Tagged]. IDs are
// never reused within a System, and never appear in a result that a user or
// another Net could see: they would tell who else exists.
//
// Linux: the address of struct net, as possible_net_t holds it; see net_eq.
type ID uint64

// A Net is one network namespace.
//
// Linux: struct net, include/net/net_namespace.h.
type Net struct {
	// fixed
	id   ID
	salt uint64 // spreads the Nets' entries over a shared table's buckets
	sys  *System
	name string
	init bool

	// shelves hold the home of every Slot. They start as the System's own
	// template; the first Own replaces one by a copy (publish, never patch).
	shelves [numShelves]atomic.Pointer[shelf]

	// accounts is what the Tagged tables keep per Net; nil until the first entry.
	accounts atomic.Pointer[account]

	alive  atomic.Int64 // 0: dying, cannot be found
	memory atomic.Int64 // 0: homes and accounts are gone
	named  atomic.Bool  // the name leads here
	exited atomic.Bool  // exit has begun: tables refuse new entries

	mu    sync.Mutex // orders the writers of shelves and accounts
	fresh bool       // not published yet: shelves may be patched

	stream stream

	prev, next *Net // under sys.dir.mu: among the living, then among the dying

	timers  *Timer // under sys.timers.mu
	stopped bool   // under sys.timers.mu: no timer starts any more
}

// ID returns n's tag.
func (n *Net) ID() ID { return n.id }

// Name returns the name n was made with, "" if it was made anonymous. It stays
// the same after [System.Delete]; see [Net.Named].
func (n *Net) Name() string { return n.name }

// Named reports whether n's name still leads to n: it has one, and nobody has
// deleted it. A Net that is held can outlive its name.
func (n *Net) Named() bool { return n.named.Load() }

// System returns the machine that n belongs to.
func (n *Net) System() *System { return n.sys }

// IsInit reports whether n is the initial Net, which has every right and never
// dies. Linux: net_eq(net, &init_net).
func (n *Net) IsInit() bool { return n.init }

// Alive reports whether n can still be found and held. Linux: check_net.
func (n *Net) Alive() bool { return n.alive.Load() > 0 }

// Hold takes an alive reference, which keeps n from dying, and reports whether
// it did: false if n is dying already. Linux: maybe_get_net.
func (n *Net) Hold() bool {
	for {
		c := n.alive.Load()
		if c <= 0 {
			return false
		}
		if n.alive.CompareAndSwap(c, c+1) {
			return true
		}
	}
}

// Put gives an alive reference back. With the last one n is dying, and the next
// [System.Reap] takes it down. Put takes no lock that a caller may hold, and may
// be called anywhere. A Put without its Hold panics. Linux: put_net.
func (n *Net) Put() {
	switch c := n.alive.Add(-1); {
	case c == 0:
		n.sys.dir.bury(n)
	case c < 0:
		panic("netns: Put without a reference")
	}
}

// HoldMemory takes a passive reference: n may die, but what is left of it can
// still be looked at and its tables read, empty. The caller has a reference of
// either kind already; without one HoldMemory panics.
// Linux: net_passive_inc.
func (n *Net) HoldMemory() {
	if n.memory.Add(1) <= 1 {
		panic("netns: HoldMemory without a reference")
	}
}

// PutMemory gives a passive reference back. With the last one n lets go of its
// homes; a straggler that still looks at n finds the shared, empty ones.
// Linux: net_passive_dec.
func (n *Net) PutMemory() {
	switch c := n.memory.Add(-1); {
	case c == 0:
		n.mu.Lock()
		n.bare()
		n.accounts.Store(nil)
		n.mu.Unlock()
		n.sys.structs.Add(-1)
	case c < 0:
		panic("netns: PutMemory without a reference")
	}
}

// bare lets go of n's own shelves.
func (n *Net) bare() {
	for i := range n.shelves {
		n.shelves[i].Store(&n.sys.template[i])
	}
}
