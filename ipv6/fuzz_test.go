package ipv6

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

func itoa(i int) string { return strconv.Itoa(i) }

// A naive reassembler keeps a map of octets, each with the number of the run
// that it belongs to.
type naive struct {
	b    map[int]byte
	run  map[int]int
	runs int
	size int
	last bool
}

// take returns the datagram that a fragment completes.
func (o *naive) take(off int, data []byte, more bool) []byte {
	end := off + len(data)
	if end > wire.IPv6MaxLen || more && end%8 != 0 {
		return nil
	}
	max := 0
	for at := range o.b {
		if at+1 > max {
			max = at + 1
		}
	}
	switch {
	case !more && (end < o.size || o.last && end != o.size), more && end > o.size && o.last, len(data) == 0:
		*o = naive{}
		return nil
	}
	if !more {
		o.last = true
	}
	if end > o.size {
		o.size = end
	}
	have, runs := 0, map[int]bool{}
	for at := off; at < end; at++ {
		if _, ok := o.b[at]; ok {
			have++
			runs[o.run[at]] = true
		}
	}
	switch {
	case have == len(data) && len(runs) == 1:
		return nil
	case have > 0:
		*o = naive{}
		return nil
	}
	if o.b == nil {
		o.b, o.run = map[int]byte{}, map[int]int{}
	}
	if off != max || len(o.b) == 0 {
		o.runs++
	}
	id := o.runs
	if off == max && len(o.b) > 0 {
		id = o.run[max-1]
	}
	for i, c := range data {
		o.b[off+i], o.run[off+i] = c, id
	}
	if !o.last || len(o.b) != o.size {
		return nil
	}
	whole := make([]byte, o.size)
	for at, c := range o.b {
		whole[at] = c
	}
	*o = naive{}
	return whole
}

// fragmentsOracle sends pieces of a few datagrams to two Nets, which may
// disagree, overlap, repeat and end where they should not.
func fragmentsOracle(t *rapid.T) {
	m := newMachine(t, rapid.SampledFrom([]netns.Placement{netns.Tagged, netns.Replicated}).Draw(t, "place"))
	got := collect(m)
	type key struct {
		net int
		id  uint32
	}
	payload := [2][]byte{counted(96), bytes.Repeat([]byte{0xee}, 96)}
	a, b := m.net("a"), m.net("b")
	devs := []*core.Device{m.device(a, "in", &tapDriver{}, 1, us+"/64"), m.device(b, "in", &tapDriver{}, 1, us+"/64")}
	oracles := map[key]*naive{}
	for range rapid.IntRange(1, 30).Draw(t, "fragments") {
		k := key{rapid.IntRange(0, 1).Draw(t, "net"), rapid.Uint32Range(1, 2).Draw(t, "id")}
		if oracles[k] == nil {
			oracles[k] = &naive{}
		}
		units := rapid.IntRange(0, 5).Draw(t, "off")
		c := piece{off: units * 8, more: rapid.IntRange(0, 3).Draw(t, "more") > 0}
		c.end = c.off + rapid.OneOf(rapid.SampledFrom([]int{0, 8, 16, 24}), rapid.IntRange(0, 48)).Draw(t, "len")
		of := payload[rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "payload")]
		if c.off == 0 && (!c.more || c.end == 0) { // it is whole, or has no transport
			continue
		}
		before := len(*got)
		m.receive(devs[k.net], c.packet(k.id, of))
		want := oracles[k].take(c.off, of[c.off:c.end], c.more)
		switch {
		case want == nil && len(*got) != before, want != nil && len(*got) != before+1:
			t.Fatalf("%+v: %d datagrams, want %x", c, len(*got)-before, want)
		case want != nil && !bytes.Equal((*got)[before], want):
			t.Fatalf("%+v: %x, want %x", c, (*got)[before], want)
		}
	}
	m.advance(2 * time.Minute)
	for _, n := range []*netns.Net{a, b} {
		if l := m.core.Ledger(n); !l.Balanced() || l.Held != 0 {
			t.Fatalf("%v", l)
		}
	}
}

func TestReassemblyOracle(t *testing.T) { rapid.Check(t, fragmentsOracle) }

func FuzzFragments(f *testing.F) { f.Fuzz(rapid.MakeFuzz(fragmentsOracle)) }
