package lab

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

const vlanHelp = `Usage: ... vlan id VLANID
		[ protocol VLANPROTO ]
		[ reorder_hdr { on | off } ]
		[ gvrp { on | off } ]
		[ mvrp { on | off } ]
		[ loose_binding { on | off } ]
		[ bridge_binding { on | off } ]
		[ ingress-qos-map QOS-MAP ]
		[ egress-qos-map QOS-MAP ]

VLANID := 0-4095
VLANPROTO: [ 802.1Q | 802.1ad ]
QOS-MAP := [ QOS-MAP ] QOS-MAPPING
QOS-MAPPING := FROM:TO
`

// parseVLANInfo reads what follows "type vlan". iproute2: vlan_parse_opt.
func parseVLANInfo(a *args) *netlink.VLAN {
	if !a.more() {
		return nil
	}
	v := &netlink.VLAN{}
	for a.more() {
		w := a.next()
		switch full := choose(w, "protocol", "id", "reorder_hdr", "gvrp", "mvrp", "loose_binding", "bridge_binding",
			"ingress-qos-map", "egress-qos-map", "help"); full {
		case "protocol":
			v.Protocol = a.etherType("protocol is invalid")
		case "id":
			v.HasID, v.ID = true, uint16(a.number(16, "id is invalid"))
		case "help":
			panic(usage(1, "%s", vlanHelp))
		case "":
			panic(usage(1, "vlan: unknown command \"%s\"?\n%s", w, vlanHelp))
		default:
			panic(notModelled("vlan " + full))
		}
	}
	return v
}

// etherTypes are those that a tag can have, by the names that ip has for them.
var etherTypes = []word{{unix.ETH_P_8021Q, "802.1Q"}, {unix.ETH_P_8021AD, "802.1ad"}}

// etherType takes the name or the number of a link layer's protocol.
// iproute2: ll_proto_a2n, which knows more names.
func (a *args) etherType(why string) uint16 {
	w := a.next()
	for _, e := range etherTypes {
		if strings.EqualFold(w, e.name) {
			return uint16(e.n)
		}
	}
	v, ok := number(w, 16)
	if !ok {
		panic(invalid(w, why))
	}
	return uint16(v)
}

func printVLAN(p *printer, v *netlink.VLAN) {
	name := strconv.Itoa(int(v.Protocol))
	for _, e := range etherTypes {
		if uint16(e.n) == v.Protocol {
			name = e.name
		}
	}
	p.str("protocol", "protocol %s ", name)
	p.num("id", "id %d ", int64(v.ID))
	p.openArray("flags")
	if p.json {
		p.str("", "", "REORDER_HDR")
	}
	p.closeArray()
	p.text("<REORDER_HDR> ")
}

const macvlanHelp = `Usage: ... macvlan mode MODE [flag MODE_FLAG] MODE_OPTS [bcqueuelen BC_QUEUE_LEN]

MODE: private | vepa | bridge | passthru | source
MODE_FLAG: null | nopromisc | nodst
MODE_OPTS: for mode "source":
	macaddr { { add | del } <macaddr> | set [ <macaddr> [ <macaddr>  ... ] ] | flush }
BC_QUEUE_LEN: Length of the rx queue for broadcast/multicast: [0-4294967295]
`

// parseMACVLANInfo reads what follows "type macvlan". iproute2: macvlan_parse_opt.
func parseMACVLANInfo(a *args) *netlink.MACVLAN {
	if !a.more() {
		return nil
	}
	m := &netlink.MACVLAN{}
	for a.more() {
		w := a.next()
		switch full := choose(w, "mode", "flag", "macaddr", "nopromisc", "nodst", "bcqueuelen", "bclim", "help"); full {
		case "mode":
			switch m.Mode = a.next(); m.Mode {
			case "private", "vepa", "bridge", "passthru":
			case "source":
				panic(notModelled("macvlan mode source"))
			default:
				panic(usage(1, "Error: argument of \"mode\" must be \"private\", \"vepa\", \"bridge\", \"passthru\" or \"source\", not \"%s\"\n", m.Mode))
			}
		case "help":
			panic(usage(1, "%s", macvlanHelp))
		case "":
			panic(usage(1, "macvlan: unknown option \"%s\"?\n%s", w, macvlanHelp))
		default:
			panic(notModelled("macvlan " + full))
		}
	}
	return m
}

// bcQueueLen is how many broadcasts wait at a lower device for its macvlan devices.
// The model does not let them wait. Linux: MACVLAN_DEFAULT_BC_QUEUE_LEN.
const bcQueueLen = 1000

func printMACVLAN(p *printer, m *netlink.MACVLAN) {
	p.str("mode", "mode %s ", m.Mode)
	p.num("bcqueuelen", "bcqueuelen %d ", bcQueueLen)
	p.num("usedbcqueuelen", "usedbcqueuelen %d ", bcQueueLen)
}
