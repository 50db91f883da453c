package wire

// IPv4Fields is what PutIPv4 writes. The zero value of each field is written
// as it is; TTL 0 too.
type IPv4Fields struct {
	TOS        uint8
	ID         uint16
	DF, MF     bool
	FragOffset int // octets, a multiple of FragUnit
	TTL        uint8
	Proto      uint8
	Src, Dst   [4]byte
	Options    []byte // at most IPv4MaxOptions; filled up to whole words with OptEOL
}

// HeaderLen returns the size of the header that PutIPv4 will write, in octets.
func (f IPv4Fields) HeaderLen() int { return IPv4Len + (len(f.Options)+3)&^3 }

// PutIPv4 writes a header with its checksum to the start of b, and makes all
// of b the datagram: whoever has a larger buffer cuts it first. f.Options may
// lie within b where they will be written. ok is false, and nothing is
// written, if b is less than the header or more than IPv4MaxLen, if the
// options are more than 40 octets, or if the offset cannot be expressed.
func PutIPv4(b []byte, f IPv4Fields) (ip IPv4, ok bool) {
	hdr := f.HeaderLen()
	frag, ok := fragWord(f.DF, f.MF, f.FragOffset)
	if !ok || hdr > IPv4MaxHdrLen || len(b) < hdr || len(b) > IPv4MaxLen {
		return nil, false
	}
	n := copy(b[IPv4Len:hdr], f.Options)
	clear(b[IPv4Len+n : hdr]) // OptEOL
	b[0], b[1] = 4<<4|uint8(hdr/4), f.TOS
	put16(b[2:4], uint16(len(b)))
	put16(b[4:6], f.ID)
	put16(b[6:8], frag)
	b[8], b[9] = f.TTL, f.Proto
	copy(b[12:16], f.Src[:])
	copy(b[16:20], f.Dst[:])
	ip = b
	ip.FillChecksum()
	return ip, true
}

// fragWord packs the word of IPv4 that tells of fragments.
func fragWord(df, mf bool, offset int) (w uint16, ok bool) {
	if offset < 0 || offset > IPv4FragMask*FragUnit || offset%FragUnit != 0 {
		return 0, false
	}
	w = uint16(offset / FragUnit)
	if df {
		w |= IPv4DF
	}
	if mf {
		w |= IPv4MF
	}
	return w, true
}

// FragPayload returns how many octets of payload a fragment that is not the
// last can carry over a link of this MTU behind a header of hdr octets: a
// multiple of FragUnit, and 0 if there is room for none (RFC 791 section 3.2).
func FragPayload(mtu, hdr int) int {
	if mtu <= hdr {
		return 0
	}
	return (mtu - hdr) / FragUnit * FragUnit
}
