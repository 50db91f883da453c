// Package advise says for a workload which subsystems to tag and which to
// replicate, and what either would cost on this computer.
//
// [Measure] takes points of the model's own tables under both placements, and of
// every subsystem's real homes, and fits the laws below to them by least squares
// of the relative error, with no coefficient below zero. Every third point is held
// back: it takes no part in the fit, and the error that is shown is the error
// there. [Calibration.Advise] evaluates the laws for a [Workload].
//
// The laws, for one placement of one kind of home (a table, a cell with one value
// for each Net, rtnetlink's listeners):
//
//	lookup   = a + s L(W)/burst + m x + c chain x     ns
//	           x = f L(W) + (1-f) L(w)
//	pair     = a + m L(W) + c chain L(W)              ns, an entry added and deleted
//	end      = a + own (b + m L(W)) + walked (c all L(W) + d buckets)   ns
//	bytes    = h nets + e entries + k buckets
//
// L(W) is what one load takes that waits for the one before, in W bytes of memory:
// measured, between the measured sizes a line in log W. W is what all Nets' homes
// come to, w what a lookup's own Net has of it. f is the share of a burst's lookups
// that are the first at their entry: e (1 - (1 - 1/e)^burst) / burst of e entries.
// chain is how many foreign entries a lookup passes in a table of fixed size: half
// the load. So s counts the loads that wait when a burst turns to another Net, m
// those of an entry, c those of a step along the chain; a is the work without
// waiting.
//
// A subsystem's own constants come from its real homes in a small machine: bytes
// and time of a Net's end by its entries, entries of tables for each entry, and
// looks into its state for each packet. These are counted by making each look
// long: all entries of 48 other Nets in one chain before the packet's own, and
// the packet's delay divided by what such a chain takes.
//
//tagvet:outdoors it measures the computer that it runs on
package advise
