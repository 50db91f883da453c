package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"nsmodel/compare"
)

// origin returns where the samples come from, if all come from the same.
func (r *writer) origin() (one compare.Origin, ok bool) {
	known := r.origins()
	if len(known) == 1 {
		return known[0], true
	}
	return compare.Origin{}, false
}

// origins returns where samples come from, each once.
func (r *writer) origins() (list []compare.Origin) {
	seen := map[compare.Origin]bool{}
	for _, e := range r.some {
		if o := r.store.Record(e).Origin; !seen[o] && len(r.store.Of(e).Keys("")) > 0 {
			seen[o] = true
			list = append(list, o)
		}
	}
	return list
}

// sessions returns all runs that took samples.
func (r *writer) sessions() (list []compare.Session) {
	for _, e := range r.some {
		list = append(list, r.store.Record(e).Sessions...)
	}
	return list
}

// load returns the most that others took from any experiment, in CPUs.
func (r *writer) load() (foreign, steal float64) {
	for _, s := range r.sessions() {
		foreign, steal = max(foreign, s.Foreign), max(steal, s.Steal)
	}
	return foreign, steal
}

// when returns from when to when samples were taken.
func (r *writer) when() string {
	var from, to time.Time
	for _, s := range r.sessions() {
		if from.IsZero() || s.Start.Before(from) {
			from = s.Start
		}
		if end := s.Start.Add(s.Took); end.After(to) {
			to = end
		}
	}
	if from.IsZero() {
		return "at a time that was not recorded"
	}
	from, to = from.UTC(), to.UTC()
	last := to.Format("15:04 UTC")
	if from.YearDay() != to.YearDay() {
		last = to.Format("2006-01-02 15:04 UTC")
	}
	return from.Format("2006-01-02 15:04") + " to " + last
}

// machine is the section on the computer.
func (r *writer) machine() {
	r.doc.head(2, "machine", "The machine")
	r.doc.add(r.machineTable())
	if t, ok := r.loadTable(); ok {
		r.doc.add(t)
	}
}

func (r *writer) machineTable() table {
	t := table{header: []string{"", ""}}
	origins := r.origins()
	for i, o := range origins {
		if len(origins) > 1 {
			var names []string
			for _, e := range r.some {
				if r.store.Record(e).Origin == o && len(r.store.Of(e).Keys("")) > 0 {
					names = append(names, e.Name)
				}
			}
			t.rows = append(t.rows, []string{fmt.Sprintf("Origin %d of %d", i+1, len(origins)), strings.Join(names, ", ")})
		}
		unknown := func(v string) string { return cmp.Or(v, "not recorded") }
		cores := ""
		if o.Cores > 0 {
			cores = fmt.Sprint(o.Cores)
		}
		t.rows = append(t.rows, [][]string{{"CPU", unknown(o.CPU)}, {"Cores", unknown(cores)}, {"Memory", unknown(o.Memory)},
			{"Kernel", unknown(o.Kernel)}, {"Go", unknown(o.Go)}, {"CPU frequency governor", cmp.Or(o.Governor, "cannot be seen here")},
			{"Commit of nsmodel", unknown(o.Commit)}, {"Scale", unknown(o.Scale)}}...)
	}
	t.rows = append(t.rows, []string{"Measured", r.when()})
	return t
}

// loadTable tells what others did meanwhile.
func (r *writer) loadTable() (table, bool) {
	t := table{caption: "What else went on: CPUs that others kept busy (the kernel's own work in the background is among it), CPUs that a virtual machine's host kept back (steal), the load average over a minute before and after.",
		header: []string{"Experiment", "Began (UTC)", "Took", "CPUs of others", "Steal", "Load before", "Load after"}, figures: true}
	for _, e := range r.some {
		for _, s := range r.store.Record(e).Sessions {
			t.rows = append(t.rows, []string{fmt.Sprintf("%d %s", e.Number, e.Name), s.Start.UTC().Format("2006-01-02 15:04:05"), s.Took.Round(time.Second).String(),
				fmt.Sprintf("%.2f", s.Foreign), fmt.Sprintf("%.2f", s.Steal), fmt.Sprintf("%.2f", s.LoadBefore), fmt.Sprintf("%.2f", s.LoadAfter)})
		}
	}
	return t, t.rows != nil
}

// machineText is the same for a file of its own.
func (r *writer) machineText() []byte {
	var b strings.Builder
	for _, row := range r.machineTable().rows {
		fmt.Fprintf(&b, "%s: %s\n", row[0], row[1])
	}
	if t, ok := r.loadTable(); ok {
		fmt.Fprintf(&b, "\n%s\n\n%s\n", t.caption, strings.Join(t.header, "\t"))
		for _, row := range t.rows {
			fmt.Fprintln(&b, strings.Join(row, "\t"))
		}
	}
	return []byte(b.String())
}

// method is the section on how it was done.
func (r *writer) method() {
	r.doc.head(2, "method", "How it was measured")
	r.doc.add(list{"", []string{
		"What is compared is measured in turns within one run: a round takes one sample of each, and every other round goes in reverse order, so that what drifts falls on all of them. The first sample is thrown away unless an experiment wants it cold.",
		"Times are CPU time of the thread that did the work unless a figure says otherwise: on a busy computer a wall clock measures the neighbours.",
		"A ratio is the median of the rounds' own ratios. Its interval is the sign test's, which supposes nothing about the distribution: with 7 rounds it is all of them.",
		"The kernel is measured in network namespaces that the command makes itself. Each size takes its turn there, as the kernel has one shared table; its own tables beside it in the same rounds tell how the computer fared meanwhile.",
		"samples.csv holds every sample: experiment, figure, side (model, kernel, gvisor), series, x, round, value in the unit of the figure's y axis.",
	}})
}
