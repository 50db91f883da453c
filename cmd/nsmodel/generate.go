package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"text/tabwriter"
	"time"

	"nsmodel/conformance/lockstep"
)

// generateFlags are those that go with --generate.
func generateFlags(fs *flag.FlagSet) *lockstep.Options {
	o := new(lockstep.Options)
	fs.Uint64Var(&o.Seed, "seed", 1, "with --generate: the first lab's `SEED`")
	fs.StringVar(&o.Out, "out", "disagreements", "with --generate: the `DIR` for the labs that disagree")
	fs.IntVar(&o.Labs, "labs", 0, "with --generate: stop after so many `LABS`; 0 is no bound")
	fs.IntVar(&o.Boxes, "boxes", lockstep.Boxes, "with --generate: how many sandboxes work at once")
	fs.BoolVar(&o.Six, "six", false, "with --generate: labs about IPv6, instead of those about all else")
	return o
}

// generate has chance write labs and compares model and kernel on each. Its
// exit status is 1 if they disagree.
func generate(o lockstep.Options) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	told := time.Duration(0)
	o.Tell = func(t lockstep.Tally) {
		seconds := t.Elapsed.Seconds()
		line := fmt.Sprintf("%v: %d labs (%.1f/s), %d commands (%.0f/s), %d disagreements, %d distinct; --seed %d goes on from here",
			t.Elapsed.Truncate(time.Second), t.Labs, float64(t.Labs)/seconds, t.Commands, float64(t.Commands)/seconds, t.Disagreements, t.Distinct, t.Next)
		switch {
		case isTerminal(os.Stderr):
			fmt.Fprint(os.Stderr, "\r\x1b[K"+line)
		case t.Elapsed-told >= 10*time.Second:
			told = t.Elapsed
			fmt.Fprintln(os.Stderr, line)
		}
	}
	o.Found = func(f *lockstep.Find) {
		progress("\r\x1b[K")
		fmt.Printf("\nseed %d disagrees, %d commands are enough: %s\n", f.Seed, len(f.Lines), filepath.Clean(f.Path))
		for _, l := range f.Lines {
			fmt.Println("    " + l.Text)
		}
		fmt.Println(f.Disagreement)
	}
	t, err := lockstep.Run(ctx, o)
	progress("\r\x1b[K")
	if err != nil {
		return fail(err)
	}
	fmt.Println("\nNot compared:")
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	for _, e := range lockstep.NotCompared() {
		fmt.Fprintf(w, "  %s\t%s\n", e.What, e.Why)
	}
	_ = w.Flush()
	seconds := t.Elapsed.Seconds()
	fmt.Printf("\n%.1f labs/s, %.0f commands/s; of the sandboxes' time %.0f%% on Linux; %d labs disagreed, %d of them not twice; resume with --seed %d\n",
		float64(t.Labs)/seconds, float64(t.Commands)/seconds, 100*t.InKernel.Seconds()/(t.InKernel+t.InModel).Seconds(), t.Disagreements, t.Unsteady, t.Next)
	fmt.Println(t)
	failed := t.Distinct
	fmt.Printf("%d passed, %d failed, %d skipped\n", t.Labs-t.Disagreements, failed, 0)
	if failed > 0 {
		return 1
	}
	return 0
}
