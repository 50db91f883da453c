package ipv6

import (
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/netns"
)

// userFlags are what a user may say of an address.
const userFlags = unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR | unix.IFA_F_OPTIMISTIC

// AddAddr gives d the address a, of which Local, Peer, Bits, Metric, Proto, the
// lifetimes (0: without end) and the user's Flags count; under rtnl. Unless it
// has IFA_F_NODAD it is tentative until nobody has objected for a while.
//
// Errors, with Linux's sentence: EINVAL for a bad prefix length, EEXIST for an
// address that d has, EADDRNOTAVAIL for one that nobody may have, EACCES where
// IPv6 is disabled, ENOBUFS if d's Net has as many as it may.
// Linux: inet6_addr_add.
func (s *Inet) AddAddr(d *core.Device, a Addr) error {
	dev := s.devs.Of(d)
	if dev == nil {
		return netlink.Extack(syscall.ENOBUFS, "ipv6: No IPv6 support on this device")
	}
	if a.Bits < 0 || a.Bits > 128 {
		return netlink.Extack(syscall.EINVAL, "ipv6: Invalid prefix length")
	}
	mu := s.lock(d.Net())
	defer mu.Unlock()
	switch {
	case s.addrAt(d, a.Local) != nil:
		return netlink.Extack(syscall.EEXIST, "ipv6: address already assigned")
	case a.Flags&unix.IFA_F_MANAGETEMPADDR != 0 && a.Bits != 64:
		return netlink.Extack(syscall.EINVAL, `ipv6: address with "mngtmpaddr" flag must have a prefix length of 64`)
	case dev.on(confDisable):
		return netlink.Extack(syscall.EACCES, "ipv6: IPv6 is disabled on this device")
	case !a.Local.Is6() || a.Local.IsUnspecified():
		return netlink.Extack(syscall.EADDRNOTAVAIL, "ipv6: Invalid address")
	case a.Local.IsMulticast():
		return netlink.Extack(syscall.EADDRNOTAVAIL, `ipv6: Cannot assign multicast address without "IFA_F_MCAUTOJOIN" flag`)
	case a.Local.IsLoopback() && !dev.loopback():
		return netlink.Extack(syscall.EADDRNOTAVAIL, "ipv6: Cannot assign loopback address on this device")
	}
	a.Dev = d
	a.Flags &= userFlags
	if a.Valid == 0 {
		a.Valid, a.Preferred = netlink.Forever, netlink.Forever
	}
	if a.Flags |= lifeFlags(a.Valid, a.Preferred); s.optimistic(dev) == 0 {
		a.Flags &^= unix.IFA_F_OPTIMISTIC
	}
	if a.Flags&unix.IFA_F_NODAD == 0 {
		a.Flags |= unix.IFA_F_TENTATIVE
	}
	if a.Peer == a.Local {
		a.Peer = netip.Addr{}
	}
	if d.Up() {
		s.groupsUp(dev)
		if !dev.loopback() {
			s.addMulticastRoute(dev) // with the first address, if not with the carrier. Linux: addrconf_add_dev
		}
	}
	if err := s.insertAddr(dev, &a, insertUser); err != nil {
		return err
	}
	if a.Flags&unix.IFA_F_MANAGETEMPADDR != 0 {
		s.manageTemporary(dev, &a, a.Valid, a.Preferred, true)
	}
	return nil
}

// insertAddr puts a where it belongs in dev's list, makes its routes and begins
// with duplicate address detection; under the Net's lock. EEXIST if dev has it.
// Linux: ipv6_add_addr and what follows it.
func (s *Inet) insertAddr(dev *device, a *Addr, who inserter) error {
	if s.addrAt(dev.dev, a.Local) != nil {
		return syscall.EEXIST
	}
	if err := s.hold(a); err != nil {
		return err
	}
	a.since = s.Core.Sys.Now()
	list := dev.Addrs()
	at := slices.IndexFunc(list, func(b *Addr) bool { return a.Scope() <= b.Scope() })
	if at < 0 {
		at = len(list)
	}
	dev.publish(slices.Insert(slices.Clone(list), at, a))
	if who != insertRouter { // who has made the route to the prefix already, if there is one
		s.addPrefixRoute(dev, a)
	}
	if who == insertUser && a.Tentative() {
		s.tellAddr(netlink.New, a)
	}
	s.joinSolicited(dev, a.Local)
	s.startDAD(dev, a)
	s.lifeAhead(a)
	return nil
}

// An inserter is who has an address inserted: of a user's, those who listen hear
// at once, of others when it is ready.
type inserter uint8

const (
	insertUser inserter = iota
	insertKernel
	insertRouter // as insertKernel, because of a router's advertisement
)

func (dev *device) publish(list []*Addr) {
	if len(list) == 0 {
		dev.list.Store(nil)
		return
	}
	dev.list.Store(&list)
}

// replace puts next in the place of a; under the Net's lock.
func (s *Inet) replace(dev *device, a, next *Addr) {
	list := slices.Clone(dev.Addrs())
	for i, b := range list {
		if b == a {
			list[i] = next
		}
	}
	dev.publish(list)
	n, k := a.Dev.Net(), a.Local.As16()
	old, _ := s.addrs.Get(n, k)
	held := slices.Clone(old)
	for i, b := range held {
		if b == a {
			held[i] = next
		}
	}
	_ = s.addrs.Set(n, k, held) // replaces: neither a cap nor death can refuse it
}

// A Gone address is what DelAddr looks for. Linux: the attributes of
// RTM_DELADDR.
type Gone struct {
	Local netip.Addr
	Bits  int
}

// DelAddr takes an address from d; under rtnl. EADDRNOTAVAIL if d has none such
// with that prefix length. Linux: inet6_addr_del.
func (s *Inet) DelAddr(d *core.Device, g Gone) error {
	if g.Bits > 128 {
		return netlink.Extack(syscall.EINVAL, "ipv6: Invalid prefix length")
	}
	dev := s.devs.Of(d)
	if dev == nil {
		return netlink.Extack(syscall.ENXIO, "ipv6: IPv6 is disabled on this device")
	}
	mu := s.lock(d.Net())
	defer mu.Unlock()
	for _, a := range dev.Addrs() {
		if a.Local == g.Local && a.Bits == g.Bits {
			s.disown(dev, a)
			s.removeAddr(dev, s.addrAt(d, a.Local))
			return nil
		}
	}
	return netlink.Extack(syscall.EADDRNOTAVAIL, "ipv6: address not found")
}

// removeAddr takes an address of dev's away, and with it what it stood for;
// under the Net's lock. Linux: ipv6_del_addr.
func (s *Inet) removeAddr(dev *device, a *Addr) {
	a.stopDAD()
	dev.publish(slices.DeleteFunc(slices.Clone(dev.Addrs()), func(b *Addr) bool { return b == a }))
	s.release(a)
	s.leaveSolicited(dev, a.Local)
	s.tellAddr(netlink.Del, a)
	s.delRoutes(dev, a)
}

// hold files a under its address, ahead of other devices that have it too.
// Linux: ipv6_add_addr_hash.
func (s *Inet) hold(a *Addr) error {
	n, k := a.Dev.Net(), a.Local.As16()
	old, _ := s.addrs.Get(n, k)
	next := make([]*Addr, 1, len(old)+1)
	next[0] = a
	return s.addrs.Set(n, k, append(next, old...))
}

func (s *Inet) release(a *Addr) {
	n, k := a.Dev.Net(), a.Local.As16()
	old, _ := s.addrs.Get(n, k)
	rest := slices.DeleteFunc(slices.Clone(old), func(b *Addr) bool { return b == a })
	if len(rest) == 0 {
		s.addrs.Delete(n, k)
		return
	}
	_ = s.addrs.Set(n, k, rest) // replaces: neither a cap nor death can refuse it
}

// SetAddrCap allows n at most max different addresses; 0 takes the limit away.
// Linux has none but memory for those that users add.
func (s *Inet) SetAddrCap(n *netns.Net, max int) { s.addrs.SetCap(n, max) }

// Addrs returns d's addresses; not to be written.
func (s *Inet) Addrs(d *core.Device) []*Addr {
	if dev := s.devs.Of(d); dev != nil {
		return dev.Addrs()
	}
	return nil
}

// addrAt returns d's address a, or nil. Linux: ipv6_get_ifaddr with a device.
func (s *Inet) addrAt(d *core.Device, a netip.Addr) *Addr {
	l, _ := s.addrs.Get(d.Net(), a.As16())
	for _, own := range l {
		if own.Dev == d {
			return own
		}
	}
	return nil
}

// LocalAddr returns an address of n's that is a and may be used: of d if a is
// link-local and d is not nil, else of any device; nil if there is none.
// Linux: ipv6_chk_addr.
func (s *Inet) LocalAddr(n *netns.Net, d *core.Device, a netip.Addr) *Addr {
	l, _ := s.addrs.Get(n, a.As16())
	for _, own := range l {
		if !own.Tentative() && (d == nil || own.Dev == d || !a.IsLinkLocalUnicast()) {
			return own
		}
	}
	return nil
}

// NonlocalBind reports whether sockets of n may have foreign addresses.
func (s *Inet) NonlocalBind(n *netns.Net) bool { return s.conf.Of(n).NonlocalBind.Load() != 0 }
