package netns

import (
	"slices"
	"sync"
	"syscall"
	"testing"
)

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
		if !isBare(dead) || dead.accounts.Load() != nil {
			t.Error("the dead keeps its homes")
		}
	})
}

// From the first Exit on tables refuse, before their sweep as after it: what an
// Exit adds would stay for ever.
func TestExitCannotAdd(t *testing.T) {
	for _, place := range places {
		s := New(Config{})
		var tb *Table[int, int]
		var got []error
		exit := func(name string) {
			Register(s, Ops[int]{
				Name: name, Make: func() *int { return new(int) },
				PreExit: func(n *Net) { got = append(got, tb.Set(n, 1, 1)) },
				Exit:    func(n *Net, _ *int) { got = append(got, tb.Add(n, 2, 2)) },
			})
		}
		exit("exits after the sweep")
		tb = NewTable[int, int](s, "t", place, sumInt)
		exit("exits before the sweep")
		boot(t, s)
		n := add(t, s, "n")
		n.HoldMemory()
		kill(t, s, "n")
		if want := []error{nil, nil, syscall.ESRCH, syscall.ESRCH}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", place, got, want)
		}
		n.PutMemory()
	}
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
