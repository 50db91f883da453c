package ipv4

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

// HandleARP takes an ARP packet, the Ethernet header taken off (RFC 826).
// Linux: arp_rcv, arp_process.
func (s *Inet) HandleARP(w *core.Worker, p *core.Packet) { s.handleARP(w, p, false) }

// handleARP is HandleARP; waited says that p is a question which a proxy has let
// wait before it answers. Linux: LOCALLY_ENQUEUED.
func (s *Inet) handleARP(w *core.Worker, p *core.Packet, waited bool) {
	d := p.Dev
	dev := s.devs.Of(d)
	switch {
	case dev == nil || d.Flags()&core.FlagNoARP != 0:
		w.Drop(p, core.NoProtocol)
		return
	case p.Type == core.ToOther:
		w.Drop(p, core.OtherHost)
		return
	case p.Len() < wire.ARPLen:
		w.Drop(p, core.HeaderTooShort)
		return
	}
	a, ok := wire.ParseARP(p.Bytes())
	if !ok || dev.loopback() || a.Op() != wire.ARPRequest && a.Op() != wire.ARPReply {
		w.Drop(p, core.BadARP)
		return
	}
	sip, tip := a.SenderIP4(), a.TargetIP4()
	if tip[0]&0xf0 == 0xe0 || tip[0] == 127 && !dev.RouteLocalnet() || sip == tip && dev.on(confDropGratuitousARP) {
		w.Drop(p, core.BadARP)
		return
	}
	if !waited {
		dev.watch(s, a)
	}
	if sip == [4]byte{} {
		s.answerProbe(w, dev, a)
	} else if a.Op() != wire.ARPRequest {
		s.learn(w, p, dev, a)
	} else if ours, kept := s.answer(w, p, dev, a, waited); kept {
		return
	} else if !ours {
		s.learn(w, p, dev, a)
	}
	w.Deliver(p)
}

// answerProbe answers somebody who asks whether an address is in use before he
// takes it; nothing is learnt of him (RFC 5227 section 2.1.1).
func (s *Inet) answerProbe(w *core.Worker, dev *device, a wire.ARP) {
	if a.Op() != wire.ARPRequest || s.FIB.AddrTypeDev(dev.dev.Net(), dev.dev, a.TargetIP()) != fib.Local ||
		s.silent(dev, [4]byte{}, a.TargetIP()) {
		return
	}
	s.reply(w, dev, a)
}

// answer answers a request for one of our addresses, or for somebody behind us,
// and learns the asker. It reports whether the request is for us, and whether p is
// kept, to be answered later.
func (s *Inet) answer(w *core.Worker, p *core.Packet, dev *device, a wire.ARP, waited bool) (ours, kept bool) {
	typ, out, ok := s.routeARP(p, dev, a)
	if !ok {
		return false, false
	}
	if typ == fib.Local {
		if !s.silent(dev, a.SenderIP4(), a.TargetIP()) && (!dev.on(confARPFilter) || s.wayBack(dev, a)) && s.heard(w, dev, a) {
			s.reply(w, dev, a)
		}
		return true, false
	}
	if typ != fib.Unicast || !dev.Forwarding() || !s.proxies(dev, out, a) {
		return false, false
	}
	s.heard(w, dev, a)
	// Who asks all is answered after a while, so that the station itself, if it
	// hears him, is the first.
	if !waited && p.Type != core.ToHost && s.neighParms(dev.dev).ProxyDelay != 0 {
		s.Core.DelayProxy(w, p, core.AFInet, func(w *core.Worker, p *core.Packet) { s.handleARP(w, p, true) })
		return true, true
	}
	s.reply(w, dev, a)
	return true, false
}

// proxies reports whether we answer for somebody who is behind out.
// Linux: arp_fwd_proxy, arp_fwd_pvlan, pneigh_lookup.
func (s *Inet) proxies(dev *device, out *core.Device, a wire.ARP) bool {
	if out == dev.dev {
		// One port's stations may not talk to each other directly (RFC 3069).
		return dev.on(confProxyARPPVLAN) && a.SenderIP4() != a.TargetIP4()
	}
	if dev.on(confProxyARP) {
		mine := dev.own.Load().v[confMediumID]
		switch {
		case mine == 0:
			return true
		case mine != -1:
			other := s.devs.Of(out)
			if other == nil {
				return true
			}
			if theirs := other.own.Load().v[confMediumID]; theirs != mine && theirs != -1 {
				return true
			}
		}
	}
	return s.Core.HasProxy(dev.dev.Net(), dev.dev, a.TargetIP())
}

// silent reports whether arp_ignore forbids to answer. Linux: arp_ignore.
func (s *Inet) silent(dev *device, sip [4]byte, tip netip.Addr) bool {
	switch dev.eff.Load().v[confARPIgnore] {
	case 1: // only for addresses of this device
		return !s.hasAddr(dev, tip, netip.Addr{}, fib.Host)
	case 2: // and only to those in the same subnet
		return !s.hasAddr(dev, tip, givenAddr(sip), fib.Host)
	case 3: // not for addresses of scope host
		for _, d := range s.Core.Devices(dev.dev.Net()) {
			if other := s.devs.Of(d); other != nil && s.hasAddr(other, tip, netip.Addr{}, fib.Link) {
				return false
			}
		}
		return true
	case 8:
		return true
	}
	return false
}

// hasAddr reports whether dev has the address local, of that scope or wider,
// in one subnet with peer if that is given. Linux: confirm_addr_indev.
func (s *Inet) hasAddr(dev *device, local, peer netip.Addr, scope fib.Scope) bool {
	nearest := fib.Host
	if dev.RouteLocalnet() {
		nearest = fib.Link
	}
	own, subnet := false, false
	for _, a := range dev.Addrs() {
		own = own || a.Local == local && min(a.Scope, nearest) <= scope
		subnet = subnet || a.Prefix.Contains(local) && (!peer.IsValid() || a.Prefix.Contains(peer))
	}
	return own && subnet
}

func givenAddr(a [4]byte) netip.Addr {
	if a == [4]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom4(a)
}

// wayBack reports whether we would send to the asker by the device he asked at.
// Linux: arp_filter.
func (s *Inet) wayBack(dev *device, a wire.ARP) bool {
	res, err := s.FIB.Lookup(dev.dev.Net(), &fib.Flow{Dst: a.SenderIP(), Src: a.TargetIP(), Iif: 1})
	return err == nil && res.Hop != nil && res.Hop.Dev == dev.dev
}

// heard learns the sender of a request; false if there is no room for him.
// Linux: neigh_event_ns.
func (s *Inet) heard(w *core.Worker, dev *device, a wire.ARP) bool {
	nb, err := s.Core.NewNeighbour(dev.dev, a.SenderIP(), w.Now())
	if err != nil {
		return false
	}
	_ = nb.Update(w, core.NeighUpdate{State: core.NudStale, MAC: a.SenderMAC(), Override: true, KeepRouter: true})
	return true
}

// learn updates what is known of the sender of a reply, or of a request that is
// not for us. One who is not known stays so, unless arp_accept asks for it.
func (s *Inet) learn(w *core.Worker, p *core.Packet, dev *device, a wire.ARP) {
	d, sip := dev.dev, a.SenderIP()
	nb := s.Core.Neighbour(d, sip)
	accept := s.accepts(dev, sip)
	gratuitous := false
	if nb != nil || accept {
		gratuitous = a.SenderIP4() == a.TargetIP4() &&
			(a.Op() == wire.ARPRequest || a.TargetMAC() == a.SenderMAC()) &&
			s.FIB.AddrTypeDev(d.Net(), d, sip) == fib.Unicast
	}
	if nb == nil {
		if !accept || !gratuitous && (a.Op() != wire.ARPReply || s.FIB.AddrTypeDev(d.Net(), d, sip) != fib.Unicast) {
			return
		}
		var err error
		if nb, err = s.Core.NewNeighbour(d, sip, w.Now()); err != nil {
			return
		}
	}
	// Only a reply to us alone proves that the sender hears us; and of several
	// answers in a row the first counts, it is the fastest's.
	state := core.NudStale
	if a.Op() == wire.ARPReply && p.Type == core.ToHost {
		state = core.NudReachable
	}
	_ = nb.Update(w, core.NeighUpdate{State: state, MAC: a.SenderMAC(), KeepRouter: true,
		Override: gratuitous || !nb.Locked(w.Now())})
}

// accepts reports whether strangers may make entries by announcing themselves.
// Linux: arp_accept.
func (s *Inet) accepts(dev *device, sip netip.Addr) bool {
	switch dev.eff.Load().v[confARPAccept] {
	case 1:
		return true
	case 2: // if they are in one of our subnets
		for _, a := range dev.Addrs() {
			if a.Scope <= fib.Link && a.Prefix.Contains(sip) {
				return true
			}
		}
	}
	return false
}

// reply answers a with our hardware address.
func (s *Inet) reply(w *core.Worker, dev *device, a wire.ARP) {
	s.sendARP(w, dev.dev, a.SenderMAC(), wire.ARPFields{Op: wire.ARPReply, SenderMAC: dev.dev.Addr(), SenderIP: a.TargetIP4(),
		TargetMAC: a.SenderMAC(), TargetIP: a.SenderIP4()})
}

// sendARP sends an ARP packet to a station. Linux: arp_send_dst.
func (s *Inet) sendARP(w *core.Worker, d *core.Device, to wire.MAC, f wire.ARPFields) {
	if d.Flags()&core.FlagNoARP != 0 {
		return
	}
	p := w.NewPacket(d.Net(), wire.ARPLen)
	wire.PutARP(p.Bytes(), f)
	p.Protocol = wire.EtherTypeARP
	p.SetL3(0)
	d.SendTo(w, p, to)
}
