package compare

import (
	"fmt"
	"math"
)

// A Prediction is a ratio on the model beside the same on the kernel.
type Prediction struct {
	Pair
	Model, Kernel Ratio
}

// Predictions holds the model's ratios against the kernel's.
func (e *Experiment) Predictions(d *Data) (all []Prediction) {
	for _, p := range e.Pairs {
		at := func(side string, pt Point) Key { return Key{p.Figure, side, pt.Series, pt.X} }
		all = append(all, Prediction{p, d.Ratio(at(Model, p.Above), at(Model, p.Below)), d.Ratio(at(Kernel, p.Above), at(Kernel, p.Below))})
	}
	return all
}

// Measured reports whether both sides were.
func (p Prediction) Measured() bool { return p.Model.N > 0 && p.Kernel.N > 0 }

// SameSign reports whether both sides saw the same: more, less, or no
// difference. Where one saw none and the other little, their intervals decide:
// what one side cannot tell from nothing does not contradict the other.
func (p Prediction) SameSign() bool {
	a, b := p.Model.Sign(), p.Kernel.Sign()
	return a == b || a*b == 0 && p.Model.High >= p.Kernel.Low && p.Kernel.High >= p.Model.Low
}

// Off returns by what share the model's ratio misses the kernel's: 0.25 is a
// quarter more or less.
func (p Prediction) Off() float64 {
	return math.Abs(p.Model.Median/p.Kernel.Median - 1)
}

// String tells the prediction and what came of it.
func (p Prediction) String() string {
	if !p.Measured() {
		return fmt.Sprintf("%s: model %v, kernel %v", p.Name, p.Model, p.Kernel)
	}
	verdict := "sign right"
	if !p.SameSign() {
		verdict = "sign WRONG"
	}
	size := fmt.Sprintf("off by %.0f %%", 100*p.Off())
	if p.Off() <= 0.25 {
		size = "size within 25 %"
	}
	text := fmt.Sprintf("%s: model %v, kernel %v: %s, %s", p.Name, p.Model, p.Kernel, verdict, size)
	if p.Cause != "" && (!p.SameSign() || p.Off() > 0.25) {
		text += ". " + p.Cause
	}
	return text
}
