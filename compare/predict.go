package compare

import (
	"fmt"
	"math"
)

// A Prediction is a ratio on the model beside the same on the kernel.
type Prediction struct {
	Pair
	Model, Kernel Ratio

	// Placed is the kernel's ratio as it would be if all that Above has more
	// than Below cost the kernel what it costs the model, in the figure's unit:
	// the model's difference, on what the kernel takes for Below. A ratio alone
	// says as much of what stands around a table as of the table. NaN if not
	// measured, or if it is no cost that is compared.
	Placed float64
}

// Predictions holds the model's ratios against the kernel's.
func (e *Experiment) Predictions(d *Data) (all []Prediction) {
	for _, p := range e.Pairs {
		at := func(side string, pt Point) Key { return Key{p.Figure, side, pt.Series, pt.X} }
		q := Prediction{Pair: p, Model: d.Ratio(at(Model, p.Above), at(Model, p.Below)), Kernel: d.Ratio(at(Kernel, p.Above), at(Kernel, p.Below))}
		q.Placed = 1 + (d.Stat(at(Model, p.Above)).Median-d.Stat(at(Model, p.Below)).Median)/d.Stat(at(Kernel, p.Below)).Median
		if !p.Lower {
			q.Placed = math.NaN() // rates do not add up
		}
		if p.Part {
			q.Model = onBase(d.Values(at(Model, p.Above)), d.Values(at(Model, p.Below)), d.Stat(at(Kernel, p.Below)))
		}
		all = append(all, q)
	}
	return all
}

// onBase returns what above is to below if both have the kernel's base below them;
// no ratio where the kernel was not measured.
func onBase(above, below []float64, base Stat) Ratio {
	if base.N == 0 {
		return ratioOf(nil, nil)
	}
	var with, without []float64
	for i := range min(len(above), len(below)) {
		with, without = append(with, base.Median+above[i]-below[i]), append(without, base.Median)
	}
	return ratioOf(with, without)
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

// NoSize reports whether there is nothing whose size could be compared: neither
// side sees a difference.
func (p Prediction) NoSize() bool {
	return p.Measured() && p.Model.Sign() == 0 && p.Kernel.Sign() == 0 && p.SameSign()
}

// PlacedOff is Off of Placed.
func (p Prediction) PlacedOff() float64 { return math.Abs(p.Placed/p.Kernel.Median - 1) }

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
	if p.NoSize() {
		return fmt.Sprintf("%s: model %v, kernel %v: %s", p.Name, p.Model, p.Kernel, verdict)
	}
	if !math.IsNaN(p.Placed) {
		size += fmt.Sprintf("; the model's difference on the kernel's base x%s", short(p.Placed))
	}
	text := fmt.Sprintf("%s: model %v, kernel %v: %s, %s", p.Name, p.Model, p.Kernel, verdict, size)
	if p.Cause != "" && (!p.SameSign() || p.Off() > 0.25) {
		text += ". " + p.Cause
	}
	return text
}
