package tagvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

func bareindex() *analysis.Analyzer { return analyzer("bareindex", bareindexDoc, (*check).bareindex) }
func barename() *analysis.Analyzer  { return analyzer("barename", barenameDoc, (*check).barename) }

const bareindexDoc = `find interface indexes taken for identity

An interface index is a name within one Net: lo is 1 everywhere. Finds a map or
list that several Nets share indexed by one (Device.Index, an ifindex, iif or oif,
alone or in a key without a Net), two devices' indexes compared where their Nets
are not, and a device looked up in one device's Net by another one's index.

Precedent: batman-adv took equal interface indexes for the same device and saw a
loop where there was none ("Don't expect inter-netns unique iflink indices", 2022);
fib's device hash by index alone, where every loopback hung in one bucket
(2836615aa22d, 2022).

Mend: compare the devices themselves, or their Nets too; key by *core.Device, or by
a struct that has the Net or its ID; or use a netns.Table.`

const barenameDoc = `find names and numbers of one Net taken for identity

Finds what bareindex finds for the other names that are unique in a Net only: a
device's Name, the Name or ID of a socket or of whatever else lives in a Net. And
the Names of two Nets compared, used as a key, or looked up again: a name is free
for another Net as soon as it is deleted, and many Nets have none.

Precedent: MPTCP's table of tokens without the namespace, by which a join in one
attached to a connection of another (ea1300b9df7c, 2021); NAPI ids looked up
without the namespace, which gave access to another one's queues (2025).

Mend: compare the things themselves, or their Nets (==, or ID) beside the names;
put the Net into the key.`

// numberOf reports whether e is an interface index, or a key made of one that says
// nothing of the Net.
func (c *check) numberOf(e ast.Expr) bool { return c.keyOf(e, c.indexLike) }

// nameOf is numberOf for names and other identifiers of a Net.
func (c *check) nameOf(e ast.Expr) bool { return c.keyOf(e, c.nameLike) }

func (c *check) keyOf(e ast.Expr, like func(ast.Expr) bool) bool {
	e = c.plain(e)
	if like(e) {
		return true
	}
	switch x := e.(type) {
	case *ast.CompositeLit:
		if keyTagged(c.TypesInfo.TypeOf(x)) {
			return false
		}
		for _, elt := range x.Elts {
			if kv, ok := elt.(*ast.KeyValueExpr); ok {
				elt = kv.Value
			}
			if c.keyOf(elt, like) {
				return true
			}
		}
	case *ast.CallExpr: // a function that makes a key
		if keyTagged(c.TypesInfo.TypeOf(x)) || c.builtin(x) != "" {
			return false
		}
		for _, a := range x.Args {
			if tagged(c.TypesInfo.TypeOf(a)) {
				return false
			}
		}
		for _, a := range x.Args {
			if c.keyOf(a, like) {
				return true
			}
		}
	}
	return false
}

// indexLike reports whether e alone is an interface index.
func (c *check) indexLike(e ast.Expr) bool {
	if recv, name := c.method(e); recv != nil {
		return (name == "Index" || indexWord(name)) && tagged(c.TypesInfo.TypeOf(recv)) && isInteger(c.TypesInfo.TypeOf(e))
	}
	var name string
	switch x := e.(type) {
	case *ast.Ident:
		name = x.Name
	case *ast.SelectorExpr:
		name = x.Sel.Name
	default:
		return false
	}
	t := c.TypesInfo.TypeOf(e)
	if n, ok := types.Unalias(t).(*types.Named); ok && indexWord(n.Obj().Name()) {
		return isInteger(t)
	}
	return indexWord(name) && isInteger(t)
}

// nameLike reports whether e alone is what something that lives in a Net is called
// there, or what a Net is called.
func (c *check) nameLike(e ast.Expr) bool {
	recv, name := c.method(e)
	if recv == nil {
		sel, ok := e.(*ast.SelectorExpr)
		if s := c.TypesInfo.Selections[sel]; !ok || s == nil || s.Kind() != types.FieldVal {
			return false
		}
		recv, name = sel.X, sel.Sel.Name
	}
	switch strings.ToLower(name) {
	case "name", "id", "nsid", "token", "cookie":
	default:
		return false
	}
	t := c.TypesInfo.TypeOf(e)
	if isID(t) {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&(types.IsString|types.IsInteger) != 0 && livesInNet(c.TypesInfo.TypeOf(recv))
}

// livesInNet reports whether t is a Net or a thing in one.
func livesInNet(t types.Type) bool {
	if isNet(t) || isType(t, "netns", "Net") || netMethod(t) {
		return true
	}
	n := named(t)
	if n == nil {
		return false
	}
	s, ok := n.Underlying().(*types.Struct)
	return ok && liesInNet(n, s)
}

func indexWord(s string) bool {
	switch strings.ToLower(strings.ReplaceAll(s, "_", "")) {
	case "ifindex", "ifidx", "iif", "oif", "iflink", "inindex", "outindex", "devindex", "linkindex", "skbiif":
		return true
	}
	return false
}

func isInteger(t types.Type) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0
}

func (c *check) bareindex() {
	c.bare(c.numberOf, c.indexLike, "interface index", func(x ast.Expr) ast.Expr {
		if recv, _ := c.method(c.plain(x)); recv != nil && c.indexLike(c.plain(x)) {
			return recv
		}
		if sel, ok := c.plain(x).(*ast.SelectorExpr); ok && c.indexLike(sel) && netMethod(c.TypesInfo.TypeOf(sel.X)) {
			return sel.X
		}
		return nil
	})
}

func (c *check) barename() {
	owner := func(x ast.Expr) ast.Expr {
		x = c.plain(x)
		if !c.nameLike(x) {
			return nil
		}
		if recv, _ := c.method(x); recv != nil {
			return recv
		}
		return x.(*ast.SelectorExpr).X
	}
	c.bare(c.nameOf, c.nameLike, "name", owner)
	c.walk(func(n ast.Node, _ []ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return
		}
		f := c.callee(call)
		if f == nil || f.Name() != "ByName" || f.Signature().Recv() == nil || !isSystem(f.Signature().Recv().Type()) {
			return
		}
		if o := owner(call.Args[0]); o != nil && isType(c.TypesInfo.TypeOf(o), "netns", "Net") {
			c.report(call.Pos(), "%s may find another Net, which has taken the name since, or none: hold %s", text(call), text(o))
		}
	})
}

// bare runs the rules that the two kinds share: is picks out keys, like what is
// compared, and owner returns the thing that is called so.
func (c *check) bare(is, like func(ast.Expr) bool, what string, owner func(ast.Expr) ast.Expr) {
	r := c.rooms()
	c.walk(func(n ast.Node, stack []ast.Node) {
		switch n := n.(type) {
		case *ast.IndexExpr:
			if c.indexable(n.X) && is(n.Index) {
				c.bareKey(r, n.X, n.Index, what, stack)
			}
		case *ast.CallExpr:
			if c.builtin(n) == "delete" && is(n.Args[1]) {
				c.bareKey(r, n.Args[0], n.Args[1], what, stack)
			}
			if sel, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr); ok && isSyncMap(sel, c) && len(n.Args) > 0 && is(n.Args[0]) {
				c.bareKey(r, sel.X, n.Args[0], what, stack)
			}
			c.foreign(n, what, owner)
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				c.bareCompare(n, n.X, n.Y, what, owner, stack)
			}
		case *ast.SwitchStmt:
			if n.Tag == nil {
				return
			}
			for _, clause := range n.Body.List {
				for _, e := range clause.(*ast.CaseClause).List {
					c.bareCompare(e, n.Tag, e, what, owner, stack)
				}
			}
		}
	})
}

// indexable reports whether e is something that has keys, and no generic function.
func (c *check) indexable(e ast.Expr) bool {
	t := c.TypesInfo.TypeOf(e)
	if t == nil {
		return false
	}
	switch deref(t).Underlying().(type) {
	case *types.Map:
		return true
	case *types.Slice, *types.Array:
		return !c.TypesInfo.Types[e].IsType()
	}
	return false
}

// bareKey finds a key without a Net in a container that several Nets share.
func (c *check) bareKey(r *rooms, container, k ast.Expr, what string, stack []ast.Node) {
	if u, ok := deref(c.TypesInfo.TypeOf(container)).Underlying().(*types.Map); ok && tagged(u.Key()) {
		return
	}
	if p := c.placeOf(r, container); p != nil {
		for _, outer := range p.keys {
			if keyTagged(c.TypesInfo.TypeOf(outer.e)) {
				return // byNet[n][index]
			}
		}
		c.report(k.Pos(), "%s is one for all Nets, and the %s %s means another thing in each", p.name(), what, text(k))
		return
	}
	v := c.object(root(container))
	switch {
	case v == nil || v.IsField():
	case v.Parent() == c.Pkg.Scope():
		c.report(k.Pos(), "%s is one for all Nets, and the %s %s means another thing in each", v.Name(), what, text(k))
	case c.acrossNets(v, stack) && !c.behindPointer(container) && !c.keyedByNet(container):
		c.report(k.Pos(), "%s gathers from several Nets, and the %s %s means another thing in each", v.Name(), what, text(k))
	}
}

// keyedByNet reports whether a container is an element that a Net has picked.
func (c *check) keyedByNet(e ast.Expr) bool {
	x, ok := ast.Unparen(e).(*ast.IndexExpr)
	return ok && (tagged(c.TypesInfo.TypeOf(x.Index)) || c.keyedByNet(x.X))
}

// acrossNets reports whether a local variable is used in a loop over Nets that it
// stands outside of.
func (c *check) acrossNets(v *types.Var, stack []ast.Node) bool {
	for _, n := range stack {
		loop, ok := n.(*ast.RangeStmt)
		if !ok || loop.Pos() <= v.Pos() {
			continue
		}
		for _, e := range []ast.Expr{loop.Key, loop.Value} {
			if e != nil && isNet(c.TypesInfo.TypeOf(e)) {
				return true
			}
		}
	}
	return false
}

// bareCompare finds two things taken for one because they are called the same.
func (c *check) bareCompare(at ast.Node, x, y ast.Expr, what string, owner func(ast.Expr) ast.Expr, stack []ast.Node) {
	a, b := owner(x), owner(y)
	if a == nil || b == nil || text(a) == text(b) {
		return
	}
	if isType(c.TypesInfo.TypeOf(a), "netns", "Net") && isType(c.TypesInfo.TypeOf(b), "netns", "Net") {
		c.report(at.Pos(), "two Nets may have one %s, one after the other, or none: compare %s and %s", what, text(a), text(b))
		return
	}
	if !c.netsBeside(stack) {
		c.report(at.Pos(), "%s and %s may be in two Nets, where one %s means two things: compare them, or their Nets too", text(a), text(b), what)
	}
}

// foreign finds a lookup in the Net of one thing by what another one is called.
func (c *check) foreign(call *ast.CallExpr, what string, owner func(ast.Expr) ast.Expr) {
	var in ast.Expr
	for _, a := range call.Args {
		if recv, name := c.method(a); recv != nil && name == "Net" && isNet(c.TypesInfo.TypeOf(a)) {
			in = recv
			continue
		}
		if o := owner(a); in != nil && o != nil && text(o) != text(in) && !isType(c.TypesInfo.TypeOf(o), "netns", "Net") {
			c.report(a.Pos(), "the %s of %s, looked for in the Net of %s, which may be another", what, text(o), text(in))
		}
	}
}
