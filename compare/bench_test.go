package compare

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The model's side of the experiments as Go benchmarks, the same stands that
// `nsmodel compare` measures:
//
//	go test ./compare -run '^$' -bench Others -count 10 >out.txt
//	benchstat -col /place out.txt
//
// An experiment needs one line here to have a name of its own; what has none runs
// below BenchmarkRest. Times are CPU time of the thread, as everywhere in this
// package; a rate is by the clock. With -short everything is tiny and means nothing.

func BenchmarkOthers(b *testing.B)   { benchmark(b, "others") }
func BenchmarkSamePort(b *testing.B) { benchmark(b, "same-port") }
func BenchmarkMemory(b *testing.B)   { benchmark(b, "memory") }
func BenchmarkStorm(b *testing.B)    { benchmark(b, "storm") }
func BenchmarkTeardown(b *testing.B) { benchmark(b, "teardown") }
func BenchmarkNoisy(b *testing.B)    { benchmark(b, "noisy") }
func BenchmarkWorkers(b *testing.B)  { benchmark(b, "workers") }
func BenchmarkCache(b *testing.B)    { benchmark(b, "cache") }
func BenchmarkMove(b *testing.B)     { benchmark(b, "move") }
func BenchmarkFlood(b *testing.B)    { benchmark(b, "flood") }
func BenchmarkNICs(b *testing.B)     { benchmark(b, "nics") }

func BenchmarkRest(b *testing.B) {
	own := []string{"others", "same-port", "memory", "storm", "teardown", "noisy", "workers", "cache", "move", "flood", "nics"}
	for _, e := range All() {
		if !slices.Contains(own, e.Name) {
			b.Run("experiment="+e.Name, func(b *testing.B) { benchmark(b, e.Name) })
		}
	}
}

// benchScale is Quick, or Tiny for a look whether everything runs.
func benchScale() Scale {
	if testing.Short() {
		return Tiny
	}
	return Quick
}

func benchmark(b *testing.B, name string) {
	some, err := Find([]string{name})
	if err != nil {
		b.Fatal(err)
	}
	e := some[0]
	arms, err := e.Arms(benchScale())
	if err != nil {
		b.Fatal(err)
	}
	for _, a := range arms {
		var st *Stand // set up once, though b.Run calls with one number of operations after the other
		b.Run(benchName(e, a.Key, arms), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if st == nil {
				if st, err = a.Open(); errors.Is(err, ErrNotHere) {
					b.Skip(err)
				} else if err != nil {
					b.Fatal(err)
				}
				runtime.GC()
			}
			b.ResetTimer()
			if st.Do != nil {
				took, err := cpuOf(func() error { return st.Do(b.N) })
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(took)/float64(b.N), "ns/op")
				return
			}
			var values []float64
			for range b.N {
				v, err := st.Sample()
				if err != nil {
					b.Fatal(err)
				}
				values = append(values, v)
			}
			v, unit := benchUnit(figureOf(e, a.Figure).Y, statOf(values).Median)
			if unit != "ns/op" {
				b.ReportMetric(0, "ns/op")
			}
			b.ReportMetric(v, unit)
		})
		if st != nil && st.Close != nil {
			if err := st.Close(); err != nil {
				b.Error(err)
			}
		}
	}
}

func figureOf(e *Experiment, name string) *Figure {
	for i := range e.Figures {
		if e.Figures[i].Name == name {
			return &e.Figures[i]
		}
	}
	return &Figure{}
}

// benchUnit returns a figure's value in the unit that its axis names, times in
// ns/op.
func benchUnit(axis string, v float64) (float64, string) {
	unit := "value"
	if m := regexp.MustCompile(`\(([^()]*)\)$`).FindStringSubmatch(axis); m != nil {
		unit = strings.ReplaceAll(m[1], " ", "_")
	}
	if scale, ok := map[string]float64{"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[unit]; ok {
		return v * scale, "ns/op"
	}
	return v, unit
}

// benchName names a value for benchstat: place=, then x, and what else sets it
// apart. The words behind a series' placement are a row's if both placements have
// such a series, and else a placement of their own: "tagged, walk" stands in a
// column beside "tagged, own list".
func benchName(e *Experiment, k Key, arms []Arm) string {
	place, how, _ := strings.Cut(k.Series, ", ")
	both := slices.ContainsFunc(arms, func(a Arm) bool {
		other, same, _ := strings.Cut(a.Series, ", ")
		return a.Figure == k.Figure && other != place && same == how
	})
	dash := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(" ,/=", r) {
				return '-'
			}
			return r
		}, strings.ReplaceAll(s, ", ", "-"))
	}
	name := "place=" + dash(place)
	if how != "" && !both {
		name += "-" + dash(how)
	}
	name += fmt.Sprintf("/%s=%s", xWord(e.Name, k.Figure), strings.TrimSuffix(fmt.Sprintf("%.6f", k.X), ".000000"))
	if how != "" && both {
		name += "/how=" + dash(how)
	}
	if len(e.Figures) > 1 {
		name += "/figure=" + dash(k.Figure)
	}
	return name
}

// xWord names an experiment's x.
func xWord(experiment, figure string) string {
	switch experiment {
	case "others":
		return "others"
	case "same-port":
		return "nets"
	case "memory":
		if figure == memOwn || figure == memAdded {
			return "buckets"
		}
		return "nets"
	case "storm":
		if figure == "cost" || figure == "rate" {
			return "batch"
		}
	case "move":
		return "entries"
	case "nics":
		return "nets"
	case "teardown":
		if figure == "own" {
			return "own"
		}
		return "others"
	case "workers":
		return "workers"
	case "cache":
		return "burst"
	case "flood":
		return "keys"
	}
	return "x"
}

// Every value of the model has a name of its own that says its placement, so that
// benchstat can set the placements side by side; and the names are as documented.
func TestBenchNames(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range All() {
		arms, err := e.Arms(Quick)
		if err != nil {
			t.Fatal(err)
		}
		if len(arms) == 0 {
			t.Errorf("%s: no arms", e.Name)
		}
		for _, a := range arms {
			name := e.Name + "/" + benchName(e, a.Key, arms)
			if seen[name] {
				t.Errorf("%s twice", name)
			}
			seen[name] = true
			if strings.ContainsAny(name, " ,") || strings.Count(name, "place=") != 1 {
				t.Errorf("%q is no benchmark's name", name)
			}
		}
	}
	for _, want := range []string{
		"others/place=tagged/others=1000000/figure=lookup", "others/place=replicated/others=1000000/figure=lookup", "others/place=tagged-fixed-size/others=0/figure=receive",
		"same-port/place=tagged-not-mixed/nets=1000", "teardown/place=tagged-walk/others=1000000/figure=others", "teardown/place=replicated/own=1000/figure=own",
		"workers/place=replicated/workers=2/how=inserts", "cache/place=tagged/burst=1000/how=entries-together",
	} {
		if !seen[want] {
			t.Errorf("no %s", want)
		}
	}
}

// The first stand of each experiment does operations by number and takes samples,
// as the benchmarks want it.
func TestArmsCanBeBenchmarked(t *testing.T) {
	for _, e := range All() {
		arms, err := e.Arms(Tiny)
		if err != nil {
			t.Fatal(err)
		}
		st, err := arms[0].Open()
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		if st.Do != nil {
			if err := st.Do(100); err != nil {
				t.Errorf("%s: %v", e.Name, err)
			}
		}
		// A difference of two clocks may be below nothing in so short a sample, if
		// not each time.
		v, err := st.Sample()
		for try := 0; try < 20 && err == nil && !(v > 0); try++ {
			v, err = st.Sample()
		}
		if err != nil || !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("%s: sample %v, %v", e.Name, v, err)
		}
		if st.Close != nil {
			if err := st.Close(); err != nil {
				t.Errorf("%s: %v", e.Name, err)
			}
		}
	}
}
