package bench

import (
	"fmt"

	"nsmodel"
	"nsmodel/netns"
)

// teardownCases measure the end of a Net that owns entries of a table, by what
// other Nets own there and by how the table is swept.
func teardownCases(s Sizes, where netns.Placement) []Case {
	sweeps := []string{"own", "walk"}
	if where == netns.Replicated {
		sweeps = sweeps[:1] // its own home goes as a whole: there is nothing to walk
	}
	var all []Case
	for _, others := range []int{0, s.Others} {
		for _, sweep := range sweeps {
			all = append(all, Case{Name: "teardown_10k_own_ms", Place: where.String(), Nets: nets(others), Unit: "ms", Better: Lower, Others: &others, Sweep: sweep,
				What: fmt.Sprintf("`ip netns del` of a Net with %d entries of 16 byte keys in one table; others: entries of 100 other Nets there", s.Own),
				open: func(r *Rig) (*stand, error) { return teardownStand(r, where, others, sweep == "walk") }})
		}
	}
	return all
}

// nets returns how many Nets there are with so many entries of others.
func nets(others int) int {
	if others == 0 {
		return 1
	}
	return 1 + crowdOf
}

// crowdOf is how many Nets share what others own.
const crowdOf = 100

func teardownStand(r *Rig, where netns.Placement, others int, walk bool) (*stand, error) {
	var t *netns.Table[tableKey, *int]
	m, err := nsmodel.New(nsmodel.Config{Seed: 1, Place: nsmodel.AllPlaces(where), Walk: walk, Extend: func(m *nsmodel.Machine) error {
		t = netns.NewTable[tableKey, *int](m.Sys, "bench", where, tableKey.sum)
		return nil
	}})
	if err != nil {
		return nil, err
	}
	fill := func(name string, k int) error {
		n, err := m.AddNet(name)
		if err != nil {
			return err
		}
		v := new(int)
		for i := range k {
			if err := t.Add(n, tableKey{uint64(i), 1}, v); err != nil {
				return err
			}
		}
		return nil
	}
	if others > 0 {
		for i := range crowdOf {
			if err := fill(fmt.Sprintf("other%d", i), others/crowdOf); err != nil {
				return nil, err
			}
		}
	}
	return &stand{sample: func() (float64, error) {
		if err := fill("victim", r.Own); err != nil {
			return 0, err
		}
		took, err := cpuOf(func() error { return m.DeleteNet("victim") })
		return took.Seconds() * 1000, err
	}}, nil
}
