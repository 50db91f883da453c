package netlink

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
	"time"

	"nsmodel/core"
)

// What kinds of device say of themselves, in messages and in errors.

// kindAttrs are what a message says of a device of its kind, as the words behind
// `type KIND`; nil if it says nothing.
func kindAttrs(m *Link) map[string]string {
	switch {
	case m.BridgeInfo != nil:
		return bridgeAttrs(m.BridgeInfo)
	case m.VLANInfo != nil:
		a := map[string]string{}
		if m.VLANInfo.HasID {
			a["id"] = strconv.Itoa(int(m.VLANInfo.ID))
		}
		if p := m.VLANInfo.Protocol; p != 0 {
			a["protocol"] = strconv.Itoa(int(p))
		}
		return a
	case m.MACVLAN != nil && m.MACVLAN.Mode != "":
		return map[string]string{"mode": m.MACVLAN.Mode}
	case (m.Info == "nic" || m.Info == "tap") && m.Parent != "":
		a := map[string]string{"dev": m.Parent}
		if m.Ring != "" {
			a["ring"] = m.Ring
		}
		return a
	}
	return nil
}

// showKind tells what a device of its kind is.
func showKind(d *core.Device, k *core.Kind, m *Link) {
	attr := func(name string) string {
		for _, kv := range k.Show(d) {
			if kv[0] == name {
				return kv[1]
			}
		}
		return ""
	}
	switch m.Info = k.Name; k.Name {
	case "bridge":
		m.BridgeInfo = bridgeInfo(d, k)
	case "vlan":
		id, _ := strconv.ParseUint(attr("id"), 0, 16)
		proto, _ := strconv.ParseUint(attr("protocol"), 0, 16)
		m.VLANInfo = &VLAN{HasID: true, ID: uint16(id), Protocol: uint16(proto)}
	case "macvlan":
		m.MACVLAN = &MACVLAN{Mode: attr("mode")}
	}
}

// bridgeAttrs are a bridge's settings as the words of `ip link ... type bridge`.
func bridgeAttrs(b *Bridge) map[string]string {
	a := map[string]string{}
	put := func(bit BridgeAttr, name string, v int64) {
		if b.Has&bit != 0 {
			a[name] = strconv.FormatInt(v, 10)
		}
	}
	centi := func(t time.Duration) int64 { return int64(t / (10 * time.Millisecond)) }
	put(BridgeForwardDelay, "forward_delay", centi(b.ForwardDelay))
	put(BridgeHelloTime, "hello_time", centi(b.HelloTime))
	put(BridgeMaxAge, "max_age", centi(b.MaxAge))
	put(BridgeAgeingTime, "ageing_time", centi(b.AgeingTime))
	put(BridgeSTPState, "stp_state", int64(b.STPState))
	put(BridgePriority, "priority", int64(b.Priority))
	filter := int64(0)
	if b.VLANFiltering {
		filter = 1
	}
	put(BridgeVLANFiltering, "vlan_filtering", filter)
	snoop := int64(0)
	if b.MulticastSnooping {
		snoop = 1
	}
	put(BridgeMulticastSnooping, "mcast_snooping", snoop)
	put(BridgeMulticastRouter, "mcast_router", int64(b.MulticastRouter))
	for s, v := range b.Multicast {
		a[s.String()] = strconv.FormatUint(v, 10)
	}
	return a
}

// why lets the sentence of an error through that Linux has too, and of a NIC's or a
// tap's, which says what is wrong with the real interface: no tool of Linux has
// one for that.
func why(m *Link, err error) error {
	var said *core.Refusal
	if errors.As(err, &said) {
		return Extack(said.Errno, "%s", said.Text)
	}
	var errno syscall.Errno
	if m.Info != "nic" && m.Info != "tap" || !errors.As(err, &errno) {
		return err
	}
	text := strings.TrimPrefix(err.Error(), "link: ")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "nic: "), "tap: ")
	return Extack(errno, "%s", strings.TrimPrefix(text, "afpacket: "))
}
