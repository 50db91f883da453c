package wire

// UDPLen is the size of a UDP header in octets.
const UDPLen = 8

// UDP is a UDP datagram over IPv4, from its header to its end. Setters of
// ports leave the checksum as it is.
//
// Linux: struct udphdr, include/uapi/linux/udp.h.
type UDP []byte

// ParseUDP returns the payload of an IPv4 datagram without what follows UDP's
// own length. ok is false if that length is less than a header, as 0 is, or
// more than b (RFC 768). The checksum is not looked at.
//
// Linux: __udp4_lib_rcv, net/ipv4/udp.c.
func ParseUDP(b []byte) (u UDP, ok bool) {
	if len(b) < UDPLen {
		return nil, false
	}
	n := int(get16(b[4:6]))
	if n < UDPLen || n > len(b) {
		return nil, false
	}
	return b[:n], true
}

// PutUDP writes a header before the payload that b[UDPLen:] holds, with the
// checksum over both and the pseudo header. ok is false, and nothing is
// written, if b is less than a header or more than IPv4 can carry.
func PutUDP(b []byte, sport, dport uint16, src, dst [4]byte) (u UDP, ok bool) {
	if u, ok = PutUDPHeader(b, sport, dport); ok {
		u.FillChecksum4(src, dst)
	}
	return u, ok
}

// PutUDPHeader is PutUDP with the checksum 0, which means that there is none.
func PutUDPHeader(b []byte, sport, dport uint16) (u UDP, ok bool) {
	if len(b) < UDPLen || len(b) > IPv4MaxLen-IPv4Len {
		return nil, false
	}
	put16(b[0:2], sport)
	put16(b[2:4], dport)
	put16(b[4:6], uint16(len(b)))
	put16(b[6:8], 0)
	return b, true
}

// SrcPort returns the source port; 0 means that no reply is wanted.
func (u UDP) SrcPort() uint16 { return get16(u[0:2]) }

// DstPort returns the destination port.
func (u UDP) DstPort() uint16 { return get16(u[2:4]) }

// Length returns the size of header and payload in octets, as it stands in the header.
func (u UDP) Length() int { return int(get16(u[4:6])) }

// Checksum returns the checksum as it stands; 0 means that there is none.
func (u UDP) Checksum() uint16 { return get16(u[6:8]) }

// ChecksumOK4 reports whether the checksum is right between two IPv4
// addresses, or there is none (RFC 768; RFC 1122 section 4.1.3.4).
func (u UDP) ChecksumOK4(src, dst [4]byte) bool {
	return u.Checksum() == 0 || Fold(Sum(u, PseudoSum4(src, dst, ProtoUDP, len(u)))) == 0xffff
}

// Payload returns the data; it is never nil.
func (u UDP) Payload() []byte { return u[UDPLen:] }

// SetSrcPort sets the source port.
func (u UDP) SetSrcPort(p uint16) { put16(u[0:2], p) }

// SetDstPort sets the destination port.
func (u UDP) SetDstPort(p uint16) { put16(u[2:4], p) }

// SetChecksum sets the checksum as it is given.
func (u UDP) SetChecksum(c uint16) { put16(u[6:8], c) }

// FillChecksum4 computes the checksum between two IPv4 addresses; one that
// comes to 0 is written as 0xffff (RFC 768).
func (u UDP) FillChecksum4(src, dst [4]byte) {
	u.FillPartial4(src, dst)
	c := Checksum(u)
	if c == 0 {
		c = 0xffff
	}
	put16(u[6:8], c)
}

// FillPartial4 writes only the sum of the pseudo header where the checksum
// belongs. FinishPartial(u, 0, UDPChecksumOffset) makes it whole, later or never.
//
// Linux: CHECKSUM_PARTIAL, include/linux/skbuff.h.
func (u UDP) FillPartial4(src, dst [4]byte) {
	put16(u[6:8], Fold(PseudoSum4(src, dst, ProtoUDP, len(u))))
}

// ChecksumOK6 reports whether the checksum is right between two IPv6 addresses;
// one of 0 is not, for over IPv6 there must be one (RFC 8200 section 8.1).
func (u UDP) ChecksumOK6(src, dst [16]byte) bool {
	return u.Checksum() != 0 && Fold(Sum(u, PseudoSum6(src, dst, ProtoUDP, len(u)))) == 0xffff
}

// FillChecksum6 computes the checksum between two IPv6 addresses; one that comes
// to 0 is written as 0xffff.
func (u UDP) FillChecksum6(src, dst [16]byte) {
	u.FillPartial6(src, dst)
	c := Checksum(u)
	if c == 0 {
		c = 0xffff
	}
	put16(u[6:8], c)
}

// FillPartial6 is FillPartial4 between two IPv6 addresses.
func (u UDP) FillPartial6(src, dst [16]byte) {
	put16(u[6:8], Fold(PseudoSum6(src, dst, ProtoUDP, len(u))))
}
