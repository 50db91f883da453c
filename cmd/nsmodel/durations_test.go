package main

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"strings"
	"testing"

	"nsmodel/compare"
)

var durationsOf = flag.String("durations", "", "write durations.json from `DIRS` of compare --out, separated by commas; later ones replace earlier ones")

// Every group of a quick and a usual run has a duration that somebody measured; so
// a new or renamed group wants a new measurement.
func TestDurations(t *testing.T) {
	known := knownDurations()
	if *durationsOf != "" {
		for dir := range strings.SplitSeq(*durationsOf, ",") {
			readDurations(t, known, dir)
		}
		defer func() {
			b, err := json.MarshalIndent(known, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("durations.json", append(b, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}()
	}
	for _, scale := range []compare.Scale{compare.Quick, compare.Usual} {
		for _, e := range compare.All() {
			planned := map[string]bool{}
			for _, g := range planOf(t, scale, e) {
				planned[g.What] = true
				if d := known[scale.String()][e.Name][g.What]; d.Seconds < 0 || d.Arms == 0 {
					t.Errorf("%v: %s: nobody has measured how long %q takes", scale, e.Name, g.What)
				}
			}
			for what := range known[scale.String()][e.Name] {
				if !planned[what] {
					t.Errorf("%v: %s: there is no group %q any more", scale, e.Name, what)
				}
			}
		}
	}
}

func planOf(t *testing.T, scale compare.Scale, e *compare.Experiment) []compare.Step {
	t.Helper()
	s, err := compare.OpenStore("", true)
	if err != nil {
		t.Fatal(err)
	}
	r := compare.NewRun(scale, s)
	r.Boxed = true // as who measured it was
	return r.Plan(e)
}

// readDurations takes what a run's directory remembers.
func readDurations(t *testing.T, known durations, dir string) {
	t.Helper()
	store, err := compare.ReadStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range store.Known() {
		rec := store.Record(e)
		var scale compare.Scale
		switch rec.Origin.Scale {
		case compare.Quick.String():
			scale = compare.Quick
		case compare.Full.String():
			scale = compare.Full
		}
		arms := map[string]int{}
		for _, g := range planOf(t, scale, e) {
			arms[g.What] = g.Arms
		}
		if known[scale.String()] == nil {
			known[scale.String()] = map[string]map[string]duration{}
		}
		all := map[string]duration{}
		for _, g := range rec.Groups {
			if arms[g.Name] > 0 {
				all[g.Name] = duration{math.Round(g.Took.Seconds()*10) / 10, arms[g.Name]}
			}
		}
		// Of a run that ended early the rest stays as it was.
		for what, d := range known[scale.String()][e.Name] {
			if _, ok := all[what]; !ok && arms[what] > 0 {
				all[what] = d
			}
		}
		known[scale.String()][e.Name] = all
	}
}

// A group that was never measured is guessed by its arms, and a full run's by a
// usual one.
func TestUsually(t *testing.T) {
	known := knownDurations()["usual"]["cache"]
	sum, arms := 0.0, 0
	for what, d := range known {
		sum, arms = sum+d.Seconds, arms+d.Arms
		if got := usually("cache", what, d.Arms, compare.Usual); math.Abs(got-d.Seconds) > 1e-9 {
			t.Errorf("%s: %v s, measured %v", what, got, d.Seconds)
		}
		if got := usually("cache", what, d.Arms, compare.Full); got <= d.Seconds {
			t.Errorf("%s: %v s in a full run, %v in a usual one", what, got, d.Seconds)
		}
	}
	if got, want := usually("cache", "another", 10, compare.Usual), 10*sum/float64(arms); got < want*0.8 || got > want*1.2 {
		t.Errorf("a group of 10 arms: %v s, want about %v", got, want)
	}
	if got := usually("no such", "group", 4, compare.Quick); got <= 0 {
		t.Errorf("an unknown experiment: %v s", got)
	}
}
