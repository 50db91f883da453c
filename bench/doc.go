// Package bench measures the machine: what a namespace costs while it is idle,
// how fast namespaces come and go, what a lookup and a packet cost, alone and
// among 100,000 other namespaces, and how the model's forwarding between two
// real NICs compares with the leanest loop over the same raw sockets.
//
// Each figure is one [Case]. The Go benchmarks of this package and `nsmodel
// bench` run the same code; [Run] runs cases that are to be compared with each
// other in turns, several rounds of it, and reports medians, so that whatever
// else the computer is doing falls on all of them alike.
//
// Times are CPU time of the thread that did the work, unless a figure says
// otherwise: on a busy computer a wall clock measures the neighbours.
//
//tagvet:outdoors it measures the computer that it runs on
package bench
