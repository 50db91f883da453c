package ipv4

import (
	"nsmodel/core"
	"nsmodel/netns"
)

// A placeholder for the files of the packet's way, which replace this one.

// pathState is what the packet's way keeps.
type pathState struct{}

// protocol is a transport with the gate before it.
type protocol struct {
	Protocol
	gate *netns.Gate
}

// initPath registers what the packet's way needs; called by New before it
// registers [Inet.Receive]. The placements in c are not Default any more.
func (s *Inet) initPath(c Config) error { return nil }

// Receive takes an IPv4 packet. Linux: ip_rcv.
func (s *Inet) Receive(w *core.Worker, p *core.Packet) { w.Drop(p, core.NoProtocol) }
