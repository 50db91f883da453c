package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"nsmodel/bench"
	"nsmodel/cmd/nsmodel/report"
	"nsmodel/compare"
	"nsmodel/internal/linux"
)

// compareFlags are what is asked for on the command line.
type compareFlags struct {
	quick, full, again, list, report bool
	out                              string
}

func (f *compareFlags) scale() compare.Scale {
	switch {
	case f.quick:
		return compare.Quick
	case f.full:
		return compare.Full
	}
	return compare.Usual
}

// compareRun runs experiments and writes their report. Its exit status is 1 if
// one of them failed.
func compareRun(args []string) int {
	fs := flag.NewFlagSet("nsmodel compare", flag.ContinueOnError)
	var f compareFlags
	fs.BoolVar(&f.quick, "quick", false, "two minutes for all")
	fs.BoolVar(&f.full, "full", false, "large sizes, as long as it takes")
	fs.StringVar(&f.out, "out", "", "`DIR` for the report and the samples, made if need be; a run that was interrupted goes on there; none: print tables only")
	fs.BoolVar(&f.again, "again", false, "measure anew what DIR holds already of these experiments")
	fs.BoolVar(&f.report, "report", false, "write the report again from the samples in DIR, and measure nothing")
	fs.BoolVar(&f.list, "list", false, "list the experiments with their questions, and measure nothing")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "usage: nsmodel compare [flags] [EXPERIMENT...]\n\nEXPERIMENT is a number or a name:\n\n")
		for _, e := range compare.All() {
			fmt.Fprintf(fs.Output(), "  %2d %-12s %s\n", e.Number, e.Name, e.Question)
		}
		fmt.Fprintln(fs.Output())
		fs.PrintDefaults()
	}
	words, err := parseMixed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case f.report && f.out == "":
		return fail(errors.New("compare: --report wants --out DIR"))
	case f.quick && f.full:
		return fail(errors.New("compare: --quick or --full, not both"))
	}
	some, err := compare.Find(words)
	switch {
	case err != nil:
		return fail(err)
	case f.list:
		printExperiments(os.Stdout, some)
		return 0
	case f.report:
		return rewriteReport(f.out)
	}
	why := linux.Why()
	if !linux.Inside() && why == nil {
		status, err := linux.Enter()
		if err != nil {
			return fail(err)
		}
		return status
	}
	if linux.Inside() {
		if err := linux.Settle(); err != nil {
			return fail(err)
		}
	}
	return measure(&f, some, why)
}

// rewriteReport writes the report of what a directory holds.
func rewriteReport(dir string) int {
	store, err := compare.ReadStore(dir)
	if err == nil {
		err = report.Write(dir, store, store.Known())
	}
	if err != nil {
		return fail(err)
	}
	printReport(dir)
	return 0
}

func printReport(dir string) {
	fmt.Printf("The report is in %s and report.md beside it.\n", filepath.Join(dir, "report.html"))
}

// measure runs the experiments and writes the report of all that the directory
// then holds.
func measure(f *compareFlags, some []*compare.Experiment, why error) int {
	store, err := compare.OpenStore(f.out, true)
	if err != nil {
		return fail(err)
	}
	defer store.Close()
	computer := bench.ThisComputer()
	switch err := store.Begin(compare.OriginOf(f.scale(), commit(), computer), some, f.again); {
	case errors.Is(err, syscall.EEXIST):
		return fail(fmt.Errorf("compare: %s: %w: samples of both must not be mixed; choose another DIR, or measure these anew with --again", f.out, err))
	case err != nil:
		return fail(err)
	}
	r := compare.NewRun(f.scale(), store)
	r.Boxed, r.Why = linux.Inside(), why
	fmt.Printf("%v\n", computer)
	stop := onInterrupt(f.out)
	failed := runExperiments(os.Stdout, r, some)
	stop()
	if foreign := computer.Foreign(); foreign > 0.05 {
		fmt.Printf("\nOthers kept %.2f CPUs busy meanwhile: trust ratios only.\n", foreign)
	}
	if f.out != "" {
		if err := report.Write(f.out, store, store.Known()); err != nil {
			return fail(err)
		}
		fmt.Println()
		printReport(f.out)
	}
	if failed != nil {
		return fail(failed)
	}
	return 0
}

// onInterrupt says on an interrupt how to go on, and ends the process. It
// returns what ends that.
func onInterrupt(dir string) (stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt)
	go func() {
		if _, ok := <-caught; !ok {
			return
		}
		text := "interrupted"
		if dir != "" {
			text += ": the same command goes on where this one stopped"
		}
		fmt.Fprintf(os.Stderr, "\nnsmodel: compare: %s\n", text)
		os.Exit(130)
	}()
	return func() { signal.Stop(caught); close(caught) }
}

// runExperiments measures and prints each experiment's figures and answer. One
// that fails does not keep the others from being measured.
func runExperiments(out io.Writer, r *compare.Run, some []*compare.Experiment) error {
	line := startProgress(newTimeLeft(r, some))
	defer line.close()
	var failed []error
	for _, e := range some {
		var held, all int
		r.Progress = func(s compare.Step) {
			if s.Open == 0 && s.Of == 0 {
				all++
				if s.Skipped {
					held++
				}
			}
			line.tell(s)
		}
		d, err := r.Do(e)
		line.clear()
		printExperiment(out, e, d, r.Notes(), err)
		if held > 0 {
			fmt.Fprintf(out, "  Not measured now: %d of %d groups, which the samples in DIR have or which cannot be had here.\n", held, all)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func printExperiments(out io.Writer, some []*compare.Experiment) {
	for _, e := range some {
		fmt.Fprintf(out, "%d %s\n  question  %s\n  sources   %s\n  workload  %s\n  measured  %s\n  kernel    %s\n  expected  %s\n\n",
			e.Number, e.Name, e.Question, strings.Join(e.Sources, "\n            "), e.Workload, e.Measured, e.Kernel, e.Expected)
	}
}

// printExperiment writes what was measured as a table for each figure.
func printExperiment(out io.Writer, e *compare.Experiment, d *compare.Data, notes []string, failed error) {
	fmt.Fprintf(out, "\n%d %s: %s\n", e.Number, e.Name, e.Question)
	for _, f := range e.Figures {
		fmt.Fprintf(out, "\n  %s, against %s\n", f.Y, f.X)
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "  SIDE\tSERIES\tX\tMEDIAN\tINTERVAL\tROUNDS")
		for _, k := range d.Keys(f.Name) {
			s := d.Stat(k)
			fmt.Fprintf(w, "  %s\t%s\t%g\t%.4g\t%.4g to %.4g\t%d\n", k.Side, k.Series, k.X, s.Median, s.Low, s.High, s.N)
		}
		_ = w.Flush() // as printing in general
	}
	for _, p := range e.Predictions(d) {
		fmt.Fprintf(out, "  %v\n", p)
	}
	for _, n := range notes {
		fmt.Fprintf(out, "  left out: %s\n", n)
	}
	if failed != nil {
		fmt.Fprintf(out, "  FAILED: %v\n", failed)
		return
	}
	fmt.Fprintf(out, "\n  Expected: %s\n  Answer: %s\n", e.Expected, e.Answer(d))
}
