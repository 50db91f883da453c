package link

import (
	"syscall"

	"nsmodel/core"
	"nsmodel/core/link/afpacket"
	"nsmodel/core/wire"
)

// put writes q.going, as far as the kernel takes it; false if it is full. The
// caller holds q.writing.
func (q *nicQueue) put(w *core.Worker) bool {
	d := q.nic.dev
	for i, p := range q.going {
		q.out[i] = afpacket.Out{Data: p.Bytes()}
		if q.sock.Vnet() && (p.Checksum == core.ChecksumPartial || p.GSOSize != 0) {
			q.out[i].Vnet = vnetOf(p)
		}
	}
	n, err := q.sock.Write(q.out[:len(q.going)])
	for i, p := range q.going[:n] {
		if q.out[i].Err != nil {
			d.CountTxError(1)
		}
		w.Release(p)
	}
	rest := copy(q.going, q.going[n:])
	clear(q.going[rest:])
	q.going = q.going[:rest]
	switch {
	case err == nil:
		q.tries = 0
		return true
	case (err == syscall.EAGAIN || err == syscall.ENOBUFS || err == syscall.ENOMEM) && q.tries < maxTries:
		if n > 0 {
			q.tries = 0
		}
		q.tries++
		q.mu.Lock()
		q.blocked = true
		q.mu.Unlock()
		d.StopQueue()
		w.Wake() // it may sleep on frames alone, and would not hear of room
		return false
	}
	// Down, gone, or full for too long: Maintain will find out.
	q.tries = 0
	q.dropGoing(w)
	return true
}

// dropGoing throws away what could not be written.
func (q *nicQueue) dropGoing(w *core.Worker) {
	q.nic.dev.CountTxDropped(uint64(len(q.going)))
	for i, p := range q.going {
		w.Release(p)
		q.going[i] = nil
	}
	q.going = q.going[:0]
}

// lose throws away all that waits; under rtnl, when nobody uses q any more.
func (q *nicQueue) lose(w *core.Worker) {
	q.dropGoing(w)
	q.nic.dev.CountTxDropped(uint64(len(q.batch)))
	for _, p := range q.batch {
		w.Release(p)
	}
	q.batch = nil
}

// vnetOf describes what the kernel is to finish: the checksum, and the cutting of
// a packet that stands for several. Linux: virtio_net_hdr_from_skb.
func vnetOf(p *core.Packet) (v afpacket.VnetHdr) {
	if p.Checksum == core.ChecksumPartial {
		v.Flags = afpacket.NeedsCsum
		v.CsumStart, v.CsumOffset = uint16(p.ChecksumStart()), p.ChecksumOffset
	}
	if p.GSOSize == 0 {
		return v
	}
	v.GSOType, v.GSOSize = p.GSOType, p.GSOSize
	b, l4 := p.Bytes(), int(v.CsumStart)
	switch {
	case v.Flags == 0:
		v.HdrLen = uint16(min(len(b), wire.EthernetLen+20))
	case p.ChecksumOffset == wire.TCPChecksumOffset && l4+12 < len(b):
		v.HdrLen = uint16(l4 + int(b[l4+12]>>4)*4)
	default:
		v.HdrLen = uint16(min(len(b), l4+wire.UDPLen))
	}
	return v
}
