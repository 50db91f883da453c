package ipv6

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// minMTU is the least MTU by which IPv6 works (RFC 8200 section 5).
const minMTU = wire.IPv6MinMTU

// event is told of what happens to devices; under rtnl. Linux: addrconf_notify,
// with ndisc_netdev_event's part.
func (s *Inet) event(e core.Event, d *core.Device) {
	dev := s.devs.Of(d)
	if dev == nil {
		if e == core.EventRegister || e == core.EventMTU && d.MTU() >= minMTU && d.Listed() {
			if dev = s.attach(d); dev != nil && d.Up() {
				s.deviceUp(dev)
			}
		}
		return
	}
	n := d.Net()
	switch e {
	case core.EventUnregister:
		s.detach(dev)
	case core.EventUp, core.EventCarrier, core.EventChange:
		s.deviceUp(dev)
		if e != core.EventUp {
			mu := s.lock(n)
			s.FIB.DeviceCarrier(n, d, d.Carrier())
			mu.Unlock()
			if !d.Carrier() {
				s.Core.FlushNeighbours(core.AFInet6, d, false)
			}
		}
	case core.EventDown:
		s.deviceDown(dev, s.keeps(dev))
	case core.EventMTU:
		if d.MTU() < minMTU {
			s.detach(dev)
			return
		}
		own := *dev.own.Load()
		own.v[confMTU] = int32(d.MTU())
		dev.own.Store(&own)
		s.mtuChanged(n, d.Index(), d.MTU())
	case core.EventAddr:
		s.Core.FlushNeighbours(core.AFInet6, d, true)
		s.announce(dev)
	case core.EventName:
		s.devicesChanged(n)
	}
}

// attach makes d speak IPv6, or be ready to. Linux: ipv6_add_dev.
func (s *Inet) attach(d *core.Device) *device {
	if d.MTU() < minMTU {
		return nil
	}
	n := d.Net()
	dev := &device{dev: d}
	own := s.conf.Of(n).dflt.Load()
	if u := s.usual[d.MTU()]; own == s.dflt && u != nil {
		own = u
	} else if own.v[confMTU] != int32(d.MTU()) {
		c := *own
		c.v[confMTU] = int32(d.MTU())
		own = &c
	}
	if d.Flags()&(core.FlagLoopback|core.FlagNoARP) != 0 {
		if own == s.usual[65536] {
			own = s.lo
		}
		own = own.with(confUseTempAddr, -1)
	}
	if own.secret != nil {
		own = own.with(confAddrGenMode, genStable)
	}
	dev.own.Store(own)
	s.groupsBegin(dev)
	if dev.on(confForwarding) && d.Flags()&core.FlagMulticast != 0 {
		s.enterGroup(dev, allRouters)
	}
	s.devs.Set(d, dev)
	s.devicesChanged(n)
	return dev
}

// devicesChanged has rules look up their devices again, if there are any: a Net
// that has nothing of IPv6 has no lock of its own either.
func (s *Inet) devicesChanged(n *netns.Net) {
	if !s.FIB.CustomRules(n) {
		return
	}
	mu := s.lock(n)
	defer mu.Unlock()
	s.FIB.DevicesChanged(n)
}

// joinRouters applies join or leave to the groups of routers.
func (dev *device) joinRouters(how func(*device, [16]byte)) {
	if dev.dev.Flags()&core.FlagMulticast == 0 {
		return
	}
	for _, g := range [][16]byte{allRouters, allRoutersIf, siteRouters} {
		how(dev, g)
	}
}

// detach ends IPv6 at a device. In a dying Net the addresses and routes go with
// its tables. Linux: addrconf_ifdown with unregister.
func (s *Inet) detach(dev *device) {
	d := dev.dev
	n := d.Net()
	s.mrouteGone(dev)
	s.deviceDown(dev, false)
	s.devs.Set(d, nil)
	s.groupsEnd(dev)
	if !n.Alive() {
		return
	}
	mu := s.lock(n)
	s.FIB.DeviceGone(n, d)
	mu.Unlock()
	s.devicesChanged(n)
}

// deviceUp gives a device that has come up, or that may speak IPv6 at last, the
// addresses that it has by itself, and begins with what waited for the link.
// Linux: addrconf_notify for NETDEV_UP and NETDEV_CHANGE.
func (s *Inet) deviceUp(dev *device) {
	d := dev.dev
	if !d.Up() || dev.on(confDisable) || !d.Net().Alive() {
		return
	}
	mu := s.lock(d.Net())
	defer mu.Unlock()
	if !dev.ready.Load() {
		if own := dev.own.Load(); int(own.v[confMTU]) != d.MTU() { // what a router said of it is forgotten
			dev.own.Store(own.with(confMTU, int32(d.MTU())))
		}
		s.FIB.DeviceUp(d.Net(), d)
		for _, a := range dev.Addrs() { // what was added while the device was down
			s.addPrefixRoute(dev, a)
		}
	}
	if !d.Carrier() {
		return
	}
	s.groupsUp(dev)
	if !dev.ready.Load() {
		dev.ready.Store(true)
		switch {
		case dev.loopback():
			s.initLoopback(dev)
		case d.Hardware() == 1:
			s.addMulticastRoute(dev)
			s.addLinkLocal(dev)
		}
	}
	s.wakeKept(dev)
	for _, a := range dev.Addrs() {
		s.startDAD(dev, a)
	}
}

// initLoopback gives lo its address. Linux: init_loopback.
func (s *Inet) initLoopback(dev *device) {
	_ = s.insertAddr(dev, &Addr{Dev: dev.dev, Local: netip.IPv6Loopback(), Bits: 128, Flags: unix.IFA_F_PERMANENT,
		Valid: netlink.Forever, Preferred: netlink.Forever}, insertKernel) // EEXIST: it has stayed
}

// addLinkLocal gives dev the link-local address that its hardware address makes
// (RFC 4291 section 2.5.6), or a secret. Linux: addrconf_addr_gen,
// addrconf_add_linklocal.
func (s *Inet) addLinkLocal(dev *device) {
	local, flags, ok := s.generate(dev, [16]byte{0xfe, 0x80}, 0)
	if !ok || dev.own.Load().v[confAddrGenMode] == genNone {
		return
	}
	_ = s.insertAddr(dev, &Addr{Dev: dev.dev, Local: local, Bits: 64, Flags: unix.IFA_F_PERMANENT | unix.IFA_F_TENTATIVE | flags | s.optimistic(dev),
		Valid: netlink.Forever, Preferred: netlink.Forever}, insertKernel) // EEXIST: somebody has added it
}

// deviceDown takes a device's addresses, routes and neighbours away: it went
// down, and may keep some, or IPv6 was disabled there. Linux: addrconf_ifdown.
func (s *Inet) deviceDown(dev *device, keep bool) {
	d := dev.dev
	n := d.Net()
	dev.ready.Store(false)
	if !n.Alive() { // they go with its tables
		dev.publish(nil)
		return
	}
	mu := s.lock(n)
	dev.stopSolicit()
	s.dropAddrs(dev, keep)
	s.groupsDown(dev)
	s.FIB.DeviceDown(n, d)
	mu.Unlock()
	s.Core.FlushNeighbours(core.AFInet6, d, true)
}
