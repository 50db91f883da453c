package lab

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

const mdbHelp = `Usage: bridge mdb { add | del } dev DEV port PORT grp GROUP [ permanent | temp ]
       bridge mdb { show } [ dev DEV ]
`

// An MDBShow is "bridge mdb show".
type MDBShow struct{ Dev string }

// An MDBChange is "bridge mdb add" or "del".
type MDBChange struct {
	Op        netlink.Op
	Dev, Port string
	Entry     netlink.MDBEntry
}

func parseMDB(a *args) Action {
	if !a.more() {
		return &MDBShow{}
	}
	w := a.next()
	switch choose(w, "add", "delete", "show", "lst", "list", "help") {
	case "add":
		return parseMDBChange(a, netlink.New)
	case "delete":
		return parseMDBChange(a, netlink.Del)
	case "help":
		panic(usage(255, "%s", mdbHelp))
	case "":
		panic(usage(255, "Command \"%s\" is unknown, try \"bridge mdb help\".\n", w))
	}
	s := &MDBShow{}
	for a.more() {
		switch w := a.next(); w {
		case "dev":
			s.Dev = a.next()
		default:
			panic(notModelled("bridge mdb show " + w))
		}
	}
	return s
}

// parseMDBChange reads what iproute2's mdb_modify does: a word that it does not
// know is no mistake.
func parseMDBChange(a *args, op netlink.Op) Action {
	m := &MDBChange{Op: op}
	group := ""
	for a.more() {
		switch w := a.next(); w {
		case "dev":
			m.Dev = a.next()
		case "port":
			m.Port = a.next()
		case "grp":
			group = a.next()
		case "permanent":
			m.Entry.Permanent = true
		case "temp":
		case "vid", "src", "filter_mode", "source_list", "proto":
			panic(notModelled("bridge mdb " + w))
		}
	}
	if m.Dev == "" || m.Port == "" || group == "" {
		panic(usage(255, "Device, group address and port name are required arguments.\n"))
	}
	if _, err := netlink.ParseMAC(group); err == nil {
		panic(notModelled("bridge mdb of a group of the link"))
	}
	g, err := netip.ParseAddr(group)
	if err != nil || g.Zone() != "" {
		panic(usage(255, "\"%s\" is invalid lladdr.\nInvalid address \"%s\"\n", group, group))
	}
	m.Entry.Group = g
	return m
}

func (m *MDBChange) run(t *tool) int {
	q := &netlink.MDB{Entries: []netlink.MDBEntry{m.Entry}}
	for _, x := range []struct {
		name string
		to   *int
	}{{m.Dev, &q.Index}, {m.Port, &q.Entries[0].Index}} {
		var ok bool
		if *x.to, ok = t.index(x.name); !ok {
			return t.failf(255, "Cannot find device \"%s\"\n", x.name)
		}
	}
	req := &netlink.Request{Op: m.Op, Msg: q}
	if m.Op == netlink.New {
		req.Flags = netlink.Create | netlink.Excl
	}
	if _, err := t.netlink(req); err != nil {
		return t.kernel(err)
	}
	return 0
}

// run prints the groups of every bridge, and with -d where routers are. iproute2:
// mdb_show, print_mdbs.
func (s *MDBShow) run(t *tool) int {
	dev := 0
	if s.Dev != "" {
		var ok bool
		if dev, ok = t.index(s.Dev); !ok {
			return t.failf(1, "Cannot find device \"%s\"\n", s.Dev)
		}
	}
	msgs, err := t.dump(&netlink.MDB{})
	if err != nil {
		return t.dumped(err, "Dump")
	}
	p := t.printer()
	p.openList()
	p.openObject()
	p.openArray("mdb")
	for _, m := range msgs {
		if q, ok := m.(*netlink.MDB); ok && (dev == 0 || q.Index == dev) {
			for _, e := range q.Entries {
				t.printMDBEntry(p, q, e)
			}
		}
	}
	p.closeArray()
	p.openNamed("router")
	for _, m := range msgs {
		if q, ok := m.(*netlink.MDB); ok && len(q.Routers) > 0 && (dev == 0 || q.Index == dev) && (t.c.Opts.Details || p.json) {
			t.printRouters(p, q)
		}
	}
	p.closeObject()
	p.closeObject()
	return t.flush(p)
}

func (t *tool) printMDBEntry(p *printer, q *netlink.MDB, e netlink.MDBEntry) {
	state := "temp"
	if e.Permanent {
		state = "permanent"
	}
	p.openObject()
	if p.json {
		p.num("index", "", int64(q.Index))
	}
	p.str("dev", "dev %s", t.name(q.Index))
	p.str("port", " port %s", t.name(e.Index))
	p.str("grp", " grp %s", e.Group.String())
	p.str("state", " %s", state)
	if t.c.Opts.Details && e.Index != q.Index {
		proto := "kernel"
		if e.Static {
			proto = "static"
		}
		if e.FilterMode {
			p.str("filter_mode", " filter_mode %s", "exclude")
		}
		p.str("protocol", " proto %s ", proto)
	}
	p.openArray("flags")
	p.closeArray()
	if t.c.Opts.Stats > 0 {
		printMDBTimer(p, e.Timer)
	}
	p.text("\n")
	p.closeObject()
}

func printMDBTimer(p *printer, left time.Duration) {
	centi := left / (10 * time.Millisecond)
	p.text(" %4d.%02d", centi/100, centi%100)
}

func (t *tool) printRouters(p *printer, q *netlink.MDB) {
	p.text("router ports on %s: ", t.name(q.Index))
	p.openArray(t.name(q.Index))
	for _, r := range q.Routers {
		p.openObject()
		p.str("port", "%s ", t.name(r.Index))
		if t.c.Opts.Stats > 0 {
			word := "temp"
			if r.Permanent {
				word = "permanent"
			}
			printMDBTimer(p, r.Timer)
			p.text(" %s", word)
		}
		p.closeObject()
	}
	p.closeArray()
	p.text("\n")
}

// parseBridgeLinkSet reads "bridge link set".
func parseBridgeLinkSet(a *args) Action {
	l := &netlink.Link{Family: unix.AF_BRIDGE, BridgePort: &netlink.BridgePort{}}
	dev := ""
	for a.more() {
		switch w := a.peek(); w {
		case "dev":
			a.next()
			dev = a.next()
		case "fastleave": // 234: bridge ends with -EINVAL
			l.BridgePort.FastLeave = a.oneOf(234) == "on"
			l.BridgePort.Has |= netlink.BridgePortFastLeave
		case "mcast_flood":
			l.BridgePort.MulticastFlood = a.oneOf(234) == "on"
			l.BridgePort.Has |= netlink.BridgePortMulticastFlood
		case "mcast_router":
			a.next()
			l.BridgePort.MulticastRouter = uint8(atoi(a.next()))
			l.BridgePort.Has |= netlink.BridgePortMulticastRouter
		default:
			panic(notModelled("bridge link set " + w))
		}
	}
	if dev == "" {
		panic(usage(255, "Device is a required argument.\n"))
	}
	return &Change{Req: netlink.Request{Op: netlink.New, Msg: l}, Devs: []Dev{{Name: dev}}}
}
