package advise

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"

	"nsmodel"
	"nsmodel/netns"
)

// A Checked is one figure of a workload that was run for real, beside what the
// laws had said.
type Checked struct {
	Subsystem string `json:"subsystem"`
	What      string `json:"what"`
	Unit      string `json:"unit"`

	Tagged     Beside `json:"tagged"`
	Replicated Beside `json:"replicated"`
	Missing    string `json:"not_measured,omitempty"` // why, if it was not
}

// Beside is what was said and what came.
type Beside struct {
	Predicted float64 `json:"predicted"`
	Measured  float64 `json:"measured"`
}

// checkMost is how many entries a check makes at most, in one machine.
const checkMost = 3_000_000

// Check sets machines up as the workload has them, for each subsystem one under
// either placement, and measures bytes, the end of Nets, and lookups where the
// subsystem has an exported function that does one. EINVAL for a workload that is
// too large to be made.
func (c *Calibration) Check(w Workload, words []string, say func(string)) (all []Checked, err error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	some, err := find(words)
	if err != nil {
		return nil, err
	}
	for _, s := range some {
		if k := w.Nets * max(1, w.entriesOf(s.word)); k > checkMost {
			return nil, fmt.Errorf("advise: check: %d entries of %s, more than %d: ask for fewer Nets or entries: %w", k, s.word, checkMost, syscall.EINVAL)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := newRig(Normal, say)
	r.cal = c
	for _, s := range some {
		r.say("check: %s", s.word)
		list, err := r.check(s, &w)
		if err != nil {
			list = []Checked{{Subsystem: s.word, What: "all", Missing: err.Error()}}
		}
		all = append(all, list...)
		runtime.GC()
	}
	return all, nil
}

// counts returns how many entries each Net has, in an order drawn by chance.
func counts(own []share) (list []int) {
	for _, g := range own {
		for range int(g.nets) {
			list = append(list, int(g.entries+0.5))
		}
	}
	rand.New(rand.NewPCG(7, 8)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// check measures one subsystem under both placements.
func (r *rig) check(s *subsystem, w *Workload) ([]Checked, error) {
	own := s.shares(w)
	list := counts(own)
	bytes := Checked{Subsystem: s.word, What: "a whole Net", Unit: "bytes"}
	end := Checked{Subsystem: s.word, What: "the end of a Net", Unit: "ns"}
	look := Checked{Subsystem: s.word, What: "a lookup", Unit: "ns"}
	var towns [2]*town
	for i, place := range places() {
		t, err := newTown(s, nsmodel.Config{Place: onlyTagged(s.word, place), Buckets: w.Buckets, Walk: w.Walk})
		if err != nil {
			return nil, err
		}
		towns[i] = t
		before := heap()
		for k, e := range list {
			if err := t.settle(k); err != nil {
				return nil, err
			}
			if err := t.furnish(k, e); err != nil {
				return nil, err
			}
		}
		bytes.of(place).Measured = (heap() - before) / float64(len(list))
	}
	if s.look != nil {
		ns, err := turns(r.slice, 2*r.rounds, []func(int) error{towns[0].looks(w.Burst), towns[1].looks(w.Burst)})
		if err != nil {
			return nil, err
		}
		look.Tagged.Measured, look.Replicated.Measured = ns[0], ns[1]
	} else {
		look.Missing = "no exported function does only that"
	}
	// The same Nets end under both placements.
	victims := rand.New(rand.NewPCG(9, 10)).Perm(len(list))[:min(r.ends, len(list))]
	for i, place := range places() {
		ns, err := towns[i].endOf(victims)
		if err != nil {
			return nil, err
		}
		end.of(place).Measured = ns
	}
	for _, place := range places() {
		x := r.cal.costOf(s, place, own, w)
		bytes.of(place).Predicted, look.of(place).Predicted = x.Bytes, x.LookNS
		sc, mean := r.cal.sceneOf(s, place, own, w), 0.0
		for _, v := range victims {
			_, ns := r.cal.life(s, &sc, own, share{1, s.has(float64(list[v]))}, w.Walk)
			mean += ns / float64(len(victims))
		}
		end.of(place).Predicted = mean
	}
	runtime.KeepAlive(towns)
	return []Checked{look, bytes, end}, nil
}

func (c *Checked) of(place netns.Placement) *Beside {
	if place == netns.Tagged {
		return &c.Tagged
	}
	return &c.Replicated
}

// endOf ends those Nets and returns ns for one on average.
func (t *town) endOf(victims []int) (float64, error) {
	sum := 0.0
	for _, i := range victims {
		took, err := cpuOf(func() error { return t.m.DeleteNet(netName(i)) })
		if err != nil {
			return 0, err
		}
		sum += float64(took)
	}
	return sum / float64(len(victims)), nil
}
