package lab

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

const neighHelp = `Usage: ip neigh { add | del | change | replace } [ proxy ] ADDR [ lladdr MAC ] [ nud STATE ]
               [ router ] [ extern_learn ] dev DEV
       ip neigh { show | flush } [ proxy ] [ [ to ] PREFIX ] [ dev DEV ] [ nud STATE ]...
       ip neigh get [ proxy ] ADDR dev DEV
STATE := { delay | failed | incomplete | noarp | none | permanent | probe | reachable | stale }
`

func parseNeigh(a *args, c *Command) Action {
	switch a.verb("neigh", "show", neighHelp, "add", "change", "chg", "replace", "delete", "get", "show", "lst", "list", "flush") {
	case "add":
		return parseNeighChange(a, c, netlink.New, netlink.Create|netlink.Excl)
	case "change", "chg":
		return parseNeighChange(a, c, netlink.New, netlink.Replace)
	case "replace":
		return parseNeighChange(a, c, netlink.New, netlink.Create|netlink.Replace)
	case "delete":
		return parseNeighChange(a, c, netlink.Del, 0)
	case "get":
		return parseNeighGet(a, c)
	case "flush":
		if !a.more() {
			panic(usage(1, "Flush requires arguments.\n"))
		}
		f := parseNeighFilter(a, c)
		if f.States == 0 {
			f.States = 0xff &^ (unix.NUD_PERMANENT | unix.NUD_NOARP)
		}
		return &NeighFlush{f}
	}
	f := parseNeighFilter(a, c)
	if f.States == 0 {
		f.States = 0xff &^ unix.NUD_NOARP
	}
	return &NeighShow{f}
}

func parseNeighChange(a *args, c *Command, op netlink.Op, flags netlink.Flags) Action {
	m := &netlink.Neigh{Family: c.Opts.Family, State: unix.NUD_PERMANENT}
	dst, dev := "", ""
	for a.more() {
		switch w := a.next(); {
		case w == "lladdr":
			m.LLAddr, m.Has = a.lladdr(), m.Has|netlink.NeighLLAddr
		case w == "nud":
			v := a.next()
			n, ok := valueOf(nudWords, v, 8)
			if !ok {
				panic(invalid(v, "nud state is bad"))
			}
			m.State = uint16(n)
		case abbrev(w, "proxy"):
			m.Flags |= unix.NTF_PROXY
			dst = neighDst(a, m, dst, a.next())
		case abbrev(w, "router"):
			m.Flags |= unix.NTF_ROUTER
		case abbrev(w, "extern_learn"):
			m.Flags |= unix.NTF_EXT_LEARNED
		case w == "dev":
			dev = a.next()
		case abbrev(w, "protocol"):
			m.Proto = uint8(named(a, protoWords, 8, "\"protocol\" value is invalid\n"))
		case abbrev(w, "help"):
			panic(usage(255, "%s", neighHelp))
		default:
			if w == "to" {
				w = a.next()
			}
			dst = neighDst(a, m, dst, w)
		}
	}
	if dst == "" || dev == "" && m.Flags&unix.NTF_PROXY == 0 {
		panic(usage(255, "Device and destination are required arguments.\n"))
	}
	change := &Change{Req: netlink.Request{Op: op, Flags: flags, Msg: m}}
	if dev != "" { // a proxy entry may be of every device
		change.Devs = []Dev{{Name: dev}}
	}
	return change
}

// parseNeighGet reads "ip neigh get". iproute2: ipneigh_get, in which an address
// without a family, "any", is none.
func parseNeighGet(a *args, c *Command) Action {
	m := &netlink.Neigh{Family: c.Opts.Family}
	dst, dev := "", ""
	for a.more() {
		switch w := a.next(); {
		case w == "dev":
			dev = a.next()
		case abbrev(w, "proxy"):
			m.Flags |= unix.NTF_PROXY
		default:
			if w == "to" {
				w = a.next()
			}
			if abbrev(w, "help") {
				panic(usage(255, "%s", neighHelp))
			}
			given := m.Family
			dst = neighDst(a, m, dst, w)
			if given == unix.AF_UNSPEC && slices.Contains([]string{"any", "all", "default"}, w) {
				m.Family, dst = given, ""
			}
		}
	}
	if dst == "" || dev == "" && m.Flags&unix.NTF_PROXY == 0 {
		panic(usage(1, "Device and address are required arguments.\n"))
	}
	return &NeighGet{netlink.Request{Op: netlink.Get, Msg: m}, dev}
}

func neighDst(a *args, m *netlink.Neigh, had, w string) string {
	if had != "" {
		panic(garbage("to", w))
	}
	m.Dst = address(w, m.Family)
	m.Family = familyOf(m.Dst)
	return w
}

// A NeighShow is "ip neigh show".
type NeighShow struct{ Filter NeighFilter }

// A NeighFlush is "ip neigh flush".
type NeighFlush struct{ Filter NeighFilter }

// A NeighGet is "ip neigh get".
type NeighGet struct {
	Req netlink.Request
	Dev string
}

// A NeighFilter says which neighbours a command means.
type NeighFilter struct {
	Family uint8
	Dev    string
	States uint16 // unix.NUD_* and nudNone
	Proxy  bool
	To     netip.Prefix
	Master string
}

// nudNone stands in a filter for the state NUD_NONE, which has no bit.
const nudNone = 0x100

func parseNeighFilter(a *args, c *Command) NeighFilter {
	f := NeighFilter{Family: c.Opts.Family}
	for a.more() {
		switch w := a.next(); {
		case w == "dev":
			f.Dev = a.next()
		case w == "master":
			f.Master = a.next()
		case w == "nud":
			v := a.next()
			n, ok := valueOf(nudWords, v, 8)
			switch {
			case v == "all":
				f.States |= 0xff | nudNone
			case !ok:
				panic(invalid(v, "nud state is bad"))
			case n == unix.NUD_NONE:
				f.States |= nudNone
			default:
				f.States |= uint16(n)
			}
		case w == "unused":
			panic(notModelled("ip neigh show unused"))
		case w == "proxy":
			f.Proxy = true
		default:
			if w == "to" {
				w = a.next()
			} else if abbrev(w, "help") {
				panic(usage(255, "%s", neighHelp))
			}
			f.To = hostPrefix(w, &f.Family)
		}
	}
	return f
}
