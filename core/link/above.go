package link

import "nsmodel/core"

// above is what a device keeps of those that stand on it. Linux: vlan_info and
// rx_handler_data of struct net_device, and its uc list.
type above struct {
	share    *share    // the passthrough devices
	macvlans *macvlans // the macvlan devices; nil if there are passthrough ones
	vlans    *vlans

	others int // addresses beside its own that those above want to hear
}

// aboves is where a device keeps it.
func aboves() core.DevSlot[above] { return core.NewDevSlot[above](3) }

// editAbove changes what d keeps, and forgets what is empty; under rtnl.
func editAbove(d *core.Device, f func(*above)) {
	a := aboves().Of(d)
	if a == nil {
		a = new(above)
	}
	f(a)
	if *a == (above{}) {
		a = nil
	}
	aboves().Set(d, a)
}

// shareOf returns what the passthrough devices on d have in common, or nil.
func shareOf(d *core.Device) *share {
	if a := aboves().Of(d); a != nil {
		return a.share
	}
	return nil
}

// macvlansOf returns the macvlan devices on d, or nil.
func macvlansOf(d *core.Device) *macvlans {
	if a := aboves().Of(d); a != nil {
		return a.macvlans
	}
	return nil
}

// vlansOf returns the VLAN devices on d, or nil.
func vlansOf(d *core.Device) *vlans {
	if a := aboves().Of(d); a != nil {
		return a.vlans
	}
	return nil
}

// hear lets low hear frames to k more addresses than before, or fewer; under rtnl. A
// device that stands on another hands this on; one that has no filter for
// addresses, as all at the bottom here, is promiscuous while there are any.
// Linux: dev_uc_add, __dev_set_rx_mode.
func hear(low *core.Device, k int) {
	switch drv := low.Driver().(type) {
	case *vlan:
		hear(drv.lower, k)
		return
	case *macvlan:
		hear(drv.lower, k)
		return
	}
	editAbove(low, func(a *above) {
		was := a.others
		a.others += k
		switch {
		case was == 0 && a.others > 0:
			low.Stack().AddPromiscuity(low, 1)
		case was > 0 && a.others == 0:
			low.Stack().AddPromiscuity(low, -1)
		}
	})
}

// maxNest is how many devices may stand on each other. Linux: MAX_NEST_DEV.
const maxNest = 8

// nest returns how many devices there are from d down to the lowest, d included.
// Linux: lower_level.
func nest(d *core.Device) int {
	deep := 0
	switch drv := d.Driver().(type) {
	case *vlan:
		deep = nest(drv.lower)
	case *macvlan:
		deep = nest(drv.lower)
	case *passthrough:
		deep = nest(drv.lower)
	case *bridge:
		for _, pt := range *drv.ports.Load() {
			deep = max(deep, nest(pt.dev))
		}
	}
	return deep + 1
}
