package wire

import "net/netip"

// Sizes of IPv4 in octets (RFC 791 section 3.1 and 3.2).
const (
	IPv4Len        = 20    // header without options
	IPv4MaxHdrLen  = 60    // header with all the options it can have
	IPv4MaxLen     = 65535 // datagram
	IPv4MinMTU     = 68    // what every link can carry
	IPv4MinReasm   = 576   // what every host can put together
	IPv4MaxOptions = IPv4MaxHdrLen - IPv4Len
)

// The word of IPv4 that tells of fragments (RFC 791 section 3.1).
const (
	IPv4DF       = 0x4000 // don't fragment
	IPv4MF       = 0x2000 // more fragments
	IPv4FragMask = 0x1fff // offset, in units of FragUnit
	FragUnit     = 8      // octets; every fragment but the last is a multiple
)

// Protocol numbers of IPv4 (IANA "Protocol Numbers").
const (
	ProtoICMP   = 1
	ProtoIGMP   = 2
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
	ProtoRaw    = 255
)

// Values of the ECN field, the low 2 bits of TOS (RFC 3168 section 5).
const (
	ECNNotECT = 0
	ECNECT1   = 1
	ECNECT0   = 2
	ECNCE     = 3
)

// IPv4 is a datagram or a fragment of one, from its header to its end. Every
// setter but SetChecksum keeps the header checksum as right or wrong as it was
// (RFC 1624).
//
// Linux: struct iphdr, include/uapi/linux/ip.h.
type IPv4 []byte

// ParseIPv4 returns b without what follows the datagram, which is padding. ok
// is false if b is less than a header, is not version 4, has a header length
// under 5 words, or a total length that is less than the header or more than
// b. Neither the checksum nor the options are looked at: see ChecksumOK and
// CheckOptions.
//
// Linux: ip_rcv_core, net/ipv4/ip_input.c.
func ParseIPv4(b []byte) (ip IPv4, ok bool) {
	if len(b) < IPv4Len || b[0]>>4 != 4 {
		return nil, false
	}
	hdr, total := int(b[0]&15)*4, int(get16(b[2:4]))
	if hdr < IPv4Len || total < hdr || total > len(b) {
		return nil, false
	}
	return b[:total], true
}

// HeaderLen returns the size of the header with its options: 20 to 60 octets.
func (ip IPv4) HeaderLen() int { return max(IPv4Len, min(int(ip[0]&15)*4, len(ip))) }

// TOS returns the octet that holds DSCP and ECN.
func (ip IPv4) TOS() uint8 { return ip[1] }

// DSCP returns the code point of RFC 2474 section 3, 0 to 63.
func (ip IPv4) DSCP() uint8 { return ip[1] >> 2 }

// ECN returns the congestion bits: ECNNotECT, ECNECT0, ECNECT1 or ECNCE.
func (ip IPv4) ECN() uint8 { return ip[1] & 3 }

// TotalLen returns the size of header and payload in octets.
func (ip IPv4) TotalLen() int { return int(get16(ip[2:4])) }

// ID returns the identification that a datagram's fragments share (RFC 6864).
func (ip IPv4) ID() uint16 { return get16(ip[4:6]) }

// DF reports whether routers must not fragment.
func (ip IPv4) DF() bool { return ip[6]&(IPv4DF>>8) != 0 }

// MF reports whether fragments follow this one.
func (ip IPv4) MF() bool { return ip[6]&(IPv4MF>>8) != 0 }

// FragOffset returns where in the datagram's payload this one's starts, in octets.
func (ip IPv4) FragOffset() int { return int(get16(ip[6:8])&IPv4FragMask) * FragUnit }

// IsFragment reports whether this is less than a datagram.
//
// Linux: ip_is_fragment, include/net/ip.h.
func (ip IPv4) IsFragment() bool { return get16(ip[6:8])&(IPv4MF|IPv4FragMask) != 0 }

// TTL returns the number of hops left.
func (ip IPv4) TTL() uint8 { return ip[8] }

// Proto returns the protocol of the payload.
func (ip IPv4) Proto() uint8 { return ip[9] }

// Checksum returns the header checksum as it stands.
func (ip IPv4) Checksum() uint16 { return get16(ip[10:12]) }

// ChecksumOK reports whether the header checksum is right (RFC 1071).
func (ip IPv4) ChecksumOK() bool { return Fold(Sum(ip[:ip.HeaderLen()], 0)) == 0xffff }

// Src returns the source address.
func (ip IPv4) Src() netip.Addr { return netip.AddrFrom4([4]byte(ip[12:16])) }

// Src4 is Src as four octets.
func (ip IPv4) Src4() [4]byte { return [4]byte(ip[12:16]) }

// Dst returns the destination address.
func (ip IPv4) Dst() netip.Addr { return netip.AddrFrom4([4]byte(ip[16:20])) }

// Dst4 is Dst as four octets.
func (ip IPv4) Dst4() [4]byte { return [4]byte(ip[16:20]) }

// HasOptions reports whether the header is more than 20 octets.
func (ip IPv4) HasOptions() bool { return ip[0]&15 > 5 }

// Options returns the octets of the options, 0 to 40 and a multiple of 4.
func (ip IPv4) Options() []byte { return ip[IPv4Len:ip.HeaderLen()] }

// Header returns the header with its options.
func (ip IPv4) Header() []byte { return ip[:ip.HeaderLen()] }

// Payload returns what follows the header, up to the total length; it is never nil.
func (ip IPv4) Payload() []byte {
	hdr := ip.HeaderLen()
	return ip[hdr:max(hdr, min(ip.TotalLen(), len(ip)))]
}

// PseudoSum returns the sum of the pseudo header for a payload of n octets of
// the datagram's protocol, to begin a transport's checksum with.
func (ip IPv4) PseudoSum(n int) uint32 {
	return PseudoSum4(ip.Src4(), ip.Dst4(), ip.Proto(), n)
}

// setWord sets the 16 bits at off and corrects the header checksum.
func (ip IPv4) setWord(off int, v uint16) {
	put16(ip[10:12], Update16(get16(ip[10:12]), get16(ip[off:off+2]), v))
	put16(ip[off:off+2], v)
}

// SetTOS sets DSCP and ECN.
func (ip IPv4) SetTOS(tos uint8) { ip.setWord(0, uint16(ip[0])<<8|uint16(tos)) }

// SetECN sets the congestion bits; of e the low 2 bits count.
func (ip IPv4) SetECN(e uint8) { ip.SetTOS(ip[1]&^3 | e&3) }

// SetTotalLen sets the total length to n octets; ok is false, and nothing is
// written, if that is less than the header or more than the view.
func (ip IPv4) SetTotalLen(n int) (ok bool) {
	if n < ip.HeaderLen() || n > len(ip) || n > IPv4MaxLen {
		return false
	}
	ip.setWord(2, uint16(n))
	return true
}

// SetID sets the identification.
func (ip IPv4) SetID(id uint16) { ip.setWord(4, id) }

// SetFrag sets DF, MF and the fragment offset in octets. ok is false, and
// nothing is written, if the offset is not a multiple of 8 from 0 to 65528.
func (ip IPv4) SetFrag(df, mf bool, offset int) (ok bool) {
	w, ok := fragWord(df, mf, offset)
	if ok {
		ip.setWord(6, w)
	}
	return ok
}

// SetTTL sets the number of hops left.
func (ip IPv4) SetTTL(ttl uint8) { ip.setWord(8, uint16(ttl)<<8|uint16(ip[9])) }

// DecTTL takes one hop off. It reports whether the datagram may go on: at a
// TTL of 1 or 0 it may not, and is left as it was, for the ICMP error to quote
// (RFC 1812 section 5.3.1).
//
// Linux: ip_decrease_ttl, include/net/ip.h, and its callers.
func (ip IPv4) DecTTL() bool {
	if ip[8] <= 1 {
		return false
	}
	ip.SetTTL(ip[8] - 1)
	return true
}

// SetProto sets the protocol of the payload.
func (ip IPv4) SetProto(proto uint8) { ip.setWord(8, uint16(ip[8])<<8|uint16(proto)) }

// SetSrc4 sets the source address.
func (ip IPv4) SetSrc4(a [4]byte) {
	ip.setWord(12, get16(a[0:2]))
	ip.setWord(14, get16(a[2:4]))
}

// SetDst4 sets the destination address.
func (ip IPv4) SetDst4(a [4]byte) {
	ip.setWord(16, get16(a[0:2]))
	ip.setWord(18, get16(a[2:4]))
}

// SetChecksum sets the header checksum as it is given.
func (ip IPv4) SetChecksum(c uint16) { put16(ip[10:12], c) }

// FillChecksum computes the header checksum afresh, as after options changed.
func (ip IPv4) FillChecksum() {
	put16(ip[10:12], 0)
	put16(ip[10:12], Checksum(ip.Header()))
}
