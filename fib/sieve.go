package fib

// A sieve tells what is surely not in a brief, so that a lookup that would find
// nothing there need not read it. It has a bit for each value of the stride bits
// that follow the slot's own: it is set if a prefix of the brief covers, or lies
// in, what begins so.
type sieve uint64

// sieve returns that of a brief below a slot of a node at pos.
func (b brief) sieve(pos uint8) (v sieve) {
	for _, m := range b {
		first := m.cell().key.hi >> sieveShift(pos) & (1<<stride - 1)
		many := uint64(1) // values that the prefix leaves open
		if free := int(pos) + 2*stride - int(m.plen()); free > 0 {
			many = 1 << free
		}
		v |= (1<<many - 1) << first
	}
	return v
}

// passes reports whether an address with those first 64 bits may be covered.
func (v sieve) passes(hi uint64, pos uint8) bool {
	return v>>(hi>>sieveShift(pos)&(1<<stride-1))&1 != 0
}

// sieveShift is how far right the stride bits behind a slot's have to go. What is
// brief has at most briefMax bits, so they are all in the upper word but the
// compiler, which cannot know, need not ask.
func sieveShift(pos uint8) uint8 { return (64 - 2*stride - pos) & 63 }
