// Package scene has the scenarios that the explorer tries: each builds a machine, and
// two or three tasks that meet on it.
//
// It is ordinary code on the model's public API, and is of use only where the model
// is compiled with steps in place of atomics (package explore).
//
//tagvet:outdoors it looks at whole machines from above, all their Nets at once
package scene

import (
	"slices"

	"nsmodel/conformance/explore/search"
	"nsmodel/conformance/explore/step"
)

// A Scene is one scenario.
type Scene struct {
	Name  string
	Tells string // who meets whom, in a sentence
	Bound int    // interruptions that are tried unless somebody says otherwise
	Make  search.Program
}

// Scenes are all scenarios.
func Scenes() []Scene {
	return slices.Concat(lifeScenes(), tableScenes(), timerScenes(), packetScenes(), deviceScenes(), socketScenes())
}

// must returns v where no error may be.
func must[T any](v T, err error) T {
	ok(err)
	return v
}

// ok fails the scene if err is not nil.
func ok(err error) {
	if err != nil {
		step.Fail("%v", err)
	}
}

// want fails the scene if what must hold does not.
func want(holds bool, format string, args ...any) {
	if !holds {
		step.Fail(format, args...)
	}
}
