package wire

import "net/netip"

// Options of router advertisements beside those of icmp6.go, and the sizes of
// those that have one (RFC 4861 sections 4.6.2 and 4.6.4, RFC 4191 section 2.3).
const (
	NDRouteInfo = 24

	ndPrefixLen = 32
	ndMTULen    = 8
	raLen       = ICMPLen + 8
)

// RA is a router advertisement from its ICMP header to its end (RFC 4861 section
// 4.2). Linux: struct ra_msg, include/net/ndisc.h.
type RA ICMPv6

// RouterAdvert returns a message as a router advertisement; ok is false if it is
// too short for one.
func (m ICMPv6) RouterAdvert() (r RA, ok bool) {
	if len(m) < raLen {
		return nil, false
	}
	return RA(m), true
}

// HopLimit returns the hop limit that hosts are to use; 0: not said.
func (r RA) HopLimit() uint8 { return r[4] }

// Pref returns how the router is to be preferred: 1 high, 0 medium, 3 low, 2 is
// reserved and means medium (RFC 4191 section 2.1).
func (r RA) Pref() uint8 { return r[5] >> 3 & 3 }

// Lifetime returns for how many seconds the router is a default one.
func (r RA) Lifetime() uint16 { return get16(r[6:8]) }

// Reachable returns for how many ms a neighbour counts as reachable; 0: not said.
func (r RA) Reachable() uint32 { return get32(r[8:12]) }

// Retrans returns the ms between solicitations; 0: not said.
func (r RA) Retrans() uint32 { return get32(r[12:16]) }

// Options returns what follows the fixed part.
func (r RA) Options() []byte { return r[raLen:] }

// An NDPrefixInfo is what a prefix option says (RFC 4861 section 4.6.2); lifetimes
// are in seconds, all ones: without end. Linux: struct prefix_info.
type NDPrefixInfo struct {
	Prefix           [16]byte
	Bits             uint8
	OnLink, Auto     bool
	Valid, Preferred uint32
}

// ParseNDPrefix reads a prefix option, from its type on.
func ParseNDPrefix(b []byte) (o NDPrefixInfo, ok bool) {
	if len(b) < ndPrefixLen {
		return o, false
	}
	return NDPrefixInfo{Prefix: [16]byte(b[16:32]), Bits: b[2], OnLink: b[3]&0x80 != 0, Auto: b[3]&0x40 != 0,
		Valid: get32(b[4:8]), Preferred: get32(b[8:12])}, true
}

// An NDRoute is what a route information option says (RFC 4191 section 2.3).
// Linux: struct route_info.
type NDRoute struct {
	Prefix   [16]byte // bits that were not sent are zero
	Bits     uint8
	Pref     uint8 // as [RA.Pref]
	Lifetime uint32
}

// ParseNDRoute reads a route information option, from its type on. ok is false
// if it has not as many octets as its prefix length needs. Linux: the head of
// rt6_route_rcv.
func ParseNDRoute(b []byte) (o NDRoute, ok bool) {
	if len(b) < ndOptUnit || len(b) > 3*ndOptUnit || b[2] > 128 || b[2] > 64 && len(b) < 3*ndOptUnit || b[2] > 0 && len(b) < 2*ndOptUnit {
		return o, false
	}
	o = NDRoute{Bits: b[2], Pref: b[3] >> 3 & 3, Lifetime: get32(b[4:8])}
	copy(o.Prefix[:], b[ndOptUnit:])
	return o, true
}

// ParseNDMTU reads an MTU option, from its type on.
func ParseNDMTU(b []byte) (mtu uint32, ok bool) {
	if len(b) < ndMTULen {
		return 0, false
	}
	return get32(b[4:8]), true
}

// An RAFields is a router advertisement to be written.
type RAFields struct {
	HopLimit, Flags uint8 // Flags: the octet as it goes out
	Pref            uint8 // as [RA.Pref], into the octet
	Lifetime        uint16
	Reachable       uint32 // ms
	Retrans         uint32 // ms
	MTU             uint32 // 0: no option
	Source          MAC    // zero: no option
	Prefixes        []NDPrefixInfo
	Routes          []NDRoute
}

// AppendRA appends the message that f describes to b, without a checksum.
func AppendRA(b []byte, f RAFields) []byte {
	fixed := make([]byte, raLen)
	fixed[0], fixed[4], fixed[5] = ICMP6RouterAdvert, f.HopLimit, f.Flags|f.Pref<<3
	put16(fixed[6:8], f.Lifetime)
	put32(fixed[8:12], f.Reachable)
	put32(fixed[12:16], f.Retrans)
	b = append(b, fixed...)
	if !f.Source.IsZero() {
		b = append(append(b, NDSourceLL, 1), f.Source[:]...)
	}
	if f.MTU != 0 {
		var o [ndMTULen]byte
		o[0], o[1] = NDMTU, 1
		put32(o[4:8], f.MTU)
		b = append(b, o[:]...)
	}
	for _, p := range f.Prefixes {
		var o [ndPrefixLen]byte
		o[0], o[1], o[2] = NDPrefix, ndPrefixLen/ndOptUnit, p.Bits
		if p.OnLink {
			o[3] |= 0x80
		}
		if p.Auto {
			o[3] |= 0x40
		}
		put32(o[4:8], p.Valid)
		put32(o[8:12], p.Preferred)
		copy(o[16:], p.Prefix[:])
		b = append(b, o[:]...)
	}
	for _, r := range f.Routes {
		units := byte(3)
		if r.Bits <= 64 {
			units = 2
		}
		o := make([]byte, int(units)*ndOptUnit)
		o[0], o[1], o[2], o[3] = NDRouteInfo, units, r.Bits, r.Pref<<3
		put32(o[4:8], r.Lifetime)
		copy(o[8:], r.Prefix[:])
		b = append(b, o...)
	}
	return b
}

// AppendRS appends a router solicitation (RFC 4861 section 4.1) to b, without a
// checksum; a zero source leaves the option out.
func AppendRS(b []byte, source MAC) []byte {
	b = append(b, ICMP6RouterSolicit, 0, 0, 0, 0, 0, 0, 0)
	if !source.IsZero() {
		b = append(append(b, NDSourceLL, 1), source[:]...)
	}
	return b
}

// NDSubnet returns a prefix of an option, its host bits zero; not valid if its
// length is none.
func NDSubnet(a [16]byte, bits uint8) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16(a), int(bits)).Masked()
}
