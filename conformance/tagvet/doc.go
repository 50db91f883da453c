// Package tagvet finds in a subsystem's source what breaks isolation between
// namespaces: state that all Nets share by accident, a shared table reached
// without a Net, names and numbers of one Net taken for identity, time, chance
// and order from outside. Each kind of finding is a go/analysis pass of its own,
// with the real bug that is its precedent.
//
// It knows nsmodel's types by the end of their package's path, so it works on a
// stranger's subsystem as on ours. docs/linter.md has a page on its use.
//
//tagvet:outdoors it reads sources and runs the go command; no packet passes here
package tagvet

import (
	"slices"

	"golang.org/x/tools/go/analysis"
)

// kinds are the checks proper, in the order of the help. Their names are what an
// allowance says.
func kinds() []*analysis.Analyzer {
	return []*analysis.Analyzer{pkgstate(), netless(), bareindex(), barename(), ambient(), maporder()}
}

// Analyzers returns every check, each made afresh; the last one judges the
// allowances that the others have used.
func Analyzers() []*analysis.Analyzer {
	all := kinds()
	return append(slices.Clone(all), allow(all))
}
