package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"nsmodel/bench"
	"nsmodel/compare"
	"nsmodel/internal/linux"
)

// compareRun runs experiments and writes their report.
func compareRun(args []string) int {
	fs := flag.NewFlagSet("nsmodel compare", flag.ContinueOnError)
	quick := fs.Bool("quick", false, "two minutes for all")
	full := fs.Bool("full", false, "large sizes, as long as it takes")
	out := fs.String("out", "", "`DIR` for the report, made if need be; none: print it only")
	again := fs.Bool("again", false, "measure anew what DIR holds already")
	list := fs.Bool("list", false, "list the experiments with their questions, and measure nothing")
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
	}
	some, err := compare.Find(words)
	if err != nil {
		return fail(err)
	}
	if *list {
		printExperiments(os.Stdout, some)
		return 0
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
	store, err := compare.OpenStore(*out, !*again)
	if err != nil {
		return fail(err)
	}
	defer store.Close()
	scale := compare.Usual
	switch {
	case *quick:
		scale = compare.Quick
	case *full:
		scale = compare.Full
	}
	r := compare.NewRun(scale, store)
	r.Boxed, r.Why = linux.Inside(), why
	if err := runExperiments(os.Stdout, r, some); err != nil {
		return fail(err)
	}
	return 0
}

// runExperiments measures and prints each experiment's figures and answer.
func runExperiments(out io.Writer, r *compare.Run, some []*compare.Experiment) error {
	computer, start := bench.ThisComputer(), time.Now()
	fmt.Fprintf(out, "%v\n", computer)
	for _, e := range some {
		r.Progress = func(what string) {
			progress("\r\x1b[K%v %s: %s", time.Since(start).Round(time.Second), e.Name, what)
		}
		d, err := r.Do(e)
		if err != nil {
			return err
		}
		progress("\r\x1b[K")
		printExperiment(out, e, d, r.Notes())
	}
	if foreign := computer.Foreign(); foreign > 0.05 {
		fmt.Fprintf(out, "\nOthers kept %.2f CPUs busy meanwhile: trust ratios only.\n", foreign)
	}
	return nil
}

func printExperiments(out io.Writer, some []*compare.Experiment) {
	for _, e := range some {
		fmt.Fprintf(out, "%d %s\n  question  %s\n  sources   %s\n  workload  %s\n  measured  %s\n  kernel    %s\n  expected  %s\n\n",
			e.Number, e.Name, e.Question, strings.Join(e.Sources, "\n            "), e.Workload, e.Measured, e.Kernel, e.Expected)
	}
}

// printExperiment writes what was measured as a table for each figure.
func printExperiment(out io.Writer, e *compare.Experiment, d *compare.Data, notes []string) {
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
	fmt.Fprintf(out, "\n  Expected: %s\n  Answer: %s\n", e.Expected, e.Answer(d))
}
