package lab

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

const maddrHelp = `Usage: ip maddr [ add | del ] MULTIADDR dev STRING
       ip maddr show [ dev STRING ]
`

// A MaddrShow is "ip maddr show".
type MaddrShow struct{ Dev string }

// A MaddrChange is "ip maddr add" or "del".
type MaddrChange struct {
	Op   netlink.Op
	Dev  string
	Addr netlink.MAC
}

func parseMaddr(a *args, c *Command) Action {
	switch a.verb("maddr", "list", maddrHelp, "add", "delete", "list", "show", "lst") {
	case "add":
		return parseMaddrChange(a, netlink.New)
	case "delete":
		return parseMaddrChange(a, netlink.Del)
	}
	s := &MaddrShow{}
	for a.more() {
		w := a.next()
		if w == "dev" {
			w = a.next()
		} else if abbrev(w, "help") {
			panic(usage(255, "%s", maddrHelp))
		}
		if s.Dev != "" {
			panic(garbage("dev", w))
		}
		s.Dev = w
	}
	return s
}

func parseMaddrChange(a *args, op netlink.Op) Action {
	m := &MaddrChange{Op: op}
	for a.more() {
		switch w := a.peek(); {
		case w == "dev":
			a.next()
			m.Dev = a.next()
		case abbrev(w, "help"):
			panic(usage(255, "%s", maddrHelp))
		default:
			if abbrev(w, "address") {
				a.next()
			}
			if ip, err := netip.ParseAddr(a.peek()); err == nil && ip.Is4() {
				panic(usage(1, "Error: Invalid address length 4 - must be 6 bytes\n"))
			}
			m.Addr = a.lladdr()
		}
	}
	if m.Dev == "" {
		panic(usage(255, "Not enough information: \"dev\" is required.\n"))
	}
	return m
}

func (m *MaddrChange) run(t *tool) int {
	err := error(unix.ENODEV)
	if index, ok := t.index(m.Dev); ok {
		_, err = t.netlink(&netlink.Request{Op: m.Op, Msg: &netlink.Multicast{Family: unix.AF_PACKET, Index: index, LLAddr: m.Addr}})
	}
	if err != nil {
		return t.failf(1, "ioctl: %s\n", errText(err))
	}
	return 0
}

// run prints the groups of all families device by device, as they were read: the
// link's, then IPv4's, then IPv6's. iproute2: multiaddr_list, print_mlist.
func (s *MaddrShow) run(t *tool) int {
	var list []*netlink.Multicast
	for _, family := range []uint8{unix.AF_PACKET, unix.AF_INET, unix.AF_INET6} {
		if want := t.c.Opts.Family; want != unix.AF_UNSPEC && want != family {
			continue
		}
		msgs, _ := t.dump(&netlink.Multicast{Family: family}) // a family that is not there has no file
		for _, m := range msgs {
			if g, ok := m.(*netlink.Multicast); ok && (s.Dev == "" || t.name(g.Index) == s.Dev) {
				list = append(list, g)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *netlink.Multicast) int { return a.Index - b.Index })
	p := t.printer()
	p.openList()
	last := 0
	for _, g := range list {
		if g.Index != last || p.oneline {
			if last != 0 {
				p.closeArray()
				p.closeObject()
			}
			p.openObject()
			p.num("ifindex", "%d:", int64(g.Index))
			p.str("ifname", "\t%s", t.name(g.Index))
			p.nl()
			p.openArray("maddr")
			last = g.Index
		}
		printMaddr(p, g)
	}
	if last != 0 {
		p.closeArray()
		p.closeObject()
	}
	return t.flush(p)
}

func printMaddr(p *printer, g *netlink.Multicast) {
	p.openObject()
	p.text("\t")
	if g.Family == unix.AF_PACKET {
		p.text("link  ")
		p.str("link", "%s", g.LLAddr.String())
	} else {
		word := "inet"
		if g.Family == unix.AF_INET6 {
			word = "inet6"
		}
		p.str("family", "%-5s ", word)
		p.str("address", "%s", g.Group.String())
	}
	if g.Users != 1 {
		p.num("users", " users %d", int64(g.Users))
	}
	if g.Static {
		p.str("features", " %s", "static")
	}
	p.text("\n")
	p.closeObject()
}
