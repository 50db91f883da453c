package ipv4

import (
	"fmt"
	"net/netip"
	"strconv"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// protocol is a transport with the gate before it.
type protocol struct {
	Protocol
	gate *netns.Gate
}

// Handle gives the datagrams of a protocol number to a transport, before the
// machine boots: ENOENT without a row in the table of gates, EEXIST if the
// number is taken. Linux: inet_add_protocol.
func (s *Inet) Handle(t Protocol) error {
	g, err := s.Core.Gate(core.LayerTransport, strconv.Itoa(int(t.Number)))
	if err != nil {
		return err
	}
	if s.protos[t.Number] != nil {
		return fmt.Errorf("ipv4: protocol %d: %w", t.Number, syscall.EEXIST)
	}
	s.protos[t.Number] = &protocol{t, g}
	return nil
}

// Receive takes a packet that arrived at a device, its data at the IP header.
// Linux: ip_rcv.
func (s *Inet) Receive(w *core.Worker, p *core.Packet) {
	if p.Type == core.ToOther {
		w.Drop(p, core.OtherHost)
		return
	}
	ip, why := checkHeader(p.Bytes())
	if why != 0 {
		w.Drop(p, why)
		return
	}
	p.Trim(len(ip)) // Ethernet pads short frames
	// What was forwarded to lo comes back, and is forwarded once more: in Linux it
	// still carries its input route (skb_valid_dst).
	again := p.Opts[optFlags] & flagForwarded
	p.Opts = [4]uint16{}
	if again != 0 && p.Dev.Flags()&core.FlagLoopback != 0 {
		p.Opts[optFlags] = flagAgain
	}
	if !s.Hooks.Run(w, p, netfilter.PreRouting, core.AFInet, p.Dev, nil) {
		return
	}
	s.receiveFinish(w, p)
}

// checkHeader returns the datagram without what follows it, or the reason to
// drop it (RFC 1122 section 3.2.1.2, RFC 1812 section 5.2.2).
// Linux: ip_rcv_core.
func checkHeader(b []byte) (wire.IPv4, core.Reason) {
	if len(b) < wire.IPv4Len {
		return nil, core.HeaderTooShort
	}
	hdr := int(b[0]&15) * 4
	switch {
	case b[0]>>4 != 4 || hdr < wire.IPv4Len:
		return nil, core.BadIPHeader
	case hdr > len(b):
		return nil, core.HeaderTooShort
	}
	ip := wire.IPv4(b)
	if !ip.ChecksumOK() {
		return nil, core.BadIPChecksum
	}
	switch total := ip.TotalLen(); {
	case total > len(b):
		return nil, core.HeaderTooShort
	case total < hdr:
		return nil, core.BadIPHeader
	default:
		return ip[:total], 0
	}
}

// receiveFinish routes a packet that the hooks let pass, and hands it on.
// Linux: ip_rcv_finish.
func (s *Inet) receiveFinish(w *core.Worker, p *core.Packet) {
	ip, ok := wire.ParseIPv4(p.Bytes()) // a hook may have changed it
	in := s.devs.Of(p.Dev)
	if !ok || in == nil {
		w.Drop(p, core.BadIPHeader)
		return
	}
	var r inRoute
	if why := s.routeInput(p, ip, ip.Dst4(), in, &r); why != 0 {
		w.Drop(p, why)
		return
	}
	p.Opts[optFlags] |= r.flags
	if ip.HasOptions() && !s.receiveOptions(w, p, ip, in, &r) {
		return
	}
	if p.Type != core.ToHost && r.typ != fib.Broadcast && r.typ != fib.Multicast && in.DropUnicastInL2Multicast() &&
		(p.Type == core.ToBroadcast || p.Type == core.ToMulticast) {
		w.Drop(p, core.UnicastInLinkMulticast) // RFC 1122 section 3.3.6
		return
	}
	switch {
	case r.err != 0:
		s.inputError(w, p, ip, in, r.err)
	case r.forward:
		s.forward(w, p, ip, in, &r)
	case r.mroute:
		s.mrInput(w, p, ip, r.flags&flagLocal != 0)
	default:
		s.deliver(w, p, ip)
	}
}

// inputError ends a packet that no route leads on, and tells its sender why.
// Linux: ip_error.
func (s *Inet) inputError(w *core.Worker, p *core.Packet, ip wire.IPv4, in *device, err syscall.Errno) {
	if !in.Forwarding() {
		w.Drop(p, core.ForwardingOff)
		return
	}
	why, code := core.NoRoute, uint8(0)
	switch err {
	case syscall.EHOSTUNREACH:
		code = wire.ICMPHostUnreach
	case syscall.ENETUNREACH:
		code = wire.ICMPNetUnreach
	case syscall.EACCES:
		code = wire.ICMPAdminProhib
	default:
		w.Drop(p, core.Blackhole)
		return
	}
	if s.path.nets.Own(p.Net()).rates.allowError(ip.Src4(), w.Now()) {
		s.SendICMP(w, p, wire.ICMPDestUnreach, code, 0)
	}
	w.Drop(p, why)
}

// deliver takes a packet that is for this Net. Linux: ip_local_deliver.
func (s *Inet) deliver(w *core.Worker, p *core.Packet, ip wire.IPv4) {
	if ip.IsFragment() {
		if p = s.reassemble(w, p, ip); p == nil {
			return
		}
	}
	if !s.Hooks.Run(w, p, netfilter.LocalIn, core.AFInet, p.Dev, nil) {
		return
	}
	ip, ok := wire.ParseIPv4(p.Bytes())
	if !ok {
		w.Drop(p, core.BadIPHeader)
		return
	}
	p.Pull(ip.HeaderLen())
	p.SetL4(0)
	raw := s.raw.count[ip.Proto()].Load() != 0 && s.toRaw(w, p, ip)
	t := s.protos[ip.Proto()]
	switch {
	case t == nil && raw:
		w.Deliver(p)
	case t == nil:
		s.SendICMP(w, p, wire.ICMPDestUnreach, wire.ICMPProtoUnreach, 0)
		w.Drop(p, core.NoProtocol)
	case !t.gate.Admit(p.Net()):
		w.Drop(p, core.GateClosed)
	default:
		t.Receive(w, p, ip)
	}
}

// Broadcast reports whether a packet that a transport was given came to a
// broadcast or multicast address. Linux: rt_flags & (RTCF_BROADCAST |
// RTCF_MULTICAST).
func Broadcast(p *core.Packet) bool { return p.Opts[optFlags]&(flagBroadcast|flagMulticast) != 0 }

// ReplySource returns the address from which to answer a packet that a
// transport was given: the one it was sent to or, if that was a broadcast, our
// own towards its source. Linux: fib_compute_spec_dst.
func (s *Inet) ReplySource(p *core.Packet, ip wire.IPv4) netip.Addr {
	if p.Opts[optFlags]&(flagLocal|flagBroadcast|flagMulticast) == flagLocal {
		return ip.Dst()
	}
	n, scope := p.Net(), fib.Global
	if ip.Src4()[0] == 0 {
		scope = fib.Link
	} else if res, err := s.FIB.Lookup(n, &fib.Flow{Dst: ip.Src(), Iif: loopbackIndex, TOS: ip.TOS()}); err == nil {
		return s.preferredSource(n, res)
	}
	return s.SelectSource(n, p.Dev, ip.Src(), scope)
}
