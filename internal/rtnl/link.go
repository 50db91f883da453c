//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Attribute of struct veth in linux/veth.h, absent from x/sys.
const vethInfoPeer = 1

// ifinfo is a struct ifinfomsg: family, pad, type u16, index i32, flags u32,
// change mask u32.
func ifinfo(index int, flags, change uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	ne := binary.NativeEndian
	ne.PutUint32(b[4:], uint32(index))
	ne.PutUint32(b[8:], flags)
	ne.PutUint32(b[12:], change)
	return b
}

// AddVeth makes the veth pair name and peer, both down. The peer is born in
// the namespace in, or beside its twin when in is nil. EEXIST if a name is taken.
func (c *Conn) AddVeth(name, peer string, in *Namespace) error {
	m := newMsg(unix.RTM_NEWLINK, ifinfo(0, 0, 0)).str(unix.IFLA_IFNAME, name)
	m.nest(unix.IFLA_LINKINFO, nil, func() {
		m.attr(unix.IFLA_INFO_KIND, []byte("veth"))
		m.nest(unix.IFLA_INFO_DATA, nil, func() {
			m.nest(vethInfoPeer, ifinfo(0, 0, 0), func() {
				m.str(unix.IFLA_IFNAME, peer)
				if in != nil {
					m.u32(unix.IFLA_NET_NS_FD, uint32(in.FD()))
				}
			})
		})
	})
	return wrap(c.do(m, unix.NLM_F_CREATE|unix.NLM_F_EXCL, nil), "add veth %s peer %s", name, peer)
}

// Knows asks whether the kernel can make interfaces of a kind: nil, or EOPNOTSUPP. It
// asks for one without saying more, which most kinds refuse.
func (c *Conn) Knows(kind string) error {
	m := newMsg(unix.RTM_NEWLINK, ifinfo(0, 0, 0)).str(unix.IFLA_IFNAME, "asked")
	m.nest(unix.IFLA_LINKINFO, nil, func() { m.attr(unix.IFLA_INFO_KIND, []byte(kind)) })
	err := c.do(m, unix.NLM_F_CREATE|unix.NLM_F_EXCL, nil)
	switch {
	case err == nil:
		return c.DelLink("asked")
	case errors.Is(err, unix.EOPNOTSUPP):
		return wrap(err, "link type %s", kind)
	}
	return nil
}

// Index returns the interface's index, or ENODEV.
func (c *Conn) Index(name string) (int, error) {
	index := 0
	m := newMsg(unix.RTM_GETLINK, ifinfo(0, 0, 0)).str(unix.IFLA_IFNAME, name)
	err := c.do(m, 0, func(typ uint16, body []byte) {
		if typ == unix.RTM_NEWLINK && len(body) >= unix.SizeofIfInfomsg {
			index = int(int32(binary.NativeEndian.Uint32(body[4:])))
		}
	})
	return index, wrap(err, "link %s", name)
}

// Promiscuity returns how many hold the interface in promiscuous mode.
func (c *Conn) Promiscuity(name string) (int, error) {
	n := -1
	m := newMsg(unix.RTM_GETLINK, ifinfo(0, 0, 0)).str(unix.IFLA_IFNAME, name)
	err := c.do(m, 0, func(typ uint16, body []byte) {
		if typ != unix.RTM_NEWLINK || len(body) < unix.SizeofIfInfomsg {
			return
		}
		attrs(body[unix.SizeofIfInfomsg:], func(typ uint16, v []byte) bool {
			if typ == unix.IFLA_PROMISCUITY && len(v) >= 4 {
				n = int(binary.NativeEndian.Uint32(v))
			}
			return true
		})
	})
	return n, wrap(err, "link %s", name)
}

// SetUp brings the interface up.
func (c *Conn) SetUp(name string) error {
	return c.set(name, "set %s up", unix.IFF_UP, unix.IFF_UP, nil)
}

// SetDown takes the interface down.
func (c *Conn) SetDown(name string) error { return c.set(name, "set %s down", 0, unix.IFF_UP, nil) }

// SetMTU sets the largest payload in bytes, Ethernet header not included.
func (c *Conn) SetMTU(name string, mtu int) error {
	return c.set(name, "set %s mtu", 0, 0, func(m *msg) { m.u32(unix.IFLA_MTU, uint32(mtu)) })
}

// SetMAC sets the hardware address.
func (c *Conn) SetMAC(name string, mac net.HardwareAddr) error {
	return c.set(name, "set %s address", 0, 0, func(m *msg) { m.attr(unix.IFLA_ADDRESS, mac) })
}

// SetName renames the interface; the kernel may demand that it is down (EBUSY).
func (c *Conn) SetName(name, to string) error {
	index, err := c.Index(name)
	if err != nil {
		return err
	}
	m := newMsg(unix.RTM_NEWLINK, ifinfo(index, 0, 0)).str(unix.IFLA_IFNAME, to)
	return wrap(c.do(m, 0, nil), "set %s name %s", name, to)
}

// SetNamespace moves the interface into another namespace, where it arrives
// down and without addresses.
func (c *Conn) SetNamespace(name string, to *Namespace) error {
	return c.set(name, "set %s netns", 0, 0, func(m *msg) { m.u32(unix.IFLA_NET_NS_FD, uint32(to.FD())) })
}

// DelLink deletes the interface, and with a veth its peer.
func (c *Conn) DelLink(name string) error {
	m := newMsg(unix.RTM_DELLINK, ifinfo(0, 0, 0)).str(unix.IFLA_IFNAME, name)
	return wrap(c.do(m, 0, nil), "delete %s", name)
}

func (c *Conn) set(name, what string, flags, change uint32, more func(*msg)) error {
	m := newMsg(unix.RTM_NEWLINK, ifinfo(0, flags, change)).str(unix.IFLA_IFNAME, name)
	if more != nil {
		more(m)
	}
	return wrap(c.do(m, 0, nil), what, name)
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("rtnl: %s: %w", fmt.Sprintf(format, args...), err)
}
