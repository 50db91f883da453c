package conformance

import (
	"slices"
	"testing"

	"nsmodel"
	"nsmodel/netns"
)

// Among the vectors of pairs each two bits take all four values, and there are
// no more vectors than the least number known.
func TestPairs(t *testing.T) {
	least := map[int]int{2: 4, 3: 4, 4: 5, 5: 6, 10: 6, 11: 7, 12: 7, 15: 7, 16: 8, 35: 8} // Kleitman and Spencer
	for k := 2; k <= 40; k++ {
		vs := pairs(k)
		if n, known := least[k]; known && len(vs) != n {
			t.Errorf("%d bits: %d vectors, want %d", k, len(vs), n)
		}
		for i := range k {
			for j := range i {
				seen := 0
				for _, v := range vs {
					seen |= 1 << (v>>i&1<<1 | v>>j&1)
				}
				if seen != 15 {
					t.Errorf("%d bits: bits %d and %d take the values %04b only", k, i, j, seen)
				}
			}
		}
	}
}

// Every vector that has a name is among the variants, by that name; and a judge
// that is told where state stands looks at nothing else but the default.
func TestNamedVectors(t *testing.T) {
	for _, want := range nsmodel.Vectors() {
		i := slices.IndexFunc(Variants(), func(v Variant) bool { return v.Name == want.Name })
		if i < 0 || !slices.Equal(Variants()[i].Config.Place.Rows(), want.Places.Rows()) {
			t.Errorf("%s is not in the matrix", want.Name)
		}
		vs := standing(want.Places, Variants())
		if len(vs) < 10 {
			t.Errorf("%s: %d variants", want.Name, len(vs))
		}
		for _, v := range vs[1:] {
			if v.Config.Place != want.Places {
				t.Errorf("%s: %q stands elsewhere", want.Name, v.Name)
			}
		}
	}
}

// The matrix holds what it says it does: by name nothing twice, each two
// subsystems in all four combinations, every extreme in both placements.
func TestVariants(t *testing.T) {
	rows := (nsmodel.Places{}).Rows()
	names := map[string]bool{}
	var both, one, none [64]uint64 // by subsystem: with which others it has been seen so
	type extreme struct{ collide, tiny, large, walk, batch, many, scheduled bool }
	var in [3]extreme
	for _, v := range Variants() {
		if names[v.Name] {
			t.Errorf("%q is there twice", v.Name)
		}
		names[v.Name] = true
		var tagged uint64
		for i, row := range v.Config.Place.Rows() {
			if row.Place == netns.Tagged {
				tagged |= 1 << i
			}
		}
		for i := range rows {
			if tagged&(1<<i) != 0 {
				both[i] |= tagged
				one[i] |= ^tagged
			} else {
				none[i] |= ^tagged
			}
		}
		which := 0
		switch tagged {
		case 1<<len(rows) - 1:
			which = 1
		case 0:
			which = 2
		}
		e, c := &in[which], v.Config
		e.collide = e.collide || c.Collide
		e.tiny = e.tiny || c.Buckets == 1
		e.large = e.large || c.Buckets >= largeOwn
		e.walk = e.walk || c.Walk
		e.batch = e.batch || c.Budget == 64
		e.many = e.many || c.Workers > 1
		e.scheduled = e.scheduled || v.Schedule != 0 && c.Workers > 1
	}
	all := uint64(1<<len(rows) - 1)
	for i, row := range rows {
		if both[i]&all != all || one[i]&all != all&^(1<<i) || none[i]&all != all {
			t.Errorf("%s is tagged beside %012b and without %012b, and replicated beside %012b", row.Word, both[i]&all, one[i]&all, none[i]&all)
		}
	}
	for i, e := range in {
		if e != (extreme{true, true, true, true, true, true, true}) {
			t.Errorf("placement %d: %+v", i, e)
		}
	}
	rest := map[string]bool{}
	for _, v := range PairVectors() {
		if rest[v.Name] {
			t.Errorf("%q is there twice", v.Name)
		}
		rest[v.Name] = true
	}
	if k := len(rows); len(rest) != 1+2+k*(k+1) {
		t.Errorf("%d vectors of %d subsystems", len(rest), k)
	}
}
