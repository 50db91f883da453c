package advise

import (
	"fmt"
	"math"
	"slices"
	"syscall"
)

// A Law is a sum of terms with coefficients that are at least zero, fitted to
// points that were measured.
type Law struct {
	Name  string    `json:"name"`
	Unit  string    `json:"unit"`
	Terms []string  `json:"terms"`
	Coef  []float64 `json:"coef"` // one for each term
	Error Error     `json:"error"`
}

// An Error is how far a law was off at the points that were held back from its
// fit, as a share of what was measured there: 0.1 is a tenth.
type Error struct {
	Median float64 `json:"median"`
	Worst  float64 `json:"worst"`
	Fitted int     `json:"fitted"` // points that the law was fitted to
	Held   int     `json:"held"`   // points that it was tried at
}

// A row is one point: the values of a law's terms there, and what was measured.
type row struct {
	x  []float64
	y  float64
	of float64 // what errors are shares of; 0: y
}

func (r *row) whole() float64 {
	if r.of != 0 {
		return r.of
	}
	return r.y
}

// held reports whether the i-th of n points is held back: every third is, but never
// the first or the last, so that a law is tried between the points that it was
// fitted to. A law of births, whose last point had been held back, was tried a third
// beyond its range.
func held(i, n int) bool {
	if n%3 == 0 {
		return i%3 == 1
	}
	return i%3 == 2
}

// fit finds the law of least relative error at the rows that are not held back,
// and notes its error at those that are. EINVAL for too few points and for values
// that no law of this kind gives.
func fit(name, unit string, terms []string, rows []row) (Law, error) {
	l := Law{Name: name, Unit: unit, Terms: terms}
	var some []row
	for i, r := range rows {
		if len(r.x) != len(terms) {
			return l, fmt.Errorf("advise: law of %s: point %d has %d terms, want %d: %w", name, i, len(r.x), len(terms), syscall.EINVAL)
		}
		if !(r.whole() > 0) || math.IsInf(r.y, 0) || math.IsNaN(r.y) {
			return l, fmt.Errorf("advise: law of %s: point %d is %v: %w", name, i, r.y, syscall.EINVAL)
		}
		if !held(i, len(rows)) {
			some = append(some, r)
		}
	}
	if len(some) <= len(terms) {
		return l, fmt.Errorf("advise: law of %s: %d points for %d terms: %w", name, len(some), len(terms), syscall.EINVAL)
	}
	l.Coef = leastSquares(some, len(terms))
	l.Error = l.errorAt(rows)
	l.Error.Fitted = len(some)
	return l, nil
}

// at evaluates the law.
func (l *Law) at(x ...float64) (y float64) {
	for i, c := range l.Coef {
		y += c * x[i]
	}
	return y
}

// errorAt returns the law's error at the rows that are held back.
func (l *Law) errorAt(rows []row) Error {
	return errorOf(rows, func(i int) float64 { return (l.at(rows[i].x...) - rows[i].y) / rows[i].whole() })
}

// errorOf gathers the size of off at the held rows.
func errorOf(rows []row, off func(i int) float64) (e Error) {
	var all []float64
	for i := range rows {
		if held(i, len(rows)) {
			all = append(all, math.Abs(off(i)))
		}
	}
	if len(all) == 0 {
		return e
	}
	slices.Sort(all)
	return Error{Median: middle(all), Worst: all[len(all)-1], Held: len(all)}
}

// ratioError returns by how much the quotient of two laws misses the measured
// quotient at the held rows: what the laws of two placements share in error does
// not blur their comparison. The rows are of the same points.
func ratioError(a, b *Law, as, bs []row) Error {
	return errorOf(as, func(i int) float64 {
		return a.at(as[i].x...)/b.at(bs[i].x...)/(as[i].y/bs[i].y) - 1
	})
}

// middle returns the median of sorted values.
func middle(sorted []float64) float64 {
	k := len(sorted)
	if k%2 == 1 {
		return sorted[k/2]
	}
	return (sorted[k/2-1] + sorted[k/2]) / 2
}

func medianOf(values []float64) float64 { return middle(slices.Sorted(slices.Values(values))) }

// leastSquares returns the k coefficients, none below zero, with the least sum of
// squared relative errors. With k as small as ours every set of terms that may be
// above zero can be tried, and the best of those without a negative coefficient is
// the answer.
func leastSquares(rows []row, k int) []float64 {
	best, least := make([]float64, k), math.Inf(1)
	for set := 1; set < 1<<k; set++ {
		c, ok := solve(rows, k, set)
		if !ok {
			continue
		}
		sum := 0.0
		for _, r := range rows {
			y := 0.0
			for j := range c {
				y += c[j] * r.x[j]
			}
			sum += (y - r.y) / r.whole() * (y - r.y) / r.whole()
		}
		// A further term must earn its place.
		if sum < least*(1-1e-9) {
			best, least = c, sum
		}
	}
	return best
}

// solve fits the terms in set alone, by the normal equations; false if they do
// not determine it or a coefficient comes out below zero.
func solve(rows []row, k, set int) ([]float64, bool) {
	var use []int
	for j := range k {
		if set&(1<<j) != 0 {
			use = append(use, j)
		}
	}
	n := len(use)
	// Columns are scaled to length 1, so that ns and billions of bytes get along.
	scale := make([]float64, n)
	for i, j := range use {
		for _, r := range rows {
			scale[i] += r.x[j] / r.whole() * r.x[j] / r.whole()
		}
		if scale[i] = math.Sqrt(scale[i]); scale[i] == 0 {
			return nil, false
		}
	}
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n+1)
		for _, r := range rows {
			xi := r.x[use[i]] / r.whole() / scale[i]
			for j := range use {
				m[i][j] += xi * r.x[use[j]] / r.whole() / scale[j]
			}
			m[i][n] += xi * r.y / r.whole()
		}
	}
	if !eliminate(m) {
		return nil, false
	}
	c := make([]float64, k)
	for i, j := range use {
		if c[j] = m[i][n] / scale[i]; c[j] < 0 {
			return nil, false
		}
	}
	return c, true
}

// eliminate solves n equations in place; false if they are as good as singular.
func eliminate(m [][]float64) bool {
	n := len(m)
	for i := range n {
		top := i
		for j := i + 1; j < n; j++ {
			if math.Abs(m[j][i]) > math.Abs(m[top][i]) {
				top = j
			}
		}
		if math.Abs(m[top][i]) < 1e-9 {
			return false
		}
		m[i], m[top] = m[top], m[i]
		for j := range n {
			if j == i {
				continue
			}
			q := m[j][i] / m[i][i]
			for c := i; c <= n; c++ {
				m[j][c] -= q * m[i][c]
			}
		}
	}
	for i := range n {
		m[i][n] /= m[i][i]
	}
	return true
}
