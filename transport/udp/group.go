package udp

import (
	"net"
	"net/netip"
	"syscall"

	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
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

// JoinGroup joins g at a device, for packets of all sources. Errors: EINVAL for
// what is no group, ENODEV, EADDRINUSE if it has joined, ENOBUFS beyond
// net.ipv4.igmp_max_memberships. Linux: IP_ADD_MEMBERSHIP.
func (c *Conn) JoinGroup(g netip.Addr, at ipv4.Interface) error {
	return c.member("join", func() error { return c.u.ip.JoinGroup(c.n, &c.groups, g, at) })
}

// LeaveGroup leaves g: EADDRNOTAVAIL if it has not joined.
// Linux: IP_DROP_MEMBERSHIP.
func (c *Conn) LeaveGroup(g netip.Addr, at ipv4.Interface) error {
	return c.member("leave", func() error { return c.u.ip.LeaveGroup(c.n, &c.groups, g, at) })
}

// JoinSource joins g for packets of src, beside other sources so joined. Errors:
// see [ipv4.Inet.JoinSource]. Linux: IP_ADD_SOURCE_MEMBERSHIP.
func (c *Conn) JoinSource(g, src netip.Addr, at ipv4.Interface) error {
	return c.member("join", func() error { return c.u.ip.JoinSource(c.n, &c.groups, g, src, at) })
}

// LeaveSource takes JoinSource back. Linux: IP_DROP_SOURCE_MEMBERSHIP.
func (c *Conn) LeaveSource(g, src netip.Addr, at ipv4.Interface) error {
	return c.member("leave", func() error { return c.u.ip.LeaveSource(c.n, &c.groups, g, src, at) })
}

// BlockSource keeps src out of a group that was joined.
// Linux: IP_BLOCK_SOURCE.
func (c *Conn) BlockSource(g, src netip.Addr, at ipv4.Interface) error {
	return c.member("block", func() error { return c.u.ip.BlockSource(c.n, &c.groups, g, src, at) })
}

// UnblockSource takes BlockSource back. Linux: IP_UNBLOCK_SOURCE.
func (c *Conn) UnblockSource(g, src netip.Addr, at ipv4.Interface) error {
	return c.member("unblock", func() error { return c.u.ip.UnblockSource(c.n, &c.groups, g, src, at) })
}

// SetFilter says at once whom the socket hears in a group that it has joined.
// Linux: IP_MSFILTER.
func (c *Conn) SetFilter(g netip.Addr, at ipv4.Interface, mode ipv4.FilterMode, sources []netip.Addr) error {
	return c.member("filter", func() error { return c.u.ip.SetFilter(c.n, &c.groups, g, at, mode, sources) })
}

// member changes what the socket has joined, unless it is closed: its end leaves
// all groups, and nothing may be joined after that.
func (c *Conn) member(op string, f func() error) error {
	c.bindMu.Lock()
	defer c.bindMu.Unlock()
	if c.isClosed() {
		return c.wrap(op, net.ErrClosed)
	}
	if !c.n.Alive() {
		return c.wrap(op, syscall.ENETDOWN)
	}
	return c.wrap(op, f())
}
