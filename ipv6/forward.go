package ipv6

import (
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netfilter"
)

// forward passes on a packet that is for somebody else. Linux: ip6_forward.
func (s *Inet) forward(w *core.Worker, p *core.Packet, ip wire.IPv6, in *device, r *inRoute) {
	switch {
	case !s.conf.Of(p.Net()).Forward(): // the device's own value is for neighbour discovery
		w.Drop(p, core.ForwardingOff)
		return
	case p.Type != core.ToHost:
		w.Drop(p, core.UnicastInLinkMulticast)
		return
	}
	if ip.HopLimit() <= 1 {
		s.SendICMP(w, p, wire.ICMP6TimeExceeded, wire.ICMP6HopLimit, 0)
		w.Drop(p, core.TTLExpired)
		return
	}
	src, hop := ip.Src16(), r.res.Hop
	if src == [16]byte{} || src[0] == 0xff || isLoopback(src) {
		w.Drop(p, core.MartianSource)
		return
	}
	out := s.devs.Of(hop.Dev)
	if out == nil || out.on(confDisable) {
		w.Drop(p, core.IPv6Disabled)
		return
	}
	if src[0] == 0xfe && src[1]&0xc0 == 0x80 && hop.Dev != in.dev { // its source means nothing there
		s.SendICMP(w, p, wire.ICMP6DestUnreach, wire.ICMP6BeyondScope, 0)
		w.Drop(p, core.MartianSource)
		return
	}
	gw := ip.Dst()
	if hop.Gw.IsValid() {
		gw = hop.Gw
	}
	if e := s.exceptionTo(p.Net(), &r.res, ip.Dst(), ip.Src()); e != nil && e.better {
		if gw = e.gw; !gw.IsValid() {
			gw = ip.Dst()
		}
	}
	if hop.Dev == in.dev {
		s.sendRedirect(w, p, ip, in, gw)
	}
	mtu := r.res.MTU()
	if mtu == 0 {
		mtu = out.mtu()
	}
	if p.Len() > mtu && !(p.GSOSize > 0 && segmentLen(p, ip) <= mtu) {
		// Routers do not cut (RFC 8200 section 4.5).
		s.SendICMP(w, p, wire.ICMP6PacketTooBig, 0, uint32(max(mtu, minMTU)))
		w.Drop(p, core.TooBig)
		return
	}
	ip.DecHopLimit()
	p.Opts[optFlags] |= flagForwarded
	if !s.Hooks.Run(w, p, netfilter.Forward, core.AFInet6, in.dev, hop.Dev) ||
		!s.Hooks.Run(w, p, netfilter.PostRouting, core.AFInet6, in.dev, hop.Dev) {
		return
	}
	s.toLink(w, p, hop.Dev, gw)
}

// segmentLen returns the length of the largest IP packet that p will be cut
// into by its device. Linux: skb_gso_network_seglen.
func segmentLen(p *core.Packet, ip wire.IPv6) int {
	proto, off, ok := ip.Transport()
	l4 := wire.UDPLen
	if ok && proto == wire.ProtoTCP && len(ip) > off+12 {
		l4 = int(ip[off+12]>>4) * 4
	}
	return off + l4 + int(p.GSOSize)
}
