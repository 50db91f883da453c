package link

import (
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// passthrough is the driver of a child Net's device whose frames the parent Net
// forwards to and from the outside, by a device of its own, the lower one. The
// name is that of the L2 namespaces of 2007; today's macvlan in bridge mode does
// it most nearly. Unlike there, the parent and its children reach each other.
// Linux: struct macvlan_dev, drivers/net/macvlan.c.
type passthrough struct {
	lower *core.Device
	sh    *share
}

// share is what the devices that stand on one lower device have in common.
// Linux: struct macvlan_port.
type share struct {
	lower *core.Device
	kids  atomic.Pointer[family] // written under rtnl
}

// family is published as a whole.
type family struct {
	list  []*core.Device // in the order of birth
	byMAC map[wire.MAC]*core.Device
}

// passthroughKind is `link LOWER type passthrough`. Linux: macvlan_link_ops.
func (l *Links) passthroughKind() *core.Kind {
	k := &core.Kind{Name: "passthrough"}
	k.New = func(n *netns.Net, u core.LinkSpec) (*core.Device, error) {
		return newPassthrough(l.stack, k, n, u)
	}
	return k
}

// newPassthrough makes a device in n on u.Lower, which may be in another Net.
// Errors: EINVAL without a lower device, on one that is no Ethernet, or with a
// larger MTU; EBUSY on a port of a bridge; EADDRINUSE for an address that the
// lower device or one of its others has. Linux: macvlan_newlink.
func newPassthrough(s *core.Stack, k *core.Kind, n *netns.Net, u core.LinkSpec) (*core.Device, error) {
	low := u.Lower
	switch {
	case low == nil || len(u.Attrs) > 0 || u.Peer != nil:
		return nil, fmt.Errorf("link: passthrough needs a lower device and nothing else: %w", syscall.EINVAL)
	case low.Hardware() != 1:
		return nil, fmt.Errorf("link: passthrough on %s: %w", low.Name(), syscall.EINVAL)
	case u.MTU > low.MTU():
		return nil, fmt.Errorf("link: passthrough mtu %d on %s: %w", u.MTU, low.Name(), syscall.EINVAL)
	}
	sh := shareOf(low)
	if sh == nil {
		if low.Claimed() {
			return nil, fmt.Errorf("link: %s is a port of a bridge: %w", low.Name(), syscall.EBUSY)
		}
		sh = &share{lower: low}
		sh.kids.Store(&family{})
	}
	if !u.Addr.IsZero() && sh.taken(u.Addr) {
		return nil, fmt.Errorf("link: passthrough address %v on %s: %w", u.Addr, low.Name(), syscall.EADDRINUSE)
	}
	if u.MTU == 0 {
		u.MTU = low.MTU()
	}
	spec := spec(k, u, &passthrough{lower: low, sh: sh})
	spec.Lower, spec.Carrier = low, low.Up() && low.Carrier()
	d, err := s.Register(n, spec)
	if err != nil {
		return nil, err
	}
	sh.edit(func(list []*core.Device) []*core.Device { return append(list, d) }, nil, wire.MAC{})
	if shareOf(low) == nil {
		editAbove(low, func(a *above) { a.share = sh })
		low.SetClaim(sh.arrived)
		low.SetEgress(sh.leaving)
	}
	return d, nil
}

// edit publishes a changed family; the address of d, if not nil, is to be a.
func (sh *share) edit(f func([]*core.Device) []*core.Device, d *core.Device, a wire.MAC) {
	next := &family{list: slices.Clone(sh.kids.Load().list)}
	if f != nil {
		next.list = f(next.list)
	}
	next.byMAC = make(map[wire.MAC]*core.Device, len(next.list))
	for _, kid := range next.list {
		if kid == d {
			next.byMAC[a] = kid
		} else {
			next.byMAC[kid.Addr()] = kid
		}
	}
	sh.kids.Store(next)
}

// taken reports whether somebody on the lower device has address a.
func (sh *share) taken(a wire.MAC) bool {
	return a == sh.lower.Addr() || sh.kids.Load().byMAC[a] != nil
}

// find returns the device that frames to a belong to, if it is up.
func (sh *share) find(a wire.MAC) *core.Device {
	if kid := sh.kids.Load().byMAC[a]; kid != nil && kid.Up() {
		return kid
	}
	return nil
}

// copies gives a copy of p to each device but the one it came from.
// Linux: macvlan_broadcast.
func (sh *share) copies(w *core.Worker, p *core.Packet, from *core.Device) {
	for _, kid := range sh.kids.Load().list {
		if kid != from && kid.Up() {
			kid.Forward(w, w.Clone(p))
		}
	}
}

// arrived looks at what the lower device received: a child's frame goes to the
// child, a group's frame to every child and on to the parent.
// Linux: macvlan_handle_frame.
func (sh *share) arrived(w *core.Worker, low *core.Device, p *core.Packet) bool {
	dst := wire.Ethernet(p.Bytes()).Dst()
	if dst.IsMulticast() {
		sh.copies(w, p, nil)
		return false
	}
	kid := sh.find(dst)
	if kid == nil {
		return false
	}
	kid.Forward(w, p)
	return true
}

// leaving looks at what the parent's own Net sends by the lower device, in the
// same way. Linux has no counterpart: there the parent does not reach a macvlan.
func (sh *share) leaving(w *core.Worker, low *core.Device, p *core.Packet) bool {
	eth, ok := wire.ParseEthernet(p.Bytes())
	if !ok {
		return false
	}
	if eth.Dst().IsMulticast() {
		sh.copies(w, p, nil)
		return false
	}
	kid := sh.find(eth.Dst())
	if kid == nil {
		return false
	}
	kid.Queue(w, p)
	return true
}

// Xmit brings a child's frame to a sibling, to the parent, or out through the
// lower device; a group's frame to all of them. Linux: macvlan_queue_xmit.
func (pt *passthrough) Xmit(w *core.Worker, d *core.Device, p *core.Packet) {
	eth, ok := wire.ParseEthernet(p.Bytes())
	if !ok {
		d.CountTxError(1)
		w.Release(p)
		return
	}
	dst := eth.Dst()
	if dst.IsMulticast() {
		pt.sh.copies(w, p, d)
		pt.lower.ForwardPast(w, w.Clone(p))
		pt.lower.XmitPast(w, p)
		return
	}
	if kid := pt.sh.find(dst); kid != nil {
		kid.Queue(w, p)
		return
	}
	if dst == pt.lower.Addr() {
		pt.lower.Queue(w, p)
		return
	}
	pt.lower.XmitPast(w, p)
}

// Leave takes the device from the lower one. Linux: macvlan_dellink.
func (pt *passthrough) Leave(d *core.Device) []*core.Device {
	sh := pt.sh
	sh.edit(func(list []*core.Device) []*core.Device {
		return slices.DeleteFunc(list, func(kid *core.Device) bool { return kid == d })
	}, nil, wire.MAC{})
	if len(sh.kids.Load().list) == 0 {
		sh.lower.SetClaim(nil)
		sh.lower.SetEgress(nil)
		editAbove(sh.lower, func(a *above) { a.share = nil })
	}
	return nil
}

// ChangeMTU refuses more than the lower device has. Linux: macvlan_change_mtu.
func (pt *passthrough) ChangeMTU(d *core.Device, mtu int) error {
	if mtu > pt.lower.MTU() {
		return syscall.EINVAL
	}
	return nil
}

// ChangeAddr refuses an address in use. Linux: macvlan_set_mac_address.
func (pt *passthrough) ChangeAddr(d *core.Device, a wire.MAC) error {
	if a == d.Addr() {
		return nil
	}
	if pt.sh.taken(a) {
		return syscall.EADDRINUSE
	}
	pt.sh.edit(nil, d, a)
	return nil
}

// passthroughEvent lets the devices on d follow it: carrier, and an MTU that
// became smaller. Linux: macvlan_device_event.
func (l *Links) passthroughEvent(e core.Event, d *core.Device) {
	sh := shareOf(d)
	if sh == nil {
		return
	}
	switch e {
	case core.EventUp, core.EventDown, core.EventCarrier:
		for _, kid := range sh.kids.Load().list {
			l.stack.SetCarrier(kid, d.Up() && d.Carrier())
		}
	case core.EventMTU:
		for _, kid := range sh.kids.Load().list {
			l.stack.AdjustMTU(kid, min(kid.MTU(), d.MTU()))
		}
	}
}
