package tagvet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

func netless() *analysis.Analyzer { return analyzer("netless", netlessDoc, (*check).netless) }

const netlessDoc = `find shared state reached without a Net

Finds, in code that has a Net at hand (a parameter or receiver that is a Net, or a
packet, device or socket, which lives in one):
 - the initial Net (System.Init) used in place of the Net at hand;
 - a field of a struct of which there is one per System written for that Net: a map
   whose key has no Net, a list whose elements have none, a counter, flag or limit;
 - a loop over what several Nets share that compares no Net;
and anywhere: fields without a Net in a home that the tagged placement shares, the
home of one Net kept in a struct for all, a random stream for all, and a variable
that a closure keeps from one Net's call to the next one's.

Precedent: the SIP helper that looked for expectations in init_net (a5c3a8005cb7,
2008); RDS' bind table keyed by address and port alone, by which a message crossed
into another namespace's socket (5521ae7, 2026); /proc/net/nf_conntrack, which
listed other namespaces' flows (e77e6ff502ea); neighbour thresholds counted for the
host, so that one namespace filled the table for all (until cda2962b6e2b, 2026).

Mend: a netns.Table or netns.Cell, which put the Net into the key; or the Net into
the key of your own map; the Net at hand in place of Init.`

func (c *check) netless() {
	r := c.rooms()
	c.homes(r)
	c.walk(func(n ast.Node, stack []ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, e := range n.Lhs {
				var value ast.Expr
				if len(n.Rhs) == len(n.Lhs) {
					value = n.Rhs[i]
				}
				c.write(r, e, value, n.Tok, stack)
			}
		case *ast.IncDecStmt:
			c.write(r, n.X, nil, n.Tok, stack)
		case *ast.KeyValueExpr:
			if lit, ok := stack[len(stack)-2].(*ast.CompositeLit); ok && r.perSystem(c.TypesInfo.TypeOf(lit)) && c.shelfCall(n.Value) {
				c.report(n.Pos(), "%s keeps the home of one Net in a struct for all", text(n.Key))
			}
		case *ast.CallExpr:
			c.initCall(n, stack)
			c.writingCall(r, n, stack)
		case *ast.RangeStmt:
			c.everyNet(r, n, stack)
		}
	})
	c.closures()
}

// initCall finds the initial Net used where another one is at hand.
func (c *check) initCall(call *ast.CallExpr, stack []ast.Node) {
	f := c.callee(call)
	if f == nil || f.Name() != "Init" || len(call.Args) > 0 || f.Signature().Recv() == nil || !isNet(c.TypesInfo.TypeOf(call)) || compared(stack) {
		return
	}
	if fn := function(stack); fn != nil && fn.Name.Name == "Init" {
		return
	}
	if name := c.atHand(stack); name != "" {
		c.report(call.Pos(), "%s is the initial Net, where %s says which Net is meant", text(call), name)
	}
}

// write judges a write to target.
func (c *check) write(r *rooms, target, value ast.Expr, tok token.Token, stack []ast.Node) {
	p := c.placeOf(r, target)
	if p == nil || tok == token.DEFINE {
		return
	}
	if value != nil && c.shelfCall(value) && !p.home {
		c.report(target.Pos(), "%s keeps the home of one Net in a struct for all", p.name())
		return
	}
	if p.home { // judged where it is declared
		return
	}
	if name := c.atHand(stack); name != "" {
		c.writtenFor(p, name, target.Pos())
	}
}

// writtenFor judges a write to a place of which there is one per System, made for
// the Net that name says.
func (c *check) writtenFor(p *place, name string, pos token.Pos) {
	for _, k := range p.keys {
		if _, ok := k.of.Underlying().(*types.Map); ok {
			if !keyTagged(c.TypesInfo.TypeOf(k.e)) && !c.numberOf(k.e) && !c.nameOf(k.e) {
				c.report(pos, "%s is one per System, and its key %s has no Net: what %s writes every Net finds", p.name(), text(k.e), name)
			}
			return
		}
	}
	switch u := p.typ.Underlying().(type) {
	case *types.Map:
		if !keyTagged(u.Key()) {
			c.report(pos, "%s is one per System, and its key has no Net: what %s writes every Net finds", p.name(), name)
		}
		return
	case *types.Slice:
		if tagged(u.Elem()) {
			return
		}
	case *types.Array:
		if tagged(u.Elem()) {
			return
		}
	}
	if !tagged(p.typ) {
		c.report(pos, "%s is one per System, and written for one Net (%s): its neighbours see it", p.name(), name)
	}
}

// writingCall finds calls that write to a place of which there is one per System.
func (c *check) writingCall(r *rooms, call *ast.CallExpr, stack []ast.Node) {
	if b := c.builtin(call); b == "delete" || b == "clear" || b == "copy" {
		target := call.Args[0]
		if b == "delete" {
			target = &ast.IndexExpr{X: call.Args[0], Index: call.Args[1]}
		}
		if p, name := c.placeOf(r, target), c.atHand(stack); p != nil && !p.home && name != "" {
			c.writtenFor(p, name, call.Pos())
		}
		return
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	f := c.callee(call)
	if !ok || f == nil || f.Pkg() == nil || f.Signature().Recv() == nil {
		return
	}
	p, name := c.placeOf(r, sel.X), c.atHand(stack)
	if p == nil || p.home {
		return
	}
	switch path := f.Pkg().Path(); {
	case path == "math/rand" || path == "math/rand/v2":
		c.report(call.Pos(), "%s is a random stream for all Nets: a neighbour's draw shifts mine; use Net.Uint64", p.name())
	case path == "sync/atomic" && name != "":
		switch f.Name() {
		case "Store", "Swap", "CompareAndSwap", "Add", "And", "Or":
			if t := typeArg(p.typ); t == nil || !tagged(t) {
				c.writtenFor(p, name, call.Pos())
			}
		}
	case path == "sync" && name != "" && isSyncMap(sel, c):
		switch f.Name() {
		case "Store", "Swap", "LoadOrStore", "CompareAndSwap", "Delete", "LoadAndDelete":
			if k := call.Args[0]; !keyTagged(c.TypesInfo.TypeOf(k)) && !c.numberOf(k) && !c.nameOf(k) {
				c.report(call.Pos(), "%s is one per System, and its key %s has no Net: what %s writes every Net finds", p.name(), text(k), name)
			}
		}
	}
}

func isSyncMap(sel *ast.SelectorExpr, c *check) bool {
	n := named(c.TypesInfo.TypeOf(sel.X))
	return n != nil && n.Obj().Name() == "Map"
}

// shelfCall reports whether e asks a slot or a cell for one Net's home.
func (c *check) shelfCall(e ast.Expr) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok || len(call.Args) != 1 || !isNet(c.TypesInfo.TypeOf(call.Args[0])) {
		return false
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	return ok && (sel.Sel.Name == "Of" || sel.Sel.Name == "Own") && isShelf(c.TypesInfo.TypeOf(sel.X))
}

// homes judges the declared fields of homes that Nets share when tagged.
func (c *check) homes(r *rooms) {
	if inModel(c.Pkg.Path(), "netns") {
		return // the tables themselves: here the tag is made, and compared by hand
	}
	for n := range r.shared {
		s, ok := n.Underlying().(*types.Struct)
		if !ok || n.Obj().Pkg() != c.Pkg {
			continue
		}
		for f := range s.Fields() {
			if bad := sharedField(f.Type()); bad != "" {
				c.report(f.Pos(), "%s.%s %s: when %s is tagged, all Nets share it", n.Obj().Name(), f.Name(), bad, n.Obj().Name())
			}
		}
	}
}

// sharedField says what is wrong with a field of a shared home, or "".
func sharedField(t types.Type) string {
	if n := named(t); n != nil && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "sync" && n.Obj().Name() != "Map" {
		return "" // a lock guards, it says nothing
	}
	switch u := t.Underlying().(type) {
	case *types.Map:
		if keyTagged(u.Key()) && !isPointer(u.Key()) || isNet(u.Key()) || tagged(u.Key()) {
			return ""
		}
		return "has no Net in its key"
	case *types.Slice:
		if tagged(u.Elem()) {
			return ""
		}
		return "has elements without a Net"
	case *types.Array:
		return sharedField(u.Elem())
	}
	if tagged(t) {
		return ""
	}
	return "is one value for all"
}

// everyNet finds loops, made for one Net, over what belongs to many.
func (c *check) everyNet(r *rooms, loop *ast.RangeStmt, stack []ast.Node) {
	over := ast.Unparen(loop.X)
	if call, ok := over.(*ast.CallExpr); ok && c.mapSeq(call) {
		over = ast.Unparen(call.Args[0])
	}
	name := c.atHand(stack)
	if name == "" || c.comparesNets(loop.Body) || c.looksFor(loop) {
		return
	}
	if call, ok := over.(*ast.CallExpr); ok {
		f := c.callee(call)
		if f != nil && f.Name() == "Nets" && f.Signature().Recv() != nil && isSystem(f.Signature().Recv().Type()) {
			c.report(loop.Pos(), "a loop over all Nets for one (%s), which compares no Net", name)
		}
		return
	}
	p := c.placeOf(r, over)
	if p == nil || len(p.keys) > 0 {
		return
	}
	many := false
	switch u := p.typ.Underlying().(type) {
	case *types.Map:
		many = tagged(u.Key()) || tagged(u.Elem())
	case *types.Slice:
		many = tagged(u.Elem())
	}
	if many && !assignedBefore(loop, text(over), stack) {
		c.report(loop.Pos(), "a loop over %s, which holds what is of all Nets, for one (%s), which compares no Net", p.name(), name)
	}
}

// looksFor reports whether a loop compares its element with a thing that it looks
// for or leaves out: a pointer is as good as a Net.
func (c *check) looksFor(loop *ast.RangeStmt) bool {
	for _, e := range []ast.Expr{loop.Key, loop.Value} {
		v := c.object(e)
		if v == nil || !isPointer(v.Type()) || !tagged(v.Type()) {
			continue
		}
		found := false
		ast.Inspect(loop.Body, func(n ast.Node) bool {
			if b, ok := n.(*ast.BinaryExpr); ok && (b.Op == token.EQL || b.Op == token.NEQ) && c.object(b.X) != nil && c.object(b.Y) != nil {
				found = found || c.object(b.X) == v || c.object(b.Y) == v
			}
			return !found
		})
		if found {
			return true
		}
	}
	return false
}

// assignedBefore reports whether the function around a loop has assigned what the
// loop is over: then it is what was gathered there, for the Net at hand.
func assignedBefore(loop *ast.RangeStmt, over string, stack []ast.Node) bool {
	found := false
	for _, n := range stack {
		if _, ok := n.(*ast.FuncDecl); !ok {
			continue
		}
		ast.Inspect(n, func(n ast.Node) bool {
			a, ok := n.(*ast.AssignStmt)
			if ok && a.Pos() < loop.Pos() && len(a.Lhs) == 1 && text(a.Lhs[0]) == over {
				call, isCall := ast.Unparen(a.Rhs[0]).(*ast.CallExpr)
				if id, ok := (*ast.Ident)(nil), false; isCall {
					id, ok = call.Fun.(*ast.Ident)
					isCall = ok && id.Name == "append"
				}
				found = found || !isCall
			}
			return !found
		})
	}
	return found
}

// closures finds variables of a function that works for the machine, kept by a
// closure that works for a Net.
func (c *check) closures() {
	outer := map[*types.Var]bool{}       // used by the function that declares it
	writes := map[*types.Var]token.Pos{} // by a closure with a Net
	names := map[*types.Var]string{}
	c.walk(func(n ast.Node, stack []ast.Node) {
		id, ok := n.(*ast.Ident)
		if !ok || len(stack) < 2 {
			return
		}
		v, ok := c.TypesInfo.Uses[id].(*types.Var)
		if !ok || v.IsField() || v.Parent() == nil || v.Parent() == c.Pkg.Scope() {
			return
		}
		lit, inner := c.capturedBy(v, stack)
		if lit == nil {
			outer[v] = true
			return
		}
		if name := c.handed(lit); name != "" && c.atHand(inner) == "" && c.isWritten(id, stack) {
			writes[v], names[v] = id.Pos(), name
		}
	})
	for v, pos := range writes {
		if !outer[v] && !tagged(v.Type()) && !c.mapByNet(v.Type()) {
			c.report(pos, "%s outlives the call: every Net's call (%s) writes the same variable", v.Name(), names[v])
		}
	}
}

func (c *check) mapByNet(t types.Type) bool {
	m, ok := t.Underlying().(*types.Map)
	return ok && keyTagged(m.Key())
}

// capturedBy returns the outermost closure around the end of stack that v stands
// outside of, with what is around that closure.
func (c *check) capturedBy(v *types.Var, stack []ast.Node) (*ast.FuncLit, []ast.Node) {
	for i, n := range stack {
		if lit, ok := n.(*ast.FuncLit); ok && (v.Pos() < lit.Pos() || v.Pos() >= lit.End()) {
			return lit, stack[:i]
		}
	}
	return nil, nil
}

// isWritten reports whether the identifier at the end of stack is the root of what
// a statement writes to.
func (c *check) isWritten(id *ast.Ident, stack []ast.Node) bool {
	is := func(e ast.Expr) bool { return root(e) == ast.Expr(id) }
	for i := len(stack) - 2; i >= 0; i-- {
		switch n := stack[i].(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				if is(e) && !c.behindPointer(e) {
					return true
				}
			}
			return false
		case *ast.IncDecStmt:
			return is(n.X) && !c.behindPointer(n.X)
		case *ast.CallExpr:
			sel, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr)
			if f := c.callee(n); ok && f != nil && f.Pkg() != nil && f.Pkg().Path() == "sync/atomic" && is(sel.X) && f.Name() != "Load" {
				return !c.behindPointer(sel.X)
			}
			if b := c.builtin(n); (b == "delete" || b == "clear") && is(n.Args[0]) {
				return true
			}
			return false
		case ast.Stmt:
			return false
		}
	}
	return false
}

// behindPointer reports whether e leads from its root through a pointer.
func (c *check) behindPointer(e ast.Expr) bool {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			if isPointer(c.TypesInfo.TypeOf(x.X)) {
				return true
			}
			e = x.X
		case *ast.StarExpr:
			return true
		default:
			return false
		}
	}
}
