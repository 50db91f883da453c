package netns

import (
	"hash/maphash"
	"iter"
	"math"
	"sync/atomic"
	"syscall"
)

// A Table maps (Net, K) to V. Lookups take no lock, allocate nothing, and see
// each entry whole. Which Placement it has, no caller can tell.
//
// Linux: a hash table of struct hlist_nulls_head, such as tcp_hashinfo.ehash.
type Table[K comparable, V any] struct {
	slot Slot[hash[K, V]]
	sum  func(K) uint64
	salt func(ID) uint64
	own  bool // Replicated: a home has one Net, and keeps its list
}

// NewTable registers a table under a name unique in s, before Boot, with its hash
// function. Where strangers choose the keys, that is [Keyed].
func NewTable[K comparable, V any](s *System, name string, place Placement, sum func(K) uint64) *Table[K, V] {
	if s.config.Collide {
		sum = func(K) uint64 { return 0 }
	}
	t := &Table[K, V]{sum: sum, salt: s.salt, own: place != Tagged}
	walk := s.config.Walk && place == Tagged
	var shared *hash[K, V] // the first that is made
	t.slot = register(s, Ops[hash[K, V]]{
		Name:  name,
		Place: place,
		Make: func() *hash[K, V] {
			h := newHash[K, V](place, s.config.Buckets)
			if shared == nil {
				shared = h
			}
			return h
		},
		Exit: func(n *Net, h *hash[K, V]) {
			if h != t.slot.empty {
				h.sweep(n, t.account(n), walk)
			}
		},
	}, true)
	if place == Tagged {
		s.subs[len(s.subs)-1].entriesOf = t.Len
		s.subs[len(s.subs)-1].entries = func() int {
			shared.mu.Lock()
			defer shared.mu.Unlock()
			return shared.size
		}
	}
	return t
}

// Keyed returns a hash function with a secret of its own, so that nobody outside
// can choose keys that collide. Where entries hang is never visible, so the secret
// does not touch a System's determinism. Linux: siphash with a boot-time key.
func Keyed[K comparable]() func(K) uint64 {
	//tagvet:allow ambient where entries hang is never visible; strangers must not guess it
	seed := maphash.MakeSeed()
	return func(k K) uint64 { return maphash.Comparable(seed, k) }
}

// Get returns what n holds under k.
func (t *Table[K, V]) Get(n *Net, k K) (v V, ok bool) {
	h, sum := t.slot.Of(n), t.sum(k)
	for e := chain(*h.chains.Load(), sum, n.salt).Load(); e != nil; e = e.next.Load() {
		if e.is(n, sum, &k) {
			return e.val, true
		}
	}
	return v, false
}

// Add files v under k. Errors, bare: EEXIST if n holds k already, ENOBUFS if n
// holds as many entries as its cap allows, ESRCH if n has exited.
func (t *Table[K, V]) Add(n *Net, k K, v V) error { return t.put(n, k, v, false) }

// Set files v under k in place of what n holds there, whose place in the order of
// [Table.All] it takes, or else adds it. Errors, bare: ENOBUFS and ESRCH as Add.
func (t *Table[K, V]) Set(n *Net, k K, v V) error { return t.put(n, k, v, true) }

func (t *Table[K, V]) put(n *Net, k K, v V, replace bool) error {
	h, sum := t.slot.Own(n), t.sum(k)
	h.mu.Lock()
	defer h.mu.Unlock()
	if n.exited.Load() { // under mu: what came before is swept, the rest refused
		return syscall.ESRCH
	}
	at := h.find(n, sum, k)
	if at != nil && !replace {
		return syscall.EEXIST
	}
	if at != nil {
		h.replace(at, v)
		return nil
	}
	return t.enter(n, h, sum, k, v)
}

// AddNew is Add of a key that the caller knows n not to hold: its chain is not
// walked, which in a table of fixed size is nearly all of the work. With a key that
// n does hold, n has two entries, of which lookups see the newer one.
// Errors, bare: ENOBUFS and ESRCH as Add.
func (t *Table[K, V]) AddNew(n *Net, k K, v V) error {
	h, sum := t.slot.Own(n), t.sum(k)
	h.mu.Lock()
	defer h.mu.Unlock()
	if n.exited.Load() { // as in put
		return syscall.ESRCH
	}
	return t.enter(n, h, sum, k, v)
}

// enter adds an entry for a key that n does not hold; under h.mu.
func (t *Table[K, V]) enter(n *Net, h *hash[K, V], sum uint64, k K, v V) error {
	own := t.openAccount(n, h)
	if n.exited.Load() { // again: the sweep looked for an account before it took mu
		return syscall.ESRCH
	}
	if limit := own.limit.Load(); limit > 0 && own.count.Load() >= limit {
		return syscall.ENOBUFS
	}
	if h.full() {
		h.grow(t.salt)
	}
	h.add(n, own, sum, k, v)
	return nil
}

// Delete takes k away from n and returns what was there.
func (t *Table[K, V]) Delete(n *Net, k K) (v V, ok bool) {
	h, sum := t.slot.Of(n), t.sum(k)
	if h == t.slot.empty {
		return v, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.find(n, sum, k)
	if at == nil {
		return v, false
	}
	e := at.Load()
	h.unlink(at, e)
	t.account(n).drop(e)
	return e.val, true
}

// All yields n's entries in the order of Add, under either placement. It is a
// snapshot: the body may change the table.
func (t *Table[K, V]) All(n *Net) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, e := range t.snapshot(n) {
			if !yield(e.key, e.val) {
				return
			}
		}
	}
}

func (t *Table[K, V]) snapshot(n *Net) []*entry[K, V] {
	h := t.slot.Of(n)
	if h == t.slot.empty {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	own := t.account(n)
	if own == nil {
		return nil
	}
	list := make([]*entry[K, V], 0, own.count.Load())
	for e := own.root.after; e != &own.root; e = e.after {
		list = append(list, e)
	}
	return list
}

// Len returns how many entries n holds.
func (t *Table[K, V]) Len(n *Net) int {
	if own := t.account(n); own != nil {
		return int(own.count.Load())
	}
	return 0
}

// SetCap allows n at most limit entries; 0 takes the limit away. Entries beyond a
// lowered limit stay. The limit is n's alone: one that all Nets shared would tell
// them of each other. Linux: a per-netns sysctl such as nf_conntrack_max.
func (t *Table[K, V]) SetCap(n *Net, limit int) {
	own := t.account(n)
	if own == nil && limit <= 0 {
		return
	}
	if own == nil {
		own = t.openAccount(n, t.slot.Own(n))
	}
	own.limit.Store(int32(min(max(limit, 0), math.MaxInt32)))
}

// account is what one Tagged table, known by its slot, keeps for one Net: the
// first field of a tab, to which of points.
type account struct {
	slot uint
	next *account // of another table
	of   any
}

// tab is an account with what it is of.
type tab[K comparable, V any] struct {
	account
	list ownList[K, V]
}

// ownList holds a Net's entries of one table in the order of Add, as a ring.
type ownList[K comparable, V any] struct {
	root  entry[K, V] // under the home's mu; an entry only in its before and after
	count atomic.Int32
	limit atomic.Int32 // 0: none
}

func (l *ownList[K, V]) clear() {
	l.root.before, l.root.after = &l.root, &l.root
	l.count.Store(0)
}

// account returns n's list, or nil if n never had an entry. A Net uses few tables,
// so a walk beats a map, and a Net that uses none pays nothing.
func (t *Table[K, V]) account(n *Net) *ownList[K, V] {
	if t.own {
		if h := t.slot.Of(n); h != t.slot.empty {
			return &h.list
		}
		return nil
	}
	for a := n.accounts.Load(); a != nil; a = a.next {
		if a.slot == t.slot.i {
			return a.of.(*ownList[K, V])
		}
	}
	return nil
}

// openAccount returns n's list, which it makes if need be; h is n's home.
func (t *Table[K, V]) openAccount(n *Net, h *hash[K, V]) *ownList[K, V] {
	if t.own {
		return &h.list
	}
	if own := t.account(n); own != nil {
		return own
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if own := t.account(n); own != nil {
		return own
	}
	a := new(tab[K, V])
	a.list.clear()
	a.account = account{t.slot.i, n.accounts.Load(), &a.list}
	n.accounts.Store(&a.account)
	return &a.list
}
