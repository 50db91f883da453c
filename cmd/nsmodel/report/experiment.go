package report

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"nsmodel/compare"
)

// experiment is the section of one experiment.
func (r *writer) experiment(e *compare.Experiment) error {
	d := r.store.Of(e)
	r.doc.head(3, anchor(e), fmt.Sprintf("%d %s: %s", e.Number, e.Name, e.Question))
	if why := r.store.Record(e).Failed; why != "" {
		r.doc.add(warning{"Failed: " + why})
	}
	r.doc.add(list{"Who asked, or moved a table for this reason", e.Sources})
	r.doc.say("Workload", sentence(e.Workload))
	r.doc.say("Measured", sentence(e.Measured))
	r.doc.say("On the kernel", sentence(e.Kernel))
	r.doc.add(beside{"Expected, before measuring", e.Expected, "What came", r.answer(e)})
	for i := range e.Figures {
		if err := r.figure(e, i, d); err != nil {
			return err
		}
	}
	if ps := e.Predictions(d); len(ps) > 0 {
		l := list{label: "Predicted"}
		for _, p := range ps {
			l.items = append(l.items, predicted(p))
		}
		r.doc.add(l)
	}
	if notes := r.store.Notes(e); len(notes) > 0 {
		r.doc.add(list{"Not measured here", notes})
	}
	return nil
}

// predicted tells one prediction and what came of it.
func predicted(p compare.Prediction) string {
	text := fmt.Sprintf("%s: model %v, kernel %v", p.Name, p.Model, p.Kernel)
	if p.Measured() {
		text += fmt.Sprintf("; sign %s; size %s", signOf(p), sizeOf(p))
		if base := placed(p); base != "" {
			text += "; the model's difference on the kernel's base " + base
		}
	}
	text = sentence(grouped(text))
	if cause := causeOf(p); cause != "" {
		text += " Cause: " + sentence(cause)
	}
	return text
}

// figure is one plot with its tables.
func (r *writer) figure(e *compare.Experiment, i int, d *compare.Data) error {
	f := &e.Figures[i]
	name := fmt.Sprintf("Figure %d.%d", e.Number, i+1)
	all, notes := seriesOf(f, d)
	if !slices.ContainsFunc(all, func(s *series) bool { return s.side != "" }) {
		r.doc.say(name+", "+f.Title, "not measured.")
		return nil
	}
	svg, err := newDrawing(f, all).svg()
	if err != nil {
		return err
	}
	g := graph{file: path.Join(plotsDir, fmt.Sprintf("%d-%s-%s.svg", e.Number, e.Name, f.Name)), title: f.Title, svg: svg}
	g.caption = strings.Join(append([]string{fmt.Sprintf("%s. %s: %s, against %s.", name, f.Title, f.Y, f.X), key(all)}, notes...), " ")
	r.plots[g.file] = svg
	r.doc.add(g, medians(f, d, all))
	if t, ok := ratios(f, d, all); ok {
		r.doc.add(t)
	}
	return nil
}

// key says what the lines' forms mean.
func key(all []*series) string {
	text := "Medians; the bars are the quartiles."
	has := func(side string) bool {
		return slices.ContainsFunc(all, func(s *series) bool { return s.side == side })
	}
	if has(compare.Kernel) {
		text += " Full line and mark: model; dashed line, hollow mark: kernel."
	}
	if has(compare.Peer) {
		text += " Dash and dot: gVisor."
	}
	return text
}

// xs returns where anything was measured, in order.
func xs(all []*series) (list []float64) {
	for _, s := range all {
		if s.side == "" {
			continue
		}
		for _, p := range s.points {
			list = append(list, p.x)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// medians is the table of a figure: a row for each x, a column for each series.
func medians(f *compare.Figure, d *compare.Data, all []*series) table {
	t := table{header: []string{f.X}, figures: true}
	least, most := 0, 0
	for _, k := range d.Keys(f.Name) {
		n := d.Stat(k).N
		if least == 0 || n < least {
			least = n
		}
		most = max(most, n)
	}
	rounds := fmt.Sprint(least)
	if most != least {
		rounds = fmt.Sprintf("%d to %d", least, most)
	}
	t.caption = fmt.Sprintf("%s: median of %s rounds, in brackets the quartiles.", capital(f.Y), rounds)
	for _, s := range all {
		if s.side != "" {
			t.header = append(t.header, s.label)
		}
	}
	for _, x := range xs(all) {
		row := []string{number(x)}
		for _, s := range all {
			if s.side == "" {
				continue
			}
			cell := "-"
			if i := slices.IndexFunc(s.points, func(p point) bool { return p.x == x }); i >= 0 {
				p := s.points[i]
				cell = unbroken(fmt.Sprintf("%s (%s to %s)", digits(p.y), digits(p.low), digits(p.high)))
			}
			row = append(row, cell)
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// ratios is the table of what the series are to those that they compare with.
func ratios(f *compare.Figure, d *compare.Data, all []*series) (t table, ok bool) {
	type pair struct{ above, below *series }
	var pairs []pair
	for _, s := range all {
		if base := baseOf(s, all); base != nil {
			pairs = append(pairs, pair{s, base})
		}
	}
	t = table{caption: "What is to what, by rounds.", header: []string{f.X}, figures: true}
	for _, p := range pairs {
		t.header = append(t.header, fmt.Sprintf("%s : %s", p.above.label, p.below.name))
	}
	for _, x := range xs(all) {
		row, any := []string{number(x)}, false
		for _, p := range pairs {
			at := func(s *series) compare.Key { return compare.Key{Figure: f.Name, Side: s.side, Series: s.name, X: x} }
			cell := "-"
			if ratio := d.Ratio(at(p.above), at(p.below)); ratio.N > 0 {
				cell, any = unbroken(grouped(ratio.String())), true
			}
			row = append(row, cell)
		}
		if any {
			t.rows = append(t.rows, row)
		}
	}
	return t, len(pairs) > 0 && t.rows != nil
}

// unbroken keeps what is in brackets on one line.
func unbroken(text string) string {
	value, spread, ok := strings.Cut(text, "(")
	if !ok {
		return text
	}
	return value + "(" + strings.ReplaceAll(spread, " ", "\u00a0")
}

// baseOf returns the series of the same side that s is weighed against: its
// replicated twin, else the replicated one, else the side's first; nil for that
// itself.
func baseOf(s *series, all []*series) *series {
	if s.side == "" {
		return nil
	}
	find := func(want string) *series {
		for _, o := range all {
			if o.side == s.side && o.name == want {
				return o
			}
		}
		return nil
	}
	base := find(compare.Replicated)
	if rest, ok := strings.CutPrefix(s.name, compare.Tagged); ok {
		if twin := find(compare.Replicated + rest); twin != nil {
			base = twin
		}
	}
	if base == nil && !strings.HasPrefix(s.name, compare.Replicated) {
		base = all[slices.IndexFunc(all, func(o *series) bool { return o.side == s.side })]
	}
	if base == s {
		return nil
	}
	return base
}

// long finds numbers that want commas.
var long = regexp.MustCompile(`(^|[\s(x])(\d{4,})\b`)

// grouped sets commas into the numbers of a text.
func grouped(text string) string {
	return long.ReplaceAllStringFunc(text, func(m string) string {
		i := strings.IndexAny(m, "0123456789")
		return m[:i] + commas(m[i:])
	})
}

// capital begins a text with a capital letter.
func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// sentence ends a text with a full stop.
func sentence(text string) string {
	text = capital(text)
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
