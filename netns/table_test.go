package netns

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// Readers lose nothing while a table grows under them, entries are replaced, and a
// neighbour's come and go.
func TestReadersDuringGrowth(t *testing.T) {
	for _, place := range places {
		t.Run(place.String(), func(t *testing.T) {
			s := New(Config{})
			tb := NewTable[int, int](s, "t", place, sumInt)
			boot(t, s)
			n, other := s.Init(), add(t, s, "other")
			const stay, grow = 50, 5000
			for k := range stay {
				if err := tb.Add(n, k, k); err != nil {
					t.Fatal(err)
				}
			}
			var stop atomic.Bool
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					for !stop.Load() {
						for k := range stay {
							if v, ok := tb.Get(n, k); !ok || v%1000 != k {
								t.Errorf("get %d: %d, %t", k, v, ok)
								return
							}
						}
					}
				})
			}
			for k := range grow {
				if err := tb.Add(n, stay+k, 0); err != nil {
					t.Fatal(err)
				}
				if err := tb.Set(n, k%stay, 1000*k+k%stay); err != nil {
					t.Fatal(err)
				}
				tb.Add(other, k%stay, -1)
				tb.Delete(other, (k+7)%stay)
			}
			stop.Store(true)
			wg.Wait()
			if got := len(*tb.slot.Of(n).chains.Load()); got < grow {
				t.Errorf("%d chains for %d entries: it did not grow", got, grow)
			}
			if tb.Len(n) != stay+grow {
				t.Errorf("len %d", tb.Len(n))
			}
		})
	}
}

// The order of Add survives growth, Set and Delete, whatever the table looks like.
func TestAllInOrderOfAdd(t *testing.T) {
	forms(t, func(t *testing.T, c Config, place Placement) {
		s := New(c)
		tb := NewTable[int, string](s, "t", place, sumInt)
		boot(t, s)
		nets := []*Net{s.Init(), add(t, s, "a"), add(t, s, "b")}
		const count = 300
		for i := range count {
			for j, n := range nets {
				if err := tb.Add(n, (i*7+j)%count, fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for j, n := range nets {
			tb.Delete(n, (5*7+j)%count)
			if err := tb.Set(n, (6*7+j)%count, "six"); err != nil {
				t.Fatal(err)
			}
			i := 0
			for k, v := range tb.All(n) {
				if i == 5 {
					i++ // the one deleted
				}
				want := fmt.Sprint(i)
				if i == 6 {
					want = "six"
				}
				if k != (i*7+j)%count || v != want {
					t.Fatalf("net %d: at %d stands %d=%s", j, i, k, v)
				}
				i++
			}
			if i != count {
				t.Errorf("net %d: %d entries", j, i)
			}
		}
	})
}

func TestAllIsASnapshot(t *testing.T) {
	s := New(Config{})
	tb := NewTable[int, int](s, "t", Tagged, sumInt)
	n := boot(t, s).Init()
	for k := range 5 {
		tb.Add(n, k, k)
	}
	seen := 0
	for k := range tb.All(n) {
		tb.Delete(n, k)
		tb.Add(n, k+100, k)
		if seen++; seen == 4 {
			break
		}
	}
	if seen != 4 || tb.Len(n) != 5 {
		t.Errorf("saw %d, left %d", seen, tb.Len(n))
	}
}

func TestFixedBuckets(t *testing.T) {
	for buckets, want := range map[int]int{1: 1, 2: 2, 3: 4, 64: 64, 65: 128} {
		for _, place := range places {
			s := New(Config{Buckets: buckets})
			tb := NewTable[int, int](s, "t", place, sumInt)
			n := boot(t, s).Init()
			for k := range 300 {
				if err := tb.Add(n, k, k); err != nil {
					t.Fatal(err)
				}
			}
			if got := len(*tb.slot.Of(n).chains.Load()); got != want {
				t.Errorf("%s, %d asked for: %d buckets, want %d", place, buckets, got, want)
			}
		}
	}
}

func TestCap(t *testing.T) {
	forms(t, func(t *testing.T, c Config, place Placement) {
		s := New(c)
		tb := NewTable[int, int](s, "t", place, sumInt)
		boot(t, s)
		n, other := add(t, s, "n"), add(t, s, "other")
		for k := range 50 { // a neighbour's entries count for nothing
			if err := tb.Add(other, k, 0); err != nil {
				t.Fatal(err)
			}
		}
		for _, st := range []struct {
			do   string
			arg  int
			want error
		}{
			{"cap", 2, nil},
			{"add", 1, nil},
			{"add", 2, nil},
			{"add", 3, syscall.ENOBUFS},
			{"add", 1, syscall.EEXIST}, // not ENOBUFS: nothing would be added
			{"set", 1, nil},            // replaces
			{"set", 3, syscall.ENOBUFS},
			{"delete", 1, nil},
			{"add", 3, nil},
			{"cap", 1, nil}, // lowered: what is there stays
			{"add", 4, syscall.ENOBUFS},
			{"cap", 0, nil},
			{"add", 4, nil},
		} {
			var err error
			switch st.do {
			case "cap":
				tb.SetCap(n, st.arg)
			case "add":
				err = tb.Add(n, st.arg, 0)
			case "set":
				err = tb.Set(n, st.arg, 0)
			case "delete":
				tb.Delete(n, st.arg)
			}
			if err != st.want {
				t.Fatalf("%s %d: %v, want %v", st.do, st.arg, err, st.want)
			}
		}
		if tb.Len(n) != 3 {
			t.Errorf("len %d", tb.Len(n))
		}
		if idle := add(t, s, "idle"); place == Replicated {
			tb.SetCap(idle, 7)
			if tb.slot.Of(idle) != tb.slot.empty {
				t.Error("a cap alone built a home")
			}
		}
	})
}

// The sweep leaves nothing of the dead Net and all of the living one; then the
// table refuses, and what is left of the Net reads as empty.
func TestSweep(t *testing.T) {
	forms(t, func(t *testing.T, c Config, place Placement) {
		s := New(c)
		tb := NewTable[int, int](s, "t", place, sumInt)
		boot(t, s)
		dead, other := add(t, s, "dead"), add(t, s, "other")
		dead.HoldMemory()
		const count = 200
		for k := range count {
			if tb.Add(dead, k, k) != nil || tb.Add(other, k, -k) != nil {
				t.Fatal("add")
			}
		}
		home := tb.slot.Of(dead)
		kill(t, s, "dead")

		for i, chains := 0, *home.chains.Load(); i < len(chains); i++ {
			for e := chains[i].Load(); e != nil; e = e.next.Load() {
				if e.net == dead.id {
					t.Fatalf("%d still hangs", e.key)
				}
			}
		}
		if want := map[Placement]int{Tagged: count}[place]; home.size != want {
			t.Errorf("size %d, want %d", home.size, want)
		}
		if got := hanging(tb, other)[other.id]; got != count {
			t.Errorf("the other has %d left", got)
		}
		for k := range count {
			if v, ok := tb.Get(other, k); !ok || v != -k {
				t.Fatalf("the other lost %d", k)
			}
		}
		for range 2 { // before and after its memory goes
			if err := tb.Add(dead, 1, 1); err != syscall.ESRCH {
				t.Errorf("add to the dead: %v", err)
			}
			if err := tb.Set(dead, 1, 1); err != syscall.ESRCH {
				t.Errorf("set to the dead: %v", err)
			}
			if _, ok := tb.Get(dead, 1); ok || tb.Len(dead) != 0 || len(pairs(tb, dead)) != 0 {
				t.Error("the dead holds something")
			}
			if _, ok := tb.Delete(dead, 1); ok {
				t.Error("deleted from the dead")
			}
			if dead.memory.Load() == 1 {
				dead.PutMemory()
			}
		}
		if dead.homes.Load() != &s.template || dead.accounts.Load() != nil {
			t.Error("the dead keeps its homes")
		}
	})
}

// An Add that races with the sweep is swept or refused.
func TestAddAgainstSweep(t *testing.T) {
	for _, walk := range []bool{false, true} {
		for _, place := range places {
			s := New(Config{Walk: walk})
			tb := NewTable[int, int](s, "t", place, sumInt)
			boot(t, s)
			for round := range 100 {
				n := add(t, s, "n")
				n.HoldMemory()
				tb.Add(n, -1, 0)
				home := tb.slot.Of(n)
				var wg sync.WaitGroup
				wg.Go(func() {
					for k := 0; tb.Add(n, k, k) == nil; k++ {
					}
				})
				kill(t, s, "n")
				wg.Wait()
				if home.size != 0 {
					t.Fatalf("%s, walk %t, round %d: %d entries outlived their Net", place, walk, round, home.size)
				}
				n.PutMemory()
			}
		}
	}
}

// Writers of many Nets at once: each Net ends up with just its own.
func TestConcurrentWriters(t *testing.T) {
	for _, place := range places {
		t.Run(place.String(), func(t *testing.T) {
			s := New(Config{})
			a := NewTable[int, int](s, "a", place, sumInt)
			b := NewTable[int, int](s, "b", place, sumInt)
			boot(t, s)
			n := s.Init()
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Go(func() {
					tb := []*Table[int, int]{a, b}[w%2]
					for k := range 500 {
						if err := tb.Add(n, 4*k+w, w); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if a.Len(n) != 1000 || b.Len(n) != 1000 || len(pairs(a, n)) != 1000 {
				t.Errorf("len %d and %d", a.Len(n), b.Len(n))
			}
		})
	}
}

func TestReadingIsFree(t *testing.T) {
	forms(t, func(t *testing.T, c Config, place Placement) {
		s := New(c)
		tb := NewTable[key, int](s, "t", place, sumKey)
		keyed := NewTable[key, int](s, "keyed", place, Keyed[key]())
		cell := NewCell(s, "cell", place, func(*Net) *int { return new(int) })
		slot := Register(s, Ops[int]{Name: "slot", Place: place, Make: func() *int { return new(int) }})
		boot(t, s)
		n, idle := add(t, s, "n"), add(t, s, "idle")
		k := key{1, 2, 3, 4}
		tb.Add(n, k, 1)
		keyed.Add(n, k, 1)
		cell.Own(n)
		for name, f := range map[string]func(){
			"Get":         func() { tb.Get(n, k) },
			"Get, keyed":  func() { keyed.Get(n, k) },
			"Get, absent": func() { tb.Get(idle, k) },
			"Slot.Of":     func() { slot.Of(n) },
			"Cell.Of":     func() { cell.Of(n); cell.Of(idle) },
			"Cell.Own":    func() { cell.Own(n) },
			"Len":         func() { tb.Len(n) },
			"Uint64":      func() { n.Uint64() },
			"Hold, Put":   func() { n.Hold(); n.Put() },
		} {
			if got := testing.AllocsPerRun(100, f); got != 0 {
				t.Errorf("%s: %v allocations", name, got)
			}
		}
	})
}

func TestKeyedSecretsDiffer(t *testing.T) {
	a, b := Keyed[key](), Keyed[key]()
	k := key{1, 2, 3, 4}
	if a(k) == b(k) {
		t.Error("two tables hash alike")
	}
	if a(k) != a(k) {
		t.Error("one table hashes one key two ways")
	}
}
