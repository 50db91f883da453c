package ipv6

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// neighOps are how IPv6 resolves: the table, its states and limits are ARP's.
// Linux: nd_tbl, ndisc_hh_ops.
func (s *Inet) neighOps() *core.NeighOps {
	return &core.NeighOps{
		Family:      core.AFInet6,
		Solicit:     s.solicit,
		Construct:   s.construct,
		Unreachable: s.unreachable,
		Parms:       s.neighParms,
		Proxy:       s.proxied,
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

// construct tells the addresses that nobody is asked for: groups, and everybody
// on a link without neighbour discovery. Linux: ndisc_constructor.
func (s *Inet) construct(d *core.Device, a netip.Addr) (wire.MAC, core.NeighState) {
	switch {
	case a.IsMulticast():
		return wire.MulticastMAC6(a.As16()), core.NudNoARP
	case d.Flags()&(core.FlagNoARP|core.FlagLoopback) != 0:
		return d.Addr(), core.NudNoARP
	}
	return wire.MAC{}, core.NudNone
}

// solicit asks for nb: one station if its last address is known, else all that
// may have it. The question comes from the source of the packet that waits, if
// that is ours on this link, else from the link-local address.
// Linux: ndisc_solicit.
func (s *Inet) solicit(w *core.Worker, nb *core.Neighbour, to wire.MAC) {
	d := nb.Dev()
	dev := s.devs.Of(d)
	if dev == nil {
		return
	}
	src := packetSource(nb)
	if own := (*Addr)(nil); src.IsValid() {
		if own = s.addrAt(d, src); own == nil || own.Tentative() {
			src = netip.Addr{}
		}
	}
	if !src.IsValid() {
		if src = dev.linkLocal(); !src.IsValid() {
			return
		}
	}
	dst := nb.Addr().As16()
	if to.IsZero() {
		dst = solicitedNode(nb.Addr())
	}
	s.sendNS(w, dev, nb.Addr(), src.As16(), dst, to)
}

// packetSource returns the source of the packet that waits for nb.
func packetSource(nb *core.Neighbour) (src netip.Addr) {
	nb.Last(func(l3 []byte) {
		if len(l3) >= wire.IPv6Len && l3[0]>>4 == 6 {
			src = wire.IPv6(l3).Src()
		}
	})
	return src
}

// linkLocal returns a link-local address of dev that may be used, or the zero
// Addr. Linux: ipv6_get_lladdr.
func (dev *device) linkLocal() netip.Addr {
	for _, a := range dev.Addrs() {
		if a.Local.IsLinkLocalUnicast() && !a.Tentative() {
			return a.Local
		}
	}
	return netip.Addr{}
}

// unreachable tells the sender of a packet, here or elsewhere, that its next
// hop does not answer (RFC 4861 section 7.2.2). Linux: ndisc_error_report.
func (s *Inet) unreachable(w *core.Worker, p *core.Packet) {
	p.SetL3(0)
	s.SendICMP(w, p, wire.ICMP6DestUnreach, wire.ICMP6AddrUnreach, 0)
	w.Drop(p, core.NeighbourFailed)
}

// neighParms returns the tunables of resolution at d, as package ipv4 does.
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

// defaultParms returns what the devices of n start with.
func (s *Inet) defaultParms(n *netns.Net) *core.NeighParms {
	if p := s.conf.Of(n).neighDefaults.Load(); p != nil {
		return p
	}
	return &s.parms
}
