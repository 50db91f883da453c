package lab

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

// A RouteGet is "ip route get".
type RouteGet struct {
	Req  netlink.Request
	Devs []Dev
	warn string
}

func parseRouteGet(a *args, c *Command) Action {
	r := &netlink.Route{Family: c.Opts.Family}
	g := &RouteGet{Req: netlink.Request{Op: netlink.Get, Msg: r}}
	given := false
	for a.more() {
		switch w := a.next(); {
		case w == "from":
			r.Src = hostPrefix(a.next(), &r.Family)
		case w == "iif":
			g.Devs = append(g.Devs, Dev{a.next(), DevIIF, 0})
		case w == "oif" || w == "dev":
			g.Devs = append(g.Devs, Dev{Name: a.next()})
		case w == "mark":
			r.Mark = uint32(a.number(32, "invalid mark value"))
		case w == "tos" || w == "dsfield":
			v := a.next()
			n, ok := tos(v)
			if !ok {
				panic(invalid(v, "TOS value is invalid\n"))
			}
			r.TOS = n
		case w == "uid":
			r.UID, r.Has = uint32(a.number(32, "invalid UID\n")), r.Has|netlink.RouteUID
		case w == "ipproto":
			r.IPProto = uint8(named(a, ipprotoWords, 8, "Invalid \"ipproto\" value\n"))
		case w == "sport":
			r.SPort = uint16(a.number(16, "Invalid \"sport\"\n"))
		case w == "dport":
			r.DPort = uint16(a.number(16, "Invalid \"dport\"\n"))
		case abbrev(w, "fibmatch"):
			r.Has |= netlink.RouteFIBMatch
		case w == "notify" || w == "connected" || w == "vrf":
			panic(notModelled("ip route get " + w))
		default:
			if w == "to" {
				w = a.next()
			} else if abbrev(w, "help") {
				panic(usage(255, "%s", routeHelp))
			}
			r.Dst = hostPrefix(w, &r.Family)
			given = true
			if r.Dst.IsValid() && !r.Dst.IsSingleIP() {
				g.warn = fmt.Sprintf("Warning: /%d as prefix is invalid, only /%d (or none) is supported.\n", r.Dst.Bits(), r.Dst.Addr().BitLen())
				r.Dst = netip.PrefixFrom(r.Dst.Addr(), r.Dst.Addr().BitLen())
			}
		}
	}
	if !given {
		panic(usage(1, "need at least a destination address\n"))
	}
	if r.Family == unix.AF_UNSPEC {
		r.Family = unix.AF_INET
	}
	if r.Family == unix.AF_INET && r.Has&netlink.RouteFIBMatch == 0 {
		r.Flags |= unix.RTM_F_LOOKUP_TABLE
	}
	return g
}

// hostPrefix reads an address and settles the family with it.
func hostPrefix(w string, family *uint8) netip.Prefix {
	p, _ := prefix(w, *family)
	if p.IsValid() {
		*family = familyOf(p.Addr())
	}
	return p
}

func (g *RouteGet) run(t *tool) int {
	t.failf(0, "%s", g.warn)
	for _, d := range g.Devs {
		index, ok := t.index(d.Name)
		if !ok {
			return t.failf(1, "Cannot find device \"%s\"\n", d.Name)
		}
		setIndex(g.Req.Msg, d, index)
	}
	msgs, err := t.netlink(&g.Req)
	if err != nil {
		return t.kernel(err)
	}
	p := t.printer()
	p.openList()
	for _, m := range msgs {
		if r, ok := m.(*netlink.Route); ok {
			t.printRoute(p, r, &RouteFilter{})
		}
	}
	return t.flush(p)
}

// A RouteFilter says which routes a command means.
type RouteFilter struct {
	Family           uint8
	Table            uint32 // 0: all of them
	Cached           bool   // what was learnt of ways, and nothing else
	Dev              string
	Proto, Scope     int // -1: any
	Type             uint8
	Metric           int64 // -1: any
	TOS              int   // -1: any
	Via, PrefSrc     netip.Addr
	Root, Match      netip.Prefix // within Root; containing Match
	hasRoot, hasExct bool
	From             sourceFilter
	IDev             int // Dev's index, when running
}

func parseRouteFilter(a *args, c *Command) RouteFilter {
	f := RouteFilter{Family: c.Opts.Family, Table: unix.RT_TABLE_MAIN, Proto: -1, Scope: -1, Metric: -1, TOS: -1}
	for a.more() {
		switch w := a.next(); {
		case abbrev(w, "table"):
			f.table(a.next())
		case abbrev(w, "cached") || abbrev(w, "cloned"):
			f.Cached, f.Table = true, 0
		case w == "dev" || w == "oif":
			f.Dev = a.next()
		case abbrev(w, "protocol"):
			if f.Proto = -1; !a.take("all") {
				f.Proto = int(named(a, protoWords, 8, "invalid \"protocol\"\n"))
			}
		case abbrev(w, "scope"):
			if f.Scope = -1; !a.take("all") {
				f.Scope = int(named(a, scopeWords, 8, "invalid \"scope\"\n"))
			}
		case abbrev(w, "type"):
			v := a.next()
			t, ok := routeType(v)
			if !ok {
				panic(invalid(v, "node type value is invalid\n"))
			}
			f.Type = t
		case w == "metric" || w == "priority" || w == "preference":
			f.Metric = int64(a.number(32, "invalid metric value\n"))
		case w == "tos" || w == "dsfield":
			v := a.next()
			n, ok := tos(v)
			if !ok {
				panic(invalid(v, "TOS value is invalid\n"))
			}
			f.TOS = int(n)
		case w == "from":
			f.From.parse(a, &f.Family)
		case w == "via":
			f.Via = hostPrefix(a.next(), &f.Family).Addr()
		case w == "src":
			f.PrefSrc = hostPrefix(a.next(), &f.Family).Addr()
		default:
			f.selector(a, w)
		}
	}
	if f.Family == unix.AF_UNSPEC && (f.Table != 0 || f.Cached) {
		f.Family = unix.AF_INET
	}
	return f
}

func (f *RouteFilter) table(w string) {
	switch {
	case w == "all":
		f.Table = 0
	case w == "cache":
		f.Cached, f.Table = true, 0
	default:
		v, ok := valueOf(tableWords, w, 32)
		if !ok {
			panic(invalid(w, "table id value is invalid\n"))
		}
		f.Table = v
	}
}

// selector takes [to] [root|match|exact] PREFIX.
func (f *RouteFilter) selector(a *args, w string) {
	if w == "to" {
		w = a.next()
	}
	switch {
	case w == "root":
		f.Root, f.hasRoot = hostPrefix(a.next(), &f.Family), true
	case w == "match":
		f.Match = hostPrefix(a.next(), &f.Family)
	case abbrev(w, "help"):
		panic(usage(255, "%s", routeHelp))
	default:
		if w == "exact" {
			w = a.next()
		}
		f.Root = hostPrefix(w, &f.Family)
		f.Match, f.hasRoot, f.hasExct = f.Root, true, true
	}
}
