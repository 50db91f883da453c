package ipv6

import (
	"net/netip"
	"slices"

	"nsmodel/core"
)

// A group is a multicast address that a device takes packets for, and by how
// many reasons. MLD is not modelled: nobody is told of it.
// Linux: struct ifmcaddr6.
type group struct {
	addr  [16]byte
	users int
}

var (
	allNodesIf   = [16]byte{0xff, 0x01, 15: 1}
	allNodes     = [16]byte{0xff, 0x02, 15: 1}
	allRoutersIf = [16]byte{0xff, 0x01, 15: 2}
	allRouters   = [16]byte{0xff, 0x02, 15: 2}
	siteRouters  = [16]byte{0xff, 0x05, 15: 2}
)

// join makes dev a member of g once more; under the Net's lock.
// Linux: __ipv6_dev_mc_inc.
func (dev *device) join(g [16]byte) { dev.count(g, 1) }

// leave takes one reason away. Linux: __ipv6_dev_mc_dec.
func (dev *device) leave(g [16]byte) { dev.count(g, -1) }

func (dev *device) count(g [16]byte, by int) {
	var next []group
	if old := dev.groups.Load(); old != nil {
		next = slices.Clone(*old)
	}
	i := slices.IndexFunc(next, func(m group) bool { return m.addr == g })
	switch {
	case i >= 0:
		if next[i].users += by; next[i].users <= 0 {
			next = slices.Delete(next, i, i+1)
		}
	case by > 0:
		next = slices.Insert(next, 0, group{g, by}) // the newest is shown first
	}
	dev.groups.Store(&next)
}

// member reports whether dev takes packets for the group g.
// Linux: ipv6_chk_mcast_addr.
func (dev *device) member(g [16]byte) bool {
	all := dev.groups.Load()
	return all != nil && slices.ContainsFunc(*all, func(m group) bool { return m.addr == g })
}

// Groups returns the groups that d is in, the latest first.
func (s *Inet) Groups(d *core.Device) (all []netip.Addr) {
	dev := s.devs.Of(d)
	if dev == nil || dev.groups.Load() == nil {
		return nil
	}
	for _, m := range *dev.groups.Load() {
		all = append(all, netip.AddrFrom16(m.addr))
	}
	return all
}
