package core

import "nsmodel/core/wire"

// Rise brings p, which arrived at a device that d stands on, up to d at once. It is
// a door: who stands on another device may be in another Net. Linux:
// RX_HANDLER_ANOTHER, another round of __netif_receive_skb_core.
func (d *Device) Rise(w *Worker, p *Packet) {
	p.books.sent.Add(1)
	if d.arrive(w, p) {
		d.process(w, p)
		return
	}
	d.stats.rxDropped.Add(^uint64(0)) // Linux frees it without a word
}

// QueueAbove is Queue for a frame that a device which stands on d has sent to another
// that does: d's driver has not brought it. Linux: dev_forward_skb, by macvlan.
func (d *Device) QueueAbove(w *Worker, p *Packet) {
	if d.arrive(w, p) {
		p.above = true
		d.enqueue(w, p)
	}
}

// FromAbove reports whether p came by QueueAbove, once.
func (p *Packet) FromAbove() bool {
	was := p.above
	p.above = false
	return was
}

// rise is Rise for d that stands for the VLAN which p's tag names; process goes on
// with d, if it is to go on. The device below has said for whom p is; what it took
// for another's may be for d, which can have an address of its own.
// Linux: vlan_do_receive.
func (d *Device) rise(w *Worker, p *Packet) bool {
	typ := p.Type
	p.VLAN, p.VLANProto = 0, 0
	p.books.sent.Add(1)
	if !d.arrive(w, p) {
		d.stats.rxDropped.Add(^uint64(0)) // as above
		return false
	}
	d.stats.rxPackets.Add(1)
	d.stats.rxBytes.Add(uint64(p.Len()))
	if p.Type = typ; typ == ToMulticast {
		d.stats.rxMulticast.Add(1)
	}
	if typ == ToOther && wire.Ethernet(p.Bytes()).Dst() == d.Addr() {
		p.Type = ToHost
	}
	return true
}

// innerVLAN looks behind the tag of a frame that no device of its VLAN has taken. A
// tag that is only a priority goes away; if another was behind it, a device may
// stand for that. False says that p was dropped.
// Linux: check_vlan_id in __netif_receive_skb_core.
func (d *Device) innerVLAN(w *Worker, p *Packet) (up *Device, ok bool) {
	for p.VLANProto != 0 {
		if p.VLAN&0xfff != 0 {
			w.Drop(p, NoVLAN)
			return nil, false
		}
		p.VLAN, p.VLANProto = 0, 0 // or a router would pass the priority on
		if !wire.IsVLANType(p.Protocol) {
			break
		}
		if !p.untag() {
			d.stats.rxErrors.Add(1)
			w.Drop(p, LinkHeader)
			return nil, false
		}
		if h := d.hooks.Load(); h != nil && h.vlans != nil {
			if up := h.vlans(p); up != nil {
				return up, up.rise(w, p)
			}
		}
	}
	return nil, true
}
