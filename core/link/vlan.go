package link

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// vlan is the driver of a device that stands for one VLAN of another, the lower one,
// wherever either of them is: what it sends gets the tag, and the lower one's frames
// with that tag are its own. Linux: struct vlan_dev_priv, net/8021q/vlan.h.
type vlan struct {
	// fixed
	lower *core.Device
	tag   vlanTag

	// under rtnl
	stolen  bool     // the address is the lower one's, for nobody has chosen one. Linux: NET_ADDR_STOLEN
	seen    wire.MAC // the lower one's address as it was when this one came up or last looked
	hearing bool     // the lower one hears our address beside its own
}

// A vlanTag is what tells VLANs of a device apart: 802.1Q's and 802.1ad's are
// different spaces.
type vlanTag struct{ proto, id uint16 }

// vlans are the VLAN devices on a lower device. Linux: struct vlan_info.
type vlans struct {
	byTag atomic.Pointer[map[vlanTag]*core.Device] // written under rtnl
	list  []*core.Device                           // under rtnl; by protocol, then by number
}

// vlanKind is `link LOWER type vlan id N [protocol P]`. Linux: vlan_link_ops.
func (l *Links) vlanKind() *core.Kind {
	k := &core.Kind{Name: "vlan", Show: showVLAN}
	k.Check = func(attrs map[string]string) error { _, err := tagOf(attrs); return err }
	k.Change = func(d *core.Device, attrs map[string]string) error { return nil } // Linux: an id is not looked at
	k.New = func(n *netns.Net, u core.LinkSpec) (*core.Device, error) { return newVLAN(l.stack, k, n, u) }
	return k
}

// tagOf reads the attributes id and protocol. Linux: vlan_validate.
func tagOf(attrs map[string]string) (t vlanTag, err error) {
	if attrs == nil {
		return t, core.Refuse(syscall.EINVAL, "8021q: VLAN properties not specified")
	}
	t.proto = wire.EtherTypeVLAN
	if text, ok := attrs["protocol"]; ok {
		v, err := strconv.ParseUint(text, 0, 16)
		if t.proto = uint16(v); err != nil || !wire.IsVLANType(t.proto) {
			return t, core.Refuse(syscall.EPROTONOSUPPORT, "8021q: Invalid VLAN protocol")
		}
	}
	text, ok := attrs["id"]
	if !ok {
		return t, nil
	}
	v, err := strconv.ParseUint(text, 0, 16)
	if t.id = uint16(v); err != nil || t.id >= 4095 {
		return t, core.Refuse(syscall.ERANGE, "8021q: Invalid VLAN id")
	}
	return t, nil
}

// newVLAN makes a device in n on u.Lower, which may be in another Net. Errors:
// EINVAL without an id or a lower device or with a larger MTU, ERANGE for an id
// above 4094, EPROTONOSUPPORT for a protocol that is no tag's, EOPNOTSUPP on what
// is no Ethernet, EEXIST if the VLAN has a device there, EMLINK too high above the
// lowest. Linux: vlan_newlink.
func newVLAN(s *core.Stack, k *core.Kind, n *netns.Net, u core.LinkSpec) (*core.Device, error) {
	t, err := tagOf(u.Attrs)
	if err != nil {
		return nil, err
	}
	low := u.Lower
	if _, ok := u.Attrs["id"]; !ok {
		return nil, core.Refuse(syscall.EINVAL, "8021q: VLAN id not specified")
	}
	if low == nil || u.Peer != nil {
		return nil, core.Refuse(syscall.EINVAL, "8021q: link not specified")
	}
	if low.Hardware() != 1 {
		return nil, core.Refuse(syscall.EOPNOTSUPP, "8021q: VLANs not supported on device")
	}
	vs := vlansOf(low)
	if vs != nil && (*vs.byTag.Load())[t] != nil {
		return nil, core.Refuse(syscall.EEXIST, "8021q: VLAN device already exists")
	}
	if u.MTU > low.MTU() {
		return nil, fmt.Errorf("link: vlan mtu %d on %s: %w", u.MTU, low.Name(), syscall.EINVAL)
	}
	if nest(low) >= maxNest {
		return nil, fmt.Errorf("link: vlan on %s: %d devices stand on each other: %w", low.Name(), maxNest, syscall.EMLINK)
	}
	if u.MTU == 0 {
		u.MTU = low.MTU()
	}
	v := &vlan{lower: low, tag: t, stolen: u.Addr.IsZero()}
	if v.stolen {
		u.Addr = low.Addr()
	}
	spec := spec(k, u, v)
	spec.Lower, spec.Stays, spec.AnyMTU, spec.Carrier = low, true, true, low.Carrier()
	spec.Flags = low.Flags() &^ (core.FlagUp | core.FlagPromisc | core.FlagAllMulti | core.FlagMaster | core.FlagRunning | core.FlagLowerUp)
	d, err := s.Register(n, spec)
	if err != nil {
		return nil, err
	}
	if vs == nil {
		vs = new(vlans)
	}
	vs.edit(func(list []*core.Device) []*core.Device { return append(list, d) })
	editAbove(low, func(a *above) { a.vlans = vs })
	low.SetVLANs(vs.find)
	return d, nil
}

// find returns the device for p's tag, or nil. Linux: vlan_find_dev.
func (vs *vlans) find(p *core.Packet) *core.Device {
	return (*vs.byTag.Load())[vlanTag{p.VLANProto, wire.TCI(p.VLAN).VID()}]
}

// edit publishes a changed list.
func (vs *vlans) edit(f func([]*core.Device) []*core.Device) {
	vs.list = f(slices.Clone(vs.list))
	byTag := make(map[vlanTag]*core.Device, len(vs.list))
	for _, d := range vs.list {
		byTag[d.Driver().(*vlan).tag] = d
	}
	slices.SortFunc(vs.list, func(a, b *core.Device) int {
		x, y := a.Driver().(*vlan).tag, b.Driver().(*vlan).tag
		return cmp.Or(cmp.Compare(x.proto, y.proto), cmp.Compare(x.id, y.id))
	})
	vs.byTag.Store(&byTag)
}

// Xmit tags p and sends it by the lower device. A tag that it has already goes
// inside. Linux: vlan_dev_hard_start_xmit.
func (v *vlan) Xmit(w *core.Worker, d *core.Device, p *core.Packet) {
	if !p.InsertVLAN() {
		d.CountTxError(1)
		w.Release(p)
		return
	}
	p.VLANProto, p.VLAN = v.tag.proto, v.tag.id
	v.lower.XmitPast(w, p)
}

// Open refuses while the lower device is down. Linux: vlan_dev_open.
func (v *vlan) Open(d *core.Device) error {
	if !v.lower.Up() {
		return syscall.ENETDOWN
	}
	s := d.Stack()
	if v.stolen {
		s.AdjustAddr(d, v.lower.Addr())
	}
	v.seen = v.lower.Addr()
	v.listen(d, d.Addr() != v.seen)
	if v.lower.Carrier() {
		s.SetCarrier(d, true)
	}
	return nil
}

// Stop takes the carrier. Linux: vlan_dev_stop.
func (v *vlan) Stop(d *core.Device) {
	v.listen(d, false)
	d.Stack().SetCarrier(d, false)
}

// listen lets the lower device hear d's address too, or no more.
func (v *vlan) listen(d *core.Device, on bool) {
	if on == v.hearing {
		return
	}
	v.hearing = on
	if on {
		hear(v.lower, 1)
	} else {
		hear(v.lower, -1)
	}
}

// Leave takes the device from the lower one. Linux: unregister_vlan_dev.
func (v *vlan) Leave(d *core.Device) []*core.Device {
	vs := vlansOf(v.lower)
	vs.edit(func(list []*core.Device) []*core.Device {
		return slices.DeleteFunc(list, func(o *core.Device) bool { return o == d })
	})
	if len(vs.list) == 0 {
		v.lower.SetVLANs(nil)
		editAbove(v.lower, func(a *above) { a.vlans = nil })
	}
	return nil
}

// ChangeMTU refuses more than the lower device has. Linux: vlan_dev_change_mtu.
func (v *vlan) ChangeMTU(d *core.Device, mtu int) error {
	if mtu > v.lower.MTU() {
		return syscall.ERANGE
	}
	return nil
}

// ChangeAddr has nothing against any address; from then on it is the device's own.
// Linux: vlan_dev_set_mac_address.
func (v *vlan) ChangeAddr(d *core.Device, a wire.MAC) error {
	v.stolen = false
	v.listen(d, d.Up() && a != v.lower.Addr())
	return nil
}

// vlanEvent lets the VLAN devices on d follow it: they go down and come up with it,
// and have its carrier, at most its MTU, and its address if nobody chose another.
// Linux: vlan_device_event.
func (l *Links) vlanEvent(e core.Event, d *core.Device) {
	vs := vlansOf(d)
	if vs == nil {
		return
	}
	s := l.stack
	for _, up := range slices.Clone(vs.list) {
		switch e {
		case core.EventUp:
			if !up.Up() {
				_ = s.SetUp(up) // as Linux, which does not ask whether it could
				s.SetCarrier(up, d.Carrier())
			}
		case core.EventDown:
			if up.Up() {
				s.SetDown(up)
				s.SetCarrier(up, d.Carrier())
			}
		case core.EventCarrier:
			s.SetCarrier(up, d.Carrier())
		case core.EventMTU:
			s.AdjustMTU(up, min(up.MTU(), d.MTU()))
		case core.EventAddr:
			if up.Up() {
				up.Driver().(*vlan).lowerAddr(up)
			}
		}
	}
}

// lowerAddr follows the lower device's address. Linux: vlan_sync_address.
func (v *vlan) lowerAddr(d *core.Device) {
	now := v.lower.Addr()
	if now == v.seen {
		return
	}
	v.seen = now
	if v.stolen {
		d.Stack().AdjustAddr(d, now)
	}
	v.listen(d, d.Addr() != now)
}

// showVLAN returns the attributes as `ip -d link` prints them.
func showVLAN(d *core.Device) [][2]string {
	t := d.Driver().(*vlan).tag
	return [][2]string{{"protocol", fmt.Sprintf("%#04x", t.proto)}, {"id", strconv.Itoa(int(t.id))}}
}
