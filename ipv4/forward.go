package ipv4

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netfilter"
)

// forward passes on a packet that is for somebody else (RFC 1812 section 5.2.1).
// Linux: ip_forward.
func (s *Inet) forward(w *core.Worker, p *core.Packet, ip wire.IPv4, in *device, r *inRoute) {
	if p.Type != core.ToHost { // RFC 1812 section 5.3.4
		w.Drop(p, core.UnicastInLinkMulticast)
		return
	}
	if ip.TTL() <= 1 {
		s.SendICMP(w, p, wire.ICMPTimeExceeded, wire.ICMPTTLExceeded, 0)
		w.Drop(p, core.TTLExpired)
		return
	}
	hop := r.res.Hop
	gw := ip.Dst()
	e := s.exceptionTo(p.Net(), &r.res, ip.Dst4())
	if e != nil && e.gw.IsValid() || hop.Scope == fib.Link && hop.Gw.IsValid() {
		if gw = hop.Gw; e != nil && e.gw.IsValid() {
			gw = e.gw
		}
		if strictRoute(p, ip) {
			s.SendICMP(w, p, wire.ICMPDestUnreach, wire.ICMPSRFailed, 0)
			w.Drop(p, core.NoRoute)
			return
		}
	}
	if p.Opts[optFlags]&flagSourceHit != 0 && !hop.Gw.IsValid() {
		gw = sourceNextHop(p, ip)
	}
	mtu := s.forwardMTU(p, r, e)
	if p.Len() > mtu && exceeds(p, ip, mtu) {
		s.SendICMP(w, p, wire.ICMPDestUnreach, wire.ICMPFragNeeded, uint32(mtu))
		w.Drop(p, core.TooBig)
		return
	}
	ip.DecTTL()
	if r.redirect && p.Opts[optSRRRR]&0xff == 0 {
		s.sendRedirect(w, p, ip, gw)
	}
	p.Opts[optFlags] |= flagForwarded
	p.Priority = priorityOfTOS(ip.TOS())
	out := hop.Dev
	if !s.Hooks.Run(w, p, netfilter.Forward, core.AFInet, in.dev, out) {
		return
	}
	if ip.HasOptions() {
		s.forwardOptions(p, r)
	}
	if !s.Hooks.Run(w, p, netfilter.PostRouting, core.AFInet, in.dev, out) {
		return
	}
	if r.typ == fib.Broadcast { // on its last link; about it errors were sent until here
		p.Opts[optFlags] |= flagBroadcast
	}
	s.emit(w, p, out, gw, mtu)
}

// priorityOfTOS returns the queueing priority that the old TOS bits ask for.
// Linux: rt_tos2priority.
func priorityOfTOS(tos uint8) uint32 {
	return [4]uint32{0, 2, 6, 4}[tos>>3&3] // best effort, bulk, interactive, interactive bulk
}

// forwardMTU returns the largest datagram that may pass by a route: the route's
// own MTU, or the device's; what ICMP told only if ip_forward_use_pmtu is set,
// for strangers may have told it. Linux: ip_dst_mtu_maybe_forward.
func (s *Inet) forwardMTU(p *core.Packet, r *inRoute, e *exception) int {
	if e != nil && e.mtu != 0 && (e.locked || lockedMTU(&r.res) || s.conf.Of(p.Net()).ForwardUsePMTU.Load() != 0) {
		return e.mtu
	}
	mtu := r.res.MTU()
	if mtu == 0 {
		mtu = r.res.Hop.Dev.MTU()
	}
	return min(mtu, wire.IPv4MaxLen)
}

// exceeds reports whether a packet larger than mtu must not be cut to fit it.
// One that stands for several segments passes if each of them fits.
// Linux: ip_exceeds_mtu.
func exceeds(p *core.Packet, ip wire.IPv4, mtu int) bool {
	return ip.DF() && !(p.GSOSize > 0 && segmentLen(p, ip) <= mtu)
}

// segmentLen returns the length of the largest IP packet that p will be cut
// into by its device. Linux: skb_gso_network_seglen.
func segmentLen(p *core.Packet, ip wire.IPv4) int {
	hdr := ip.HeaderLen()
	l4 := wire.UDPLen
	if b := ip.Payload(); ip.Proto() == wire.ProtoTCP && len(b) > 12 {
		l4 = int(b[12]>>4) * 4
	}
	return hdr + l4 + int(p.GSOSize)
}

// sendRedirect tells the sender of a packet, which goes back to the link it
// came from, of the better first hop: at most nine times in a row, ever more
// seldom, to one that does not listen (RFC 1812 section 5.2.7.2).
// Linux: ip_rt_send_redirect.
func (s *Inet) sendRedirect(w *core.Worker, p *core.Packet, ip wire.IPv4, gw netip.Addr) {
	rates := &s.path.nets.Own(p.Net()).rates
	if !rates.allowRedirect(ip.Src4(), w.Now()) {
		return
	}
	b := gw.As4()
	info := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	s.SendICMP(w, p, wire.ICMPRedirect, wire.ICMPRedirectHost, info)
}
