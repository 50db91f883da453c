package core

// LowerDevice returns the device that d stands on or that is its peer, wherever
// that is now; nil for none. Under rtnl. Linux: rtnl_link_get_net.
func (d *Device) LowerDevice() *Device { return d.other }

// Lower returns the index of that device in its own Net; 0 for none. Under
// rtnl. Linux: dev_get_iflink.
func (d *Device) Lower() int {
	if d.other == nil {
		return 0
	}
	return d.other.Index()
}

// SetPeer notes the other end of a pair, which is shown as the lower device; nil
// when it is gone. Under rtnl.
func (d *Device) SetPeer(peer *Device) { d.other = peer }

// Uppers returns the devices that stand on d and die with it; under rtnl.
// Linux: netdev_for_each_upper_dev_rcu.
func (d *Device) Uppers() []*Device {
	if d.uppers == nil {
		return nil
	}
	return *d.uppers
}

// standOn files d with the device that it stands on.
func (d *Device) standOn(lower *Device) {
	d.other = lower
	list := append([]*Device(nil), lower.Uppers()...)
	list = append(list, d)
	lower.uppers = &list
}

// standOff ends it.
func (d *Device) standOff() {
	lower := d.other
	if lower == nil {
		return
	}
	d.other = nil
	var rest []*Device
	for _, up := range lower.Uppers() {
		if up != d {
			rest = append(rest, up)
		}
	}
	lower.uppers = nil
	if rest != nil {
		lower.uppers = &rest
	}
}

// NetLocal reports whether d may not change its namespace.
// Linux: dev->netns_immutable.
func (d *Device) NetLocal() bool { return d.fixedN || d.Flags()&FlagLoopback != 0 }
