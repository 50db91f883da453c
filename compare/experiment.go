package compare

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// Sides on which a figure is taken.
const (
	Model  = "model"
	Kernel = "kernel"
	Peer   = "gvisor"
)

// Series that most experiments share.
const (
	Tagged     = "tagged"
	Replicated = "replicated"
)

// An Experiment asks one question.
type Experiment struct {
	Number   int
	Name     string   // its word on the command line
	Question string   // one sentence
	Sources  []string // who asked, or moved a table for this reason
	Workload string   // with its parameters and their values
	Measured string   // what a sample is, with its unit
	Expected string   // written down before the first measurement
	Kernel   string   // the kernel's counterpart, or why there is none

	Figures []Figure
	Pairs   []Pair // the prediction test

	Run func(*Run) error
	// Answer says in a few sentences what the figures say; every number in it
	// comes from them.
	Answer func(*Data) string
}

// A Figure is what one plot shows.
type Figure struct {
	Name       string // unique in its experiment
	Title      string
	X, Y       string // what the axes are, with units
	LogX, LogY bool
	Published  []Curve // others' figures, drawn beside and not part of any ratio
}

// A Curve is a series that somebody published.
type Curve struct {
	Label, Source string
	X, Y          []float64
	Relative      bool // Y are multiples of the value at the least x of the kernel's first series
}

// A Key names one measured value: what was measured, where, and at which x.
type Key struct {
	Figure, Side, Series string
	X                    float64
}

// A Pair is a ratio that the model predicts and the kernel has: what Above is to
// Below on either side.
type Pair struct {
	Name         string
	Figure       string
	Above, Below Point // of the same figure, on both sides
	// Lower says that a lower value is better, so that the sign can be told in
	// words.
	Lower bool
	// Part says that the model's side is only that part of the work in which Above
	// and Below differ: its ratio is then formed on the kernel's base, as it has
	// none of its own.
	Part bool
	// Cause says what a disagreement comes from, with how that was found out; ""
	// if none is known. It is printed only where there is a disagreement.
	Cause string
}

// A Point is a Key without its figure and side.
type Point struct {
	Series string
	X      float64
}

// All returns the experiments in the order of their numbers.
func All() []*Experiment {
	return []*Experiment{others(), samePort(), memory(), storm(), teardown(), noisy(), workers(), cache(), move(), flood(), nics()}
}

// Find returns the experiments of those names or numbers, all for none. EINVAL
// with a list for an unknown one.
func Find(words []string) ([]*Experiment, error) {
	all := All()
	if len(words) == 0 {
		return all, nil
	}
	var some []*Experiment
	for _, w := range words {
		i := slices.IndexFunc(all, func(e *Experiment) bool { return e.Name == w || fmt.Sprint(e.Number) == w })
		if i < 0 {
			var names []string
			for _, e := range all {
				names = append(names, fmt.Sprintf("%d %s", e.Number, e.Name))
			}
			return nil, fmt.Errorf("compare: no experiment %q; there are %s: %w", w, strings.Join(names, ", "), syscall.EINVAL)
		}
		some = append(some, all[i])
	}
	return some, nil
}
