package link

import (
	"sync"
	"time"

	"nsmodel/core"
	"nsmodel/core/link/afpacket"
	"nsmodel/core/wire"
)

// nicQueue is a worker's share of a kernel interface: a socket whose frames the
// worker reads, and a batch of packets to be written to it when the turn ends.
// Linux: a NIC's pair of queues with its struct napi_struct.
type nicQueue struct {
	nic  *nic
	sock *afpacket.Socket
	told uint64 // under rtnl: drops already added to the device's

	// the worker's
	frames  [core.Budget]afpacket.Frame
	packets [core.Budget]*core.Packet
	looked  time.Duration // when it last looked for an error

	mu      sync.Mutex
	batch   []*core.Packet // to be written
	blocked bool           // the kernel can take no more; the device's queue is stopped
	asked   bool           // somebody will flush

	writing sync.Mutex // held around Write; taken before mu
	out     []afpacket.Out
	going   []*core.Packet // being written
	tries   int            // turns for which the kernel's queue has been full
}

// maxTries is how many turns a full kernel queue is waited for before what waits
// is thrown away. Linux: a NIC's watchdog_timeo, by time.
const maxTries = 10000

func newQueue(x *nic, s *afpacket.Socket) *nicQueue {
	return &nicQueue{nic: x, sock: s, out: make([]afpacket.Out, afpacket.Batch), going: make([]*core.Packet, 0, afpacket.Batch)}
}

// FD becomes readable when there is something to do: frames, or room in a kernel
// queue that was full.
func (q *nicQueue) FD() int {
	q.mu.Lock()
	blocked := q.blocked
	q.mu.Unlock()
	if blocked {
		if fd, err := q.sock.WriteFD(); err == nil {
			return fd
		}
	}
	return q.sock.FD()
}

// Poll hands up to budget frames to the device. Linux: napi_poll of a NIC.
func (q *nicQueue) Poll(w *core.Worker, budget int) int {
	if q.isBlocked() {
		q.push(w)
	}
	frames := q.frames[:min(budget, len(q.frames))]
	n := q.sock.Read(frames)
	if n == 0 && !w.Pending() && q.sock.Gather() {
		n = q.sock.Read(frames)
	}
	if n == 0 {
		q.takeError(w.Now())
		return 0
	}
	// First all frames become packets: the copies, each of memory that another CPU
	// wrote, overlap, and the kernel has its ring back before the work begins.
	d, k := q.nic.dev, 0
	for i := range frames[:n] {
		if frames[i].Cut() {
			d.CountRxMissed(1)
			continue
		}
		q.packets[k] = packetOf(w, &frames[i])
		k++
	}
	q.sock.Release()
	for i, p := range q.packets[:k] {
		q.packets[i] = nil
		d.Receive(w, p)
	}
	return n
}

// takeError takes the socket's pending error, or poll would say POLLERR for ever;
// Maintain sees why. Looking for it is a system call: once a millisecond will do.
func (q *nicQueue) takeError(now time.Duration) {
	if now >= q.looked+time.Millisecond {
		q.looked = now
		q.sock.TakeError()
	}
}

// packetOf makes a packet of a frame. Linux: packet_rcv's other side; the offloads
// as virtio_net_hdr_to_skb reads them.
func packetOf(w *core.Worker, f *afpacket.Frame) *core.Packet {
	p := w.NewFrame(len(f.Data))
	b := p.Bytes()
	copy(b, f.Data)
	if f.Tagged {
		p.VLANProto, p.VLAN = f.TPID, f.TCI
	}
	switch f.Checksum() {
	case afpacket.ChecksumValid:
		p.Checksum = core.ChecksumVerified
	case afpacket.ChecksumUnfinished:
		if v := &f.Vnet; v.Flags&afpacket.NeedsCsum != 0 {
			p.SetPartial(int(v.CsumStart), v.CsumOffset)
		} else if start, field, ok := unfinished(b); ok {
			p.SetPartial(start, field)
		}
	}
	if f.Vnet.GSOType != afpacket.GSONone {
		p.GSOType, p.GSOSize = f.Vnet.GSOType, f.Vnet.GSOSize
	}
	return p
}

// unfinished finds the checksum that the sender left to the device in a frame that
// came without offsets; false where it is none of TCP's or UDP's over IPv4.
// Linux: skb_checksum_setup_ipv4.
func unfinished(frame []byte) (start int, field uint16, ok bool) {
	eth, ok := wire.ParseEthernet(frame)
	if !ok || eth.Type() != wire.EtherTypeIPv4 {
		return 0, 0, false
	}
	ip, ok := wire.ParseIPv4(eth.Payload())
	if !ok {
		return 0, 0, false
	}
	start = wire.EthernetLen + ip.HeaderLen()
	switch ip.Proto() {
	case 6:
		return start, wire.TCPChecksumOffset, true
	case 17:
		return start, wire.UDPChecksumOffset, true
	}
	return 0, 0, false
}

func (q *nicQueue) isBlocked() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.blocked
}

// Xmit gathers p for a write at the end of the turn, in the queue of the worker
// that runs, or on whose behalf a process context does. Linux: ndo_start_xmit
// with xmit_more.
func (x *nic) Xmit(w *core.Worker, d *core.Device, p *core.Packet) {
	list := x.queues.Load()
	if list == nil {
		d.CountTxDropped(1)
		w.Release(p)
		return
	}
	q := (*list)[w.CPU()%len(*list)]
	if !p.InsertVLAN() || p.Len() < wire.EthernetLen || !q.sock.Vnet() && !p.CompleteChecksum() {
		d.CountTxError(1)
		w.Release(p)
		return
	}
	q.mu.Lock()
	q.batch = append(q.batch, p)
	full, ask := len(q.batch) >= afpacket.Batch, !q.asked
	q.asked = true
	q.mu.Unlock()
	if ask {
		w.Defer(q)
	}
	if full {
		q.push(w)
	}
}

// Flush writes what was gathered. Linux: the doorbell.
func (q *nicQueue) Flush(w *core.Worker) {
	q.mu.Lock()
	q.asked = false
	q.mu.Unlock()
	q.push(w)
}

// push writes the batch, and lets the device's queue go on if the kernel was full
// and has taken it all now.
func (q *nicQueue) push(w *core.Worker) {
	if q.write(w) {
		q.nic.dev.WakeQueue(w)
	}
}

// write gives the batch to the kernel, as far as it takes it, and reports whether
// that ends a time in which it was full.
func (q *nicQueue) write(w *core.Worker) (wake bool) {
	q.writing.Lock()
	defer q.writing.Unlock()
	for {
		q.mu.Lock()
		k := min(len(q.batch), cap(q.going)-len(q.going))
		q.going = append(q.going, q.batch[:k]...)
		rest := copy(q.batch, q.batch[k:])
		clear(q.batch[rest:])
		q.batch = q.batch[:rest]
		if len(q.going) == 0 {
			wake, q.blocked = q.blocked, false
			q.mu.Unlock()
			return wake
		}
		q.mu.Unlock()
		if !q.put(w) {
			return false
		}
	}
}
