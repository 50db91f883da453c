package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"nsmodel/bench"
	"nsmodel/internal/linux"
)

// benchmark measures this computer and prints a table, or a JSON object a line.
func benchmark(args []string) int {
	fs := flag.NewFlagSet("nsmodel bench", flag.ContinueOnError)
	quick := fs.Bool("quick", false, "finish within a minute: smaller crowds, fewer rounds")
	asJSON := fs.Bool("json", false, "print one JSON object a line")
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: nsmodel bench [--quick] [--json] [NAME...]\n\nfigures: %s\n\n", strings.Join(bench.Names(), " "))
		fs.PrintDefaults()
	}
	names, err := parseMixed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	for _, name := range names {
		if !slices.Contains(bench.Names(), name) {
			return fail(fmt.Errorf("bench: no figure %q; there are %s", name, strings.Join(bench.Names(), " ")))
		}
	}
	wanted := func(c *bench.Case) bool { return len(names) == 0 || slices.Contains(names, c.Name) }
	if bench.NeedSandbox(wanted) && !linux.Inside() && linux.Why() == nil {
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
	sizes := bench.Full()
	if *quick {
		sizes = bench.Quick()
	}
	if err := runBench(os.Stdout, sizes, wanted, *asJSON); err != nil {
		return fail(err)
	}
	return 0
}

// runBench measures what is wanted and writes it to out.
func runBench(out io.Writer, sizes bench.Sizes, wanted func(*bench.Case) bool, asJSON bool) error {
	computer := bench.ThisComputer()
	if asJSON {
		enc := json.NewEncoder(out)
		var failed error
		err := bench.Run(sizes, wanted, func(r bench.Result) {
			r.What = ""
			failed = errors.Join(failed, enc.Encode(r))
		})
		return errors.Join(err, failed)
	}
	fmt.Fprintf(out, "%v\n", computer)
	fmt.Fprint(out, "Times are CPU time of the working thread; medians of rounds in turns.\n\n")
	var all []bench.Result
	err := bench.Run(sizes, wanted, func(r bench.Result) {
		all = append(all, r)
		progress("\r\x1b[K%s", r.Name)
	})
	progress("\r\x1b[K")
	printBench(out, all)
	if foreign := computer.Foreign(); foreign > 0.05 {
		fmt.Fprintf(out, "\nOthers kept %.2f CPUs busy meanwhile: compare figures of one run only.\n", foreign)
	}
	return err
}

// progress tells a terminal what has been measured.
func progress(format string, args ...any) {
	if isTerminal(os.Stderr) {
		fmt.Fprintf(os.Stderr, format, args...)
	}
}

// isTerminal reports whether somebody looks at what is written to f.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// printBench prints the table, and below it what each figure means.
func printBench(out io.Writer, all []bench.Result) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tPLACE\tNETS\tVALUE\tUNIT\tBETTER\tRANGE\tTARGET\tALSO")
	for _, r := range all {
		value, spread := "-", ""
		if r.Value != nil {
			value = figure(*r.Value)
			if r.Rounds > 1 {
				spread = figure(r.Low) + " to " + figure(r.High)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name+variant(r), r.Place, r.Nets, value, r.Unit, r.Better, spread, againstTarget(r), also(r))
	}
	w.Flush()
	fmt.Fprintln(out)
	seen := map[string]bool{}
	for _, r := range all {
		if r.What != "" && !seen[r.What] {
			seen[r.What] = true
			fmt.Fprintf(out, "%s: %s\n", r.Name, r.What)
		}
	}
}

// variant says what a figure's name leaves open.
func variant(r bench.Result) string {
	var parts []string
	if r.Others != nil {
		parts = append(parts, fmt.Sprintf("others=%d", *r.Others))
	}
	if r.Sweep != "" {
		parts = append(parts, "sweep="+r.Sweep)
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// also lists what was seen beside the figure.
func also(r bench.Result) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(r.Extra)) {
		parts = append(parts, k+"="+figure(r.Extra[k]))
	}
	return strings.Join(parts, ", ")
}

// figure prints three digits or more.
func figure(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func againstTarget(r bench.Result) string {
	switch {
	case r.NotMeasured != "":
		return r.NotMeasured
	case r.Target == nil:
		return ""
	}
	sign, word := "<=", "missed"
	if r.Better == bench.Higher {
		sign = ">="
	}
	if *r.Met {
		word = "met"
	}
	return fmt.Sprintf("%s %s %s", sign, figure(*r.Target), word)
}
