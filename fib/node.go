package fib

import (
	"math/bits"
	"slices"
)

// A node covers stride bits of the key. Nodes stand at multiples of stride, and
// only where more than fewMax prefixes hang below, so that a set of prefixes has
// one shape whatever the order it was built in. Where nothing branches there is
// no node: a node carries the key that leads to it. A published node is never
// written again.
//
// Within a node the prefixes that end there (of pos to pos+5 bits) have a bit
// each in inner, numbered like a heap: 1 is the node's own prefix, 2i and 2i+1
// are i's halves. A longer prefix goes to one of 64 slots, which holds a few, as a
// brief where that will do, or a node. The bitmaps are the index of dense slices;
// but the briefs of all slots are one slice, in the order of the slots, since what
// a lookup in a large table waits for is memory: once for the node and once for
// its mark.
//
// Linux: struct key_vector, net/ipv4/fib_trie.c, which is a binary trie with
// levels merged where they are full; this is the tree bitmap of Eatherton,
// Varghese and Dittia, 2004, with path compression and thick leaves.
type node struct {
	inner uint64 // prefixes that end in this node
	fork  uint64 // slots with a node
	leaf  uint64 // slots with a brief
	wide  uint64 // slots with a few
	key   key
	n     int32 // prefixes here and below
	pos   uint8

	marks brief // slot s has those from[s] to from[s+1]
	from  [1<<stride + 1]uint16
	kids  []*node  // by fork
	few   []few    // by wide
	at    []*alias // by inner

	hint hint // of all prefixes here and below
}

const stride = 6

// above[s] has the bits of all inner prefixes that cover slot s.
var above = func() (t [1 << stride]uint64) {
	for s := range t {
		for l := range stride {
			t[s] |= 1 << (1<<l | s>>(stride-l))
		}
	}
	return t
}()

// rank counts the bits of m below bit b.
func rank(m uint64, b uint) int { return bits.OnesCount64(m & (1<<b - 1)) }

// lookup returns the routes of the longest prefix that covers k, and its
// length; nil if there is none.
func (n *node) lookup(k key) (*alias, uint8) {
	var from *node // with the longest inner prefix so far
	var best uint
	for n != nil && k.agree(n.key, n.pos) {
		s := k.slot(n.pos)
		if m := n.inner & above[s]; m != 0 {
			from, best = n, uint(bits.Len64(m)-1)
		}
		if n.fork>>s&1 != 0 {
			n = n.kids[rank(n.fork, s)]
			continue
		}
		if n.leaf>>s&1 != 0 {
			if m := n.brief(s).lookup(k.hi); m != nil {
				return m.chain, m.plen()
			}
		} else if n.wide>>s&1 != 0 {
			if c := n.few[rank(n.wide, s)].lookup(k, 128); c != nil {
				return c.chain, c.plen
			}
		}
		break
	}
	return from.take(best)
}

// below is lookup among prefixes of at most most bits.
func (n *node) below(k key, most uint8) (*alias, uint8) {
	var from *node
	var best uint
	for n != nil && n.pos <= most && k.agree(n.key, n.pos) {
		s := k.slot(n.pos)
		m := n.inner & above[s]
		if most-n.pos < stride {
			m &= 1<<(2<<(most-n.pos)) - 1
		}
		if m != 0 {
			from, best = n, uint(bits.Len64(m)-1)
		}
		if n.fork>>s&1 != 0 {
			n = n.kids[rank(n.fork, s)]
			continue
		}
		if n.leaf>>s&1 != 0 {
			if m := n.brief(s).below(k.hi, most); m != nil {
				return m.chain, m.plen()
			}
		} else if n.wide>>s&1 != 0 {
			if c := n.few[rank(n.wide, s)].lookup(k, most); c != nil {
				return c.chain, c.plen
			}
		}
		break
	}
	return from.take(best)
}

// take returns the routes of inner prefix b and its length.
func (n *node) take(b uint) (*alias, uint8) {
	if n == nil {
		return nil, 0
	}
	return n.at[rank(n.inner, b)], n.pos + uint8(bits.Len(b)-1)
}

// place finds where a prefix of plen bits lives in n, which agrees with it up
// to pos: the bit in inner, or the slot.
func (n *node) place(k key, plen uint8) (b uint, inner bool) {
	s := k.slot(n.pos)
	if l := plen - n.pos; l < stride {
		return 1<<l | s>>(stride-l), true
	}
	return s, false
}

// get returns the routes of exactly this prefix, or nil.
func (n *node) get(k key, plen uint8) *alias {
	for n != nil && n.pos <= plen && k.agree(n.key, n.pos) {
		b, inner := n.place(k, plen)
		switch {
		case inner && n.inner>>b&1 != 0:
			return n.at[rank(n.inner, b)]
		case !inner && n.leaf>>b&1 != 0:
			return n.brief(b).get(k, plen)
		case !inner && n.wide>>b&1 != 0:
			return n.few[rank(n.wide, b)].get(k, plen)
		case !inner && n.fork>>b&1 != 0:
			n = n.kids[rank(n.fork, b)]
		default:
			return nil
		}
	}
	return nil
}

// nodeAt returns an empty node at the last multiple of stride within the first
// plen bits of k.
func nodeAt(k key, plen uint8) *node { return &node{key: k, pos: plen - plen%stride} }

// set returns a node like n with c in it.
func (n *node) set(c cell) *node {
	if p := min(c.key.common(n.key), c.plen); p < n.pos {
		return nodeAt(c.key, p).adopt(n).set(c)
	}
	b, inner := n.place(c.key, c.plen)
	m := *n
	m.hint.add(c.chain.hint())
	switch {
	case inner:
		over := n.inner>>b&1 != 0
		m.at = put(n.at, rank(n.inner, b), c.chain, over)
		m.inner |= 1 << b
		if !over {
			m.n++
		}
	case n.fork>>b&1 != 0:
		return n.adopt(n.kids[rank(n.fork, b)].set(c))
	default:
		old := n.fewAt(b)
		f := old.set(c)
		m.n += int32(len(f) - len(old))
		if len(f) > fewMax {
			m.leave(b, nil)
			m.n -= int32(len(f))
			return m.adopt(f.grow())
		}
		m.leave(b, f)
	}
	return &m
}

// adopt returns a node like n with kid in its slot, which is empty or a node's.
func (n *node) adopt(kid *node) *node {
	m, s := *n, kid.key.slot(n.pos)
	m.hint.add(kid.hint)
	i, over := rank(n.fork, s), n.fork>>s&1 != 0
	m.n += kid.n
	if over {
		m.n -= n.kids[i].n
	}
	m.kids = put(n.kids, i, kid, over)
	m.fork |= 1 << s
	return &m
}

// drop returns a node like n without the prefix, which is in it; nil if it was
// the last.
func (n *node) drop(k key, plen uint8) *node {
	b, inner := n.place(k, plen)
	m := *n
	m.n--
	switch {
	case inner:
		m.at, m.inner = cut(n.at, rank(n.inner, b)), n.inner&^(1<<b)
	case n.fork>>b&1 == 0:
		m.leave(b, n.fewAt(b).drop(k, plen))
	default:
		i := rank(n.fork, b)
		if kid := n.kids[i].drop(k, plen); kid.n > fewMax {
			m.kids = put(n.kids, i, kid, true)
		} else {
			m.kids, m.fork = cut(n.kids, i), n.fork&^(1<<b)
			m.leave(b, kid.collect())
		}
	}
	return m.shrink()
}

// shrink returns what should stand for n: its only kid, nil, or n.
func (n *node) shrink() *node {
	switch {
	case n.n == 0:
		return nil
	case len(n.kids) == 1 && n.kids[0].n == n.n:
		return n.kids[0]
	}
	return n
}

// collect returns all cells below n as a few.
func (n *node) collect() (f few) {
	n.walk(func(c cell) bool { f = append(f, c); return true })
	slices.SortFunc(f, cell.order)
	return slices.Clip(f)
}

// prefix returns the cell of inner prefix b, whose routes are the ith in at.
func (n *node) prefix(b uint, i int) cell {
	l := uint8(bits.Len(b) - 1)
	return cell{n.key.child(n.pos, (b&^(1<<l))<<(stride-l)), n.at[i], n.pos + l}
}

// edit is few.edit for all below n that want may mean; nil if nothing is left. The
// caller looks whether what is left is few.
func (n *node) edit(want hint, g func(cell) *alias) *node {
	if !n.hint.meets(want) {
		return n
	}
	m := node{key: n.key, pos: n.pos}
	same, i := true, 0
	for w := n.inner; w != 0; w &= w - 1 {
		a := g(n.prefix(uint(bits.TrailingZeros64(w)), i))
		if same = same && a == n.at[i]; a != nil {
			m.at, m.inner = append(m.at, a), m.inner|w&-w
			m.n++
		}
		i++
	}
	for w := n.leaf | n.wide | n.fork; w != 0; w &= w - 1 {
		bit, slot := w&-w, uint(bits.TrailingZeros64(w))
		if n.fork&bit == 0 {
			same = n.editFew(&m, slot, g) && same
			continue
		}
		kid := n.kids[rank(n.fork, slot)]
		edited := kid.edit(want, g)
		same = same && edited == kid
		if edited != nil && edited.n > fewMax {
			m.kids, m.fork = append(m.kids, edited), m.fork|bit
			m.n += edited.n
		} else if edited != nil {
			m.hang(slot, edited.collect())
		}
	}
	if same {
		return n
	}
	m.end()
	m.hint = m.sum()
	return m.shrink()
}

// walk yields the cells below n slot by slot: by address up to stride bits, the
// shorter prefix first. It reports whether yield always did.
func (n *node) walk(yield func(cell) bool) bool {
	for s := range uint(1 << stride) {
		for l := range uint(stride) {
			b := 1<<l | s>>(stride-l)
			if s&(1<<(stride-l)-1) == 0 && n.inner>>b&1 != 0 && !yield(n.prefix(b, rank(n.inner, b))) {
				return false
			}
		}
		switch {
		case (n.leaf|n.wide)>>s&1 != 0:
			if !n.fewAt(s).walk(yield) {
				return false
			}
		case n.fork>>s&1 != 0:
			if !n.kids[rank(n.fork, s)].walk(yield) {
				return false
			}
		}
	}
	return true
}

// walk yields f's cells by address, the shorter prefix first.
func (f few) walk(yield func(cell) bool) bool {
	sorted := slices.SortedFunc(slices.Values(f), func(c, d cell) int {
		if c.key == d.key {
			return int(c.plen) - int(d.plen)
		}
		if c.key.less(d.key) {
			return -1
		}
		return 1
	})
	for _, c := range sorted {
		if !yield(c) {
			return false
		}
	}
	return true
}
