package core

import (
	"slices"
	"syscall"

	"nsmodel/core/wire"
)

// A HardwareGroup is an address beside its own that a device listens to.
// Linux: struct netdev_hw_addr of dev->mc.
type HardwareGroup struct {
	Addr   wire.MAC
	Users  int  // how often it was asked for, a user's once included
	Static bool // a user has asked for it. Linux: global_use
}

// A Filterer is a driver that can leave frames for other groups to the wire.
// SetGroups is called whenever what d listens to changes, and when it comes up;
// all says that it wants every group's frames. The list is not to be written.
// A driver without it hears everything. Linux: ndo_set_rx_mode.
type Filterer interface {
	SetGroups(d *Device, list []HardwareGroup, all bool)
}

// Groups returns the group addresses that d listens to, in the order in which
// they were first asked for; not to be written.
func (d *Device) Groups() []HardwareGroup {
	if l := d.groups.Load(); l != nil {
		return *l
	}
	return nil
}

// AddGroup makes d listen to a once more. It may be called from anywhere.
// Linux: dev_mc_add.
func (d *Device) AddGroup(a wire.MAC) {
	s := d.stack
	s.groupMu.Lock()
	defer s.groupMu.Unlock()
	next := slices.Clone(d.Groups())
	if i := indexGroup(next, a); i >= 0 {
		next[i].Users++
	} else {
		next = append(next, HardwareGroup{Addr: a, Users: 1})
	}
	d.setGroups(next)
}

// DelGroup takes one AddGroup back; ENOENT if d does not listen to a.
// Linux: dev_mc_del.
func (d *Device) DelGroup(a wire.MAC) error {
	s := d.stack
	s.groupMu.Lock()
	defer s.groupMu.Unlock()
	return d.dropGroup(a, false)
}

// SetGroup makes d listen to a because a user says so, however often; on false
// it takes that back, ENOENT if no user has said it. Linux: dev_mc_add_global,
// dev_mc_del_global.
func (d *Device) SetGroup(a wire.MAC, on bool) error {
	s := d.stack
	s.groupMu.Lock()
	defer s.groupMu.Unlock()
	if !on {
		return d.dropGroup(a, true)
	}
	next := slices.Clone(d.Groups())
	switch i := indexGroup(next, a); {
	case i < 0:
		next = append(next, HardwareGroup{Addr: a, Users: 1, Static: true})
	case next[i].Static:
		return nil
	default:
		next[i].Users++
		next[i].Static = true
	}
	d.setGroups(next)
	return nil
}

// dropGroup takes one user of a away; under groupMu.
func (d *Device) dropGroup(a wire.MAC, static bool) error {
	next := slices.Clone(d.Groups())
	i := indexGroup(next, a)
	if i < 0 || static && !next[i].Static {
		return syscall.ENOENT
	}
	if static {
		next[i].Static = false
	}
	if next[i].Users--; next[i].Users == 0 {
		next = slices.Delete(next, i, i+1)
	}
	d.setGroups(next)
	return nil
}

func indexGroup(list []HardwareGroup, a wire.MAC) int {
	return slices.IndexFunc(list, func(g HardwareGroup) bool { return g.Addr == a })
}

// setGroups publishes a list and tells the driver; under groupMu. Most devices
// listen to the same: they share one list.
func (d *Device) setGroups(next []HardwareGroup) {
	s := d.stack
	switch {
	case len(next) == 0:
		d.groups.Store(nil)
	case s.groupList != nil && slices.Equal(*s.groupList, next):
		d.groups.Store(s.groupList)
	default:
		//tagvet:allow netless a list that never changes once it is published, whoever made it
		s.groupList = &next
		d.groups.Store(&next)
	}
	d.filter()
}

// filter tells the driver what to let through; under groupMu.
// Linux: dev_set_rx_mode.
func (d *Device) filter() {
	if f, ok := d.driver.(Filterer); ok && d.live.Load() {
		f.SetGroups(d, d.Groups(), d.AllMulti() > 0 || d.flags.Load()&FlagPromisc != 0)
	}
}

// refilter is filter for who does not hold groupMu.
func (d *Device) refilter() {
	d.stack.groupMu.Lock()
	defer d.stack.groupMu.Unlock()
	d.filter()
}

// flushGroups forgets every group of a device that leaves its Net, those that a
// user has asked for included. Linux: dev_mc_flush.
func (d *Device) flushGroups() {
	d.stack.groupMu.Lock()
	defer d.stack.groupMu.Unlock()
	if d.groups.Load() != nil {
		d.setGroups(nil)
	}
}
