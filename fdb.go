package nsmodel

import (
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// fdbMessages answers `bridge fdb`: netlink and link stand on one floor and do
// not know each other, so the two meet here. Linux: rtnl_fdb_add, rtnl_fdb_del
// and rtnl_fdb_dump, net/core/rtnetlink.c.
func (m *Machine) fdbMessages() error {
	gate, err := m.Core.Gate(core.LayerNetlink, "neigh")
	if err != nil {
		return err
	}
	for _, h := range []netlink.Handler{{Op: netlink.New, Do: m.fdbNew}, {Op: netlink.Del, Do: m.fdbDel}, {Op: netlink.Get, Do: m.fdbDump}} {
		h.Kind, h.Family, h.Row, h.Gate = netlink.KindNeigh, unix.AF_BRIDGE, "neigh", gate
		m.Netlink.Handle(h)
	}
	return nil
}

// fdbDevice returns the device that a request is about: the entry is to be its
// master's, or, with NTF_SELF, its own, which only a bridge has.
func (m *Machine) fdbDevice(n *netns.Net, q *netlink.Neigh) (*core.Device, error) {
	d := m.Core.DeviceByIndex(n, q.Index)
	if d == nil {
		return nil, syscall.ENODEV
	}
	if q.Flags&unix.NTF_MASTER == 0 && !isBridge(d) || q.VLAN != 0 {
		return nil, syscall.EOPNOTSUPP
	}
	return d, nil
}

func isBridge(d *core.Device) bool { return d.Kind() != nil && d.Kind().Name == "bridge" }

func (m *Machine) fdbNew(n *netns.Net, r *netlink.Request) ([]netlink.Message, error) {
	q := r.Msg.(*netlink.Neigh)
	d, err := m.fdbDevice(n, q)
	if err != nil {
		return nil, err
	}
	state := link.FDBLearned
	switch {
	case q.State&unix.NUD_PERMANENT != 0 || q.State == 0:
		state = link.FDBPermanent
	case q.State&unix.NUD_NOARP != 0:
		state = link.FDBStatic
	}
	return nil, m.Links.AddFDB(d, wire.MAC(q.LLAddr), state, r.Flags&netlink.Excl == 0)
}

func (m *Machine) fdbDel(n *netns.Net, r *netlink.Request) ([]netlink.Message, error) {
	q := r.Msg.(*netlink.Neigh)
	d, err := m.fdbDevice(n, q)
	if err != nil {
		return nil, err
	}
	return nil, m.Links.DelFDB(d, wire.MAC(q.LLAddr))
}

func (m *Machine) fdbDump(n *netns.Net, r *netlink.Request) ([]netlink.Message, error) {
	var all []netlink.Message
	for _, br := range m.Core.Devices(n) {
		if !isBridge(br) {
			continue
		}
		list, err := m.Links.FDB(br)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			q := &netlink.Neigh{Family: unix.AF_BRIDGE, Index: e.Dev.Index(), LLAddr: netlink.MAC(e.Addr), Master: br.Index(),
				Has: netlink.NeighLLAddr | netlink.NeighCacheInfo, Used: e.Age, Updated: e.Age}
			switch e.State {
			case link.FDBPermanent:
				q.State = unix.NUD_PERMANENT
			case link.FDBStatic:
				q.State = unix.NUD_NOARP
			default:
				q.State = unix.NUD_REACHABLE
			}
			all = append(all, q)
		}
	}
	return all, nil
}
