package tagvet

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

func ambient() *analysis.Analyzer { return analyzer("ambient", ambientDoc, (*check).ambient) }

const ambientDoc = `find time, chance and scheduling taken from outside

Finds the clock (time.Now and what waits by it), chance (math/rand's shared source,
crypto/rand, maphash.MakeSeed), the process' surroundings (environment, process and
user ids, number of processors), go statements, select among several channels, and
addresses of memory made visible. With any of them the same seed does not give the
same bytes, and what one Net draws or waits for shifts what its neighbour sees.

Precedent: net_hash_mix and the IP ID generator, whose values were made of the
address of struct net: hosts could be tracked across namespaces and the kernel's
layout was given away (CVE-2019-10638, CVE-2019-10639).

Mend: take the time from Worker.Now, System.Now or the timer's argument; draw from
the Net's own stream, Net.Uint64; leave goroutines to who runs the machine.`

// outside are the functions and variables by which a program looks outside itself,
// by package. "*" is every function of the package that is not listed with "-".
var outside = map[string][]string{
	"time":         {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
	"context":      {"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause"},
	"math/rand":    {"*", "-New", "-NewSource", "-NewZipf"},
	"math/rand/v2": {"*", "-New", "-NewPCG", "-NewChaCha8", "-NewZipf"},
	"crypto/rand":  {"*", "Reader"},
	"hash/maphash": {"MakeSeed"},
	"os": {"Getpid", "Getppid", "Getuid", "Geteuid", "Getgid", "Getegid", "Getgroups", "Getenv", "LookupEnv", "Environ", "ExpandEnv",
		"Hostname", "Getwd", "UserHomeDir", "Executable", "Args"},
	"runtime": {"NumCPU", "NumGoroutine", "NumCgoCall", "GOMAXPROCS", "ReadMemStats", "Stack", "SetFinalizer", "AddCleanup"},
	"syscall": {"Getpid", "Getppid", "Gettid", "Getuid", "Getenv", "Environ", "Gettimeofday", "Time", "Sysinfo", "Uname"},
	"golang.org/x/sys/unix": {"Getpid", "Getppid", "Gettid", "Getuid", "Getenv", "Environ", "Gettimeofday", "Time", "Sysinfo", "Uname",
		"ClockGettime", "Getrandom"},
}

// forbidden reports whether outside lists o.
func forbidden(o types.Object) bool {
	if o == nil || o.Pkg() == nil || o.Parent() != o.Pkg().Scope() {
		return false
	}
	_, isFunc := o.(*types.Func)
	_, isVar := o.(*types.Var)
	all := false
	for _, name := range outside[o.Pkg().Path()] {
		switch {
		case name == "*":
			all = isFunc
		case name == "-"+o.Name():
			return false
		case name == o.Name() && (isFunc || isVar):
			return true
		}
	}
	return all
}

func (c *check) ambient() {
	c.walk(func(n ast.Node, stack []ast.Node) {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.report(n.Pos(), "go statement: when it runs is decided outside the machine")
		case *ast.SelectStmt:
			if channels(n) > 1 {
				c.report(n.Pos(), "select among %d channels: which one is ready first, or drawn, is decided outside the machine", channels(n))
			}
		case *ast.Ident:
			if o := c.TypesInfo.Uses[n]; forbidden(o) {
				c.report(n.Pos(), "%s.%s: %s", o.Pkg().Path(), o.Name(), instead(o.Pkg().Path()))
			}
		case *ast.CompositeLit:
			c.unseeded(c.TypesInfo.TypeOf(n), n.Pos())
		case *ast.ValueSpec:
			if n.Type != nil && len(n.Values) == 0 {
				c.unseeded(c.TypesInfo.TypeOf(n.Type), n.Pos())
			}
		case *ast.Field:
			if len(stack) > 2 {
				if _, ok := stack[len(stack)-3].(*ast.StructType); ok {
					c.unseeded(c.TypesInfo.TypeOf(n.Type), n.Pos())
				}
			}
		case *ast.CallExpr:
			c.addresses(n)
		}
	})
}

func channels(s *ast.SelectStmt) (k int) {
	for _, clause := range s.Body.List {
		if clause.(*ast.CommClause).Comm != nil {
			k++
		}
	}
	return k
}

// instead says where to take it from.
func instead(path string) string {
	switch path {
	case "time", "context":
		return "the time comes in as an argument (Worker.Now, System.Now, a timer's now)"
	case "math/rand", "math/rand/v2", "crypto/rand":
		return "draw from the Net's own stream (Net.Uint64)"
	case "hash/maphash":
		return "a secret of the process makes the order of a table differ from run to run"
	}
	return "the machine must not see the process that it runs in"
}

// unseeded finds a maphash.Hash, which draws its seed at first use.
func (c *check) unseeded(t types.Type, pos token.Pos) {
	if n, ok := types.Unalias(t).(*types.Named); ok && n.Obj().Name() == "Hash" && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "hash/maphash" {
		c.report(pos, "maphash.Hash draws a seed of its own: a sum differs from run to run")
	}
}

// addresses finds where in memory something lies made into a number or text.
func (c *check) addresses(call *ast.CallExpr) {
	if c.TypesInfo.Types[call.Fun].IsType() && len(call.Args) == 1 {
		to, ok := c.TypesInfo.TypeOf(call.Fun).Underlying().(*types.Basic)
		from, isBasic := c.TypesInfo.TypeOf(call.Args[0]).Underlying().(*types.Basic)
		if ok && isBasic && to.Kind() == types.Uintptr && from.Kind() == types.UnsafePointer {
			c.report(call.Pos(), "an address of memory as a number differs from run to run, and tells where the kernel lies")
		}
		return
	}
	f := c.callee(call)
	if f == nil || f.Pkg() == nil {
		return
	}
	switch f.Pkg().Path() {
	case "sync":
		if f.Name() == "Go" {
			c.report(call.Pos(), "sync.WaitGroup.Go: when it runs is decided outside the machine")
		}
	case "reflect":
		if f.Name() == "Pointer" || f.Name() == "UnsafePointer" || f.Name() == "UnsafeAddr" {
			c.report(call.Pos(), "an address of memory as a number differs from run to run, and tells where the kernel lies")
		}
	case "fmt":
		for _, a := range call.Args {
			if v := c.TypesInfo.Types[a].Value; v != nil && v.Kind() == constant.String && strings.Contains(strings.ReplaceAll(constant.StringVal(v), "%%", ""), "%p") {
				c.report(a.Pos(), "%%p shows an address of memory, which differs from run to run and tells where the kernel lies")
			}
		}
	}
}
