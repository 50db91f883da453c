package ipv6

import (
	"sync/atomic"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// maxPadding is how many octets of padding may stand in a row: RFC 2460 appendix B
// has the reason.
const maxPadding = 7

// An optionLimit is what a Net says of the options of one kind of header.
type optionLimit struct {
	number  atomic.Int32 // how many at most; less than 0: as many, and no unknown one
	longest atomic.Int32 // octets of the header
}

// hopByHop looks at the options for every router on the way; false if it had to
// drop p. Linux: ipv6_parse_hopopts.
func (s *Inet) hopByHop(w *core.Worker, p *core.Packet, ip wire.IPv6) bool {
	e := ip.EachExt()
	if !e.Next() {
		w.Drop(p, core.BadIPHeader)
		return false
	}
	if !s.options(w, p, e.Bytes(), e.Offset(), &s.conf.Of(p.Net()).hopOptions, func(kind uint8, data []byte, at int) (known, ok bool) {
		switch kind {
		case wire.TLVRouterAlert:
			p.Opts[optFlags] |= flagRouterAlert
			return true, len(data) == 2
		case wire.TLVJumbo:
			s.jumbo(w, p, data, at)
			return true, false
		}
		return false, true
	}) {
		return false
	}
	p.Opts[optNext] = uint16(e.Offset())
	return true
}

// jumbo says what is wrong with a jumbo payload option at an offset: all that
// come are, since no packet here is that long. Linux: ipv6_hop_jumbo.
func (s *Inet) jumbo(w *core.Worker, p *core.Packet, data []byte, at int) {
	switch {
	case len(data) != 4 || at&3 != 2:
	case data[0] == 0 && data[1] == 0: // it would have fitted
		s.paramProblem(w, p, wire.ICMP6BadHeader, at+2)
	default: // there is a payload length, too
		s.paramProblem(w, p, wire.ICMP6BadHeader, at)
	}
}

// options walks the options of a header that starts at off; false if it had to
// drop p. What the upper two bits of an unknown option ask for is done (RFC 8200
// section 4.2). Linux: ip6_parse_tlv.
func (s *Inet) options(w *core.Worker, p *core.Packet, ext []byte, off int, limit *optionLimit, take func(kind uint8, data []byte, at int) (known, ok bool)) bool {
	most := int(limit.number.Load())
	if len(ext) > int(limit.longest.Load()) {
		w.Drop(p, core.BadIPHeader)
		return false
	}
	padding, count := 0, 0
	o := wire.EachTLV(ext)
	for o.Next() {
		switch kind := o.Kind(); kind {
		case wire.TLVPad1, wire.TLVPadN:
			padding++
			if kind == wire.TLVPadN {
				padding += 1 + len(o.Data())
			}
			zero := true
			for _, c := range o.Data() {
				zero = zero && c == 0
			}
			if padding > maxPadding || !zero {
				w.Drop(p, core.BadIPHeader)
				return false
			}
		default:
			padding = 0
			count++
			if count > max(most, -most) {
				w.Drop(p, core.BadIPHeader)
				return false
			}
			known, ok := take(kind, o.Data(), off+o.Offset())
			if known && ok {
				continue
			}
			if known || most < 0 || kind>>6 == 1 {
				w.Drop(p, core.BadIPHeader)
				return false
			}
			if kind>>6 == 0 { // skip it
				continue
			}
			if kind>>6 == 2 || p.Type == core.ToHost {
				s.paramProblem(w, p, wire.ICMP6UnknownOption, off+o.Offset())
			}
			w.Drop(p, core.BadIPHeader)
			return false
		}
	}
	if !o.OK() {
		w.Drop(p, core.BadIPHeader)
		return false
	}
	return true
}

// headers looks at the extension headers of a datagram that is for this Net, and
// returns its transport and where that starts; not ok if it had to end p. Of the
// last fragment it returns the whole.
// Linux: ip6_protocol_deliver_rcu with the handlers of exthdrs.c.
func (s *Inet) headers(w *core.Worker, p *core.Packet, ip wire.IPv6) (whole *core.Packet, proto uint8, off int, ok bool) {
	e := ip.EachExt()
	first := true
	for e.Next() {
		ok := false
		switch e.Kind() {
		case wire.ProtoHopByHop:
			ok = first // it was looked at when it came
			if !ok {
				s.paramProblem(w, p, wire.ICMP6UnknownNext, int(p.Opts[optNext]))
				w.Drop(p, core.NoProtocol)
			}
		case wire.ProtoDestOpts:
			ok = s.options(w, p, e.Bytes(), e.Offset(), &s.conf.Of(p.Net()).dstOptions, func(uint8, []byte, int) (bool, bool) { return false, true })
		case wire.ProtoRouting:
			ok = s.routing(w, p, e.Bytes(), e.Offset())
		case wire.ProtoFragment:
			whole := s.fragmentHeader(w, p, ip, e.Offset())
			if ok = whole != nil; ok && whole != p { // which has none any more
				p, ip, first = whole, whole.Bytes(), false
				e = wire.EachExtAt(ip, int(p.Opts[optHeaders]), ip[p.Opts[optNext]])
				continue
			}
		default: // AH: there is no IPsec
			s.paramProblem(w, p, wire.ICMP6UnknownNext, int(p.Opts[optNext]))
			w.Drop(p, core.NoProtocol)
		}
		if !ok {
			return nil, 0, 0, false
		}
		p.Opts[optNext] = uint16(e.Offset())
		first = false
	}
	if proto, off, ok = e.Rest(); !ok {
		switch e.Kind() {
		case wire.ProtoFragment:
			s.paramProblem(w, p, wire.ICMP6BadHeader, e.Offset())
		case wire.ProtoHopByHop, wire.ProtoAH: // whose header nobody looks into
			s.paramProblem(w, p, wire.ICMP6UnknownNext, int(p.Opts[optNext]))
		}
		w.Drop(p, core.HeaderTooShort)
	}
	return p, proto, off, ok
}

// fragmentHeader looks at the fragment header at off, and returns the datagram:
// p itself if it is whole (RFC 6946), what it completes, or nil if it had to end
// p or keeps it. There is no fragment of a fragment. Linux: ipv6_frag_rcv.
func (s *Inet) fragmentHeader(w *core.Worker, p *core.Packet, ip wire.IPv6, off int) *core.Packet {
	if p.Opts[optFlags]&flagFragmented != 0 {
		s.paramProblem(w, p, wire.ICMP6BadHeader, off)
		w.Drop(p, core.FragmentBad)
		return nil
	}
	if f := wire.Frag6(ip[off:]); f.Offset() > 0 || f.More() {
		return s.reassemble(w, p, ip, off)
	}
	p.Opts[optFlags] |= flagFragmented
	return p
}

// routing looks at a routing header. One that has been gone through to its end
// is passed over; no type is followed further: of type 0 RFC 5095 forbids it, and
// segment routing and RPL's kind have switches in Linux that are off and that are
// not modelled: nobody is told. Linux: ipv6_rthdr_rcv.
func (s *Inet) routing(w *core.Worker, p *core.Packet, ext []byte, off int) bool {
	const typeAt, leftAt = 2, 3
	switch {
	case p.Opts[optFlags]&flagMulticast != 0 || p.Type != core.ToHost:
		w.Drop(p, core.BadIPHeader)
	case ext[typeAt] == wire.RoutingRPL || ext[typeAt] == wire.RoutingSegments:
		w.Drop(p, core.BadIPHeader)
	case ext[leftAt] == 0:
		return true
	default:
		s.paramProblem(w, p, wire.ICMP6BadHeader, off+typeAt)
		w.Drop(p, core.BadIPHeader)
	}
	return false
}
