package netns

import (
	"runtime"
	"testing"
	"weak"
)

// A table keeps nothing that was deleted, wherever it hung when the table grew:
// an entry that stays reachable keeps its Net, its devices and their peers.
func TestTableKeepsNothingDeleted(t *testing.T) {
	for _, place := range []Placement{Tagged, Replicated} {
		t.Run(place.String(), func(t *testing.T) {
			s := New(Config{})
			tab := NewTable[int, *[64]byte](s, "t", place, sumInt)
			if err := s.Boot(); err != nil {
				t.Fatal(err)
			}
			n := s.Init()
			const k = 4 * firstShared
			var gone []weak.Pointer[[64]byte]
			for i := range k {
				v := new([64]byte)
				gone = append(gone, weak.Make(v))
				if err := tab.Add(n, i, v); err != nil {
					t.Fatal(err)
				}
			}
			for i := range k - 1 { // the last one keeps the home
				tab.Delete(n, i)
			}
			runtime.GC()
			runtime.GC()
			kept := 0
			for _, p := range gone[:k-1] {
				if p.Value() != nil {
					kept++
				}
			}
			if kept != 0 {
				t.Errorf("%d of %d deleted values are still reachable", kept, k-1)
			}
			if tab.Len(n) != 1 {
				t.Errorf("%d entries, want 1", tab.Len(n))
			}
			runtime.KeepAlive(s)
		})
	}
}
