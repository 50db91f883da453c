package wire

// Types of ICMP (RFC 792; IANA "ICMP Type Numbers").
const (
	ICMPEchoReply      = 0
	ICMPDestUnreach    = 3
	ICMPSourceQuench   = 4 // deprecated by RFC 6633
	ICMPRedirect       = 5
	ICMPEcho           = 8
	ICMPTimeExceeded   = 11
	ICMPParamProblem   = 12
	ICMPTimestamp      = 13
	ICMPTimestampReply = 14
)

// Codes of ICMPDestUnreach (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1).
const (
	ICMPNetUnreach    = 0
	ICMPHostUnreach   = 1
	ICMPProtoUnreach  = 2
	ICMPPortUnreach   = 3
	ICMPFragNeeded    = 4
	ICMPSRFailed      = 5
	ICMPNetUnknown    = 6
	ICMPHostUnknown   = 7
	ICMPHostIsolated  = 8
	ICMPNetProhib     = 9
	ICMPHostProhib    = 10
	ICMPNetTOS        = 11
	ICMPHostTOS       = 12
	ICMPAdminProhib   = 13
	ICMPPrecViolation = 14
	ICMPPrecCutoff    = 15
)

// Codes of ICMPRedirect and ICMPTimeExceeded (RFC 792).
const (
	ICMPRedirectNet  = 0
	ICMPRedirectHost = 1
	ICMPTTLExceeded  = 0
	ICMPFragTimeout  = 1
)

// ICMPLen is the size of an ICMP header in octets, with the 4 octets whose
// meaning the type decides.
const ICMPLen = 8

// ICMP is an ICMPv4 message, from its header to its end. Setters leave the
// checksum as it is: FillChecksum comes last.
//
// Linux: struct icmphdr, include/uapi/linux/icmp.h.
type ICMP []byte

// ParseICMP returns the payload of a datagram as a message; ok is false if it
// is less than a header. The checksum is not looked at.
func ParseICMP(b []byte) (m ICMP, ok bool) {
	if len(b) < ICMPLen {
		return nil, false
	}
	return b, true
}

// PutICMP writes a header before the payload that b[ICMPLen:] holds, with the
// checksum over both. rest is the second word of the header. ok is false, and
// nothing is written, if b is less than a header.
func PutICMP(b []byte, typ, code uint8, rest uint32) (m ICMP, ok bool) {
	if len(b) < ICMPLen {
		return nil, false
	}
	b[0], b[1] = typ, code
	put32(b[4:8], rest)
	m = b
	m.FillChecksum()
	return m, true
}

// PutICMPEcho is PutICMP for ICMPEcho and ICMPEchoReply.
func PutICMPEcho(b []byte, typ uint8, id, seq uint16) (m ICMP, ok bool) {
	return PutICMP(b, typ, 0, uint32(id)<<16|uint32(seq))
}

// Type returns the message's type.
func (m ICMP) Type() uint8 { return m[0] }

// Code returns what kind of its type the message is.
func (m ICMP) Code() uint8 { return m[1] }

// Checksum returns the checksum as it stands.
func (m ICMP) Checksum() uint16 { return get16(m[2:4]) }

// ChecksumOK reports whether the checksum is right.
func (m ICMP) ChecksumOK() bool { return Fold(Sum(m, 0)) == 0xffff }

// Rest returns the second word of the header.
func (m ICMP) Rest() uint32 { return get32(m[4:8]) }

// ID returns the identifier of an echo or a timestamp.
func (m ICMP) ID() uint16 { return get16(m[4:6]) }

// Seq returns the sequence number of an echo or a timestamp.
func (m ICMP) Seq() uint16 { return get16(m[6:8]) }

// MTU returns the next hop's MTU in ICMPFragNeeded, 0 from routers that do not
// tell (RFC 1191 section 4).
func (m ICMP) MTU() int { return int(get16(m[6:8])) }

// Pointer returns which octet of the quoted datagram ICMPParamProblem is about.
func (m ICMP) Pointer() uint8 { return m[4] }

// Gateway returns the better router of ICMPRedirect.
func (m ICMP) Gateway() [4]byte { return [4]byte(m[4:8]) }

// Payload returns what follows the header: an echo's data, or the datagram an
// error quotes; it is never nil.
func (m ICMP) Payload() []byte { return m[ICMPLen:] }

// IsError reports whether the message is an error, about which no error is
// ever sent (RFC 1122 section 3.2.2). A message of unknown type is none.
func (m ICMP) IsError() bool {
	switch m[0] {
	case ICMPDestUnreach, ICMPSourceQuench, ICMPRedirect, ICMPTimeExceeded, ICMPParamProblem:
		return true
	}
	return false
}

// SetType sets the message's type.
func (m ICMP) SetType(t uint8) { m[0] = t }

// SetCode sets what kind of its type the message is.
func (m ICMP) SetCode(c uint8) { m[1] = c }

// SetRest sets the second word of the header.
func (m ICMP) SetRest(v uint32) { put32(m[4:8], v) }

// SetID sets the identifier of an echo.
func (m ICMP) SetID(v uint16) { put16(m[4:6], v) }

// SetSeq sets the sequence number of an echo.
func (m ICMP) SetSeq(v uint16) { put16(m[6:8], v) }

// SetChecksum sets the checksum as it is given.
func (m ICMP) SetChecksum(c uint16) { put16(m[2:4], c) }

// FillChecksum computes the checksum over the whole message.
func (m ICMP) FillChecksum() {
	put16(m[2:4], 0)
	put16(m[2:4], Checksum(m))
}

// EchoReply turns an echo into its reply in place, with the checksum
// corrected and not computed, so that what was broken stays so.
func (m ICMP) EchoReply() {
	w := get16(m[0:2])
	m[0], m[1] = ICMPEchoReply, 0
	m.SetChecksum(Update16(m.Checksum(), w, get16(m[0:2])))
}
