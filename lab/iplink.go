package lab

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

const linkHelp = `Usage: ip link add [ link DEV ] [ name ] NAME [ SETTINGS ] [ netns NETNS ] type TYPE [ ARGS ]
       ip link set [ dev ] DEV [ { up | down } ] [ SETTINGS ] [ name NAME ]
               [ master DEV | nomaster ] [ netns NETNS ]
       ip link delete DEV
       ip link show [ DEV | up | master DEV | type TYPE ]
SETTINGS := [ mtu MTU ] [ address MAC ] [ broadcast MAC ] [ txqueuelen N ] [ alias TEXT ]
            [ arp { on | off } ] [ promisc { on | off } ] [ multicast { on | off } ]
TYPE ARGS := veth [ peer [ name NAME ] [ SETTINGS ] [ netns NETNS ] ] |
             bridge [ ageing_time T ] [ forward_delay T ] [ hello_time T ] [ max_age T ]
                    [ stp_state 0|1 ] [ priority N ] [ vlan_filtering 0|1 ]
                    [ mcast_snooping 0|1 ] [ mcast_router 0|1|2 ] [ mcast_hash_max N ]
                    [ mcast_querier 0|1 ] [ mcast_query_use_ifaddr 0|1 ] [ mcast_stats_enabled 0|1 ]
                    [ mcast_startup_query_count N ] [ mcast_last_member_count N ]
                    [ mcast_query_interval T ] [ mcast_query_response_interval T ]
                    [ mcast_startup_query_interval T ] [ mcast_last_member_interval T ]
                    [ mcast_membership_interval T ] [ mcast_querier_interval T ]
                    [ mcast_igmp_version 2|3 ] [ mcast_mld_version 1|2 ] |
             bridge_slave [ fastleave on|off ] [ mcast_router 0|1|2 ] [ mcast_flood on|off ] |
             vlan id VID [ protocol 802.1Q|802.1ad ] (stands on "link DEV") |
             macvlan [ mode private|vepa|bridge|passthru ] (stands on "link DEV") |
             passthrough                     (stands on "link DEV") |
             nic dev KERNELIF [ring v2|v3]   (an interface of the real kernel) |
             tap dev KERNELIF                (a tap of the real kernel, at its other end)
`

func parseLink(a *args, c *Command) Action {
	switch a.verb("link", "show", linkHelp, "add", "set", "change", "replace", "delete", "show", "lst", "list") {
	case "add":
		return parseLinkChange(a, netlink.Create|netlink.Excl)
	case "set", "change":
		return parseLinkChange(a, 0)
	case "replace":
		return parseLinkChange(a, netlink.Create|netlink.Replace)
	case "delete":
		ch := parseLinkChange(a, 0)
		ch.Req.Op = netlink.Del
		return ch
	}
	return parseLinkShow(a, c)
}

// A linkParser reads what "ip link add" and "set" share, and a veth's peer.
type linkParser struct {
	l    *netlink.Link
	dev  string // [dev] NAME
	name string // name NAME
	typ  string
	devs []Dev
	peer bool
}

func parseLinkChange(a *args, flags netlink.Flags) *Change {
	p := linkParser{l: &netlink.Link{}}
	p.words(a)
	if p.typ != "" {
		p.parseType(a)
	}
	ch := &Change{Req: netlink.Request{Op: netlink.New, Flags: flags, Msg: p.l}}
	if flags&netlink.Create == 0 {
		if p.dev == "" {
			if p.name == "" {
				panic(usage(255, "Not enough information: \"dev\" argument is required.\n"))
			}
			p.dev, p.name = p.name, ""
		}
		p.l.Name = p.name
		ch.Devs = append(p.devs, Dev{Name: p.dev, To: DevIndex})
		return ch
	}
	if p.dev != "" && p.name != "" {
		panic(usage(255, "both \"name\" and \"dev\" cannot be used when creating devices.\n"))
	}
	if p.l.Name = p.name + p.dev; p.typ == "" {
		panic(usage(1, "Not enough information: \"type\" argument is required\n"))
	}
	ch.Devs = p.devs
	return ch
}

// words reads settings up to the end, or past "type TYPE".
func (p *linkParser) words(a *args) {
	for a.more() {
		if p.setting(a) {
			continue
		}
		switch w := a.next(); {
		case w == "up":
			p.flag(unix.IFF_UP, true)
		case w == "down":
			p.flag(unix.IFF_UP, false)
		case w == "name":
			if p.name = a.next(); !validName(p.name) {
				panic(invalid(p.name, "\"name\" not a valid ifname"))
			}
		case w == "link" && !p.peer:
			p.l.Has |= netlink.LinkLink
			p.l.Parent = a.next()
			p.devs = append(p.devs, Dev{Name: p.l.Parent, To: DevUnder})
		case w == "master" && !p.peer:
			p.l.Has |= netlink.LinkMaster
			p.devs = append(p.devs, Dev{Name: a.next(), To: DevMaster})
		case w == "nomaster":
			p.l.Has, p.l.Master = p.l.Has|netlink.LinkMaster, 0
		case w == "netns":
			p.l.Has, p.l.NewNet = p.l.Has|netlink.LinkNewNet, a.next()
		case w == "index":
			p.l.Index = int(a.number(31, "Invalid \"index\" value"))
		case abbrev(w, "type"):
			p.typ = a.next()
			return
		default:
			p.device(a, w)
		}
	}
}

// device takes the word that can stand without a keyword.
func (p *linkParser) device(a *args, w string) {
	if w == "dev" {
		w = a.next()
	} else if abbrev(w, "help") {
		panic(usage(255, "%s", linkHelp))
	}
	if p.dev != "" {
		panic(garbage("dev", w))
	}
	if p.dev = w; !validAltName(w) {
		panic(invalid(w, "\"dev\" not a valid ifname"))
	}
}

func (p *linkParser) flag(f uint32, on bool) {
	p.l.Change |= f
	p.l.Flags &^= f
	if on {
		p.l.Flags |= f
	}
}

// genModes are the words for IFLA_INET6_ADDR_GEN_MODE. iproute2: addr_gen_mode_str.
var genModes = []string{"eui64", "none", "stable_secret", "random"}

// setting reads one that any device can have.
func (p *linkParser) setting(a *args) bool {
	l := p.l
	switch w := a.peek(); w {
	case "mtu":
		a.next()
		l.Has, l.MTU = l.Has|netlink.LinkMTU, int(a.number(31, "Invalid \"mtu\" value\n"))
	case "address":
		a.next()
		l.Has, l.Addr = l.Has|netlink.LinkAddr, a.lladdr()
	case "broadcast", "brd":
		a.next()
		l.Has, l.Broadcast = l.Has|netlink.LinkBroadcast, a.lladdr()
	case "txqueuelen", "qlen", "txqlen":
		a.next()
		l.Has, l.TxQLen = l.Has|netlink.LinkTxQLen, int(a.number(31, "Invalid \"txqueuelen\" value\n"))
	case "group":
		a.next()
		if a.take("default") {
			l.Group = 0
		} else {
			l.Group = uint32(a.number(32, "Invalid \"group\" value\n"))
		}
		l.Has |= netlink.LinkGroup
	case "alias":
		a.next()
		l.Has, l.Alias = l.Has|netlink.LinkAlias, a.next()
	case "addrgenmode":
		a.next()
		v := a.next()
		mode := slices.Index(genModes, v)
		if mode < 0 {
			panic(invalid(v, "Invalid address generation mode\n"))
		}
		l.Has, l.GenMode = l.Has|netlink.LinkGenMode, uint8(mode)
	case "arp":
		p.flag(unix.IFF_NOARP, !a.onOff())
	case "promisc":
		p.flag(unix.IFF_PROMISC, a.onOff())
	case "multicast":
		p.flag(unix.IFF_MULTICAST, a.onOff())
	case "allmulticast":
		p.flag(unix.IFF_ALLMULTI, a.onOff())
	default:
		return false
	}
	return true
}

// onOff takes a keyword and its "on" or "off".
func (a *args) onOff() bool {
	key, w := a.next(), a.next()
	if w != "on" && w != "off" {
		panic(usage(1, "Error: argument of \"%s\" must be \"on\" or \"off\", not \"%s\"\n", key, w))
	}
	return w == "on"
}

// parseType reads what follows "type TYPE".
func (p *linkParser) parseType(a *args) {
	p.l.Info = p.typ
	switch p.typ {
	case "veth":
		if !a.more() {
			return
		}
		if w := a.next(); w != "peer" {
			panic(usage(1, "Usage: ip link <options> type veth [peer <options>]\nTo get <options> type 'ip link add help'\n"))
		}
		q := linkParser{l: &netlink.Link{}, peer: true}
		q.words(a)
		if q.dev != "" && q.name != "" {
			panic(usage(255, "both \"name\" and \"dev\" cannot be used when creating devices.\n"))
		}
		q.l.Name = q.name + q.dev
		p.l.Peer = q.l
	case "bridge":
		p.l.BridgeInfo = parseBridgeInfo(a)
	case "bridge_slave":
		p.l.Info, p.l.PortInfo, p.l.BridgePort = "", "bridge", parseBridgeSlave(a)
	case "vlan":
		p.l.VLANInfo = parseVLANInfo(a)
	case "macvlan":
		p.l.MACVLAN = parseMACVLANInfo(a)
	case "nic", "tap":
		if w := a.next(); w != "dev" {
			panic(garbage("type", w))
		}
		p.l.Parent = a.next()
		if p.typ == "nic" && a.more() && a.peek() == "ring" {
			a.next()
			p.l.Ring = a.next()
			if p.l.Ring != "v2" && p.l.Ring != "v3" {
				panic(usage(255, "Error: argument \"%s\" is wrong: want v2 or v3\n", p.l.Ring))
			}
		}
	}
	if a.more() {
		panic(garbage("type", a.next()))
	}
}

func parseBridgeInfo(a *args) *netlink.Bridge {
	if !a.more() {
		return nil
	}
	b := &netlink.Bridge{}
	centi := func(bit netlink.BridgeAttr, to *time.Duration) {
		key := a.next()
		*to = time.Duration(a.number(32, "invalid "+key)) * 10 * time.Millisecond
		b.Has |= bit
	}
	value := func(bit netlink.BridgeAttr, bits int) uint64 {
		key := a.next()
		b.Has |= bit
		return a.number(bits, "invalid "+key)
	}
	for a.more() {
		switch w := a.peek(); {
		case abbrev(w, "forward_delay"):
			centi(netlink.BridgeForwardDelay, &b.ForwardDelay)
		case abbrev(w, "hello_time"):
			centi(netlink.BridgeHelloTime, &b.HelloTime)
		case abbrev(w, "max_age"):
			centi(netlink.BridgeMaxAge, &b.MaxAge)
		case abbrev(w, "ageing_time"):
			centi(netlink.BridgeAgeingTime, &b.AgeingTime)
		case abbrev(w, "stp_state"):
			b.STPState = uint32(value(netlink.BridgeSTPState, 32))
		case abbrev(w, "priority"):
			b.Priority = uint16(value(netlink.BridgePriority, 16))
		case abbrev(w, "vlan_filtering"):
			b.VLANFiltering = value(netlink.BridgeVLANFiltering, 8) != 0
		case abbrev(w, "mcast_router"):
			b.MulticastRouter = uint8(value(netlink.BridgeMulticastRouter, 8))
		case abbrev(w, "mcast_snooping"):
			b.MulticastSnooping = value(netlink.BridgeMulticastSnooping, 8) != 0
		case parseMulticast(a, b):
		default:
			panic(usage(1, "bridge: unknown command \"%s\"?\n%s", w, linkHelp))
		}
	}
	return b
}

// validName is what a device may be called. iproute2: check_ifname.
func validName(w string) bool { return len(w) <= 15 && validAltName(w) }

// validAltName is what ip takes for a device's name where it could be one of
// its other names as well. iproute2: check_altifname.
func validAltName(w string) bool {
	if w == "" || len(w) > 127 || w == "." || w == ".." {
		return false
	}
	for _, c := range []byte(w) {
		if c <= ' ' || c == '/' {
			return false
		}
	}
	return true
}
