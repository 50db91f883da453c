package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"nsmodel"
	"nsmodel/conformance"
)

// sourceLabs is where the labs are in the source tree.
var sourceLabs = filepath.Join("conformance", "testdata")

// judge has labs judged and prints what the judges say. Its exit status is 1
// if one of them found fault.
func judge(args []string) int {
	fs := flag.NewFlagSet("nsmodel judge", flag.ContinueOnError)
	only := fs.String("only", "", "`JUDGE`: golden, matrix, solo or linux; several with commas")
	long := fs.Duration("generate", 0, "for so `LONG`, draw labs and compare the model with Linux step by step")
	drawn := generateFlags(fs)
	every := fs.Bool("every", false, "let the matrix judge place every two subsystems otherwise than the rest, a few seconds a lab")
	rewrite := fs.Bool("rewrite", false, "first put the transcripts on file as they are now")
	place := addPlace(fs)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "usage: nsmodel judge [--only JUDGE] [--place PLACE] [--every] [--rewrite] [LAB...]\n\nLAB is a file, or the name of a lab of this project's.\n\n")
		for _, j := range conformance.Judges(nil, nil) {
			fmt.Fprintf(fs.Output(), "  %-8s %s\n", j.Name, j.Asks)
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
	case *long > 0:
		drawn.For, drawn.Place = *long, place.Places
		return generate(*drawn)
	}
	labs, err := chooseLabs(words)
	if err != nil {
		return fail(err)
	}
	if *rewrite {
		for _, l := range labs {
			if err := conformance.RewriteGolden(l); err != nil {
				return fail(err)
			}
		}
	}
	var boxes *conformance.Sandboxes
	why := errors.New("not asked")
	if *only == "" || slices.Contains(strings.Split(*only, ","), "linux") {
		if boxes, why = conformance.NewSandboxes(6); why == nil {
			defer boxes.Close()
		}
	}
	all := conformance.JudgesOn(place.Places, boxes, why)
	if *every && place.Places != (nsmodel.Places{}) {
		return fail(fmt.Errorf("judge: --every tries many placements, --place one: %w", syscall.EINVAL))
	}
	if *rewrite && place.Places != (nsmodel.Places{}) {
		return fail(fmt.Errorf("judge: what is put on file is the default's, not --place's: %w", syscall.EINVAL))
	}
	if *every {
		i := slices.IndexFunc(all, func(j conformance.Judge) bool { return j.Name == "matrix" })
		all[i] = conformance.EveryPair()
	}
	judges, err := chooseJudges(all, *only)
	if err != nil {
		return fail(err)
	}
	if !runJudges(os.Stdout, labs, judges) {
		return 1
	}
	return 0
}

// chooseJudges returns those that are asked for.
func chooseJudges(all []conformance.Judge, only string) (some []conformance.Judge, err error) {
	if only == "" {
		return all, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(j conformance.Judge) bool { return j.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("judge: no judge %q; there are golden, matrix, solo and linux", name)
		}
		some = append(some, all[i])
	}
	return some, nil
}

// chooseLabs reads the labs of those names: those of the source tree if this
// is one, else those that came with the program.
func chooseLabs(words []string) (labs []*conformance.Lab, err error) {
	all, err := conformance.Labs(sourceLabs)
	if err == nil && len(all) == 0 {
		all, err = conformance.LabsInside()
	}
	if len(words) == 0 || err != nil {
		return all, err
	}
	for _, word := range words {
		i := slices.IndexFunc(all, func(l *conformance.Lab) bool { return l.Name() == word })
		if i >= 0 {
			labs = append(labs, all[i])
			continue
		}
		l, err := conformance.Load(word)
		if err != nil {
			return nil, err
		}
		labs = append(labs, l)
	}
	return labs, nil
}

// runJudges has the labs judged and writes all about it to out. It reports
// whether nothing failed.
func runJudges(out io.Writer, labs []*conformance.Lab, judges []conformance.Judge) bool {
	findings := conformance.JudgeAll(labs, judges, func(f conformance.Finding) {
		progress("\r\x1b[K%s: %s", f.Judge, f.Lab.Name())
	})
	progress("\r\x1b[K")
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprint(w, "LAB")
	for _, j := range judges {
		fmt.Fprint(w, "\t"+strings.ToUpper(j.Name))
	}
	fmt.Fprintln(w)
	count := map[conformance.Outcome]int{}
	for i, l := range labs {
		fmt.Fprint(w, l.Name())
		for _, f := range findings[i] {
			count[f.Outcome]++
			fmt.Fprint(w, "\t"+string(f.Outcome))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // what cannot be written is not judged differently
	all := slices.Concat(findings...)
	writeFailures(out, all)
	writeReasons(out, all)
	if slices.ContainsFunc(judges, func(j conformance.Judge) bool { return j.Name == "linux" }) {
		judged := slices.ContainsFunc(all, func(f conformance.Finding) bool {
			return f.Judge == "linux" && f.Outcome != conformance.Skipped
		})
		writeExplained(out, labs, judged)
	}
	fmt.Fprintf(out, "\n%d passed, %d failed, %d skipped\n", count[conformance.Passed], count[conformance.Failed], count[conformance.Skipped])
	return count[conformance.Failed] == 0
}

// writeFailures writes the diff of each failure.
func writeFailures(out io.Writer, all []conformance.Finding) {
	for _, f := range all {
		if f.Outcome != conformance.Failed {
			continue
		}
		fmt.Fprintf(out, "\n%s fails %s\n", f.Lab.Path, f.Judge)
		for line := range strings.Lines(f.Text) {
			fmt.Fprint(out, "    "+line)
		}
	}
}

// writeReasons writes why labs were skipped, and what was left out elsewhere,
// a line for each reason.
func writeReasons(out io.Writer, all []conformance.Finding) {
	type reason struct{ judge, text string }
	labs := map[reason][]string{}
	var order []reason
	note := func(f conformance.Finding, text string) {
		r := reason{f.Judge, text}
		if labs[r] == nil {
			order = append(order, r)
		}
		if n := f.Lab.Name(); !slices.Contains(labs[r], n) {
			labs[r] = append(labs[r], n)
		}
	}
	for _, f := range all {
		if f.Outcome == conformance.Skipped {
			note(f, "skipped: "+strings.TrimSpace(f.Text))
		}
		for _, text := range f.Notes {
			note(f, text)
		}
	}
	if len(order) == 0 {
		return
	}
	slices.SortStableFunc(order, func(a, b reason) int { return cmp.Compare(a.judge, b.judge) })
	fmt.Fprintln(out, "\nLeft out:")
	for _, r := range order {
		where := strings.Join(labs[r], ", ")
		if n := len(labs[r]); n > 5 {
			where = fmt.Sprintf("%d labs", n)
		}
		fmt.Fprintf(out, "  %s: %s (%s)\n", r.judge, r.text, where)
	}
}

// writeExplained writes the table of the differences from Linux that the labs
// explain, and the kernel that judged now.
func writeExplained(out io.Writer, labs []*conformance.Lab, judged bool) {
	kernel := "none here"
	if judged {
		kernel = conformance.Kernel()
	}
	if !slices.ContainsFunc(labs, func(l *conformance.Lab) bool { return len(l.Explained()) > 0 }) {
		fmt.Fprintln(out, "\nNo differences from Linux are explained in these labs.")
		return
	}
	fmt.Fprintln(out, "\nExplained differences from Linux:")
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "  LAB\tSEEN ON\tJUDGED BY\tWHAT AND WHY")
	for _, l := range labs {
		for _, e := range l.Explained() {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s: %s\n", l.Name(), cmp.Or(e.Kernel, "-"), kernel, e.What, e.Why)
		}
	}
	_ = w.Flush()
}
