package afpacket

import (
	"fmt"
	"net"
)

// RingKind names the receive ring's layout (packet_mmap, "PACKET_VERSION").
type RingKind uint8

const (
	RingDefault RingKind = iota // see the package comment for which it is and why
	RingV2                      // TPACKET_V2: a slot a frame, a wake-up a frame
	RingV3                      // TPACKET_V3: frames packed in blocks, a wake-up a block
)

const defaultRing = RingV2

// Config says how to open a socket. Everything but Interface may be zero.
type Config struct {
	Interface string   // an Ethernet interface in the calling thread's network namespace
	Ring      RingKind // layout of the receive ring
	BlockSize int      // bytes, a multiple of the page size; 0: 128 KiB
	Blocks    int      // 0: 16 for RingV2, 8 for RingV3, so that a socket pins 2 or 1 MiB
	Retire    int      // RingV3: milliseconds until a block with frames is handed over unfilled; 0: 1, the least there is

	Fanout    uint16 // id of the PACKET_FANOUT_HASH group to join; 0: none
	Promisc   bool   // receive frames for every address, until Close
	Qdisc     bool   // send through the interface's queueing discipline instead of past it
	NoVnetHdr bool   // do without virtio_net_hdr: no GSO metadata in, no GSO or unfinished checksums out

	SendBuffer    int // bytes of sent frames the kernel may hold, man 7 socket SO_SNDBUF; 0: 1 MiB
	ReceiveBuffer int // RingV2: bytes of frames too large for a slot that the kernel may hold, SO_RCVBUF; 0: 4 MiB
}

// Kind is the kernel's view of whom a frame is for: sll_pkttype.
type Kind uint8

const (
	ToHost      Kind = 0 // to the interface's own address
	ToBroadcast Kind = 1
	ToMulticast Kind = 2
	ToOther     Kind = 3 // seen only because the interface is promiscuous
	Outgoing    Kind = 4 // never handed out: PACKET_IGNORE_OUTGOING
)

// Checksum is what the kernel knows about a frame's transport checksum.
type Checksum uint8

const (
	ChecksumUnknown    Checksum = iota // must be verified; Linux: CHECKSUM_NONE
	ChecksumUnfinished                 // holds only the pseudo-header's sum; Linux: CHECKSUM_PARTIAL
	ChecksumValid                      // verified already; Linux: CHECKSUM_UNNECESSARY
)

// VnetHdr is Linux's struct virtio_net_hdr (linux/virtio_net.h). The zero value
// means: no segmentation, checksum finished.
type VnetHdr struct {
	Flags      uint8  // NeedsCsum, DataValid
	GSOType    uint8  // GSONone and following
	HdrLen     uint16 // bytes of all headers, a hint
	GSOSize    uint16 // payload bytes a segment
	CsumStart  uint16 // offset in the frame from which to sum
	CsumOffset uint16 // offset from CsumStart at which to store the sum
}

// Values of VnetHdr.Flags and VnetHdr.GSOType.
const (
	NeedsCsum = 1 // CsumStart and CsumOffset are set
	DataValid = 2 // the checksum was verified

	GSONone  = 0
	GSOTCPv4 = 1
	GSOUDP   = 3 // UFO, IP fragments
	GSOTCPv6 = 4
	GSOUDPL4 = 5 // UDP segments, Linux 6.2 and later
	GSOECN   = 0x80
)

// Frame is one received frame. Data points into the ring: it is valid until the
// next Read or Release.
type Frame struct {
	Data   []byte  // from the Ethernet header on, without the VLAN tag that Linux took off
	Len    int     // length in bytes it had in the kernel; more than len(Data) if cut
	Status uint32  // TP_STATUS_ bits as the kernel wrote them
	TCI    uint16  // VLAN priority and id, if Tagged
	TPID   uint16  // EtherType of the tag, 0x8100 or 0x88a8, if Tagged
	Tagged bool    // the kernel took a VLAN tag off
	Kind   Kind    // whom it is for
	Vnet   VnetHdr // segmentation and checksum; zero with Config.NoVnetHdr
}

// Bits of Frame.Status (linux/if_packet.h).
const (
	statusUser      = 1 << 0
	statusCopy      = 1 << 1
	statusCsumOpen  = 1 << 3
	statusVLAN      = 1 << 4
	statusTPID      = 1 << 6
	statusCsumValid = 1 << 7
)

// Cut reports whether the kernel had no room for the whole frame. Such a frame
// can only be dropped.
func (f *Frame) Cut() bool { return f.Len > len(f.Data) }

// Checksum reports the state of the transport checksum.
func (f *Frame) Checksum() Checksum {
	switch {
	case f.Status&statusCsumOpen != 0:
		return ChecksumUnfinished
	case f.Status&statusCsumValid != 0:
		return ChecksumValid
	}
	return ChecksumUnknown
}

// WireLen is the number of bytes that Copy writes: the frame with its tag.
func (f *Frame) WireLen() int {
	if f.Tagged {
		return len(f.Data) + 4
	}
	return len(f.Data)
}

// Copy writes the frame into dst, which must have room for WireLen bytes, with
// the VLAN tag back in its place, and returns the number of bytes. The header
// it returns beside is Vnet with the offsets moved by the tag.
func (f *Frame) Copy(dst []byte) (int, VnetHdr) {
	if !f.Tagged || len(f.Data) < 12 {
		return copy(dst, f.Data), f.Vnet
	}
	v := f.Vnet
	if v.Flags&NeedsCsum != 0 {
		v.CsumStart += 4
	}
	if v.HdrLen != 0 {
		v.HdrLen += 4
	}
	copy(dst, f.Data[:12])
	dst[12], dst[13] = byte(f.TPID>>8), byte(f.TPID)
	dst[14], dst[15] = byte(f.TCI>>8), byte(f.TCI)
	return 16 + copy(dst[16:], f.Data[12:]), v
}

// Out is one frame to send, Ethernet header included. Write sets Err on each
// frame that it takes: nil when the kernel has accepted it.
type Out struct {
	Data []byte
	Vnet VnetHdr // ignored with Config.NoVnetHdr
	Err  error   // a syscall.Errno
}

// Stats counts since Open.
type Stats struct {
	Received uint64 // frames the kernel put in the ring
	Dropped  uint64 // frames for which there was no room
	Freezes  uint64 // RingV3: times the kernel found no free block
	Sent     uint64 // frames handed to the kernel
	Failed   uint64 // frames that the kernel refused for good (EMSGSIZE, EINVAL, ...)
}

// State is what has become of the interface under a socket.
type State uint8

const (
	Up   State = iota
	Down       // administratively down; the socket goes on by itself when it comes up
	Gone       // deleted, or moved to another namespace: close the socket and open a new one
)

// String returns up, down or gone.
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	case Gone:
		return "gone"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Facts describes an interface at one moment.
type Facts struct {
	Name    string
	Index   int
	MAC     net.HardwareAddr
	MTU     int    // bytes of payload after the Ethernet header
	Flags   uint32 // IFF_ bits, man 7 netdevice (the lower 16)
	Up      bool   // IFF_UP: administratively up
	Carrier bool   // IFF_RUNNING: up and with a partner
}

// Event is a change of an interface as the Watcher saw it.
type Event struct {
	Name    string
	Index   int
	Up      bool
	Carrier bool
	Gone    bool // deleted or moved away
	Lost    bool // events were lost (ENOBUFS): look at every interface again; all else is zero
}
