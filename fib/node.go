package fib

import "math/bits"

// A node covers stride bits of the key. Nodes stand at multiples of stride, so
// that a set of prefixes has one shape whatever the order it was built in, and
// where nothing branches there is no node: a node carries the key that leads to
// it. A published node is never written again.
//
// Within a node the prefixes that end there (of pos to pos+5 bits) have a bit
// each in inner, numbered like a heap: 1 is the node's own prefix, 2i and 2i+1
// are i's halves. A longer prefix goes to one of 64 slots: alone as a leaf, or
// in a node of its own. The three bitmaps are the index of two dense slices.
//
// Linux: struct key_vector, net/ipv4/fib_trie.c, which is a binary trie with
// levels merged where they are full; this is the tree bitmap of Eatherton,
// Varghese and Dittia, 2004, with path compression.
type node struct {
	key   key
	inner uint64   // prefixes that end in this node
	leaf  uint64   // slots with one prefix
	fork  uint64   // slots with a node
	at    []*alias // by inner, then by leaf
	kids  []*node  // by fork
	pos   uint8
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

// lookup returns the aliases of the longest prefix that covers k, or nil.
func (n *node) lookup(k key) *alias {
	var best *alias
	for n != nil && k.agree(n.key, n.pos) {
		s := k.slot(n.pos)
		if m := n.inner & above[s]; m != 0 {
			best = n.at[rank(n.inner, uint(bits.Len64(m)-1))]
		}
		if n.fork>>s&1 != 0 {
			n = n.kids[rank(n.fork, s)]
			continue
		}
		if n.leaf>>s&1 != 0 {
			a := n.at[bits.OnesCount64(n.inner)+rank(n.leaf, s)]
			if k.agree(a.key, a.plen) {
				return a
			}
		}
		break
	}
	return best
}

// below is lookup among prefixes of at most most bits.
func (n *node) below(k key, most uint8) *alias {
	var best *alias
	for n != nil && n.pos <= most && k.agree(n.key, n.pos) {
		s := k.slot(n.pos)
		m := n.inner & above[s]
		if most-n.pos < stride {
			m &= 1<<(2<<(most-n.pos)) - 1
		}
		if m != 0 {
			best = n.at[rank(n.inner, uint(bits.Len64(m)-1))]
		}
		if n.fork>>s&1 != 0 {
			n = n.kids[rank(n.fork, s)]
			continue
		}
		if n.leaf>>s&1 != 0 {
			a := n.at[bits.OnesCount64(n.inner)+rank(n.leaf, s)]
			if a.plen <= most && k.agree(a.key, a.plen) {
				return a
			}
		}
		break
	}
	return best
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

// get returns the aliases of exactly this prefix, or nil.
func (n *node) get(k key, plen uint8) *alias {
	for n != nil && n.pos <= plen && k.agree(n.key, n.pos) {
		b, inner := n.place(k, plen)
		switch {
		case inner && n.inner>>b&1 != 0:
			return n.at[rank(n.inner, b)]
		case inner:
			return nil
		case n.fork>>b&1 != 0:
			n = n.kids[rank(n.fork, b)]
		case n.leaf>>b&1 != 0:
			a := n.at[bits.OnesCount64(n.inner)+rank(n.leaf, b)]
			if a.plen == plen && a.key == k {
				return a
			}
			return nil
		default:
			return nil
		}
	}
	return nil
}

// nodeAt returns an empty node at the last multiple of stride within the first
// plen bits of k.
func nodeAt(k key, plen uint8) *node { return &node{key: k, pos: plen - plen%stride} }

// set returns a node like n in which a stands for its prefix.
func (n *node) set(a *alias) *node {
	if n == nil {
		n = nodeAt(a.key, a.plen)
	}
	if c := min(a.key.common(n.key), a.plen); c < n.pos {
		if old := n.only(); old != nil { // n is the root and began with one
			return nodeAt(a.key, c).set(old).set(a)
		}
		return nodeAt(a.key, c).adopt(n).set(a)
	}
	b, inner := n.place(a.key, a.plen)
	m := *n
	switch {
	case inner:
		m.at = put(n.at, rank(n.inner, b), a, n.inner>>b&1 != 0)
		m.inner |= 1 << b
	case n.fork>>b&1 != 0:
		i := rank(n.fork, b)
		m.kids = put(n.kids, i, n.kids[i].set(a), true)
	case n.leaf>>b&1 == 0:
		m.at = put(n.at, bits.OnesCount64(n.inner)+rank(n.leaf, b), a, false)
		m.leaf |= 1 << b
	default:
		i := bits.OnesCount64(n.inner) + rank(n.leaf, b)
		old := n.at[i]
		if old.plen == a.plen && old.key == a.key {
			m.at = put(n.at, i, a, true)
			break
		}
		m.at, m.leaf = cut(n.at, i), m.leaf&^(1<<b)
		kid := nodeAt(a.key, min(a.key.common(old.key), a.plen, old.plen)).set(old).set(a)
		return m.adopt(kid)
	}
	return &m
}

// adopt returns a node like n with kid in its slot, which is empty or a node's.
func (n *node) adopt(kid *node) *node {
	m, s := *n, kid.key.slot(n.pos)
	m.kids = put(n.kids, rank(n.fork, s), kid, n.fork>>s&1 != 0)
	m.fork |= 1 << s
	return &m
}

// drop returns a node like n without the prefix, which is in it; nil if it was
// the last.
func (n *node) drop(k key, plen uint8) *node {
	b, inner := n.place(k, plen)
	m := *n
	switch {
	case inner:
		m.at, m.inner = cut(n.at, rank(n.inner, b)), n.inner&^(1<<b)
	case n.leaf>>b&1 != 0:
		m.at, m.leaf = cut(n.at, bits.OnesCount64(n.inner)+rank(n.leaf, b)), n.leaf&^(1<<b)
	default:
		i := rank(n.fork, b)
		kid := n.kids[i].drop(k, plen)
		if a := kid.only(); a != nil {
			m.kids, m.fork = cut(n.kids, i), n.fork&^(1<<b)
			m.at = put(n.at, bits.OnesCount64(n.inner)+rank(n.leaf, b), a, false)
			m.leaf |= 1 << b
		} else {
			m.kids = put(n.kids, i, kid, true)
		}
	}
	return m.shrink()
}

// only returns the single entry of a node that has no other; else nil.
func (n *node) only() *alias {
	if len(n.at) == 1 && len(n.kids) == 0 {
		return n.at[0]
	}
	return nil
}

// shrink returns what should stand for n: its only kid, nil, or n.
func (n *node) shrink() *node {
	if len(n.at) > 0 || len(n.kids) > 1 {
		return n
	}
	if len(n.kids) == 1 {
		return n.kids[0]
	}
	return nil
}

// put returns a copy of s with v in place of the ith, or inserted before it.
func put[T any](s []T, i int, v T, over bool) []T {
	k := i
	if over {
		k++
	}
	c := make([]T, len(s)+1+i-k)
	copy(c, s[:i])
	c[i] = v
	copy(c[i+1:], s[k:])
	return c
}

// cut returns a copy of s without the ith.
func cut[T any](s []T, i int) []T {
	if len(s) == 1 {
		return nil
	}
	c := make([]T, len(s)-1)
	copy(c, s[:i])
	copy(c[i:], s[i+1:])
	return c
}
