package advise

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"

	"nsmodel/bench"
)

// A Latency is what one load takes that waits for the one before, by the size of
// the memory that the loads go through: the levels of the cache without guessing
// how many there are.
type Latency struct {
	Bytes []float64 `json:"bytes"` // rising
	NS    []float64 `json:"ns"`    // never falling
}

// At returns ns for so many bytes: between two measured sizes a line in the
// logarithm of the size, outside the nearest.
func (l *Latency) At(bytes float64) float64 {
	k := len(l.Bytes)
	if k == 0 {
		return 0
	}
	i := sort.SearchFloat64s(l.Bytes, bytes)
	switch {
	case i == 0:
		return l.NS[0]
	case i == k:
		return l.NS[k-1]
	}
	share := math.Log(bytes/l.Bytes[i-1]) / math.Log(l.Bytes[i]/l.Bytes[i-1])
	return l.NS[i-1] + share*(l.NS[i]-l.NS[i-1])
}

// line is a cache line of the ring that measures latency.
type line struct {
	next *line
	_    [56]byte
}

// measureLatency walks rings of lines in random order, of 8 KiB to the most bytes.
func measureLatency(most int, slice time.Duration) Latency {
	var l Latency
	rng := rand.New(rand.NewPCG(1, 2))
	for size := 8 << 10; size <= most; size *= 2 {
		lines := make([]line, size/64)
		order := rng.Perm(len(lines))
		for i, at := range order {
			lines[at].next = &lines[order[(i+1)%len(order)]]
		}
		at := &lines[0]
		walk := func(k int) {
			for range k {
				at = at.next
			}
		}
		walk(len(lines))
		ns := math.Inf(1)
		for range 3 { // the least: whatever else runs can only add
			steps, start := 0, bench.ThreadTime()
			for bench.ThreadTime()-start < slice {
				walk(4096)
				steps += 4096
			}
			ns = min(ns, float64(bench.ThreadTime()-start)/float64(steps))
		}
		if at == nil {
			panic("advise: a ring has an end")
		}
		if k := len(l.NS); k > 0 {
			ns = max(ns, l.NS[k-1])
		}
		l.Bytes, l.NS = append(l.Bytes, float64(size)), append(l.NS, ns)
	}
	return l
}
