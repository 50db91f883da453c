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

// macvlan is the driver of a device with an address of its own on another, the lower
// one, wherever either of them is. The lower one's own protocols and the macvlan
// devices do not reach each other. Linux: struct macvlan_dev, drivers/net/macvlan.c.
type macvlan struct {
	lower *core.Device
	on    *macvlans
	mode  atomic.Uint32 // macMode; written under rtnl

	hearing bool // under rtnl: the lower one hears more for this one
}

// A macMode says what a macvlan device has to do with others on the same lower one.
// Linux: enum macvlan_mode.
type macMode uint32

const (
	macPrivate  macMode = 1 << iota // nothing: not even what comes back from outside
	macVEPA                         // what comes back from outside, which is to be a switch that does that
	macBridge                       // frames among those in this mode go straight
	macPassthru                     // it is the only one, and gets all that the lower one gets
	macAny      = macPrivate | macVEPA | macBridge | macPassthru
)

// macModes are their names, by number.
var macModes = [...]struct {
	name string
	mode macMode
}{{"private", macPrivate}, {"vepa", macVEPA}, {"bridge", macBridge}, {"passthru", macPassthru}}

// macModeOf returns the mode of that name, or 0.
func macModeOf(name string) macMode {
	for _, m := range macModes {
		if m.name == name {
			return m.mode
		}
	}
	return 0
}

// macvlans are the macvlan devices on a lower device. Linux: struct macvlan_port.
type macvlans struct {
	// fixed
	lower    *core.Device
	passthru bool

	list []*core.Device            // under rtnl; in the order of birth
	up   atomic.Pointer[macFamily] // written under rtnl
	own  wire.MAC                  // under rtnl; with passthru the address that the lower device gets back. Linux: perm_addr
	ours bool                      // under rtnl; the lower device's address changes by our hand
}

// A macFamily are those that are up; published as a whole. Linux: vlan_hash.
type macFamily struct {
	list  []macKid
	byMAC map[wire.MAC]*macKid
	only  *core.Device // with passthru: the one, be it up or not
}

type macKid struct {
	dev  *core.Device
	mode macMode
}

// macvlanKind is `link LOWER type macvlan [mode M]`. Linux: macvlan_link_ops.
func (l *Links) macvlanKind() *core.Kind {
	k := &core.Kind{Name: "macvlan", Check: checkMacvlan, Change: changeMacvlan, Show: showMacvlan}
	k.New = func(n *netns.Net, u core.LinkSpec) (*core.Device, error) { return newMacvlan(l.stack, k, n, u) }
	return k
}

// checkMacvlan takes mode and nothing else. Linux: macvlan_validate.
func checkMacvlan(attrs map[string]string) error {
	mode, ok := attrs["mode"]
	switch {
	case len(attrs) > 1 || len(attrs) == 1 && !ok:
		return fmt.Errorf("link: macvlan takes a mode and nothing else: %w", syscall.EINVAL)
	case ok && macModeOf(mode) == 0:
		return fmt.Errorf("link: macvlan mode %s: %w", mode, syscall.EINVAL)
	}
	return nil
}

// newMacvlan makes a device in n on u.Lower, which may be in another Net, or on what
// that stands on if it is a macvlan device itself. Errors: EINVAL without a lower
// device, on one that is no Ethernet, with a larger MTU, and if there is a device in
// mode passthru or is to be one beside others; EBUSY on what somebody else claims.
// Linux: macvlan_common_newlink.
func newMacvlan(s *core.Stack, k *core.Kind, n *netns.Net, u core.LinkSpec) (*core.Device, error) {
	if err := checkMacvlan(u.Attrs); err != nil {
		return nil, err
	}
	low := u.Lower
	if low == nil || u.Peer != nil {
		return nil, fmt.Errorf("link: macvlan needs a lower device: %w", syscall.EINVAL)
	}
	if mv, ok := low.Driver().(*macvlan); ok {
		low = mv.lower
	}
	mode := macVEPA
	if text, ok := u.Attrs["mode"]; ok {
		mode = macModeOf(text)
	}
	ms := macvlansOf(low)
	switch {
	case u.MTU > low.MTU():
		return nil, fmt.Errorf("link: macvlan mtu %d on %s: %w", u.MTU, low.Name(), syscall.EINVAL)
	case ms == nil && low.Hardware() != 1:
		return nil, fmt.Errorf("link: macvlan on %s: %w", low.Name(), syscall.EINVAL)
	case ms == nil && low.Claimed():
		return nil, fmt.Errorf("link: macvlan on %s, which is in use: %w", low.Name(), syscall.EBUSY)
	case ms != nil && (ms.passthru || mode == macPassthru):
		return nil, fmt.Errorf("link: macvlan on %s: passthru is for one: %w", low.Name(), syscall.EINVAL)
	case nest(low) >= maxNest:
		return nil, fmt.Errorf("link: macvlan on %s: %d devices stand on each other: %w", low.Name(), maxNest, syscall.EMLINK)
	}
	if ms == nil {
		ms = &macvlans{lower: low, passthru: mode == macPassthru, own: low.Addr()}
		ms.up.Store(&macFamily{})
	}
	if u.MTU == 0 {
		u.MTU = low.MTU()
	}
	if ms.passthru {
		u.Addr = low.Addr()
	}
	mv := &macvlan{lower: low, on: ms}
	mv.mode.Store(uint32(mode))
	spec := spec(k, u, mv)
	spec.Lower, spec.Stays, spec.Greedy, spec.Carrier = low, true, ms.passthru, low.Carrier()
	d, err := s.Register(n, spec)
	if err != nil {
		return nil, err
	}
	ms.list = append(ms.list, d)
	ms.publish(nil, false, wire.MAC{})
	if macvlansOf(low) == nil {
		editAbove(low, func(a *above) { a.macvlans = ms })
		low.SetClaim(ms.arrived)
	}
	return d, nil
}

// publish says anew who is up: d counts as up or not as up says, and with a's address
// if that is one.
func (ms *macvlans) publish(d *core.Device, up bool, a wire.MAC) {
	f := &macFamily{byMAC: make(map[wire.MAC]*macKid, len(ms.list)), list: make([]macKid, 0, len(ms.list))}
	for _, kid := range ms.list {
		if ms.passthru {
			f.only = kid
		}
		if kid == d && !up || kid != d && !kid.Up() {
			continue
		}
		f.list = append(f.list, macKid{kid, macMode(kid.Driver().(*macvlan).mode.Load())})
		mac := kid.Addr()
		if kid == d && !a.IsZero() {
			mac = a
		}
		f.byMAC[mac] = &f.list[len(f.list)-1]
	}
	ms.up.Store(f)
}

// taken reports whether the lower device, or a device that is up, has address a.
// Linux: macvlan_addr_busy.
func (ms *macvlans) taken(a wire.MAC) bool {
	return !ms.passthru && a == ms.lower.Addr() || ms.up.Load().byMAC[a] != nil
}

// arrived looks at what the lower device received: a frame for a macvlan device is
// its own, a group's goes to all that may hear it, and on.
// Linux: macvlan_handle_frame.
func (ms *macvlans) arrived(w *core.Worker, low *core.Device, p *core.Packet) bool {
	f := ms.up.Load()
	eth := wire.Ethernet(p.Bytes())
	dst := eth.Dst()
	if p.FromAbove() { // the lower device's driver, which counts, has not seen it
		low.AdjustRx(-1, -int64(p.Len()), 0)
	}
	if !dst.IsMulticast() {
		to := f.only
		if to == nil {
			kid := f.byMAC[dst]
			if kid == nil {
				return false
			}
			to = kid.dev
		}
		to.Rise(w, p)
		return true
	}
	src := f.byMAC[eth.Src()]
	switch { // what comes back from outside has been seen by some
	case src == nil:
		f.flood(w, p, nil, macAny)
	case src.mode == macVEPA:
		f.flood(w, p, src.dev, macVEPA|macBridge)
	case src.mode == macBridge:
		f.flood(w, p, src.dev, macVEPA)
	default:
		src.dev.Rise(w, p)
		return true
	}
	return false
}

// flood gives a copy of p to each device in one of modes, but not to from. Groups
// are not looked at: each device's own protocols know which they are in.
// Linux: macvlan_broadcast, where a device's filter lets its groups pass.
func (f *macFamily) flood(w *core.Worker, p *core.Packet, from *core.Device, modes macMode) {
	for i := range f.list {
		if kid := &f.list[i]; kid.dev != from && kid.mode&modes != 0 {
			kid.dev.AdjustRx(0, 0, 1)
			kid.dev.Rise(w, w.Clone(p))
		}
	}
}

// Xmit sends by the lower device. In mode bridge, what is for a sibling in that mode
// goes to it, seen by the lower device as received; what is for a group goes to them
// and out. Linux: macvlan_queue_xmit.
func (mv *macvlan) Xmit(w *core.Worker, d *core.Device, p *core.Packet) {
	eth, ok := wire.ParseEthernet(p.Bytes())
	if !ok {
		d.CountTxError(1)
		w.Release(p)
		return
	}
	if macMode(mv.mode.Load()) == macBridge {
		f, dst := mv.on.up.Load(), eth.Dst()
		if dst.IsMulticast() {
			for i := range f.list {
				if kid := &f.list[i]; kid.dev != d && kid.mode == macBridge {
					kid.dev.AdjustRx(0, wire.EthernetLen, 1) // Linux counts the header twice
					kid.dev.Forward(w, w.Clone(p))
				}
			}
		} else if kid := f.byMAC[dst]; kid != nil && kid.mode == macBridge {
			mv.lower.QueueAbove(w, p)
			return
		}
	}
	mv.lower.XmitPast(w, p)
}

// Open refuses an address that is in use. Linux: macvlan_open.
func (mv *macvlan) Open(d *core.Device) error {
	if !mv.on.passthru && mv.on.taken(d.Addr()) {
		return syscall.EADDRINUSE
	}
	mv.listen(true)
	mv.on.publish(d, true, wire.MAC{})
	return nil
}

// Stop ends hearing. Linux: macvlan_stop.
func (mv *macvlan) Stop(d *core.Device) {
	mv.on.publish(d, false, wire.MAC{})
	mv.listen(false)
}

// listen lets the lower device hear what is for this one, or no more; with passthru
// everything.
func (mv *macvlan) listen(on bool) {
	if on == mv.hearing {
		return
	}
	mv.hearing = on
	k := -1
	if on {
		k = 1
	}
	if mv.on.passthru {
		mv.lower.Stack().AddPromiscuity(mv.lower, k)
		return
	}
	hear(mv.lower, k)
}

// Leave takes the device from the lower one, which gets its address back if it had
// to take another with passthru. Linux: macvlan_dellink, macvlan_port_destroy.
func (mv *macvlan) Leave(d *core.Device) []*core.Device {
	ms := mv.on
	ms.list = slices.DeleteFunc(slices.Clone(ms.list), func(kid *core.Device) bool { return kid == d })
	ms.publish(nil, false, wire.MAC{})
	if len(ms.list) > 0 {
		return nil
	}
	ms.lower.SetClaim(nil)
	editAbove(ms.lower, func(a *above) { a.macvlans = nil })
	if ms.passthru && ms.lower.Addr() != ms.own && ms.lower.Listed() {
		_ = ms.lower.Stack().SetAddr(ms.lower, ms.own)
	}
	return nil
}

// ChangeMTU refuses more than the lower device has. Linux: macvlan_change_mtu.
func (mv *macvlan) ChangeMTU(d *core.Device, mtu int) error {
	if mtu > mv.lower.MTU() {
		return syscall.EINVAL
	}
	return nil
}

// ChangeAddr refuses an address in use; with passthru the lower device takes it.
// Linux: macvlan_set_mac_address.
func (mv *macvlan) ChangeAddr(d *core.Device, a wire.MAC) error {
	switch {
	case a == d.Addr():
		return nil
	case mv.on.passthru:
		mv.on.ours = true
		err := d.Stack().SetAddr(mv.lower, a)
		mv.on.ours = false
		return err
	case mv.on.taken(a):
		return syscall.EADDRINUSE
	}
	mv.on.publish(d, d.Up(), a)
	return nil
}

// macvlanEvent lets the macvlan devices on d follow it: they have its carrier, at
// most its MTU, and with passthru its address. Linux: macvlan_device_event.
func (l *Links) macvlanEvent(e core.Event, d *core.Device) {
	ms := macvlansOf(d)
	if ms == nil {
		return
	}
	if e == core.EventAddr && ms.passthru && !ms.ours {
		ms.own = d.Addr()
	}
	for _, kid := range slices.Clone(ms.list) {
		switch e {
		case core.EventUp, core.EventDown, core.EventCarrier:
			l.stack.SetCarrier(kid, d.Carrier())
		case core.EventMTU:
			l.stack.AdjustMTU(kid, min(kid.MTU(), d.MTU()))
		case core.EventAddr:
			if ms.passthru {
				ms.publish(kid, kid.Up(), d.Addr())
				l.stack.AdjustAddr(kid, d.Addr())
			}
		}
	}
}

// changeMacvlan sets the mode; passthru is for life. Linux: macvlan_changelink.
func changeMacvlan(d *core.Device, attrs map[string]string) error {
	mv := d.Driver().(*macvlan)
	text, ok := attrs["mode"]
	if !ok {
		return nil
	}
	mode := macModeOf(text)
	if (mode == macPassthru) != mv.on.passthru {
		return fmt.Errorf("link: macvlan mode %s of %s: %w", text, d.Name(), syscall.EINVAL)
	}
	mv.mode.Store(uint32(mode))
	mv.on.publish(d, d.Up(), wire.MAC{})
	return nil
}

// showMacvlan returns the attributes as `ip -d link` prints them.
func showMacvlan(d *core.Device) [][2]string {
	mode := macMode(d.Driver().(*macvlan).mode.Load())
	for _, m := range macModes {
		if m.mode == mode {
			return [][2]string{{"mode", m.name}}
		}
	}
	return nil
}
