package lab

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

const routeHelp = `Usage: ip route { list | flush } [ [ exact | root | match ] PREFIX ] [ table TABLE ] [ dev DEV ]
               [ proto PROTO ] [ scope SCOPE ] [ type TYPE ] [ via ADDR ] [ src ADDR ]
       ip route get ADDR [ from ADDR [ iif DEV ] ] [ oif DEV ] [ mark N ] [ tos TOS ] [ uid N ]
               [ ipproto PROTO ] [ sport N ] [ dport N ] [ fibmatch ]
       ip route { add | del | change | append | prepend | replace } [ TYPE ] PREFIX [ tos TOS ]
               [ table TABLE ] [ proto PROTO ] [ scope SCOPE ] [ metric N ] [ src ADDR ] [ onlink ]
               [ mtu [ lock ] N ] [ advmss N ] [ initcwnd N ] [ initrwnd N ] [ window N ] [ hoplimit N ]
               [ expires SECONDS ] [ pref { low | medium | high } ]
               { [ via ADDR ] [ dev DEV ] | { nexthop [ via ADDR ] [ dev DEV ] [ weight N ] [ onlink ] }... }
`

func parseRoute(a *args, c *Command) Action {
	change := func(op netlink.Op, flags netlink.Flags) Action {
		if !a.more() {
			panic(usage(255, "%s", routeHelp))
		}
		return parseRouteChange(a, c, op, flags)
	}
	switch a.verb("route", "list", routeHelp, "list", "show", "lst", "get", "add", "append", "prepend", "test",
		"change", "chg", "replace", "delete", "flush") {
	case "add":
		return change(netlink.New, netlink.Create|netlink.Excl)
	case "append":
		return change(netlink.New, netlink.Create|netlink.Append)
	case "prepend":
		return change(netlink.New, netlink.Create)
	case "test":
		return change(netlink.New, netlink.Excl)
	case "change", "chg":
		return change(netlink.New, netlink.Replace)
	case "replace":
		return change(netlink.New, netlink.Create|netlink.Replace)
	case "delete":
		return change(netlink.Del, 0)
	case "get":
		return parseRouteGet(a, c)
	case "flush":
		if !a.more() {
			panic(usage(1, "\"ip route flush\" requires arguments.\n"))
		}
		return &RouteFlush{parseRouteFilter(a, c)}
	}
	return &RouteShow{parseRouteFilter(a, c)}
}

type routeParser struct {
	r                      *netlink.Route
	dst, dev               string
	devs                   []Dev
	table, scoped, gateway bool
}

func parseRouteChange(a *args, c *Command, op netlink.Op, flags netlink.Flags) Action {
	r := &netlink.Route{Family: c.Opts.Family}
	p := routeParser{r: r}
	if op == netlink.New {
		r.Proto, r.Type = unix.RTPROT_BOOT, unix.RTN_UNICAST
	} else {
		r.Scope = unix.RT_SCOPE_NOWHERE
	}
	for a.more() {
		if a.take("nexthop") {
			p.nexthops(a)
			break
		}
		p.word(a)
	}
	if p.dev != "" {
		p.devs = append(p.devs, Dev{Name: p.dev})
	}
	if r.Family == unix.AF_UNSPEC {
		r.Family = unix.AF_INET
	}
	p.defaults(op)
	return &Change{Req: netlink.Request{Op: op, Flags: flags, Msg: r}, Devs: p.devs}
}

// defaults chooses table and scope by the type, as the tool does.
func (p *routeParser) defaults(op netlink.Op) {
	r := p.r
	local := r.Type == unix.RTN_LOCAL || r.Type == unix.RTN_NAT || r.Type == unix.RTN_BROADCAST || r.Type == unix.RTN_ANYCAST
	if !p.table {
		if r.Table = unix.RT_TABLE_MAIN; local {
			r.Table = unix.RT_TABLE_LOCAL
		}
	}
	if p.scoped || r.Family != unix.AF_INET {
		if !p.scoped {
			r.Scope = unix.RT_SCOPE_UNIVERSE
		}
		return
	}
	switch {
	case r.Type == unix.RTN_LOCAL || r.Type == unix.RTN_NAT:
		r.Scope = unix.RT_SCOPE_HOST
	case r.Type == unix.RTN_BROADCAST || r.Type == unix.RTN_MULTICAST || r.Type == unix.RTN_ANYCAST:
		r.Scope = unix.RT_SCOPE_LINK
	case r.Type == unix.RTN_UNICAST || r.Type == unix.RTN_UNSPEC:
		if op == netlink.Del {
			r.Scope = unix.RT_SCOPE_NOWHERE
		} else if !p.gateway && len(r.Multipath) == 0 {
			r.Scope = unix.RT_SCOPE_LINK
		} else {
			r.Scope = unix.RT_SCOPE_UNIVERSE
		}
	default:
		r.Scope = unix.RT_SCOPE_UNIVERSE
	}
}

func (p *routeParser) word(a *args) {
	r := p.r
	switch w := a.next(); {
	case w == "src":
		r.PrefSrc = p.addr(a.next())
	case w == "via":
		r.Gateway, p.gateway = p.via(a), true
	case w == "from":
		r.Src, _ = prefix(a.next(), r.Family)
	case w == "tos" || abbrev(w, "dsfield"):
		v := a.next()
		n, ok := tos(v)
		if !ok {
			panic(invalid(v, "\"tos\" value is invalid\n"))
		}
		r.TOS = n
	case abbrev(w, "metric") || w == "priority" || w == "preference":
		r.Priority = uint32(a.number(32, "\"metric\" value is invalid\n"))
	case w == "scope":
		r.Scope, p.scoped = uint8(named(a, scopeWords, 8, "invalid \"scope\" value\n")), true
	case w == "mtu":
		r.MTU = p.metric(a, unix.RTAX_MTU, "\"mtu\" value is invalid\n")
	case w == "advmss":
		r.AdvMSS = p.metric(a, unix.RTAX_ADVMSS, "\"mss\" value is invalid\n")
	case w == "hoplimit":
		r.HopLimit = p.metric(a, unix.RTAX_HOPLIMIT, "\"hoplimit\" value is invalid\n")
	case w == "window":
		r.Window = p.metric(a, unix.RTAX_WINDOW, "\"window\" value is invalid\n")
	case w == "initcwnd":
		r.InitCwnd = p.metric(a, unix.RTAX_INITCWND, "\"initcwnd\" value is invalid\n")
	case w == "initrwnd":
		r.InitRwnd = p.metric(a, unix.RTAX_INITRWND, "\"initrwnd\" value is invalid\n")
	case w == "expires":
		r.Expires = time.Duration(a.number(32, "\"expires\" value is invalid\n")) * time.Second
		r.Has |= netlink.RouteCacheInfo
	case w == "pref":
		v := a.next()
		n, ok := map[string]uint8{"low": 3, "medium": 0, "high": 1}[v]
		if !ok {
			panic(invalid(v, "\"pref\" value is invalid\n"))
		}
		r.Pref, r.Has = n, r.Has|netlink.RoutePref
	case w == "onlink":
		r.Flags |= unix.RTNH_F_ONLINK
	case abbrev(w, "protocol"):
		r.Proto = uint8(named(a, protoWords, 8, "\"protocol\" value is invalid\n"))
	case abbrev(w, "table"):
		r.Table, p.table = named(a, tableWords, 32, "\"table\" value is invalid\n"), true
	case w == "dev" || w == "oif":
		p.dev = a.next()
	default:
		p.destination(a, w)
	}
}

// destination takes [to] [TYPE] PREFIX.
func (p *routeParser) destination(a *args, w string) {
	if w == "to" {
		w = a.next()
	}
	if t, ok := routeType(w); ok {
		p.r.Type = t
		w = a.next()
	}
	if abbrev(w, "help") {
		panic(usage(255, "%s", routeHelp))
	}
	if p.dst != "" {
		panic(garbage("to", w))
	}
	p.dst = w
	p.r.Dst, _ = prefix(w, p.r.Family)
	if p.r.Dst.IsValid() {
		p.r.Family = familyOf(p.r.Dst.Addr())
	}
}

func (p *routeParser) addr(w string) netip.Addr {
	ip := address(w, p.r.Family)
	p.r.Family = familyOf(ip)
	return ip
}

// via takes [inet|inet6] ADDR; of the other family it is an RTA_VIA.
func (p *routeParser) via(a *args) netip.Addr {
	if a.take("inet") {
		return address(a.next(), unix.AF_INET)
	}
	if a.take("inet6") {
		return address(a.next(), unix.AF_INET6)
	}
	return p.addr(a.next())
}

func (p *routeParser) metric(a *args, bit int, why string) uint32 {
	if a.take("lock") {
		p.r.Locked |= 1 << bit
	}
	return uint32(a.number(32, why))
}

// named takes a word of a table, or its number.
func named(a *args, ws []word, bits int, why string) uint32 {
	w := a.next()
	v, ok := valueOf(ws, w, bits)
	if !ok {
		panic(invalid(w, why))
	}
	return v
}

// nexthops reads from behind the first "nexthop" to the end.
func (p *routeParser) nexthops(a *args) {
	for first := true; a.more() || first; first = false {
		if !first && !a.take("nexthop") {
			panic(usage(255, "Error: \"nexthop\" or end of line is expected instead of \"%s\"\n", a.next()))
		}
		if !a.more() {
			panic(usage(255, "Error: unexpected end of line after \"nexthop\"\n"))
		}
		h := netlink.NextHop{Weight: 1}
		for p.hopWord(a, &h) {
		}
		p.r.Multipath = append(p.r.Multipath, h)
	}
}

func (p *routeParser) hopWord(a *args, h *netlink.NextHop) bool {
	switch w := a.peek(); w {
	case "via":
		a.next()
		h.Gateway = p.via(a)
	case "dev":
		a.next()
		p.devs = append(p.devs, Dev{a.next(), DevHop, len(p.r.Multipath)})
	case "weight":
		a.next()
		v := a.next()
		n, ok := number(v, 32)
		if !ok || n == 0 || n > 256 {
			panic(invalid(v, "\"weight\" is invalid\n"))
		}
		h.Weight = int(n)
	case "onlink":
		a.next()
		h.Flags |= unix.RTNH_F_ONLINK
	default:
		return false
	}
	return true
}
