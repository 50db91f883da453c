package netns

import (
	"fmt"
	"testing"
)

// places are the two placements that every test of a table runs under.
var places = []Placement{Tagged, Replicated}

// shapes are configurations that nobody may be able to tell apart.
var shapes = []struct {
	name string
	c    Config
}{
	{"plain", Config{Seed: 1}},
	{"walk", Config{Seed: 1, Walk: true}},
	{"collide", Config{Seed: 1, Collide: true}},
	{"one bucket", Config{Seed: 1, Buckets: 1}},
	{"three buckets, walk", Config{Seed: 1, Buckets: 3, Walk: true}},
}

// forms calls f for each placement and shape.
func forms(t *testing.T, f func(t *testing.T, c Config, place Placement)) {
	for _, shape := range shapes {
		for _, place := range places {
			t.Run(fmt.Sprintf("%s/%s", shape.name, place), func(t *testing.T) { f(t, shape.c, place) })
		}
	}
}

func boot(t testing.TB, s *System) *System {
	t.Helper()
	if err := s.Boot(); err != nil {
		t.Fatal(err)
	}
	return s
}

// add makes a Net with rtnl taken for it.
func add(t testing.TB, s *System, name string) *Net {
	t.Helper()
	s.Lock()
	defer s.Unlock()
	n, err := s.NewNet(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// kill deletes a named Net and reaps.
func kill(t testing.TB, s *System, name string) {
	t.Helper()
	s.Lock()
	defer s.Unlock()
	if err := s.Delete(name); err != nil {
		t.Fatal(err)
	}
	s.Reap()
}

// key is a 16-byte key, as an IPv4 connection's.
type key struct{ src, dst, ports, proto uint32 }

func sumKey(k key) uint64 {
	return (uint64(k.src)<<32|uint64(k.dst))*0x9e3779b97f4a7c15 ^ (uint64(k.ports)<<32|uint64(k.proto))*0xc2b2ae3d27d4eb4f
}

func sumInt(k int) uint64 { return uint64(k) * 0x9e3779b97f4a7c15 }

// hanging counts the entries that hang in the chains of n's home, by tag: what a
// reader could stumble over, whatever the lists say.
func hanging[K comparable, V any](tb *Table[K, V], n *Net) map[ID]int {
	count := map[ID]int{}
	chains := *tb.slot.Of(n).chains.Load()
	for i := range chains {
		for e := chains[i].Load(); e != nil; e = e.next.Load() {
			count[e.net]++
		}
	}
	return count
}

// isBare reports whether n has no shelf of its own.
func isBare(n *Net) bool {
	for i := range n.shelves {
		if n.shelves[i].Load() != &n.sys.template[i] {
			return false
		}
	}
	return true
}
