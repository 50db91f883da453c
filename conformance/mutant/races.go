package mutant

import (
	"context"
	"fmt"
	"strings"
	"time"

	"nsmodel/conformance/explore"
)

// Schedules is where a race shows: under some interleavings of what happens at
// once, whatever the placement.
const Schedules = "schedules"

// Races returns the explorer's races as mutants. Nobody but the explorer looks
// for them: the others' machines do one thing after the other.
func Races() (ms []Mutant) {
	for _, p := range explore.Plants() {
		m := Mutant{Name: strings.ReplaceAll(p.Name, "-", " ") + ": " + p.Tells, Kind: Lifecycle, Precedent: p.Precedent,
			Only: Schedules, Why: "one interleaving of many shows it"}
		for _, e := range p.Edits {
			m.Edits = append(m.Edits, Edit(e))
		}
		ms = append(ms, m)
	}
	return ms
}

// raced are the limits of a search, for each scene.
var raced = explore.Options{AsScenes: true, Whole: 300, Time: 10 * time.Second}

// Race builds the explorer with all of ms and has it try the schedules of every
// scene: of the source as it is, where nothing may break, and of each mutant until
// something does.
func (r *Runner) Race(ctx context.Context, ms []Mutant, tell func(Fate)) ([]Fate, error) {
	plants := make([]explore.Plant, len(ms))
	for i, m := range ms {
		plants[i] = explore.Plant{Name: fmt.Sprint("m", i), Tells: m.Name, Precedent: m.Precedent}
		for _, e := range m.Edits {
			plants[i].Edits = append(plants[i].Edits, explore.Edit(e))
		}
	}
	x, err := explore.Build(r.Tree.Root, nil, plants)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	none := Fate{Name: None().Name, Only: Schedules}
	if err := race(ctx, x, "", &none); err != nil {
		return nil, err
	}
	tell(none)
	if k := none.Killer(Schedules); k != nil {
		return nil, fmt.Errorf("the source as it is does not pass the %s:\n%s", k.Detector, k.Text)
	}
	out := make([]Fate, len(ms))
	for i, m := range ms {
		out[i] = Fate{Name: m.Name, Kind: m.Kind, Precedent: m.Precedent, Only: m.Only}
		if err := race(ctx, x, plants[i].Name, &out[i]); err != nil {
			return nil, err
		}
		tell(out[i])
	}
	return out, nil
}

// race has scenes explored until one breaks.
func race(ctx context.Context, x *explore.Explorer, plant string, f *Fate) error {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	o := raced
	o.Race = plant
	err := x.Run(ctx, o, func(rep explore.Report) {
		f.Findings = append(f.Findings, Finding{Detector: "explorer, " + rep.Scene, Place: Schedules, Killed: rep.Broke != "",
			Cases: rep.Runs, Took: max(rep.Took, 1), Text: rep.Broke})
		if rep.Broke != "" {
			enough()
		}
	})
	switch {
	case f.Killed():
		return nil // and so the explorer was told to stop
	case err != nil && plant != "" && ctx.Err() == nil:
		f.Findings = append(f.Findings, Finding{Detector: "explorer", Place: Schedules, Killed: true, Took: 1, How: "crash", Text: err.Error()})
		return nil
	}
	return err
}
