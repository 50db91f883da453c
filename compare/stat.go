package compare

import (
	"fmt"
	"math"
	"slices"
)

// A Stat is what some rounds of one value came to.
type Stat struct {
	Median, Low, High float64 // Low and High: an interval for the median, see interval
	N                 int
}

// statOf returns the median of values and the interval in which a median lies
// with 95 % confidence.
func statOf(values []float64) Stat {
	if len(values) == 0 {
		return Stat{Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	v := slices.Sorted(slices.Values(values))
	low, high := interval(len(v))
	return Stat{medianOf(v), v[low], v[high], len(v)}
}

func medianOf(sorted []float64) float64 {
	k := len(sorted)
	if k%2 == 1 {
		return sorted[k/2]
	}
	return (sorted[k/2-1] + sorted[k/2]) / 2
}

// quartiles returns the first and the third quartile, between two values in
// proportion.
func quartiles(values []float64) (low, high float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	at := func(share float64) float64 {
		whole, part := math.Modf(share * float64(len(v)-1))
		i := int(whole)
		return v[i] + part*(v[min(i+1, len(v)-1)]-v[i])
	}
	return at(0.25), at(0.75)
}

// interval returns the order statistics between which the median of the
// distribution lies with 95 % confidence or, of few values, as much as there is:
// the sign test's interval, which supposes nothing of the distribution's form.
func interval(k int) (low, high int) {
	below := math.Pow(0.5, float64(k)) // P(at most `low` of k values are below the median)
	term := below
	for low = 0; low+1 < k/2; low++ {
		term *= float64(k-low) / float64(low+1)
		if below+term > 0.025 {
			break
		}
		below += term
	}
	return low, k - 1 - low
}

// A Ratio is one value's median multiple of another.
type Ratio struct {
	Stat
}

// ratioOf returns the ratio of two values taken in turns: the rounds' own ratios
// are compared, since two figures of one round were taken at nearly the same
// time under nearly the same load.
func ratioOf(above, below []float64) Ratio {
	var rs []float64
	for i := range min(len(above), len(below)) {
		if below[i] != 0 {
			rs = append(rs, above[i]/below[i])
		}
	}
	return Ratio{statOf(rs)}
}

// noise is the least change that is called one, whatever the rounds say: rounds
// that agree among themselves to a hundredth can all be off by more than that,
// through the layout of code and memory that one process happens to have.
const noise = 0.02

// Seen reports whether there is a difference: the interval leaves out 1, by more
// than the noise.
func (r Ratio) Seen() bool { return r.Low > 1+noise || r.High < 1-noise }

// Sign returns -1, 0 or 1 as the ratio is seen to be below, about or above 1.
func (r Ratio) Sign() int {
	switch {
	case r.N == 0 || !r.Seen():
		return 0
	case r.Median > 1:
		return 1
	}
	return -1
}

// String says it in words: the ratio with its interval, or that none is seen.
func (r Ratio) String() string {
	switch {
	case r.N == 0:
		return "not measured"
	case !r.Seen():
		return fmt.Sprintf("no difference seen (x%s to x%s)", short(r.Low), short(r.High))
	}
	return fmt.Sprintf("x%s (x%s to x%s)", short(r.Median), short(r.Low), short(r.High))
}

// short prints three digits.
func short(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "-"
	case a >= 100 || a == math.Trunc(a) && a < 1e6:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.095:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}
