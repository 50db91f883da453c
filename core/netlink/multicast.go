package netlink

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A Multicast is a group that a device is in: of its link (AF_PACKET) or of a
// network protocol. Linux has RTM_GETMULTICAST for the latter; for the former
// there are SIOCADDMULTI, SIOCDELMULTI and /proc/net/dev_mcast, which this stands
// for, too.
type Multicast struct {
	Family uint8 // unix.AF_PACKET, AF_INET or AF_INET6; AF_UNSPEC in a dump request: all
	Index  int   // the interface; in a dump request 0 for all
	Group  netip.Addr
	LLAddr MAC  // of AF_PACKET
	Users  int  // how often it is wanted
	Static bool // of AF_PACKET: a user has asked for it
}

// Kind returns KindMulticast.
func (*Multicast) Kind() Kind { return KindMulticast }

// AF returns the group's family.
func (m *Multicast) AF() uint8 { return m.Family }

// setMulticast makes a device listen to a group's frames, or not.
// Linux: SIOCADDMULTI, SIOCDELMULTI.
func (h *rtcore) setMulticast(n *netns.Net, req *Request) ([]Message, error) {
	m := req.Msg.(*Multicast)
	d := h.core.DeviceByIndex(n, m.Index)
	if d == nil {
		return nil, syscall.ENODEV
	}
	if d.Flags()&core.FlagLoopback != 0 { // it has no ndo_set_rx_mode
		return nil, syscall.EINVAL
	}
	return nil, d.SetGroup(wire.MAC(m.LLAddr), req.Op == New)
}

// getMulticast dumps what devices listen to. Linux: /proc/net/dev_mcast.
func (h *rtcore) getMulticast(n *netns.Net, req *Request) (all []Message, err error) {
	index := req.Msg.(*Multicast).Index
	for _, d := range h.core.Devices(n) {
		if index != 0 && d.Index() != index {
			continue
		}
		for _, g := range d.Groups() {
			all = append(all, &Multicast{Family: unix.AF_PACKET, Index: d.Index(), LLAddr: MAC(g.Addr), Users: g.Users, Static: g.Static})
		}
	}
	return all, nil
}
