package lab

import (
	"strings"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

const bridgeHelp = `Usage: bridge [ -j[son] | -p[retty] | -s[tatistics] | -d[etails] | -n[etns] NAME ] fdb COMMAND
       bridge fdb { add | append | replace | del } MAC dev DEV [ self ] [ master ]
               [ permanent | local | static | dynamic ] [ vlan VID ]
       bridge fdb [ show [ br BRDEV ] [ brport DEV | dev DEV ] [ vlan VID ] [ dynamic | state STATE ] ]
       bridge link [ show [ dev DEV ] ]
       bridge link set dev DEV [ fastleave { on | off } ] [ mcast_router { 0 | 1 | 2 } ] [ mcast_flood { on | off } ]
       bridge mdb { add | del } dev DEV port PORT grp GROUP [ permanent | temp ]
       bridge mdb [ show [ dev DEV ] ]
`

func parseBridge(a *args, net string) *Command {
	c := &Command{Net: net}
	for strings.HasPrefix(a.peek(), "-") {
		w := a.next()
		opt := w
		if strings.HasPrefix(opt, "--") {
			opt = opt[1:]
		}
		switch choose(opt, "-help", "-Version", "-stats", "-statistics", "-details", "-oneline", "-timestamp",
			"-family", "-4", "-6", "-netns", "-color", "-compressvlans", "-force", "-json", "-pretty", "-batch") {
		case "-stats", "-statistics":
			c.Opts.Stats++
		case "-details":
			c.Opts.Details = true
		case "-oneline":
			c.Opts.Oneline = true
		case "-json":
			c.Opts.JSON = true
		case "-pretty":
			c.Opts.Pretty = true
		case "-netns":
			c.Net = a.next()
		case "":
			panic(usage(255, "Option \"%s\" is unknown, try \"bridge help\".\n", w))
		default:
			panic(notModelled("bridge " + w))
		}
	}
	if !a.more() {
		panic(usage(255, "%s", bridgeHelp))
	}
	w := a.next()
	switch choose(w, "link", "fdb", "mdb", "vlan", "vni", "monitor", "help") {
	case "link":
		c.Do = parseBridgeLink(a)
	case "fdb":
		c.Do = parseFDB(a)
	case "mdb":
		c.Do = parseMDB(a)
	case "help":
		panic(usage(255, "%s", bridgeHelp))
	case "":
		panic(usage(255, "Object \"%s\" is unknown, try \"bridge help\".\n", w))
	default:
		panic(notModelled("bridge " + w))
	}
	return c
}

// A BridgeLink is "bridge link show".
type BridgeLink struct{ Dev string }

func parseBridgeLink(a *args) Action {
	if !a.more() {
		return &BridgeLink{}
	}
	switch w := a.next(); {
	case choose(w, "show", "lst", "list") != "":
	case w == "set":
		return parseBridgeLinkSet(a)
	default:
		panic(usage(255, "Command \"%s\" is unknown, try \"bridge link help\".\n", w))
	}
	l := &BridgeLink{}
	for a.more() {
		w := a.next()
		if w == "dev" {
			w = a.next()
		}
		if l.Dev != "" {
			panic(garbage("dev", w))
		}
		l.Dev = w
	}
	return l
}

// An FDBShow is "bridge fdb show".
type FDBShow struct {
	Bridge, Port string
	VLAN         uint16
	State        int // -1: any; unix.NUD_*
	Dynamic      bool
}

func parseFDB(a *args) Action {
	if !a.more() {
		return &FDBShow{State: -1}
	}
	w := a.next()
	switch choose(w, "add", "append", "replace", "delete", "get", "show", "lst", "list", "flush", "help") {
	case "add":
		return parseFDBChange(a, netlink.New, netlink.Create|netlink.Excl)
	case "append":
		return parseFDBChange(a, netlink.New, netlink.Create|netlink.Append)
	case "replace":
		return parseFDBChange(a, netlink.New, netlink.Create|netlink.Replace)
	case "delete":
		return parseFDBChange(a, netlink.Del, 0)
	case "show", "lst", "list":
		return parseFDBShow(a)
	case "help":
		panic(usage(255, "%s", bridgeHelp))
	case "":
		panic(usage(255, "Command \"%s\" is unknown, try \"bridge fdb help\".\n", w))
	}
	panic(notModelled("bridge fdb " + w))
}

func parseFDBChange(a *args, op netlink.Op, flags netlink.Flags) Action {
	m := &netlink.Neigh{Family: unix.AF_BRIDGE}
	dev, mac := "", false
	for a.more() {
		switch w := a.next(); {
		case w == "dev":
			dev = a.next()
		case abbrev(w, "self"):
			m.Flags |= unix.NTF_SELF
		case w == "master":
			m.Flags |= unix.NTF_MASTER
		case abbrev(w, "local") || abbrev(w, "permanent"):
			m.State |= unix.NUD_PERMANENT
		case abbrev(w, "temp") || abbrev(w, "static"):
			m.State |= unix.NUD_REACHABLE | unix.NUD_NOARP
		case abbrev(w, "dynamic"):
			m.State |= unix.NUD_REACHABLE
		case abbrev(w, "vlan"):
			m.VLAN = uint16(a.number(16, "invalid VLAN id"))
		case abbrev(w, "extern_learn"):
			m.Flags |= unix.NTF_EXT_LEARNED
		case abbrev(w, "help"):
			panic(usage(255, "%s", bridgeHelp))
		default:
			if w == "to" {
				w = a.next()
			}
			if mac {
				panic(garbage("to", w))
			}
			var err error
			if m.LLAddr, err = netlink.ParseMAC(w); err != nil {
				panic(usage(255, "Invalid mac address %s\n", w))
			}
			mac, m.Has = true, netlink.NeighLLAddr
		}
	}
	if dev == "" || !mac {
		panic(usage(255, "Device and address are required arguments.\n"))
	}
	if m.Flags&(unix.NTF_SELF|unix.NTF_MASTER) == 0 {
		m.Flags |= unix.NTF_SELF
	}
	if m.State&(unix.NUD_PERMANENT|unix.NUD_REACHABLE) == 0 {
		m.State |= unix.NUD_PERMANENT
	}
	return &Change{Req: netlink.Request{Op: op, Flags: flags, Msg: m}, Devs: []Dev{{Name: dev}}}
}

func parseFDBShow(a *args) Action {
	f := &FDBShow{State: -1}
	for a.more() {
		switch w := a.next(); {
		case w == "brport" || w == "dev":
			f.Port = a.next()
		case w == "br":
			f.Bridge = a.next()
		case w == "vlan":
			f.VLAN = uint16(a.number(16, "invalid VLAN id"))
		case w == "dynamic":
			f.Dynamic = true
		case w == "state":
			switch v := a.next(); v {
			case "permanent":
				f.State = unix.NUD_PERMANENT
			case "static", "temp":
				f.State = unix.NUD_NOARP
			case "stale":
				f.State = unix.NUD_STALE
			case "reachable":
				f.State = unix.NUD_REACHABLE
			case "all":
				f.State = -1
			default:
				panic(invalid(v, "invalid state"))
			}
		default:
			if !abbrev(w, "help") {
				panic(garbage("dev", w))
			}
			panic(usage(255, "%s", bridgeHelp))
		}
	}
	return f
}
