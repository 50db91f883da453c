package wire

import "net/netip"

// ARP operations (RFC 826, "Definitions").
const (
	ARPRequest = 1
	ARPReply   = 2
)

// ARPLen is the size of an ARP packet for IPv4 over Ethernet, in octets.
const ARPLen = 28

// Hardware types of ARP (RFC 826; RFC 1042 for IEEE 802).
const (
	arpEthernet = 1
	arpIEEE802  = 6
)

// ARP is an ARP packet for IPv4 over Ethernet, without padding.
//
// Linux: struct arphdr, include/uapi/linux/if_arp.h.
type ARP []byte

// ARPFields is what PutARP writes. The zero MAC as TargetMAC is what a
// request has, for the target's is asked for.
type ARPFields struct {
	Op                   uint16
	SenderMAC, TargetMAC MAC
	SenderIP, TargetIP   [4]byte
}

// ParseARP returns b as an ARP packet; ok is false if b is less than one, or
// speaks of other addresses than Ethernet's and IPv4's. As in Linux, the
// hardware type may be Ethernet (1) or IEEE 802 (6). The operation is not
// checked.
//
// Linux: arp_rcv and arp_process, net/ipv4/arp.c.
func ParseARP(b []byte) (a ARP, ok bool) {
	if len(b) < ARPLen {
		return nil, false
	}
	if hw := get16(b[0:2]); hw != arpEthernet && hw != arpIEEE802 {
		return nil, false
	}
	if get16(b[2:4]) != EtherTypeIPv4 || b[4] != 6 || b[5] != 4 {
		return nil, false
	}
	return b[:ARPLen], true
}

// PutARP writes an ARP packet to the start of b; ok is false, and nothing is
// written, if b is less than ARPLen.
func PutARP(b []byte, f ARPFields) (a ARP, ok bool) {
	if len(b) < ARPLen {
		return nil, false
	}
	b = b[:ARPLen]
	put16(b[0:2], arpEthernet)
	put16(b[2:4], EtherTypeIPv4)
	b[4], b[5] = 6, 4
	put16(b[6:8], f.Op)
	copy(b[8:14], f.SenderMAC[:])
	copy(b[14:18], f.SenderIP[:])
	copy(b[18:24], f.TargetMAC[:])
	copy(b[24:28], f.TargetIP[:])
	return b, true
}

// Op returns the operation: ARPRequest, ARPReply, or another.
func (a ARP) Op() uint16 { return get16(a[6:8]) }

// SenderMAC returns the sender's hardware address (ar$sha).
func (a ARP) SenderMAC() MAC { return MAC(a[8:14]) }

// SenderIP returns the sender's protocol address (ar$spa).
func (a ARP) SenderIP() netip.Addr { return netip.AddrFrom4(a.SenderIP4()) }

// SenderIP4 is SenderIP as four octets.
func (a ARP) SenderIP4() [4]byte { return [4]byte(a[14:18]) }

// TargetMAC returns the target's hardware address (ar$tha).
func (a ARP) TargetMAC() MAC { return MAC(a[18:24]) }

// TargetIP returns the target's protocol address (ar$tpa).
func (a ARP) TargetIP() netip.Addr { return netip.AddrFrom4(a.TargetIP4()) }

// TargetIP4 is TargetIP as four octets.
func (a ARP) TargetIP4() [4]byte { return [4]byte(a[24:28]) }

// SetOp sets the operation.
func (a ARP) SetOp(op uint16) { put16(a[6:8], op) }

// SetSender sets the sender's two addresses.
func (a ARP) SetSender(m MAC, ip [4]byte) {
	copy(a[8:14], m[:])
	copy(a[14:18], ip[:])
}

// SetTarget sets the target's two addresses.
func (a ARP) SetTarget(m MAC, ip [4]byte) {
	copy(a[18:24], m[:])
	copy(a[24:28], ip[:])
}
