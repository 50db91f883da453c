package main

import (
	"flag"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/conformance/law"
	"nsmodel/netns"
)

// A detector looks for a defect, and returns how many cases it looked at and
// what is wrong, "" if nothing.
type detector struct {
	name string
	run  func() (cases int, text string)
}

// checks are the cases that a law draws in each round. The first round finds
// what is easily found, before those begin who take longer.
var checks = [...]int{20, 200, 2000}

// detectors returns all of them in the order in which they are asked. The golden
// judge comes last: that a text has changed says least.
func detectors(place string, rounds int) (ds []detector) {
	vs := variants(place)
	labs, err := conformance.LabsInside()
	if err != nil {
		panic(err)
	}
	judge := func(name string, of func(l *conformance.Lab) conformance.Finding) detector {
		return detector{name, func() (int, string) { return judgeAll(labs, of) }}
	}
	for round := range rounds {
		for _, l := range byCost(law.All()) {
			ds = append(ds, detector{lawName(l, round), func() (int, string) { return checkLaw(l, vs, round) }})
		}
		if round == 0 {
			ds = append(ds,
				judge("solo", func(l *conformance.Lab) conformance.Finding { return conformance.JudgeSoloOn(l, soloVariants(place)) }),
				judge("matrix", func(l *conformance.Lab) conformance.Finding { return conformance.JudgeMatrixOn(l, vs) }))
		}
	}
	return append(ds, judge("golden", func(l *conformance.Lab) conformance.Finding { return conformance.JudgeGoldenOn(l, vs[0]) }))
}

// cheap are the laws whose cases take some milliseconds at most: they are asked
// before the others, and the first six of them five times as often.
var cheap = []string{"law 2 (gates)", "law 1 (tables)", "law 2 (moves)", "law 3", "law 5 (another seed)", "law 1 (schedule)", "law 2 (ways)", "law 6", "law 2", "law 2 (tunables)", "law 4", "law 2 (rights)"}

func byCost(ls []law.Law) []law.Law {
	rank := func(l law.Law) int {
		if i := slices.Index(cheap, l.Name()); i >= 0 {
			return i
		}
		return len(cheap)
	}
	slices.SortStableFunc(ls, func(a, b law.Law) int { return rank(a) - rank(b) })
	return ls
}

// lawName distinguishes the rounds of a law.
func lawName(l law.Law, round int) string {
	if round == 0 {
		return l.Name()
	}
	return l.Name() + " round " + strconv.Itoa(round+1)
}

// variants are the machines of one placement, the plainest first: all that
// conformance.Variants varies beside it.
func variants(place string) []conformance.Variant {
	if place == "mixed" {
		return conformance.Variants()
	}
	where, err := netns.ParsePlacement(place)
	if err != nil {
		panic(err)
	}
	vs := []conformance.Variant{{}, {Config: nsmodel.Config{Collide: true}}, {Config: nsmodel.Config{Buckets: 2}}, {Config: nsmodel.Config{Walk: true}},
		{Config: nsmodel.Config{Workers: 3}}, {Config: nsmodel.Config{Workers: 3}, Schedule: 1}, {Config: nsmodel.Config{Workers: 2, Budget: 64}, Schedule: 2},
		{Config: nsmodel.Config{Budget: 64}}}
	for i, name := range []string{"plain", "collide", "buckets=2", "walk", "workers=3", "workers=3 schedule=1", "workers=2 batch=64 schedule=2", "batch=64"} {
		vs[i].Name, vs[i].Config.Place = name+" all="+place, nsmodel.AllPlaces(where)
	}
	return vs
}

// soloVariants are those on which the solo judge works.
func soloVariants(place string) []conformance.Variant {
	vs := variants(place)
	if place == "mixed" {
		return vs[:1]
	}
	return vs[:2]
}

// judgeAll has a judge look at one lab after the other, until it finds fault.
func judgeAll(labs []*conformance.Lab, of func(*conformance.Lab) conformance.Finding) (int, string) {
	for i, l := range labs {
		if f := judged(l, of); f.Outcome == conformance.Failed {
			return i + 1, l.Name() + ": " + f.Text
		}
	}
	return len(labs), ""
}

// judged is a judge's word, or that the model panicked before him.
func judged(l *conformance.Lab, of func(*conformance.Lab) conformance.Finding) (f conformance.Finding) {
	defer func() {
		if v := recover(); v != nil {
			f = conformance.Finding{Outcome: conformance.Failed, Text: fmt.Sprintf("panic: %v\n%s", v, debug.Stack())}
		}
	}()
	return of(l)
}

// checkLaw lets rapid draw cases of a law until one breaks it.
func checkLaw(l law.Law, vs []conformance.Variant, round int) (cases int, text string) {
	k := checks[min(round, len(checks)-1)]
	if slices.Contains(cheap[:6], l.Name()) {
		k *= 5
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(k)); err != nil {
		panic(err)
	}
	t := &collector{name: l.Name()}
	first := 0 // the case that failed; what is drawn after it makes it smaller
	func() {
		defer func() {
			if v := recover(); v != nil && v != (stop{}) {
				t.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		rapid.Check(t, func(r *rapid.T) {
			cases++
			fine := false
			defer func() {
				if !fine && first == 0 {
					first = cases
				}
			}()
			l.Check(r, vs)
			fine = !r.Failed()
		})
	}()
	if !t.failed {
		return cases, ""
	}
	return max(first, 1), t.text()
}

// A collector is a test whose words are kept.
type collector struct {
	name   string
	failed bool
	lines  []string
}

type stop struct{}

func (c *collector) Helper()      {}
func (c *collector) Name() string { return c.name }
func (c *collector) Failed() bool { return c.failed }
func (c *collector) Fail()        { c.failed = true }
func (c *collector) FailNow()     { c.failed = true; panic(stop{}) }
func (c *collector) SkipNow()     { panic(stop{}) }

func (c *collector) Log(a ...any)            { c.lines = append(c.lines, fmt.Sprint(a...)) }
func (c *collector) Logf(f string, a ...any) { c.lines = append(c.lines, fmt.Sprintf(f, a...)) }
func (c *collector) Error(a ...any)          { c.Log(a...); c.Fail() }
func (c *collector) Errorf(f string, a ...any) {
	c.Logf(f, a...)
	c.Fail()
}
func (c *collector) Fatal(a ...any) { c.Error(a...); c.FailNow() }
func (c *collector) Fatalf(f string, a ...any) {
	c.Errorf(f, a...)
	c.FailNow()
}
func (c *collector) Skip(a ...any)            { c.Log(a...); c.SkipNow() }
func (c *collector) Skipf(f string, a ...any) { c.Logf(f, a...); c.SkipNow() }

// text is what went wrong, without what rapid says of the values it drew.
func (c *collector) text() string {
	var out []string
	for _, l := range c.lines {
		if !strings.HasPrefix(l, "[rapid] draw ") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}
