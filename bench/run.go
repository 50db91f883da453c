package bench

import (
	"errors"
	"runtime"
	"slices"
	"time"
)

// errNotHere wraps why a figure cannot be had on this computer.
var errNotHere = errors.New("not measured")

// A Result is one figure as measured. Value is nil where it could not be, and
// NotMeasured says why.
type Result struct {
	Name        string             `json:"name"`
	Place       string             `json:"place"`
	Nets        int                `json:"nets"`
	Value       *float64           `json:"value"`
	Unit        string             `json:"unit"`
	Better      string             `json:"better"`
	Others      *int               `json:"others,omitempty"`
	Sweep       string             `json:"sweep,omitempty"`
	Low         float64            `json:"low,omitempty"`  // of the rounds
	High        float64            `json:"high,omitempty"` // of the rounds
	Rounds      int                `json:"rounds,omitempty"`
	Target      *float64           `json:"target,omitempty"`
	Met         *bool              `json:"met,omitempty"`
	Extra       map[string]float64 `json:"extra,omitempty"`
	What        string             `json:"what,omitempty"`
	NotMeasured string             `json:"not_measured,omitempty"`

	values []float64 // by round
}

// Run measures the cases that pick chooses and calls report for each as soon as
// its group is done, in the order of Cases, then for the ratios that follow from
// them.
func Run(s Sizes, pick func(*Case) bool, report func(Result)) error {
	rig := NewRig(s)
	defer rig.Close()
	var all []Result
	cases := slices.DeleteFunc(Cases(s), func(c Case) bool { return !pick(&c) })
	for len(cases) > 0 {
		k := 1
		for k < len(cases) && cases[k].group == cases[0].group {
			k++
		}
		list, err := rig.group(cases[:k])
		if err != nil {
			return err
		}
		for _, r := range list {
			report(r)
		}
		all = append(all, list...)
		cases = cases[k:]
		if len(cases) > 0 && !usesCrowd(cases) {
			clear(rig.crowds)
		}
	}
	for _, r := range ratios(all) {
		report(r)
	}
	return nil
}

func usesCrowd(cases []Case) bool {
	return slices.ContainsFunc(cases, func(c Case) bool { return c.Name == "veth_forward_ns" || c.Name == "udp_receive_ns" })
}

// group measures cases that take turns.
func (rig *Rig) group(cases []Case) ([]Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stands := make([]*stand, len(cases))
	results := make([]Result, len(cases))
	for i := range cases {
		c := &cases[i]
		results[i] = Result{Name: c.Name, Place: c.Place, Nets: c.Nets, Unit: c.Unit, Better: c.Better,
			Others: c.Others, Sweep: c.Sweep, Target: c.Target, What: c.What}
		st, err := c.open(rig)
		if errors.Is(err, errNotHere) {
			results[i].NotMeasured = err.Error()
			continue
		}
		if err != nil {
			return nil, err
		}
		stands[i] = st
	}
	values, err := rig.rounds(stands)
	if err != nil {
		return nil, err
	}
	for i, st := range stands {
		if st == nil {
			continue
		}
		results[i].fill(values[i])
		if st.extra != nil {
			results[i].Extra = st.extra()
		}
	}
	return results, nil
}

// rounds takes every stand's figure in turns.
func (rig *Rig) rounds(stands []*stand) ([][]float64, error) {
	values := make([][]float64, len(stands))
	takes := make([]func() (float64, error), len(stands))
	for i, st := range stands {
		if st == nil {
			continue
		}
		var err error
		if takes[i], err = rig.taker(st); err != nil {
			return nil, err
		}
	}
	for round := 0; ; round++ {
		left := false
		for i, st := range stands {
			if st == nil || round >= st.wants(rig.Rounds) {
				continue
			}
			left = true
			v, err := takes[i]()
			if err != nil {
				return nil, err
			}
			values[i] = append(values[i], v)
		}
		if !left {
			return values, nil
		}
	}
}

func (st *stand) wants(usual int) int {
	if st.rounds > 0 {
		return st.rounds
	}
	return usual
}

// taker warms the stand up and returns what takes its figure once.
func (rig *Rig) taker(st *stand) (func() (float64, error), error) {
	if st.sample != nil {
		if !st.once {
			if _, err := st.sample(); err != nil {
				return nil, err
			}
		}
		return st.sample, nil
	}
	k := 64
	for {
		took, err := cpuOf(func() error { return st.run(k) })
		if err != nil {
			return nil, err
		}
		if took >= rig.Slice/4 || k >= 1<<30 {
			k = max(64, int(float64(k)*float64(rig.Slice)/float64(max(took, 1))))
			break
		}
		k *= 2
	}
	return func() (float64, error) {
		took, err := cpuOf(func() error { return st.run(k) })
		return float64(took) / float64(k), err
	}, nil
}

// cpuOf returns the CPU time that f took on this thread.
func cpuOf(f func() error) (time.Duration, error) {
	start := ThreadTime()
	err := f()
	return ThreadTime() - start, err
}

// fill notes the median of the rounds.
func (r *Result) fill(rounds []float64) {
	r.values = rounds
	values := slices.Sorted(slices.Values(rounds))
	v := values[len(values)/2]
	if len(values)%2 == 0 {
		v = (v + values[len(values)/2-1]) / 2
	}
	r.Value, r.Low, r.High, r.Rounds = &v, values[0], values[len(values)-1], len(values)
	if r.Target != nil {
		met := v <= *r.Target
		if r.Better == Higher {
			met = v >= *r.Target
		}
		r.Met = &met
	}
}

// NeedSandbox reports whether a case that pick chooses needs kernel namespaces
// of the process's own, package internal/linux.
func NeedSandbox(pick func(*Case) bool) bool {
	return slices.ContainsFunc(Cases(Full()), func(c Case) bool { return c.group == "nic" && pick(&c) })
}
