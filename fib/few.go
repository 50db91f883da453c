package fib

import "slices"

// A few is a set of up to fewMax prefixes, longest first: a small table, or what
// hangs below one slot of a node where it is thin. Most Nets have three to eight
// routes, for which nodes would be both larger and slower; and in a large table
// one scan of a line or two costs less than another level. Once published it is
// never written again.
type few []cell

const fewMax = 16

// A cell is a prefix and the routes for it.
type cell struct {
	key   key
	chain *alias
	plen  uint8
}

// order sorts longest first, and by address among equals.
func (c cell) order(d cell) int {
	switch {
	case c.plen != d.plen:
		return int(d.plen) - int(c.plen)
	case c.key == d.key:
		return 0
	case c.key.less(d.key):
		return -1
	}
	return 1
}

// lookup returns the longest prefix of at most most bits that covers k, or nil.
func (f few) lookup(k key, most uint8) *cell {
	for i := range f {
		if c := &f[i]; c.plen <= most && k.agree(c.key, c.plen) {
			return c
		}
	}
	return nil
}

// get returns the routes of exactly this prefix, or nil.
func (f few) get(k key, plen uint8) *alias {
	for i := range f {
		if f[i].plen == plen && f[i].key == k {
			return f[i].chain
		}
	}
	return nil
}

// set returns a few with c in it, which may be one too many.
func (f few) set(c cell) few {
	i, found := slices.BinarySearchFunc(f, c, cell.order)
	return put(f, i, c, found)
}

// drop returns a few without the prefix, which is in it.
func (f few) drop(k key, plen uint8) few {
	i, _ := slices.BinarySearchFunc(f, cell{key: k, plen: plen}, cell.order)
	return cut(f, i)
}

// edit returns a few in which the routes of each cell are what g says, nil
// taking it out. It is f itself if g changes nothing.
func (f few) edit(g func(cell) *alias) (out few, same bool) {
	for i, c := range f {
		if chain := g(c); chain != c.chain { // most edits change nothing, and make nothing then
			return f.editFrom(i, chain, g), false
		}
	}
	return f, true
}

// editFrom is edit from the i-th cell on, whose chain becomes that.
func (f few) editFrom(i int, chain *alias, g func(cell) *alias) (out few) {
	out = append(out, f[:i]...)
	for {
		if c := f[i]; chain != nil {
			c.chain = chain
			out = append(out, c)
		}
		if i++; i == len(f) {
			return slices.Clip(out)
		}
		chain = g(f[i])
	}
}

// grow makes a node of cells that are too many for a few.
func (f few) grow() *node {
	shared := f[0].plen
	for _, c := range f {
		shared = min(shared, c.plen, c.key.common(f[0].key))
	}
	n := nodeAt(f[0].key, shared)
	for _, c := range f {
		n = n.set(c)
	}
	return n
}

// put returns a copy of s with v in place of the ith, or inserted before it.
func put[S ~[]T, T any](s S, i int, v T, over bool) S {
	k := i
	if over {
		k++
	}
	c := make(S, len(s)+1+i-k)
	copy(c, s[:i])
	c[i] = v
	copy(c[i+1:], s[k:])
	return c
}

// cut returns a copy of s without the ith.
func cut[S ~[]T, T any](s S, i int) S {
	if len(s) == 1 {
		return nil
	}
	c := make(S, len(s)-1)
	copy(c, s[:i])
	copy(c[i:], s[i+1:])
	return c
}
