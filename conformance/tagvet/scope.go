package tagvet

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"
)

// walk calls f for every node of the sources that a rule looks at, with the nodes
// around it, the outermost first and the node itself last.
func (c *check) walk(f func(n ast.Node, stack []ast.Node)) {
	c.ins.WithStack(nil, func(n ast.Node, push bool, stack []ast.Node) bool {
		if !push {
			return true
		}
		if file, ok := n.(*ast.File); ok && isTest(c.Fset.Position(file.FileStart).Filename) {
			return false
		}
		f(n, stack)
		return true
	})
}

// atHand returns the name of what says for which Net the code in stack works: a
// parameter or receiver, of the functions around it, that is a Net or lives in
// one. "" if there is none: the code works for the machine.
func (c *check) atHand(stack []ast.Node) string {
	for i := len(stack) - 1; i >= 0; i-- {
		if name := c.handed(stack[i]); name != "" {
			return name
		}
	}
	return ""
}

// handed is atHand for one function alone.
func (c *check) handed(fn ast.Node) string {
	var lists []*ast.FieldList
	switch fn := fn.(type) {
	case *ast.FuncDecl:
		lists = []*ast.FieldList{fn.Type.Params, fn.Recv}
	case *ast.FuncLit:
		lists = []*ast.FieldList{fn.Type.Params}
	}
	for _, list := range lists {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			for _, name := range field.Names {
				if name.Name != "_" && tagged(c.TypesInfo.TypeOf(field.Type)) {
					return name.Name
				}
			}
		}
	}
	return ""
}

// callee returns the function or method that a call names, or nil.
func (c *check) callee(call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	switch x := fun.(type) {
	case *ast.IndexExpr:
		fun = x.X
	case *ast.IndexListExpr:
		fun = x.X
	}
	var id *ast.Ident
	switch x := fun.(type) {
	case *ast.Ident:
		id = x
	case *ast.SelectorExpr:
		id = x.Sel
	default:
		return nil
	}
	f, _ := c.TypesInfo.Uses[id].(*types.Func)
	return f
}

// calls reports whether call is of the function pkg.name.
func (c *check) calls(call *ast.CallExpr, pkg, name string) bool {
	f := c.callee(call)
	return f != nil && f.Name() == name && f.Pkg() != nil && f.Pkg().Path() == pkg && f.Signature().Recv() == nil
}

// builtin returns the name of the builtin that is called, or "".
func (c *check) builtin(call *ast.CallExpr) string {
	id, ok := ast.Unparen(call.Fun).(*ast.Ident)
	if !ok {
		return ""
	}
	if _, ok := c.TypesInfo.Uses[id].(*types.Builtin); !ok {
		return ""
	}
	return id.Name
}

// method returns the receiver and the name of a method call without arguments.
func (c *check) method(e ast.Expr) (recv ast.Expr, name string) {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok || len(call.Args) > 0 {
		return nil, ""
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if f := c.callee(call); !ok || f == nil || f.Signature().Recv() == nil {
		return nil, ""
	}
	return sel.X, sel.Sel.Name
}

// plain takes parentheses and conversions away.
func (c *check) plain(e ast.Expr) ast.Expr {
	for {
		e = ast.Unparen(e)
		call, ok := e.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 || !c.TypesInfo.Types[call.Fun].IsType() {
			return e
		}
		e = call.Args[0]
	}
}

// object returns the variable that an identifier names, or nil.
func (c *check) object(e ast.Expr) *types.Var {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if !ok {
		return nil
	}
	v, _ := c.TypesInfo.ObjectOf(id).(*types.Var)
	return v
}

// text prints an expression.
func text(e ast.Expr) string { return types.ExprString(e) }

// A place is a field of something that several Nets share, as an expression
// reaches it.
type place struct {
	owner types.Type // the struct
	field string
	typ   types.Type // of the field
	keys  []key      // what the expression picks out of the field, outermost first
	home  bool       // the owner is a home, not the subsystem
}

// key is one index expression, with the type of what it indexes.
type key struct {
	of types.Type
	e  ast.Expr
}

// placeOf returns the shared place that e reaches without following a pointer to
// some other thing, or nil.
func (c *check) placeOf(r *rooms, e ast.Expr) *place {
	var keys []key
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.IndexExpr:
			keys = append([]key{{c.TypesInfo.TypeOf(x.X), x.Index}}, keys...)
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.SelectorExpr:
			owner := c.TypesInfo.TypeOf(x.X)
			if s := c.TypesInfo.Selections[x]; owner == nil || s == nil || s.Kind() != types.FieldVal {
				return nil
			}
			if n := named(owner); r.perSystem(owner) || n != nil && r.shared[n.Origin()] {
				return &place{named(owner), x.Sel.Name, c.TypesInfo.TypeOf(x), keys, !r.perSystem(owner)}
			}
			if isPointer(owner) {
				return nil
			}
			e = x.X
		default:
			return nil
		}
	}
}

// name is how a message calls the place.
func (p *place) name() string { return p.owner.(*types.Named).Obj().Name() + "." + p.field }

// rooms sorts the package's structs by what it registers with netns.
func (c *check) rooms() *rooms {
	r := &rooms{map[*types.Named]bool{}, map[*types.Named]bool{}, map[*types.Named]bool{}}
	note := func(m map[*types.Named]bool, t types.Type) {
		if n := named(t); n != nil {
			m[n.Origin()] = true
		}
	}
	c.walk(func(n ast.Node, _ []ast.Node) {
		if e, ok := n.(ast.Expr); ok {
			t := c.TypesInfo.TypeOf(e)
			if isType(t, "netns", "Cell") && !isPointer(named(t)) {
				note(r.own, typeArg(t))
			}
		}
		lit, ok := n.(*ast.CompositeLit)
		if !ok || !isType(c.TypesInfo.TypeOf(lit), "netns", "Ops") {
			return
		}
		home := typeArg(c.TypesInfo.TypeOf(lit))
		if c.replicated(lit) {
			note(r.own, home)
		} else {
			note(r.shared, home)
		}
	})
	return r
}

func typeArg(t types.Type) types.Type {
	n := named(t)
	if n == nil || n.TypeArgs().Len() == 0 {
		return nil
	}
	return n.TypeArgs().At(0)
}

// replicated reports whether the Ops can be placed in no other way.
func (c *check) replicated(ops *ast.CompositeLit) bool {
	for _, e := range ops.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		if id, ok := kv.Key.(*ast.Ident); ok && id.Name == "Place" {
			tv := c.TypesInfo.Types[kv.Value]
			if tv.Value == nil {
				return false
			}
			name := text(kv.Value)
			return strings.HasSuffix(name, "Replicated") || strings.HasSuffix(name, "Default") || constant.Sign(tv.Value) == 0
		}
	}
	return true // the default
}

// comparesNets reports whether somewhere in n two Nets are compared, or their IDs.
func (c *check) comparesNets(n ast.Node) bool {
	found := false
	if n == nil {
		return false
	}
	ast.Inspect(n, func(n ast.Node) bool {
		if b, ok := n.(*ast.BinaryExpr); ok && (b.Op == token.EQL || b.Op == token.NEQ) {
			x, y := c.TypesInfo.TypeOf(b.X), c.TypesInfo.TypeOf(b.Y)
			if isNet(x) && isNet(y) || isID(x) && isID(y) {
				found = true
			}
		}
		return !found
	})
	return found
}

// netsBeside reports whether the comparison at the end of stack stands beside one
// of the Nets: in the same condition, in one around it, or behind one that leads
// away.
func (c *check) netsBeside(stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 0; i-- {
		switch n := stack[i].(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return false
		case *ast.BinaryExpr:
			if (n.Op == token.LAND || n.Op == token.LOR) && c.comparesNets(n) {
				return true
			}
		case *ast.IfStmt:
			if c.comparesNets(n.Cond) {
				return true
			}
		case *ast.CaseClause:
			for _, e := range n.List {
				if c.comparesNets(e) {
					return true
				}
			}
		case *ast.BlockStmt:
			for _, s := range n.List {
				if s.Pos() >= stack[i+1].Pos() {
					break
				}
				if s, ok := s.(*ast.IfStmt); ok && leadsAway(s.Body) && c.comparesNets(s.Cond) {
					return true
				}
			}
		}
	}
	return false
}

// leadsAway reports whether what follows a block is reached only past it.
func leadsAway(b *ast.BlockStmt) bool {
	if len(b.List) == 0 {
		return false
	}
	switch s := b.List[len(b.List)-1].(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		return true
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		if !ok {
			return false
		}
		id, ok := call.Fun.(*ast.Ident)
		return ok && id.Name == "panic"
	}
	return false
}
