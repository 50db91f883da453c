package wire

// Types of ICMPv6 (RFC 4443, RFC 4861, RFC 2710, RFC 3810). Those below 128 are
// errors.
const (
	ICMP6DestUnreach   = 1
	ICMP6PacketTooBig  = 2
	ICMP6TimeExceeded  = 3
	ICMP6ParamProblem  = 4
	ICMP6Echo          = 128
	ICMP6EchoReply     = 129
	ICMP6MLDQuery      = 130
	ICMP6MLDReport     = 131
	ICMP6MLDDone       = 132
	ICMP6RouterSolicit = 133
	ICMP6RouterAdvert  = 134
	ICMP6NeighSolicit  = 135
	ICMP6NeighAdvert   = 136
	ICMP6Redirect      = 137
	ICMP6MLD2Report    = 143
)

// Codes of ICMP6DestUnreach (RFC 4443 section 3.1).
const (
	ICMP6NoRoute       = 0
	ICMP6AdmProhibited = 1
	ICMP6BeyondScope   = 2
	ICMP6AddrUnreach   = 3
	ICMP6PortUnreach   = 4
	ICMP6PolicyFail    = 5
	ICMP6RejectRoute   = 6
)

// Codes of ICMP6TimeExceeded and ICMP6ParamProblem (RFC 4443 sections 3.3, 3.4).
const (
	ICMP6HopLimit      = 0
	ICMP6FragTime      = 1
	ICMP6BadHeader     = 0
	ICMP6UnknownNext   = 1
	ICMP6UnknownOption = 2
	ICMP6FirstFragment = 3 // it has not all headers (RFC 7112)
)

// NDHopLimit is the hop limit of every neighbour discovery packet: one that
// arrives with less was forwarded (RFC 4861 section 6.1.1).
const NDHopLimit = 255

const (
	icmp6FirstNoError = 128
	ndFlagRouter      = 0x80
	ndFlagSolicited   = 0x40
	ndFlagOverride    = 0x20
	ndSolicitLen      = ICMPLen + 16
	ndOptUnit         = 8
)

// ICMPv6 is a message from its header to its end. It has the layout of [ICMP],
// but its checksum covers a pseudo header (RFC 4443 section 2.3).
//
// Linux: struct icmp6hdr, include/uapi/linux/icmpv6.h.
type ICMPv6 []byte

// ParseICMPv6 returns the payload of a datagram as a message; ok is false if it
// is less than a header. The checksum is not looked at.
func ParseICMPv6(b []byte) (m ICMPv6, ok bool) {
	if len(b) < ICMPLen {
		return nil, false
	}
	return b, true
}

// PutICMPv6 writes a header before the payload that b[ICMPLen:] holds, with the
// checksum over both and the pseudo header. ok is false, and nothing is written,
// if b is less than a header.
func PutICMPv6(b []byte, typ, code uint8, rest uint32, src, dst [16]byte) (m ICMPv6, ok bool) {
	if len(b) < ICMPLen {
		return nil, false
	}
	b[0], b[1] = typ, code
	put32(b[4:8], rest)
	m = b
	m.FillChecksum(src, dst)
	return m, true
}

// Type returns the message's type.
func (m ICMPv6) Type() uint8 { return m[0] }

// Code returns what kind of its type the message is.
func (m ICMPv6) Code() uint8 { return m[1] }

// Checksum returns the checksum as it stands.
func (m ICMPv6) Checksum() uint16 { return get16(m[2:4]) }

// ChecksumOK reports whether the checksum is right between two addresses.
func (m ICMPv6) ChecksumOK(src, dst [16]byte) bool {
	return Fold(Sum(m, PseudoSum6(src, dst, ProtoICMPv6, len(m)))) == 0xffff
}

// FillChecksum computes the checksum between two addresses.
func (m ICMPv6) FillChecksum(src, dst [16]byte) {
	put16(m[2:4], 0)
	put16(m[2:4], ^Fold(Sum(m, PseudoSum6(src, dst, ProtoICMPv6, len(m)))))
}

// Rest returns the second word of the header: an MTU, a pointer, flags, or an
// echo's identifier and sequence number.
func (m ICMPv6) Rest() uint32 { return get32(m[4:8]) }

// ID returns the identifier of an echo.
func (m ICMPv6) ID() uint16 { return get16(m[4:6]) }

// Seq returns the sequence number of an echo.
func (m ICMPv6) Seq() uint16 { return get16(m[6:8]) }

// Payload returns what follows the header; it is never nil.
func (m ICMPv6) Payload() []byte { return m[ICMPLen:] }

// IsError reports whether the message is an error, about which no error is ever
// sent (RFC 4443 section 2.4): every type below 128.
func (m ICMPv6) IsError() bool { return m[0] < icmp6FirstNoError }

// Target returns the target of a neighbour solicitation or advertisement; ok is
// false if the message is too short for one.
func (m ICMPv6) Target() (a [16]byte, ok bool) {
	if len(m) < ndSolicitLen {
		return a, false
	}
	return [16]byte(m[ICMPLen:ndSolicitLen]), true
}

// Options returns what follows a neighbour solicitation's or advertisement's
// target.
func (m ICMPv6) Options() []byte { return m[min(ndSolicitLen, len(m)):] }

// A NAFlags are the bits of a neighbour advertisement (RFC 4861 section 4.4).
type NAFlags struct{ Router, Solicited, Override bool }

// Rest returns the flags as the second word of the header.
func (f NAFlags) Rest() (v uint32) {
	for _, x := range [...]struct {
		on  bool
		bit uint32
	}{{f.Router, ndFlagRouter}, {f.Solicited, ndFlagSolicited}, {f.Override, ndFlagOverride}} {
		if x.on {
			v |= x.bit << 24
		}
	}
	return v
}

// NAFlags returns the bits of a neighbour advertisement.
func (m ICMPv6) NAFlags() NAFlags {
	return NAFlags{m[4]&ndFlagRouter != 0, m[4]&ndFlagSolicited != 0, m[4]&ndFlagOverride != 0}
}

// Options of neighbour discovery (RFC 4861 section 4.6).
const (
	NDSourceLL   = 1
	NDTargetLL   = 2
	NDPrefix     = 3
	NDRedirected = 4
	NDMTU        = 5
	NDNonce      = 14 // RFC 3971, for RFC 7527
)

// NDOptions are the options of a neighbour discovery message. Of several of one
// kind the first counts, of prefixes all: they are read from Raw with EachND.
//
// Linux: struct ndisc_options.
type NDOptions struct {
	Raw      []byte
	SourceLL MAC // if HasSource
	TargetLL MAC // if HasTarget
	Nonce    []byte

	HasSource, HasTarget bool
}

// ParseNDOptions reads the options of a neighbour discovery message. ok is false
// if one has length zero or goes beyond the end: the whole message is then
// dropped (RFC 4861 sections 6.1 and 7.1). A link-layer address of another
// length than Ethernet's makes no sense, and is false too.
//
// Linux: ndisc_parse_options, net/ipv6/ndisc.c.
func ParseNDOptions(b []byte) (o NDOptions, ok bool) {
	o.Raw = b
	for it := EachND(b); ; {
		if !it.Next() {
			return o, it.OK()
		}
		switch body := it.Bytes(); it.Kind() {
		case NDSourceLL, NDTargetLL:
			if len(body) != ndOptUnit {
				return o, false
			}
			mac := MAC(body[2:8])
			if it.Kind() == NDSourceLL && !o.HasSource {
				o.SourceLL, o.HasSource = mac, true
			} else if it.Kind() == NDTargetLL && !o.HasTarget {
				o.TargetLL, o.HasTarget = mac, true
			}
		case NDNonce:
			if o.Nonce == nil {
				o.Nonce = body[2:]
			}
		}
	}
}

// An ND walks the options of a neighbour discovery message.
type ND struct {
	b       []byte
	at, end int
	broken  bool
}

// EachND returns an iterator over the options b.
func EachND(b []byte) ND { return ND{b: b} }

// Next goes to the next option and reports whether there is one.
func (o *ND) Next() bool {
	if o.broken || o.end >= len(o.b) {
		return false
	}
	o.at = o.end
	if len(o.b)-o.at < 2 || o.b[o.at+1] == 0 || int(o.b[o.at+1])*ndOptUnit > len(o.b)-o.at {
		o.broken = true
		return false
	}
	o.end = o.at + int(o.b[o.at+1])*ndOptUnit
	return true
}

// Kind returns the option's type.
func (o *ND) Kind() uint8 { return o.b[o.at] }

// Bytes returns the whole option: type, length in units of eight octets, data.
func (o *ND) Bytes() []byte { return o.b[o.at:o.end] }

// OK reports whether all options walked so far had a length and lay within b.
func (o *ND) OK() bool { return !o.broken }

// NDMessageLen returns the size of a neighbour solicitation or advertisement
// with or without a link-layer address.
func NDMessageLen(ll bool) int {
	if ll {
		return ndSolicitLen + ndOptUnit
	}
	return ndSolicitLen
}

// PutND writes a neighbour solicitation or advertisement that fills b, which is
// NDMessageLen octets; kind is the option in which ll goes. ok is false, and
// nothing is written, if b is shorter.
func PutND(b []byte, typ uint8, rest uint32, target [16]byte, kind uint8, ll MAC, src, dst [16]byte) (ok bool) {
	if len(b) < ndSolicitLen {
		return false
	}
	copy(b[ICMPLen:], target[:])
	if len(b) >= ndSolicitLen+ndOptUnit {
		b[ndSolicitLen], b[ndSolicitLen+1] = kind, 1
		copy(b[ndSolicitLen+2:], ll[:])
	}
	PutICMPv6(b, typ, 0, rest, src, dst)
	return true
}
