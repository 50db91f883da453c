package netns

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// stream is a Net's own source of randomness, seeded at the first draw.
type stream struct {
	mu     sync.Mutex
	seeded bool
	pcg    rand.PCG
}

// Uint64 draws 64 bits from n's own stream. The stream depends on the System's
// seed and n's name (on its ID only if n is anonymous), so a neighbour's existence
// or its draws never shift it. It may be called from any goroutine.
//
// Linux: get_random_u64, which all Nets share.
func (n *Net) Uint64() uint64 {
	n.stream.mu.Lock()
	defer n.stream.mu.Unlock()
	return n.draw()
}

// Uint64N draws a number below k, each with the same chance, from n's own stream;
// 0 if k is 0. It may be called from any goroutine. Linux: get_random_u32_below.
func (n *Net) Uint64N(k uint64) uint64 {
	if k == 0 {
		return 0
	}
	n.stream.mu.Lock()
	defer n.stream.mu.Unlock()
	// The high half of draw*k is uniform once the 2^64 mod k lowest values of
	// the low half are drawn again (Lemire, "Fast random integer generation in
	// an interval", 2019).
	high, low := bits.Mul64(n.draw(), k)
	if low < k {
		for short := -k % k; low < short; {
			high, low = bits.Mul64(n.draw(), k)
		}
	}
	return high
}

// draw needs stream.mu.
func (n *Net) draw() uint64 {
	if !n.stream.seeded {
		n.stream.seeded = true
		n.stream.pcg = *rand.NewPCG(n.digest(0), n.digest(1))
	}
	return n.stream.pcg.Uint64()
}

// digest turns (seed, name) into 64 bits, different for each half. A digest is
// enough: nobody gains by choosing a name whose stream another name has.
func (n *Net) digest(half byte) uint64 {
	var text [2*8 + 2]byte
	binary.LittleEndian.PutUint64(text[0:], n.sys.config.Seed)
	text[8] = half
	if n.name == "" {
		text[9] = 1 // no name digests like a number
		binary.LittleEndian.PutUint64(text[10:], uint64(n.id))
		return xxhash.Sum64(text[:])
	}
	return xxhash.Sum64(append(text[:10:10], n.name...))
}
