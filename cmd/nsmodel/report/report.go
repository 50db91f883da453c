package report

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"nsmodel/compare"
)

// Write writes the report of what a store holds of some experiments into a
// directory, which must be there: report.md, report.html, plots/NAME.svg and
// machine.txt. The samples are there already.
func Write(dir string, store *compare.Store, some []*compare.Experiment) error {
	if err := os.MkdirAll(filepath.Join(dir, plotsDir), 0o755); err != nil {
		return err
	}
	r := &writer{store: store, some: some}
	if err := r.build(); err != nil {
		return err
	}
	for name, b := range r.plots {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	for name, b := range map[string][]byte{"report.md": r.doc.markdown(), "report.html": r.doc.page(), "machine.txt": r.machineText()} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// plotsDir is where a report's plots are.
const plotsDir = "plots"

// A writer builds one report.
type writer struct {
	store *compare.Store
	some  []*compare.Experiment
	doc   document
	plots map[string][]byte // by path in the report's directory
}

// build puts the document together.
func (r *writer) build() error {
	r.plots = map[string][]byte{}
	r.doc = document{title: "Tagging or duplication: what it costs, measured"}
	r.lead()
	r.answers()
	r.predictions()
	r.doc.head(2, "experiments", "The experiments")
	r.doc.say("", "Each experiment's expectation was written down before its first measurement. Tables and bars show the median of the rounds and their quartiles. A ratio is the median of the rounds' own ratios, "+
		"in brackets the interval in which it lies with 95 % confidence; where that interval comes within 2 % of 1, the spread is wider than the effect and the table says \"no difference seen\".")
	for _, e := range r.some {
		if err := r.experiment(e); err != nil {
			return fmt.Errorf("report: %s: %w", e.Name, err)
		}
	}
	r.machine()
	r.method()
	return nil
}

// anchor is an experiment's name within the document.
func anchor(e *compare.Experiment) string { return "experiment-" + e.Name }

// lead says what this is, and what spoils it.
func (r *writer) lead() {
	r.doc.say("", "A table that all network namespaces share, each entry carrying its namespace (tagged), against a table for each namespace (replicated). "+
		"Every experiment measures both placements on nsmodel, a model of Linux network namespaces, and on the running kernel where the kernel can do the same. "+
		"Model and kernel do different amounts of work around the table: compare their ratios, not their times.")
	if o, ok := r.origin(); ok {
		r.doc.say("Measured", fmt.Sprintf("%s; %v.", r.when(), o))
	} else {
		r.doc.add(warning{"These experiments were not all measured with the same code, scale and computer: see the table at the end before you set their figures beside each other."})
	}
	for _, e := range r.some {
		if why := r.store.Record(e).Failed; why != "" {
			r.doc.add(warning{fmt.Sprintf("Experiment %d, %s, failed: %s. What it measured before that is shown.", e.Number, e.Name, strings.TrimPrefix(why, "compare: "+e.Name+": "))})
		}
	}
	if foreign, steal := r.load(); foreign > 0.05 || steal > 0.02 {
		text := fmt.Sprintf("Others kept up to %.2f CPUs busy during these measurements", foreign)
		if steal > 0.02 {
			text += fmt.Sprintf(", and the host kept back up to %.2f", steal)
		}
		r.doc.add(warning{text + ": trust ratios only, and wide intervals least."})
	}
	if o, ok := r.origin(); ok && strings.Contains(o.Commit, "modified") {
		r.doc.add(warning{"The code had changes that are in no commit."})
	}
}

// answers is the summary.
func (r *writer) answers() {
	r.doc.head(2, "answers", "Answers")
	t := table{header: []string{"Experiment", "Question", "Answer"}}
	for _, e := range r.some {
		t.rows = append(t.rows, []string{fmt.Sprintf("%d %s", e.Number, e.Name), e.Question, first(r.answer(e))})
		t.links = append(t.links, anchor(e))
	}
	r.doc.add(t)
	r.doc.say("", "x2.00 (x1.90 to x2.10) reads: twice as much, with 95 % confidence between 1.9 and 2.1 times as much.")
}

// answer is an experiment's answer, or why there is none.
func (r *writer) answer(e *compare.Experiment) string {
	d := r.store.Of(e)
	if len(d.Keys("")) == 0 {
		return "Not measured."
	}
	return grouped(e.Answer(d))
}

// first returns the first sentence.
func first(text string) string {
	if i := strings.Index(text, ". "); i >= 0 {
		return text[:i+1]
	}
	return text
}

// predictions is the prediction test.
func (r *writer) predictions() {
	r.doc.head(2, "prediction", "The prediction test")
	t := table{header: []string{"Experiment", "Ratio", "Model", "Kernel", "Sign", "Size", "On the kernel's base", "Cause of the difference"}}
	tested, right, open, none, sizes, based := 0, 0, 0, 0, 0, 0
	for _, e := range r.some {
		for _, p := range e.Predictions(r.store.Of(e)) {
			t.rows = append(t.rows, []string{fmt.Sprintf("%d %s", e.Number, e.Name), p.Name, p.Model.String(), p.Kernel.String(), signOf(p), sizeOf(p), placed(p), causeOf(p)})
			t.links = append(t.links, anchor(e))
			if p.Measured() {
				tested++
				switch {
				case p.Model.Sign() == p.Kernel.Sign():
					right++
				case p.SameSign():
					open++
				}
				switch {
				case p.NoSize():
					none++
				case p.Off() <= goodSize:
					sizes++
				case p.PlacedOff() <= goodSize:
					based++
				}
			}
		}
	}
	if t.rows == nil {
		r.doc.say("", "None of these experiments has a counterpart on the kernel.")
		return
	}
	r.doc.say("", fmt.Sprintf("Does a ratio that the model has hold for the kernel? Of %d ratios measured on both, the sign is right in %d, not contradicted in %d, and wrong in %d; in %d there is no size to compare, as neither side sees a difference; of the other %d the size is within 25 %% in %d, and on the kernel's base in %d more. "+
		"The sign is right where both sides see more, less, or no difference. It is not contradicted where one side sees none and the intervals of both overlap. "+
		"A ratio says as much of what stands around a table, which is a multiple on the kernel, as of the table; so the column \"on the kernel's base\" takes the model's difference, in its unit, on top of what the kernel takes without it.",
		tested, right, open, tested-right-open, none, tested-none, sizes, based))
	r.doc.add(t)
	if tested < len(t.rows) {
		r.doc.say("", "What was not tested takes a larger scale, or a computer whose kernel lets the command make network namespaces; below, each experiment says what it could not measure.")
	}
}

// goodSize is by what share the model's ratio may miss the kernel's.
const goodSize = 0.25

func signOf(p compare.Prediction) string {
	a, b := p.Model.Sign(), p.Kernel.Sign()
	switch {
	case !p.Measured():
		return "not tested"
	case a == 0 && b == 0:
		return "right: no difference seen on either side"
	case a == b:
		return "right"
	case p.SameSign() && a == 0:
		return "not contradicted: no difference seen on the model"
	case p.SameSign():
		return "not contradicted: no difference seen on the kernel"
	case a == 0:
		return "WRONG: no difference seen on the model"
	case b == 0:
		return "WRONG: no difference seen on the kernel"
	}
	return "WRONG"
}

func sizeOf(p compare.Prediction) string {
	switch {
	case !p.Measured():
		return "not tested"
	case p.NoSize():
		return "no difference on either side"
	case p.Off() <= goodSize:
		return fmt.Sprintf("within 25 %%: off by %.0f %%", 100*p.Off())
	}
	return fmt.Sprintf("off: the model's ratio is %s times the kernel's", digits(p.Model.Median/p.Kernel.Median))
}

// placed tells what the model's difference comes to on the kernel's base.
func placed(p compare.Prediction) string {
	switch {
	case !p.Measured() || math.IsNaN(p.Placed) || p.NoSize():
		return ""
	case p.PlacedOff() <= goodSize:
		return fmt.Sprintf("x%s: within 25 %%", digits(p.Placed))
	}
	return fmt.Sprintf("x%s, the kernel's is x%s", digits(p.Placed), digits(p.Kernel.Median))
}

func causeOf(p compare.Prediction) string {
	switch {
	case !p.Measured() || p.NoSize() || p.SameSign() && p.Off() <= goodSize:
		return ""
	case p.Cause == "":
		return "not found yet"
	}
	return p.Cause
}
