package ipv6

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

// ndiscReceive takes a message of neighbour discovery. One that was forwarded
// has a smaller hop limit and is no neighbour's word (RFC 4861 section 6.1).
// Linux: ndisc_rcv.
func (s *Inet) ndiscReceive(w *core.Worker, p *core.Packet, ip wire.IPv6, m wire.ICMPv6) {
	dev := s.devs.Of(p.Dev)
	if dev == nil || ip.HopLimit() != wire.NDHopLimit || m.Code() != 0 {
		w.Drop(p, core.BadICMP)
		return
	}
	target, ok := m.Target()
	switch {
	case m.Type() == wire.ICMP6Redirect:
		ok = s.redirectReceive(w, p, dev, ip, m)
	case m.Type() == wire.ICMP6NeighSolicit && ok:
		kept := false
		if ok, kept = s.receiveNS(w, p, dev, ip, m, target, false); kept {
			return
		}
	case m.Type() == wire.ICMP6NeighAdvert && ok:
		ok = s.receiveNA(w, p, dev, ip, m, target)
	case m.Type() == wire.ICMP6RouterSolicit:
		if ok = s.receiveRS(w, dev, ip, m); ok && s.Solicited != nil {
			s.Solicited(w, p.Dev, ip.Src())
		}
	case m.Type() == wire.ICMP6RouterAdvert:
		ok = s.receiveRA(w, dev, ip, m)
	default:
		ok = false
	}
	if !ok {
		w.Drop(p, core.BadICMP)
		return
	}
	w.Deliver(p)
}

// receiveNS takes a question for an address; not ok if it makes no sense, kept if
// it keeps p, to be answered later. waited says that it has waited for that.
// Linux: ndisc_recv_ns.
func (s *Inet) receiveNS(w *core.Worker, p *core.Packet, dev *device, ip wire.IPv6, m wire.ICMPv6, target [16]byte, waited bool) (valid, kept bool) {
	src, dst := ip.Src16(), ip.Dst16()
	probe := src == [16]byte{} // somebody wants the address (RFC 4862 section 5.4.3)
	o, ok := wire.ParseNDOptions(m.Options())
	if target[0] == 0xff || !ok || probe && (!isSolicitedNode(dst) || o.HasSource) {
		return false, false
	}
	router := dev.on(confForwarding)
	own := s.addrAt(dev.dev, netip.AddrFrom16(target))
	switch {
	case own != nil && own.Tentative():
		if probe && !own.mine(o.Nonce) {
			s.collide(dev, own.Local)
		}
		return true, false // nobody is answered for an address that may be another's
	case own == nil:
		var answers bool
		if router, answers = s.answersFor(dev, target); !answers {
			return true, false
		}
		if !waited && p.Type != core.ToHost && dst[0] == 0xff && s.neighParms(dev.dev).ProxyDelay != 0 {
			s.Core.DelayProxy(w, p, core.AFInet6, s.solicitedAgain)
			return true, true
		}
	}
	f := wire.NAFlags{Router: router, Override: own != nil}
	if probe {
		s.sendNA(w, dev, netip.AddrFrom16(target), allNodes, f, true)
		return true, false
	}
	all := dst[0] == 0xff
	from := netip.AddrFrom16(src)
	nb := s.Core.Neighbour(dev.dev, from)
	if nb == nil && (!all || o.HasSource) {
		nb, _ = s.Core.NewNeighbour(dev.dev, from, w.Now()) // no room: nobody is answered
	}
	if nb == nil {
		return true, false
	}
	_ = nb.Update(w, core.NeighUpdate{State: core.NudStale, MAC: o.SourceLL, Override: true, Weak: true, KeepRouter: true})
	f.Solicited, f.Override = true, f.Override && all
	s.sendNA(w, dev, netip.AddrFrom16(target), src, f, all)
	return true, false
}

// mine reports whether a nonce is that of our own question.
func (a *Addr) mine(nonce []byte) bool {
	return a.dad != nil && len(nonce) >= len(a.dad.nonce) && [6]byte(nonce[:6]) == a.dad.nonce
}

// answersFor reports whether dev's Net answers for an address that it does not
// have, and as a router: that of the subnet's routers, or one that a proxy entry
// names (RFC 4861 section 7.2.8). Linux: ipv6_chk_acast_addr, pndisc_is_router.
func (s *Inet) answersFor(dev *device, target [16]byte) (router, answers bool) {
	n, a := dev.dev.Net(), netip.AddrFrom16(target)
	if s.FIB.AddrTypeDev(n, dev.dev, a) == fib.Anycast {
		return dev.on(confForwarding), true
	}
	if !dev.on(confForwarding) || !s.either(dev, confProxyNDP) {
		return false, false
	}
	x, ok := s.Core.ProxyAt(n, dev.dev, a)
	return x.Router, ok
}

func isSolicitedNode(a [16]byte) bool {
	return a == wire.SolicitedNode(a)
}

// receiveNA takes an answer, or an announcement; false if it makes no sense.
// Linux: ndisc_recv_na.
func (s *Inet) receiveNA(w *core.Worker, p *core.Packet, dev *device, ip wire.IPv6, m wire.ICMPv6, target [16]byte) bool {
	f := m.NAFlags()
	o, ok := wire.ParseNDOptions(m.Options())
	if target[0] == 0xff || !ok || f.Solicited && ip.Dst16()[0] == 0xff {
		return false
	}
	if !f.Solicited && dev.on(confDropUnsolicitedNA) {
		return false
	}
	a := netip.AddrFrom16(target)
	if own := s.addrAt(dev.dev, a); own != nil {
		if own.Flags&unix.IFA_F_TENTATIVE != 0 && p.Type != core.Looped {
			s.collide(dev, a)
		}
		return true // what is ours is not another's, whatever he says
	}
	nb, state := s.Core.Neighbour(dev.dev, a), core.NudStale
	if f.Solicited {
		state = core.NudReachable
	}
	if nb == nil && o.HasTarget && dev.on(confForwarding) && dev.trusts(ip.Src()) {
		nb, _ = s.Core.NewNeighbour(dev.dev, a, w.Now()) // no room: nothing is learnt
		state = core.NudStale
	}
	if nb == nil || nb.Info().State == core.NudFailed {
		return true
	}
	_ = nb.Update(w, core.NeighUpdate{State: state, MAC: o.TargetLL, Override: f.Override, Weak: true, Router: f.Router})
	return true
}

// trusts reports whether a router learns a neighbour from an announcement of src
// that nobody asked for (RFC 9131). Linux: accept_untracked_na.
func (dev *device) trusts(src netip.Addr) bool {
	switch dev.own.Load().v[confAcceptUntrackedNA] {
	case 1:
		return true
	case 2:
		for _, a := range dev.Addrs() {
			if commonBits(a.Local, src) >= a.Bits {
				return true
			}
		}
	}
	return false
}

// sendNS asks who has target; to is the station to ask, or zero for all.
// Linux: ndisc_send_ns.
func (s *Inet) sendNS(w *core.Worker, dev *device, target netip.Addr, src, dst [16]byte, to wire.MAC) {
	p := s.newND(w, dev, wire.NDMessageLen(true), src, dst)
	wire.PutND(p.Bytes()[wire.IPv6Len:], wire.ICMP6NeighSolicit, 0, target.As16(), wire.NDSourceLL, dev.dev.Addr(), src, dst)
	s.sendND(w, dev, p, dst, to)
}

// sendProbe asks whether anybody has an address that we want.
func (s *Inet) sendProbe(w *core.Worker, dev *device, a netip.Addr, nonce [6]byte) {
	dst := solicitedNode(a)
	p := s.newND(w, dev, wire.NDMessageLen(true), [16]byte{}, dst)
	wire.PutND(p.Bytes()[wire.IPv6Len:], wire.ICMP6NeighSolicit, 0, a.As16(), wire.NDNonce, wire.MAC(nonce), [16]byte{}, dst)
	s.sendND(w, dev, p, dst, wire.MAC{})
}

// sendNA says that we have target. Linux: ndisc_send_na.
func (s *Inet) sendNA(w *core.Worker, dev *device, target netip.Addr, dst [16]byte, f wire.NAFlags, ll bool) {
	src := target
	if s.addrAt(dev.dev, target) == nil { // another's, for whom we answer
		if src = s.SelectSource(dev.dev.Net(), dev.dev, netip.AddrFrom16(dst)); !src.IsValid() {
			return
		}
	}
	p := s.newND(w, dev, wire.NDMessageLen(ll), src.As16(), dst)
	wire.PutND(p.Bytes()[wire.IPv6Len:], wire.ICMP6NeighAdvert, f.Rest(), target.As16(), wire.NDTargetLL, dev.dev.Addr(), src.As16(), dst)
	s.sendND(w, dev, p, dst, wire.MAC{})
}

// sendUnsolicited tells the link that we have an address, or another hardware
// address. Linux: ndisc_send_unsol_na.
func (s *Inet) sendUnsolicited(w *core.Worker, dev *device, a netip.Addr) {
	s.sendNA(w, dev, a, allNodes, wire.NAFlags{Router: dev.on(confForwarding), Override: true}, true)
}

// announce tells the link of dev's addresses, if ndisc_notify says so, when its
// hardware address changes. Linux: ndisc_netdev_event.
func (s *Inet) announce(dev *device) {
	if !dev.dev.Up() || !s.either(dev, confNDiscNotify) {
		return
	}
	w := s.Core.Enter()
	defer w.Leave()
	for _, a := range dev.Addrs() {
		if !a.Tentative() {
			s.sendUnsolicited(w, dev, a.Local)
		}
	}
}

// newND makes the packet of a message of size octets, its header written.
func (s *Inet) newND(w *core.Worker, dev *device, size int, src, dst [16]byte) *core.Packet {
	p := w.NewPacket(dev.dev.Net(), wire.IPv6Len+size)
	wire.PutIPv6(p.Bytes(), wire.IPv6Fields{Next: wire.ProtoICMPv6, HopLimit: wire.NDHopLimit, Src: src, Dst: dst})
	return p
}

// sendND sends a message on dev's link: to a group, to the station to, or to
// whoever has dst.
func (s *Inet) sendND(w *core.Worker, dev *device, p *core.Packet, dst [16]byte, to wire.MAC) {
	d := dev.dev
	p.Protocol, p.Dev = wire.EtherTypeIPv6, d
	p.SetL3(0)
	p.SetL4(wire.IPv6Len)
	switch {
	case d.Flags()&core.FlagNoARP != 0:
		w.Drop(p, core.NoProtocol)
	case dst[0] == 0xff:
		d.SendTo(w, p, wire.MulticastMAC6(dst))
	case !to.IsZero():
		d.SendTo(w, p, to)
	default:
		s.Core.Output(w, d, netip.AddrFrom16(dst), p)
	}
}
