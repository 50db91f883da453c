package ipv6

import (
	"net/netip"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

// Layout of a redirect (RFC 4861 section 4.5): target and destination behind the
// header, then options.
const (
	redirectLen   = wire.ICMPLen + 32
	redirectEvery = time.Second // of a host, and about a destination. Linux: inet_peer_xrlim_allow with HZ
)

// redirectReceive takes a router's word that a destination has a better first
// hop, or is on the link; false if it makes no sense (RFC 4861 section 8.1). It
// is the transports that are told first: the packet that is quoted must be one
// that they may have sent. Linux: ndisc_redirect_rcv.
func (s *Inet) redirectReceive(w *core.Worker, p *core.Packet, dev *device, ip wire.IPv6, m wire.ICMPv6) bool {
	if !ip.Src().IsLinkLocalUnicast() || len(m) < redirectLen {
		return false
	}
	o, ok := wire.ParseNDOptions(m[redirectLen:])
	if !ok {
		return false
	}
	e := ICMPError{Type: wire.ICMP6Redirect, From: ip.Src16()}
	for it := wire.EachND(o.Raw); it.Next(); {
		if it.Kind() != wire.NDRedirected {
			continue
		}
		quoted := wire.IPv6(it.Bytes()[8:])
		if len(quoted) < wire.IPv6Len {
			return false
		}
		if proto, off, ok := quoted.Transport(); ok && len(quoted) >= off+8 {
			if t := s.protos[proto]; t != nil && t.Error != nil && t.gate.Admit(p.Net()) {
				t.Error(w, p, quoted, quoted[off:], e)
			}
		}
		return true
	}
	// Without the packet there is nobody to ask. Linux: ip6_redirect_no_header.
	fl := fib.Flow{Dst: netip.AddrFrom16([16]byte(m[wire.ICMPLen+16:])), Src: ip.Dst(), Oif: int32(dev.dev.Index())}
	s.Redirect(w, p, &fl)
	return true
}

// Redirect takes the redirect p for a flow, by which its device is named: only
// of the flow's present first hop, for a host that accepts redirects, and to a
// target that is link-local or the destination itself. Linux: ip6_redirect,
// rt6_do_redirect.
func (s *Inet) Redirect(w *core.Worker, p *core.Packet, fl *fib.Flow) {
	n, m, from := p.Net(), wire.ICMPv6(p.Bytes()), wire.IPv6(p.L3()).Src()
	dev := s.devs.Of(p.Dev)
	if dev == nil || len(m) < redirectLen || dev.on(confForwarding) || !dev.on(confAcceptRedirects) {
		return
	}
	target, dst := netip.AddrFrom16([16]byte(m[wire.ICMPLen:])), netip.AddrFrom16([16]byte(m[wire.ICMPLen+16:]))
	if dst.IsMulticast() || target != dst && !target.IsLinkLocalUnicast() {
		return
	}
	rt, err := s.Route(n, fl)
	// Whose device is not named is never believed: the kernel compares the two.
	if err != nil || rt.Local || rt.Gateway != from || rt.Gateway == rt.Dst || int(fl.Oif) != rt.Dev.Index() {
		return
	}
	o, ok := wire.ParseNDOptions(m[redirectLen:])
	if !ok {
		return
	}
	nb, err := s.Core.NewNeighbour(p.Dev, target, w.Now())
	if err != nil {
		return
	}
	_ = nb.Update(w, core.NeighUpdate{State: core.NudStale, MAC: o.TargetLL, Override: true, Weak: true, Router: target != dst, KeepRouter: target == dst})
	e := exception{better: true, quiet: true, expires: w.Now() + time.Duration(s.conf.Of(n).GCTimeout.Load())*time.Second}
	if target != dst {
		e.gw = target
	}
	s.addException(n, &rt.Result, rt.Hop, dst.As16(), rt.From().Addr(), e)
}

// sendRedirect tells the sender of a packet, which goes back to the link it came
// from, of the better first hop gw, or that its destination is on the link: at
// most once a second about a destination, and to a sender (RFC 4861 section 8.2).
// Linux: the part of ip6_forward, and ndisc_send_redirect.
func (s *Inet) sendRedirect(w *core.Worker, p *core.Packet, ip wire.IPv6, dev *device, gw netip.Addr) {
	n := p.Net()
	rates := &s.path.nets.Own(n).rates
	if !rates.allowPeer(ip.Dst16(), redirectEvery, w.Now()) {
		return
	}
	src := dev.linkLocal()
	if !src.IsValid() || gw != ip.Dst() && !gw.IsLinkLocalUnicast() {
		return
	}
	rt, err := s.Route(n, &fib.Flow{Dst: ip.Src(), Src: src, Oif: int32(dev.dev.Index()), Proto: wire.ProtoICMPv6})
	if err != nil || rt.Local || rt.Gateway != rt.Dst || !rates.allowPeer(ip.Src16(), redirectEvery, w.Now()) {
		return // not to a host behind a router, nor to ourselves, who would not listen
	}
	var ll wire.MAC
	if nb := s.Core.Neighbour(dev.dev, gw); nb != nil && nb.Valid() {
		ll = nb.Info().MAC
	}
	size := redirectLen
	if !ll.IsZero() {
		size += 8
	}
	quoted := min(minMTU-wire.IPv6Len-size, len(ip)+8) &^ 7
	q := s.newND(w, dev, size+quoted, src.As16(), ip.Src16())
	b := q.Bytes()[wire.IPv6Len:]
	clear(b)
	target, dst := gw.As16(), ip.Dst16()
	copy(b[wire.ICMPLen:], target[:])
	copy(b[wire.ICMPLen+16:], dst[:])
	if !ll.IsZero() {
		b[redirectLen], b[redirectLen+1] = wire.NDTargetLL, 1
		copy(b[redirectLen+2:], ll[:])
	}
	b[size], b[size+1] = wire.NDRedirected, byte(quoted/8)
	copy(b[size+8:], ip)
	wire.PutICMPv6(b, wire.ICMP6Redirect, 0, 0, src.As16(), ip.Src16())
	// That the packet came by dev is a wish to the route, no more: what is sent by
	// another link is lost, as nobody there asked. Linux: ip6_route_output there
	// without RT6_LOOKUP_F_IFACE.
	if out := s.devs.Of(rt.Dev); out != nil {
		dev = out
	}
	s.sendND(w, dev, q, ip.Src16(), wire.MAC{})
}
