package explore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// An Edit replaces a text that stands in a file of the model, there and nowhere else
// in it.
type Edit struct {
	File string // below the root of the sources, with slashes
	Old  string
	New  string
}

// stepPath is where the packages are that take the standard library's place.
const stepPath = "nsmodel/conformance/explore/step"

// stands says what takes whose place.
var stands = map[string]string{
	`"sync"`:         `sync "` + stepPath + `/sync"`,
	`"sync/atomic"`:  `atomic "` + stepPath + `/atomic"`,
	`"runtime"`:      `runtime "` + stepPath + `/runtime"`,
	`"hash/maphash"`: `maphash "` + stepPath + `/maphash"`,
}

// asIs are packages that stay as they are: they share nothing between tasks, or
// drive a kernel.
var asIs = []string{"nsmodel/core/wire", "nsmodel/core/link/afpacket"}

// sources lists the files of the model's packages below root.
func sources(root string) (files []string, err error) {
	c := exec.Command("go", "list", "-deps", "-f", `{{if not .Standard}}{{$p := .}}{{range .GoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}{{end}}`, "nsmodel")
	c.Dir = root
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("explore: go list: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		pkg, file, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && strings.HasPrefix(pkg+"/", "nsmodel/") && !slices.Contains(asIs, pkg) {
			files = append(files, file)
		}
	}
	return files, nil
}

// Write makes the overlay of the model below root in dir and returns the name of the
// file for go build's -overlay. The edits are made for good; the plants are compiled
// in beside the true code, for [step.Plant] to switch on.
func Write(root, dir string, edits []Edit, plants []Plant) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	files, err := sources(root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	left := len(edits)
	for i, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return "", err
		}
		name = filepath.ToSlash(name)
		text := string(src)
		for _, e := range edits {
			if e.File == name {
				if text, err = e.apply(text); err != nil {
					return "", err
				}
				left--
			}
		}
		out, err := rewrite(name, path, text, plants)
		if err != nil {
			return "", err
		}
		to := filepath.Join(dir, fmt.Sprintf("%03d-%s", i, filepath.Base(path)))
		if err := os.WriteFile(to, []byte(out), 0o600); err != nil {
			return "", err
		}
		replace[path] = to
	}
	if left > 0 {
		return "", fmt.Errorf("explore: %d edits are of no file that is explored", left)
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, b, 0o600)
}

func (e Edit) apply(text string) (string, error) {
	if k := strings.Count(text, e.Old); k != 1 {
		return "", fmt.Errorf("explore: %s holds %q %d times, not once", e.File, e.Old, k)
	}
	return strings.Replace(text, e.Old, e.New, 1), nil
}

// rewrite returns a file with steps in place of atomics, and the planted variants of
// its functions behind it. Lines stay where they are.
func rewrite(name, path, text string, plants []Plant) (string, error) {
	p, err := newPatch(path, text)
	if err != nil {
		return "", err
	}
	var behind bytes.Buffer
	for _, plant := range plants {
		changed, at := text, map[string]bool{}
		for _, e := range plant.Edits {
			if e.File != name {
				continue
			}
			f := p.around(strings.Index(text, e.Old))
			if f == nil {
				return "", fmt.Errorf("explore: race %s: %q is in no function of %s", plant.Name, e.Old, name)
			}
			at[funcName(f)] = true
			if changed, err = e.apply(changed); err != nil {
				return "", fmt.Errorf("race %s: %w", plant.Name, err)
			}
		}
		for _, d := range p.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && at[funcName(f)] {
				variant := f.Name.Name + "Planted" + strings.ReplaceAll(plant.Name, "-", "_")
				if err := p.dispatch(f, plant.Name, variant); err != nil {
					return "", err
				}
				copied, err := variantOf(path, changed, funcName(f), variant)
				if err != nil {
					return "", err
				}
				behind.WriteString(copied)
			}
		}
	}
	p.steps()
	return p.String() + behind.String(), nil
}

// variantOf returns the function of that name in text, under another name.
func variantOf(path, text, name, variant string) (string, error) {
	p, err := newPatch(path, text)
	if err != nil {
		return "", err
	}
	p.steps()
	q, err := newPatch(path, p.String())
	if err != nil {
		return "", err
	}
	for _, d := range q.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && funcName(f) == name {
			at := q.set.Position(f.Pos())
			q.put(f.Name.Pos(), f.Name.End(), variant)
			from, to := q.offset(f.Pos()), q.offset(f.End())
			whole := q.String()
			to += len(whole) - len(q.text)
			return fmt.Sprintf("\n//line %s:%d\n%s\n", path, at.Line, whole[from:to]), nil
		}
	}
	return "", fmt.Errorf("explore: %s has no function %s any more", path, name)
}

// funcName returns Type.Name, or Name.
func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	e := f.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

// A patch is a file with the changes that are to be made to it.
type patch struct {
	text  string
	set   *token.FileSet
	file  *ast.File
	edits []span
}

type span struct {
	from, to int
	text     string
}

func newPatch(path, text string) (*patch, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("explore: %w", err)
	}
	return &patch{text: text, set: set, file: file}, nil
}

func (p *patch) offset(at token.Pos) int { return p.set.PositionFor(at, false).Offset }

func (p *patch) source(n ast.Node) string { return p.text[p.offset(n.Pos()):p.offset(n.End())] }

func (p *patch) put(from, to token.Pos, text string) {
	p.edits = append(p.edits, span{p.offset(from), p.offset(to), text})
}

// String returns the text with the changes.
func (p *patch) String() string {
	slices.SortStableFunc(p.edits, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	at := 0
	for _, e := range p.edits {
		b.WriteString(p.text[at:e.from])
		b.WriteString(e.text)
		at = e.to
	}
	b.WriteString(p.text[at:])
	return b.String()
}

// around returns the function that stands around an offset, or nil.
func (p *patch) around(at int) *ast.FuncDecl {
	for _, d := range p.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && at >= p.offset(f.Pos()) && at < p.offset(f.End()) {
			return f
		}
	}
	return nil
}

// dispatch makes f call its variant while the race is planted.
func (p *patch) dispatch(f *ast.FuncDecl, race, variant string) error {
	call := variant
	if f.Recv != nil {
		if len(f.Recv.List[0].Names) == 0 {
			return fmt.Errorf("explore: race %s: the receiver of %s has no name", race, funcName(f))
		}
		call = f.Recv.List[0].Names[0].Name + "." + variant
	}
	var args []string
	for _, field := range f.Type.Params.List {
		_, many := field.Type.(*ast.Ellipsis)
		for _, n := range field.Names {
			if n.Name == "_" {
				return fmt.Errorf("explore: race %s: a parameter of %s has no name", race, funcName(f))
			}
			if many {
				args = append(args, n.Name+"...")
			} else {
				args = append(args, n.Name)
			}
		}
	}
	call += "(" + strings.Join(args, ", ") + ")"
	if f.Type.Results != nil {
		call = "return " + call
	} else {
		call += "; return"
	}
	at := f.Body.Lbrace + 1
	p.put(at, at, fmt.Sprintf(" if step.Planted(%q) { %s };", race, call))
	return nil
}

// steps puts the packages of step in the place of the standard library's, and the
// probes in.
func (p *patch) steps() {
	for _, i := range p.file.Imports {
		if s, ok := stands[i.Path.Value]; ok && i.Name == nil {
			p.put(i.Pos(), i.End(), s)
		}
	}
	ast.Inspect(p.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ExprStmt:
			p.statement(n)
		case *ast.FuncDecl:
			p.entry(n)
		}
		return true
	})
	if strings.Contains(p.String(), "step.") {
		at := p.file.Name.End()
		p.put(at, at, `; import step "`+stepPath+`"`)
	}
}

// statement looks for an addition whose result is not used, and for where Nets are
// taken apart and timers fire.
func (p *patch) statement(s *ast.ExprStmt) {
	call, ok := s.X.(*ast.CallExpr)
	if !ok {
		return
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	on, _ := sel.X.(*ast.SelectorExpr)
	switch {
	case sel.Sel.Name == "Add" && len(call.Args) == 1:
		p.put(sel.Sel.Pos(), sel.Sel.End(), "AddBlind")
	case sel.Sel.Name == "Store" && on != nil && on.Sel.Name == "exited":
		p.put(s.End(), s.End(), "; step.Exited("+p.source(on.X)+")")
	case p.file.Name.Name == "netns" && p.source(sel) == "t.f":
		p.put(s.Pos(), s.Pos(), `step.Uses(t.net, "a timer fires"); `)
	}
}

// uses are the functions that nobody may call for a Net that has been taken apart.
var uses = map[string]string{
	"core.Device.process":   `p.net, "a packet is received"`,
	"core.Worker.NewPacket": `n, "a packet is made"`,
	"core.Worker.Deliver":   `p.net, "a packet is delivered"`,
}

func (p *patch) entry(f *ast.FuncDecl) {
	if what, ok := uses[p.file.Name.Name+"."+funcName(f)]; ok && f.Body != nil {
		at := f.Body.Lbrace + 1
		p.put(at, at, " step.Uses("+what+");")
	}
}
