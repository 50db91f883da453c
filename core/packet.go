package core

import (
	"time"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

// Sizes of a packet's buffer, in bytes.
const (
	// Headroom is left free before the data of a new packet, for the headers
	// that lower layers put in front. Linux: LL_MAX_HEADER with IP's share.
	Headroom = 128
	// smallBuffer holds an Ethernet frame of MTU 1500 with its headroom.
	smallBuffer = 2048
	// largeBuffer holds the largest IP datagram or segment of 64 KiB.
	largeBuffer = 65536 + Headroom + 256
)

// A PacketType says for whom a frame was, seen from the device.
// Linux: PACKET_HOST and its kind, include/uapi/linux/if_packet.h.
type PacketType uint8

// The packet types, with Linux's values.
const (
	ToHost      PacketType = iota // for this device's address
	ToBroadcast                   // for all
	ToMulticast                   // for a group
	ToOther                       // for somebody else; seen since the device is promiscuous
	Outgoing                      // made or forwarded here
	Looped                        // our own broadcast or multicast, coming back
)

// A ChecksumState says what is known of the transport checksum.
// Linux: skb->ip_summed, include/linux/skbuff.h.
type ChecksumState uint8

// The checksum states.
const (
	ChecksumNone     ChecksumState = iota // not known: verify it
	ChecksumVerified                      // somebody trusted verified it (CHECKSUM_UNNECESSARY)
	ChecksumPartial                       // only the pseudo header is summed: complete it before the wire
)

// A Packet is a frame or datagram on its way through one namespace.
// Linux: struct sk_buff, include/linux/skbuff.h.
//
// It carries only what must survive a queue; a route is an argument, not a
// field. A Packet is owned by one goroutine at a time and is not copied.
type Packet struct {
	// the tag, and the ledger that counts for it; written by NewPacket, Clone and
	// Device.arrive alone
	net   *netns.Net
	books *Ledger

	buf  []byte // whole buffer
	off  int    // where the data starts in buf
	end  int    // where it ends
	l3   int    // network header, as offset in buf
	l4   int    // transport header, as offset in buf
	next *Packet
	live bool
	past bool // it has been shared out at Dev: no claim sees it there
	// above says that it reached Dev from a device that stands on Dev.
	above bool

	// Dev is the device the packet arrived at or leaves by.
	Dev *Device
	// Protocol is the EtherType of what the data holds, host byte order.
	Protocol uint16
	// Type says for whom the frame was.
	Type PacketType
	// Checksum is what is known of the transport checksum. With
	// ChecksumPartial, ChecksumStart is the offset in Bytes from which the sum
	// runs and ChecksumOffset that of the field from there.
	Checksum       ChecksumState
	GSOType        uint8 // segmentation kind (VIRTIO_NET_HDR_GSO_*), 0 for a plain packet
	checksumStart  int   // offset in buf
	ChecksumOffset uint16
	// GSOSize is the payload bytes of a segment where the packet stands for
	// several, 0 for a plain one. Linux: skb_shinfo(skb)->gso_size.
	GSOSize uint16
	// VLAN is the tag control information that belongs in front of Protocol,
	// valid if VLANProto is not 0. Linux: skb->vlan_tci, vlan_proto.
	VLAN      uint16
	VLANProto uint16
	// Mark is the firewall mark, chosen by the owner of a namespace.
	Mark uint32
	// Priority is the queueing priority, SO_PRIORITY.
	Priority uint32
	// Hash is the flow hash, 0 if not computed.
	Hash uint32
	// Stamp is when the packet was received, since boot; 0 if not taken.
	Stamp time.Duration
	// InIndex is the interface index by which the packet entered its Net, kept
	// while it is forwarded. Linux: skb->skb_iif.
	InIndex int
	// Conntrack is what connection tracking found, nil without it.
	// Linux: skb->_nfct.
	Conntrack any
	// Opts is scratch for the network layer: IPv4 keeps flags and the option
	// offset here. Linux: skb->cb, struct inet_skb_parm.
	Opts [4]uint16
}

// Net returns the namespace that the packet is processed in.
func (p *Packet) Net() *netns.Net { return p.net }

// Bytes returns the data: from the header of the current layer to the end.
func (p *Packet) Bytes() []byte { return p.buf[p.off:p.end] }

// Len returns the length of the data in bytes.
func (p *Packet) Len() int { return p.end - p.off }

// MemorySize returns the size of the packet's buffer in bytes, which is what a
// queue with a limit on memory counts. Linux: skb->truesize.
func (p *Packet) MemorySize() int { return len(p.buf) }

// Headroom returns how many bytes can be pushed in front of the data.
func (p *Packet) Headroom() int { return p.off }

// Push opens k bytes in front of the data and returns them, or nil if the
// headroom is too small. Linux: skb_push.
func (p *Packet) Push(k int) []byte {
	if k < 0 || k > p.off {
		return nil
	}
	p.off -= k
	return p.buf[p.off : p.off+k]
}

// Pull takes k bytes off the front; false, and nothing changed, if there are
// fewer. Linux: skb_pull.
func (p *Packet) Pull(k int) bool {
	if k < 0 || k > p.end-p.off {
		return false
	}
	p.off += k
	return true
}

// Trim cuts the data to k bytes; more than there are changes nothing.
// Linux: skb_trim.
func (p *Packet) Trim(k int) {
	if k >= 0 && p.off+k < p.end {
		p.end = p.off + k
	}
}

// Append opens k bytes behind the data and returns them, or nil if the buffer
// is too small. Linux: skb_put.
func (p *Packet) Append(k int) []byte {
	if k < 0 || k > len(p.buf)-p.end {
		return nil
	}
	p.end += k
	return p.buf[p.end-k : p.end]
}

// SetL3 notes that the network header starts at offset k of Bytes, and SetL4
// the same for the transport header.
func (p *Packet) SetL3(k int) { p.l3 = p.off + k }

// SetL4 notes that the transport header starts at offset k of Bytes.
func (p *Packet) SetL4(k int) { p.l4 = p.off + k }

// L3 returns the data from the network header on, even after it was pulled.
func (p *Packet) L3() []byte { return p.buf[p.l3:p.end] }

// L4 returns the data from the transport header on.
func (p *Packet) L4() []byte { return p.buf[p.l4:p.end] }

// RestoreL3 moves the start of the data back to the network header.
func (p *Packet) RestoreL3() { p.off = p.l3 }

// SetPartial declares the transport checksum unfinished: it is to be summed
// from offset start of Bytes and stored field bytes behind that.
// Linux: CHECKSUM_PARTIAL with csum_start and csum_offset.
func (p *Packet) SetPartial(start int, field uint16) {
	p.Checksum, p.checksumStart, p.ChecksumOffset = ChecksumPartial, p.off+start, field
}

// ChecksumStart returns the offset in Bytes from which an unfinished checksum
// is to be summed.
func (p *Packet) ChecksumStart() int { return p.checksumStart - p.off }

// CompleteChecksum finishes an unfinished checksum in software; false if the
// packet is too short for what it claims. Linux: skb_checksum_help.
func (p *Packet) CompleteChecksum() bool {
	if p.Checksum != ChecksumPartial {
		return true
	}
	start := p.checksumStart - p.off
	if start < 0 || !wire.FinishPartial(p.Bytes(), start, int(p.ChecksumOffset)) {
		return false
	}
	p.Checksum = ChecksumNone
	return true
}

// InsertVLAN puts the tag that the packet carries beside its data back between
// the addresses and the EtherType of the Ethernet header at the front of Bytes;
// false without room. Linux: __vlan_hwaccel_push_inside.
func (p *Packet) InsertVLAN() bool {
	if p.VLANProto == 0 {
		return true
	}
	if p.Len() < 12 || p.Push(4) == nil {
		return false
	}
	b := p.Bytes()
	copy(b, b[4:16])
	b[12], b[13] = byte(p.VLANProto>>8), byte(p.VLANProto)
	b[14], b[15] = byte(p.VLAN>>8), byte(p.VLAN)
	p.VLANProto, p.VLAN = 0, 0
	return true
}

// reset makes a packet of the pool new.
func (p *Packet) reset() {
	*p = Packet{buf: p.buf, off: Headroom, end: Headroom, l3: Headroom, l4: Headroom, live: true}
}

// scrub clears what must not cross into another namespace, or through a wire.
// It runs at the door, where the tag is written; cross says that the tag
// changed. Linux: skb_scrub_packet and ____dev_forward_skb.
//
// Cleared at every wire:
//
//	Priority   a queueing class belongs to the sender's qdiscs
//	Stamp      the receiver takes its own
//	InIndex    interface indexes are names of one namespace
//	Conntrack  a flow entry belongs to the tables that made it
//	Type       is told anew from the destination address
//	Opts       is scratch of the sender's network layer
//	past       was said of another device, and so was above
//
// Cleared only when the namespace changes:
//
//	Mark       its meaning is the owner's; inside one namespace policy routing
//	           by mark must go on working through a veth pair
//
// Kept, since it describes the bytes and not the path:
//
//	Checksum, GSO   or every crossing would cost a sum of the payload
//	VLAN            is part of the frame
//	Hash            is a function of the headers
func (p *Packet) scrub(cross bool) {
	p.Priority = 0
	p.Stamp = 0
	p.InIndex = 0
	p.Conntrack = nil
	p.Opts = [4]uint16{}
	p.past, p.above = false, false
	if cross {
		p.Mark = 0
	}
}

// A packetList is an intrusive queue of packets.
type packetList struct {
	head, tail *Packet
	n          int
}

func (l *packetList) push(p *Packet) {
	p.next = nil
	if l.tail == nil {
		l.head = p
	} else {
		l.tail.next = p
	}
	l.tail = p
	l.n++
}

func (l *packetList) pop() *Packet {
	p := l.head
	if p == nil {
		return nil
	}
	if l.head = p.next; l.head == nil {
		l.tail = nil
	}
	p.next = nil
	l.n--
	return p
}
