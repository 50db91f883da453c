// Package report writes what nsmodel compare has measured: one directory with
// report.md, a report.html that needs nothing else, the plots, and the machine.
// It reads a [compare.Store] and measures nothing, so that a report can be
// written again after its text has changed.
//
//tagvet:outdoors it writes files of the computer that it runs on
package report
