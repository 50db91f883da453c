package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"nsmodel"
	"nsmodel/bench"
	"nsmodel/compare/advise"
)

// adviseFlags are the command line of advise.
type adviseFlags struct {
	w                            advise.Workload
	words                        []string // subsystems
	asJSON, measure, quick, laws bool
	check                        bool
	file                         string
}

// adviseRun says which subsystems to tag and which to replicate.
func adviseRun(args []string) int {
	f, err := parseAdvise(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case err != nil:
		return fail(err)
	}
	c, err := f.calibration()
	if err != nil {
		return fail(err)
	}
	a, err := c.Advise(f.w, f.words...)
	if err != nil {
		return fail(err)
	}
	var checked []advise.Checked
	if f.check {
		checked, err = c.Check(f.w, f.words, adviseProgress(time.Now()))
		progress("\r\x1b[K")
		if err != nil {
			return fail(err)
		}
	}
	if f.asJSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(map[string]any{"advice": a, "calibration": c, "checked": checked})
	} else {
		err = printAdvice(os.Stdout, c, a, checked, f.laws)
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

// errUsage is an error that package flag has told of.
var errUsage = errors.New("usage")

func parseAdvise(args []string) (*adviseFlags, error) {
	f := &adviseFlags{w: advise.Usual()}
	f.w.Of = map[string]int{}
	fs := flag.NewFlagSet("nsmodel advise", flag.ContinueOnError)
	w := &f.w
	fs.IntVar(&w.Nets, "nets", w.Nets, "`N` namespaces")
	fs.Func("entries", "`N` entries of each subsystem in a namespace on average, or WORD=N for one subsystem, as often as wanted (default 100)", f.setEntries)
	fs.StringVar(&w.Spread, "spread", w.Spread, "how entries are spread over namespaces: "+strings.Join(advise.Spreads(), ", "))
	fs.Float64Var(&w.Packets, "packets", w.Packets, "packets per second; how often one looks where was counted")
	fs.StringVar(&w.Path, "path", w.Path, "the packets' way: "+strings.Join(advise.Paths(), ", "))
	fs.Float64Var(&w.Lookups, "lookups", w.Lookups, "lookups per second in each subsystem, in place of what packets need")
	fs.IntVar(&w.Burst, "burst", w.Burst, "lookups in a row for the same namespace")
	fs.Float64Var(&w.Churn, "churn", w.Churn, "entries added and deleted per second, in each subsystem")
	fs.Float64Var(&w.Lives, "lives", w.Lives, "namespaces made and destroyed per second")
	fs.Func("memory", "`BYTES` that all may take together, with K, M or G for 1024s (default: no bound)", func(s string) (err error) {
		w.Memory, err = parseBytes(s)
		return err
	})
	fs.IntVar(&w.Buckets, "buckets", 0, "tables of a fixed size of `N` buckets, as Linux's; 0: they grow")
	fs.BoolVar(&w.Walk, "walk", false, "a dying namespace has shared tables walked, as Linux does, in place of its own list")
	fs.Func("subsystem", "only `WORD`, as often as wanted: "+nsmodel.PlaceWords(), func(s string) error {
		if !slices.Contains(strings.Split(nsmodel.PlaceWords(), ", "), s) {
			return fmt.Errorf("there are %s: %w", nsmodel.PlaceWords(), syscall.EINVAL)
		}
		f.words = append(f.words, s)
		return nil
	})
	fs.BoolVar(&f.asJSON, "json", false, "print all as JSON")
	fs.BoolVar(&f.measure, "measure", false, "calibrate anew, whatever is on file")
	fs.BoolVar(&f.quick, "quick", false, "a calibration of half the time, less exact, on a file of its own")
	fs.BoolVar(&f.check, "check", false, "set the workload up under both placements and print what was predicted beside what is measured")
	fs.BoolVar(&f.laws, "laws", false, "print the fitted laws, with their errors")
	fs.StringVar(&f.file, "file", "", "keep the calibration in `FILE` (default: in the user's cache, by computer and commit)")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "usage: nsmodel advise [flags]\n\nSays of each subsystem whether to tag or to replicate it for a workload, and what either\n"+
			"costs on this computer. The first run calibrates for half a minute. docs/advise.md has the model.\n\n")
		fs.PrintDefaults()
	}
	words, err := parseMixed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil, err
	case err != nil:
		return nil, errUsage
	case len(words) > 0:
		return nil, fmt.Errorf("advise: %q: flags only, see `nsmodel advise -h`: %w", words[0], syscall.EINVAL)
	}
	return f, f.w.Check()
}

// setEntries reads N or WORD=N.
func (f *adviseFlags) setEntries(s string) error {
	word, number, single := strings.Cut(s, "=")
	if !single {
		number = s
	}
	k, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("want N or SUBSYSTEM=N: %w", syscall.EINVAL)
	}
	if single {
		f.w.Of[word] = k
	} else {
		f.w.Entries = k
	}
	return nil
}

// parseBytes reads 1234, 64K, 10M or 1.5G.
func parseBytes(s string) (int64, error) {
	unit, digits := 1.0, s
	if i := strings.IndexAny(s, "KMG"); i >= 0 && i == len(s)-1 {
		unit, digits = map[byte]float64{'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}[s[i]], s[:i]
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(v > 0) || v*unit > 1<<60 {
		return 0, fmt.Errorf("%q: want a number of bytes above 0, or with K, M or G behind it: %w", s, syscall.EINVAL)
	}
	return int64(v * unit), nil
}

// calibration reads the one on file, or measures and files it.
func (f *adviseFlags) calibration() (*advise.Calibration, error) {
	program := commit()
	path := f.file
	if path == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("advise: nowhere to keep a calibration, say where with --file: %w", err)
		}
		key := sha256.Sum256([]byte(bench.ThisComputer().String() + program + fmt.Sprint(f.quick)))
		path = filepath.Join(dir, "nsmodel", fmt.Sprintf("advise-%x.json", key[:8]))
	}
	if !f.measure {
		c, err := advise.Load(path)
		switch {
		case err == nil && (f.file != "" || c.Program == program):
			return c, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	size := advise.Normal
	if f.quick {
		size = advise.Quick
	}
	c, err := advise.Measure(size, adviseProgress(time.Now()))
	progress("\r\x1b[K")
	if err != nil {
		return nil, err
	}
	c.Program = program
	return c, c.Save(path)
}

func adviseProgress(start time.Time) func(string) {
	return func(what string) { progress("\r\x1b[K%v %s", time.Since(start).Round(time.Second), what) }
}

// printAdvice writes the table, then the reasons.
func printAdvice(out io.Writer, c *advise.Calibration, a *advise.Advice, checked []advise.Checked, laws bool) error {
	fmt.Fprintf(out, "%s\n%s\n\n", c.Computer, workloadText(&a.Workload))
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "SUBSYSTEM\tCHOOSE\tLOOKUPS/s\tLOOKUP ns\tCPU %\tBYTES/NET\tALL\tEND us")
	for i := range a.Choices {
		ch := &a.Choices[i]
		t, r := &ch.Tagged, &ch.Replicated
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", ch.Subsystem, ch.Choose, count(ch.Lookups), beside(t.LookNS, r.LookNS), beside(100*t.CPU, 100*r.CPU),
			beside(t.Bytes, r.Bytes), advise.Bytes(t.Total)+" / "+advise.Bytes(r.Total), beside(t.EndNS/1000, r.EndNS/1000))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nPairs are tagged / replicated. CPU: lookups, churn, lives of Nets. With these choices: %.3g CPUs, %s in all Nets.\n\n", a.CPU, advise.Bytes(a.Bytes))
	for i := range a.Choices {
		ch := &a.Choices[i]
		fmt.Fprintf(out, "%s: %s. %s.\n    Beside the costs: %s.\n", ch.Subsystem, ch.Choose, ch.Why, ch.Isolation)
	}
	fmt.Fprintln(out)
	for _, n := range a.Notes {
		fmt.Fprintf(out, "Note: %s.\n", n)
	}
	if err := printErrors(out, c, laws); err != nil {
		return err
	}
	return printChecked(out, checked)
}

func workloadText(w *advise.Workload) string {
	s := fmt.Sprintf("%s Nets, %s entries each (%s), %s packets/s (%s) in bursts of %d, %s adds and deletes/s, %s Nets made and destroyed/s",
		count(float64(w.Nets)), count(float64(w.Entries)), w.Spread, count(w.Packets), w.Path, w.Burst, count(w.Churn), count(w.Lives))
	if w.Memory > 0 {
		s += ", at most " + advise.Bytes(float64(w.Memory))
	}
	if w.Buckets > 0 {
		s += fmt.Sprintf(", tables of %s buckets", count(float64(w.Buckets)))
	}
	if w.Walk {
		s += ", shared tables walked at an end"
	}
	return s
}

// beside prints two figures beside each other.
func beside(a, b float64) string { return amount(a) + " / " + amount(b) }

// amount prints two or three digits.
func amount(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 0.01:
		return fmt.Sprintf("%.2g", v)
	}
	return "<0.01"
}

// count prints a number with its thousands.
func count(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(float64(int64(v/1e4))/100, 'f', -1, 64) + "M"
	case v >= 1e4:
		return strconv.FormatFloat(float64(int64(v/100))/10, 'f', -1, 64) + "k"
	}
	return strconv.FormatFloat(float64(int64(v*100))/100, 'f', -1, 64)
}

// printErrors writes how well the laws did where they were held back, and with all
// the laws themselves.
func printErrors(out io.Writer, c *advise.Calibration, all bool) error {
	fmt.Fprintf(out, "The laws' error at points held back from the fit (every third), median and worst; calibrated in %.0f s:\n", c.Seconds)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "  HOME\tLOOKUP\tTAGGED:REPLICATED\tADD+DELETE\tBIRTH\tEND\tEND, WALKED\tBYTES")
	for _, k := range []advise.Kind{advise.Table, advise.Cell, advise.Listeners} {
		laws := c.Kinds[k]
		if laws == nil {
			continue
		}
		both := func(of func(*advise.Laws) *advise.Law) string {
			var e advise.Error
			for _, l := range []*advise.Laws{&laws.Tagged, &laws.Replicated} {
				if law := of(l); law != nil {
					e.Median, e.Worst = max(e.Median, law.Error.Median), max(e.Worst, law.Error.Worst)
					e.Held = law.Error.Held
				}
			}
			return errorText(e)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k, both(func(l *advise.Laws) *advise.Law { return &l.Lookup }), errorText(laws.Ratio),
			both(func(l *advise.Laws) *advise.Law { return l.Pair }), both(func(l *advise.Laws) *advise.Law { return l.Birth }),
			both(func(l *advise.Laws) *advise.Law { return l.End }), both(func(l *advise.Laws) *advise.Law { return l.Walk }), both(func(l *advise.Laws) *advise.Law { return &l.Bytes }))
	}
	if err := w.Flush(); err != nil || !all {
		return err
	}
	fmt.Fprintln(out)
	return c.Print(out)
}

func errorText(e advise.Error) string {
	if e.Held == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f %%, %.0f %%", 100*e.Median, 100*e.Worst)
}

// printChecked writes what was predicted beside what was measured.
func printChecked(out io.Writer, checked []advise.Checked) error {
	if len(checked) == 0 {
		return nil
	}
	fmt.Fprintln(out, "\nThe workload, run under both placements: predicted / measured")
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "  SUBSYSTEM\tWHAT\tUNIT\tTAGGED\tREPLICATED\tTAGGED:REPLICATED")
	for _, k := range checked {
		if k.Missing != "" {
			fmt.Fprintf(w, "  %s\t%s\tnot measured: %s\n", k.Subsystem, k.What, k.Missing)
			continue
		}
		t, r := k.Tagged, k.Replicated
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%.2f / %.2f\n", k.Subsystem, k.What, k.Unit, beside(t.Predicted, t.Measured), beside(r.Predicted, r.Measured),
			t.Predicted/r.Predicted, t.Measured/r.Measured)
	}
	return w.Flush()
}
