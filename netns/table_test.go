package netns

import (
	"fmt"
	"slices"
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

// What is known to be new is filed as by Add: found, in order, counted, capped,
// swept with its Net, and refused once that has exited.
func TestAddNew(t *testing.T) {
	forms(t, func(t *testing.T, c Config, place Placement) {
		s := New(c)
		tb := NewTable[int, int](s, "t", place, sumInt)
		boot(t, s)
		n, other := add(t, s, "n"), add(t, s, "other")
		for k := range 50 {
			for i, who := range []*Net{n, other} {
				if err := tb.AddNew(who, k, 2*k+i); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := tb.Add(n, 7, 0); err != syscall.EEXIST {
			t.Errorf("the same again: %v", err)
		}
		next := 0
		for k, v := range tb.All(n) {
			if got, ok := tb.Get(n, k); k != next || v != 2*k || !ok || got != v {
				t.Errorf("entry %d is %d = %d, looked up %d %v", next, k, v, got, ok)
			}
			next++
		}
		tb.SetCap(n, 50)
		if err := tb.AddNew(n, 50, 0); err != syscall.ENOBUFS || next != 50 || tb.Len(n) != 50 {
			t.Errorf("beyond the cap: %v; %d entries, Len %d", err, next, tb.Len(n))
		}
		kill(t, s, "n")
		if _, ok := tb.Get(other, 49); !ok || tb.Len(n) != 0 {
			t.Errorf("n's end leaves it %d entries, other's are there: %v", tb.Len(n), ok)
		}
		if err := tb.AddNew(n, 1, 1); err != syscall.ESRCH {
			t.Errorf("in a Net that has exited: %v", err)
		}
	})
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
			tb.SetCap(idle, 0)
			if tb.slot.Of(idle) != tb.slot.empty {
				t.Error("no cap built a home")
			}
		}
	})
}

// Publish, never patch: a reader who is on the old chains, or stands on an entry
// that is unlinked or replaced, still finds every other one that was there.
func TestOldChainsStayWhole(t *testing.T) {
	for _, place := range places {
		s := New(Config{Collide: true}) // one chain: the most that could get lost
		tb := NewTable[int, int](s, "t", place, sumInt)
		n := boot(t, s).Init()
		const count = firstShared
		for k := range count {
			tb.Add(n, k, k)
		}
		reach := func(e *entry[int, int]) (found []int) {
			for ; e != nil; e = e.next.Load() {
				found = append(found, e.key)
			}
			return found
		}
		chains := *tb.slot.Of(n).chains.Load()
		head := chain(chains, 0, n.salt).Load()
		before := reach(head)
		if len(before) != count {
			t.Fatalf("%d in the chain", len(before))
		}

		tb.Add(n, count, 0) // grows: the old chains are left alone
		if &(*tb.slot.Of(n).chains.Load())[0] == &chains[0] {
			t.Fatal("did not grow")
		}
		if got := reach(head); !slices.Equal(got, before) {
			t.Errorf("%s: after growth the old chain leads to %v", place, got)
		}

		head = chain(*tb.slot.Of(n).chains.Load(), 0, n.salt).Load()
		second := head.next.Load()
		before = reach(second)
		tb.Set(n, second.key, -1)
		if got := reach(second); !slices.Equal(got, before) || second.val == -1 {
			t.Errorf("%s: a replaced entry leads to %v, holds %d", place, got, second.val)
		}
		second = head.next.Load()
		tb.Delete(n, second.key)
		if got := reach(second); !slices.Equal(got, before) {
			t.Errorf("%s: an unlinked entry leads to %v", place, got)
		}
		if _, ok := tb.Get(n, second.key); ok || tb.Len(n) != count {
			t.Errorf("%s: the unlinked entry is found", place)
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
	if again := k; a(k) != a(again) {
		t.Error("one table hashes one key two ways")
	}
}
