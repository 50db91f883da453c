package law

import (
	"fmt"
	"slices"
	"strconv"
	"syscall"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/netns"
)

// A plainTable is what a Net may believe of a table: a map of its own, in the
// order in which things were added, and a limit.
type plainTable struct {
	keys  []int
	of    map[int]int
	limit int
}

// tableIsOwnMap is law 1 where machines fill a table too little to show it: a
// table of some hundred entries under few keys, of Nets that come and go, is to
// each of them a map of its own, under either placement, whatever the others
// have in it, however often it grew, and however many its own limit allows.
func tableIsOwnMap(t *rapid.T, vs []conformance.Variant) {
	c := vs[rapid.IntRange(0, len(vs)-1).Draw(t, "variant")].Config
	s := netns.New(netns.Config{Walk: c.Walk, Collide: c.Collide, Buckets: c.Buckets})
	tb := netns.NewTable[int, int](s, "table", c.Place.Devices, func(k int) uint64 { return uint64(k) * 0x9e3779b97f4a7c15 })
	if err := s.Boot(); err != nil {
		t.Fatalf("%v", err)
	}
	s.Lock()
	defer s.Unlock()
	nets := []*netns.Net{s.Init(), nil, nil, nil}
	want := make([]plainTable, len(nets))
	for i := range nets {
		want[i].of = map[int]int{}
	}
	for range rapid.IntRange(5, 60).Draw(t, "steps") {
		i := rapid.IntRange(0, len(nets)-1).Draw(t, "net")
		n, w := nets[i], &want[i]
		switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
		case n == nil:
			var err error
			if nets[i], err = s.NewNet(strconv.Itoa(i)); err != nil {
				t.Fatalf("%v", err)
			}
		case op == 0 && i > 0:
			if err := s.Delete(strconv.Itoa(i)); err != nil {
				t.Fatalf("%v", err)
			}
			s.Reap()
			nets[i], want[i] = nil, plainTable{of: map[int]int{}}
		case op == 1:
			w.limit = rapid.IntRange(0, 40).Draw(t, "limit")
			tb.SetCap(n, w.limit)
		case op < 8:
			from, many := rapid.IntRange(0, 40).Draw(t, "from"), rapid.IntRange(1, 30).Draw(t, "many")
			for k := from; k < from+many; k++ {
				if got, wanted := tb.Add(n, k, i*1000+k), w.add(k, i*1000+k); got != wanted {
					t.Fatalf("net %d adds %d to %d of %d: %v, want %v", i, k, len(w.keys), w.limit, got, wanted)
				}
			}
		default:
			k := rapid.IntRange(0, 70).Draw(t, "key")
			_, was := w.of[k]
			if _, ok := tb.Delete(n, k); ok != was {
				t.Fatalf("net %d deletes %d: %v, want %v", i, k, ok, was)
			}
			delete(w.of, k)
			w.keys = slices.DeleteFunc(w.keys, func(o int) bool { return o == k })
		}
		for j, n := range nets {
			if n == nil {
				continue
			}
			if bad := want[j].unlike(tb, n); bad != "" {
				t.Fatalf("after net %d did something, net %d: %s", i, j, bad)
			}
		}
	}
}

func (w *plainTable) add(k, v int) error {
	if _, ok := w.of[k]; ok {
		return syscall.EEXIST
	}
	if w.limit > 0 && len(w.keys) >= w.limit {
		return syscall.ENOBUFS
	}
	w.of[k] = v
	w.keys = append(w.keys, k)
	return nil
}

// unlike says in what the table differs from what n believes of it.
func (w *plainTable) unlike(tb *netns.Table[int, int], n *netns.Net) string {
	if got := tb.Len(n); got != len(w.keys) {
		return fmt.Sprintf("%d entries, want %d", got, len(w.keys))
	}
	for k := range 70 {
		got, ok := tb.Get(n, k)
		if want, there := w.of[k]; got != want || ok != there {
			return fmt.Sprintf("under %d stands %d, %v, want %d, %v", k, got, ok, want, there)
		}
	}
	var keys []int
	for k, v := range tb.All(n) {
		if v != w.of[k] {
			return fmt.Sprintf("%d is listed under %d", v, k)
		}
		keys = append(keys, k)
	}
	if !slices.Equal(keys, w.keys) {
		return fmt.Sprintf("listed are %v, want %v", keys, w.keys)
	}
	return ""
}
