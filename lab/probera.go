package lab

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/core/wire"
)

// ra parses what a router advertises. Of a word that stands behind a prefix or a
// route, and may, the nearest is meant.
func (p *Probe) ra(a *args) {
	verb := a.next()
	switch verb {
	case "send":
		p.Verb = RASend
	case "on":
		p.Verb = RAOn
	case "off":
		p.Verb = RAOff
	default:
		panic(usage(1, "probe: unknown verb \"ra %s\"\n%s", verb, probeHelp))
	}
	f := &p.RA
	f.HopLimit, f.Lifetime = 64, 1800
	var pfx *wire.NDPrefixInfo
	var rt *wire.NDRoute
	for a.more() {
		w := a.next()
		switch {
		case w == "dev":
			p.Dev = a.next()
		case p.Verb == RAOff:
			panic(usage(1, "probe: \"%s\" has no place here\n%s", w, probeHelp))
		case w == "prefix":
			to := a.subnet6()
			f.Prefixes = append(f.Prefixes, wire.NDPrefixInfo{Prefix: to.Addr().As16(), Bits: uint8(to.Bits()), OnLink: true, Auto: true,
				Valid: 86400, Preferred: 14400})
			pfx, rt = &f.Prefixes[len(f.Prefixes)-1], nil
		case w == "route":
			to := a.subnet6()
			f.Routes = append(f.Routes, wire.NDRoute{Prefix: to.Addr().As16(), Bits: uint8(to.Bits()), Lifetime: 1800})
			pfx, rt = nil, &f.Routes[len(f.Routes)-1]
		case w == "lifetime" && rt != nil:
			rt.Lifetime = a.seconds()
		case w == "pref" && rt != nil:
			rt.Pref = a.pref()
		case w == "valid" && pfx != nil:
			pfx.Valid = a.seconds()
		case w == "preferred" && pfx != nil:
			pfx.Preferred = a.seconds()
		case w == "offlink" && pfx != nil:
			pfx.OnLink = false
		case w == "noauto" && pfx != nil:
			pfx.Auto = false
		case w == "lifetime":
			f.Lifetime = uint16(a.number(16, "probe: lifetime is not a number of 16 bits\n"))
		case w == "pref":
			f.Pref = a.pref()
		case w == "hoplimit":
			f.HopLimit = uint8(a.number(8, "probe: hoplimit is not a number of 8 bits\n"))
		case w == "mtu":
			f.MTU = uint32(a.number(32, "probe: mtu is no number\n"))
		case w == "reachable":
			f.Reachable = uint32(a.number(32, "probe: reachable is no number\n"))
		case w == "retrans":
			f.Retrans = uint32(a.number(32, "probe: retrans is no number\n"))
		case w == "nosource":
			p.NoSource = true
		case w == "to":
			p.Target = address(a.next(), unix.AF_INET6)
		default:
			panic(usage(1, "probe: \"%s\" has no place here\n%s", w, probeHelp))
		}
	}
	if p.Dev == "" {
		panic(usage(1, "probe: ra %s without a device\n%s", verb, probeHelp))
	}
}

// subnet6 takes an IPv6 prefix, or default.
func (a *args) subnet6() netip.Prefix {
	if p, _ := prefix(a.next(), unix.AF_INET6); p.IsValid() {
		return p
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// seconds takes a number of 32 bits, or forever, which is all ones.
func (a *args) seconds() uint32 {
	if a.take("forever") {
		return 0xffffffff
	}
	return uint32(a.number(32, "probe: a lifetime is a number of seconds, or forever\n"))
}

// pref takes a router's preference (RFC 4191 section 2.1).
func (a *args) pref() uint8 {
	w := a.next()
	v, ok := map[string]uint8{"medium": 0, "high": 1, "low": 3, "reserved": 2}[w]
	if !ok {
		panic(usage(1, "probe: \"%s\" is no preference\n%s", w, probeHelp))
	}
	return v
}

// Advert returns the message that a probe ra sends from a station with that
// hardware address, without its checksum, and to whom.
func (p *Probe) Advert(mac wire.MAC) (m []byte, to netip.Addr) {
	f := p.RA
	if !p.NoSource {
		f.Source = mac
	}
	if to = p.Target; !to.IsValid() {
		to = netip.IPv6LinkLocalAllNodes()
	}
	return wire.AppendRA(nil, f), to
}
