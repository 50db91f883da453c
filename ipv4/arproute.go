package ipv4

import (
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

// routeARP decides what would become of an IP packet from the asker to the
// target, had it arrived as the question did: ours, or for whom behind out. A
// source that cannot be, or that the reverse path filter keeps out, gets no
// answer. Linux: ip_route_input_noref in arp_process.
func (s *Inet) routeARP(p *core.Packet, dev *device, a wire.ARP) (typ fib.Type, out *core.Device, ok bool) {
	var hdr [20]byte
	sip, tip := a.SenderIP4(), a.TargetIP4()
	hdr[0] = 0x45
	copy(hdr[12:16], sip[:])
	copy(hdr[16:20], tip[:])
	var r inRoute
	if s.routeInput(p, wire.IPv4(hdr[:]), tip, dev, &r) != 0 || r.err != 0 {
		return 0, nil, false
	}
	if r.res.Hop != nil {
		out = r.res.Hop.Dev
	}
	return r.typ, out, true
}
