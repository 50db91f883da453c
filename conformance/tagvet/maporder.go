package tagvet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

func maporder() *analysis.Analyzer { return analyzer("maporder", maporderDoc, (*check).maporder) }

const maporderDoc = `find the order of a map made visible

Finds loops over a map (also by maps.Keys, Values, All and sync.Map.Range) whose
body does something of which the order shows: appends to what is not sorted later,
calls a function for its effect, sends, yields, returns an element, keeps one
without comparing. Go draws that order anew for each loop: a dump or the order of
events differs from run to run, and with it what a test or another Net sees.

Precedent: none in Linux, whose hash tables have an order; law 5 (same seed, same
bytes) fails on it, but only in some runs.

Mend: netns.Table.All yields in the order of Add; or sort the keys first. Counting,
filling another map, deleting, picking the least are not found.`

func (c *check) maporder() {
	c.walk(func(n ast.Node, stack []ast.Node) {
		switch n := n.(type) {
		case *ast.RangeStmt:
			if c.mapRange(n.X) {
				c.mapLoop(n, stack)
			}
		case *ast.CallExpr:
			c.mapCollect(n, stack)
		}
	})
}

// mapRange reports whether e yields in the order of a map.
func (c *check) mapRange(e ast.Expr) bool {
	if t := c.TypesInfo.TypeOf(e); t != nil {
		if _, ok := t.Underlying().(*types.Map); ok {
			return true
		}
	}
	switch x := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		return c.mapSeq(x)
	case *ast.SelectorExpr: // for k, v := range m.Range
		f, ok := c.TypesInfo.Uses[x.Sel].(*types.Func)
		return ok && f.FullName() == "(*sync.Map).Range"
	}
	return false
}

func (c *check) mapSeq(call *ast.CallExpr) bool {
	return c.calls(call, "maps", "Keys") || c.calls(call, "maps", "Values") || c.calls(call, "maps", "All")
}

// mapCollect finds slices.Collect of a map's keys without a sort, and callbacks of
// sync.Map.Range.
func (c *check) mapCollect(call *ast.CallExpr, stack []ast.Node) {
	if f := c.callee(call); f != nil && f.FullName() == "(*sync.Map).Range" {
		c.report(call.Pos(), "sync.Map.Range yields in no order that a run repeats")
		return
	}
	if !c.calls(call, "slices", "Collect") && !c.calls(call, "slices", "AppendSeq") {
		return
	}
	seq, ok := ast.Unparen(call.Args[len(call.Args)-1]).(*ast.CallExpr)
	if !ok || !c.mapSeq(seq) {
		return
	}
	if a, ok := stack[len(stack)-2].(*ast.AssignStmt); ok && len(a.Lhs) == 1 && c.sortedLater(a.Lhs[0], a.End(), stack) {
		return
	}
	c.report(call.Pos(), "%s holds a map's entries in an order that differs from run to run: use slices.Sorted", text(call.Fun))
}

// loop is a loop over a map while its body is judged.
type loop struct {
	*check
	at    *ast.RangeStmt
	stack []ast.Node // around the loop, which is the last
	found bool
}

func (c *check) mapLoop(at *ast.RangeStmt, stack []ast.Node) {
	l := &loop{check: c, at: at, stack: stack}
	if at.Key == nil && at.Value == nil {
		return // as many times, whatever the order
	}
	var inner []ast.Node
	ast.Inspect(at.Body, func(n ast.Node) bool {
		if n == nil {
			inner = inner[:len(inner)-1]
			return true
		}
		inner = append(inner, n)
		l.judge(n, inner)
		return true
	})
}

func (l *loop) say(pos token.Pos, what string) {
	if !l.found { // one a loop is enough
		l.found = true
		l.report(l.at.Pos(), "the order of map %s shows: line %d %s", text(l.at.X), l.Fset.Position(pos).Line, what)
	}
}

// judge looks at one node of the body; inner are the nodes around it, it the last.
func (l *loop) judge(n ast.Node, inner []ast.Node) {
	switch n := n.(type) {
	case *ast.SendStmt:
		l.say(n.Pos(), "sends")
	case *ast.GoStmt, *ast.DeferStmt:
		l.say(n.Pos(), "starts or defers a call")
	case *ast.ReturnStmt:
		for _, e := range n.Results {
			if l.mentionsEntry(e) {
				l.say(n.Pos(), "returns whichever entry comes first")
			}
		}
	case *ast.CallExpr:
		// A function value: yield, or whoever wants to be told.
		if id, ok := ast.Unparen(n.Fun).(*ast.Ident); ok {
			if v, ok := l.TypesInfo.Uses[id].(*types.Var); ok && !l.within(v) {
				l.say(n.Pos(), "calls "+id.Name+" for each")
			}
		}
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok && !l.commutes(call) {
			l.say(n.Pos(), "calls "+text(call.Fun)+" for each")
		}
	case *ast.AssignStmt:
		for i, e := range n.Lhs {
			var value ast.Expr
			if len(n.Rhs) == len(n.Lhs) {
				value = n.Rhs[i]
			}
			l.assign(n, e, value, inner)
		}
	}
}

// commutes reports whether calls of that kind, one for each entry, come to the
// same in any order.
func (l *loop) commutes(call *ast.CallExpr) bool {
	switch l.builtin(call) {
	case "delete", "clear", "panic":
		return true
	}
	f := l.callee(call)
	if f == nil || f.Pkg() == nil {
		return false
	}
	switch f.Pkg().Path() {
	case "sync":
		return f.Name() != "Go" && f.Name() != "Do"
	case "sync/atomic":
		switch f.Name() {
		case "Add", "Or", "And":
			return true
		case "Store":
			return len(call.Args) == 1 && !l.mentionsEntry(call.Args[0])
		}
	case "slices", "sort":
		return true
	}
	return f.FullName() == "(*"+f.Pkg().Path()+".Timer).Stop"
}

func (l *loop) assign(n *ast.AssignStmt, to, value ast.Expr, inner []ast.Node) {
	if n.Tok == token.DEFINE || isBlank(to) {
		return
	}
	v := l.object(root(to))
	if v != nil && l.within(v) {
		return // what the body made for itself, or the entry's own
	}
	if index, ok := ast.Unparen(to).(*ast.IndexExpr); ok && l.mentionsEntry(index.Index) {
		return // each entry has its own
	}
	switch n.Tok {
	case token.ASSIGN:
	case token.ADD_ASSIGN:
		if b, ok := l.TypesInfo.TypeOf(to).Underlying().(*types.Basic); !ok || b.Info()&types.IsInteger == 0 {
			l.say(n.Pos(), "adds to "+text(to)+", which depends on the order")
		}
		return
	case token.SUB_ASSIGN, token.OR_ASSIGN, token.AND_ASSIGN, token.XOR_ASSIGN, token.AND_NOT_ASSIGN, token.MUL_ASSIGN:
		return
	default:
		l.say(n.Pos(), "changes "+text(to)+" step by step")
		return
	}
	if call, ok := value.(*ast.CallExpr); ok {
		switch l.builtin(call) {
		case "append":
			if len(call.Args) > 1 && !l.sortedLater(to, l.at.End(), l.stack) {
				l.say(n.Pos(), "appends to "+text(to)+", which is not sorted later")
			}
			return
		case "min", "max":
			return
		}
	}
	if value != nil && (!l.mentionsEntry(value) || folds(to, value)) {
		return
	}
	for _, around := range inner { // if best == nil || k < best { best = k }
		if s, ok := around.(*ast.IfStmt); ok && mentions(s.Cond, func(e ast.Expr) bool { return text(e) == text(to) }) {
			return
		}
	}
	l.say(n.Pos(), "keeps in "+text(to)+" whichever entry comes last")
}

// folds reports whether value is to combined with something by an operator that
// does not mind the order: ok = ok && f(k).
func folds(to, value ast.Expr) bool {
	b, ok := ast.Unparen(value).(*ast.BinaryExpr)
	if !ok {
		return false
	}
	switch b.Op {
	case token.LAND, token.LOR, token.AND, token.OR, token.XOR:
		return text(b.X) == text(to) || text(b.Y) == text(to) || folds(to, b.X)
	}
	return false
}

// within reports whether a variable is made by the loop.
func (l *loop) within(v *types.Var) bool { return l.at.Pos() <= v.Pos() && v.Pos() < l.at.End() }

// mentionsEntry reports whether e depends on the entry that the loop is at.
func (l *loop) mentionsEntry(e ast.Expr) bool {
	return mentions(e, func(e ast.Expr) bool {
		v := l.object(e)
		return v != nil && !v.IsField() && l.within(v)
	})
}

func mentions(e ast.Expr, what func(ast.Expr) bool) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		if x, ok := n.(ast.Expr); ok && what(x) {
			found = true
		}
		return !found
	})
	return found
}

func isBlank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "_"
}

// sortedLater reports whether the function around sorts e behind pos.
func (c *check) sortedLater(e ast.Expr, pos token.Pos, stack []ast.Node) bool {
	var fn ast.Node
	for _, n := range stack {
		switch n.(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			fn = n
		}
	}
	if fn == nil {
		return false
	}
	found := false
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || call.Pos() < pos || len(call.Args) == 0 {
			return !found
		}
		f := c.callee(call)
		if f == nil || f.Pkg() == nil || f.Pkg().Path() != "slices" && f.Pkg().Path() != "sort" {
			return !found
		}
		if mentions(call.Args[0], func(x ast.Expr) bool { return text(x) == text(e) }) {
			found = true
		}
		return !found
	})
	return found
}
