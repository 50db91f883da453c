// Package conformance judges the model: it runs labs, and says where two sides
// that ought to say the same do not.
//
//	golden   is the transcript the one on file? TestGolden -rewrite updates it
//	matrix   is it the same, to the byte, under every placement, hash, table
//	         size, batch, number of workers and schedule? TestMatrix, Variants
//	solo     does a Net see the same without the Nets it has no path to, its
//	         lab's copy in strange Nets above all? TestSolo
//	Linux    do Linux's own tools on namespaces of the real kernel say the
//	         same, and is the end state the same? TestLinux, Sandboxes
//
// Matrix and solo compare more than commands print: each notification and each
// frame on a device with its time, drops by reason, the tunables, and the random
// number, port and interface that each Net would hand out next.
//
// [Judges] returns them all, for the tests and for "nsmodel judge".
//
// A lab is a file in testdata, a transcript stands beside it. Its head may hold
// directives, which [Parse] lists. For the Linux judge each lab has a sandbox
// with an initial Net of its own; what the model has not (IPv6) is switched off
// there, and what a distribution may have changed (net.ipv4.conf) is set back.
// Afterwards every Net is asked for its links with their counters, addresses,
// routes, rules and neighbours.
//
// Transcripts are compared as [lab.Normalise] leaves them, JSON a line for each
// value, and lines whose order is that of a hash seeded at boot sorted. All else
// that differs is a failure, unless the lab states it line by line with the
// reason and the kernel's version. A failure is told as a diff: the lab's line
// number, the command, and the lines of either side; one of matrix and solo on
// the shortest part of the lab that shows it, which [Shrink] finds.
//
//tagvet:outdoors it runs machines and the real kernel side by side
package conformance
