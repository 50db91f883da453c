package tagvet

import (
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
	"golang.org/x/tools/go/analysis/passes/inspect"
)

// The corpus: every kind of finding in several guises, and what looks like it and
// is innocent. A line without a `want` must not be found, by any check.
func TestCorpus(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), together(), "pkgstate", "ambient", "maporder", "netless", "bareindex", "barename",
		"allowed", "granted", "outdoors", "outallowed", "badoutdoors", "unrelated", "command", "example.org/dpi")
}

// together is all checks as one, so that the corpus and what it imports are loaded
// once, and one check's finding on another's innocent line is seen.
func together() *analysis.Analyzer {
	return &analysis.Analyzer{
		Name:     "together",
		Doc:      "run all checks",
		Requires: []*analysis.Analyzer{inspect.Analyzer},
		Run: func(pass *analysis.Pass) (any, error) {
			one := *pass
			one.ResultOf = map[*analysis.Analyzer]any{inspect.Analyzer: pass.ResultOf[inspect.Analyzer]}
			for _, a := range Analyzers() {
				one.Analyzer = a
				result, err := a.Run(&one)
				if err != nil {
					return nil, err
				}
				one.ResultOf[a] = result
			}
			return nil, nil
		},
	}
}

// Every check says in a line what it finds, why, after which real bug, and how to
// mend it.
func TestDocs(t *testing.T) {
	all := Analyzers()
	if err := analysis.Validate(all); err != nil {
		t.Fatal(err)
	}
	for _, a := range all[:len(all)-1] {
		for _, word := range []string{"find ", "Precedent: ", "Mend: "} {
			if !strings.Contains(a.Doc, word) {
				t.Errorf("%s: its doc has no %q", a.Name, word)
			}
		}
	}
}
