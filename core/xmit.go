package core

import "sync"

// Xmit sends p, whose data starts at the Ethernet header, by d, and takes it.
// Linux: __dev_queue_xmit.
func (d *Device) Xmit(w *Worker, p *Packet) {
	p.Dev = d
	p.past = false
	d.xmit(w, p)
}

// XmitPast admits p, which a device that stands on d has sent, to d's Net, and
// sends it by d past who looks at what d sends. It is a door.
// Linux: macvlan_queue_xmit.
func (d *Device) XmitPast(w *Worker, p *Packet) {
	if d.arrive(w, p) {
		p.past = true
		d.xmit(w, p)
	}
}

func (d *Device) xmit(w *Worker, p *Packet) {
	if !d.live.Load() {
		d.stats.txDropped.Add(1)
		w.Drop(p, DeviceDown)
		return
	}
	if p.net != d.net.Load() { // d has moved since the caller found it
		d.stats.txDropped.Add(1)
		w.Drop(p, DeviceMoved)
		return
	}
	if d.flags.Load()&FlagLowerUp == 0 { // Linux: noop_qdisc
		d.stats.txDropped.Add(1)
		w.Drop(p, NoCarrier)
		return
	}
	if q := d.qdisc; q != nil {
		q.xmit(w, d, p)
		return
	}
	d.send(w, p)
}

// send hands p to the driver: it leaves its Net here, unless the driver passes it
// on to another device of this Net.
func (d *Device) send(w *Worker, p *Packet) {
	h := d.hooks.Load()
	if h != nil {
		h.tap(w, d, p, true)
	}
	d.stats.txPackets.Add(1)
	d.stats.txBytes.Add(uint64(p.Len()))
	if !d.stacked {
		p.books.sent.Add(1)
	}
	if h != nil && h.egress != nil && !p.past && h.egress(w, d, p) {
		return
	}
	d.driver.Xmit(w, d, p)
}

// Release frees p after a driver has sent it, or has lost it and counted that
// at the device: in the ledger it was sent.
func (w *Worker) Release(p *Packet) { w.free(p) }

// A pfifo is the sending queue of a device whose driver can be busy: first in,
// first out, a bounded number of packets, the newest dropped when it is full.
// Linux: pfifo_qdisc_ops, net/sched/sch_fifo.c.
type pfifo struct {
	mu      sync.Mutex
	packets packetList
	limit   int
	stopped bool // the driver is busy
}

// SetPfifo gives d a sending queue of limit packets; under rtnl, while down.
func (d *Device) SetPfifo(limit int) {
	d.txqlen = int32(limit)
	d.qdisc = &pfifo{limit: limit}
}

func (q *pfifo) xmit(w *Worker, d *Device, p *Packet) {
	q.mu.Lock()
	if !q.stopped && q.packets.n == 0 { // Linux: TCQ_F_CAN_BYPASS
		q.mu.Unlock()
		d.send(w, p)
		return
	}
	if q.packets.n >= q.limit {
		q.mu.Unlock()
		d.stats.txDropped.Add(1)
		w.Drop(p, QdiscDrop)
		return
	}
	q.packets.push(p)
	p.books.held.Add(1)
	q.mu.Unlock()
}

// StopQueue says that the driver can take no more: packets wait in the queue.
// Linux: netif_stop_queue.
func (d *Device) StopQueue() {
	if q := d.qdisc; q != nil {
		q.mu.Lock()
		q.stopped = true
		q.mu.Unlock()
	}
}

// WakeQueue says that the driver can take packets again, and sends what waits
// until it is stopped anew. What waits at a device that is down is left to the
// purge, as in drain. Linux: netif_wake_queue.
func (d *Device) WakeQueue(w *Worker) {
	q := d.qdisc
	if q == nil {
		return
	}
	q.mu.Lock()
	q.stopped = false
	for !q.stopped && q.packets.n > 0 && d.live.Load() {
		p := q.packets.pop()
		q.mu.Unlock()
		p.books.held.Add(-1)
		switch { // as xmit
		case !d.live.Load():
			d.stats.txDropped.Add(1)
			w.Drop(p, DeviceDown)
		case p.net != d.net.Load():
			d.stats.txDropped.Add(1)
			w.Drop(p, DeviceMoved)
		default:
			d.send(w, p)
		}
		q.mu.Lock()
	}
	q.mu.Unlock()
}

func (q *pfifo) purge(w *Worker, d *Device, reason Reason) {
	q.mu.Lock()
	batch := q.packets
	q.packets = packetList{}
	q.stopped = false
	q.mu.Unlock()
	for p := batch.pop(); p != nil; p = batch.pop() {
		p.books.held.Add(-1)
		d.stats.txDropped.Add(1)
		w.Drop(p, reason)
	}
}

// QueueLen returns how many packets wait to be sent by d.
func (d *Device) QueueLen() int {
	q := d.qdisc
	if q == nil {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.packets.n
}
