package ipv6

import (
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// PingSockets are who may have sent an echo request beside the clients of
// [Inet.OpenPing]. Linux: ping_rcv and ping_err.
type PingSockets struct {
	// Reply shows an echo reply, does not take it, and reports whether a socket
	// of p's Net is for it.
	Reply func(w *core.Worker, p *core.Packet, ip wire.IPv6, m wire.ICMPv6) bool
	// Error tells of an ICMP error about a request with an identifier.
	Error func(w *core.Worker, p *core.Packet, id uint16, e ICMPError)
}

// pingSeam is where ping sockets stand beside ICMP.
type pingSeam struct {
	sock PingSockets // fixed
	gate *netns.Gate
}

// HandlePing lets ping sockets see echo replies, before the machine boots; ENOENT
// without a row "ipv6 ping" in the table of gates.
func (s *Inet) HandlePing(k PingSockets) error {
	g, err := s.Core.Gate(core.LayerTransport, "ipv6 ping")
	if err == nil {
		s.pingers = pingSeam{k, g}
	}
	return err
}

// PingAllowed reports whether n may have ping sockets: whether the gate is open.
func (s *Inet) PingAllowed(n *netns.Net) bool {
	return s.pingers.gate != nil && s.pingers.gate.Admit(n)
}

// toPingSocket shows an echo reply to ping sockets.
func (s *Inet) toPingSocket(w *core.Worker, p *core.Packet, ip wire.IPv6, m wire.ICMPv6) bool {
	return s.PingAllowed(p.Net()) && s.pingers.sock.Reply(w, p, ip, m)
}

func (s *Inet) tellPingSocket(w *core.Worker, p *core.Packet, id uint16, e ICMPError) {
	if s.PingAllowed(p.Net()) {
		s.pingers.sock.Error(w, p, id, e)
	}
}
