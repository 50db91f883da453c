// Package core is net/core: the packet, the device, the worker that moves
// packets, the neighbour table, the doors where a packet gets its namespace and
// the ledger that shows that none was lost.
//
// A packet's namespace is decided in two places, both here: [Worker.NewPacket]
// for what is born at a socket, and the arrival of a frame at a [Device]. The
// field is unexported, so no other package can write it. A packet ends in three
// ways: [Worker.Deliver], [Device.Xmit] to a driver, or [Worker.Drop] with a
// reason.
//
// Handlers have the shape func(w *Worker, p *Packet) and take p: whoever has a
// packet must end it, queue it or hand it on.
package core
