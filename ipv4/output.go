package ipv4

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// SendOptions are what a transport says of a packet beside its route. The zero
// value of TTL is the Net's default, or 1 for a group.
type SendOptions struct {
	Src, Dst        netip.Addr // the zero Addr: as the route has it
	Proto, TOS, TTL uint8
	// DF sets Don't Fragment on what fits the path's MTU; what does not is cut.
	// Linux: IP_PMTUDISC_WANT, the default of sockets; see [Inet.WantDF].
	DF bool
	// NoFragment sets Don't Fragment always, and makes what does not fit an
	// EMSGSIZE. Linux: IP_PMTUDISC_DO.
	NoFragment     bool
	Options        []byte // IP options, at most 40 bytes
	Mark, Priority uint32
	// HostOnly is a TTL of 0 for a group. Linux: IP_MULTICAST_TTL of 0.
	HostOnly bool
	// MulticastLoop lets this Net's own members of a group have a copy.
	// Linux: IP_MULTICAST_LOOP, which is on by default.
	MulticastLoop bool
}

// WantDF reports whether n's sockets set Don't Fragment by default: unless
// net.ipv4.ip_no_pmtu_disc says otherwise.
func (s *Inet) WantDF(n *netns.Net) bool { return s.conf.Of(n).NoPMTUDisc.Load() == 0 }

// Send puts an IP header in front of p, whose data starts at the transport
// header, and sends it by rt. It takes p, even with an error, all bare: EMSGSIZE
// for a packet that is too large for IPv4 or, with NoFragment, for the path;
// EINVAL for bad options, EPERM from a hook.
// Linux: ip_push_pending_frames, __ip_local_out.
func (s *Inet) Send(w *core.Worker, p *core.Packet, rt *Route, o *SendOptions) error {
	f := wire.IPv4Fields{TOS: o.TOS, TTL: o.TTL, Proto: o.Proto, Options: o.Options}
	hdr := f.HeaderLen()
	total := p.Len() + hdr
	switch {
	case hdr > wire.IPv4MaxHdrLen:
		w.Drop(p, core.BadIPHeader)
		return syscall.EINVAL
	case total > wire.IPv4MaxLen, total > rt.MTU && o.NoFragment && p.GSOSize == 0:
		w.Drop(p, core.TooBig)
		return syscall.EMSGSIZE
	case p.Push(hdr) == nil:
		w.Drop(p, core.LinkHeader)
		return syscall.ENOBUFS
	}
	n := p.Net()
	src, dst := rt.Src, rt.Dst
	if o.Src.IsValid() {
		src = o.Src
	}
	if o.Dst.IsValid() {
		dst = o.Dst
	}
	f.Src, f.Dst = src.As4(), dst.As4()
	f.DF = o.NoFragment || o.DF && total <= rt.MTU && !rt.locked
	if !o.NoFragment {
		f.ID = s.path.nets.Own(n).ids.next(n, f.Dst, f.Proto)
	}
	if f.TTL == 0 {
		f.TTL = uint8(s.conf.Of(n).DefaultTTL.Load())
		if rt.Multicast {
			f.TTL = 1
			if o.HostOnly {
				f.TTL = 0
			}
		}
	}
	ip, _ := wire.PutIPv4(p.Bytes(), f)
	if len(f.Options) > 0 && !s.sendOptions(w, n, ip) {
		w.Drop(p, core.BadIPHeader)
		return syscall.EINVAL
	}
	p.SetL3(0)
	p.SetL4(hdr)
	p.Protocol, p.Dev, p.Mark, p.Priority = wire.EtherTypeIPv4, rt.Dev, o.Mark, o.Priority
	p.Opts = [4]uint16{optFlags: rt.flags()}
	if !s.Hooks.Run(w, p, netfilter.LocalOut, core.AFInet, nil, rt.Dev) {
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
	if rt.Broadcast {
		f |= flagBroadcast
	}
	if rt.Multicast {
		f |= flagMulticast
	}
	return f
}

// output sends a finished datagram, and a copy to ourselves if it is for us
// too. Linux: ip_output, ip_mc_output.
func (s *Inet) output(w *core.Worker, p *core.Packet, rt *Route, o *SendOptions) error {
	loop := rt.Dev.Flags()&core.FlagLoopback != 0
	here := rt.Local // also for multicast routing, which sees what this Net sends as if it had come in
	if rt.Multicast && p.Opts[optFlags]&flagForwarded == 0 && !here {
		dev := s.devs.Of(rt.Dev)
		here = dev != nil && dev.routesGroups(rt.Dst.As4())
	}
	if !loop && (rt.Broadcast || rt.Multicast && here && o.MulticastLoop) {
		c := w.Clone(p)
		c.Checksum = core.ChecksumVerified // nothing can have happened to it
		if s.Hooks.Run(w, c, netfilter.PostRouting, core.AFInet, nil, rt.Dev) {
			rt.Dev.Loop(w, c)
		}
	}
	// For this host only (RFC 1112 section 6.1); Linux looks at it where somebody
	// here has joined, and else sends what every receiver will drop.
	if !loop && rt.Multicast && here && wire.IPv4(p.Bytes()).TTL() == 0 {
		w.Drop(p, core.TTLExpired)
		return nil
	}
	if !s.Hooks.Run(w, p, netfilter.PostRouting, core.AFInet, nil, rt.Dev) {
		return syscall.EPERM
	}
	s.emit(w, p, rt.Dev, rt.Gateway, rt.MTU)
	return nil
}

// emit hands a datagram to the link, cut to the MTU if it must be.
// Linux: ip_finish_output.
func (s *Inet) emit(w *core.Worker, p *core.Packet, d *core.Device, gw netip.Addr, mtu int) {
	p.Dev = d
	if p.Len() <= mtu {
		s.toLink(w, p, d, gw)
		return
	}
	ip, ok := wire.ParseIPv4(p.Bytes())
	switch {
	case !ok:
		w.Drop(p, core.BadIPHeader)
	case p.GSOSize > 0: // the device cuts it
		if segmentLen(p, ip) > mtu {
			w.Drop(p, core.TooBig)
			return
		}
		s.toLink(w, p, d, gw)
	case ip.DF():
		s.SendICMP(w, p, wire.ICMPDestUnreach, wire.ICMPFragNeeded, uint32(mtu))
		w.Drop(p, core.TooBig)
	default:
		s.fragment(w, p, ip, d, gw, mtu)
	}
}

// toLink sends a packet that fits to its next hop on d's link. Groups and
// broadcasts have fixed addresses there; for the loopback device, where Linux
// keeps one neighbour for all, any address will do. Linux: ip_finish_output2,
// arp_constructor.
func (s *Inet) toLink(w *core.Worker, p *core.Packet, d *core.Device, gw netip.Addr) {
	switch {
	case p.Opts[optFlags]&(flagBroadcast|flagMulticast) == 0:
		if d.Flags()&core.FlagLoopback != 0 {
			d.SendTo(w, p, wire.MAC{})
			return
		}
		s.Core.Output(w, d, gw, p)
	case p.Opts[optFlags]&flagMulticast != 0:
		d.SendTo(w, p, wire.MulticastMAC(gw.As4()))
	default:
		d.SendTo(w, p, wire.BroadcastMAC())
	}
}
