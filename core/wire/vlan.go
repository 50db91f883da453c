package wire

// VLANLen is the size of one tag in octets.
const VLANLen = 4

// TCI is a tag's control information (IEEE 802.1Q section 9.6): 3 bits of
// priority, the drop-eligible bit, and 12 bits of VLAN identifier.
type TCI uint16

// MakeTCI builds a TCI; of pcp the low 3 bits count, of vid the low 12.
func MakeTCI(pcp uint8, dei bool, vid uint16) TCI {
	t := TCI(pcp&7)<<13 | TCI(vid&0x0fff)
	if dei {
		t |= 0x1000
	}
	return t
}

// PCP returns the priority code point, 0 to 7.
func (t TCI) PCP() uint8 { return uint8(t >> 13) }

// DEI reports whether the frame may be dropped before others.
func (t TCI) DEI() bool { return t&0x1000 != 0 }

// VID returns the VLAN identifier, 0 to 4095: 0 is a priority tag, 4095 is reserved.
func (t TCI) VID() uint16 { return uint16(t & 0x0fff) }

// VLAN is what follows the EtherType of a tagged frame: the TCI, the type of
// what is inside, and that.
//
// Linux: struct vlan_hdr, include/linux/if_vlan.h.
type VLAN []byte

// ParseVLAN returns the payload of a frame whose type is EtherTypeVLAN or
// EtherTypeQinQ as a tag; ok is false if b is less than a tag.
func ParseVLAN(b []byte) (v VLAN, ok bool) {
	if len(b) < VLANLen {
		return nil, false
	}
	return b, true
}

// TCI returns the tag's control information.
func (v VLAN) TCI() TCI { return TCI(get16(v[0:2])) }

// Type returns the EtherType of the payload, which may be that of another tag.
func (v VLAN) Type() uint16 { return get16(v[2:4]) }

// Payload returns what follows the tag; it is never nil.
func (v VLAN) Payload() []byte { return v[VLANLen:] }

// SetTCI sets the tag's control information.
func (v VLAN) SetTCI(t TCI) { put16(v[0:2], uint16(t)) }

// SetType sets the EtherType of the payload.
func (v VLAN) SetType(t uint16) { put16(v[2:4], t) }

// PushVLAN puts a tag into the frame that starts at buf[off], by moving its
// two addresses into the headroom before it. It returns where the frame starts
// then. ok is false, and nothing is written, if there is less than VLANLen of
// headroom or no whole Ethernet header at off.
//
// Linux: __vlan_insert_tag, include/linux/if_vlan.h.
func PushVLAN(buf []byte, off int, tpid uint16, t TCI) (start int, ok bool) {
	if off < VLANLen || off > len(buf) || len(buf)-off < EthernetLen {
		return off, false
	}
	start = off - VLANLen
	copy(buf[start:start+12], buf[off:off+12])
	put16(buf[start+12:], tpid)
	put16(buf[start+14:], uint16(t))
	return start, true
}

// PopVLAN takes the outermost tag out of the frame that starts at buf[off], by
// moving its two addresses over it. It returns where the frame starts then,
// and the tag. ok is false, and nothing is written, if the frame has no tag of
// type EtherTypeVLAN or EtherTypeQinQ.
//
// Linux: skb_vlan_pop, net/core/skbuff.c.
func PopVLAN(buf []byte, off int) (start int, tpid uint16, t TCI, ok bool) {
	if off < 0 || off > len(buf) || len(buf)-off < EthernetLen+VLANLen {
		return off, 0, 0, false
	}
	tpid = get16(buf[off+12:])
	if !IsVLANType(tpid) {
		return off, 0, 0, false
	}
	t = TCI(get16(buf[off+14:]))
	start = off + VLANLen
	copy(buf[start:start+12], buf[off:off+12])
	return start, tpid, t, true
}

// IsVLANType reports whether a frame of this EtherType starts with a tag.
//
// Linux: eth_type_vlan, include/linux/if_vlan.h.
func IsVLANType(etherType uint16) bool {
	return etherType == EtherTypeVLAN || etherType == EtherTypeQinQ
}
