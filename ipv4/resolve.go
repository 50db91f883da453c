package ipv4

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// neighOps are how IPv4 resolves. Linux: arp_tbl, arp_hh_ops.
func (s *Inet) neighOps() *core.NeighOps {
	return &core.NeighOps{
		Family:      core.AFInet,
		Solicit:     s.solicit,
		Construct:   s.construct,
		Unreachable: s.unreachable,
		Parms:       s.neighParms,
		Changed:     s.Netlink.PublishNeigh,
		Limits: func(n *netns.Net) (l [3]int) {
			c := s.conf.Of(n)
			for i := range l {
				l[i] = int(c.gcThresh[i].Load())
			}
			return l
		},
	}
}

// construct tells the addresses that nobody is asked for: groups, broadcasts,
// and everybody on a link without ARP. Linux: arp_constructor.
func (s *Inet) construct(d *core.Device, a netip.Addr) (wire.MAC, core.NeighState) {
	t := s.FIB.AddrTypeDev(d.Net(), d, a) // a route may make any address a group's
	switch {
	case t == fib.Multicast && d.Flags()&core.FlagLoopback == 0: // on lo all are one neighbour
		return wire.MulticastMAC(a.As4()), core.NudNoARP
	case d.Flags()&(core.FlagNoARP|core.FlagLoopback) != 0:
		return d.Addr(), core.NudNoARP
	case t == fib.Broadcast:
		return wire.BroadcastMAC(), core.NudNoARP
	}
	return wire.MAC{}, core.NudNone
}

// forgetNeighbour takes away what was not known of an address that has become a
// broadcast address; who waits for it is told. Linux: arp_invalidate.
func (s *Inet) forgetNeighbour(d *core.Device, a netip.Addr) {
	nb := s.Core.Neighbour(d, a)
	if nb == nil || nb.Valid() {
		return
	}
	w := s.Core.Enter()
	defer w.Leave()
	_ = s.Core.DeleteNeighbour(w, nb)
}

// solicit asks for nb: one station if its last address is known, else all. The
// question carries, as arp_announce says, the source of the packet that waits
// or an address of ours that the target should know. Linux: arp_solicit.
func (s *Inet) solicit(w *core.Worker, nb *core.Neighbour, to wire.MAC) {
	d := nb.Dev()
	dev := s.devs.Of(d)
	if dev == nil {
		return
	}
	var src netip.Addr
	if level := dev.eff.Load().v[confARPAnnounce]; level != 2 {
		if src = packetSource(nb); src.IsValid() && !s.mayAnnounce(dev, src, nb.Addr(), level) {
			src = netip.Addr{}
		}
	}
	if !src.IsValid() {
		src = s.SelectSource(d.Net(), d, nb.Addr(), fib.Link)
	}
	f := wire.ARPFields{Op: wire.ARPRequest, SenderMAC: d.Addr(), TargetIP: nb.Addr().As4()}
	if src.IsValid() {
		f.SenderIP = src.As4()
	}
	if to.IsZero() {
		to = wire.BroadcastMAC()
	}
	s.sendARP(w, d, to, f)
}

// packetSource returns the source of the packet that waits for nb.
func packetSource(nb *core.Neighbour) (src netip.Addr) {
	nb.Last(func(l3 []byte) {
		if len(l3) >= 20 && l3[0]>>4 == 4 {
			src = netip.AddrFrom4([4]byte(l3[12:16]))
		}
	})
	return src
}

func (s *Inet) mayAnnounce(dev *device, src, target netip.Addr, level int32) bool {
	if s.FIB.AddrTypeDev(dev.dev.Net(), dev.dev, src) != fib.Local {
		return false
	}
	return level != 1 || dev.sameSubnet(src, target)
}

// sameSubnet reports whether both are in one subnet of the device.
// Linux: inet_addr_onlink.
func (dev *device) sameSubnet(a, b netip.Addr) bool {
	for _, own := range dev.Addrs() {
		if own.Prefix.Contains(a) && own.Prefix.Contains(b) {
			return true
		}
	}
	return false
}

// unreachable tells the sender of a packet, here or elsewhere, that its next
// hop does not answer (RFC 1812 section 5.2.7.1: host unreachable).
// Linux: arp_error_report, ipv4_link_failure.
func (s *Inet) unreachable(w *core.Worker, p *core.Packet) {
	p.SetL3(0)
	s.SendICMP(w, p, wire.ICMPDestUnreach, wire.ICMPHostUnreach, 0)
	w.Drop(p, core.NeighbourFailed)
}

// neighParms returns the tunables of resolution at d: loopback, which asks
// nobody, shares Linux's with all others; another device draws its own when it
// first asks.
func (s *Inet) neighParms(d *core.Device) *core.NeighParms {
	dev := s.devs.Of(d)
	if dev == nil {
		return &s.parms
	}
	if p := dev.parms.Load(); p != nil {
		return p
	}
	if dev.loopback() {
		return s.defaultParms(d.Net())
	}
	own := *s.defaultParms(d.Net())
	own.Draw(d.Net())
	dev.parms.CompareAndSwap(nil, &own)
	return dev.parms.Load()
}

// defaultParms returns what the devices of n start with. In Linux all Nets have
// those of one table, net.ipv4.neigh.default of the initial Net.
func (s *Inet) defaultParms(n *netns.Net) *core.NeighParms {
	if p := s.conf.Of(n).parms.Load(); p != nil {
		return p
	}
	return &s.parms
}

// A Conflict is another station that claims an address of ours.
type Conflict struct {
	Dev  *core.Device
	Addr netip.Addr
	By   wire.MAC
}
