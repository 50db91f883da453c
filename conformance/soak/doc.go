// Package soak throws hostile input at machines and says what did not hold.
//
// A [Siege] is a machine in virtual time at which any bytes are thrown as
// frames: what a fuzz target needs, with a view of those who are not concerned
// and of the whole to compare with another machine's. [Corpus] has frames of
// real traffic: what the labs' devices saw. [Run] is the other end of it: a
// machine that runs by the wall clock, for as long as asked, on which crews
// throw frames, make and destroy namespaces, pull NICs and change everything
// that can be changed, while bystanders talk and must not notice.
//
//tagvet:outdoors it runs a machine by the wall clock
package soak
