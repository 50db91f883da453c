// Package compare runs the experiments that weigh tagging against duplication:
// one shared table whose entries carry their namespace, against a table for each
// namespace. Each [Experiment] is a small file with its question, where the
// question comes from, the workload, what is measured, what the running kernel
// can do of the same, and what was expected before anything was measured.
//
// Whatever is to be compared is measured in turns within one run: A, B, A, B.
// A ratio is the median of the rounds' ratios, with an interval; where that
// interval holds 1 the answer is "no difference seen", however far apart two
// medians may lie. Raw samples go to a file as they are taken, so that a run that
// was interrupted goes on where it stopped, and anybody can draw other plots. A
// [Store] knows of each experiment the scale, the commit and the computer that
// its samples come from, and refuses to mix them.
//
// Times are CPU time of the thread that did the work unless a figure says
// otherwise: on a busy computer a wall clock measures the neighbours.
//
//tagvet:outdoors it measures the computer that it runs on
package compare
