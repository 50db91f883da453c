package tagvet

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// Options say what Run looks at.
type Options struct {
	// Dir is where it stands; "" is the current directory.
	Dir string
	// Patterns name packages as for the go command; none is ./... .
	Patterns []string
	// Checks to run; none is all.
	Checks []*analysis.Analyzer

	replace map[string][]byte // other contents for files, by absolute path
}

// A Finding is a line that a check objects to.
type Finding struct {
	Pos     token.Position // the file relative to where Run stood, if it lies below
	Check   string
	Message string
}

// String returns FILE:LINE:COLUMN: MESSAGE (CHECK), as compilers print.
func (f Finding) String() string { return fmt.Sprintf("%v: %s", f.Pos, f.Message) }

// A Package is what Run has looked at.
type Package struct {
	Path string
	// Outdoors says why the rules do not hold for it; "" if they do.
	Outdoors string
}

// A Report is what Run has found, by file and line.
type Report struct {
	Packages []Package
	Findings []Finding
}

// Run loads packages from source, with the go command for what they import, and
// has them checked. An error is one of loading: a package that does not compile,
// or no go command.
func Run(o Options) (*Report, error) {
	if len(o.Patterns) == 0 {
		o.Patterns = []string{"./..."}
	}
	if len(o.Checks) == 0 {
		o.Checks = Analyzers()
	}
	// Not packages' own overlay, with which the go command would compile anew all
	// that stands above a file.
	parse := func(fset *token.FileSet, file string, src []byte) (*ast.File, error) {
		if other, ok := o.replace[file]; ok {
			src = other
		}
		return parser.ParseFile(fset, file, src, parser.ParseComments|parser.SkipObjectResolution)
	}
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax, Dir: o.Dir, ParseFile: parse}, o.Patterns...)
	if err != nil {
		return nil, fmt.Errorf("tagvet: %w", err)
	}
	var bad []error
	packages.Visit(pkgs, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			bad = append(bad, e)
		}
	})
	if len(bad) > 0 {
		return nil, fmt.Errorf("tagvet: %w", errors.Join(bad...))
	}
	checks := append(slices.Clone(o.Checks), stand())
	graph, err := checker.Analyze(checks, pkgs, nil)
	if err != nil {
		return nil, fmt.Errorf("tagvet: %w", err)
	}
	r := new(Report)
	for _, act := range graph.Roots {
		if act.Err != nil {
			return nil, fmt.Errorf("tagvet: %s: %w", act.Package.PkgPath, act.Err)
		}
		if act.Analyzer.Name == "stand" {
			r.Packages = append(r.Packages, Package{act.Package.PkgPath, act.Result.(string)})
			continue
		}
		for _, d := range act.Diagnostics {
			pos := act.Package.Fset.Position(d.Pos)
			pos.Filename = relative(o.Dir, pos.Filename)
			r.Findings = append(r.Findings, Finding{pos, act.Analyzer.Name, d.Message})
		}
	}
	slices.SortFunc(r.Packages, func(a, b Package) int { return cmp.Compare(a.Path, b.Path) })
	slices.SortFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Pos.Filename, b.Pos.Filename), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column), cmp.Compare(a.Message, b.Message))
	})
	r.Findings = slices.Compact(r.Findings)
	return r, nil
}

// relative names file as seen from dir, if it lies below it.
func relative(dir, file string) string {
	if dir == "" {
		dir, _ = os.Getwd()
	}
	if rel, err := filepath.Rel(dir, file); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return file
}
