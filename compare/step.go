package compare

import "time"

// A Step is how far a group of arms is.
type Step struct {
	Experiment *Experiment
	What       string        // the group
	Arms, Open int           // its arms, and how many of them are set up
	Done, Of   int           // samples taken, of how many; Of is 0 while arms are set up
	Skipped    bool          // nothing is measured: the store holds it, or it cannot be had here
	Earlier    time.Duration // in a plan: how long it took when it was last measured, 0 if never
}

// skipped returns the step of a group that is not measured.
func (s Step) skipped() Step {
	s.Skipped = true
	return s
}

// Plan returns the groups that an experiment consists of, and measures nothing.
func (r *Run) Plan(e *Experiment) (groups []Step) {
	p := *r
	p.e, p.plan, p.notes, p.Progress = e, &groups, nil, nil
	_ = e.Run(&p) // what it cannot plan it cannot measure either: that is the time to complain
	rec := r.store.Record(e)
	for i := range groups {
		groups[i].Earlier = rec.group(groups[i].What).Took
		if groups[i].Earlier == 0 {
			groups[i].Earlier = rec.Earlier[groups[i].What]
		}
	}
	return groups
}

func (r *Run) tell(s Step) {
	if r.Progress != nil {
		r.Progress(s)
	}
}
