package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"golang.org/x/tools/go/analysis"

	"nsmodel/conformance/tagvet"
)

// vet runs the linter for tags over packages of whatever module one stands in. It
// returns 1 if there are findings, 2 if it could not look.
func vet(args []string) int {
	f := flag.NewFlagSet("vet", flag.ContinueOnError)
	only := f.String("only", "", "comma-separated `checks` to run; all if empty")
	list := f.Bool("checks", false, "print what each check finds, why and how to mend it, and exit")
	verbose := f.Bool("v", false, "list the packages where the rules do not hold, with their reasons")
	f.Usage = func() { vetUsage(f) }
	if err := f.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return 0
		}
		return 2
	}
	checks, err := vetChecks(*only)
	if err != nil {
		fail(err)
		return 2
	}
	if *list {
		for _, a := range checks {
			fmt.Printf("%s: %s\n\n", a.Name, a.Doc)
		}
		return 0
	}
	report, err := tagvet.Run(tagvet.Options{Patterns: f.Args(), Checks: checks})
	if err != nil {
		fail(err)
		return 2
	}
	if *verbose {
		for _, p := range report.Packages {
			if p.Outdoors != "" {
				fmt.Fprintf(os.Stderr, "%s: outdoors: %s\n", p.Path, p.Outdoors)
			}
		}
	}
	for _, found := range report.Findings {
		fmt.Println(found)
	}
	if len(report.Findings) > 0 {
		fmt.Fprintf(os.Stderr, "nsmodel vet: %d findings; `nsmodel vet -checks` says what each means\n", len(report.Findings))
		return 1
	}
	return 0
}

func vetChecks(only string) ([]*analysis.Analyzer, error) {
	all := tagvet.Analyzers()
	if only == "" {
		return all, nil
	}
	var some []*analysis.Analyzer
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, a := range all {
			if a.Name == name {
				some, found = append(some, a), true
			}
		}
		if !found {
			return nil, fmt.Errorf("vet: no check %q", name)
		}
	}
	return some, nil
}

func vetUsage(f *flag.FlagSet) {
	w := f.Output()
	fmt.Fprint(w, "usage: nsmodel vet [flags] [PACKAGE...]\n\nFinds in a subsystem's source what breaks isolation between namespaces. Packages are\nnamed as for the go command, ./... if none is; exit status 1 if there are findings,\n2 if it could not look.\n\n")
	for _, a := range tagvet.Analyzers() {
		doc, _, _ := strings.Cut(a.Doc, "\n")
		fmt.Fprintf(w, "  %-10s %s\n", a.Name, doc)
	}
	fmt.Fprintln(w)
	f.PrintDefaults()
}
