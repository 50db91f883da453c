package ipv4

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"nsmodel/fib"
)

// addRoutes makes the routes that an address of dev stands for: in the table
// local its own, which stands even while the device is down, and those of its
// broadcast addresses; in main that of its subnet, by the primary address
// alone. Linux: fib_add_ifaddr.
func (s *Inet) addRoutes(dev *device, a *Addr) {
	prim := dev.primary(a)
	if prim == nil {
		return
	}
	s.kernelRoute(dev, fib.Local, netip.PrefixFrom(a.Local, 32), prim, 0)
	if !dev.dev.Up() {
		return
	}
	if a.Broadcast.IsValid() && a.Broadcast != limited {
		s.kernelRoute(dev, fib.Broadcast, netip.PrefixFrom(a.Broadcast, 32), prim, 0)
		s.forgetNeighbour(dev.dev, a.Broadcast)
	}
	if a.Secondary() || !a.hasSubnet() {
		return
	}
	if a.Flags&unix.IFA_F_NOPREFIXROUTE == 0 {
		s.kernelRoute(dev, dev.subnetType(), a.Prefix, prim, a.Metric)
	}
	if a.Prefix.Bits() < 31 {
		all := lastAddr(a.Prefix)
		s.kernelRoute(dev, fib.Broadcast, netip.PrefixFrom(all, 32), prim, 0)
		s.forgetNeighbour(dev.dev, all)
	}
}

// delRoutes takes away those routes of an address that no other address of dev
// needs. With prim, a's primary address is going and the others of its subnet
// with it; else a itself is gone from the list. Linux: fib_del_ifaddr.
func (s *Inet) delRoutes(dev *device, a *Addr, prim *Addr) {
	going := prim
	prim = dev.primary(a)
	if prim == nil {
		return
	}
	subnet := !a.Secondary() && a.hasSubnet()
	if subnet && a.Flags&unix.IFA_F_NOPREFIXROUTE == 0 {
		s.kernelUnroute(dev, dev.subnetType(), a.Prefix, prim)
	}
	local, broadcast := dev.needed(a, prim, going)
	drop := []netip.Addr{a.Broadcast}
	if subnet && a.Prefix.Bits() < 31 {
		drop = append(drop, lastAddr(a.Prefix), a.Prefix.Addr())
	}
	for _, b := range drop {
		if b.IsValid() && !slices.Contains(broadcast, b) {
			s.kernelUnroute(dev, fib.Broadcast, netip.PrefixFrom(b, 32), prim)
		}
	}
	if slices.Contains(local, a.Local) {
		return
	}
	s.kernelUnroute(dev, fib.Local, netip.PrefixFrom(a.Local, 32), prim)
	n := dev.dev.Net()
	if going == nil && s.FIB.AddrType(n, a.Local) != fib.Local {
		s.FIB.AddrGone(n, a.Local)
	}
}

// needed returns which addresses' routes, with prim's address as their
// preferred source, others of dev's addresses than a still stand for.
func (dev *device) needed(a, prim, going *Addr) (local, broadcast []netip.Addr) {
	for _, b := range dev.Addrs() {
		if b == a || going != nil && b.Prefix == going.Prefix {
			continue
		}
		first := b
		if b.Secondary() {
			if first = dev.primary(b); b.Prefix == prim.Prefix {
				first = prim
			}
		}
		if first == nil || first.Local != prim.Local {
			continue
		}
		local = append(local, b.Local)
		if b.Broadcast.IsValid() {
			broadcast = append(broadcast, b.Broadcast)
		}
		if first == b && b.Prefix.Bits() < 31 && b.Prefix.Addr().As4()[0] != 0 {
			broadcast = append(broadcast, lastAddr(b.Prefix), b.Prefix.Addr())
		}
	}
	return local, broadcast
}

// primary returns the address whose Local a's routes prefer as their source:
// a itself, or for a secondary one the first of its subnet, or nil.
// Linux: inet_ifa_byprefix.
func (dev *device) primary(a *Addr) *Addr {
	if !a.Secondary() {
		return a
	}
	for _, b := range dev.Addrs() {
		if b.Prefix == a.Prefix {
			return b
		}
	}
	return nil
}

// hasSubnet reports whether an address stands for more than itself.
func (a *Addr) hasSubnet() bool {
	return a.Prefix.Addr().As4()[0] != 0 && (a.Prefix.Bits() < 32 || a.Prefix.Addr() != a.Local)
}

func (dev *device) subnetType() fib.Type {
	if dev.loopback() {
		return fib.Local
	}
	return fib.Unicast
}

// kernelRoute adds a route of the kernel's own; that it is there already, or
// cannot be, is nobody's concern. Linux: fib_magic.
func (s *Inet) kernelRoute(dev *device, t fib.Type, dst netip.Prefix, prim *Addr, metric uint32) {
	r := kernelRoute(dev, t, dst, prim)
	r.Metric = metric
	_ = s.FIB.Add(dev.dev.Net(), r, fib.AppendRoute)
}

func (s *Inet) kernelUnroute(dev *device, t fib.Type, dst netip.Prefix, prim *Addr) {
	_ = s.FIB.Delete(dev.dev.Net(), kernelRoute(dev, t, dst, prim))
}

func kernelRoute(dev *device, t fib.Type, dst netip.Prefix, prim *Addr) fib.Route {
	r := fib.Route{Dst: dst, Src: prim.Local, Table: fib.TableLocal, Type: t, Scope: fib.Link, Proto: fib.ProtoKernel,
		NextHops: []fib.NextHop{{Dev: dev.dev, IfIndex: int32(dev.dev.Index()), Weight: 1}}}
	switch t {
	case fib.Unicast:
		r.Table = fib.TableMain
	case fib.Local:
		r.Scope = fib.Host
	}
	return r
}

// limited is the limited broadcast address (RFC 919 section 7).
var limited = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// lastAddr returns the directed broadcast address of p (RFC 919 section 7).
func lastAddr(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		a[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(a)
}
