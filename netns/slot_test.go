package netns

import (
	"strings"
	"sync"
	"testing"
)

func TestPlacementText(t *testing.T) {
	for _, p := range []Placement{Default, Tagged, Replicated} {
		got, err := ParsePlacement(p.String())
		if err != nil || got != p {
			t.Errorf("%v reads back as %v, %v", p, got, err)
		}
	}
	for _, text := range []string{"", "Tagged", "shared", "Placement(3)"} {
		if _, err := ParsePlacement(text); err == nil {
			t.Errorf("%q parsed", text)
		}
	}
	if got := Placement(9).String(); got != "Placement(9)" {
		t.Error(got)
	}
}

func TestRegisterRefuses(t *testing.T) {
	ops := func(name string) Ops[int] { return Ops[int]{Name: name, Make: func() *int { return new(int) }} }
	for _, tc := range []struct {
		name string
		do   func(s *System)
	}{
		{"after Boot", func(s *System) { boot(t, s); Register(s, ops("x")) }},
		{"name taken", func(s *System) { Register(s, ops("x")); Register(s, ops("x")) }},
		{"more than maxSlots", func(s *System) {
			for i := range maxSlots + 1 {
				Register(s, ops(strings.Repeat("x", i)))
			}
		}},
		{"bad placement", func(s *System) { o := ops("x"); o.Place = 3; Register(s, o) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, tc.name) {
					t.Errorf("panic %q", text)
				}
			}()
			tc.do(New(Config{}))
		})
	}
}

func TestSubsystems(t *testing.T) {
	s := New(Config{})
	Register(s, Ops[int]{Name: "a", Make: func() *int { return new(int) }})
	NewTable[int, int](s, "b", Tagged, sumInt)
	NewCell(s, "c", Replicated, func(*Net) *int { return new(int) })
	want := []Subsystem{{Name: "a", Place: Replicated}, {Name: "b", Place: Tagged}, {Name: "c", Place: Replicated}}
	got := s.Subsystems()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
}

// Many first users of many slots at once: each home is built once and none is lost.
func TestOwnOnce(t *testing.T) {
	s := New(Config{})
	var slots [8]Slot[int]
	var mu sync.Mutex
	made := 0
	for i := range slots {
		slots[i] = Register(s, Ops[int]{Name: strings.Repeat("x", i), Place: Replicated, Make: func() *int {
			mu.Lock()
			defer mu.Unlock()
			made++
			return new(int)
		}})
	}
	boot(t, s)
	n := add(t, s, "n")
	made = 0
	var got [8][4]*int
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range slots {
				got[i][w] = slots[i].Own(n)
			}
		})
	}
	wg.Wait()
	for i := range slots {
		for w := range 4 {
			if got[i][w] != slots[i].Of(n) {
				t.Errorf("slot %d, caller %d has another home", i, w)
			}
		}
		if slots[i].build(n) != got[i][0] { // the loser of a race gets here
			t.Errorf("slot %d was built twice", i)
		}
	}
	if made != len(slots) {
		t.Errorf("%d homes made", made)
	}
}

// A dead Net's Own is nobody else's, and its Of is the empty home.
func TestOwnAfterDeath(t *testing.T) {
	s := New(Config{})
	slot := Register(s, Ops[int]{Name: "x", Place: Replicated, Make: func() *int { return new(int) }})
	cell := NewCell(s, "c", Replicated, func(*Net) *int { return new(int) })
	boot(t, s)
	n := add(t, s, "n")
	n.HoldMemory()
	kill(t, s, "n")
	*slot.Own(n), *cell.Own(n) = 7, 7
	if slot.Of(n) != slot.empty || *slot.Of(n) != 0 {
		t.Error("a dead Net got a home")
	}
	if *cell.Of(n) != 0 || *cell.Of(s.Init()) != 0 {
		t.Error("a dead Net wrote to a cell")
	}
	n.PutMemory()
}

func TestCell(t *testing.T) {
	forms(t, func(t *testing.T, c Config, place Placement) {
		s := New(c)
		type settings struct {
			ttl int
			of  string
		}
		cell := NewCell(s, "settings", place, func(n *Net) *settings {
			if n == nil {
				return &settings{64, "nobody"}
			}
			return &settings{64, n.Name()}
		})
		boot(t, s)
		a, b := add(t, s, "a"), add(t, s, "b")
		if cell.Of(a) != cell.Of(b) || cell.Of(a).of != "nobody" {
			t.Error("no shared default")
		}
		cell.Own(a).ttl = 1
		if cell.Of(a).ttl != 1 || cell.Of(a).of != "a" || cell.Own(a) != cell.Of(a) {
			t.Errorf("a has %+v", cell.Of(a))
		}
		if cell.Of(b).ttl != 64 {
			t.Error("b sees a's")
		}
		kill(t, s, "a")
		if a = add(t, s, "a"); cell.Of(a).ttl != 64 {
			t.Error("a's namesake sees a's")
		}
		var wg sync.WaitGroup
		var got [4]*settings
		for w := range got {
			wg.Go(func() { got[w] = cell.Own(b) })
		}
		wg.Wait()
		for w := range got {
			if got[w] != cell.Of(b) {
				t.Error("two of b's own")
			}
		}
	})
}

func TestGate(t *testing.T) {
	s := boot(t, New(Config{}))
	n := add(t, s, "n")
	var g Gate
	check := func(when string, init, other bool) {
		t.Helper()
		if g.Admit(s.Init()) != init || g.Admit(n) != other || g.Closed() == other {
			t.Errorf("%s: admits init %t, other %t", when, g.Admit(s.Init()), g.Admit(n))
		}
	}
	check("zero", true, true)
	g.Close()
	check("closed", true, false)
	g.Open()
	check("lifted", true, true)
}
