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
//	lookup = a + s L(W)/burst + m entry + k bucket + c chain entry   ns
//	pair   = a + m L(W) + c chain L(W)                    ns, an entry added and deleted
//	birth  = a + v L(V) + s L(W) + own (b + m L(W) + c chain L(W))   ns, a new Net's entries
//	end    = a + v L(V) + s L(W) + own (b + m L(W) + c chain L(W))   ns, a Net with its entries
//	walk   = a + b own + c all L(W) + d buckets           ns, the same, walking
//	bytes  = h nets + e entries + 8 buckets
//
// L(W) is what one load takes that waits for the one before, in W bytes of memory:
// measured, between the measured sizes a line in log W. W is what lookups of all
// Nets go through, w one Net's part, V all Nets without their entries. An entry, or a line of buckets, takes L(W) if
// it is the first in a burst and L(w) after. chain is how many foreign entries a
// lookup passes in a table of fixed size: half the load. docs/advise.md has more.
//
// A subsystem's own constants come from its real homes in a small machine: bytes
// and time of a Net's end by its entries, entries of tables for each entry, and
// looks into its state for each packet. These are counted by making each look
// long: all entries of 48 other Nets in one chain before the packet's own, and
// the packet's delay divided by what such a chain takes.
//
//tagvet:outdoors it measures the computer that it runs on
package advise
