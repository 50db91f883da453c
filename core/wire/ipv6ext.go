package wire

// An Ext walks the extension headers of a datagram (RFC 8200 section 4). It
// stops in front of what is none: a transport, ESP, or no next header; and
// behind a fragment header that is not the first's, for what follows it is not
// a header.
//
// Linux: ipv6_skip_exthdr, net/ipv6/exthdrs_core.c.
type Ext struct {
	b    []byte // the whole datagram
	kind uint8  // of the header it stands at
	at   int    // where that starts
	next uint8  // what follows it
	end  int    // and where
	bad  bool
	done bool
}

// EachExt returns an iterator over ip's extension headers.
func (ip IPv6) EachExt() Ext { return Ext{b: ip, next: ip.Next(), end: IPv6Len} }

// EachExtAt is EachExt from the middle of a chain: b[off:] begins with a header
// of kind next.
func EachExtAt(b []byte, off int, next uint8) Ext { return Ext{b: b, next: next, end: off} }

// IsExt reports whether a protocol number is an extension header's that Ext
// walks over.
//
// Linux: ipv6_ext_hdr, which has ProtoNone among them.
func IsExt(proto uint8) bool {
	switch proto {
	case ProtoHopByHop, ProtoRouting, ProtoFragment, ProtoAH, ProtoDestOpts:
		return true
	}
	return false
}

// Next goes to the next extension header, and reports whether there is one that
// lies within the datagram.
func (e *Ext) Next() bool {
	if e.bad || e.done || !IsExt(e.next) {
		return false
	}
	e.kind, e.at = e.next, e.end
	if len(e.b)-e.at < 8 {
		e.bad = true
		return false
	}
	size := 8
	switch e.kind {
	case ProtoFragment:
		e.done = get16(e.b[e.at+2:])&^7 != 0
	case ProtoAH:
		size = (int(e.b[e.at+1]) + 2) * 4
	default:
		size = (int(e.b[e.at+1]) + 1) * 8
	}
	if size < 8 || size > len(e.b)-e.at {
		e.bad = true
		return false
	}
	e.next, e.end = e.b[e.at], e.at+size
	return true
}

// Kind returns which extension header this is.
func (e *Ext) Kind() uint8 { return e.kind }

// Offset returns where it starts, counted from the datagram's start.
func (e *Ext) Offset() int { return e.at }

// Bytes returns the whole extension header.
func (e *Ext) Bytes() []byte { return e.b[e.at:e.end] }

// Rest returns what follows the headers walked so far: its protocol and where it
// starts. ok is false if a header did not lie within the datagram.
func (e *Ext) Rest() (proto uint8, off int, ok bool) { return e.next, e.end, !e.bad }

// Transport returns the protocol behind all extension headers and where it
// starts. ok is false if the chain is broken, or if this is a fragment that
// holds no start of a transport.
func (ip IPv6) Transport() (proto uint8, off int, ok bool) {
	e := ip.EachExt()
	for e.Next() {
	}
	return e.next, e.end, !e.bad && !e.done
}

// Options of hop-by-hop and destination options headers (RFC 8200 section 4.2;
// IANA "Destination Options and Hop-by-Hop Options").
const (
	TLVPad1        = 0
	TLVPadN        = 1
	TLVRouterAlert = 5    // RFC 2711
	TLVJumbo       = 0xc2 // RFC 2675
)

// Types of routing headers (IANA "Routing Types").
const (
	RoutingRPL      = 3 // RFC 6554
	RoutingSegments = 4 // RFC 8754
)

// A TLV walks the options of a hop-by-hop or destination options header.
// Linux: ip6_parse_tlv, net/ipv6/exthdrs.c.
type TLV struct {
	b      []byte
	at     int
	end    int
	broken bool
}

// EachTLV returns an iterator over the options of the header ext.
func EachTLV(ext []byte) TLV { return TLV{b: ext, at: 2, end: 2} }

// Next goes to the next option, padding included, and reports whether there is
// one.
func (o *TLV) Next() bool {
	if o.broken || o.end >= len(o.b) {
		return false
	}
	o.at = o.end
	if o.b[o.at] == TLVPad1 {
		o.end = o.at + 1
		return true
	}
	if len(o.b)-o.at < 2 || int(o.b[o.at+1]) > len(o.b)-o.at-2 {
		o.broken = true
		return false
	}
	o.end = o.at + 2 + int(o.b[o.at+1])
	return true
}

// Kind returns the option's type, whose upper two bits say what is to be done by
// who does not know it.
func (o *TLV) Kind() uint8 { return o.b[o.at] }

// Offset returns where the option starts in its header.
func (o *TLV) Offset() int { return o.at }

// Data returns the option's data; nil for TLVPad1.
func (o *TLV) Data() []byte {
	if o.b[o.at] == TLVPad1 {
		return nil
	}
	return o.b[o.at+2 : o.end]
}

// OK reports whether all options walked so far lay within the header.
func (o *TLV) OK() bool { return !o.broken }

// Frag6 is a fragment header, eight octets (RFC 8200 section 4.5).
type Frag6 []byte

// Offset returns where in the datagram's fragmentable part this one's starts,
// in octets.
func (f Frag6) Offset() int { return int(get16(f[2:4]) &^ 7) }

// More reports whether fragments follow this one.
func (f Frag6) More() bool { return f[3]&1 != 0 }

// PutFrag6 writes a fragment header to b: what follows it, its offset in octets,
// a multiple of eight, whether fragments follow, and the identification.
func PutFrag6(b []byte, next uint8, off int, more bool, id uint32) Frag6 {
	f := Frag6(b[:8])
	f[0], f[1] = next, 0
	if put16(f[2:4], uint16(off)&^7); more {
		f[3] |= 1
	}
	put32(f[4:8], id)
	return f
}

// ID returns the identification that a datagram's fragments share.
func (f Frag6) ID() uint32 { return get32(f[4:8]) }
