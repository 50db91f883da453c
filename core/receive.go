package core

import (
	"nsmodel/core/wire"
)

// arrive is the second door: p, in nobody's hands but the driver's, becomes a
// packet of d's Net. It reports false if it had to drop p.
//
// A device changes its Net while it is down and after a grace period: what is
// read after live was seen set stays so until this section ends. If it was not
// set, one load still says both the Net and its ledger, or in and dropped could
// be counted in two.
func (d *Device) arrive(w *Worker, p *Packet) bool {
	live := d.live.Load()
	books := d.books.Load()
	if p.Dev != d || p.net != books.net { // else it is a loopback, and did not leave
		p.scrub(p.net != books.net)
	}
	p.net, p.books, p.Dev = books.net, books, d
	p.Stamp = 0
	p.Type = ToHost // until the frame is looked at; never Looped
	p.InIndex = int(d.index.Load())
	books.in.Add(1)
	if !live {
		d.stats.rxDropped.Add(1)
		w.Drop(p, DeviceDown)
		return false
	}
	if !p.net.Alive() {
		d.stats.rxDropped.Add(1)
		w.Drop(p, NetDying)
		return false
	}
	return true
}

// Receive takes a frame that a driver read during the worker's Poll, and
// processes it at once. Linux: netif_receive_skb.
func (d *Device) Receive(w *Worker, p *Packet) {
	if d.arrive(w, p) {
		d.process(w, p)
	}
}

// Queue takes a frame that another device sent, as a veth's peer does, and
// leaves it in d's backlog for a worker. This bounds the depth of the call
// stack, and makes each crossing a point where a scheduler can choose.
// A frame that is longer than d's MTU allows is dropped, unless it stands for
// several. Linux: netif_rx, the ring of veth's NAPI, and is_skb_forwardable.
func (d *Device) Queue(w *Worker, p *Packet) {
	if d.arrive(w, p) {
		d.enqueue(w, p)
	}
}

// Forward is Queue for a frame that no device has sent, so that its Net's ledger
// still has to count it: p leaves by the door that d stands in.
// Linux: dev_forward_skb.
func (d *Device) Forward(w *Worker, p *Packet) {
	p.books.sent.Add(1)
	d.Queue(w, p)
}

// ForwardPast is Forward for a frame that has been shared out already among the
// devices that stand on d: whoever claims d's frames does not see it.
func (d *Device) ForwardPast(w *Worker, p *Packet) {
	p.books.sent.Add(1)
	if d.arrive(w, p) {
		p.past = true
		d.enqueue(w, p)
	}
}

// Forwardable reports whether d's MTU lets p through.
// Linux: is_skb_forwardable.
func (d *Device) Forwardable(p *Packet) bool {
	return p.Len() <= int(d.mtu.Load())+wire.EthernetLen+wire.VLANLen || p.GSOSize != 0
}

// Loop leaves a copy of a broadcast or multicast that d sends, its data at the
// network header, in d's own backlog: this Net may be one of those it is for.
// It has neither left nor come in, so the ledger only sees it held.
// Linux: dev_loopback_xmit.
func (d *Device) Loop(w *Worker, p *Packet) {
	if !d.live.Load() {
		w.Drop(p, DeviceDown)
		return
	}
	p.Dev, p.Type, p.InIndex = d, Looped, int(d.index.Load())
	d.enqueue(w, p)
}

// enqueue puts p into the backlog, and d on the list of a worker.
func (d *Device) enqueue(w *Worker, p *Packet) {
	if !d.Forwardable(p) {
		d.stats.rxDropped.Add(1)
		w.Drop(p, TooBig)
		return
	}
	b := &d.backlog
	b.mu.Lock()
	if b.packets.n >= d.stack.backlog {
		b.mu.Unlock()
		d.stats.rxDropped.Add(1)
		w.Drop(p, BacklogFull)
		return
	}
	b.packets.push(p)
	p.books.held.Add(1)
	first := !b.scheduled
	b.scheduled = true
	b.mu.Unlock()
	if first {
		w.schedule(d)
	}
}

// drain processes up to budget packets of the backlog, in this worker's turn.
func (d *Device) drain(w *Worker, budget int) (done int) {
	b := &d.backlog
	var batch packetList
	// Of a device that is down whoever takes it down purges the backlog, after a
	// grace period and before the books of a dying Net close. A worker may come to d
	// later than that, by its list: what it took then would be dropped too late.
	live := d.live.Load()
	b.mu.Lock()
	for live && batch.n < budget && b.packets.n > 0 {
		batch.push(b.packets.pop())
	}
	b.mu.Unlock()
	for p := batch.pop(); p != nil; p = batch.pop() {
		done++
		p.books.held.Add(-1)
		switch {
		case !d.live.Load():
			d.stats.rxDropped.Add(1)
			w.Drop(p, DeviceDown)
		case p.net != d.net.Load():
			w.Drop(p, DeviceMoved)
		default:
			d.process(w, p)
		}
	}
	// d stays off every list while it is drained, so that no second worker
	// overtakes this one.
	b.mu.Lock()
	again := b.packets.n > 0 && d.live.Load()
	b.scheduled = again
	b.mu.Unlock()
	if again {
		w.schedule(d)
	}
	return done
}

// purge drops what waits at d; under rtnl, d being down, after a grace period.
func (d *Device) purge(w *Worker, reason Reason) {
	b := &d.backlog
	b.mu.Lock()
	batch := b.packets
	b.packets = packetList{}
	b.mu.Unlock()
	for p := batch.pop(); p != nil; p = batch.pop() {
		p.books.held.Add(-1)
		d.stats.rxDropped.Add(1)
		w.Drop(p, reason)
	}
	if q := d.qdisc; q != nil {
		q.purge(w, d, reason)
	}
}

// process hands an arrived frame to the taps, to who claims the device, and to
// the protocol of its EtherType. Linux: __netif_receive_skb_core.
func (d *Device) process(w *Worker, p *Packet) {
	if p.Type == Looped {
		p.SetL3(0)
		w.Stack.toProtocol(w, p)
		return
	}
	d.stats.rxPackets.Add(1)
	d.stats.rxBytes.Add(uint64(p.Len()))
	eth, ok := wire.ParseEthernet(p.Bytes())
	if !ok {
		d.stats.rxErrors.Add(1)
		w.Drop(p, HeaderTooShort)
		return
	}
	p.Type = d.classify(eth.Dst())
	p.Protocol = eth.Type()
round:
	h := d.hooks.Load()
	if h != nil {
		h.tap(w, d, p, false)
	}
	if p.VLANProto == 0 && (p.Protocol == wire.EtherTypeVLAN || p.Protocol == wire.EtherTypeQinQ) {
		if !p.untag() {
			d.stats.rxErrors.Add(1)
			w.Drop(p, LinkHeader)
			return
		}
	}
	if h != nil { // a VLAN comes before who claims the rest, as a bridge
		if p.VLANProto != 0 && h.vlans != nil {
			if up := h.vlans(p); up != nil {
				if !up.rise(w, p) {
					return
				}
				d = up
				goto round
			}
		}
		if h.claim != nil && !p.past && h.claim(w, d, p) {
			return
		}
	}
	p.past = false
	// A tag that names a VLAN which no device stands for makes the frame
	// somebody else's; VLAN 0 is only a priority (802.1Q).
	if p.VLANProto != 0 {
		up, ok := d.innerVLAN(w, p)
		if !ok {
			return
		}
		if up != nil {
			d = up
			goto round
		}
	}
	p.Pull(wire.EthernetLen)
	p.SetL3(0)
	w.Stack.toProtocol(w, p)
}

// Process hands p, which carries its Ethernet header and arrived at a port, to
// the protocols as a frame of d: a bridge delivers to itself with it, within
// one Net. Linux: br_pass_frame_up.
func (d *Device) Process(w *Worker, p *Packet) {
	p.Dev = d
	p.InIndex = d.Index()
	if !d.live.Load() {
		d.stats.rxDropped.Add(1)
		w.Drop(p, DeviceDown)
		return
	}
	d.process(w, p)
}

// classify tells for whom a frame is. Linux: eth_type_trans.
func (d *Device) classify(dst wire.MAC) PacketType {
	v := packMAC(dst)
	switch {
	case v == d.addr.Load():
		return ToHost
	case v == 0xffff_ffff_ffff:
		return ToBroadcast
	case dst[0]&1 != 0:
		return ToMulticast
	}
	if d.greedy {
		return ToHost
	}
	return ToOther
}

// untag moves the VLAN tag of the frame beside it. Linux: skb_vlan_untag.
func (p *Packet) untag() bool {
	b := p.Bytes()
	if len(b) < wire.EthernetLen+4 {
		return false
	}
	p.VLANProto = p.Protocol
	p.VLAN = uint16(b[14])<<8 | uint16(b[15])
	p.Protocol = uint16(b[16])<<8 | uint16(b[17])
	copy(b[4:16], b[:12])
	b[16], b[17] = byte(p.Protocol>>8), byte(p.Protocol)
	return p.Pull(4)
}
