package tagvet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

func pkgstate() *analysis.Analyzer { return analyzer("pkgstate", pkgstateDoc, (*check).pkgstate) }

const pkgstateDoc = `find package-level state

Finds package variables that can change: written after init, exported (so that
others may write them), locks, atomics, channels, pointers, empty maps to be
filled, functions made by a call. All Systems and all Nets of a process share them,
and a test run twice is not the same run.

Precedent: the static old_secure_tcp of IPVS, by which a write in one namespace
flipped the state machine of another (moved into netns_ipvs); the host-wide static
key of IPv6's exclusive flow labels (per namespace since 2022).

Mend: a field of the struct that New returns, or of the Net's home. Tables that are
never written, errors and values such as netip.Addr are constants and not found.`

func (c *check) pkgstate() {
	vars := map[*types.Var]*ast.Ident{}
	inits := map[*types.Var]ast.Expr{}
	for _, f := range c.files() {
		for _, decl := range f.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				for i, name := range v.Names {
					o, ok := c.TypesInfo.Defs[name].(*types.Var)
					if !ok || name.Name == "_" {
						continue
					}
					vars[o] = name
					if len(v.Values) == len(v.Names) {
						inits[o] = v.Values[i]
					} else if len(v.Values) == 1 {
						inits[o] = v.Values[0]
					}
				}
			}
		}
	}
	written := c.writes(vars)
	for o, name := range vars {
		switch why := c.variable(o, inits[o]); {
		case written[o] != token.NoPos:
			c.report(name.Pos(), "package variable %s changes (line %d): all Nets of all Systems share it", name.Name, c.Fset.Position(written[o]).Line)
		case why != "":
			c.report(name.Pos(), "package variable %s %s: all Nets of all Systems share it", name.Name, why)
		}
	}
}

// writes finds the first place behind init where each variable is written, or its
// address given away.
func (c *check) writes(vars map[*types.Var]*ast.Ident) map[*types.Var]token.Pos {
	at := map[*types.Var]token.Pos{}
	note := func(e ast.Expr, pos token.Pos) {
		if v := c.object(root(e)); v != nil && vars[v] != nil && at[v] == token.NoPos {
			at[v] = pos
		}
	}
	c.walk(func(n ast.Node, stack []ast.Node) {
		if fn := function(stack); fn == nil || fn.Recv == nil && fn.Name.Name == "init" {
			return
		}
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				note(e, n.Pos())
			}
		case *ast.IncDecStmt:
			note(n.X, n.Pos())
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if e != nil {
					note(e, n.Pos())
				}
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND && !compared(stack) {
				note(n.X, n.Pos())
			}
		case *ast.CallExpr:
			switch c.builtin(n) {
			case "delete", "clear", "copy":
				note(n.Args[0], n.Pos())
			}
			// A method with a pointer receiver, called on the variable itself.
			sel, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr)
			if !ok {
				return
			}
			s := c.TypesInfo.Selections[sel]
			if s == nil || s.Kind() != types.MethodVal || isPointer(s.Recv()) {
				return
			}
			if isPointer(s.Obj().(*types.Func).Signature().Recv().Type()) {
				note(sel.X, n.Pos())
			}
		}
	})
	return at
}

// root returns the variable whose own memory e is part of. Behind a pointer is
// other memory, but a variable that points to it is found for that.
func root(e ast.Expr) ast.Expr {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		default:
			return x
		}
	}
}

// function returns the declared function around a node.
func function(stack []ast.Node) *ast.FuncDecl {
	for _, n := range stack {
		if fn, ok := n.(*ast.FuncDecl); ok {
			return fn
		}
	}
	return nil
}

// compared reports whether the node at the end of stack is one side of == or !=.
func compared(stack []ast.Node) bool {
	for i := len(stack) - 2; i >= 0; i-- {
		switch n := stack[i].(type) {
		case *ast.ParenExpr:
			continue
		case *ast.BinaryExpr:
			return n.Op == token.EQL || n.Op == token.NEQ
		}
		return false
	}
	return false
}

// variable says why a variable that nobody here writes is state nevertheless, or
// "".
func (c *check) variable(o *types.Var, init ast.Expr) string {
	if types.Identical(o.Type(), types.Universe.Lookup("error").Type()) {
		if init == nil {
			return "is an error that somebody has yet to set"
		}
		return ""
	}
	if o.Exported() {
		return "can be written by every package that imports this one"
	}
	return c.changeable(o.Type(), init)
}

// changeable says how a value of type t, made by init, can change.
func (c *check) changeable(t types.Type, init ast.Expr) string {
	if constantType(t) {
		return ""
	}
	if n := named(t); n != nil && !isPointer(t) && n.Obj().Pkg() != nil {
		switch n.Obj().Pkg().Path() {
		case "sync", "sync/atomic":
			return "is there to change"
		}
	}
	switch u := t.Underlying().(type) {
	case *types.Map:
		if lit, ok := init.(*ast.CompositeLit); init == nil || ok && len(lit.Elts) == 0 || c.made(init) {
			return "is an empty map, there to be filled"
		}
		return elements(c, u.Elem())
	case *types.Slice:
		if lit, ok := init.(*ast.CompositeLit); init == nil || ok && len(lit.Elts) == 0 {
			return "is an empty slice, there to be filled"
		}
		return elements(c, u.Elem())
	case *types.Array:
		return elements(c, u.Elem())
	case *types.Struct:
		for f := range u.Fields() {
			if why := elements(c, f.Type()); why != "" {
				return why
			}
		}
	case *types.Pointer:
		return "leads to what anybody who has the pointer may change"
	case *types.Chan:
		return "is a channel"
	case *types.Signature:
		if init == nil {
			return "is a function that somebody has yet to set"
		}
		if call, ok := ast.Unparen(init).(*ast.CallExpr); ok && !c.TypesInfo.Types[call.Fun].IsType() {
			return "is a function made by a call, which may keep state"
		}
	case *types.Interface:
		if init == nil {
			return "is to be set by somebody"
		}
		if dyn := c.TypesInfo.TypeOf(init); dyn != nil && !types.IsInterface(dyn) {
			return c.changeable(dyn, init)
		}
		return "holds something that may change"
	}
	return ""
}

// elements is changeable for what a table holds: functions and tables within it
// are constants as the table is.
func elements(c *check, t types.Type) string {
	if constantType(t) {
		return ""
	}
	switch u := t.Underlying().(type) {
	case *types.Signature, *types.Basic:
		return ""
	case *types.Interface:
		return ""
	case *types.Slice:
		return elements(c, u.Elem())
	case *types.Map:
		return elements(c, u.Elem())
	}
	return c.changeable(t, nil)
}

// made reports whether init is a call of make.
func (c *check) made(init ast.Expr) bool {
	call, ok := ast.Unparen(init).(*ast.CallExpr)
	return ok && c.builtin(call) == "make"
}

// constantType reports whether values of a type never change though their insides
// do not show it.
func constantType(t types.Type) bool {
	n := named(t)
	if n == nil || n.Obj().Pkg() == nil {
		return false
	}
	o := n.Obj()
	switch o.Pkg().Path() {
	case "net/netip", "time", "unique", "embed", "reflect":
		return o.Name() != "Timer" && o.Name() != "Ticker"
	case "regexp":
		return o.Name() == "Regexp"
	case "strings":
		return o.Name() == "Replacer"
	}
	return false
}
