package ipv4

import (
	"encoding/binary"
	"net/netip"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// receiveOptions checks the options of a packet that was routed, records in
// them what they ask for, and follows a source route, which may change r. It
// reports whether the packet goes on; if not, it has dropped it (RFC 791 section
// 3.1, RFC 1812 section 5.2.4). Linux: ip_rcv_options, ip_options_compile.
func (s *Inet) receiveOptions(w *core.Worker, p *core.Packet, ip wire.IPv4, in *device, r *inRoute) bool {
	set, bad, ok := ip.CheckOptions()
	if !ok {
		s.SendICMP(w, p, wire.ICMPParamProblem, 0, uint32(bad)<<24)
		w.Drop(p, core.BadIPHeader)
		return false
	}
	p.Opts[optSRRRR] = uint16(set.SRR) | uint16(set.RR)<<8
	p.Opts[optTS] = uint16(set.TS)
	var own [4]byte
	if set.RR != 0 || set.TS != 0 {
		own = as4(s.ReplySource(p, ip))
	}
	if recordRoute(option(ip, set.RR), own) {
		p.Opts[optFlags] |= flagAddrRR
	}
	if o := option(ip, set.TS); o != nil {
		if int(o[2]) > len(o) {
			if o[3]>>4 != 15 { // a prespecified list may be full in silence
				o[3] += 1 << 4
			}
		} else if s.recordTime(w, p.Net(), o, own) && o[3]&15 == wire.OptTSAddr {
			p.Opts[optFlags] |= flagAddrTS
		}
	}
	if set.RR != 0 || set.TS != 0 {
		ip.FillChecksum()
	}
	if set.SRR == 0 {
		return true
	}
	if !in.AcceptSourceRoute() {
		w.Drop(p, core.BadIPHeader)
		return false
	}
	return s.followSource(w, p, ip, in, set.Strict, r)
}

// option returns the option at an offset of the header, nil for offset 0. It
// was checked, so it has a pointer.
func option(ip wire.IPv4, at uint8) []byte {
	if at == 0 {
		return nil
	}
	o := ip.Header()[at:]
	return o[:o[1]:o[1]]
}

// recordRoute enters an address in a record route option, and reports whether
// there was room.
func recordRoute(o []byte, own [4]byte) bool {
	if o == nil || int(o[2])+3 > len(o) {
		return false
	}
	copy(o[o[2]-1:], own[:])
	o[2] += 4
	return true
}

// recordTime fills in the next entry of a timestamp option that has room, and
// reports whether it did: not if the entry waits for another host.
func (s *Inet) recordTime(w *core.Worker, n *netns.Net, o []byte, own [4]byte) bool {
	at, now := o[o[2]-1:], timestamp(w.Now())
	switch o[3] & 15 {
	case wire.OptTSOnly:
		binary.BigEndian.PutUint32(at, now)
		o[2] += 4
		return true
	case wire.OptTSAddr:
		copy(at, own[:])
	case wire.OptTSPrespec:
		if s.AddrType(n, [4]byte(at[:4])) == fib.Unicast {
			return false
		}
	default:
		return false
	}
	binary.BigEndian.PutUint32(at[4:], now)
	o[2] += 8
	return true
}

// sendOptions enters our own address and time in the options of a packet that
// we send; false for options that make no sense. Linux: ip_options_build.
func (s *Inet) sendOptions(w *core.Worker, n *netns.Net, ip wire.IPv4) bool {
	set, _, ok := ip.CheckOptions()
	if !ok {
		return false
	}
	recordRoute(option(ip, set.RR), ip.Src4())
	if o := option(ip, set.TS); o != nil && int(o[2]) <= len(o) {
		s.recordTime(w, n, o, ip.Src4())
	}
	ip.FillChecksum()
	return true
}

// followSource goes on to the next hop of a source route. Linux:
// ip_options_rcv_srr.
func (s *Inet) followSource(w *core.Worker, p *core.Packet, ip wire.IPv4, in *device, strict bool, r *inRoute) bool {
	drop := func(why core.Reason) bool {
		w.Drop(p, why)
		return false
	}
	switch {
	case p.Type != core.ToHost || r.err != 0:
		return drop(core.BadIPHeader)
	case r.forward && r.typ == fib.Unicast:
		if !strict { // it passes here on its way to the next hop
			return true
		}
		s.SendICMP(w, p, wire.ICMPParamProblem, 0, 16<<24)
		return drop(core.BadIPHeader)
	case r.typ != fib.Local:
		return drop(core.BadIPHeader)
	}
	srr := uint8(p.Opts[optSRRRR])
	o := option(ip, srr)
	for at := int(o[2]); at <= len(o); at += 4 {
		if at+3 > len(o) {
			s.SendICMP(w, p, wire.ICMPParamProblem, 0, uint32(srr+2)<<24)
			return drop(core.BadIPHeader)
		}
		next := [4]byte(o[at-1:])
		var to inRoute
		why := s.routeInput(p, ip, next, in, &to)
		switch {
		case why != 0:
			return drop(why)
		case to.err != 0 || to.typ != fib.Unicast && to.typ != fib.Local:
			return drop(core.NoRoute)
		}
		p.Opts[optFlags] = p.Opts[optFlags]&^(flagLocal|flagBroadcast|flagMulticast) | to.flags
		*r = to
		if to.typ == fib.Unicast {
			p.Opts[optFlags] |= flagSourceHit
			o[2] = uint8(at) // forwardOptions starts here. Linux looks for the address again
			ip.FillChecksum()
			return true
		}
		ip.SetDst4(next)
	}
	return true
}

// sourceNextHop returns the next hop of the source route that was hit.
func sourceNextHop(p *core.Packet, ip wire.IPv4) netip.Addr {
	o := option(ip, uint8(p.Opts[optSRRRR]))
	return netip.AddrFrom4([4]byte(o[o[2]-1:]))
}

// strictRoute reports whether a packet may only go to a neighbour.
func strictRoute(p *core.Packet, ip wire.IPv4) bool {
	o := option(ip, uint8(p.Opts[optSRRRR]))
	return o != nil && o[0] == wire.OptSSRR
}

// forwardOptions records in the options of a packet that is passed on the
// address by which it leaves, and turns it to the next hop of its source route.
// Linux: ip_forward_options.
func (s *Inet) forwardOptions(p *core.Packet, r *inRoute) {
	ip, ok := wire.ParseIPv4(p.Bytes())
	flags := p.Opts[optFlags]
	if !ok || flags&(flagAddrRR|flagSourceHit) == 0 {
		return
	}
	own := as4(s.leavingSource(p, ip, r))
	if o := option(ip, uint8(p.Opts[optSRRRR]>>8)); o != nil && flags&flagAddrRR != 0 && int(o[2]) >= 8 {
		copy(o[o[2]-5:], own[:])
	}
	if o := option(ip, uint8(p.Opts[optSRRRR])); o != nil && flags&flagSourceHit != 0 && int(o[2])+3 <= len(o) {
		ip.SetDst4([4]byte(o[o[2]-1:]))
		own = as4(s.leavingSource(p, ip, r))
		copy(o[o[2]-1:], own[:])
		o[2] += 4
		if t := option(ip, uint8(p.Opts[optTS])); t != nil && flags&flagAddrTS != 0 && int(t[2]) >= 13 {
			copy(t[t[2]-9:], own[:])
		}
	}
	ip.FillChecksum()
}

// leavingSource returns our address on the link by which p leaves.
// Linux: ip_rt_get_source.
func (s *Inet) leavingSource(p *core.Packet, ip wire.IPv4, r *inRoute) netip.Addr {
	n, out := p.Net(), r.res.Hop.Dev
	fl := fib.Flow{Dst: ip.Dst(), Src: ip.Src(), TOS: ip.TOS(), Oif: int32(out.Index()), Iif: int32(p.InIndex), Mark: p.Mark}
	if res, err := s.FIB.Lookup(n, &fl); err == nil && res.Hop != nil {
		return s.preferredSource(n, res)
	}
	return s.SelectSource(n, out, r.res.Hop.Gw, fib.Global)
}

// echoOptions appends to b the options with which a packet is answered: record
// route and timestamp go on being filled, a source route is turned round (RFC
// 1122 section 3.2.2.6). own is the address that answers. first is where a
// source route makes the answer go, or zero. Linux: __ip_options_echo.
func echoOptions(ip wire.IPv4, own [4]byte, b []byte) (options []byte, first [4]byte) {
	if !ip.HasOptions() {
		return b, first
	}
	set, _, ok := ip.CheckOptions()
	if !ok {
		return b, first
	}
	b = append(b, option(ip, set.RR)...)
	b = append(b, option(ip, set.TS)...)
	if o := option(ip, set.SRR); o != nil {
		b, first = reverseSource(o, ip.Src4(), own, b)
	}
	for len(b)%4 != 0 {
		b = append(b, wire.OptEOL)
	}
	return b, first
}

// reverseSource appends the way back over the hops that a source route records,
// and returns the first of them, which the header's destination is.
func reverseSource(o []byte, src, own [4]byte, b []byte) ([]byte, [4]byte) {
	done := min(int(o[2])-1, len(o)) // recorded hops end here
	hops := (done - 3) / 4
	if hops <= 0 {
		return b, [4]byte{}
	}
	hop := func(i int) []byte { return o[3+4*i : 7+4*i] }
	first := [4]byte(hop(hops - 1))
	if first == own && hops > 1 { // the last one recorded is ourselves
		hops--
		first = [4]byte(hop(hops - 1))
	}
	size := 3 + 4*hops
	if len(b)+size > wire.IPv4MaxOptions {
		return b, [4]byte{}
	}
	b = append(b, o[0], uint8(size), 4)
	for i := hops - 2; i >= 0; i-- {
		b = append(b, hop(i)...)
	}
	return append(b, src[:]...), first
}
