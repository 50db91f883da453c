package fib

import (
	"net/netip"

	"nsmodel/core"
)

// A hint says over which devices routes may go, and which source addresses they may
// prefer: a bit for each, that others share. What has no bit here is not there; what
// has one may be, for a route that is taken away leaves its bits until its node is
// edited. So the events of a device go where its routes are, and past all others.
//
// Linux: fib_info_devhash and fib_info_laddrhash find infos by device and by source;
// whoever finds any then walks the whole trie (fib_table_flush).
type hint [4]uint64

// Devices have the lower half of the bits, sources the upper.
const hintHalf = 128

// meets reports whether what want asks for may be in m. The zero want asks for all.
func (m *hint) meets(want hint) bool {
	if want == (hint{}) {
		return true
	}
	for i := range m {
		if m[i]&want[i] != 0 {
			return true
		}
	}
	return false
}

func (m *hint) add(o hint) {
	for i := range m {
		m[i] |= o[i]
	}
}

func (m *hint) set(bit uint) { m[bit/64] |= 1 << (bit % 64) }

// via is the hint of routes over d, whose index stays while there are any.
func via(d *core.Device) (m hint) {
	m.set(uint(d.Index()) % hintHalf)
	return m
}

// preferring is the hint of routes that prefer a source; without one they have none.
func preferring(src netip.Addr) (m hint) {
	if !src.IsValid() {
		return m
	}
	var h uint64
	for _, b := range src.As16() {
		h = (h ^ uint64(b)) * 0x9e3779b97f4a7c15
	}
	m.set(hintHalf + uint(h>>57))
	return m
}

// hint is that of all routes of a chain.
func (a *alias) hint() (m hint) {
	for ; a != nil; a = a.next {
		if multi := a.info.multi; multi != nil {
			for i := range multi.hops {
				m.add(via(multi.hops[i].Dev))
			}
		} else if d := a.info.hop.Dev; d != nil {
			m.add(via(d))
		}
		m.add(preferring(a.info.src))
	}
	return m
}

// sum computes n's hint anew.
func (n *node) sum() (m hint) {
	var last *alias // neighbours often share one
	add := func(a *alias) {
		if a != last {
			m.add(a.hint())
			last = a
		}
	}
	for _, a := range n.at {
		add(a)
	}
	for i := range n.marks {
		add(n.marks[i].chain)
	}
	for _, f := range n.few {
		for i := range f {
			add(f[i].chain)
		}
	}
	for _, kid := range n.kids {
		m.add(kid.hint)
	}
	return m
}
