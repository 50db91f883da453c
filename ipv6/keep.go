package ipv6

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/fib"
)

// keeps reports whether permanent addresses of dev stay while it is down: conf.all
// says so, with a number above 0, or below 0 that they do not, else the device.
// Linux: addrconf_ifdown.
func (s *Inet) keeps(dev *device) bool {
	v := s.conf.Of(dev.dev.Net()).all.Load().v[confKeepAddrOnDown]
	if v == 0 {
		v = dev.own.Load().v[confKeepAddrOnDown]
	}
	return v > 0
}

// dropAddrs takes dev's addresses away. With keep those stay that are permanent and
// of more than the link; the link is asked about them anew when the device is up
// again. Under the Net's lock. Linux: addrconf_ifdown.
func (s *Inet) dropAddrs(dev *device, keep bool) {
	for _, a := range dev.Addrs() {
		if !keep || a.Flags&unix.IFA_F_PERMANENT == 0 || a.Local.IsLinkLocalUnicast() || a.Local.IsLoopback() {
			s.removeAddr(dev, a)
			continue
		}
		a.stopDAD()
		next := *a
		if next.Flags&unix.IFA_F_NODAD == 0 {
			next.Flags |= unix.IFA_F_TENTATIVE
		}
		next.asked, next.dad, next.kept = false, nil, true
		s.replace(dev, a, &next)
		s.leaveSolicited(dev, a.Local)
		s.delAnycast(dev, a)
		if a.Peer.IsValid() {
			s.kernelUnroute(dev, fib.Unicast, netip.PrefixFrom(a.Peer, 128), a.Metric)
		}
		s.kernelUnroute(dev, fib.Local, netip.PrefixFrom(a.Local, 128), 0)
	}
}

// wakeKept has dev listen again for the addresses that were kept; under the Net's lock.
// Linux: addrconf_permanent_addr.
func (s *Inet) wakeKept(dev *device) {
	for _, a := range dev.Addrs() {
		if a.kept {
			next := *a
			next.kept = false
			s.replace(dev, a, &next)
			s.joinSolicited(dev, a.Local)
		}
	}
}

// shutsOff reports whether dev must not speak IPv6 any more, since another has the
// link-local address that its hardware address makes, and with it perhaps that: what
// accept_dad=2 says (RFC 4862 section 5.4.5). Linux: addrconf_dad_work.
func (s *Inet) shutsOff(dev *device, a *Addr) bool {
	if max(dev.own.Load().v[confAcceptDAD], s.conf.Of(dev.dev.Net()).all.Load().v[confAcceptDAD]) < 2 ||
		a.Flags&unix.IFA_F_STABLE_PRIVACY != 0 || dev.dev.Addr().IsZero() {
		return false
	}
	b := [16]byte{0xfe, 0x80}
	id := dev.dev.Addr().EUI64()
	copy(b[8:], id[:])
	return a.Local == netip.AddrFrom16(b)
}
