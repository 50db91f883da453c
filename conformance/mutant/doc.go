// Package mutant plants defects into the source and sees who finds them. A law
// that has never been seen to fail is no law; a defect that nobody finds shows
// which law is missing.
//
// A mutant is an edit of the source, given to the compiler by go build -overlay:
// the shipped code has no switch for it and pays nothing. Each stands for a real
// bug of Linux, or for one of that kind. The catalogue does not say who is to
// find it. Package trial, built once for each mutant, asks the detectors; the
// table says who spoke first under either placement.
//
//tagvet:outdoors it reads sources, builds programs and measures how long they take
package mutant
