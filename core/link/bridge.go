package link

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// defaultAgeing is how long what was learned is kept. Linux: BR_DEFAULT_AGEING_TIME.
const defaultAgeing = 300 * time.Second

// maxPorts is how many ports a bridge takes. Linux: BR_MAX_PORTS, less port 0.
const maxPorts = 1023

// bridge is the driver of a bridge and the state beside its device. It does not
// speak STP: who builds a loop has one, as with `stp_state 0`, where Linux starts.
// Nor does it filter VLANs; a tag is carried along and not looked at.
// Linux: struct net_bridge, net/bridge/br_private.h.
type bridge struct {
	// fixed
	l   *Links
	dev *core.Device
	net *netns.Net // a bridge never moves
	id  uint32     // the device's index, which tells the bridges of a Net apart

	ports atomic.Pointer[[]*port] // in the order of joining; written under rtnl

	ageing     atomic.Int64 // nanoseconds until what was learned is forgotten; 0: learn nothing
	maxLearned atomic.Int64 // 0: no limit
	learned    atomic.Int64 // entries that were learned
	leaving    atomic.Bool  // unlisted
	gc         netns.Timer

	mtuChosen bool // under rtnl

	mc snooping
}

// port is a device that is a port of a bridge. Linux: struct net_bridge_port.
type port struct {
	br  *bridge
	dev *core.Device
	mac wire.MAC // under rtnl; the address under which dev's local entry is filed

	enabled bool // under rtnl. Linux: a state that is not BR_STATE_DISABLED

	fastLeave atomic.Bool
	noFlood   atomic.Bool   // of groups that nobody knows. Linux: no BR_MCAST_FLOOD
	mcRouter  atomic.Uint32 // whether a router is there. Linux: multicast_router

	asks bool        // under mc.mu
	own  [2]ownQuery // by family
}

// ports is where a device keeps what it is a port of.
func ports() core.DevSlot[port] { return core.NewDevSlot[port](2) }

// bridgeKind is `type bridge`. Linux: br_link_ops.
func (l *Links) bridgeKind() *core.Kind {
	k := &core.Kind{Name: "bridge", Change: changeBridge, Show: showBridge, ChangePort: changePort, ShowPort: showPort}
	k.New = func(n *netns.Net, u core.LinkSpec) (*core.Device, error) {
		b := &bridge{l: l, net: n}
		b.ports.Store(new([]*port))
		b.ageing.Store(int64(defaultAgeing))
		b.mc.router.Store(routerLearn)
		b.mc.hashMax.Store(defaultHashMax)
		b.initQueries()
		b.gc.Init(n, b.collect)
		if err := b.set(u.Attrs); err != nil {
			return nil, err
		}
		if u.Lower != nil || u.Peer != nil {
			return nil, fmt.Errorf("link: a bridge takes ports, not a link: %w", syscall.EINVAL)
		}
		spec := spec(k, u, b)
		spec.NetLocal, spec.Stacked = true, true
		spec.Carrier = u.Addr.IsZero() // an address asks for the ports' state, and there are none
		d, err := l.stack.Register(n, spec)
		if err != nil {
			return nil, err
		}
		b.dev, b.id = d, uint32(d.Index())
		b.addLocal(nil, d.Addr())
		return d, nil
	}
	return k
}

// Xmit sends what the bridge's own Net sends by it. Linux: br_dev_xmit.
func (b *bridge) Xmit(w *core.Worker, d *core.Device, p *core.Packet) {
	eth, ok := wire.ParseEthernet(p.Bytes())
	if !ok {
		w.Drop(p, core.LinkHeader)
		return
	}
	if dst := eth.Dst(); !dst.IsMulticast() {
		if e := b.find(w.Now(), dst); e != nil {
			b.forward(w, p, e.port.Load(), nil)
			return
		}
	} else if !dst.IsBroadcast() && !b.mc.off.Load() {
		b.multicast(w, p, eth, nil)
		return
	}
	b.flood(w, p, nil, false)
}

// receive takes a frame that arrived at the port. It claims all but those of
// link-local protocols, which are the port's own. Linux: br_handle_frame and
// br_handle_frame_finish.
func (pt *port) receive(w *core.Worker, d *core.Device, p *core.Packet) bool {
	b, eth := pt.br, wire.Ethernet(p.Bytes())
	src, dst := eth.Src(), eth.Dst()
	if !src.IsValid() {
		w.Drop(p, core.LinkHeader)
		return true
	}
	if reserved(dst) {
		switch dst[5] {
		case 0: // a bridge that speaks no STP hands BPDUs on, so that loops are found
		case 1: // pause frames never pass a bridge
			w.Drop(p, core.BridgeBlocked)
			return true
		default:
			b.learn(w.Now(), pt, src)
			return false
		}
	}
	if !b.dev.Up() {
		w.Drop(p, core.DeviceDown)
		return true
	}
	b.learn(w.Now(), pt, src)
	up := b.dev.Promiscuity() > 0
	if dst.IsMulticast() {
		if dst.IsBroadcast() || b.mc.off.Load() {
			b.flood(w, p, pt, true)
		} else {
			b.multicast(w, p, eth, pt)
		}
		return true
	}
	e := b.find(w.Now(), dst)
	switch {
	case e == nil:
		b.flood(w, p, pt, up)
	case e.local():
		b.dev.Process(w, p)
	default:
		if up {
			b.dev.Process(w, w.Clone(p))
		}
		b.forward(w, p, e.port.Load(), pt)
	}
	return true
}

// reserved reports whether a is one of the 16 addresses that no bridge forwards
// (IEEE 802.1Q table 8-1). Linux: is_link_local_ether_addr.
func reserved(a wire.MAC) bool {
	return a[0] == 0x01 && a[1] == 0x80 && a[2] == 0xc2 && a[3] == 0 && a[4] == 0 && a[5] < 0x10
}

// forward sends p by one port, but never by the one where it came in; a nil port
// is the bridge itself, where p came from. Linux: br_forward.
func (b *bridge) forward(w *core.Worker, p *core.Packet, to, from *port) {
	switch {
	case to == nil || !to.forwarding():
		w.Drop(p, core.BridgeBlocked)
	case to == from:
		w.Drop(p, core.BridgeHairpin)
	case !to.dev.Forwardable(p):
		w.Drop(p, core.TooBig)
	default:
		to.dev.Xmit(w, p)
	}
}

// flood sends p by every port but the one where it came in, and to the bridge's
// own protocols if up says so. Linux: br_flood, br_pass_frame_up.
func (b *bridge) flood(w *core.Worker, p *core.Packet, from *port, up bool) {
	var last *port
	for _, to := range *b.ports.Load() {
		if to == from || !to.forwarding() || to.noFlood.Load() && from != nil && toGroup(p) {
			continue
		}
		if last != nil {
			b.forward(w, w.Clone(p), last, nil)
		}
		last = to
	}
	switch {
	case up:
		if last != nil {
			b.forward(w, w.Clone(p), last, nil)
		}
		b.dev.Process(w, p)
	case last != nil:
		b.forward(w, p, last, nil)
	default:
		w.Drop(p, core.BridgeBlocked)
	}
}

// toGroup reports whether a frame is multicast, and not broadcast.
func toGroup(p *core.Packet) bool {
	dst := wire.Ethernet(p.Bytes()).Dst()
	return dst.IsMulticast() && !dst.IsBroadcast()
}

// forwarding reports whether frames pass the port. Linux: BR_STATE_FORWARDING,
// which without STP follows the device. The Net is asked for last: a reader who
// found the port in an entry just before that was flushed could else see the
// device up again in another Net.
func (pt *port) forwarding() bool {
	return pt.dev.Up() && pt.dev.Carrier() && pt.dev.Net() == pt.br.net
}

// Open starts the bridge. Linux: br_dev_open.
func (b *bridge) Open(d *core.Device) error { return nil }

// Stop stops it; what it learned is forgotten. Linux: br_dev_stop, which disables
// each port.
func (b *bridge) Stop(d *core.Device) { b.flush(nil, false) }

// Leave frees the ports. Linux: br_dev_delete.
func (b *bridge) Leave(d *core.Device) []*core.Device {
	b.leaving.Store(true)
	b.gc.Stop()
	b.stopQueries()
	for _, pt := range *b.ports.Load() {
		pt.dev.SetClaim(nil)
		pt.stopQueries()
	}
	return nil
}

// Free lets the ports go and takes the bridge's entries away. Nobody learns any
// more, for the bridge has been unlisted and a grace period is over.
func (b *bridge) Free(d *core.Device) {
	b.gc.Stop()
	for _, pt := range *b.ports.Load() {
		d.Stack().SetMaster(pt.dev, nil)
	}
	b.flush(nil, true)
	b.forgetGroups(nil, true)
}

// ChangeMTU ends the bridge's following its ports. Linux: br_change_mtu.
func (b *bridge) ChangeMTU(d *core.Device, mtu int) error {
	b.mtuChosen = true
	return nil
}

// ChangeAddr has nothing against any address; see event. Linux: br_set_mac_address.
func (b *bridge) ChangeAddr(d *core.Device, a wire.MAC) error { return nil }
