package mutant

import (
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
)

var plantAll = flag.Bool("mutants", false, "plant every mutant of the catalogue (some minutes)")

// The source as it is passes everybody; each mutant is found by somebody, where
// its mark says.
func TestPlanted(t *testing.T) {
	if !*plantAll {
		t.Skip("-mutants plants them, and so does nsmodel mutants in CI: it takes minutes")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("mutants are compiled, and there is no Go toolchain here")
	}
	tree, err := FindTree(".")
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Tree: tree, Dir: t.TempDir(), Rounds: 1}
	fates, err := r.Run(t.Context(), Catalogue(), 2, func(f Fate) { t.Logf("%s: %s", f.Name, f.Summary()) })
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if !Write(&table, fates) {
		t.Error("see below")
	}
	t.Log("\n" + table.String())
}

// A mutant that nobody can find is told of as a survivor, one that shows where
// its mark says it cannot is told of as a fault, and one that does not compile is
// an error.
func TestSurvivorsAreTold(t *testing.T) {
	tell := func(f Fate) (string, bool) {
		var b strings.Builder
		fine := Write(&b, []Fate{f})
		return b.String(), fine
	}
	idle := Fate{Name: "idle", Findings: []Finding{{Detector: "law 1", Place: "tagged", Cases: 10, Took: 1}}}
	if text, fine := tell(idle); fine || !strings.Contains(text, "nobody") || !strings.HasSuffix(text, "mutants: 0 killed, 1 survived\n") {
		t.Errorf("%v\n%s", fine, text)
	}
	shown := func(only string, places ...string) Fate {
		f := Fate{Name: "shown", Only: only}
		for _, p := range places {
			f.Findings = append(f.Findings, Finding{Detector: "law 2", Place: p, Killed: true, Cases: 3, Took: 1})
		}
		return f
	}
	for _, c := range []struct {
		f    Fate
		fine bool
	}{
		{shown("", "tagged", "replicated"), true},
		{shown("", "tagged"), false},
		{shown("tagged", "tagged"), true},
		{shown("tagged", "replicated"), false},
		{shown("tagged", "tagged", "replicated"), false},
		{shown("mixed", "mixed"), true},
		{shown("mixed", "tagged", "replicated"), false},
	} {
		if text, fine := tell(c.f); fine != c.fine || !strings.Contains(text, "mutants: 1 killed, 0 survived") {
			t.Errorf("only %q: %v\n%s", c.f.Only, fine, text)
		}
	}
}

// What is planted is the mutant's only if it is asked for: each edited function
// is there as it is, too.
func TestPlant(t *testing.T) {
	const src = `package p

// T is one.
type T[K any] struct{ old int }

func (t *T[K]) f(k K, _ string, more ...int) (int, error) { return len(more), nil }

func g[K any](k K) { println("g") }

func h() int {
	return 1
}
`
	edits := []placed{
		{Edit: Edit{"p.go", "return len(more), nil", "return 0, nil"}, number: 1, mutant: "a"},
		{Edit: Edit{"p.go", `println("g")`, `println("x")`}, number: 2, mutant: "b"},
		{Edit: Edit{"p.go", "return 1", "return 2"}, number: 2, mutant: "b"},
		{Edit: Edit{"p.go", "return 1", "return 3"}, number: 3, mutant: "c"},
		{Edit: Edit{"p.go", "old int", "old, new int"}, number: 3, mutant: "c"},
	}
	text, pkg, err := plantFile(src, edits)
	if err != nil || pkg != "p" {
		t.Fatal(pkg, err)
	}
	for _, want := range []string{
		"return t.fPlanted1(k, *new(string), more...)", "func (t *T[K]) fPlanted1(k K, _ string, more ...int) (int, error) { return 0, nil }",
		"gPlanted2[K](k)\n\t\treturn", `func gPlanted2[K any](k K) { println("x") }`,
		"if planted == 2 {\n\t\treturn hPlanted2()", "if planted == 3 {\n\t\treturn hPlanted3()", "return 1", "return 2", "return 3", "old, new int",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, bad := range []placed{
		{Edit: Edit{"p.go", "nowhere", ""}, number: 1},
		{Edit: Edit{"p.go", "K", "L"}, number: 1},
	} {
		if text, _, err := plantFile(src, []placed{bad}); err == nil {
			t.Errorf("%q was planted:\n%s", bad.Old, text)
		}
	}
}

// A directory that is not in the source tree is said to be none.
func TestFindTree(t *testing.T) {
	if tree, err := FindTree(t.TempDir()); err == nil {
		t.Errorf("found %s", tree.Root)
	}
	if _, err := os.Stat("plant.go"); err != nil {
		t.Fatal(err)
	}
	if tree, err := FindTree("."); err != nil || !strings.HasSuffix(tree.Root, strings.TrimSuffix(must(t), "/conformance/mutant")) {
		t.Error(tree, err)
	}
}

func must(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
