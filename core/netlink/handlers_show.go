package netlink

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// linkMessage returns a device as RTM_NEWLINK has it; under rtnl.
// Linux: rtnl_fill_ifinfo.
func (h *rtcore) linkMessage(d *core.Device) *Link {
	x := h.extra(d)
	m := &Link{Family: unix.AF_UNSPEC, Type: d.Hardware(), Index: d.Index(), Flags: d.Flags(), Name: d.Name(),
		Has:  LinkAddr | LinkBroadcast | LinkMTU | LinkTxQLen | LinkGroup | LinkOperState | LinkStats | LinkDetails,
		Addr: MAC(d.Addr()), MTU: d.MTU(), TxQLen: d.TxQLen(), Group: x.group, Alias: x.alias, OperState: operState(d, x),
		Qdisc: "noop", TxQueues: 1, RxQueues: 1}
	if d.Flags()&core.FlagLoopback == 0 {
		m.Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	if m.TxQLen == 0 {
		m.TxQLen = 1000
	}
	if x.wasUp {
		m.Qdisc = d.Qdisc()
	}
	if x.alias != "" {
		m.Has |= LinkAlias
	}
	if h.r.linkAF != nil {
		h.r.linkAF.FillLink(d, m)
	}
	m.MinMTU, m.MaxMTU = mtuRange(d)
	m.Promiscuity = d.Promiscuity()
	m.AllMulti = d.AllMulti()
	if k := d.Kind(); k != nil {
		showKind(d, k, m)
	}
	if master := d.Master(); master != nil {
		m.Has |= LinkMaster
		m.Master = master.Index()
		if k := master.Kind(); k != nil {
			m.PortInfo = k.Name
		}
		m.BridgePort = bridgePort(d, master)
		m.Promiscuity, m.AllMulti = m.Promiscuity+1, m.AllMulti+1
	}
	h.showLower(d, m)
	m.Stats = statsOf(d)
	return m
}

// showLower tells of the device that d stands on or that is its peer, by its
// index in its own Net and, if that is another, by the number that d's Net has
// for it; the number is given now if there is none. Linux: nla_put_iflink,
// rtnl_fill_link_netnsid.
func (h *rtcore) showLower(d *core.Device, m *Link) {
	lower := d.LowerDevice()
	if lower == nil {
		return
	}
	m.Has |= LinkLink
	m.Link = lower.Index()
	if in := lower.Net(); in != d.Net() {
		m.Has |= LinkLinkNetns
		m.LinkNetns = h.number(d.Net(), in)
		if in.Named() {
			m.LinkNet = in.Name()
		}
	}
}

// operState is RFC 2863's ifOperStatus. A device whose driver never told of its
// carrier, as loopback, is unknown. Linux: default_operstate.
func operState(d *core.Device, x linkExtra) OperState {
	lower := d.LowerDevice()
	switch {
	case !d.Up():
		return OperDown
	case d.Carrier() && (lower != nil || x.carrier || d.Real()):
		return OperUp
	case d.Carrier():
		return OperUnknown
	}
	//tagvet:allow bareindex Linux compares the numbers too, whatever the namespaces: default_operstate
	if lower == nil || lower.Index() == d.Index() {
		return OperDown
	}
	// Linux looks the index up in d's own Net, whoever has it there.
	//tagvet:allow bareindex as Linux does, see above
	if other := d.Stack().DeviceByIndex(d.Net(), lower.Index()); other != nil && !other.Carrier() {
		return OperLowerLayerDown
	}
	return OperDown
}

// statsOf returns the counters as Linux shows them. Where it has taken the
// Ethernet header off when it counts, at loopback and at what comes up from a
// bridge or a VLAN, it does not count the header's bytes.
func statsOf(d *core.Device) Stats {
	s := d.Stats()
	if d.Flags()&core.FlagLoopback != 0 {
		s.RxBytes -= wire.EthernetLen * s.RxPackets
		s.TxBytes -= wire.EthernetLen * s.TxPackets
	} else if k := d.Kind(); k != nil && (k.Name == "bridge" || k.Name == "vlan") {
		s.RxBytes -= wire.EthernetLen * s.RxPackets
	}
	return Stats{RxPackets: s.RxPackets, RxBytes: s.RxBytes, RxErrors: s.RxErrors, RxDropped: s.RxDropped, Multicast: s.RxMulticast,
		TxPackets: s.TxPackets, TxBytes: s.TxBytes, TxErrors: s.TxErrors, TxDropped: s.TxDropped}
}

// bridgeInfo shows a bridge: its ageing time, and for what is not modelled the
// values with which Linux starts.
func bridgeInfo(d *core.Device, k *core.Kind) *Bridge {
	b := &Bridge{Has: BridgeForwardDelay | BridgeHelloTime | BridgeMaxAge | BridgeAgeingTime | BridgeSTPState | BridgePriority | BridgeVLANFiltering,
		ForwardDelay: 15 * time.Second, HelloTime: 2 * time.Second, MaxAge: 20 * time.Second, AgeingTime: 300 * time.Second, Priority: 32768}
	if k.Show == nil {
		return b
	}
	for _, kv := range k.Show(d) {
		v, err := strconv.ParseInt(kv[1], 10, 64)
		if err != nil {
			continue
		}
		switch kv[0] {
		case "ageing_time":
			b.AgeingTime = time.Duration(v) * 10 * time.Millisecond
		case "mcast_snooping":
			b.Has, b.MulticastSnooping = b.Has|BridgeMulticastSnooping, v != 0
		case "mcast_router":
			b.Has, b.MulticastRouter = b.Has|BridgeMulticastRouter, uint8(v)
		default:
			b.showMulticast(kv[0], uint64(v))
		}
	}
	return b
}

// States of a bridge's port. Linux: BR_STATE_*.
const (
	portDisabled   = 0
	portForwarding = 3
)

// bridgePort shows a port as Linux has it without STP.
func bridgePort(d, master *core.Device) *BridgePort {
	p := &BridgePort{Has: BridgePortState | BridgePortPriority | BridgePortCost | BridgePortLearning | BridgePortFlood | BridgePortHairpin | BridgePortIsolated,
		State: portDisabled, Priority: 32, Cost: 2, Learning: true, Flood: true}
	if d.Up() && d.Carrier() && master.Up() {
		p.State = portForwarding
	}
	if k := master.Kind(); k != nil && k.ShowPort != nil {
		for _, kv := range k.ShowPort(d) {
			p.show(kv[0], kv[1])
		}
	}
	return p
}
