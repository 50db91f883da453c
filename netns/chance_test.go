package netns

import (
	"sync"
	"testing"
)

func draws(n *Net) (list [8]uint64) {
	for i := range list {
		list[i] = n.Uint64()
	}
	return list
}

// A Net's stream depends on the seed and its name alone.
func TestStreams(t *testing.T) {
	alone := boot(t, New(Config{Seed: 1}))
	want := draws(add(t, alone, "n"))

	among := boot(t, New(Config{Seed: 1}))
	a := add(t, among, "a")
	first := a.Uint64()
	n := add(t, among, "n")
	var got [8]uint64
	for i := range got {
		a.Uint64N(10)
		got[i] = n.Uint64()
	}
	if got != want {
		t.Error("a neighbour shifts the stream")
	}
	if first == want[0] {
		t.Error("two names, one stream")
	}
	kill(t, among, "n")
	if draws(add(t, among, "n")) != want {
		t.Error("the name's next bearer draws otherwise")
	}
	other := boot(t, New(Config{Seed: 2}))
	if draws(add(t, other, "n")) == want {
		t.Error("two seeds, one stream")
	}
	x, y := add(t, among, ""), add(t, among, "")
	if draws(x) == draws(y) || draws(among.Init()) == draws(y) {
		t.Error("two anonymous Nets, one stream")
	}
	if draws(alone.Init()) != draws(boot(t, New(Config{Seed: 1})).Init()) {
		t.Error("the initial Net's stream is not the seed's")
	}
}

// The stream is pinned: a change of it changes every transcript on file.
func TestStreamIsPinned(t *testing.T) {
	s := boot(t, New(Config{Seed: 42}))
	if got := add(t, s, "blue").Uint64(); got != 0xbd0dfd6f8ec8ad1b {
		t.Errorf("%#x", got)
	}
}

func TestUint64N(t *testing.T) {
	n := boot(t, New(Config{Seed: 1})).Init()
	for _, k := range []uint64{0, 1, 2, 3, 1 << 40, 1<<63 + 1} {
		for range 200 {
			if got := n.Uint64N(k); got >= max(k, 1) {
				t.Errorf("Uint64N(%d) = %d", k, got)
			}
		}
	}
	// With k = 3<<62 a plain multiplication would make the values 0 mod 3 twice
	// as frequent as the others.
	const k, count = 3 << 62, 30_000
	var thirds [3]int
	for range count {
		thirds[n.Uint64N(k)%3]++
	}
	for i, got := range thirds {
		if got < count/3-600 || got > count/3+600 {
			t.Errorf("%d: %d of %d", i, got, count)
		}
	}
}

func TestDrawsFromManyGoroutines(t *testing.T) {
	s := boot(t, New(Config{Seed: 1}))
	n, twin := add(t, s, "n"), add(t, boot(t, New(Config{Seed: 1})), "n")
	var seen sync.Map
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if _, dup := seen.LoadOrStore(n.Uint64(), true); dup {
					t.Error("drawn twice")
				}
			}
		})
	}
	wg.Wait()
	for range 400 {
		if _, ok := seen.Load(twin.Uint64()); !ok {
			t.Error("a draw was lost")
		}
	}
}
