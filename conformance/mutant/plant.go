package mutant

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Variable is what tells a trial which mutant is at work: its number in the list
// that it was built with, from 1; 0 or unset is the source as it is.
const Variable = "NSMODEL_MUTANT"

// planted is a package's file that reads it.
const planted = `package %s

import (
	"os"
	"strconv"
)

var planted, _ = strconv.Atoi(os.Getenv("` + Variable + `"))
`

// Plant returns the files, by their path below the root, of a tree in which all
// of ms wait: each function that a mutant edits is there twice, as it is and as
// the mutant has it, and asks which it is to be. What stands outside of functions
// is edited for good, so that it may only add. It is an error if what an edit
// replaces is not there just once.
//
// One build for all of them takes as long as one for each would.
func (t *Tree) Plant(ms []Mutant) (map[string][]byte, error) {
	byFile := map[string][]placed{}
	for i, m := range ms {
		for _, e := range m.Edits {
			byFile[e.File] = append(byFile[e.File], placed{number: i + 1, mutant: m.Name, Edit: e})
		}
	}
	out := map[string][]byte{}
	for name, edits := range byFile {
		src, err := os.ReadFile(filepath.Join(t.Root, name))
		if err != nil {
			return nil, err
		}
		text, pkg, err := plantFile(string(src), edits)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = []byte(text)
		out[path.Join(path.Dir(name), "planted.go")] = []byte(fmt.Sprintf(planted, pkg))
	}
	return out, nil
}

// A placed edit is one of a mutant with that number.
type placed struct {
	Edit
	number int
	mutant string
	at     int // offset in the file
}

// plantFile plants edits into one file.
func plantFile(src string, edits []placed) (text, pkg string, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", src, 0)
	if err != nil {
		return "", "", err
	}
	offset := func(p token.Pos) int { return fset.Position(p).Offset }
	type copyKey struct {
		fn     *ast.FuncDecl
		number int
	}
	inside := map[copyKey][]placed{}
	var outside []placed
	for _, e := range edits {
		if k := strings.Count(src, e.Old); k != 1 {
			return "", "", fmt.Errorf("mutant %q: %d places read %q", e.mutant, k, e.Old)
		}
		e.at = strings.Index(src, e.Old)
		i := slices.IndexFunc(file.Decls, func(d ast.Decl) bool {
			fn, ok := d.(*ast.FuncDecl)
			return ok && offset(fn.Pos()) <= e.at && e.at+len(e.Old) <= offset(fn.End())
		})
		if i < 0 {
			outside = append(outside, e)
			continue
		}
		key := copyKey{file.Decls[i].(*ast.FuncDecl), e.number}
		inside[key] = append(inside[key], e)
	}
	// From the end to the beginning, so that offsets stay good.
	text = src
	for _, d := range slices.Backward(file.Decls) {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		var doors, copies strings.Builder
		for n := 1; n <= maxNumber(edits); n++ {
			es := inside[copyKey{fn, n}]
			if es == nil {
				continue
			}
			name := fmt.Sprintf("%sPlanted%d", fn.Name.Name, n)
			call, err := callOf(fn, name, src, offset)
			if err != nil {
				return "", "", fmt.Errorf("mutant %q: %w", es[0].mutant, err)
			}
			fmt.Fprintf(&doors, "\n\tif planted == %d {\n\t\t%s\n\t}", n, call)
			copies.WriteString("\n\n" + copyOf(fn, name, src, es, offset))
		}
		if doors.Len() > 0 {
			body, end := offset(fn.Body.Lbrace)+1, offset(fn.End())
			text = text[:body] + doors.String() + "\n\t" + text[body:end] + copies.String() + text[end:]
		}
	}
	for _, e := range outside {
		if strings.Count(text, e.Old) != 1 {
			return "", "", fmt.Errorf("mutant %q edits what others have edited: %q", e.mutant, e.Old)
		}
		text = strings.Replace(text, e.Old, e.New, 1)
	}
	return text, file.Name.Name, nil
}

func maxNumber(edits []placed) (k int) {
	for _, e := range edits {
		k = max(k, e.number)
	}
	return k
}

// copyOf returns a function under another name, with edits.
func copyOf(fn *ast.FuncDecl, name, src string, edits []placed, offset func(token.Pos) int) string {
	start, end := offset(fn.Pos()), offset(fn.End())
	edits = append(slices.Clone(edits), placed{at: offset(fn.Name.Pos()), Edit: Edit{Old: fn.Name.Name, New: name}})
	slices.SortFunc(edits, func(a, b placed) int { return b.at - a.at })
	text := src[start:end]
	for _, e := range edits {
		at := e.at - start
		text = text[:at] + e.New + text[at+len(e.Old):]
	}
	return text
}

// callOf returns the statements by which a function lets its copy do the work.
func callOf(fn *ast.FuncDecl, name, src string, offset func(token.Pos) int) (string, error) {
	if fn.Recv != nil {
		if len(fn.Recv.List[0].Names) == 0 {
			return "", fmt.Errorf("the receiver of %s has no name", fn.Name.Name)
		}
		name = fn.Recv.List[0].Names[0].Name + "." + name
	}
	if fn.Type.TypeParams != nil {
		var types []string
		for _, f := range fn.Type.TypeParams.List {
			for _, n := range f.Names {
				types = append(types, n.Name)
			}
		}
		name += "[" + strings.Join(types, ", ") + "]"
	}
	var args []string
	for _, f := range fn.Type.Params.List {
		for _, n := range f.Names {
			arg := n.Name
			if arg == "_" { // its type's zero value will do, since nobody looks
				arg = "*new(" + src[offset(f.Type.Pos()):offset(f.Type.End())] + ")"
			}
			if _, ok := f.Type.(*ast.Ellipsis); ok {
				arg += "..."
			}
			args = append(args, arg)
		}
		if len(f.Names) == 0 {
			args = append(args, "*new("+src[offset(f.Type.Pos()):offset(f.Type.End())]+")")
		}
	}
	call := name + "(" + strings.Join(args, ", ") + ")"
	if fn.Type.Results == nil {
		return call + "\n\t\treturn", nil
	}
	return "return " + call, nil
}
