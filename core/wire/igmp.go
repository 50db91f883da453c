package wire

// Types of IGMP messages (RFC 1112 appendix I, RFC 2236 section 2.1, RFC 3376
// section 4).
const (
	IGMPQuery    = 0x11
	IGMPv1Report = 0x12
	IGMPv2Report = 0x16
	IGMPLeave    = 0x17
	IGMPv3Report = 0x22
)

// Types of the group records of an IGMPv3 report (RFC 3376 section 4.2.12).
const (
	RecordIsInclude = 1 + iota
	RecordIsExclude
	RecordToInclude
	RecordToExclude
	RecordAllow
	RecordBlock
)

// Sizes of IGMP in octets.
const (
	IGMPLen         = 8  // every message has as much; an IGMPv3 report's records follow
	IGMPv3QueryLen  = 12 // an IGMPv3 query without sources
	GroupRecordLen  = 8  // a record without sources
	groupSourceLen  = 4
	routerAlertLen  = 4
	routerAlertType = 0x94
)

// RouterAlert is the IP option that every IGMP message carries (RFC 2113).
func RouterAlert() [routerAlertLen]byte { return [routerAlertLen]byte{routerAlertType, routerAlertLen} }

// An IGMP is a message from its first octet to the end of its datagram.
//
// Linux: struct igmphdr, include/uapi/linux/igmp.h.
type IGMP []byte

// ParseIGMP returns b as a message; ok is false if it is less than 8 octets, or,
// being an IGMPv3 query or report, less than what it says it holds. A query of 8
// octets is one of IGMPv1 or v2; one of 9 to 11 is no query (RFC 3376 section
// 7.1). The checksum is not looked at.
func ParseIGMP(b []byte) (m IGMP, ok bool) {
	if len(b) < IGMPLen {
		return nil, false
	}
	m = IGMP(b)
	switch m.Type() {
	case IGMPQuery:
		ok = len(b) == IGMPLen || len(b) >= IGMPv3QueryLen && len(b) >= IGMPv3QueryLen+groupSourceLen*m.NumSources()
	case IGMPv3Report:
		rest, left := m[IGMPLen:], int(get16(m[6:8]))
		for ok = true; ok && left > 0; left-- {
			_, rest, ok = cutRecord(rest)
		}
	default:
		ok = true
	}
	return m, ok
}

// Type returns the message's type.
func (m IGMP) Type() uint8 { return m[0] }

// Code returns the octet that holds a query's max response code.
func (m IGMP) Code() uint8 { return m[1] }

// ChecksumOK reports whether the checksum over the whole message is right.
func (m IGMP) ChecksumOK() bool { return Fold(Sum(m, 0)) == 0xffff }

// Group returns the group that a query, a v1 or v2 report or a leave is about;
// zero in a general query.
func (m IGMP) Group() [4]byte { return [4]byte(m[4:8]) }

// V3 reports whether a query is one of IGMPv3.
func (m IGMP) V3() bool { return len(m) >= IGMPv3QueryLen }

// Suppress returns an IGMPv3 query's S flag.
func (m IGMP) Suppress() bool { return m[8]&8 != 0 }

// Robustness returns an IGMPv3 query's QRV, 0 to 7.
func (m IGMP) Robustness() int { return int(m[8] & 7) }

// Interval returns an IGMPv3 query's QQIC as it is coded: see [IGMPTime].
func (m IGMP) Interval() uint8 { return m[9] }

// NumSources returns how many sources an IGMPv3 query says it names.
func (m IGMP) NumSources() int {
	if !m.V3() {
		return 0
	}
	return int(get16(m[10:12]))
}

// Source returns source i of an IGMPv3 query.
func (m IGMP) Source(i int) [4]byte { return [4]byte(m[IGMPv3QueryLen+groupSourceLen*i:]) }

// IGMPTime decodes a max response code or a QQIC: up to 127 as it is, beyond
// that a floating-point number of 3 bits of exponent and 4 of mantissa (RFC 3376
// sections 4.1.1 and 4.1.7).
func IGMPTime(code uint8) int {
	if code < 128 {
		return int(code)
	}
	return (int(code&15) | 16) << (code>>4&7 + 3)
}

// A GroupRecord is one of an IGMPv3 report, with its sources and auxiliary data.
type GroupRecord []byte

// Type returns the record's type.
func (r GroupRecord) Type() uint8 { return r[0] }

// Group returns the group that the record is about.
func (r GroupRecord) Group() [4]byte { return [4]byte(r[4:8]) }

// NumSources returns how many sources the record has.
func (r GroupRecord) NumSources() int { return int(get16(r[2:4])) }

// Source returns source i.
func (r GroupRecord) Source(i int) [4]byte {
	return [4]byte(r[GroupRecordLen+groupSourceLen*i:])
}

func cutRecord(b []byte) (r GroupRecord, rest []byte, ok bool) {
	if len(b) < GroupRecordLen {
		return nil, nil, false
	}
	k := GroupRecordLen + groupSourceLen*(int(get16(b[2:4]))+int(b[1]))
	if len(b) < k {
		return nil, nil, false
	}
	return GroupRecord(b[:k]), b[k:], true
}

// Records returns the records of an IGMPv3 report that was parsed.
func (m IGMP) Records() (list []GroupRecord) {
	rest := []byte(m[IGMPLen:])
	for range int(get16(m[6:8])) {
		r, after, ok := cutRecord(rest)
		if !ok {
			break
		}
		list, rest = append(list, r), after
	}
	return list
}

// AppendIGMP appends a message of 8 octets about a group to b.
func AppendIGMP(b []byte, typ, code uint8, group [4]byte) []byte {
	at := len(b)
	b = append(b, typ, code, 0, 0)
	b = append(b, group[:]...)
	IGMP(b[at:]).FillChecksum()
	return b
}

// AppendGroupRecord appends a record to an IGMPv3 report that b is from its
// first octet on; an empty b becomes one. The checksum is left to FillChecksum.
func AppendGroupRecord(b []byte, typ uint8, group [4]byte, sources [][4]byte) []byte {
	if len(b) == 0 {
		b = append(b, IGMPv3Report, 0, 0, 0, 0, 0, 0, 0)
	}
	put16(b[6:8], get16(b[6:8])+1)
	b = append(b, typ, 0, byte(len(sources)>>8), byte(len(sources)))
	b = append(b, group[:]...)
	for _, s := range sources {
		b = append(b, s[:]...)
	}
	return b
}

// FillChecksum writes the checksum over the whole message.
func (m IGMP) FillChecksum() {
	put16(m[2:4], 0)
	put16(m[2:4], Checksum(m))
}
