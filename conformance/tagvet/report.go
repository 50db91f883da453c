package tagvet

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// The two words that a source says to the linter.
const (
	allowWord    = "//tagvet:allow"
	outdoorsWord = "//tagvet:outdoors"
)

// used are the allowances that a check made use of, by the position of their
// comments. It is what the checks hand to the one that judges allowances.
type used map[token.Pos]bool

// A check is one kind of finding at work on one package.
type check struct {
	*analysis.Pass
	kind   string
	ins    *inspector.Inspector
	grants map[string]map[int]*grant // by file and line: of this kind
	used   used
}

// grant is a comment that allows one kind of finding at its line and the next.
type grant struct {
	pos          token.Pos
	kind, reason string
	first, last  int // lines on which it allows
}

// analyzer makes the Analyzer of a kind; body runs on packages that are indoors.
func analyzer(kind, doc string, body func(*check)) *analysis.Analyzer {
	return &analysis.Analyzer{
		Name:       kind,
		Doc:        doc,
		URL:        "https://pkg.go.dev/nsmodel/conformance/tagvet",
		Requires:   []*analysis.Analyzer{inspect.Analyzer},
		ResultType: reflect.TypeFor[used](),
		Run: func(pass *analysis.Pass) (any, error) {
			c := &check{Pass: pass, kind: kind, used: used{}, grants: map[string]map[int]*grant{}}
			if !indoors(pass) {
				return c.used, nil
			}
			c.ins = pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
			for _, g := range grantsOf(pass) {
				if g.kind == kind && g.reason != "" {
					c.grant(g)
				}
			}
			body(c)
			return c.used, nil
		},
	}
}

func (c *check) grant(g *grant) {
	file := c.Fset.Position(g.pos).Filename
	if c.grants[file] == nil {
		c.grants[file] = map[int]*grant{}
	}
	for line := g.first; line <= g.last; line++ {
		c.grants[file][line] = g
	}
}

// report reports a finding, unless it is allowed or in a test.
func (c *check) report(pos token.Pos, format string, args ...any) {
	at := c.Fset.Position(pos)
	if isTest(at.Filename) {
		return
	}
	if g := c.grants[at.Filename][at.Line]; g != nil {
		c.used[g.pos] = true
		return
	}
	c.Report(analysis.Diagnostic{Pos: pos, Category: c.kind, Message: fmt.Sprintf(format, args...) + " (" + c.kind + ")"})
}

// files yields the sources that the rules hold for: not tests.
func (c *check) files() []*ast.File { return sources(c.Pass) }

func sources(pass *analysis.Pass) (files []*ast.File) {
	for _, f := range pass.Files {
		if !isTest(pass.Fset.Position(f.FileStart).Filename) {
			files = append(files, f)
		}
	}
	return files
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

// grantsOf reads the allowances of a package, good ones and bad.
func grantsOf(pass *analysis.Pass) (all []*grant) {
	for _, f := range sources(pass) {
		for _, group := range f.Comments {
			for _, c := range group.List {
				rest, ok := strings.CutPrefix(c.Text, allowWord)
				if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
					continue
				}
				rest, _, _ = strings.Cut(rest, "//")
				kind, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
				// A comment that ends the line above its statement, or stands in a group
				// that does, speaks for it; one at the end of a line speaks for that line.
				g := &grant{pos: c.Pos(), kind: kind, reason: strings.TrimSpace(reason)}
				g.first = pass.Fset.Position(c.Pos()).Line
				g.last = pass.Fset.Position(group.End()).Line + 1
				if behind(pass, f, c) {
					g.last = g.first
				}
				all = append(all, g)
			}
		}
	}
	return all
}

// behind reports whether code stands before the comment on its line.
func behind(pass *analysis.Pass, f *ast.File, c *ast.Comment) bool {
	line := pass.Fset.Position(c.Pos()).Line
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.File, *ast.Comment, *ast.CommentGroup:
			return n != nil
		}
		if n.Pos() < c.Pos() && (pass.Fset.Position(n.Pos()).Line == line || n.End() <= c.Pos() && pass.Fset.Position(n.End()-1).Line == line) {
			found = true
		}
		return !found
	})
	return found
}

// stand makes the pass that tells why the rules do not hold for a package.
func stand() *analysis.Analyzer {
	return &analysis.Analyzer{
		Name:       "stand",
		Doc:        "tell where a package stands",
		ResultType: reflect.TypeFor[string](),
		Run: func(pass *analysis.Pass) (any, error) {
			_, reason, said := outdoors(pass)
			switch {
			case pass.Pkg.Name() == "main":
				return "a command", nil
			case !ofModel(pass.Pkg):
				return "has nothing to do with nsmodel", nil
			case said:
				return cmp.Or(reason, "says so without a reason"), nil
			}
			return "", nil
		},
	}
}

// indoors reports whether the rules hold for a package: it has to do with nsmodel,
// is no command, and does not say that it stands outdoors.
func indoors(pass *analysis.Pass) bool {
	if pass.Pkg.Name() == "main" || !ofModel(pass.Pkg) {
		return false
	}
	_, _, said := outdoors(pass)
	return !said
}

// outdoors returns where and why a package says that it stands outdoors.
func outdoors(pass *analysis.Pass) (pos token.Pos, reason string, said bool) {
	for _, f := range sources(pass) {
		for _, group := range f.Comments {
			if group.Pos() > f.Package {
				break
			}
			for _, c := range group.List {
				rest, ok := strings.CutPrefix(c.Text, outdoorsWord)
				if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
					continue
				}
				rest, _, _ = strings.Cut(rest, "//")
				return c.Pos(), strings.TrimSpace(rest), true
			}
		}
	}
	return token.NoPos, "", false
}

// allow makes the check of the allowances, which needs to know what the others
// have used.
func allow(kinds []*analysis.Analyzer) *analysis.Analyzer {
	return &analysis.Analyzer{
		Name:     "allow",
		Doc:      allowDoc,
		Requires: kinds,
		Run: func(pass *analysis.Pass) (any, error) {
			say := func(pos token.Pos, format string, args ...any) {
				pass.Report(analysis.Diagnostic{Pos: pos, Category: "allow", Message: fmt.Sprintf(format, args...) + " (allow)"})
			}
			if pos, reason, said := outdoors(pass); said && reason == "" {
				say(pos, "%s without a reason: say why the rules do not hold here", outdoorsWord[2:])
			}
			in := indoors(pass)
			for _, g := range grantsOf(pass) {
				k := byName(kinds, g.kind)
				switch {
				case k == nil:
					say(g.pos, "%s of unknown kind %q: want %s", allowWord[2:], g.kind, names(kinds))
				case g.reason == "":
					say(g.pos, "%s %s without a reason: it allows nothing", allowWord[2:], g.kind)
				case !in:
					say(g.pos, "%s %s in a package where the rules do not hold: delete it", allowWord[2:], g.kind)
				case !pass.ResultOf[k].(used)[g.pos]:
					say(g.pos, "%s %s is not needed any more: delete it", allowWord[2:], g.kind)
				}
			}
			return nil, nil
		},
	}
}

const allowDoc = `judge the allowances

An allowance is "//tagvet:allow KIND reason" at the end of the finding's line, or
alone above it. One without a reason, of an unknown kind, or that no finding needs
is itself a finding, as is "//tagvet:outdoors" without a reason: else the list of
exceptions grows and nobody can tell which still hold.`

func byName(kinds []*analysis.Analyzer, name string) *analysis.Analyzer {
	for _, k := range kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}

func names(kinds []*analysis.Analyzer) string {
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = k.Name
	}
	return strings.Join(list, ", ")
}
