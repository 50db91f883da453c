package udp

import (
	"net"
	"net/netip"
	"syscall"

	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/ipv6"
)

// multicastIf looks up the device that the socket was told to send groups by.
// Linux: IP_MULTICAST_IF of do_ip_setsockopt.
func (c *Conn) multicastIf() error {
	at := &c.opts.MulticastIf
	if at.Index == 0 && at.Addr.IsValid() && !at.Addr.IsUnspecified() {
		d := c.u.ip.LocalDevice(c.n, at.Addr.As4())
		if d == nil {
			return syscall.EADDRNOTAVAIL
		}
		at.Index = d.Index()
	}
	switch {
	case at.Index == 0:
		return nil
	case c.six && c.u.stack.DeviceByIndex(c.n, at.Index) == nil:
		return syscall.ENODEV // Linux: IPV6_MULTICAST_IF
	case c.u.stack.DeviceByIndex(c.n, at.Index) == nil:
		return syscall.EADDRNOTAVAIL
	case c.dev != 0 && c.dev != at.Index:
		return syscall.EINVAL
	}
	return nil
}

// byGroup gives the flow of a packet to a group the socket's device and source
// for groups, unless it has others. Linux: mc_index and mc_addr in udp_sendmsg.
func (c *Conn) byGroup(fl *fib.Flow) {
	at := &c.opts.MulticastIf
	if fl.Oif == 0 {
		fl.Oif = int32(at.Index)
	}
	if !fl.Src.IsValid() && at.Addr.IsValid() && !at.Addr.IsUnspecified() {
		fl.Src = at.Addr
	}
}

func dst4IsGroup(a [4]byte) bool { return a[0]&0xf0 == 0xe0 }

// takes reports whether the socket hears a packet to a group that came in by the
// device of a number.
func (c *Conn) takes(ip wire.IPv4, index int) bool {
	return c.groups.Allows(ip.Dst4(), ip.Src4(), index, !c.opts.OnlyJoined)
}

// takes6 is takes for IPv6, which does not ask by which device the packet came.
func (c *Conn) takes6(ip wire.IPv6) bool {
	return c.groups6.Allows(ip.Dst16(), ip.Src16(), !c.opts.OnlyJoined)
}

// JoinGroup joins g, of either family, at a device, for packets of all sources.
// An IPv6 group names no device by an address; its zone may name one. Errors:
// see [ipv4.Inet.JoinGroup] and [ipv6.Inet.JoinGroup]; ENOPROTOOPT for a group of
// IPv6's at a socket of IPv4's. Linux: IP_ADD_MEMBERSHIP, IPV6_ADD_MEMBERSHIP.
func (c *Conn) JoinGroup(g netip.Addr, at ipv4.Interface) error {
	return c.member("join", g, at,
		func() error { return c.u.ip.JoinGroup(c.n, &c.groups, g, at) },
		func(g netip.Addr, index int) error { return c.u.six.JoinGroup(c.n, &c.groups6, g, index) })
}

// LeaveGroup leaves g: EADDRNOTAVAIL if it has not joined.
// Linux: IP_DROP_MEMBERSHIP, IPV6_DROP_MEMBERSHIP.
func (c *Conn) LeaveGroup(g netip.Addr, at ipv4.Interface) error {
	return c.member("leave", g, at,
		func() error { return c.u.ip.LeaveGroup(c.n, &c.groups, g, at) },
		func(g netip.Addr, index int) error { return c.u.six.LeaveGroup(c.n, &c.groups6, g, index) })
}

// JoinSource joins g for packets of src, beside other sources so joined. Errors:
// see [ipv4.Inet.JoinSource] and [ipv6.Inet.JoinSource].
// Linux: IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_SOURCE_GROUP.
func (c *Conn) JoinSource(g, src netip.Addr, at ipv4.Interface) error {
	return c.member("join", g, at,
		func() error { return c.u.ip.JoinSource(c.n, &c.groups, g, src, at) },
		func(g netip.Addr, index int) error { return c.u.six.JoinSource(c.n, &c.groups6, g, src, index) })
}

// LeaveSource takes JoinSource back.
// Linux: IP_DROP_SOURCE_MEMBERSHIP, MCAST_LEAVE_SOURCE_GROUP.
func (c *Conn) LeaveSource(g, src netip.Addr, at ipv4.Interface) error {
	return c.member("leave", g, at,
		func() error { return c.u.ip.LeaveSource(c.n, &c.groups, g, src, at) },
		func(g netip.Addr, index int) error { return c.u.six.LeaveSource(c.n, &c.groups6, g, src, index) })
}

// BlockSource keeps src out of a group that was joined.
// Linux: IP_BLOCK_SOURCE, MCAST_BLOCK_SOURCE.
func (c *Conn) BlockSource(g, src netip.Addr, at ipv4.Interface) error {
	return c.member("block", g, at,
		func() error { return c.u.ip.BlockSource(c.n, &c.groups, g, src, at) },
		func(g netip.Addr, index int) error { return c.u.six.BlockSource(c.n, &c.groups6, g, src, index) })
}

// UnblockSource takes BlockSource back.
// Linux: IP_UNBLOCK_SOURCE, MCAST_UNBLOCK_SOURCE.
func (c *Conn) UnblockSource(g, src netip.Addr, at ipv4.Interface) error {
	return c.member("unblock", g, at,
		func() error { return c.u.ip.UnblockSource(c.n, &c.groups, g, src, at) },
		func(g netip.Addr, index int) error { return c.u.six.UnblockSource(c.n, &c.groups6, g, src, index) })
}

// SetFilter says at once whom the socket hears in a group that it has joined.
// Linux: IP_MSFILTER, MCAST_MSFILTER.
func (c *Conn) SetFilter(g netip.Addr, at ipv4.Interface, mode ipv4.FilterMode, sources []netip.Addr) error {
	return c.member("filter", g, at,
		func() error { return c.u.ip.SetFilter(c.n, &c.groups, g, at, mode, sources) },
		func(g netip.Addr, index int) error {
			return c.u.six.SetFilter(c.n, &c.groups6, g, index, ipv6.FilterMode(mode), sources)
		})
}

// member changes what the socket has joined, unless it is closed: its end leaves
// all groups, and nothing may be joined after that. four does it for a group of
// IPv4's, six for one of IPv6's, whose zone has become the device's number.
func (c *Conn) member(op string, g netip.Addr, at ipv4.Interface, four func() error, six func(netip.Addr, int) error) error {
	c.bindMu.Lock()
	defer c.bindMu.Unlock()
	if c.isClosed() {
		return c.wrap(op, net.ErrClosed)
	}
	if !c.n.Alive() {
		return c.wrap(op, syscall.ENETDOWN)
	}
	if !g.Is6() {
		return c.wrap(op, four())
	}
	if !c.six {
		return c.wrap(op, syscall.ENOPROTOOPT)
	}
	index := at.Index
	if z := g.Zone(); z != "" && index == 0 {
		d := c.u.stack.Device(c.n, z)
		if d == nil {
			return c.wrap(op, syscall.ENODEV)
		}
		index = d.Index()
	}
	return c.wrap(op, six(g.WithZone(""), index))
}
