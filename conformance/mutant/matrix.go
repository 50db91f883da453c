package mutant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// Places are the placements under which mutants are looked for: everything
// tagged, everything replicated, and, if neither shows a mutant, machines of
// different placements compared with each other.
var Places = [...]string{"tagged", "replicated", "mixed"}

// A Fate is what became of a mutant.
type Fate struct {
	Name      string    `json:"name"`
	Kind      Kind      `json:"kind"`
	Precedent string    `json:"precedent"`
	Only      string    `json:"only,omitempty"`
	Findings  []Finding `json:"findings"`
	Err       string    `json:"error,omitempty"`
}

// Killer returns what killed the mutant under a placement, nil if nothing did.
// Of several the first is named.
func (f *Fate) Killer(place string) *Finding {
	for i := range f.Findings {
		if d := &f.Findings[i]; d.Place == place && d.Killed {
			return d
		}
	}
	return nil
}

// Killed reports whether somebody found the mutant.
func (f *Fate) Killed() bool {
	return slices.ContainsFunc(f.Findings, func(d Finding) bool { return d.Killed })
}

// OnlyGolden reports whether nobody but the golden judge found the mutant: what
// is printed has changed, and that is all that is known.
func (f *Fate) OnlyGolden() bool {
	return f.Killed() && !slices.ContainsFunc(f.Findings, func(d Finding) bool { return d.Killed && d.Detector != "golden" })
}

// Fault says what is wrong with the mutant's mark or with its planting, "" if
// nothing is.
func (f *Fate) Fault() string {
	tagged, replicated := f.Killer("tagged") != nil, f.Killer("replicated") != nil
	switch {
	case f.Err != "":
		return f.Err
	case f.Only == Schedules && !f.Killed(), f.Only == "" && !f.Killed():
		return "" // it has survived: that is told elsewhere
	case f.Only == "tagged" && replicated, f.Only == "replicated" && tagged, f.Only == "mixed" && (tagged || replicated):
		return fmt.Sprintf("is marked %q, but another placement shows it", f.Only)
	case f.Only == "" && tagged != replicated:
		one := "tagged"
		if replicated {
			one = "replicated"
		}
		return fmt.Sprintf("only %s shows it: mark it so, or find out why", one)
	}
	return ""
}

// Examine has the mutant of that number in program looked for under each
// placement; with full by everybody, even after the first find.
func (r *Runner) Examine(ctx context.Context, program string, number int, m Mutant, full bool) Fate {
	f := Fate{Name: m.Name, Kind: m.Kind, Precedent: m.Precedent, Only: m.Only}
	for _, place := range Places {
		rounds := r.Rounds
		switch {
		case place == "mixed" && f.Killed() && !full:
			continue
		case m.Only != "" && m.Only != place && place != "mixed" && !full:
			rounds = min(rounds, 1) // nothing is to be seen here
		}
		first := ""
		if k := f.Killer(Places[0]); k != nil && place != Places[0] {
			first = k.Detector // who found it there will find it here, most often
		}
		fs, err := r.Try(ctx, program, number, place, first, rounds, full)
		f.Findings = append(f.Findings, fs...)
		if err != nil {
			f.Err = err.Error()
			return f
		}
	}
	return f
}

// Run builds a trial in which ms wait and examines the source as it is, which
// everybody must pass, and then each of ms, jobs at a time. It tells of each as it
// is done. The fates are in the order of ms.
func (r *Runner) Run(ctx context.Context, ms []Mutant, jobs int, tell func(Fate)) ([]Fate, error) {
	program, err := r.Build(ctx, ms)
	if err != nil {
		return nil, err
	}
	if err := r.baseline(ctx, program, jobs, tell); err != nil {
		return nil, err
	}
	out := make([]Fate, len(ms))
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range max(1, jobs) {
		wg.Go(func() {
			for i := range next {
				out[i] = r.Examine(ctx, program, i+1, ms[i], r.Full)
				mu.Lock()
				tell(out[i])
				mu.Unlock()
			}
		})
	}
	for i := range ms {
		next <- i
	}
	close(next)
	wg.Wait()
	return out, ctx.Err()
}

// baseline has the source as it is looked at by everybody, under each placement:
// who finds something there finds nothing in a mutant.
func (r *Runner) baseline(ctx context.Context, program string, jobs int, tell func(Fate)) error {
	var wg sync.WaitGroup
	var found [len(Places)][]Finding
	var errs [len(Places)]error
	room := make(chan struct{}, max(1, jobs))
	for i, place := range Places {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			found[i], errs[i] = r.Try(ctx, program, 0, place, "", r.Rounds, true)
		})
	}
	wg.Wait()
	f := Fate{Name: None().Name, Precedent: None().Precedent, Findings: slices.Concat(found[:]...)}
	tell(f)
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	for _, d := range f.Findings {
		if d.Killed {
			return fmt.Errorf("the source as it is does not pass %s, %s %s:\n%s", d.Detector, d.Place, d.How, d.Text)
		}
	}
	return nil
}

// Write prints the kill matrix, ending with how many were killed, and reports
// whether all were and every mark is right.
func Write(out io.Writer, fates []Fate) bool {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "MUTANT\tPRECEDENT\tKILLED BY\tPLACEMENT\tCASES\tTIME")
	for i := range fates {
		f := &fates[i]
		by, place, cases, took := f.columns()
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, cut(f.Precedent, 60), by, place, cases, took)
	}
	_ = w.Flush()
	killed, golden := 0, 0
	var faults []string
	for i := range fates {
		f := &fates[i]
		if f.Killed() {
			killed++
		}
		if f.OnlyGolden() {
			golden++
		}
		if text := f.Fault(); text != "" {
			faults = append(faults, f.Name+": "+text)
		}
	}
	for _, text := range faults {
		fmt.Fprintln(out, "fault:", text)
	}
	if golden > 0 {
		fmt.Fprintf(out, "%d were found by nobody but the golden judge\n", golden)
	}
	fmt.Fprintf(out, "mutants: %d killed, %d survived\n", killed, len(fates)-killed)
	return killed == len(fates) && len(faults) == 0
}

func cut(s string, k int) string {
	if len(s) <= k {
		return s
	}
	return s[:k-3] + "..."
}

// columns are who killed the mutant, where, after how many cases and how long;
// with a bar between the placements where they differ.
func (f *Fate) columns() (by, place, cases, took string) {
	var bys, places, counts, times []string
	for _, p := range append(Places[:], Schedules) {
		d := f.Killer(p)
		if d == nil {
			continue
		}
		name := d.Detector
		if d.How != "" {
			name += " (" + d.How + ")"
		}
		if !slices.Contains(bys, name) {
			bys = append(bys, name)
		}
		places = append(places, p)
		// The cases of the detector's earlier rounds count, too.
		k, t := 0, time.Duration(0)
		for _, o := range f.Findings {
			if o.Place != p {
				continue
			}
			if base(o.Detector) == base(d.Detector) || p == Schedules {
				k += o.Cases
			}
			t += o.Took
			if o.Detector == d.Detector {
				break
			}
		}
		counts, times = append(counts, fmt.Sprint(k)), append(times, fmt.Sprintf("%.2fs", t.Seconds()))
	}
	if len(places) == 0 {
		return "nobody", "", "", ""
	}
	place = strings.Join(places, " | ")
	if f.Only != "" && f.Only != Schedules {
		place += " only"
	}
	return strings.Join(bys, " | "), place, strings.Join(counts, " | "), strings.Join(times, " | ")
}

// base is a detector's name without its round.
func base(detector string) string {
	name, _, _ := strings.Cut(detector, " round ")
	return name
}

// Summary says in a few words what became of the mutant.
func (f *Fate) Summary() string {
	took := time.Duration(0)
	for _, d := range f.Findings {
		took += d.Took
	}
	by, place, _, _ := f.columns()
	return fmt.Sprintf("%s, %s (%.1fs) %s", by, place, took.Seconds(), f.Fault())
}

// WriteGrid prints each detector's verdict for each mutant: the first letters of
// the placements under which it killed, "." for none, "-" if it was not asked.
func WriteGrid(out io.Writer, fates []Fate) {
	var names []string
	for _, f := range fates {
		for _, d := range f.Findings {
			if n := base(d.Detector); !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "MUTANT\t"+strings.ToUpper(strings.Join(names, "\t")))
	for _, f := range fates {
		fmt.Fprint(w, f.Name)
		for _, n := range names {
			cell := ""
			asked := false
			for _, p := range append(Places[:], Schedules) {
				for _, d := range f.Findings {
					if base(d.Detector) != n || d.Place != p {
						continue
					}
					asked = true
					if d.Killed && !strings.HasSuffix(cell, p[:1]) {
						cell += p[:1]
					}
				}
			}
			switch {
			case !asked:
				cell = "-"
			case cell == "":
				cell = "."
			}
			fmt.Fprint(w, "\t"+cell)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
}
