package netns

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// hash is a table's home: chains that readers walk without a lock while a writer,
// under mu, pushes and unlinks. An entry that is unlinked or replaced still leads
// on to the rest of its chain, so that a reader who stands on it loses nothing.
type hash[K comparable, V any] struct {
	chains atomic.Pointer[[]link[K, V]] // as many as a power of two

	mu    sync.Mutex
	size  int
	fixed bool

	list ownList[K, V] // Replicated: the entries of the home's Net
}

// firstChains are the chains that an own home begins with, in one piece of
// memory. They are no part of the home: once it has grown nothing may lead to
// them, or the entries that hung there at the time would stay for good.
type firstChains[K comparable, V any] struct {
	header []link[K, V]
	own    [firstOwn]link[K, V]
}

// link leads to the next entry of a chain.
type link[K comparable, V any] struct{ atomic.Pointer[entry[K, V]] }

type entry[K comparable, V any] struct {
	next link[K, V]

	// fixed; the sum leaves the tag out, or a lookup that forgot to compare the
	// tag would seldom be found out
	sum uint64
	net ID
	key K
	val V

	before, after *entry[K, V] // under mu: the Net's own list
}

// is is the one place where the tag is compared.
//
// Linux: net_eq(sock_net(sk), net) in every lookup, as in inet_match.
func (e *entry[K, V]) is(n *Net, sum uint64, k *K) bool {
	return e.sum == sum && e.net == n.id && e.key == *k
}

// A home that belongs to one Net starts tiny: there may be 100,000 of them.
const (
	firstOwn    = 2
	firstShared = 64
)

func newHash[K comparable, V any](place Placement, buckets int) *hash[K, V] {
	h := &hash[K, V]{fixed: buckets > 0}
	switch {
	case h.fixed:
		header := make([]link[K, V], 1<<bits.Len(uint(buckets-1)))
		h.chains.Store(&header)
	case place == Tagged:
		header := make([]link[K, V], firstShared)
		h.chains.Store(&header)
	default:
		first := new(firstChains[K, V])
		first.header = first.own[:]
		h.chains.Store(&first.header)
	}
	h.list.clear()
	return h
}

// salt spreads the Nets over the buckets of a shared home. It is no tag: only the
// comparison in entry.is tells Nets apart. Linux: net_hash_mix.
func (s *System) salt(id ID) uint64 {
	if s.config.Collide || s.config.Unmixed {
		return 0
	}
	return uint64(id) * 0x9e3779b97f4a7c15
}

// chain picks where an entry hangs. The product's high bits depend on all of sum,
// so a hash with weak low bits does no harm.
func chain[K comparable, V any](chains []link[K, V], sum, salt uint64) *link[K, V] {
	i := (sum ^ salt) * 0xd6e8feb86659fd93 >> 32
	return &chains[i&uint64(len(chains)-1)]
}

// What follows needs mu.

// find returns the link that leads to n's entry for k, or nil.
func (h *hash[K, V]) find(n *Net, sum uint64, k K) *link[K, V] {
	at := chain(*h.chains.Load(), sum, n.salt)
	for e := at.Load(); e != nil; e = at.Load() {
		if e.is(n, sum, &k) {
			return at
		}
		at = &e.next
	}
	return nil
}

// full reports whether the next entry should find more chains: the load is 1.
func (h *hash[K, V]) full() bool { return !h.fixed && h.size >= len(*h.chains.Load()) }

// add publishes a new entry, last on n's own list.
func (h *hash[K, V]) add(n *Net, own *ownList[K, V], sum uint64, k K, v V) {
	e := &entry[K, V]{sum: sum, net: n.id, key: k, val: v}
	e.before, e.after = own.root.before, &own.root
	e.splice()
	own.count.Add(1)
	push(chain(*h.chains.Load(), sum, n.salt), e)
	h.size++
}

// replace publishes v in place of the value of the entry that at leads to.
func (h *hash[K, V]) replace(at *link[K, V], v V) {
	old := at.Load()
	e := old.copy()
	e.val = v
	e.next.Store(old.next.Load())
	e.splice()
	at.Store(e)
}

// unlink takes e, to which at leads, out of its chain.
func (h *hash[K, V]) unlink(at *link[K, V], e *entry[K, V]) {
	at.Store(e.next.Load())
	h.size--
}

// grow doubles the chains. Readers may be on the old entries, so the new chains
// are built of copies; a copy takes the old entry's place on its Net's list.
func (h *hash[K, V]) grow(salt func(ID) uint64) {
	old := *h.chains.Load()
	chains := make([]link[K, V], 2*len(old))
	for i := range old {
		for e := old[i].Load(); e != nil; e = e.next.Load() {
			c := e.copy()
			c.splice()
			push(chain(chains, c.sum, salt(c.net)), c)
		}
	}
	h.chains.Store(&chains)
}

// sweep takes out all that n holds. The caller has marked n as exited, which put
// looks at under mu: nothing can be added behind the sweep's back.
func (h *hash[K, V]) sweep(n *Net, own *ownList[K, V], walk bool) {
	if own == nil && !walk {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if walk {
		h.sweepWalking(n)
	} else if own == &h.list {
		h.drop()
	} else {
		h.sweepOwn(n, own)
	}
	if own != nil {
		own.clear()
	}
}

// drop leaves the entries of an own home, which are all its Net's, to the
// collector: O(1). A reader on the way keeps to the chains that it found.
func (h *hash[K, V]) drop() {
	h.chains.Store(&[]link[K, V]{{}})
	h.size = 0
}

// sweepOwn costs O(own entries), as long as the chains are short. It begins with
// the newest: in a table that never grew that one is nearest to the chain's head.
func (h *hash[K, V]) sweepOwn(n *Net, own *ownList[K, V]) {
	chains := *h.chains.Load()
	for e := own.root.before; e != &own.root; e = e.before {
		at := chain(chains, e.sum, n.salt)
		for at.Load() != e {
			at = &at.Load().next
		}
		h.unlink(at, e)
	}
}

// sweepWalking costs O(table). Linux: inet_twsk_purge, nf_ct_iterate_cleanup_net.
func (h *hash[K, V]) sweepWalking(n *Net) {
	chains := *h.chains.Load()
	for i := range chains {
		at := &chains[i]
		for e := at.Load(); e != nil; e = at.Load() {
			if e.net == n.id {
				h.unlink(at, e)
			} else {
				at = &e.next
			}
		}
	}
}

// push puts e at the head of a chain. It becomes visible with the last store.
func push[K comparable, V any](head *link[K, V], e *entry[K, V]) {
	e.next.Store(head.Load())
	head.Store(e)
}

// copy returns an entry that equals e but hangs in no chain yet.
func (e *entry[K, V]) copy() *entry[K, V] {
	return &entry[K, V]{sum: e.sum, net: e.net, key: e.key, val: e.val, before: e.before, after: e.after}
}

// splice makes e's neighbours on the own list point to e.
func (e *entry[K, V]) splice() { e.before.after, e.after.before = e, e }

// drop takes e off the list.
func (l *ownList[K, V]) drop(e *entry[K, V]) {
	e.before.after, e.after.before = e.after, e.before
	l.count.Add(-1)
}
