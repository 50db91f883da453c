package nsmodel

import (
	"errors"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/netns"
)

// mdbMessages answers `bridge mdb` and `bridge link set`, as fdbMessages does for
// `bridge fdb`. Linux: rtnl_mdb_add, rtnl_mdb_del, rtnl_mdb_dump and
// rtnl_bridge_setlink, net/core/rtnetlink.c.
func (m *Machine) mdbMessages() error {
	mdb, err := m.Core.Gate(core.LayerNetlink, "mdb")
	if err != nil {
		return err
	}
	link, err := m.Core.Gate(core.LayerNetlink, "link")
	if err != nil {
		return err
	}
	for _, op := range []netlink.Op{netlink.New, netlink.Del} {
		m.Netlink.Handle(netlink.Handler{Op: op, Kind: netlink.KindMDB, Family: unix.AF_BRIDGE, Row: "mdb", Gate: mdb, Do: m.mdbChange})
	}
	m.Netlink.Handle(netlink.Handler{Op: netlink.Get, Kind: netlink.KindMDB, Family: unix.AF_BRIDGE, Row: "mdb", Gate: mdb, Do: m.mdbDump})
	m.Netlink.Handle(netlink.Handler{Op: netlink.New, Kind: netlink.KindLink, Family: unix.AF_BRIDGE, Row: "link", Gate: link, Do: m.portSet})
	return nil
}

// mdbChange adds or takes away one entry. What is wrong with the group is told
// before what is wrong with the devices. Linux: rtnl_validate_mdb_entry.
func (m *Machine) mdbChange(n *netns.Net, r *netlink.Request) ([]netlink.Message, error) {
	q := r.Msg.(*netlink.MDB)
	if len(q.Entries) != 1 {
		return nil, syscall.EINVAL
	}
	e := q.Entries[0]
	switch g := e.Group; {
	case g.Is4() && !g.IsMulticast():
		return nil, netlink.Extack(syscall.EINVAL, "IPv4 entry group address is not multicast or 0.0.0.0")
	case g.Is4() && g.As4()[1] == 0 && g.As4()[2] == 0 && g.As4()[0] == 224:
		return nil, netlink.Extack(syscall.EINVAL, "IPv4 entry group address is local multicast")
	case g.Is6() && g.IsLinkLocalMulticast() && g == netip.IPv6LinkLocalAllNodes():
		return nil, netlink.Extack(syscall.EINVAL, "IPv6 entry group address is link-local all nodes")
	}
	br := m.Core.DeviceByIndex(n, q.Index)
	if br == nil {
		return nil, netlink.Extack(syscall.ENODEV, "Device doesn't exist")
	}
	dev := m.Core.DeviceByIndex(n, e.Index)
	if dev == nil {
		return nil, netlink.Extack(syscall.ENODEV, "bridge: Port net device doesn't exist")
	}
	var err error
	if r.Op == netlink.Del {
		err = m.Links.DelMDB(br, dev, e.Group)
	} else {
		err = m.Links.AddMDB(br, dev, e.Group, e.Permanent)
	}
	var said *core.Refusal
	if errors.As(err, &said) {
		return nil, netlink.Extack(said.Errno, "%s", said.Text)
	}
	return nil, err
}

func (m *Machine) mdbDump(n *netns.Net, r *netlink.Request) (all []netlink.Message, err error) {
	for _, br := range m.Core.Devices(n) {
		if !isBridge(br) {
			continue
		}
		entries, routers, err := m.Links.MDB(br)
		if err != nil {
			return nil, err
		}
		q := &netlink.MDB{Index: br.Index()}
		for _, e := range entries {
			q.Entries = append(q.Entries, netlink.MDBEntry{Index: e.Dev.Index(), Group: e.Group, Permanent: e.Permanent, Static: e.Static, FilterMode: e.Mode, Timer: e.Left})
		}
		for _, e := range routers {
			q.Routers = append(q.Routers, netlink.MDBRouter{Index: e.Dev.Index(), Permanent: e.Permanent, Timer: e.Left})
		}
		all = append(all, q)
	}
	return all, nil
}

// portSet changes what a bridge's port says of groups. Linux: br_setlink.
func (m *Machine) portSet(n *netns.Net, r *netlink.Request) ([]netlink.Message, error) {
	q := r.Msg.(*netlink.Link)
	d := m.Core.DeviceByIndex(n, q.Index)
	switch {
	case d == nil:
		return nil, syscall.ENODEV
	case q.BridgePort == nil || d.Master() == nil || !isBridge(d.Master()):
		return nil, syscall.EOPNOTSUPP
	}
	return nil, netlink.ChangePort(d, q.BridgePort)
}
