package ipv4

import (
	"net/netip"
	"slices"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/fib"
	"nsmodel/netns"
)

// AddAddr gives d the address a, of which Local and Prefix's length count, Peer
// if it is valid, Broadcast, Label, Scope, Metric, Proto, Flags and the lifetimes
// (0: without end); under rtnl. It is secondary if a primary address of the same subnet is there already.
//
// Errors, with Linux's sentence where it has one: EINVAL for what is no IPv4
// prefix or a scope that differs from the primary's; EEXIST for an address and
// prefix that d has; ENOBUFS if d does not speak IPv4 or its Net has as many
// addresses as it may. Linux: inet_rtm_newaddr, __inet_insert_ifa.
func (s *Inet) AddAddr(d *core.Device, a Addr) error {
	dev := s.devs.Of(d)
	if dev == nil {
		return syscall.ENOBUFS
	}
	own, err := s.newAddr(d, a)
	if err != nil {
		return err
	}
	defer s.lock(d.Net()).Unlock()
	dev.setAll()
	if dev.match(own) >= 0 {
		return netlink.Extack(syscall.EEXIST, "ipv4: Address already assigned")
	}
	return s.insertAddr(dev, own)
}

// newAddr fills in what follows from the rest.
func (s *Inet) newAddr(d *core.Device, a Addr) (*Addr, error) {
	if !a.Local.Is4() {
		return nil, netlink.Extack(syscall.EINVAL, "ipv4: Local address is not supplied")
	}
	if !a.Peer.IsValid() {
		a.Peer = a.Local
	}
	bits := a.Prefix.Bits()
	if bits < 0 || bits > 32 || !a.Peer.Is4() {
		return nil, netlink.Extack(syscall.EINVAL, "ipv4: Invalid prefix length")
	}
	if a.Broadcast.IsValid() && (!a.Broadcast.Is4() || a.Broadcast.IsUnspecified()) {
		a.Broadcast = netip.Addr{}
	}
	if a.Label == "" {
		a.Label = d.Name()
	}
	a.Dev = d
	a.Prefix = netip.PrefixFrom(a.Peer, bits).Masked()
	a.Flags &^= flagSecondary
	if a.setLifetime(a.Valid, a.Preferred, s.Core.Sys.Now()); a.limited() {
		s.ownLifetimes(d.Net())
	}
	return &a, nil
}

// match returns where dev has a's address with a's prefix, or -1.
// Linux: find_matching_ifa.
func (dev *device) match(a *Addr) int {
	return slices.IndexFunc(dev.Addrs(), func(b *Addr) bool { return b.Prefix == a.Prefix && b.Local == a.Local })
}

// insertAddr puts a where it belongs in dev's list: a primary one behind those
// of its scope or a wider one, a secondary one at the end. Linux:
// __inet_insert_ifa.
func (s *Inet) insertAddr(dev *device, a *Addr) error {
	if a.Local.IsUnspecified() {
		return nil // taken for done, and forgotten
	}
	list := dev.Addrs()
	at := 0
	for i, b := range list {
		if !b.Secondary() && a.Scope <= b.Scope {
			at = i + 1
		}
		if b.Prefix != a.Prefix {
			continue
		}
		if b.Local == a.Local {
			return syscall.EEXIST
		}
		if b.Scope != a.Scope {
			return netlink.Extack(syscall.EINVAL, "ipv4: Invalid scope value")
		}
		a.Flags |= flagSecondary
	}
	if a.Secondary() {
		at = len(list)
	}
	if err := s.hold(a); err != nil {
		return err
	}
	next := make([]*Addr, 0, len(list)+1)
	next = append(append(append(next, list[:at]...), a), list[at:]...)
	dev.publish(next)
	s.lifeAhead(a)
	s.tellAddr(netlink.New, a)
	s.addrUp(dev, a)
	return nil
}

func (dev *device) publish(list []*Addr) {
	if len(list) == 0 {
		dev.list.Store(nil)
		return
	}
	dev.list.Store(&list)
}

// addrUp makes the routes of an address that has come. Linux: fib_inetaddr_event.
func (s *Inet) addrUp(dev *device, a *Addr) {
	s.addRoutes(dev, a)
	if dev.dev.Up() && len(dev.Addrs()) == 1 {
		s.FIB.DeviceUp(dev.dev.Net(), dev.dev)
	}
}

// addrDown takes the routes of an address that has gone. With the last address
// all routes over the device go, and its neighbours. Linux: fib_inetaddr_event.
func (s *Inet) addrDown(dev *device, a *Addr) {
	s.delRoutes(dev, a, nil)
	if len(dev.Addrs()) == 0 {
		s.FIB.DeviceDisabled(dev.dev.Net(), dev.dev)
		s.Core.FlushNeighbours(core.AFInet, dev.dev, true)
	}
}

// A Gone address is what DelAddr looks for: Local, and of the rest what is
// given. Linux: the attributes of RTM_DELADDR.
type Gone struct {
	Local  netip.Addr
	Prefix netip.Prefix // not valid: any; else length and subnet must be the same
	Label  string       // "": any
}

// DelAddr takes an address from d; under rtnl. EADDRNOTAVAIL if d has none
// such. With the primary address of a subnet its secondaries go too, unless
// promote_secondaries makes the first of them primary.
// Linux: inet_rtm_deladdr.
func (s *Inet) DelAddr(d *core.Device, g Gone) error {
	dev := s.devs.Of(d)
	if dev == nil {
		return netlink.Extack(syscall.ENODEV, "ipv4: Device not found")
	}
	defer s.lock(d.Net()).Unlock()
	for i, a := range dev.Addrs() {
		if g.Local.IsValid() && g.Local != a.Local || g.Label != "" && g.Label != a.Label {
			continue
		}
		if g.Prefix.IsValid() && (g.Prefix.Bits() != a.Prefix.Bits() || !a.Prefix.Contains(g.Prefix.Addr())) {
			continue
		}
		s.removeAddr(dev, i)
		return nil
	}
	return netlink.Extack(syscall.EADDRNOTAVAIL, "ipv4: Address not found")
}

// removeAddr takes the address in place i of dev's list away.
// Linux: __inet_del_ifa.
func (s *Inet) removeAddr(dev *device, i int) {
	gone := dev.Addrs()[i]
	var heir *Addr
	if !gone.Secondary() {
		heir = s.dropSecondaries(dev, gone)
	}
	if heir != nil {
		// Their routes prefer the primary that goes; they come back below.
		for _, b := range dev.Addrs() {
			if b.Secondary() && b.Prefix == gone.Prefix {
				s.delRoutes(dev, b, gone)
			}
		}
	}
	dev.publish(without(dev.Addrs(), gone))
	s.release(gone)
	s.tellAddr(netlink.Del, gone)
	s.addrDown(dev, gone)
	if heir != nil {
		s.promote(dev, gone, heir)
	}
}

// dropSecondaries takes away the secondaries of gone, or returns the first of
// them if the device promotes it.
func (s *Inet) dropSecondaries(dev *device, gone *Addr) (heir *Addr) {
	for _, b := range dev.Addrs() {
		if !b.Secondary() || b.Prefix != gone.Prefix {
			continue
		}
		if dev.on(confPromoteSecondaries) {
			return b
		}
		dev.publish(without(dev.Addrs(), b))
		s.release(b)
		s.tellAddr(netlink.Del, b)
		s.addrDown(dev, b)
	}
	return nil
}

// promote makes heir primary in the place of gone: behind the primaries of its
// scope or a wider one that came after gone.
func (s *Inet) promote(dev *device, gone, heir *Addr) {
	own := *heir
	own.Flags &^= flagSecondary
	s.release(heir)
	if s.hold(&own) != nil { // its own place was just given back
		return
	}
	rest := without(dev.Addrs(), heir)
	at := 0
	for i, b := range rest {
		if !b.Secondary() && own.Scope <= b.Scope {
			at = i + 1
		}
	}
	dev.publish(slices.Insert(rest, at, &own))
	s.tellAddr(netlink.New, &own)
	s.addrUp(dev, &own)
	for _, b := range dev.Addrs() {
		if b != &own && b.Prefix == gone.Prefix {
			s.addRoutes(dev, b)
		}
	}
}

// without returns a copy of list that lacks a.
func without(list []*Addr, a *Addr) []*Addr {
	rest := make([]*Addr, 0, len(list))
	for _, b := range list {
		if b != a {
			rest = append(rest, b)
		}
	}
	return rest
}

// hold files a under its address, ahead of other devices that have it too.
// Linux: inet_hash_insert.
func (s *Inet) hold(a *Addr) error {
	n, k := a.Dev.Net(), a.Local.As4()
	old, _ := s.addrs.Get(n, k)
	next := make([]*Addr, 1, len(old)+1)
	next[0] = a
	return s.addrs.Set(n, k, append(next, old...))
}

func (s *Inet) release(a *Addr) {
	n, k := a.Dev.Net(), a.Local.As4()
	old, _ := s.addrs.Get(n, k)
	rest := without(old, a)
	if len(rest) == 0 {
		s.addrs.Delete(n, k)
		return
	}
	_ = s.addrs.Set(n, k, rest) // replaces: neither a cap nor death can refuse it
}

// SetAddrCap allows n at most max different addresses; 0 takes the limit away.
// Linux has none but memory.
func (s *Inet) SetAddrCap(n *netns.Net, max int) { s.addrs.SetCap(n, max) }

// Addrs returns d's addresses, primaries first; not to be written.
func (s *Inet) Addrs(d *core.Device) []*Addr {
	if dev := s.devs.Of(d); dev != nil {
		return dev.Addrs()
	}
	return nil
}

// IsLocal reports whether n takes packets for a as its own.
func (s *Inet) IsLocal(n *netns.Net, a [4]byte) bool { return s.AddrType(n, a) == fib.Local }

// NonlocalBind reports whether sockets of n may have foreign addresses.
func (s *Inet) NonlocalBind(n *netns.Net) bool { return s.conf.Of(n).NonlocalBind.Load() != 0 }

// AddrType tells what the table local of n says of a. Linux: inet_addr_type.
func (s *Inet) AddrType(n *netns.Net, a [4]byte) fib.Type {
	return s.FIB.AddrType(n, netip.AddrFrom4(a))
}

// LocalDevice returns a device of n that has the address a, or by which the
// table local delivers it, or nil. Linux: __ip_dev_find.
func (s *Inet) LocalDevice(n *netns.Net, a [4]byte) *core.Device {
	if l, ok := s.addrs.Get(n, a); ok {
		return l[0].Dev
	}
	return s.FIB.LocalDevice(n, netip.AddrFrom4(a))
}
