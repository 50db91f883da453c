package core

import (
	"fmt"
	"syscall"

	"nsmodel/core/wire"
)

// SetUp brings d up; under rtnl. The driver may refuse. Linux: dev_open.
func (s *Stack) SetUp(d *Device) error {
	if d.live.Load() {
		return nil
	}
	if o, ok := d.driver.(Opener); ok {
		if err := o.Open(d); err != nil {
			return fmt.Errorf("core: %s up: %w", d.Name(), err)
		}
	}
	d.flags.Store(d.flags.Load() | FlagUp)
	d.live.Store(true)
	d.refilter()
	s.notify(EventUp, d)
	return nil
}

// SetDown takes d down; under rtnl. It waits until no packet is on its way
// through d, and drops what waited there. Linux: dev_close.
func (s *Stack) SetDown(d *Device) {
	if !d.live.Load() {
		return
	}
	s.down(d)
	s.Sys.Synchronize()
	w := s.Enter()
	d.purge(w, DeviceDown)
	w.Leave()
}

// down is SetDown without the wait.
func (s *Stack) down(d *Device) {
	if !d.live.Load() {
		return
	}
	s.notify(EventGoingDown, d)
	d.live.Store(false)
	d.flags.Store(d.flags.Load() &^ FlagUp)
	if o, ok := d.driver.(Opener); ok {
		o.Stop(d)
	}
	s.notify(EventDown, d)
}

// SetCarrier says whether d has a partner; under rtnl.
// Linux: netif_carrier_on and off.
func (s *Stack) SetCarrier(d *Device, on bool) {
	if on == d.Carrier() {
		return
	}
	d.flags.Store(d.flags.Load() ^ FlagLowerUp)
	if d.listed && d.live.Load() {
		s.notify(EventCarrier, d)
	}
}

// StateChanged tells who watches d, if it is up, to look at it anew: something
// has changed that has no event of its own. Under rtnl.
// Linux: netdev_state_change.
func (s *Stack) StateChanged(d *Device) {
	if d.listed && d.live.Load() {
		s.notify(EventChange, d)
	}
}

// SetFlag switches one of FlagPromisc, FlagAllMulti, FlagNoARP, FlagMulticast
// and FlagMaster; under rtnl.
func (s *Stack) SetFlag(d *Device, flag uint32, on bool) {
	if flag&FlagPromisc != 0 && on != (d.flags.Load()&FlagPromisc != 0) {
		k := -1
		if on {
			k = 1
		}
		s.AddPromiscuity(d, k)
	}
	if on {
		d.flags.Store(d.flags.Load() | flag)
	} else {
		d.flags.Store(d.flags.Load() &^ flag)
	}
	if flag&(FlagPromisc|FlagAllMulti) != 0 {
		d.refilter()
	}
}

// AddPromiscuity lets k more, or with k below zero fewer, want d to hear frames to
// others' addresses; under rtnl. Linux: dev_set_promiscuity.
func (s *Stack) AddPromiscuity(d *Device, k int) { d.ears.Add(int32(k)) }

// AddAllMulti lets k more, or with k below zero fewer, want d to hear every group;
// under rtnl. Linux: dev_set_allmulti.
func (s *Stack) AddAllMulti(d *Device, k int) {
	d.allEars.Add(int32(k))
	d.refilter()
}

// AllMulti returns how many want d to hear every group, its own flag included.
// Linux: dev->allmulti.
func (d *Device) AllMulti() int {
	k := int(d.allEars.Load())
	if d.flags.Load()&FlagAllMulti != 0 {
		k++
	}
	return k
}

// Rename gives d another name in its Net; under rtnl. A device that is up may
// be renamed, as in Linux since 6.2. Errors: EINVAL, EEXIST.
// Linux: dev_change_name.
func (s *Stack) Rename(d *Device, name string) error {
	if name == d.Name() {
		return nil
	}
	name, err := s.pickName(d.Net(), name)
	if err != nil {
		return err
	}
	n := d.Net()
	if err := s.devices.Add(n, nameKey(name), d); err != nil {
		return fmt.Errorf("core: rename %s to %s: %w", d.Name(), name, err)
	}
	s.devices.Delete(n, nameKey(d.Name()))
	d.name.Store(&name)
	s.notify(EventName, d)
	return nil
}

// SetMTU sets the largest payload of a frame in bytes; under rtnl. EINVAL out
// of the device's range. Linux: dev_set_mtu.
func (s *Stack) SetMTU(d *Device, mtu int) error {
	if mtu < d.MinMTU() || d.Flags()&FlagLoopback == 0 && mtu > MaxMTU {
		return fmt.Errorf("core: mtu %d of %s: %w", mtu, d.Name(), syscall.EINVAL)
	}
	if t, ok := d.driver.(Tuner); ok {
		if err := t.ChangeMTU(d, mtu); err != nil {
			return fmt.Errorf("core: mtu %d of %s: %w", mtu, d.Name(), err)
		}
	}
	s.AdjustMTU(d, mtu)
	return nil
}

// AdjustMTU is SetMTU by a driver, for what follows from other devices; under
// rtnl. Linux: __dev_set_mtu.
func (s *Stack) AdjustMTU(d *Device, mtu int) {
	if mtu == d.MTU() {
		return
	}
	d.mtu.Store(uint32(mtu))
	s.notify(EventMTU, d)
}

// SetAddr sets the hardware address; under rtnl. EADDRNOTAVAIL for a group
// address or all zeros. Linux: dev_set_mac_address, eth_validate_addr.
func (s *Stack) SetAddr(d *Device, a wire.MAC) error {
	if a == d.Addr() && d.Flags()&FlagLoopback != 0 {
		return nil // the driver is not asked: all zeros are lo's from the start
	}
	if a.IsMulticast() || a.IsZero() {
		return fmt.Errorf("core: address %v of %s: %w", a, d.Name(), syscall.EADDRNOTAVAIL)
	}
	if t, ok := d.driver.(Tuner); ok {
		if err := t.ChangeAddr(d, a); err != nil {
			return fmt.Errorf("core: address %v of %s: %w", a, d.Name(), err)
		}
	}
	d.noAuto = true
	s.AdjustAddr(d, a)
	return nil
}

// AdjustAddr is SetAddr by a driver: nobody has chosen the address, and it may
// be zero. Under rtnl. Linux: eth_hw_addr_set.
func (s *Stack) AdjustAddr(d *Device, a wire.MAC) {
	if a == d.Addr() {
		return
	}
	d.addr.Store(packMAC(a))
	s.notify(EventAddr, d)
}

// AddrChosen reports whether somebody has chosen d's address; under rtnl.
// Linux: addr_assign_type == NET_ADDR_SET.
func (d *Device) AddrChosen() bool { return d.noAuto }

// SetTxQLen sets the length of the sending queue in packets; under rtnl.
func (s *Stack) SetTxQLen(d *Device, k int) error {
	if k < 0 {
		return fmt.Errorf("core: txqueuelen %d of %s: %w", k, d.Name(), syscall.EINVAL)
	}
	d.txqlen = int32(k)
	if q := d.qdisc; q != nil {
		q.mu.Lock()
		q.limit = k
		q.mu.Unlock()
	}
	return nil
}

// A Master is a driver that takes ports, as a bridge. Linux: ndo_add_slave.
type Master interface {
	AddPort(master, port *Device) error
	DelPort(master, port *Device)
}

// SetMaster makes d a port of master, or of nobody; under rtnl. Both must be in
// one Net: EINVAL otherwise, EOPNOTSUPP if master takes no ports, EBUSY if it
// refuses d. Linux: do_set_master.
func (s *Stack) SetMaster(d, master *Device) error {
	if d.master == master {
		return nil
	}
	if master != nil {
		m, ok := master.driver.(Master)
		if !ok {
			return fmt.Errorf("core: master %s: %w", master.Name(), syscall.EOPNOTSUPP)
		}
		if master.Net() != d.Net() {
			return fmt.Errorf("core: master %s is in another namespace: %w", master.Name(), syscall.EINVAL)
		}
		s.dropMaster(d)
		if err := m.AddPort(master, d); err != nil {
			return err
		}
		d.master = master
		s.notify(EventMaster, d)
		return nil
	}
	s.dropMaster(d)
	return nil
}

// dropMaster takes d from whom it is a port of.
func (s *Stack) dropMaster(d *Device) {
	old := d.master
	if old == nil {
		return
	}
	old.driver.(Master).DelPort(old, d)
	d.master = nil
	if d.listed {
		s.notify(EventMaster, d)
	}
}
