package fib

import (
	"math/bits"
	"slices"
)

// A trie maps prefixes to chains of aliases. It is a value: a change makes a
// new one that shares all it can with the old, and both stay whole.
//
// A trie of few prefixes is a slice, longest first: most Nets have three to
// eight routes, for which nodes would be both larger and slower.
type trie struct {
	few  []*alias // up to fewMax; else nil
	root *node
	n    int // prefixes
}

const fewMax = 8

// lookup returns the aliases of the longest prefix that covers k, or nil.
func (t *trie) lookup(k key) *alias {
	if t.root != nil {
		return t.root.lookup(k)
	}
	for _, a := range t.few {
		if k.agree(a.key, a.plen) {
			return a
		}
	}
	return nil
}

// below is lookup among prefixes of at most most bits.
func (t *trie) below(k key, most uint8) *alias {
	if t.root != nil {
		return t.root.below(k, most)
	}
	for _, a := range t.few {
		if a.plen <= most && k.agree(a.key, a.plen) {
			return a
		}
	}
	return nil
}

// get returns the aliases of exactly this prefix, or nil; a nil t is empty.
func (t *trie) get(k key, plen uint8) *alias {
	if t == nil {
		return nil
	}
	if t.root != nil {
		return t.root.get(k, plen)
	}
	for _, a := range t.few {
		if a.plen == plen && a.key == k {
			return a
		}
	}
	return nil
}

// set returns a trie in which the chain that starts with a stands for a's
// prefix.
func (t *trie) set(a *alias) *trie {
	if t == nil {
		t = &trie{}
	}
	m := trie{n: t.n}
	if t.get(a.key, a.plen) == nil {
		m.n++
	}
	switch {
	case t.root != nil:
		m.root = t.root.set(a)
	case m.n > fewMax:
		for _, b := range t.few {
			m.root = m.root.set(b)
		}
		m.root = m.root.set(a)
	default:
		i, found := slices.BinarySearchFunc(t.few, a, byLength)
		m.few = put(t.few, i, a, found)
	}
	return &m
}

// drop returns a trie without the prefix, which is in t.
func (t *trie) drop(k key, plen uint8) *trie {
	m := trie{n: t.n - 1}
	if t.root == nil {
		m.few = cut(t.few, slices.IndexFunc(t.few, func(a *alias) bool { return a.plen == plen && a.key == k }))
		return &m
	}
	m.root = t.root.drop(k, plen)
	return m.fit()
}

// fit turns a trie with few prefixes left into a slice.
func (t trie) fit() *trie {
	if t.n > fewMax || t.root == nil {
		return &t
	}
	for a := range t.root.all {
		t.few = append(t.few, a)
	}
	slices.SortFunc(t.few, byLength)
	t.few, t.root = slices.Clip(t.few), nil
	return &t
}

// byLength sorts longest first, and by address among equals.
func byLength(a, b *alias) int {
	switch {
	case a.plen != b.plen:
		return int(b.plen) - int(a.plen)
	case a.key == b.key:
		return 0
	case a.key.less(b.key):
		return -1
	}
	return 1
}

// edit returns a trie in which each chain c is replaced by f(c), nil taking it
// out. f must keep the prefix. What does not change is shared.
func (t *trie) edit(f func(*alias) *alias) *trie {
	if t == nil {
		return nil
	}
	m := trie{n: t.n}
	g := func(a *alias) *alias {
		b := f(a)
		if b == nil {
			m.n--
		}
		return b
	}
	if t.root != nil {
		if m.root = t.root.edit(g); m.root == t.root {
			return t
		}
		return m.fit()
	}
	same := true
	for _, a := range t.few {
		b := g(a)
		same = same && a == b
		if b != nil {
			m.few = append(m.few, b)
		}
	}
	if same {
		return t
	}
	m.few = slices.Clip(m.few)
	return &m
}

// edit is trie.edit for the part under n; nil if nothing is left.
func (n *node) edit(f func(*alias) *alias) *node {
	m := node{key: n.key, pos: n.pos}
	var leaves []*alias
	same, i := true, 0
	for w := n.inner; w != 0; w &= w - 1 {
		a := f(n.at[i])
		if same = same && a == n.at[i]; a != nil {
			m.at, m.inner = append(m.at, a), m.inner|w&-w
		}
		i++
	}
	k := 0
	for w := n.leaf | n.fork; w != 0; w &= w - 1 {
		bit := w & -w
		if n.leaf&bit != 0 {
			a := f(n.at[i])
			if same = same && a == n.at[i]; a != nil {
				leaves, m.leaf = append(leaves, a), m.leaf|bit
			}
			i++
			continue
		}
		kid := n.kids[k].edit(f)
		same = same && kid == n.kids[k]
		k++
		if kid == nil {
			continue
		}
		if a := kid.only(); a != nil {
			leaves, m.leaf = append(leaves, a), m.leaf|bit
			continue
		}
		m.kids, m.fork = append(m.kids, kid), m.fork|bit
	}
	if same {
		return n
	}
	m.at, m.kids = slices.Clip(append(m.at, leaves...)), slices.Clip(m.kids)
	return m.shrink()
}

// all yields the chains under n by address, and the shorter prefix first among
// those of one address.
func (n *node) all(yield func(*alias) bool) { n.walk(yield) }

func (n *node) walk(yield func(*alias) bool) bool {
	for s := range uint(1 << stride) {
		for l := range uint(stride) {
			b := 1<<l | s>>(stride-l)
			if s&(1<<(stride-l)-1) == 0 && n.inner>>b&1 != 0 && !yield(n.at[rank(n.inner, b)]) {
				return false
			}
		}
		switch {
		case n.leaf>>s&1 != 0:
			if !yield(n.at[bits.OnesCount64(n.inner)+rank(n.leaf, s)]) {
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

// walk yields every alias in the order of Linux's dump: by address, the longer
// prefix first among those of one address, then as chained.
func (t *trie) walk(yield func(*alias) bool) bool {
	if t == nil {
		return true
	}
	var group []*alias // chains with the address of the last one seen
	flush := func() bool {
		for _, c := range slices.Backward(group) {
			for a := c; a != nil; a = a.next {
				if !yield(a) {
					return false
				}
			}
		}
		group = group[:0]
		return true
	}
	next := func(c *alias) bool {
		if len(group) > 0 && group[0].key != c.key && !flush() {
			return false
		}
		group = append(group, c)
		return true
	}
	if t.root != nil {
		if !t.root.walk(next) {
			return false
		}
		return flush()
	}
	few := slices.Clone(t.few)
	slices.SortStableFunc(few, func(a, b *alias) int {
		if a.key == b.key {
			return int(a.plen) - int(b.plen)
		}
		if a.key.less(b.key) {
			return -1
		}
		return 1
	})
	for _, c := range few {
		if !next(c) {
			return false
		}
	}
	return flush()
}
