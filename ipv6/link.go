package ipv6

import (
	"syscall"

	"nsmodel/core"
	"nsmodel/core/netlink"
)

// linkAF is IPv6's part of messages about links.
type linkAF struct{ *Inet }

// FillLink implements [netlink.LinkAF]. Linux: inet6_fill_link_af.
func (s linkAF) FillLink(d *core.Device, m *netlink.Link) {
	if dev := s.devs.Of(d); dev != nil {
		m.Has, m.GenMode = m.Has|netlink.LinkGenMode, uint8(dev.own.Load().v[confAddrGenMode])
	}
}

// CheckLink implements [netlink.LinkAF]: EAFNOSUPPORT for a device without IPv6,
// EINVAL for secrets of which there is none. Linux: inet6_validate_link_af.
func (s linkAF) CheckLink(d *core.Device, m *netlink.Link) error {
	dev := s.devs.Of(d)
	switch {
	case dev == nil:
		return syscall.EAFNOSUPPORT
	case m.GenMode > genRandom, m.GenMode == genStable && s.secret(dev) == nil:
		return syscall.EINVAL
	}
	return nil
}

// SetLink implements [netlink.LinkAF]. The next link-local address will be made so;
// the sysctl makes one at once. Linux: inet6_set_link_af.
func (s linkAF) SetLink(d *core.Device, m *netlink.Link) error {
	dev := s.devs.Of(d)
	if dev == nil { // an MTU of the same message was too small for it
		return syscall.EAFNOSUPPORT
	}
	dev.own.Store(dev.own.Load().with(confAddrGenMode, int32(m.GenMode)))
	return nil
}
