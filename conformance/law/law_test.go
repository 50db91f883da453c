package law

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"fmt"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/netns"
)

// TestLaws holds each law against machines of every variant.
func TestLaws(t *testing.T) {
	for _, l := range All() {
		t.Run(fmt.Sprint(l.Number, " ", l.Says), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) { l.Check(t, conformance.Variants()) })
		})
	}
}

// TestTagIsCores is the part of law 6 that needs no machine: nobody outside
// core can write a packet's Net, and in core it is written at the two doors,
// and taken away when the packet is freed.
func TestTagIsCores(t *testing.T) {
	typ := reflect.TypeFor[core.Packet]()
	net := reflect.TypeFor[*netns.Net]()
	for i := range typ.NumField() {
		if f := typ.Field(i); f.IsExported() && f.Type == net {
			t.Errorf("core.Packet.%s is a Net that anybody can write", f.Name)
		}
	}
	for i := range reflect.PointerTo(typ).NumMethod() {
		m := reflect.PointerTo(typ).Method(i)
		for j := 1; j < m.Type.NumIn(); j++ {
			if m.Type.In(j) == net {
				t.Errorf("core.Packet.%s takes a Net", m.Name)
			}
		}
	}
	doors := []string{"NewPacket", "arrive", "free"}
	files, err := filepath.Glob(filepath.Join("..", "..", "core", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files of core: ", err)
	}
	written := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				a, ok := n.(*ast.AssignStmt)
				if !ok {
					return true
				}
				for _, left := range a.Lhs {
					if sel, ok := left.(*ast.SelectorExpr); ok && (sel.Sel.Name == "net" || sel.Sel.Name == "books") {
						written++
						if !slices.Contains(doors, fn.Name.Name) {
							t.Errorf("%s: %s writes %s", filepath.Base(name), fn.Name.Name, sel.Sel.Name)
						}
					}
				}
				return true
			})
		}
	}
	if written < 2*len(doors) {
		t.Errorf("found %d writes only: does this test still look at the right words?", written)
	}
}
