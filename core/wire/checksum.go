package wire

import (
	"encoding/binary"
	"math/bits"
)

// Where the checksum stands in a transport's header, in octets.
const (
	UDPChecksumOffset = 6
	TCPChecksumOffset = 16
)

// Sum adds the 16-bit words of b to initial in one's complement (RFC 1071
// section 1), an odd last octet as the high half of a word. Sums can be added
// up in any order; Fold ends them. To go on after an odd number of octets, see
// Combine.
//
// Linux: csum_partial, include/net/checksum.h.
func Sum(b []byte, initial uint32) uint32 {
	// The sum does not depend on the order of octets in a word, if all
	// words have the same and the result is turned back (RFC 1071 section
	// 2(B)): so load words of 8 octets as most machines have them.
	le := binary.LittleEndian
	var s, c uint64
	for len(b) >= 64 {
		p := (*[64]byte)(b)
		s, c = bits.Add64(s, le.Uint64(p[0:8]), 0)
		s, c = bits.Add64(s, le.Uint64(p[8:16]), c)
		s, c = bits.Add64(s, le.Uint64(p[16:24]), c)
		s, c = bits.Add64(s, le.Uint64(p[24:32]), c)
		s, c = bits.Add64(s, le.Uint64(p[32:40]), c)
		s, c = bits.Add64(s, le.Uint64(p[40:48]), c)
		s, c = bits.Add64(s, le.Uint64(p[48:56]), c)
		s, c = bits.Add64(s, le.Uint64(p[56:64]), c)
		s += c // cannot overflow: a sum that carried is not all ones
		b = b[64:]
	}
	if len(b) >= 32 {
		p := (*[32]byte)(b)
		s, c = bits.Add64(s, le.Uint64(p[0:8]), 0)
		s, c = bits.Add64(s, le.Uint64(p[8:16]), c)
		s, c = bits.Add64(s, le.Uint64(p[16:24]), c)
		s, c = bits.Add64(s, le.Uint64(p[24:32]), c)
		s += c
		b = b[32:]
	}
	if len(b) >= 16 {
		p := (*[16]byte)(b)
		s, c = bits.Add64(s, le.Uint64(p[0:8]), 0)
		s, c = bits.Add64(s, le.Uint64(p[8:16]), c)
		s += c
		b = b[16:]
	}
	if len(b) >= 8 {
		s, c = bits.Add64(s, le.Uint64(b), 0)
		s += c
		b = b[8:]
	}
	if len(b) > 0 {
		s, c = bits.Add64(s, tail(b), 0)
		s += c
	}
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	word := bits.ReverseBytes16(Fold(uint32(s)))
	return add32(initial, uint32(word))
}

// tail loads up to 7 octets, little-endian, with zeros after them.
func tail(b []byte) (v uint64) {
	n := 0
	if len(b) >= 4 {
		v, n, b = uint64(binary.LittleEndian.Uint32(b)), 32, b[4:]
	}
	if len(b) >= 2 {
		v |= uint64(binary.LittleEndian.Uint16(b)) << n
		n, b = n+16, b[2:]
	}
	if len(b) >= 1 {
		v |= uint64(b[0]) << n
	}
	return v
}

// add32 adds in one's complement.
func add32(a, b uint32) uint32 {
	s, c := bits.Add32(a, b, 0)
	return s + c
}

// Fold returns a sum as 16 bits, not complemented. It is 0 only if all that
// was added was 0, and 0xffff if that was data together with its checksum.
func Fold(sum uint32) uint16 {
	sum = sum>>16 + sum&0xffff
	return uint16(sum + sum>>16)
}

// Checksum returns the Internet checksum of b (RFC 1071).
func Checksum(b []byte) uint16 { return ^Fold(Sum(b, 0)) }

// Combine adds to sum the sum of a part that starts off octets behind where
// sum started. At an odd offset the part's octets fall into the other halves
// of the words (RFC 1071 section 2(B)).
//
// Linux: csum_block_add, include/net/checksum.h.
func Combine(sum, part uint32, off int) uint32 {
	if off&1 != 0 {
		part = uint32(bits.ReverseBytes16(Fold(part)))
	}
	return add32(sum, part)
}

// PseudoSum4 returns the sum of the pseudo header for n octets of proto
// between two IPv4 addresses (RFC 768, RFC 9293 section 3.1).
//
// Linux: csum_tcpudp_nofold, include/net/checksum.h.
func PseudoSum4(src, dst [4]byte, proto uint8, n int) uint32 {
	return uint32(get16(src[0:2])) + uint32(get16(src[2:4])) +
		uint32(get16(dst[0:2])) + uint32(get16(dst[2:4])) +
		uint32(proto) + uint32(uint16(n))
}

// Update16 returns the checksum after a word it covers went from old to new
// (RFC 1624 section 3, equation 3). A UDP checksum of 0 must not be updated,
// and one that becomes 0 must be written as 0xffff.
//
// Linux: csum_replace2, include/net/checksum.h.
func Update16(check, old, new uint16) uint16 {
	return ^Fold(uint32(^check) + uint32(^old) + uint32(new))
}

// Update32 is Update16 for two words side by side, as an address is.
//
// Linux: csum_replace4, include/net/checksum.h.
func Update32(check uint16, old, new uint32) uint16 {
	return ^Fold(add32(add32(uint32(^check), ^old), new))
}

// FinishPartial completes a checksum that its sender left to the device. b is
// summed from start to its end, and the complement is written at start+offset,
// where the sum of the pseudo header must stand; 0 is written as 0xffff. b
// must end where the packet does, without padding. ok is false, and nothing is
// written, if the checksum does not lie within b.
//
// Linux: skb_checksum_help, net/core/dev.c.
func FinishPartial(b []byte, start, offset int) (ok bool) {
	if start < 0 || start > len(b) || offset < 0 || offset > len(b)-start-2 {
		return false
	}
	b = b[start:]
	c := Checksum(b)
	if c == 0 {
		c = 0xffff
	}
	put16(b[offset:], c)
	return true
}
