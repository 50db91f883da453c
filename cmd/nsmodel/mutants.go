package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"

	"nsmodel/conformance/mutant"
)

// mutants plants defects into the source, one after the other, and prints who
// found each. Its exit status is 1 if one survived.
func mutants(args []string) int {
	fs := flag.NewFlagSet("nsmodel mutants", flag.ContinueOnError)
	only := fs.String("only", "", "`TEXT`: mutants with that in their name; none is the source as it is")
	kind := fs.String("kind", "", "`KIND` of fault: "+strings.Trim(fmt.Sprint(mutant.Kinds()), "[]"))
	full := fs.Bool("full", false, "ask every detector about every mutant, and print the grid")
	list := fs.Bool("list", false, "list the mutants, and plant none")
	jobs := fs.Int("j", 2, "how many to build and try at once")
	rounds := fs.Int("rounds", 3, "how long to look: 1 is a glance, each further round draws ten times the cases")
	verbose := fs.Bool("v", false, "print what the killers said")
	outFile := fs.String("out", "", "`FILE` for all findings, as JSON")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "usage: nsmodel mutants [flags]\n\nPlants defects into the source and prints which law or judge finds each. It needs the\nsource tree, here or above, and a Go toolchain.\n\n")
		fs.PrintDefaults()
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	ms, err := chooseMutants(*only, mutant.Kind(*kind))
	if err != nil {
		return fail(err)
	}
	if *list {
		w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "MUTANT\tKIND\tSHOWS\tPRECEDENT")
		for _, m := range ms {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.Name, m.Kind, m.Only, m.Precedent)
		}
		_ = w.Flush()
		return 0
	}
	tree, err := mutant.FindTree(".")
	if err != nil {
		return fail(err)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return fail(fmt.Errorf("mutants are compiled, and there is no Go toolchain here: %w", err))
	}
	dir, err := os.MkdirTemp("", "nsmodel-mutants")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := &mutant.Runner{Tree: tree, Dir: dir, Rounds: *rounds, Full: *full}
	fmt.Fprintf(os.Stderr, "building %d mutants\n", len(ms))
	done := 0
	fates, err := r.Run(ctx, ms, *jobs, func(f mutant.Fate) {
		fmt.Fprintf(os.Stderr, "%d of %d: %s: %s\n", done, len(ms), f.Name, f.Summary())
		done++
	})
	if err != nil {
		return fail(err)
	}
	if *verbose {
		writeWords(fates)
	}
	fine := mutant.Write(os.Stdout, fates)
	if *full {
		fmt.Println()
		mutant.WriteGrid(os.Stdout, fates)
	}
	if *outFile != "" {
		b, err := json.MarshalIndent(fates, "", " ")
		if err == nil {
			err = os.WriteFile(*outFile, b, 0o644)
		}
		if err != nil {
			return fail(err)
		}
	}
	if !fine {
		return 1
	}
	return 0
}

func chooseMutants(only string, kind mutant.Kind) ([]mutant.Mutant, error) {
	if kind != "" && !slices.Contains(mutant.Kinds(), kind) {
		return nil, fmt.Errorf("mutants: no kind %q", kind)
	}
	if only == mutant.None().Name {
		return nil, nil
	}
	ms := slices.DeleteFunc(mutant.Catalogue(), func(m mutant.Mutant) bool {
		return !strings.Contains(m.Name, only) || kind != "" && m.Kind != kind
	})
	if len(ms) == 0 {
		return nil, fmt.Errorf("mutants: none is called %q", only)
	}
	return ms, nil
}

// writeWords writes what the killers said.
func writeWords(fates []mutant.Fate) {
	for _, f := range fates {
		for _, d := range f.Findings {
			if d.Killed {
				fmt.Printf("%s: %s, %s %s after %d cases\n    %s\n\n", f.Name, d.Detector, d.Place, d.How, d.Cases, strings.ReplaceAll(d.Text, "\n", "\n    "))
			}
		}
	}
}
