package wire

// Kinds of IPv4 options, with their copied and class bits (RFC 791 section 3.1).
const (
	OptEOL   = 0   // end of list, one octet
	OptNOP   = 1   // no operation, one octet
	OptRR    = 7   // record route
	OptTS    = 68  // timestamp
	OptLSRR  = 131 // loose source and record route
	OptCIPSO = 134 // commercial IP security option
	OptSSRR  = 137 // strict source and record route
	OptRA    = 148 // router alert (RFC 2113)

	// OptCopied is the bit of a kind that says: into every fragment.
	OptCopied = 0x80
)

// What a timestamp option holds: the low 4 bits of its fourth octet, over
// which stands the count of hops that found it full (RFC 791 section 3.1).
const (
	OptTSOnly    = 0 // timestamps
	OptTSAddr    = 1 // each after the address of the hop
	OptTSPrespec = 3 // each after an address that the sender asks for
)

// OptionIter steps through the options of a header. Each step takes at least
// one octet, so it ends on any octets.
//
//	for it := wire.EachOption(ip.Options()); it.Next(); {
//		switch it.Kind() { ... }
//	}
type OptionIter struct {
	rest []byte // from the current option on
	size int    // of the current option
	off  int    // of the current option in the options
	bad  bool
}

// EachOption returns an iterator over the octets of the options, before the first.
func EachOption(options []byte) OptionIter { return OptionIter{rest: options} }

// Next goes to the next option, which may be OptNOP, and reports whether there
// is one: not after the last octet, nor at OptEOL, nor at an option whose
// length is less than 2 or more than what is left.
func (it *OptionIter) Next() bool {
	if it.bad {
		return false
	}
	it.rest, it.off, it.size = it.rest[it.size:], it.off+it.size, 0
	switch {
	case len(it.rest) == 0 || it.rest[0] == OptEOL:
		return false
	case it.rest[0] == OptNOP:
		it.size = 1
	case len(it.rest) < 2 || it.rest[1] < 2 || int(it.rest[1]) > len(it.rest):
		it.bad = true
		return false
	default:
		it.size = int(it.rest[1])
	}
	return true
}

// Kind returns the current option's first octet. Before the first Next and
// after the last it is OptEOL.
func (it *OptionIter) Kind() uint8 {
	if it.size == 0 {
		return OptEOL
	}
	return it.rest[0]
}

// Bytes returns the current option with its kind and length, for reading or
// writing; it has 1 octet for OptNOP and 2 or more for all others.
func (it *OptionIter) Bytes() []byte { return it.rest[:it.size:it.size] }

// Offset returns where in the options the current one starts or, once Next
// was false, where it stopped.
func (it *OptionIter) Offset() int { return it.off }

// Bad reports whether Next was false because of an option's length.
func (it *OptionIter) Bad() bool { return it.bad }

// OptionSet says which options a header has. Each offset is in octets from
// the start of the header, and 0 if there is no such option.
//
// Linux: struct ip_options, include/net/inet_sock.h.
type OptionSet struct {
	SRR         uint8 // OptLSRR or OptSSRR
	RR          uint8
	TS          uint8
	RouterAlert uint8 // only with the value 0, "examine packet" (RFC 2113)
	CIPSO       uint8
	Strict      bool // SRR is OptSSRR
}

// CheckOptions checks the options of a received header against RFC 791
// section 3.1 and RFC 1812 section 5.2.4 and says which there are. ok is false
// if they are malformed; bad is then the pointer for an ICMP parameter
// problem, the offset of the octet at fault from the start of the header.
// What an option asks for is not done here, and nothing is written.
//
// It agrees with Linux to the octet, in its leniency too: of a source route
// only the least pointer is looked at here, so whoever follows the route must
// see for himself that an address fits (ip_options_rcv_srr answers with the
// offset of the pointer), and options of an unknown kind pass. CIPSO is taken
// for unknown, though Linux refuses a second one, and looks inside.
//
// Linux: __ip_options_compile, net/ipv4/ip_options.c.
func (ip IPv4) CheckOptions() (set OptionSet, bad int, ok bool) {
	it := EachOption(ip.Options())
	for it.Next() {
		o, at, fault := it.Bytes(), uint8(IPv4Len+it.Offset()), -1
		switch it.Kind() {
		case OptLSRR, OptSSRR:
			fault = checkSRR(o, set.SRR != 0)
			set.SRR, set.Strict = at, o[0] == OptSSRR
		case OptRR:
			fault = checkRR(o, set.RR != 0)
			set.RR = at
		case OptTS:
			fault = checkTS(o, set.TS != 0)
			set.TS = at
		case OptRA:
			if len(o) < 4 {
				fault = 1
			} else if o[2] == 0 && o[3] == 0 {
				set.RouterAlert = at
			}
		case OptCIPSO:
			set.CIPSO = at
		}
		if fault >= 0 {
			return OptionSet{}, int(at) + fault, false
		}
	}
	if it.Bad() {
		return OptionSet{}, IPv4Len + it.Offset(), false
	}
	return set, 0, true
}

// The checks return the offset of the octet at fault in the option, or -1.

// checkSRR: the pointer counts from 1, and the first address is the fourth octet.
func checkSRR(o []byte, second bool) int {
	switch {
	case len(o) < 3:
		return 1
	case o[2] < 4:
		return 2
	case second:
		return 0
	}
	return -1
}

// checkRR: where the pointer is not past the end, an address must fit.
func checkRR(o []byte, second bool) int {
	switch {
	case second:
		return 0
	case len(o) < 3:
		return 1
	case o[2] < 4, fits(o) && int(o[2])+3 > len(o):
		return 2
	}
	return -1
}

// checkTS: as checkRR, for the size of entry that the flags call for. Where
// the option is full, each hop counts itself as one that was not recorded,
// and the sixteenth makes the datagram wrong.
func checkTS(o []byte, second bool) int {
	switch {
	case second:
		return 0
	case len(o) < 4:
		return 1
	case o[2] < 5:
		return 2
	}
	flag := o[3] & 15
	if !fits(o) {
		if flag != OptTSPrespec && o[3]>>4 == 15 {
			return 3
		}
		return -1
	}
	entry := 4
	if flag == OptTSAddr || flag == OptTSPrespec {
		entry = 8
	}
	if int(o[2])+entry-1 > len(o) {
		return 2
	}
	return -1
}

// fits reports whether an option's pointer is not yet past its end.
func fits(o []byte) bool { return int(o[2]) <= len(o) }
