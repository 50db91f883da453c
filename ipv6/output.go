package ipv6

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netfilter"
)

// SendOptions are what a transport says of a packet beside its route. The zero
// value of HopLimit is the route's or device's, or 1 for a group.
type SendOptions struct {
	Src, Dst               netip.Addr // the zero Addr: as the route has it
	Proto, Class, HopLimit uint8
	Mark, Priority         uint32
	// NoFragment makes what does not fit the path an EMSGSIZE; without it, it is
	// cut. Linux: IPV6_PMTUDISC_DO, IPV6_DONTFRAG.
	NoFragment bool
	// FlowLabel is 20 bits; 0: as auto_flowlabels says. Linux: flowi6's flowlabel.
	FlowLabel uint32
	HostOnly  bool // HopLimit 0 is meant: a group's members here alone
	// MulticastLoop lets this Net's own members of a group have a copy.
	// Linux: IPV6_MULTICAST_LOOP, which is on by default.
	MulticastLoop bool
}

// Send puts an IP header in front of p, whose data starts at the transport
// header, and sends it by rt. It takes p, even with an error, all bare: EMSGSIZE
// for a packet that is too large for IPv6 or, with NoFragment, for the path; EPERM
// from a hook. Linux: ip6_push_pending_frames, ip6_local_out.
func (s *Inet) Send(w *core.Worker, p *core.Packet, rt *Route, o *SendOptions) error {
	total, upper := p.Len()+wire.IPv6Len, p.Bytes()
	switch {
	case total > rt.MTU && o.NoFragment && p.GSOSize == 0, total > wire.IPv6Len+wire.IPv6MaxLen:
		w.Drop(p, core.TooBig)
		return syscall.EMSGSIZE
	case p.Push(wire.IPv6Len) == nil:
		w.Drop(p, core.LinkHeader)
		return syscall.ENOBUFS
	}
	src, dst := rt.Src, rt.Dst
	if o.Src.IsValid() {
		src = o.Src
	}
	if o.Dst.IsValid() {
		dst = o.Dst
	}
	f := wire.IPv6Fields{Class: o.Class, Next: o.Proto, HopLimit: o.HopLimit, Src: src.As16(), Dst: dst.As16()}
	f.FlowLabel = s.flowLabel(p.Net(), o.FlowLabel, o.Proto, upper, f.Src, f.Dst)
	if f.HopLimit == 0 && !o.HostOnly {
		if f.HopLimit = s.hopLimit(rt); rt.Multicast {
			f.HopLimit = 1
		}
	}
	wire.PutIPv6(p.Bytes(), f)
	p.SetL3(0)
	p.SetL4(wire.IPv6Len)
	p.Protocol, p.Dev, p.Mark, p.Priority = wire.EtherTypeIPv6, rt.Dev, o.Mark, o.Priority
	p.Opts = [4]uint16{optFlags: rt.flags()}
	if !s.Hooks.Run(w, p, netfilter.LocalOut, core.AFInet6, nil, rt.Dev) {
		return syscall.EPERM
	}
	return s.output(w, p, rt, o)
}

// flags returns what a packet that leaves by rt remembers of it.
func (rt *Route) flags() (f uint16) {
	f = flagOutput
	if rt.Local {
		f |= flagLocal
	}
	if rt.Multicast {
		f |= flagMulticast
	}
	return f
}

// output sends a finished datagram, and a copy to ourselves if it is for us
// too. Linux: ip6_output, ip6_finish_output2.
func (s *Inet) output(w *core.Worker, p *core.Packet, rt *Route, o *SendOptions) error {
	dev := s.devs.Of(rt.Dev)
	if dev == nil || dev.on(confDisable) {
		w.Drop(p, core.IPv6Disabled)
		return nil
	}
	here := rt.Local || rt.Multicast && p.Opts[optFlags]&flagForwarded == 0 && s.routesGroups(p.Net(), rt.Dst.As16())
	if rt.Multicast && here && o.MulticastLoop && !dev.loopback() {
		c := w.Clone(p)
		c.Checksum = core.ChecksumVerified // nothing can have happened to it
		if s.Hooks.Run(w, c, netfilter.PostRouting, core.AFInet6, nil, rt.Dev) {
			rt.Dev.Loop(w, c)
		}
		// Linux looks at it where somebody here has a copy, and else sends it.
		if wire.IPv6(p.Bytes()).HopLimit() == 0 {
			w.Drop(p, core.TTLExpired)
			return nil
		}
	}
	if rt.Multicast && scopeOfGroup(wire.IPv6(p.Bytes()).Dst16()) < scopeLink && !dev.loopback() {
		w.Drop(p, core.TTLExpired) // for this host only (RFC 4291 section 2.7)
		return nil
	}
	if !s.Hooks.Run(w, p, netfilter.PostRouting, core.AFInet6, nil, rt.Dev) {
		return syscall.EPERM
	}
	s.emit(w, p, rt.Dev, rt.Gateway, rt.MTU)
	return nil
}

// emit hands a datagram of our own to the link, cut to the MTU if it must be.
// Linux: ip6_finish_output.
func (s *Inet) emit(w *core.Worker, p *core.Packet, d *core.Device, gw netip.Addr, mtu int) {
	p.Dev = d
	if p.Len() <= mtu || p.GSOSize > 0 { // the device cuts it
		s.toLink(w, p, d, gw)
		return
	}
	ip, ok := wire.ParseIPv6(p.Bytes())
	if !ok {
		w.Drop(p, core.BadIPHeader)
		return
	}
	s.fragment(w, p, ip, d, gw, mtu)
}

// toLink sends a packet that fits to its next hop on d's link. Groups have fixed
// addresses there; for the loopback device any will do. Linux:
// ip6_finish_output2, ndisc_constructor.
func (s *Inet) toLink(w *core.Worker, p *core.Packet, d *core.Device, gw netip.Addr) {
	p.Dev = d
	switch {
	case p.Opts[optFlags]&flagMulticast != 0:
		d.SendTo(w, p, wire.MulticastMAC6(wire.IPv6(p.Bytes()).Dst16()))
	case d.Flags()&core.FlagLoopback != 0:
		d.SendTo(w, p, wire.MAC{})
	default:
		s.Core.Output(w, d, gw, p)
	}
}
