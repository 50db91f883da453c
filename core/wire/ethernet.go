package wire

// EtherTypes (IEEE 802 Numbers, registry of IANA and RFC 9542 section 3).
const (
	EtherTypeIPv4 = 0x0800
	EtherTypeARP  = 0x0806
	EtherTypeVLAN = 0x8100 // IEEE 802.1Q customer tag
	EtherTypeIPv6 = 0x86dd
	EtherTypeQinQ = 0x88a8 // IEEE 802.1ad service tag
	EtherTypeExp1 = 0x88b5 // IEEE 802 local experimental 1
	EtherTypeExp2 = 0x88b6 // IEEE 802 local experimental 2

	// EtherTypeMin is the least value of the type field that is a type;
	// what is less is the length of an IEEE 802.3 frame (RFC 894, RFC 1042).
	EtherTypeMin = 0x0600
)

// Sizes of an Ethernet frame in octets, without preamble and check sequence.
const (
	EthernetLen    = 14   // header
	EthernetMinLen = 60   // what a NIC pads a frame to
	EthernetMTU    = 1500 // payload
)

// Ethernet is a frame from its destination address on, without the check
// sequence.
//
// Linux: struct ethhdr, include/uapi/linux/if_ether.h.
type Ethernet []byte

// ParseEthernet returns b as a frame; ok is false if b is less than a header.
func ParseEthernet(b []byte) (e Ethernet, ok bool) {
	if len(b) < EthernetLen {
		return nil, false
	}
	return b, true
}

// PutEthernet writes a header to the start of b; ok is false, and nothing is
// written, if b is less than a header.
func PutEthernet(b []byte, dst, src MAC, etherType uint16) (e Ethernet, ok bool) {
	if len(b) < EthernetLen {
		return nil, false
	}
	copy(b[0:6], dst[:])
	copy(b[6:12], src[:])
	put16(b[12:14], etherType)
	return b, true
}

// Dst returns the destination address.
func (e Ethernet) Dst() MAC { return MAC(e[0:6]) }

// Src returns the source address.
func (e Ethernet) Src() MAC { return MAC(e[6:12]) }

// Type returns the EtherType, or a length if it is less than EtherTypeMin.
// Of a tagged frame it is that of the outermost tag.
func (e Ethernet) Type() uint16 { return get16(e[12:14]) }

// Payload returns what follows the header, with any padding; it is never nil.
func (e Ethernet) Payload() []byte { return e[EthernetLen:] }

// SetDst sets the destination address.
func (e Ethernet) SetDst(m MAC) { copy(e[0:6], m[:]) }

// SetSrc sets the source address.
func (e Ethernet) SetSrc(m MAC) { copy(e[6:12], m[:]) }

// SetType sets the EtherType.
func (e Ethernet) SetType(t uint16) { put16(e[12:14], t) }
