//go:build linux

package rtnl

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// AddAddr gives the interface an address with its subnet, as `ip addr add`
// does. An IPv6 address is usable at once (nodad).
func (c *Conn) AddAddr(name string, p netip.Prefix) error {
	index, err := c.Index(name)
	if err != nil {
		return err
	}
	// struct ifaddrmsg: family, prefix length, flags, scope, index u32.
	body := []byte{family(p.Addr()), byte(p.Bits()), unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE, 0, 0, 0, 0}
	binary.NativeEndian.PutUint32(body[4:], uint32(index))
	a := p.Addr().AsSlice()
	m := newMsg(unix.RTM_NEWADDR, body).attr(unix.IFA_LOCAL, a).attr(unix.IFA_ADDRESS, a)
	return wrap(c.do(m, unix.NLM_F_CREATE|unix.NLM_F_EXCL, nil), "add address %s to %s", p, name)
}

// AddRoute adds a unicast route in table main through the interface, by way
// of the gateway if that is valid.
func (c *Conn) AddRoute(dst netip.Prefix, via netip.Addr, name string) error {
	index, err := c.Index(name)
	if err != nil {
		return err
	}
	scope := byte(unix.RT_SCOPE_LINK)
	if via.IsValid() || dst.Addr().Is6() {
		scope = unix.RT_SCOPE_UNIVERSE
	}
	// struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags u32.
	body := []byte{family(dst.Addr()), byte(dst.Bits()), 0, 0,
		unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, scope, unix.RTN_UNICAST, 0, 0, 0, 0}
	m := newMsg(unix.RTM_NEWROUTE, body).attr(unix.RTA_DST, dst.Masked().Addr().AsSlice())
	if via.IsValid() {
		m.attr(unix.RTA_GATEWAY, via.AsSlice())
	}
	m.u32(unix.RTA_OIF, uint32(index))
	return wrap(c.do(m, unix.NLM_F_CREATE|unix.NLM_F_EXCL, nil), "add route %s dev %s", dst, name)
}

// AddNeighbour adds a permanent neighbour entry.
func (c *Conn) AddNeighbour(a netip.Addr, mac []byte, name string) error {
	index, err := c.Index(name)
	if err != nil {
		return err
	}
	return c.SetNeighbour(index, a, mac, unix.NUD_PERMANENT)
}

// SetNeighbour makes or replaces a neighbour entry in a state, one of NUD_*, at
// the interface of that index. ENOBUFS if the table is full.
func (c *Conn) SetNeighbour(index int, a netip.Addr, mac []byte, state uint16) error {
	// struct ndmsg: family, pad, pad u16, ifindex i32, state u16, flags, type.
	body := make([]byte, unix.SizeofNdMsg)
	body[0] = family(a)
	binary.NativeEndian.PutUint32(body[4:], uint32(index))
	binary.NativeEndian.PutUint16(body[8:], state)
	m := newMsg(unix.RTM_NEWNEIGH, body).attr(unix.NDA_DST, a.AsSlice()).attr(unix.NDA_LLADDR, mac)
	return wrap(c.do(m, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, nil), "add neighbour %s dev %d", a, index)
}
