package ipv6

import (
	"sync/atomic"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// RawSockets are who sees datagrams beside the transports. Linux: the calls of
// raw6_local_deliver and raw6_icmp_error.
type RawSockets struct {
	// Deliver shows a datagram of p's Net, of which p's data is what stands behind
	// the headers; it does not take p, and reports whether a socket is for it.
	Deliver func(w *core.Worker, p *core.Packet, ip wire.IPv6, proto uint8) bool
	// Error tells of an ICMP error about a packet of that protocol.
	Error func(w *core.Worker, p *core.Packet, quoted wire.IPv6, proto uint8, e ICMPError)
}

// rawSeam is where raw sockets stand beside the packet's way; see package ipv4's.
type rawSeam struct {
	count [256]atomic.Int32 // by protocol
	sock  RawSockets        // fixed
	gate  *netns.Gate
}

// HandleRaw lets raw sockets see datagrams, before the machine boots; ENOENT
// without a row "ipv6 raw" in the table of gates.
func (s *Inet) HandleRaw(k RawSockets) error {
	g, err := s.Core.Gate(core.LayerTransport, "ipv6 raw")
	if err == nil {
		s.raw.sock, s.raw.gate = k, g
	}
	return err
}

// RawAllowed reports whether n may have raw sockets: whether the gate is open.
func (s *Inet) RawAllowed(n *netns.Net) bool { return s.raw.gate != nil && s.raw.gate.Admit(n) }

// CountRaw notes that a protocol has more sockets by k, in whatever Net.
func (s *Inet) CountRaw(proto uint8, k int32) { s.raw.count[proto].Add(k) }

// toRaw shows p to raw sockets, and reports whether one is for it.
// Linux: raw6_local_deliver.
func (s *Inet) toRaw(w *core.Worker, p *core.Packet, ip wire.IPv6, proto uint8) bool {
	return s.raw.gate.Admit(p.Net()) && s.raw.sock.Deliver(w, p, ip, proto)
}

// rawError tells raw sockets of an ICMP error. Linux: raw6_icmp_error.
func (s *Inet) rawError(w *core.Worker, p *core.Packet, quoted wire.IPv6, proto uint8, e ICMPError) {
	if s.raw.gate.Admit(p.Net()) {
		s.raw.sock.Error(w, p, quoted, proto, e)
	}
}

// SendWhole sends p, whose data begins with an IP header that somebody else wrote,
// by rt, as it is. It takes p, even with an error, all bare: EMSGSIZE for what is
// larger than the path, EINVAL for what cannot hold the header, EPERM from a hook.
// Of o only the marks and MulticastLoop count. Linux: rawv6_send_hdrinc.
func (s *Inet) SendWhole(w *core.Worker, p *core.Packet, rt *Route, o *SendOptions) error {
	switch {
	case p.Len() > rt.MTU:
		w.Drop(p, core.TooBig)
		return syscall.EMSGSIZE
	case p.Len() < wire.IPv6Len:
		w.Drop(p, core.BadIPHeader)
		return syscall.EINVAL
	}
	p.SetL3(0)
	p.SetL4(wire.IPv6Len)
	p.Protocol, p.Dev, p.Mark, p.Priority = wire.EtherTypeIPv6, rt.Dev, o.Mark, o.Priority
	p.Opts = [4]uint16{optFlags: rt.flags()}
	if !s.Hooks.Run(w, p, netfilter.LocalOut, core.AFInet6, nil, rt.Dev) {
		return syscall.EPERM
	}
	return s.output(w, p, rt, o)
}
