package netns

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// The laws of the floor as properties: one list of steps, run on machines that
// nobody may be able to tell apart, and against an oracle of Go maps.

// A step is one command on one of a few named Nets and one of two tables.
type step struct {
	op    string
	net   string
	table int
	k, v  int
}

var ops = []string{"new", "delete", "reap", "add", "add", "add", "add", "set", "take", "get", "all", "cap", "draw", "cell", "bump"}

func drawSteps(t *rapid.T) []step {
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			op:    rapid.SampledFrom(ops).Draw(t, "op"),
			net:   rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "net"),
			table: rapid.IntRange(0, 1).Draw(t, "table"),
			k:     rapid.IntRange(0, 12).Draw(t, "k"),
			v:     rapid.IntRange(0, 99).Draw(t, "v"),
		}
	})
	return rapid.SliceOfN(one, 1, 80).Draw(t, "steps")
}

// machine runs steps and notes what each Net sees, one transcript a Net.
type machine struct {
	s      *System
	tables [2]*Table[int, int]
	cell   *Cell[int]
	seen   map[string]*strings.Builder
}

func newMachine(t testing.TB, c Config, place Placement) *machine {
	s := New(c)
	m := &machine{s: s, seen: map[string]*strings.Builder{}}
	for i := range m.tables {
		m.tables[i] = NewTable[int, int](s, fmt.Sprint("t", i), place, sumInt)
	}
	m.cell = NewCell(s, "cell", place, func(*Net) *int { return new(int) })
	if err := s.Boot(); err != nil {
		t.Fatal(err)
	}
	return m
}

// lookup returns the living Net of that name, or nil.
func (m *machine) lookup(name string) *Net {
	n, err := m.s.ByName(name)
	if err != nil {
		return nil
	}
	n.Put()
	return n
}

func (m *machine) run(steps []step) *machine {
	m.s.Lock()
	defer m.s.Unlock()
	for _, st := range steps {
		if m.seen[st.net] == nil {
			m.seen[st.net] = new(strings.Builder)
		}
		fmt.Fprintln(m.seen[st.net], st, m.do(st))
	}
	return m
}

func (m *machine) do(st step) string {
	switch st.op {
	case "new":
		_, err := m.s.NewNet(st.net)
		return fmt.Sprint(err)
	case "delete":
		return fmt.Sprint(m.s.Delete(st.net))
	case "reap":
		m.s.Reap() // how many is not for any Net to see
		return ""
	}
	n := m.lookup(st.net)
	if n == nil {
		return "no net"
	}
	t := m.tables[st.table]
	switch st.op {
	case "add":
		return fmt.Sprint(t.Add(n, st.k, st.v))
	case "set":
		return fmt.Sprint(t.Set(n, st.k, st.v))
	case "take":
		return fmt.Sprint(t.Delete(n, st.k))
	case "get":
		return fmt.Sprint(t.Get(n, st.k))
	case "all":
		return fmt.Sprint(t.Len(n), pairs(t, n))
	case "cap":
		t.SetCap(n, st.k/2)
		return ""
	case "draw":
		return fmt.Sprint(n.Uint64(), n.Uint64N(uint64(st.v)))
	case "cell":
		return fmt.Sprint(*m.cell.Of(n))
	case "bump":
		*m.cell.Own(n) += st.v
		return ""
	}
	panic(st.op)
}

func pairs[K comparable, V any](t *Table[K, V], n *Net) []string {
	var list []string
	for k, v := range t.All(n) {
		list = append(list, fmt.Sprint(k, "=", v))
	}
	return list
}

func (m *machine) transcript() string {
	var all strings.Builder
	for _, name := range []string{"a", "b", "c"} {
		if w := m.seen[name]; w != nil {
			fmt.Fprintf(&all, "-- %s\n%s", name, w)
		}
	}
	return all.String()
}

// Law 1: placement, hash, table size and manner of sweep are invisible.
func TestPlacementIsInvisible(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt)
		var want string
		for _, shape := range shapes {
			for _, place := range places {
				got := newMachine(t, shape.c, place).run(steps).transcript()
				if want == "" {
					want = got
				}
				if got != want {
					rt.Fatalf("%s/%s:\n%s\nfirst shape:\n%s", shape.name, place, got, want)
				}
			}
		}
	})
}

// Law 2: a Net alone sees what it saw among others.
func TestNeighbourIsInvisible(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt)
		shape := rapid.SampledFrom(shapes).Draw(rt, "shape")
		place := rapid.SampledFrom(places).Draw(rt, "place")
		among := newMachine(t, shape.c, place).run(steps)
		for name, saw := range among.seen {
			own := slices.DeleteFunc(slices.Clone(steps), func(st step) bool { return st.net != name })
			alone := newMachine(t, shape.c, place).run(own)
			if got := alone.seen[name].String(); got != saw.String() {
				rt.Fatalf("%s alone:\n%s\namong others:\n%s", name, got, saw)
			}
		}
	})
}

// Law 4: nothing outlives its Net: once all are reaped, no chain holds an entry of
// theirs, the names are free, and only the initial Net is counted.
func TestNothingOutlivesItsNet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt)
		for _, shape := range shapes {
			for _, place := range places {
				m := newMachine(t, shape.c, place).run(steps)
				m.s.Lock()
				for _, name := range []string{"a", "b", "c"} {
					m.s.Delete(name)
				}
				m.s.Reap()
				m.s.Unlock()
				for _, tb := range m.tables {
					if left := hanging(tb, m.s.Init()); len(left) != 0 {
						rt.Fatalf("%s/%s: left hanging: %v", shape.name, place, left)
					}
				}
				if c := m.s.Census(); c != (Census{Living: 1, Memory: 1}) {
					rt.Fatalf("census %+v", c)
				}
			}
		}
	})
}

// TestTableOracle compares a table with a slice that is too dumb to be wrong.
func TestTableOracle(t *testing.T) {
	type pair struct{ k, v int }
	type held struct {
		pairs []pair
		cap   int
	}
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SampledFrom(shapes).Draw(rt, "shape")
		place := rapid.SampledFrom(places).Draw(rt, "place")
		m := newMachine(t, shape.c, place)
		m.run([]step{{op: "new", net: "a"}, {op: "new", net: "b"}, {op: "new", net: "c"}})
		oracle := map[string]*held{"a": {}, "b": {}, "c": {}}
		tb := m.tables[0]
		for _, st := range drawSteps(rt) {
			n, o := m.lookup(st.net), oracle[st.net]
			at := slices.IndexFunc(o.pairs, func(p pair) bool { return p.k == st.k })
			var want, got any
			switch st.op {
			case "add", "set":
				got = tb.put(n, st.k, st.v, st.op == "set")
				switch {
				case at >= 0 && st.op == "add":
					want = syscall.EEXIST
				case at >= 0:
					o.pairs[at].v = st.v
				case o.cap > 0 && len(o.pairs) >= o.cap:
					want = syscall.ENOBUFS
				default:
					o.pairs = append(o.pairs, pair{st.k, st.v})
				}
			case "take":
				v, ok := tb.Delete(n, st.k)
				got, want = pair{v, btoi(ok)}, pair{}
				if at >= 0 {
					want = pair{o.pairs[at].v, 1}
					o.pairs = slices.Delete(o.pairs, at, at+1)
				}
			case "cap":
				o.cap = st.k / 2
				tb.SetCap(n, o.cap)
			case "get":
				v, ok := tb.Get(n, st.k)
				got, want = pair{v, btoi(ok)}, pair{}
				if at >= 0 {
					want = pair{o.pairs[at].v, 1}
				}
			}
			if got != want {
				rt.Fatalf("%v: got %v, want %v", st, got, want)
			}
			var all []pair
			for k, v := range tb.All(n) {
				all = append(all, pair{k, v})
			}
			if !slices.Equal(all, o.pairs) || tb.Len(n) != len(o.pairs) {
				rt.Fatalf("%v: all %v, len %d, want %v", st, all, tb.Len(n), o.pairs)
			}
		}
	})
}

func btoi(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

// Swapped placements cannot be told by behaviour, as law 1 demands; so ask where
// the homes are.
func TestHomesAreWherePlacementSays(t *testing.T) {
	for _, place := range places {
		t.Run(place.String(), func(t *testing.T) {
			s := New(Config{})
			slot := Register(s, Ops[int]{Name: "x", Place: place, Make: func() *int { return new(int) }})
			tb := NewTable[int, int](s, "t", place, sumInt)
			boot(t, s)
			a, b, idle := add(t, s, "a"), add(t, s, "b"), add(t, s, "idle")
			*slot.Own(a), *slot.Own(b) = 1, 2
			for _, n := range []*Net{a, b} {
				if err := tb.Add(n, 1, 1); err != nil {
					t.Fatal(err)
				}
			}
			shared := place == Tagged
			if got := slot.Of(a) == slot.Of(b); got != shared {
				t.Errorf("slot: a and b share a home: %t", got)
			}
			if got := tb.slot.Of(a) == tb.slot.Of(b); got != shared {
				t.Errorf("table: a and b share a home: %t", got)
			}
			if got := slot.Of(idle) == slot.Of(a); got != shared {
				t.Errorf("slot: an idle Net has a's home: %t", got)
			}
			if !isBare(idle) {
				t.Error("an idle Net has homes of its own")
			}
			if *slot.Of(a) == 2 != shared {
				t.Errorf("a's home holds %d", *slot.Of(a))
			}
		})
	}
}

// With the tag out of the stored sum and all Nets in one chain, only the comparison
// in entry.is tells them apart; and the shape does put them in one chain.
func TestCollidingNetsShareAChain(t *testing.T) {
	s := New(Config{Collide: true})
	tb := NewTable[int, int](s, "t", Tagged, sumInt)
	boot(t, s)
	for i := range 200 {
		n := add(t, s, fmt.Sprint("n", i))
		for k := range 8 {
			if err := tb.Add(n, k, i); err != nil {
				t.Fatal(err)
			}
		}
		if v, ok := tb.Get(n, 7); !ok || v != i {
			t.Fatalf("n%d holds %d, %t", i, v, ok)
		}
	}
	used := 0
	chains := *tb.slot.Of(s.Init()).chains.Load()
	for i := range chains {
		if chains[i].Load() != nil {
			used++
		}
	}
	if used != 1 {
		t.Errorf("%d chains in use", used)
	}
}
