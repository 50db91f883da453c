package lab

import (
	"nsmodel/core/netlink"
)

// What ip and bridge have to say about a bridge's groups, of the bridge and of a port.

// parseMulticast reads one of a bridge's settings about groups, if that is what comes
// next. iproute2: bridge_parse_opt.
func parseMulticast(a *args, b *netlink.Bridge) bool {
	for s := range netlink.MulticastSettings() {
		if !abbrev(a.peek(), s.String()) {
			continue
		}
		a.next()
		if b.Multicast == nil {
			b.Multicast = map[netlink.MulticastSetting]uint64{}
		}
		b.Multicast[s] = a.number(s.Bits(), "invalid "+s.String())
		return true
	}
	return false
}

// oneOf reads a word and whether it is to be on or off. iproute2: parse_on_off.
func (a *args) oneOf(exit int) string {
	key, w := a.next(), a.next()
	if w != "on" && w != "off" {
		panic(usage(exit, "Error: argument of \"%s\" must be one of \"off\", \"on\", not \"%s\"\n", key, w))
	}
	return w
}

// atoi reads as much of a number as there is: bridge takes what is none for 0, and of
// a larger one its last octet.
func atoi(w string) (v int) {
	for _, c := range w {
		if c < '0' || c > '9' {
			break
		}
		v = (v*10 + int(c-'0')) & 0xffff
	}
	return v
}

const bridgeSlaveHelp = `Usage: ... bridge_slave [ fdb_flush ]
			[ state STATE ]
			[ priority PRIO ]
			[ cost COST ]
			[ guard {on | off} ]
			[ hairpin {on | off} ]
			[ fastleave {on | off} ]
			[ root_block {on | off} ]
			[ learning {on | off} ]
			[ flood {on | off} ]
			[ proxy_arp {on | off} ]
			[ proxy_arp_wifi {on | off} ]
			[ mcast_router MULTICAST_ROUTER ]
			[ mcast_fast_leave {on | off} ]
			[ mcast_flood {on | off} ]
			[ bcast_flood {on | off} ]
			[ mcast_to_unicast {on | off} ]
			[ group_fwd_mask MASK ]
			[ neigh_suppress {on | off} ]
			[ vlan_tunnel {on | off} ]
			[ isolated {on | off} ]
			[ locked {on | off} ]
			[ backup_port DEVICE ] [ nobackup_port ]
`

// parseBridgeSlave reads what follows "type bridge_slave". iproute2:
// bridge_slave_parse_opt.
func parseBridgeSlave(a *args) *netlink.BridgePort {
	if !a.more() {
		return nil
	}
	p := &netlink.BridgePort{}
	for a.more() {
		switch w := a.peek(); choose(w, "fdb_flush", "state", "priority", "cost", "hairpin", "guard", "root_block", "fastleave", "learning", "flood",
			"mcast_flood", "mcast_to_unicast", "mcast_router", "mcast_fast_leave", "bcast_flood", "neigh_suppress", "vlan_tunnel", "isolated", "locked") {
		case "fastleave", "mcast_fast_leave":
			p.FastLeave = a.oneOf(1) == "on"
			p.Has |= netlink.BridgePortFastLeave
		case "mcast_flood":
			p.MulticastFlood = a.oneOf(1) == "on"
			p.Has |= netlink.BridgePortMulticastFlood
		case "mcast_router":
			a.next()
			p.MulticastRouter = uint8(a.number(8, "invalid mcast_router"))
			p.Has |= netlink.BridgePortMulticastRouter
		case "":
			panic(usage(1, "bridge_slave: unknown option \"%s\"?\n%s", w, bridgeSlaveHelp))
		default:
			panic(notModelled("bridge_slave " + w))
		}
	}
	return p
}

// onOff writes a switch as bridge and ip do.
func onOff(p *printer, key string, on bool) {
	word := "off"
	value := "false"
	if on {
		word, value = "on", "true"
	}
	p.flag(key, value, key+" "+word+" ")
}

// printBridgePort writes the second line of a port; what is not modelled stands as
// Linux starts with it. iproute2: print_protinfo.
func printBridgePort(p *printer, b *netlink.BridgePort) {
	p.text("    ")
	onOff(p, "hairpin", b.Hairpin)
	onOff(p, "guard", false)
	onOff(p, "root_block", false)
	onOff(p, "fastleave", b.FastLeave)
	onOff(p, "learning", b.Learning)
	onOff(p, "flood", b.Flood)
	onOff(p, "mcast_flood", b.MulticastFlood)
	onOff(p, "bcast_flood", true)
	p.num("mcast_router", "mcast_router %d ", int64(b.MulticastRouter))
	onOff(p, "mcast_to_unicast", false)
	onOff(p, "neigh_suppress", false)
	onOff(p, "vlan_tunnel", false)
	onOff(p, "isolated", b.Isolated)
	onOff(p, "locked", false)
	p.text("\n")
}

// printBridgeSlave writes what is modelled of what ip -d says of a port. iproute2:
// bridge_slave_print_opt.
func printBridgeSlave(p *printer, b *netlink.BridgePort) {
	p.str("state", "state %s ", portStates[b.State%5])
	p.num("priority", "priority %d ", int64(b.Priority))
	p.num("cost", "cost %d ", int64(b.Cost))
	onOff(p, "hairpin", b.Hairpin)
	onOff(p, "fastleave", b.FastLeave)
	onOff(p, "learning", b.Learning)
	onOff(p, "flood", b.Flood)
	p.num("multicast_router", "mcast_router %d ", int64(b.MulticastRouter))
	if !p.json { // JSON has it as fastleave
		onOff(p, "mcast_fast_leave", b.FastLeave)
	}
	onOff(p, "mcast_flood", b.MulticastFlood)
	onOff(p, "isolated", b.Isolated)
}
