// Package lockstep lets chance write labs and has each run on the model and on
// the real kernel, in lockstep: after every command what it said, the states
// of the namespaces that may have changed, and the packets seen on every wire
// must be the same. A disagreement is shrunk to a small lab that can be filed
// as a test.
//
// [Draw] makes the lab of a seed, [Compare] finds where two runs part,
// [Run] does this over and over, in several sandboxes at once.
//
//tagvet:outdoors it runs machines and the real kernel side by side
package lockstep
