package lab

import (
	"net/netip"
	"strings"
)

const probeMrouteHelp = `Usage: probe { mroute | mroute6 } { init | done }
       probe { mroute | mroute6 } vif { add | del } DEV
       probe { mroute | mroute6 } add { ORIGIN | * } { GROUP | * } iif DEV [ oif DEV[,DEV]... ] [ ttl TTL ]
       probe { mroute | mroute6 } del { ORIGIN | * } { GROUP | * }
`

// mroute takes what a daemon says to a multicast router by its socket, for which
// iproute2 has no words.
func (p *Probe) mroute(a *args, six bool) {
	p.Six = six
	switch w := a.next(); w {
	case "init":
		p.Verb = MrouteInit
	case "done":
		p.Verb = MrouteDone
	case "vif":
		switch w := a.next(); w {
		case "add":
			p.Verb = MrouteAddVIF
		case "del":
			p.Verb = MrouteDelVIF
		default:
			panic(usage(1, "probe: unknown verb \"vif %s\"\n%s", w, probeMrouteHelp))
		}
		p.Dev = a.next()
	case "add", "del":
		p.Verb = MrouteDel
		p.Source, p.Group = a.anybody(six), a.anybody(six)
		if w == "add" {
			p.Verb = MrouteAdd
			p.ways(a)
		}
	default:
		panic(usage(1, "probe: unknown verb \"mroute %s\"\n%s", w, probeMrouteHelp))
	}
}

func (p *Probe) ways(a *args) {
	for a.more() {
		switch w := a.next(); w {
		case "iif":
			p.Dev = a.next()
		case "oif":
			p.Oifs = a.next()
		case "ttl":
			v, ok := number(a.next(), 8)
			if !ok {
				panic(usage(1, "probe: a TTL is a number up to 255\n"))
			}
			p.HasTTL, p.TTL = true, int(v)
		default:
			panic(usage(1, "probe: \"%s\" has no place here\n%s", w, probeMrouteHelp))
		}
	}
	if p.Dev == "" {
		panic(usage(1, "probe: an entry without an iif\n%s", probeMrouteHelp))
	}
}

// OIFs returns the devices that a [MrouteAdd] lets packets out by.
func (p *Probe) OIFs() []string {
	if p.Oifs == "" {
		return nil
	}
	return strings.Split(p.Oifs, ",")
}

// anybody takes an address of a family, or * for the one that is any.
func (a *args) anybody(six bool) netip.Addr {
	w := a.next()
	switch {
	case w == "*" && six:
		return netip.IPv6Unspecified()
	case w == "*":
		return netip.IPv4Unspecified()
	}
	ip, err := netip.ParseAddr(w)
	if err != nil || ip.Is6() != six || ip.Zone() != "" {
		panic(usage(1, "probe: \"%s\" is not an address of this family\n", w))
	}
	return ip
}
