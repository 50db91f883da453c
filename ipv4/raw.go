package ipv4

import (
	"net/netip"
	"sync/atomic"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// RawSockets are who sees datagrams beside the transports. Linux: the calls of
// raw_local_deliver and raw_icmp_error.
type RawSockets struct {
	// Deliver shows a datagram of p's Net, IP header and all; it does not take p,
	// and reports whether a socket is for it.
	Deliver func(w *core.Worker, p *core.Packet, ip wire.IPv4) bool
	// Error tells of an ICMP error as [Protocol.Error] does.
	Error func(w *core.Worker, p *core.Packet, quoted wire.IPv4, e ICMPError)
}

// rawSeam is where raw sockets stand beside the packet's way. The counts are of
// all Nets: they say no more than that nobody need be asked, so a machine without
// such sockets pays for one load. Who is asked looks for sockets of the packet's
// Net.
type rawSeam struct {
	count [256]atomic.Int32 // by protocol
	sock  RawSockets        // fixed
	gate  *netns.Gate
}

// HandleRaw lets raw sockets see datagrams, before the machine boots; ENOENT
// without a row "raw" in the table of gates.
func (s *Inet) HandleRaw(k RawSockets) error {
	g, err := s.Core.Gate(core.LayerTransport, "raw")
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
// Linux: raw_local_deliver.
func (s *Inet) toRaw(w *core.Worker, p *core.Packet, ip wire.IPv4) bool {
	return s.raw.gate.Admit(p.Net()) && s.raw.sock.Deliver(w, p, ip)
}

// rawError tells raw sockets of an ICMP error. Linux: raw_icmp_error.
func (s *Inet) rawError(w *core.Worker, p *core.Packet, quoted wire.IPv4, e ICMPError) {
	if s.raw.gate.Admit(p.Net()) {
		s.raw.sock.Error(w, p, quoted, e)
	}
}

// ArrivedBy returns the index of the device that a socket takes p to have come
// in by: of what a Net has sent to itself that of the local route it went by.
// Linux: inet_iif.
func (s *Inet) ArrivedBy(p *core.Packet, ip wire.IPv4) int { return s.arrivedBy(p, ip) }

// SendWhole sends p, whose data begins with an IP header that somebody else wrote,
// by rt: its length and checksum are put right, and an identification or a source
// of 0. It takes p, even with an error, all bare: EMSGSIZE for what is larger than
// the path, EINVAL for what cannot hold its header, EPERM from a hook. Of o only
// the marks and MulticastLoop count. Linux: raw_send_hdrinc.
func (s *Inet) SendWhole(w *core.Worker, p *core.Packet, rt *Route, o *SendOptions) error {
	b := p.Bytes()
	switch {
	case len(b) > rt.MTU:
		w.Drop(p, core.TooBig)
		return syscall.EMSGSIZE
	case len(b) < wire.IPv4Len || int(b[0]&15)*4 > len(b) || b[0]&15 < 5:
		w.Drop(p, core.BadIPHeader)
		return syscall.EINVAL
	}
	s.completeHeader(p.Net(), wire.IPv4(b), rt.Src)
	p.SetL3(0)
	p.SetL4(int(b[0]&15) * 4)
	p.Protocol, p.Dev, p.Mark, p.Priority = wire.EtherTypeIPv4, rt.Dev, o.Mark, o.Priority
	p.Opts = [4]uint16{optFlags: rt.flags()}
	if !s.Hooks.Run(w, p, netfilter.LocalOut, core.AFInet, nil, rt.Dev) {
		return syscall.EPERM
	}
	return s.output(w, p, rt, o)
}

func (s *Inet) completeHeader(n *netns.Net, ip wire.IPv4, src netip.Addr) {
	const id, source = 4, 12
	if ip.Src4() == [4]byte{} {
		a := src.As4()
		copy(ip[source:], a[:])
	}
	ip[2], ip[3] = byte(len(ip)>>8), byte(len(ip))
	if ip[id] == 0 && ip[id+1] == 0 {
		k := s.path.nets.Own(n).ids.next(n, ip.Dst4(), ip.Proto())
		ip[id], ip[id+1] = byte(k>>8), byte(k)
	}
	ip.FillChecksum()
}
