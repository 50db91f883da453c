package afpacket

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// v2Header is the room the kernel takes at the head of a slot: tpacket2_hdr
// and sockaddr_ll, aligned to 16.
const v2Header = 32 + 32

const (
	v2Sockaddr  = 32 // TPACKET_ALIGN(sizeof(struct tpacket2_hdr))
	sllPkttype  = 10 // offset of sll_pkttype in struct sockaddr_ll
	maxOversize = 16 // frames too large for a slot in one batch
)

// ring2 is a TPACKET_V2 ring: equal slots, each with a status word that says
// whose it is. A frame too large for a slot is put whole on the socket's own
// queue instead (PACKET_COPY_THRESH), and the slot, marked TP_STATUS_COPY,
// holds its place in the order.
type ring2 struct {
	s          *Socket
	slots      []*unix.Tpacket2Hdr
	head, held int
	vnet       bool

	big  [maxOversize][]byte // made when first needed
	bigs int                 // how many of them the present batch uses
}

func newRing2(s *Socket, blockSize, blocks, slot int) *ring2 {
	r := &ring2{s: s, vnet: s.vnet}
	for b := range blocks {
		for off := 0; off+slot <= blockSize; off += slot {
			r.slots = append(r.slots, (*unix.Tpacket2Hdr)(unsafe.Pointer(&s.mem[b*blockSize+off])))
		}
	}
	return r
}

func (r *ring2) read(frames []Frame) int {
	r.release()
	n, at := 0, r.head
	frames = frames[:min(len(frames), len(r.slots)-gatherWant)]
	for n < len(frames) {
		h := r.slots[at]
		status := atomic.LoadUint32(&h.Status)
		if status&statusUser == 0 || status&statusCopy != 0 && r.bigs == maxOversize {
			break
		}
		base := unsafe.Pointer(h)
		f := &frames[n]
		f.Data = unsafe.Slice((*byte)(unsafe.Add(base, h.Mac)), h.Snaplen)
		f.Len = int(h.Len)
		f.Status = status
		f.Kind = Kind(*(*byte)(unsafe.Add(base, v2Sockaddr+sllPkttype)))
		f.setTag(h.Vlan_tci, h.Vlan_tpid)
		if r.vnet {
			f.Vnet = *(*VnetHdr)(unsafe.Add(base, int(h.Mac)-vnetHdrLen))
		}
		if status&statusCopy != 0 {
			r.oversize(f)
		}
		n++
		if at++; at == len(r.slots) {
			at = 0
		}
	}
	r.held = n
	return n
}

// oversize takes the whole frame off the socket's queue.
func (r *ring2) oversize(f *Frame) {
	b := r.big[r.bigs]
	if need := f.Len + vnetHdrLen; len(b) < need {
		b = make([]byte, max(need, 66<<10))
		r.big[r.bigs] = b
	}
	n, err := unix.Read(r.s.fd, b)
	for err == unix.EINTR {
		n, err = unix.Read(r.s.fd, b)
	}
	skip := 0
	if r.vnet {
		skip = vnetHdrLen
	}
	if err != nil || n < skip {
		return // stays Cut
	}
	if r.vnet {
		f.Vnet = vnetFrom(b)
	}
	f.Data = b[skip:n]
	r.bigs++
}

func (r *ring2) pending(n int) bool {
	at := (r.head + min(r.held+n, len(r.slots)) - 1) % len(r.slots)
	return atomic.LoadUint32(&r.slots[at].Status)&statusUser != 0
}

func (r *ring2) release() {
	for ; r.held > 0; r.held-- {
		atomic.StoreUint32(&r.slots[r.head].Status, unix.TP_STATUS_KERNEL)
		if r.head++; r.head == len(r.slots) {
			r.head = 0
		}
	}
	r.bigs = 0
}

// setTag notes the VLAN tag. A kernel older than 3.14 gives no TPID; the tag
// was 0x8100 then.
func (f *Frame) setTag(tci, tpid uint16) {
	f.Tagged = f.Status&statusVLAN != 0
	if !f.Tagged {
		f.TCI, f.TPID = 0, 0
		return
	}
	f.TCI, f.TPID = tci, unix.ETH_P_8021Q
	if f.Status&statusTPID != 0 {
		f.TPID = tpid
	}
}

// vnetFrom reads a virtio_net_hdr in the machine's byte order, as AF_PACKET
// gives it.
func vnetFrom(b []byte) VnetHdr {
	ne := binary.NativeEndian
	return VnetHdr{b[0], b[1], ne.Uint16(b[2:]), ne.Uint16(b[4:]), ne.Uint16(b[6:]), ne.Uint16(b[8:])}
}
