package lab

import (
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

const mrouteHelp = `Usage: ip mroute show [ [ to ] PREFIX ] [ from PREFIX ] [ iif DEVICE ]
                      [ table TABLE_ID ]
TABLE_ID := [ local | main | default | all | NUMBER ]
`

// A MrouteShow is "ip mroute show".
type MrouteShow struct {
	Iif string
	All bool // table all
}

func parseMroute(a *args, c *Command) Action {
	a.verb("mroute", "show", mrouteHelp, "add", "change", "replace", "delete", "show", "lst", "list", "flush")
	s := &MrouteShow{}
	for a.more() {
		switch w := a.next(); {
		case w == "iif":
			s.Iif = a.next()
		case w == "from":
			panic(noPrefix(a.next()))
		case abbrev(w, "table"):
			switch w := a.next(); w {
			case "all":
				s.All = true
			case "default":
			default:
				panic(notModelled("ip mroute show table " + w))
			}
		default:
			if w == "to" {
				w = a.next()
			}
			if abbrev(w, "help") {
				panic(usage(255, "%s", mrouteHelp))
			}
			panic(noPrefix(w))
		}
	}
	return s
}

// noPrefix is what ip says of any prefix here: it reads it as one of the family of
// multicast routes, which has none.
func noPrefix(w string) *UsageError {
	return usage(1, "Error: ??? prefix is expected rather than \"%s\".\n", w)
}

// run prints the entries of IPv4, or with -6 of IPv6. iproute2: mroute_list.
func (s *MrouteShow) run(t *tool) int {
	iif := 0
	if s.Iif != "" {
		var ok bool
		if iif, ok = t.index(s.Iif); !ok {
			return t.failf(1, "Cannot find device \"%s\"\n", s.Iif)
		}
	}
	family := uint8(netlink.FamilyIPMR)
	if t.c.Opts.Family == unix.AF_INET6 {
		family = netlink.FamilyIP6MR
	}
	msgs, err := t.dump(&netlink.MFC{Family: family})
	if err != nil {
		return t.dumped(err, "Dump")
	}
	p := t.printer()
	p.openList()
	for _, m := range msgs {
		if e, ok := m.(*netlink.MFC); ok && (iif == 0 || e.IIF == iif) {
			t.printMroute(p, e, s.All || family == netlink.FamilyIP6MR)
		}
	}
	return t.flush(p)
}

// printMroute is iproute2's print_mroute.
func (t *tool) printMroute(p *printer, e *netlink.MFC, table bool) {
	p.openObject()
	if p.json {
		p.str("src", "", e.Src.String())
		p.str("dst", "", e.Dst.String())
	} else {
		p.text("%-32s Iif: ", "("+e.Src.String()+","+e.Dst.String()+")")
	}
	iif := "unresolved"
	if e.IIF != 0 {
		iif = t.name(e.IIF)
	}
	p.str("iif", "%-10s ", iif)
	if len(e.OIFs) > 0 {
		p.text("Oifs: ")
		p.openArray("multipath")
		for _, h := range e.OIFs {
			p.openObject()
			p.str("oif", "%s", t.name(h.Index))
			if h.TTL > 1 {
				p.num("ttl", "(ttl %d) ", int64(h.TTL))
			} else {
				p.text(" ")
			}
			p.closeObject()
		}
		p.closeArray()
	}
	state := "resolved"
	if e.Unresolved {
		state = "unresolved"
	}
	p.str("state", " State: %s", state)
	if t.c.Opts.Stats > 0 && !e.Unresolved {
		p.nl()
		p.num("packets", "  %d packets,", int64(e.Packets))
		p.num("bytes", " %d bytes", int64(e.Bytes))
		if e.Wrong > 0 {
			p.num("wrong_if", ", %d arrived on wrong iif.", int64(e.Wrong))
		}
		age := e.Age / (10 * time.Millisecond)
		p.text(", Age %4d.%02d", age/100, age%100)
	}
	if table && t.c.Opts.Details {
		p.str("table", " Table: %s", "default")
	}
	p.text("\n")
	p.closeObject()
}
