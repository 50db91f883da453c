package link

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// AddPort makes d a port. Errors: EINVAL for loopback and what is no Ethernet,
// ELOOP for a bridge, EBUSY for what stands on this one and if somebody else
// takes d's frames, ENOSPC for too many (Linux: EXFULL). Linux: br_add_if.
func (b *bridge) AddPort(master, d *core.Device) error {
	list := *b.ports.Load()
	_, isBridge := d.Driver().(*bridge)
	switch {
	case d.Flags()&core.FlagLoopback != 0 || d.Hardware() != 1:
		return fmt.Errorf("link: %s cannot be a port: %w", d.Name(), syscall.EINVAL)
	case isBridge:
		return fmt.Errorf("link: %s cannot be a port of a bridge: %w", d.Name(), syscall.ELOOP)
	case d.Claimed() || ports().Of(d) != nil:
		return fmt.Errorf("link: %s is in use: %w", d.Name(), syscall.EBUSY)
	case standsOn(d, master):
		return fmt.Errorf("link: %s stands on %s: %w", d.Name(), master.Name(), syscall.EBUSY)
	case len(list) >= maxPorts:
		return fmt.Errorf("link: %s has %d ports: %w", master.Name(), len(list), syscall.ENOSPC)
	}
	pt := &port{br: b, dev: d, mac: d.Addr()}
	pt.mcRouter.Store(routerLearn)
	pt.initQueries()
	list = append(slices.Clone(list), pt)
	ports().Set(d, pt)
	b.addLocal(pt, pt.mac)
	b.ports.Store(&list)
	d.SetClaim(pt.receive)
	b.follow()
	pt.enable()
	return nil
}

// standsOn reports whether what d sends could come to master in the same turn:
// d stands on it, or on a bridge that has a port which does.
func standsOn(d, master *core.Device) bool {
	if d == master {
		return true
	}
	switch drv := d.Driver().(type) {
	case *passthrough:
		return standsOn(drv.lower, master)
	case *vlan:
		return standsOn(drv.lower, master)
	case *macvlan:
		return standsOn(drv.lower, master)
	case *bridge:
		for _, pt := range *drv.ports.Load() {
			if standsOn(pt.dev, master) {
				return true
			}
		}
	}
	return false
}

// DelPort lets d go; what was learned behind it is forgotten. A listed device's
// frames may still be on their way through the bridge: they are waited for, or
// they would teach it anew. Linux: br_del_if.
func (b *bridge) DelPort(master, d *core.Device) {
	pt := ports().Of(d)
	if pt == nil {
		return
	}
	d.SetClaim(nil)
	pt.disable()
	list := slices.DeleteFunc(slices.Clone(*b.ports.Load()), func(o *port) bool { return o == pt })
	b.ports.Store(&list)
	ports().Set(d, nil)
	if d.Listed() && !b.leaving.Load() {
		d.Stack().Sys.Synchronize()
	}
	b.delLocal(pt, pt.mac)
	b.flush(pt, true)
	b.forgetGroups(pt, true)
	if !b.leaving.Load() {
		b.follow()
	}
}

// follow lets the bridge's address and MTU follow its ports.
// Linux: br_stp_recalculate_bridge_id and br_mtu_auto_adjust.
func (b *bridge) follow() {
	s, list := b.dev.Stack(), *b.ports.Load()
	var low wire.MAC // Linux: zero once the last port is gone
	mtu := 0
	for i, pt := range list {
		if a := pt.dev.Addr(); i == 0 || bytes.Compare(a[:], low[:]) < 0 {
			low = a
		}
		if m := pt.dev.MTU(); mtu == 0 || m < mtu {
			mtu = m
		}
	}
	if mtu == 0 {
		mtu = wire.EthernetMTU
	}
	if !b.dev.AddrChosen() {
		s.AdjustAddr(b.dev, low)
	}
	if !b.mtuChosen {
		s.AdjustMTU(b.dev, mtu)
	}
}

// enable lets frames pass a port that can, in a bridge that is up.
// Linux: br_stp_enable_port.
func (pt *port) enable() {
	if !pt.enabled && pt.forwarding() && pt.br.dev.Up() {
		pt.enabled = true
		pt.openQueries()
		pt.br.selectState()
	}
}

// disable ends that. Linux: br_stp_disable_port.
func (pt *port) disable() {
	pt.enabled = false
	pt.stopQueries()
	pt.br.forgetGroups(pt, false)
	pt.br.selectState()
}

// selectState gives the bridge a carrier if frames pass one of its ports. It is
// asked for when a port's state changes: a bridge that never had one has still
// the carrier with which it began. Linux: br_port_state_selection.
func (b *bridge) selectState() {
	if b.leaving.Load() {
		return
	}
	carrier := slices.ContainsFunc(*b.ports.Load(), func(pt *port) bool { return pt.enabled })
	b.dev.Stack().SetCarrier(b.dev, carrier)
}

// bridgeEvent keeps the bridges right when a port or the bridge itself changes.
// Linux: br_device_event.
func (l *Links) bridgeEvent(e core.Event, d *core.Device) {
	if b, ok := d.Driver().(*bridge); ok && e == core.EventAddr && b.dev != nil {
		b.moveLocal(d.Addr())
		b.selectState() // Linux: br_stp_change_bridge_id
	}
	if b, ok := d.Driver().(*bridge); ok && b.dev != nil && !b.leaving.Load() {
		for _, pt := range *b.ports.Load() {
			switch {
			case e == core.EventUp:
				pt.enable()
			case e == core.EventDown && pt.enabled:
				pt.disable()
			}
		}
		switch e {
		case core.EventUp:
			b.openQueries()
		case core.EventDown:
			b.stopQueries()
		}
	}
	pt := ports().Of(d)
	if pt == nil || pt.br.leaving.Load() {
		return
	}
	switch e {
	case core.EventUp, core.EventDown, core.EventCarrier:
		if !pt.forwarding() {
			pt.br.flush(pt, false)
			if pt.enabled || e == core.EventDown && pt.br.dev.Up() {
				pt.disable()
			}
		} else {
			pt.enable()
		}
	case core.EventMTU:
		pt.br.follow()
	case core.EventAddr:
		old := pt.mac
		pt.mac = d.Addr()
		pt.br.addLocal(pt, pt.mac)
		pt.br.delLocal(pt, old)
		pt.br.follow()
	}
}

// changeBridge sets attributes with iproute2's names and units. EINVAL for what
// is no number, EOPNOTSUPP for what is not modelled. Linux: br_changelink.
func changeBridge(d *core.Device, attrs map[string]string) error {
	b := d.Driver().(*bridge)
	if err := b.set(attrs); err != nil {
		return err
	}
	if _, ok := attrs["ageing_time"]; ok {
		b.gc.Reset(d.Stack().Sys.Now())
	}
	if _, ok := attrs["fdb_flush"]; ok {
		b.flush(nil, false)
	}
	return nil
}

// set checks all attributes and then takes them over.
func (b *bridge) set(attrs map[string]string) error {
	num := map[string]uint64{}
	for _, name := range slices.Sorted(maps.Keys(attrs)) { // or which mistake is told would be drawn
		text := attrs[name]
		if name == "fdb_flush" {
			continue
		}
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fmt.Errorf("link: bridge %s %q: %w", name, text, syscall.EINVAL)
		}
		known, err := multicastWord(name, v)
		switch {
		case err != nil:
			return err
		case known || name == "ageing_time" || name == "fdb_max_learned":
		case (name == "stp_state" || name == "vlan_filtering") && v == 0:
		default:
			return fmt.Errorf("link: bridge %s %s: %w", name, text, syscall.EOPNOTSUPP)
		}
		num[name] = v
	}
	if v, ok := num["ageing_time"]; ok {
		b.ageing.Store(int64(v) * int64(10*time.Millisecond)) // Linux: clock_t
	}
	if v, ok := num["fdb_max_learned"]; ok {
		b.maxLearned.Store(int64(v))
	}
	b.setMulticast(num)
	return nil
}

// showBridge returns the attributes as `ip -d link` prints them.
func showBridge(d *core.Device) [][2]string {
	b := d.Driver().(*bridge)
	num := func(v int64) string { return strconv.FormatInt(v, 10) }
	all := [][2]string{
		{"ageing_time", num(b.ageing.Load() / int64(10*time.Millisecond))},
		{"stp_state", "0"},
		{"vlan_filtering", "0"},
	}
	return append(append(all, b.showMulticast()...), [2]string{"fdb_n_learned", num(b.learned.Load())}, [2]string{"fdb_max_learned", num(b.maxLearned.Load())})
}
