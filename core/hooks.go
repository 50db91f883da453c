package core

// hooks are what few devices have beside their driver; published as a whole.
// Linux: rx_handler, vlan_info, tcx_egress and ptype_all of struct net_device.
type hooks struct {
	vlans  VLANs
	claim  Claim
	egress Claim
	taps   []*Tap
}

// A shelves is what protocols keep beside the device, by DevSlot; published as
// a whole. Linux: ip_ptr, ip6_ptr and rx_handler_data of struct net_device.
type shelves [5]any

// SetClaim gives the frames that d receives to c before the protocols; nil takes
// them back. EBUSY is the caller's to find, with [Device.Claimed]. Under rtnl.
// Linux: netdev_rx_handler_register.
func (d *Device) SetClaim(c Claim) { d.editHooks(func(h *hooks) { h.claim = c }) }

// Claimed reports whether somebody takes d's frames; under rtnl.
// Linux: netdev_is_rx_handler_busy.
func (d *Device) Claimed() bool {
	h := d.hooks.Load()
	return h != nil && h.claim != nil
}

// SetVLANs lets f say which device stands for the VLAN that a tagged frame of d
// names; nil ends it. Under rtnl. Linux: rcu_assign_pointer(real_dev->vlan_info).
func (d *Device) SetVLANs(f VLANs) { d.editHooks(func(h *hooks) { h.vlans = f }) }

// SetEgress lets c see the frames that d sends, already counted as sent, before
// the driver; what it takes the driver does not get. Nil ends it. Under rtnl.
// Linux: sch_handle_egress, where an action redirects the packet.
func (d *Device) SetEgress(c Claim) { d.editHooks(func(h *hooks) { h.egress = c }) }

// AddTap lets t see the device's frames until the function it returns is
// called, or the device leaves its Net; both under rtnl.
func (d *Device) AddTap(t Tap) (remove func()) {
	own := &t
	d.editHooks(func(h *hooks) { h.taps = append(h.taps[:len(h.taps):len(h.taps)], own) })
	return func() {
		d.editHooks(func(h *hooks) {
			var rest []*Tap
			for _, o := range h.taps {
				if o != own {
					rest = append(rest, o)
				}
			}
			h.taps = rest
		})
	}
}

// editHooks publishes a changed copy of d's hooks.
func (d *Device) editHooks(f func(*hooks)) {
	h := new(hooks)
	if old := d.hooks.Load(); old != nil {
		*h = *old
	}
	f(h)
	if h.vlans == nil && h.claim == nil && h.egress == nil && h.taps == nil {
		h = nil
	}
	d.hooks.Store(h)
}

// tap shows p to the taps.
func (h *hooks) tap(w *Worker, d *Device, p *Packet, out bool) {
	for _, f := range h.taps {
		(*f)(w, d, p, out)
	}
}

// A DevSlot is a protocol's shelf at every device, as net_device's ip_ptr.
type DevSlot[T any] struct{ i int }

// NewDevSlot returns shelf i: 0 IPv4, 1 IPv6, 2 the master's port, 3 the devices
// that stand on the device, 4 what rtnetlink keeps. Each has one owner: what two
// put on one shelf takes the other's away.
func NewDevSlot[T any](i int) DevSlot[T] { return DevSlot[T]{i} }

// Of returns what the protocol keeps at d, or nil.
func (s DevSlot[T]) Of(d *Device) *T {
	all := d.ext.Load()
	if all == nil {
		return nil
	}
	v, _ := all[s.i].(*T)
	return v
}

// Set puts v on the shelf; nil clears it. Under rtnl.
func (s DevSlot[T]) Set(d *Device, v *T) {
	old := d.ext.Load()
	if old == nil && v == nil {
		return
	}
	all := new(shelves)
	if old != nil {
		*all = *old
	}
	all[s.i] = v
	if v == nil {
		all[s.i] = nil
		if *all == (shelves{}) {
			all = nil
		}
	}
	d.ext.Store(all)
}
