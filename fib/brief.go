package fib

import (
	"math/bits"
	"slices"
)

// A brief is a few of which no prefix is longer than briefMax bits, at half the
// size: what hangs below a slot of a large table nearly always, and what a lookup
// there scans. Once published it is never written again.
type brief []mark

// A mark is a cell: the upper 56 bits of the prefix and its length in one word.
type mark struct {
	tag   uint64
	chain *alias
}

// briefMax leaves the length a byte.
const briefMax = 56

func (m mark) plen() uint8 { return uint8(m.tag) }

// agrees reports whether the prefix covers an address with those first 64 bits.
// The length, in the lowest byte, is shifted out.
func (m mark) agrees(hi uint64) bool { return (hi^m.tag)>>(64-uint8(m.tag)) == 0 }

func (m mark) cell() cell { return cell{key{hi: m.tag &^ 0xff}, m.chain, m.plen()} }

// brief returns f as a brief, nil if it is empty or has a longer prefix.
func (f few) brief() brief {
	if len(f) == 0 || f[0].plen > briefMax { // the longest is the first
		return nil
	}
	b := make(brief, len(f))
	for i, c := range f {
		b[i] = mark{c.key.hi | uint64(c.plen), c.chain}
	}
	return b
}

// few returns b as a few.
func (b brief) few() few {
	f := make(few, len(b), len(b)+1)
	for i, m := range b {
		f[i] = m.cell()
	}
	return f
}

// lookup returns the longest prefix that covers an address with those first 64
// bits, or nil.
func (b brief) lookup(hi uint64) *mark {
	for i := range b {
		if m := &b[i]; m.agrees(hi) {
			return m
		}
	}
	return nil
}

// below is lookup among prefixes of at most most bits.
func (b brief) below(hi uint64, most uint8) *mark {
	for i := range b {
		if m := &b[i]; m.plen() <= most && m.agrees(hi) {
			return m
		}
	}
	return nil
}

// get returns the routes of exactly this prefix, or nil.
func (b brief) get(k key, plen uint8) *alias {
	if plen > briefMax {
		return nil
	}
	for i := range b {
		if b[i].tag == k.hi|uint64(plen) {
			return b[i].chain
		}
	}
	return nil
}

// edit is few.edit; same means that g changes nothing, and out is nil then.
func (b brief) edit(g func(cell) *alias) (out few, same bool) {
	for i, m := range b {
		if chain := g(m.cell()); chain != m.chain {
			return b.few().editFrom(i, chain, g), false
		}
	}
	return nil, true
}

// fewAt returns what hangs below slot s if that is few, else nil.
func (n *node) fewAt(s uint) few {
	switch {
	case n.leaf>>s&1 != 0:
		return n.brief(s).few()
	case n.wide>>s&1 != 0:
		return n.few[rank(n.wide, s)]
	}
	return nil
}

// leave puts f below slot s, in its form, in place of what few is there; none if
// f is empty. n is not yet published.
func (n *node) leave(s uint, f few) {
	i, had := rank(n.wide, s), n.wide>>s&1 != 0
	b := f.brief()
	n.splice(s, b)
	switch {
	case b == nil && len(f) > 0:
		n.few, n.wide = put(n.few, i, f, had), n.wide|1<<s
	case had:
		n.few, n.wide = cut(n.few, i), n.wide&^(1<<s)
	}
}

// brief returns what is brief below slot s.
func (n *node) brief(s uint) brief { return n.marks[n.from[s]:n.from[s+1]] }

// splice puts b in place of the brief of slot s; either may be empty.
func (n *node) splice(s uint, b brief) {
	lo, hi := n.from[s], n.from[s+1]
	if len(b) == 0 && lo == hi {
		return
	}
	marks := make(brief, len(n.marks)+len(b)-int(hi-lo))
	copy(marks, n.marks[:lo])
	copy(marks[lo:], b)
	copy(marks[int(lo)+len(b):], n.marks[hi:])
	for i := s + 1; i < uint(len(n.from)); i++ {
		n.from[i] += uint16(len(b)) - (hi - lo)
	}
	i := rank(n.leaf, s)
	if len(b) > 0 {
		n.sieve, n.leaf = put(n.sieve, i, b.sieve(n.pos), lo < hi), n.leaf|1<<s
	} else {
		n.sieve, n.leaf = cut(n.sieve, i), n.leaf&^(1<<s)
	}
	n.marks = marks
}

// editFew edits the few below slot s into m, which has none from there on, and
// reports whether it is the same.
func (n *node) editFew(m *node, s uint, g func(cell) *alias) bool {
	if n.wide>>s&1 != 0 {
		f, same := n.few[rank(n.wide, s)].edit(g)
		m.hang(s, f)
		return same
	}
	b := n.brief(s)
	f, same := b.edit(g)
	if same {
		m.append(s, b)
		return true
	}
	m.hang(s, f)
	return false
}

// hang is leave where there is nothing yet in slot s nor behind it, and counts.
func (n *node) hang(s uint, f few) {
	if b := f.brief(); b != nil {
		n.append(s, b)
	} else if len(f) > 0 {
		n.few, n.wide, n.n = append(n.few, f), n.wide|1<<s, n.n+int32(len(f))
	}
}

// append is hang of a brief. Where the slots behind s begin, end says.
func (n *node) append(s uint, b brief) {
	for i := uint(bits.Len64(n.leaf)); i <= s; i++ {
		n.from[i] = uint16(len(n.marks))
	}
	n.marks, n.leaf, n.n = append(n.marks, b...), n.leaf|1<<s, n.n+int32(len(b))
	n.sieve = append(n.sieve, b.sieve(n.pos))
}

// end closes what was hung.
func (n *node) end() {
	for i := bits.Len64(n.leaf); i < len(n.from); i++ {
		n.from[i] = uint16(len(n.marks))
	}
	n.at, n.few, n.marks, n.kids = slices.Clip(n.at), slices.Clip(n.few), slices.Clip(n.marks), slices.Clip(n.kids)
	n.sieve = slices.Clip(n.sieve)
}
