// Package law holds the laws of the house as properties: what must be true of
// any machine, whatever is done to it. Each draws a world of namespaces that
// share addresses, names and numbers, lets commands drawn at random loose on
// it, and looks. The laws know nothing of any particular bug: what they can find
// is shown by the mutants, and by the bugs nobody has planted.
//
//tagvet:outdoors it looks at whole machines from above, all their Nets at once
package law

import (
	"fmt"

	"pgregory.net/rapid"

	"nsmodel/conformance"
)

// A Law is a property of every machine.
type Law struct {
	Number int
	Says   string
	// Check draws a case and fails t if the law does not hold in it. The
	// machines are drawn from vs, the first of which is what others are
	// compared with.
	Check func(t *rapid.T, vs []conformance.Variant)
}

// Name returns "law N", by which judges and the mutants' table speak of it.
func (l Law) Name() string { return fmt.Sprintf("law %d", l.Number) }

// All returns the laws in the order of their numbers.
func All() []Law {
	return []Law{
		{1, "placement is invisible", placementIsInvisible},
		{2, "an unlinked neighbour is invisible", neighbourIsInvisible},
		{3, "nothing is lost", nothingIsLost},
		{4, "nothing outlives its namespace", nothingOutlives},
		{5, "same seed, same bytes", sameSeedSameBytes},
	}
}
