package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// A scale puts values on an axis. On a logarithmic one 0 has a place of its own,
// set apart to the left of the least value above it.
type scale struct {
	log      bool
	zero     float64 // where 0 is on a logarithmic axis
	hasZero  bool
	min, max float64 // of the axis, as at gives them
	ticks    []tick
}

// A tick is a mark on an axis; a minor one has no label.
type tick struct {
	at    float64
	label string
}

// newScale returns an axis for values; low says that it is to begin at 0 if it
// is linear, and that 0 needs no place of its own on a logarithmic one.
func newScale(values []float64, log, low bool) *scale {
	s := &scale{log: log}
	if log && !slices.ContainsFunc(values, func(v float64) bool { return v > 0 }) {
		s.log = false // nothing is above 0
	}
	if s.log {
		s.logarithmic(values, low)
	} else {
		s.linear(values, low)
	}
	return s
}

// at returns where a value is on the axis.
func (s *scale) at(v float64) float64 {
	switch {
	case !s.log:
		return v
	case v <= 0 && s.hasZero:
		return s.zero
	case v <= 0:
		return s.min
	}
	return math.Log10(v)
}

func (s *scale) logarithmic(values []float64, low bool) {
	first, last := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v > 0 {
			first, last = min(first, v), max(last, v)
		}
	}
	lo, hi := math.Log10(first), math.Log10(last)
	pad := max(0.05, 0.04*(hi-lo))
	if first == last {
		pad = 0.3
	}
	s.min, s.max = lo-pad, hi+pad
	s.hasZero = !low && slices.ContainsFunc(values, func(v float64) bool { return v <= 0 })
	s.ticks = logTicks(math.Pow(10, s.min), math.Pow(10, s.max))
	if first == last {
		s.ticks = []tick{{lo, number(first)}}
	}
	if s.hasZero {
		gap := max(0.5, 0.18*(hi-lo))
		s.zero = lo - gap
		s.min = s.zero - 1.5*pad
		s.ticks = append(s.ticks, tick{s.zero, "0"})
	}
}

// logTicks labels decades, and as many values between them as the axis needs.
func logTicks(first, last float64) (ticks []tick) {
	span := math.Log10(last / first)
	if span < 0.7 {
		for _, v := range round(first, last, 5) {
			ticks = append(ticks, tick{math.Log10(v), number(v)})
		}
		return ticks
	}
	print := number
	if last >= 1e6 {
		print = prefixed
	}
	every := math.Ceil(span / 9) // decades to a label
	for d := math.Floor(math.Log10(first)); d <= math.Log10(last); d++ {
		for i := 1.0; i < 10; i++ {
			v := i * math.Pow(10, d)
			if v < first || v > last {
				continue
			}
			label := ""
			if i == 1 && math.Mod(d, every) == 0 || span < 2.2 && (i == 2 || i == 5) {
				label = print(v)
			}
			ticks = append(ticks, tick{math.Log10(v), label})
		}
	}
	return ticks
}

func (s *scale) linear(values []float64, low bool) {
	first, last := slices.Min(values), slices.Max(values)
	if low {
		first = min(first, 0)
	}
	if first == last {
		first, last = first-1, last+1
	}
	pad := 0.05 * (last - first)
	s.min, s.max = first-pad, last+pad
	if low && first == 0 {
		s.min = 0
	}
	marks := slices.Compact(slices.Sorted(slices.Values(values)))
	if low || len(marks) > 8 {
		marks = round(s.min, s.max, 6)
	}
	for _, v := range marks {
		s.ticks = append(s.ticks, tick{v, number(v)})
	}
}

// round returns round numbers from first to last, about n of them.
func round(first, last float64, n int) (marks []float64) {
	raw := (last - first) / float64(n)
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * mag
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*mag {
			step = m * mag
			break
		}
	}
	for i := math.Ceil(first / step); i*step <= last*(1+1e-9); i++ {
		marks = append(marks, i*step)
	}
	return marks
}

// number prints a value of an axis, with commas.
func number(v float64) string {
	v += 0 // -0 is 0
	if r := math.Round(v); math.Abs(v-r) < 1e-9*math.Abs(v) {
		v = r // a power of 10 that is one but for its last bit
	}
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if math.Abs(v) < 1 && v != 0 || len(text) > 15 {
		text = strconv.FormatFloat(v, 'g', 4, 64)
	}
	return commas(text)
}

// prefixed prints thousands, millions and milliards in short, where many decades
// share an axis.
func prefixed(v float64) string {
	for _, p := range []struct {
		unit float64
		sign string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= p.unit*(1-1e-9) {
			return number(math.Round(v/p.unit*1e3)/1e3) + p.sign
		}
	}
	return number(v)
}

// commas sets commas between thousands of a number in decimal.
func commas(text string) string {
	whole, part, dotted := strings.Cut(text, ".")
	if strings.ContainsAny(whole, "e") {
		return text
	}
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dotted {
		whole += "." + part
	}
	return sign + whole
}

// digits prints a measured value with three digits that count, or more before
// the point.
func digits(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	switch a := math.Abs(v); {
	case a >= 100 || a == 0:
		return commas(strconv.FormatFloat(v, 'f', 0, 64))
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
