package wire

import "net/netip"

// Sizes of IPv6 in octets (RFC 8200 sections 3 and 5).
const (
	IPv6Len    = 40    // header without extension headers
	IPv6MaxLen = 65535 // payload, extension headers included; jumbograms (RFC 2675) are not read
	IPv6MinMTU = 1280  // what every link can carry
)

// Extension headers and what ends their chain (IANA "IPv6 Extension Header
// Types").
const (
	ProtoHopByHop = 0
	ProtoRouting  = 43
	ProtoFragment = 44
	ProtoESP      = 50
	ProtoAH       = 51
	ProtoNone     = 59 // no next header
	ProtoDestOpts = 60
)

// IPv6 is a datagram or a fragment of one, from its header to its end. There is
// no header checksum: setters just write.
//
// Linux: struct ipv6hdr, include/uapi/linux/ipv6.h.
type IPv6 []byte

// ParseIPv6 returns b without what follows the datagram, which is padding. ok
// is false if b is less than a header, is not version 6, or its payload is
// longer than b. What is in the payload is not looked at: see EachExt.
//
// Linux: ip6_rcv_core, net/ipv6/ip6_input.c.
func ParseIPv6(b []byte) (ip IPv6, ok bool) {
	if len(b) < IPv6Len || b[0]>>4 != 6 {
		return nil, false
	}
	total := IPv6Len + int(get16(b[4:6]))
	if total > len(b) {
		return nil, false
	}
	return b[:total], true
}

// IPv6Fields are what PutIPv6 writes.
type IPv6Fields struct {
	Class     uint8  // traffic class: DSCP and ECN
	FlowLabel uint32 // 20 bits
	Next      uint8  // protocol of the payload, or its first extension header
	HopLimit  uint8
	Src, Dst  [16]byte
}

// PutIPv6 writes a header in front of the payload that b[IPv6Len:] holds. ok is
// false, and nothing is written, if b is less than a header or more than a
// datagram.
func PutIPv6(b []byte, f IPv6Fields) (ip IPv6, ok bool) {
	if len(b) < IPv6Len || len(b) > IPv6Len+IPv6MaxLen {
		return nil, false
	}
	put32(b[0:4], 6<<28|uint32(f.Class)<<20|f.FlowLabel&0xfffff)
	put16(b[4:6], uint16(len(b)-IPv6Len))
	b[6], b[7] = f.Next, f.HopLimit
	copy(b[8:24], f.Src[:])
	copy(b[24:40], f.Dst[:])
	return b, true
}

// Class returns the octet that holds DSCP and ECN.
func (ip IPv6) Class() uint8 { return ip[0]<<4 | ip[1]>>4 }

// ECN returns the congestion bits, as in [IPv4.ECN].
func (ip IPv6) ECN() uint8 { return ip[1] >> 4 & 3 }

// FlowLabel returns the 20 bits of RFC 6437.
func (ip IPv6) FlowLabel() uint32 { return get32(ip[0:4]) & 0xfffff }

// PayloadLen returns the size of what follows the header in octets, as it
// stands in the header.
func (ip IPv6) PayloadLen() int { return int(get16(ip[4:6])) }

// Next returns the protocol of the payload, or its first extension header.
func (ip IPv6) Next() uint8 { return ip[6] }

// HopLimit returns the number of hops left.
func (ip IPv6) HopLimit() uint8 { return ip[7] }

// Src returns the source address.
func (ip IPv6) Src() netip.Addr { return netip.AddrFrom16([16]byte(ip[8:24])) }

// Src16 is Src as sixteen octets.
func (ip IPv6) Src16() [16]byte { return [16]byte(ip[8:24]) }

// Dst returns the destination address.
func (ip IPv6) Dst() netip.Addr { return netip.AddrFrom16([16]byte(ip[24:40])) }

// Dst16 is Dst as sixteen octets.
func (ip IPv6) Dst16() [16]byte { return [16]byte(ip[24:40]) }

// Payload returns what follows the header, up to the payload length; it is
// never nil.
func (ip IPv6) Payload() []byte {
	return ip[IPv6Len:max(IPv6Len, min(IPv6Len+ip.PayloadLen(), len(ip)))]
}

// SetClass sets DSCP and ECN.
func (ip IPv6) SetClass(c uint8) {
	ip[0] = ip[0]&0xf0 | c>>4
	ip[1] = ip[1]&0x0f | c<<4
}

// SetPayloadLen sets the payload length to n octets; ok is false, and nothing is
// written, if that is more than the view.
func (ip IPv6) SetPayloadLen(n int) (ok bool) {
	if n < 0 || n > len(ip)-IPv6Len || n > IPv6MaxLen {
		return false
	}
	put16(ip[4:6], uint16(n))
	return true
}

// SetNext sets the protocol of the payload.
func (ip IPv6) SetNext(proto uint8) { ip[6] = proto }

// SetHopLimit sets the number of hops left.
func (ip IPv6) SetHopLimit(n uint8) { ip[7] = n }

// DecHopLimit takes one hop off. It reports whether the datagram may go on: at a
// hop limit of 1 or 0 it may not, and is left as it was, for the ICMP error to
// quote (RFC 8200 section 3).
func (ip IPv6) DecHopLimit() bool {
	if ip[7] <= 1 {
		return false
	}
	ip[7]--
	return true
}

// SetSrc16 sets the source address.
func (ip IPv6) SetSrc16(a [16]byte) { copy(ip[8:24], a[:]) }

// SetDst16 sets the destination address.
func (ip IPv6) SetDst16(a [16]byte) { copy(ip[24:40], a[:]) }

// PseudoSum returns the sum of the pseudo header for an upper-layer packet of n
// octets (RFC 8200 section 8.1), to begin its checksum with.
func (ip IPv6) PseudoSum(proto uint8, n int) uint32 {
	return PseudoSum6(ip.Src16(), ip.Dst16(), proto, n)
}

// PseudoSum6 returns the sum of the pseudo header for n octets of proto between
// two IPv6 addresses (RFC 8200 section 8.1).
//
// Linux: csum_ipv6_magic, include/net/ip6_checksum.h.
func PseudoSum6(src, dst [16]byte, proto uint8, n int) uint32 {
	return add32(Sum(src[:], Sum(dst[:], uint32(proto))), uint32(n))
}

// SolicitedNode returns the group in which every owner of the address a is (RFC
// 4291 section 2.7.1). Linux: addrconf_addr_solict_mult.
func SolicitedNode(a [16]byte) [16]byte {
	return [16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]}
}

// MulticastMAC6 returns the group address that carries the IPv6 group g: its
// low 32 bits behind 33:33 (RFC 2464 section 7).
//
// Linux: ipv6_eth_mc_map, include/net/if_inet6.h.
func MulticastMAC6(g [16]byte) MAC { return MAC{0x33, 0x33, g[12], g[13], g[14], g[15]} }

// EUI64 returns the interface identifier of a MAC (RFC 4291 appendix A).
// Linux: addrconf_ifid_eui48.
func (m MAC) EUI64() [8]byte {
	return [8]byte{m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}
}
