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
	only := fs.String("only", "", "`TEXT`: mutants with that in their name, or with one of TEXT|TEXT; none is the source as it is")
	kind := fs.String("kind", "", "`KIND` of fault: "+strings.Trim(fmt.Sprint(mutant.Kinds()), "[]"))
	full := fs.Bool("full", false, "ask every detector about every mutant, and print the grid")
	list := fs.Bool("list", false, "list the mutants, and plant none")
	jobs := fs.Int("j", 2, "how many to build and try at once")
	rounds := fs.Int("rounds", 1, "how long to look: 1 is a glance, each further round draws ten times the cases")
	whole := fs.Bool("all", false, "plant all of them, not a share of each kind")
	share := fs.String("share", "0/2", "plant `K/N`: every N-th of each kind, from the K-th on, counted from 0")
	lost := fs.Bool("unfound", false, "plant those that nobody was seen to find, and nothing else")
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
	all := append(mutant.Catalogue(), mutant.Races()...)
	if *lost {
		all = mutant.Unfound()
	}
	ms, err := chooseMutants(all, *only, mutant.Kind(*kind))
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
	if !*whole && !*lost && *only == "" && *kind == "" {
		var k, n int
		if _, err := fmt.Sscanf(*share, "%d/%d", &k, &n); err != nil || k < 0 || n < 1 {
			return fail(fmt.Errorf("mutants: --share %s: want K/N", *share))
		}
		ms = mutant.Share(ms, k, n)
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
	tell := func(f mutant.Fate) {
		fmt.Fprintf(os.Stderr, "%d of %d: %s: %s\n", done, len(ms), f.Name, f.Summary())
		if f.Name != mutant.None().Name {
			done++
		}
	}
	fates, err := runMutants(ctx, r, ms, *jobs, tell)
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

// runMutants has all look for what is planted, and the explorer for the races.
func runMutants(ctx context.Context, r *mutant.Runner, ms []mutant.Mutant, jobs int, tell func(mutant.Fate)) ([]mutant.Fate, error) {
	var plain, races []mutant.Mutant
	for _, m := range ms {
		if m.Only == mutant.Schedules {
			races = append(races, m)
		} else {
			plain = append(plain, m)
		}
	}
	var fates []mutant.Fate
	if len(plain) > 0 || len(races) == 0 {
		fs, err := r.Run(ctx, plain, jobs, tell)
		if err != nil {
			return nil, err
		}
		fates = fs
	}
	if len(races) > 0 {
		fs, err := r.Race(ctx, races, tell)
		if err != nil {
			return nil, err
		}
		fates = append(fates, fs...)
	}
	return fates, nil
}

func chooseMutants(all []mutant.Mutant, only string, kind mutant.Kind) ([]mutant.Mutant, error) {
	if kind != "" && !slices.Contains(mutant.Kinds(), kind) {
		return nil, fmt.Errorf("mutants: no kind %q", kind)
	}
	texts := strings.Split(only, "|")
	if only == mutant.None().Name {
		return nil, nil
	}
	ms := slices.DeleteFunc(all, func(m mutant.Mutant) bool {
		return !slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(m.Name, t) }) || kind != "" && m.Kind != kind
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
