package wire

// Sizes of MLD in octets (RFC 2710 section 3, RFC 3810 section 5).
const (
	MLDLen          = 24 // a query of MLDv1, a report of it, or a done
	MLDv2QueryLen   = 28 // an MLDv2 query without sources
	MLDv2ReportLen  = 8  // an MLDv2 report without records
	GroupRecord6Len = 20 // a record without sources
	mldGroupAt      = 8
	groupSource6Len = 16

	MLDAlertLen = 8 // of MLDAlert, in octets
)

// MLDAlert is the hop-by-hop header that every MLD message is sent with: the
// router alert option (RFC 2711) with the value for MLD, and padding. Its first
// octet is that of the header behind it.
func MLDAlert() [MLDAlertLen]byte {
	return [MLDAlertLen]byte{ProtoICMPv6, 0, TLVRouterAlert, 2, 0, 0, TLVPadN, 0}
}

// An MLD is a multicast listener message from its ICMPv6 header to the end of
// its datagram: of type [ICMP6MLDQuery], [ICMP6MLDReport], [ICMP6MLDDone] or
// [ICMP6MLD2Report]. Its records are of the types of IGMPv3's.
//
// Linux: struct mld_msg, mld2_query and mld2_report, include/net/mld.h.
type MLD []byte

// ParseMLD returns b as a message; ok is false if it is of another type, shorter
// than its type needs, or, being of MLDv2, shorter than what it says it holds. A
// query of 24 octets is one of MLDv1; one of 25 to 27 is none (RFC 3810 section
// 8.1). The checksum is not looked at.
func ParseMLD(b []byte) (m MLD, ok bool) {
	if len(b) < MLDv2ReportLen {
		return nil, false
	}
	m = MLD(b)
	switch m.Type() {
	case ICMP6MLDQuery:
		ok = len(b) == MLDLen || len(b) >= MLDv2QueryLen && len(b) >= MLDv2QueryLen+groupSource6Len*m.NumSources()
	case ICMP6MLDReport, ICMP6MLDDone:
		ok = len(b) >= MLDLen
	case ICMP6MLD2Report:
		rest := b[MLDv2ReportLen:]
		ok = true
		for left := int(get16(m[6:8])); ok && left > 0; left-- {
			_, rest, ok = cutRecord6(rest)
		}
	}
	return m, ok
}

// Type returns the message's type.
func (m MLD) Type() uint8 { return m[0] }

// MaxDelay returns a query's maximum response code as it stands: in MLDv1 it is
// milliseconds, in MLDv2 it is coded (see [MLDTime]).
func (m MLD) MaxDelay() uint16 { return get16(m[4:6]) }

// Group returns the group that a query, an MLDv1 report or a done is about; zero
// in a general query.
func (m MLD) Group() [16]byte { return [16]byte(m[mldGroupAt : mldGroupAt+16]) }

// V2 reports whether a query is one of MLDv2.
func (m MLD) V2() bool { return len(m) >= MLDv2QueryLen }

// Suppress returns an MLDv2 query's S flag.
func (m MLD) Suppress() bool { return m[24]&8 != 0 }

// Robustness returns an MLDv2 query's QRV, 0 to 7.
func (m MLD) Robustness() int { return int(m[24] & 7) }

// Interval returns an MLDv2 query's QQIC as it is coded: see [IGMPTime].
func (m MLD) Interval() uint8 { return m[25] }

// NumSources returns how many sources an MLDv2 query says it names.
func (m MLD) NumSources() int {
	if !m.V2() {
		return 0
	}
	return int(get16(m[26:28]))
}

// Source returns source i of an MLDv2 query.
func (m MLD) Source(i int) [16]byte {
	at := MLDv2QueryLen + groupSource6Len*i
	return [16]byte(m[at : at+groupSource6Len])
}

// MLDTime decodes a maximum response code of MLDv2, in milliseconds: below 32768
// as it is, beyond that a floating-point number of 3 bits of exponent and 12 of
// mantissa (RFC 3810 section 5.1.3).
func MLDTime(code uint16) int {
	if code < 0x8000 {
		return int(code)
	}
	return (int(code&0xfff) | 0x1000) << (code>>12&7 + 3)
}

// A GroupRecord6 is one of an MLDv2 report, with its sources and auxiliary data.
type GroupRecord6 []byte

// Type returns the record's type.
func (r GroupRecord6) Type() uint8 { return r[0] }

// Group returns the group that the record is about.
func (r GroupRecord6) Group() [16]byte { return [16]byte(r[4:20]) }

// NumSources returns how many sources the record has.
func (r GroupRecord6) NumSources() int { return int(get16(r[2:4])) }

// Source returns source i.
func (r GroupRecord6) Source(i int) [16]byte {
	at := GroupRecord6Len + groupSource6Len*i
	return [16]byte(r[at : at+groupSource6Len])
}

func cutRecord6(b []byte) (r GroupRecord6, rest []byte, ok bool) {
	if len(b) < GroupRecord6Len {
		return nil, nil, false
	}
	k := GroupRecord6Len + groupSource6Len*int(get16(b[2:4])) + 4*int(b[1])
	if len(b) < k {
		return nil, nil, false
	}
	return GroupRecord6(b[:k]), b[k:], true
}

// Records returns the records of an MLDv2 report that was parsed.
func (m MLD) Records() (list []GroupRecord6) {
	rest := []byte(m[MLDv2ReportLen:])
	for range int(get16(m[6:8])) {
		r, after, ok := cutRecord6(rest)
		if !ok {
			break
		}
		list, rest = append(list, r), after
	}
	return list
}

// AppendMLD appends a message of MLDv1 about a group to b. The checksum is left
// to [ICMPv6.FillChecksum], which needs to know who sends it to whom.
func AppendMLD(b []byte, typ uint8, maxDelay uint16, group [16]byte) []byte {
	b = append(b, typ, 0, 0, 0, byte(maxDelay>>8), byte(maxDelay), 0, 0)
	return append(b, group[:]...)
}

// AppendGroupRecord6 appends a record to an MLDv2 report that b is from its
// first octet on; an empty b becomes one. The checksum is left to
// [ICMPv6.FillChecksum].
func AppendGroupRecord6(b []byte, typ uint8, group [16]byte, sources [][16]byte) []byte {
	if len(b) == 0 {
		b = append(b, ICMP6MLD2Report, 0, 0, 0, 0, 0, 0, 0)
	}
	put16(b[6:8], get16(b[6:8])+1)
	b = append(b, typ, 0, byte(len(sources)>>8), byte(len(sources)))
	b = append(b, group[:]...)
	for _, s := range sources {
		b = append(b, s[:]...)
	}
	return b
}
