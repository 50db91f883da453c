package fib

import "slices"

// A trie maps prefixes to chains of aliases. It is a value: a change makes a
// new one that shares all it can with the old, and both stay whole. A nil trie
// is empty.
type trie struct {
	few  few   // the whole, up to fewMax
	root *node // the whole, beyond
}

// lookup returns the routes of the longest prefix that covers k, and its
// length; nil if there is none.
func (t *trie) lookup(k key) (*alias, uint8) {
	if t.root != nil {
		return t.root.lookup(k)
	}
	if c := t.few.lookup(k, 128); c != nil {
		return c.chain, c.plen
	}
	return nil, 0
}

// below is lookup among prefixes of at most most bits.
func (t *trie) below(k key, most uint8) (*alias, uint8) {
	if t.root != nil {
		return t.root.below(k, most)
	}
	if c := t.few.lookup(k, most); c != nil {
		return c.chain, c.plen
	}
	return nil, 0
}

// get returns the routes of exactly this prefix, or nil.
func (t *trie) get(k key, plen uint8) *alias {
	switch {
	case t == nil:
		return nil
	case t.root != nil:
		return t.root.get(k, plen)
	}
	return t.few.get(k, plen)
}

// size returns the number of prefixes.
func (t *trie) size() int {
	switch {
	case t == nil:
		return 0
	case t.root != nil:
		return int(t.root.n)
	}
	return len(t.few)
}

// set returns a trie with c in it.
func (t *trie) set(c cell) *trie {
	switch {
	case t == nil:
		return &trie{few: few{c}}
	case t.root != nil:
		return &trie{root: t.root.set(c)}
	}
	f := t.few.set(c)
	if len(f) > fewMax {
		return &trie{root: f.grow()}
	}
	return &trie{few: f}
}

// drop returns a trie without the prefix, which is in t.
func (t *trie) drop(k key, plen uint8) *trie {
	if t.root == nil {
		return &trie{few: t.few.drop(k, plen)}
	}
	return t.root.drop(k, plen).trie()
}

// trie returns the trie that n is the whole of.
func (n *node) trie() *trie {
	switch {
	case n == nil:
		return &trie{}
	case n.n > fewMax:
		return &trie{root: n}
	}
	return &trie{few: n.collect()}
}

// edit returns a trie in which the routes of each cell are what g says, nil
// taking it out. What does not change is shared, and in a large table g is asked only
// about what want may mean.
func (t *trie) edit(want hint, g func(cell) *alias) *trie {
	switch {
	case t == nil:
		return nil
	case t.root == nil:
		f, same := t.few.edit(g)
		if same {
			return t
		}
		return &trie{few: f}
	}
	n := t.root.edit(want, g)
	if n == t.root {
		return t
	}
	return n.trie()
}

// walk yields every alias, with its prefix, in the order of Linux's dump: by
// address, the longer prefix first among those of one address, then as chained.
func (t *trie) walk(yield func(c cell, a *alias) bool) {
	if t == nil {
		return
	}
	var group []cell // those with the address of the last one seen
	flush := func() bool {
		for _, c := range slices.Backward(group) {
			for a := c.chain; a != nil; a = a.next {
				if !yield(c, a) {
					return false
				}
			}
		}
		group = group[:0]
		return true
	}
	next := func(c cell) bool {
		if len(group) > 0 && group[0].key != c.key && !flush() {
			return false
		}
		group = append(group, c)
		return true
	}
	if t.root != nil && t.root.walk(next) || t.root == nil && t.few.walk(next) {
		flush()
	}
}
