package afpacket

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const v3Sockaddr = 48 // TPACKET_ALIGN(sizeof(struct tpacket3_hdr))

// blockDesc is struct tpacket_block_desc with its only variant in place.
type blockDesc struct {
	version, toPriv uint32
	h               unix.TpacketHdrV1
}

// ring3 is a TPACKET_V3 ring: the kernel packs frames of any size into a block
// and hands the block over when the next frame does not fit or the retire
// timer fires. A block goes back when its last frame was released.
type ring3 struct {
	mem               []byte
	blockSize, blocks int
	vnet              bool

	cur  int               // block being read
	left int               // frames of it not handed out yet
	next *unix.Tpacket3Hdr // the first of those
	done int               // blocks before cur whose frames are all handed out
}

func (r *ring3) block(i int) *blockDesc {
	return (*blockDesc)(unsafe.Pointer(&r.mem[i*r.blockSize]))
}

func (r *ring3) read(frames []Frame) int {
	r.release()
	n := 0
	for n < len(frames) {
		if r.left == 0 && !r.open() {
			break
		}
		h := r.next
		base := unsafe.Pointer(h)
		f := &frames[n]
		f.Data = unsafe.Slice((*byte)(unsafe.Add(base, h.Mac)), h.Snaplen)
		f.Len = int(h.Len)
		f.Status = h.Status
		f.Kind = Kind(*(*byte)(unsafe.Add(base, v3Sockaddr+sllPkttype)))
		f.setTag(uint16(h.Hv1.Vlan_tci), h.Hv1.Vlan_tpid)
		if r.vnet {
			f.Vnet = *(*VnetHdr)(unsafe.Add(base, int(h.Mac)-vnetHdrLen))
		}
		n++
		if r.left--; r.left > 0 {
			r.next = (*unix.Tpacket3Hdr)(unsafe.Add(base, h.Next_offset))
			continue
		}
		r.done++
		if r.cur++; r.cur == r.blocks {
			r.cur = 0
		}
	}
	return n
}

// open begins the current block if the kernel has handed it over.
func (r *ring3) open() bool {
	for r.done < r.blocks {
		b := r.block(r.cur)
		if atomic.LoadUint32(&b.h.Block_status)&statusUser == 0 {
			return false
		}
		if r.left = int(b.h.Num_pkts); r.left > 0 {
			r.next = (*unix.Tpacket3Hdr)(unsafe.Add(unsafe.Pointer(b), b.h.Offset_to_first_pkt))
			return true
		}
		r.done++
		if r.cur++; r.cur == r.blocks {
			r.cur = 0
		}
	}
	return false
}

func (r *ring3) pending(int) bool {
	return r.left > 0 || r.done < r.blocks && atomic.LoadUint32(&r.block(r.cur).h.Block_status)&statusUser != 0
}

func (r *ring3) release() {
	for ; r.done > 0; r.done-- {
		i := r.cur - r.done
		if i < 0 {
			i += r.blocks
		}
		atomic.StoreUint32(&r.block(i).h.Block_status, unix.TP_STATUS_KERNEL)
	}
}
