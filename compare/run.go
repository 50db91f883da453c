package compare

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"nsmodel/bench"
)

// A Scale says how large and long an experiment is.
type Scale int

// The scales: two minutes, a quarter of an hour, and as long as it takes for all
// experiments together, on two cores. Tiny is for tests: it measures nothing.
const (
	Usual Scale = iota
	Quick
	Full
	Tiny
)

// String names it as the command line does.
func (s Scale) String() string {
	switch s {
	case Quick:
		return "quick"
	case Full:
		return "full"
	case Tiny:
		return "tiny"
	}
	return "usual"
}

// A Run is what an experiment runs in.
type Run struct {
	Scale    Scale
	Boxed    bool       // this process is in a sandbox: kernel namespaces can be made
	Why      error      // why not, if not
	Progress func(Step) // told what is being done; may be nil

	store    *Store
	e        *Experiment
	notes    []string
	measured int         // groups of this experiment that were not in the store
	plan     *[]Step     // not nil: groups are listed here and not measured
	list     func([]Arm) // told of arms in place of measuring them; nil: measure
}

// ErrNotHere wraps why a value cannot be had on this computer; the arm is left
// out and the report says why.
var ErrNotHere = errors.New("not measured")

// NewRun returns what runs experiments into a store.
func NewRun(scale Scale, store *Store) *Run { return &Run{Scale: scale, store: store} }

// Do runs one experiment and returns its data, which is what there is of them if
// there is an error. What the store already holds is not measured again.
func (r *Run) Do(e *Experiment) (*Data, error) {
	r.e, r.notes, r.measured = e, nil, 0
	computer := bench.ThisComputer()
	session := &Session{Start: time.Now(), LoadBefore: bench.LoadAverage()}
	err := e.Run(r)
	session.Took = time.Since(session.Start)
	session.Foreign, session.Steal, session.LoadAfter = computer.Foreign(), computer.Steal(), bench.LoadAverage()
	if r.measured == 0 {
		session = nil
	}
	if err != nil {
		err = fmt.Errorf("compare: %s: %w", e.Name, err)
	}
	return r.store.Of(e), errors.Join(err, r.store.ended(e, r.notes, err, session))
}

// Notes returns what the last experiment could not measure, and why.
func (r *Run) Notes() []string { return unique(r.notes) }

// Pick returns the value for the Run's scale; Tiny gets a hundredth of quick's,
// but at least 1.
func Pick[T int | float64](r *Run, quick, usual, full T) T {
	switch r.Scale {
	case Quick:
		return quick
	case Full:
		return full
	case Tiny:
		return max(1, quick/100)
	}
	return usual
}

// Sweep returns x = 1 (or 0 first, if zero), 10, 100 ... up to the most.
func Sweep(zero bool, most int) (xs []int) {
	if zero {
		xs = append(xs, 0)
	}
	for x := 1; x < most; x *= 10 {
		xs = append(xs, x)
	}
	return append(xs, most)
}

// rounds is how many samples of each arm a run takes.
func (r *Run) rounds() int { return Pick(r, 7, 11, 21) }

// slice is how long a sample of a repeated operation takes.
func (r *Run) slice() time.Duration {
	if r.Scale == Tiny {
		return time.Millisecond
	}
	return time.Duration(Pick(r, 30, 60, 150)) * time.Millisecond
}

// An Arm is one of the values that are measured in turns.
type Arm struct {
	Key
	// Open sets it up and returns what takes a sample. An error that wraps
	// ErrNotHere leaves the arm out.
	Open func() (*Stand, error)
}

// A Stand is an Arm that is set up.
type Stand struct {
	Sample func() (float64, error)
	Do     func(k int) error // does k operations, whose time is what Sample takes; nil if that is something else
	Close  func() error      // may be nil
	Rounds int               // 0: as many as the Run takes
	Cold   bool              // the first sample counts: nothing is to be warmed up
}

// Arms lists what the experiment would measure on the model, in its order, for
// who measures it otherwise: the Go benchmarks do. Nothing is set up yet.
func (e *Experiment) Arms(scale Scale) (all []Arm, err error) {
	store, err := OpenStore("", false)
	if err != nil {
		return nil, err
	}
	r := NewRun(scale, store)
	r.e, r.Why = e, ErrNotHere
	r.list = func(arms []Arm) {
		for _, a := range arms {
			if a.Side == Model {
				all = append(all, a)
			}
		}
	}
	return all, e.Run(r)
}

// Group measures arms in turns: a round has one sample of each, every other
// round in reverse order, so that what drifts falls on all of them. Their
// samples are kept when all rounds are done. What is in the store is not
// measured again.
func (r *Run) Group(what string, arms ...Arm) error {
	if len(arms) == 0 {
		return nil // a small scale leaves out whole groups
	}
	if r.list != nil {
		r.list(arms)
		return nil
	}
	step := Step{Experiment: r.e, What: what, Arms: len(arms)}
	if r.plan != nil {
		*r.plan = append(*r.plan, step)
		return nil
	}
	if r.has(what, arms) {
		r.notes = append(r.notes, r.store.Record(r.e).group(what).Notes...)
		r.tell(step.skipped())
		return nil
	}
	if !r.Boxed && !slices.ContainsFunc(arms, func(a Arm) bool { return a.Side == Model }) {
		r.note("%s: %v: %v", what, ErrNotHere, r.Why)
		r.tell(step.skipped())
		return nil
	}
	r.tell(step)
	r.measured++
	start := time.Now()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stands := make([]*Stand, len(arms))
	defer func() {
		for _, st := range stands {
			if st != nil && st.Close != nil {
				_ = st.Close() // the samples are taken
			}
		}
		runtime.GC()
	}()
	kept := Group{Name: what, Boxed: r.Boxed}
	before := len(r.notes)
	for i := range arms {
		st, err := arms[i].Open()
		if errors.Is(err, ErrNotHere) {
			r.note("%s, %s %s: %v", what, arms[i].Side, arms[i].Series, err)
			kept.LeftOut = append(kept.LeftOut, arms[i].Key)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %s %s at %v: %w", what, arms[i].Side, arms[i].Series, arms[i].X, err)
		}
		stands[i] = st
		step.Open++
		r.tell(step)
	}
	runtime.GC()
	samples, err := r.turns(step, arms, stands)
	if err != nil {
		return err
	}
	kept.Notes, kept.Took = r.notes[before:len(r.notes):len(r.notes)], time.Since(start)
	return r.store.measured(r.e, kept, samples)
}

// turns takes the samples of arms that are set up.
func (r *Run) turns(step Step, arms []Arm, stands []*Stand) (all []Sample, err error) {
	what := step.What
	for i, st := range stands {
		if st == nil {
			continue
		}
		step.Of += st.wants(r)
		if st.Cold {
			continue
		}
		if _, err := st.Sample(); err != nil {
			return nil, fmt.Errorf("%s: %s %s: %w", what, arms[i].Side, arms[i].Series, err)
		}
	}
	for round, left := 0, true; left; round++ {
		left = false
		for k := range arms {
			i := k
			if round%2 == 1 {
				i = len(arms) - 1 - k
			}
			st := stands[i]
			if st == nil || round >= st.wants(r) {
				continue
			}
			left = true
			v, err := st.Sample()
			if err != nil {
				return nil, fmt.Errorf("%s: %s %s: %w", what, arms[i].Side, arms[i].Series, err)
			}
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%s: %s %s: a sample is %v", what, arms[i].Side, arms[i].Series, v)
			}
			all = append(all, Sample{r.e.Name, arms[i].Key, round, v})
			step.Done++
			r.tell(step)
		}
	}
	return all, nil
}

func (st *Stand) wants(r *Run) int {
	if st.Rounds > 0 {
		return st.Rounds
	}
	return r.rounds()
}

// has reports whether the store holds all arms that can be had here.
func (r *Run) has(what string, arms []Arm) bool {
	d, g := r.store.Of(r.e), r.store.Record(r.e).group(what)
	any := false
	for _, a := range arms {
		switch {
		case len(d.Values(a.Key)) > 0, g.Boxed == r.Boxed && slices.Contains(g.LeftOut, a.Key):
			any = true
		case a.Side == Model || r.Boxed:
			return false
		}
	}
	return any
}

func (r *Run) note(format string, a ...any) { r.notes = append(r.notes, fmt.Sprintf(format, a...)) }

// PerOp returns what samples the CPU time of one operation in ns: run does k of
// them, with k such that a sample takes the Run's slice.
func (r *Run) PerOp(run func(k int) error) (func() (float64, error), error) {
	k := 16
	for {
		took, err := cpuOf(func() error { return run(k) })
		if err != nil {
			return nil, err
		}
		if took >= r.slice()/4 || k >= 1<<30 {
			k = max(16, int(float64(k)*float64(r.slice())/float64(max(took, 1))))
			break
		}
		k *= 2
	}
	return func() (float64, error) {
		took, err := cpuOf(func() error { return run(k) })
		return float64(took) / float64(k), err
	}, nil
}

// Repeat returns a Stand for PerOp.
func (r *Run) Repeat(run func(k int) error) (*Stand, error) {
	sample, err := r.PerOp(run)
	if err != nil {
		return nil, err
	}
	return &Stand{Sample: sample, Do: run}, nil
}

// cpuOf returns the CPU time that f took on this thread.
func cpuOf(f func() error) (time.Duration, error) {
	start := bench.ThreadTime()
	err := f()
	return bench.ThreadTime() - start, err
}
