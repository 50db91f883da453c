package advise

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// Print writes every law with its coefficients and its error.
func (c *Calibration) Print(out io.Writer) error {
	for i, b := range c.Latency.Bytes {
		if _, err := fmt.Fprintf(out, "L(%s) = %s\n", Bytes(b), duration(c.Latency.NS[i])); err != nil {
			return err
		}
	}
	var laws []*Law
	for _, k := range slices.Sorted(maps.Keys(c.Kinds)) {
		for _, place := range places() {
			l := c.Kinds[k].of(place)
			laws = append(laws, &l.Lookup, l.Pair, l.Birth, l.End, l.Walk, &l.Bytes)
		}
	}
	for _, s := range subsystems() {
		if h := c.Homes[s.word]; h != nil {
			laws = append(laws, &h.Tagged.Bytes, &h.Replicated.Bytes, h.Tagged.Birth, h.Replicated.Birth, &h.Tagged.End, &h.Replicated.End, h.Extra)
		}
	}
	for _, l := range laws {
		if l == nil || len(l.Coef) == 0 {
			continue
		}
		var terms []string
		for i, term := range l.Terms {
			if l.Coef[i] != 0 {
				terms = append(terms, fmt.Sprintf("%.4g %s", l.Coef[i], term))
			}
		}
		if _, err := fmt.Fprintf(out, "%s = %s %s (median error %.0f %%, worst %.0f %%, %d points fitted, %d held back)\n",
			l.Name, strings.Join(terms, " + "), l.Unit, 100*l.Error.Median, 100*l.Error.Worst, l.Error.Fitted, l.Error.Held); err != nil {
			return err
		}
	}
	for _, s := range subsystems() {
		h := c.Homes[s.word]
		if h == nil {
			continue
		}
		var ops []string
		for _, path := range Paths() {
			ops = append(ops, fmt.Sprintf("%s %.1f", path, h.Ops[path]))
		}
		if _, err := fmt.Fprintf(out, "%s (%s): %g entries of tables in a Net from the start, %g with any, %g for each, in %g tables; looks of a packet: %s\n",
			s.word, cmp.Or(s.entry, "-"), h.First, h.Any, h.Each, h.Tables, strings.Join(ops, ", ")); err != nil {
			return err
		}
	}
	return nil
}

// Bytes prints bytes with two digits or more and a unit of 1024s.
func Bytes(bytes float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for math.Abs(bytes) >= 1024 && i < len(units)-1 {
		bytes /= 1024
		i++
	}
	if i > 0 && math.Abs(bytes) < 10 {
		return fmt.Sprintf("%.1f %s", bytes, units[i])
	}
	return fmt.Sprintf("%.0f %s", bytes, units[i])
}

// percent prints a share of a CPU.
func percent(v float64) string {
	switch p := math.Abs(100 * v); {
	case p >= 10:
		return fmt.Sprintf("%.0f %%", 100*v)
	case p >= 0.1:
		return fmt.Sprintf("%.2g %%", 100*v)
	case p == 0:
		return "0 %"
	case p < 0.001:
		return "<0.001 %"
	}
	return fmt.Sprintf("%.1g %%", 100*v)
}

// duration prints ns in the unit that fits.
func duration(ns float64) string {
	units := []string{"ns", "us", "ms", "s"}
	i := 0
	for ns >= 1000 && i < len(units)-1 {
		ns /= 1000
		i++
	}
	if ns < 10 {
		return fmt.Sprintf("%.1f %s", ns, units[i])
	}
	return fmt.Sprintf("%.0f %s", ns, units[i])
}
