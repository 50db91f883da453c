package ipv4

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

// minMTU is the least MTU by which IPv4 works (RFC 791 section 3.2).
const minMTU = 68

// happened does what follows from an event; under the Net's lock. Linux:
// inetdev_event, then fib_netdev_event, with arp_netdev_event's part.
func (s *Inet) happened(e core.Event, d *core.Device) {
	dev := s.devs.Of(d)
	if dev == nil {
		if e == core.EventRegister || e == core.EventMTU && d.MTU() >= minMTU && d.Listed() {
			s.attach(d)
		}
		return
	}
	n := d.Net()
	switch e {
	case core.EventUnregister:
		s.detach(dev)
	case core.EventUp:
		s.deviceUp(dev)
	case core.EventDown:
		s.groupsDown(dev)
		if n.Alive() {
			s.FIB.DeviceDown(n, d)
			s.Core.FlushNeighbours(core.AFInet, d, true)
		}
	case core.EventCarrier, core.EventChange:
		s.FIB.DeviceCarrier(n, d, d.Carrier())
		if !d.Carrier() && dev.on(confARPEvictNoCarrier) {
			s.Core.FlushNeighbours(core.AFInet, d, false)
		}
	case core.EventMTU:
		if d.MTU() < minMTU {
			s.detach(dev)
		}
		s.mtuChanged(n, d.Index(), d.MTU())
	case core.EventAddr:
		s.Core.FlushNeighbours(core.AFInet, d, true)
		s.announce(dev)
	case core.EventName:
		s.relabel(dev)
		s.FIB.DevicesChanged(n)
	}
}

// attach makes d speak IPv4. Linux: inetdev_init.
func (s *Inet) attach(d *core.Device) {
	n := d.Net()
	c := s.conf.Of(n)
	dev := &device{dev: d, set: c.dfltSet}
	own := c.dflt.Load()
	dev.own.Store(own)
	dev.eff.Store(s.merged(c.all.Load(), own))
	s.devs.Set(d, dev)
	if d.Up() {
		s.groupsUp(dev)
	}
	s.FIB.DevicesChanged(n)
}

// detach ends IPv4 at a device. In a dying Net the addresses and routes go with
// its tables. Linux: inetdev_destroy, fib_disable_ip.
func (s *Inet) detach(dev *device) {
	d := dev.dev
	n := d.Net()
	s.mrouteGone(dev)
	s.devs.Set(d, nil)
	s.groupsEnd(dev)
	if !n.Alive() {
		dev.publish(nil)
		return
	}
	for list := dev.Addrs(); len(list) > 0; list = dev.Addrs() {
		a := list[0]
		dev.publish(list[1:])
		s.release(a)
		s.tellAddr(netlink.Del, a)
		s.delRoutes(dev, a, nil)
	}
	s.FIB.DeviceGone(n, d)
	s.Core.FlushNeighbours(core.AFInet, d, true)
	s.FIB.DevicesChanged(n)
}

// deviceUp gives loopback its address, and brings the routes back that went
// with the device.
func (s *Inet) deviceUp(dev *device) {
	d := dev.dev
	if d.MTU() < minMTU {
		return
	}
	if dev.loopback() {
		dev.setAll()
		_ = s.insertAddr(dev, &Addr{Dev: d, Local: localhost, Peer: localhost, Prefix: loopbackNet, Label: d.Name(),
			Scope: fib.Host, Flags: unix.IFA_F_PERMANENT}) // EEXIST: it has stayed
	}
	s.groupsUp(dev)
	for _, a := range dev.Addrs() {
		s.addRoutes(dev, a)
	}
	s.FIB.DeviceUp(d.Net(), d)
	s.announce(dev)
}

var (
	localhost   = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopbackNet = netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 0}), 8)
)

func (dev *device) loopback() bool { return dev.dev.Flags()&core.FlagLoopback != 0 }

// announce tells the link of dev's addresses, if arp_notify says so: when the
// device comes up and when its hardware address changes, but not when an
// address is added (RFC 5227 section 3 would have it; Linux leaves that to
// user space). Linux: inetdev_send_gratuitous_arp.
func (s *Inet) announce(dev *device) {
	if dev.eff.Load().v[confARPNotify] == 0 || !dev.dev.Up() {
		return
	}
	w := s.Core.Enter()
	defer w.Leave()
	for _, a := range dev.Addrs() {
		s.sendARP(w, dev.dev, wire.BroadcastMAC(), wire.ARPFields{Op: wire.ARPRequest, SenderMAC: dev.dev.Addr(),
			SenderIP: a.Local.As4(), TargetIP: a.Local.As4()})
	}
}

// relabel gives the addresses labels that begin with the device's new name: the
// first just that, others with what stood behind a colon, or their number.
// Linux: inetdev_changename.
func (s *Inet) relabel(dev *device) {
	name := dev.dev.Name()
	next := make([]*Addr, 0, len(dev.Addrs()))
	for i, a := range dev.Addrs() {
		own := *a
		own.Label = name
		if i > 0 {
			tail := ":" + strconv.Itoa(i+1)
			if at := strings.IndexByte(a.Label, ':'); at >= 0 {
				tail = a.Label[at:]
			}
			own.Label = name[:min(len(name), max(0, core.NameSize-len(tail)))] + tail
		}
		next = append(next, &own)
		s.swap(a, &own)
	}
	dev.publish(next)
	for _, a := range next {
		s.tellAddr(netlink.New, a)
	}
}

// swap puts own in the place of a among those that hold its address.
func (s *Inet) swap(a, own *Addr) {
	n, k := a.Dev.Net(), a.Local.As4()
	old, _ := s.addrs.Get(n, k)
	next := make([]*Addr, len(old))
	for i, b := range old {
		if next[i] = b; b == a {
			next[i] = own
		}
	}
	_ = s.addrs.Set(n, k, next)
}
