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

// A Law is a property of every machine, or a part of one.
type Law struct {
	Number int
	// Part tells several properties of one number apart; "" is the law itself.
	Part string
	Says string
	// Check draws a case and fails t if the law does not hold in it. The
	// machines are drawn from vs, the first of which is what others are
	// compared with.
	Check func(t *rapid.T, vs []conformance.Variant)
}

// Name returns "law N", or "law N (PART)", by which judges and the mutants'
// table speak of it.
func (l Law) Name() string {
	if l.Part != "" {
		return fmt.Sprintf("law %d (%s)", l.Number, l.Part)
	}
	return fmt.Sprintf("law %d", l.Number)
}

// All returns the laws in the order of their numbers.
func All() []Law {
	return []Law{
		{1, "", "placement is invisible", placementIsInvisible},
		{1, "schedule", "so is who moves a packet, and when", scheduleIsInvisible},
		{1, "tables", "a table is to each Net a map of its own", tableIsOwnMap},
		{2, "", "an unlinked neighbour is invisible", neighbourIsInvisible},
		{2, "tunables", "what a Net writes is its own", tunableIsItsNets},
		{2, "strangers", "so is what it does to itself, to whoever is well fitted", strangersAreInvisible},
		{2, "linked", "a linked one is not", linkedIsSeen},
		{2, "ways", "by its own policy and seed a Net chooses among next hops", waysAreItsNets},
		{2, "rights", "all Nets have the same rights", equalRights},
		{2, "gates", "a closed gate keeps out all but the initial Net, an open one nobody", gateIsGate},
		{2, "moves", "to the Net that it leaves a device that moves is one that is deleted", moveLeavesNothing},
		{3, "", "nothing is lost", nothingIsLost},
		{4, "", "nothing outlives its namespace", nothingOutlives},
		{4, "deaths", "whatever is under way, and however it dies", everyDeath},
		{4, "births", "nor what was never born", birthFails},
		{4, "order", "in whatever order they leave who do not need each other", exitOrder},
		{5, "", "same seed, same bytes", sameSeedSameBytes},
		{5, "another seed", "shows in what is drawn alone", anotherSeed},
		{6, "", "only core re-tags a packet", onlyCoreTags},
	}
}
