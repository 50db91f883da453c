package lockstep

import (
	"fmt"
	"slices"
	"strings"

	"nsmodel/core/wire"
)

// themes6 are what labs of IPv6 are about.
var themes6 = []theme{
	{"IPv6: a pair", pairSetup6, []string{"six", "links"}},
	{"IPv6: a chain", chainSetup6, []string{"six"}},
	{"IPv6: moves", chainSetup6, []string{"six", "moves"}},
}

// groups6 are the kinds of command that themes6 have beside groups.
var groups6 = []group{{"six", []kind{
	{3, addAddr6}, {2, delAddr6}, {3, addRoute6}, {1, delRoute6}, {1, getRoute6}, {1, rule6}, {1, neigh6}, {2, sysctl6}, {5, ping6}, {1, listen6}, {3, send6}, {1, frame6}, {1, show6},
}}}

// sixOn turns IPv6 on in a Net. Nobody is asked for an address, nor for a router,
// who would know his neighbour by that: a lab does not wait for either.
func (w *world) sixOn(net string) {
	for _, key := range []string{"default.accept_dad=0", "all.accept_dad=0", "default.router_solicitations=0", "default.disable_ipv6=0", "all.disable_ipv6=0"} {
		w.do("%ssysctl -q -w net.ipv6.conf.%s", in(net), key)
	}
}

func (w *world) addSix(net, dev, addr string) {
	w.do("%s addr add %s dev %s", ip(net), addr, dev)
	w.six = append(w.six, addr6{net, dev, addr})
}

// An addr6 is an address that the lab has given.
type addr6 struct{ net, dev, addr string }

func pairSetup6(w *world) {
	w.makeNet("a")
	w.makeNet("b")
	w.sixOn("a")
	w.sixOn("b")
	w.join("v0", "a", "10.0.0.1/24", "w0", "b", "10.0.0.2/24")
	w.addSix("a", "v0", "2001:db8::1/64")
	w.addSix("b", "w0", "2001:db8::2/64")
	w.settle()
}

func chainSetup6(w *world) {
	for _, n := range netNames {
		w.makeNet(n)
		w.sixOn(n)
	}
	w.join("v0", "a", "", "w0", "b", "")
	w.join("v1", "b", "", "w1", "c", "")
	w.addSix("a", "v0", "2001:db8::1/64")
	w.addSix("b", "w0", "2001:db8::2/64")
	w.addSix("b", "v1", "2001:db8:1::1/64")
	w.addSix("c", "w1", "2001:db8:1::2/64")
	if w.chance(85) {
		w.do("ip netns exec b sysctl -w net.ipv6.conf.all.forwarding=1")
	}
	if w.chance(85) {
		w.do("ip -n a -6 route add default via 2001:db8::2")
		w.do("ip -n c -6 route add default via 2001:db8:1::1")
	}
	w.settle()
}

// host6 is host for IPv6.
func (w *world) host6() string {
	if len(w.six) > 0 && w.chance(60) {
		return bare(one(w, w.six...).addr)
	}
	if w.chance(8) {
		return one(w, "::1", "::", "2001:db8:ffff::1", "fe80::1")
	}
	return fmt.Sprintf("2001:db8:%d::%d", one(w, subnets...), 1+w.upTo(4))
}

func addAddr6(w *world) {
	net := w.net()
	dev := w.some(net)
	addr := fmt.Sprintf("2001:db8:%d::%d/%d", one(w, subnets...), 1+w.upTo(5), one(w, 64, 64, 64, 128, 48, 127))
	more := one(w, "", "", "", "", " nodad", " noprefixroute", " metric 5", " valid_lft 900 preferred_lft 0")
	if w.chance(6) {
		addr = one(w, "fe80::77/64", "ff02::5/64", "::1/128", "::/64", "2001:db8::1/129", "::ffff:10.0.0.1/96")
	}
	w.do("%s addr %s %s dev %s%s", ip(net), one(w, "add", "add", "add", "replace", "change"), addr, dev, more)
	w.six = append(w.six, addr6{net, dev, addr})
}

func delAddr6(w *world) {
	switch {
	case len(w.six) == 0 || w.chance(15):
		net := w.net()
		w.do("%s addr del %s/64 dev %s", ip(net), w.host6(), w.some(net))
	case w.chance(10):
		net := w.net()
		w.do("%s -6 addr flush dev %s", ip(net), w.some(net))
	default:
		i := w.below(len(w.six))
		a := w.six[i]
		w.do("%s addr del %s dev %s", ip(a.net), a.addr, a.dev)
		w.six = slices.Delete(w.six, i, i+1)
	}
}

func (w *world) target6() string {
	return one(w, "2001:db8:9::/48", "2001:db8:9:1::/64", "default", "2001:db8:1::/64", "2001:db8:2::/64", "2001:db8::/32", "2001:db8:1::2", "2001:db8:77::/48")
}

func addRoute6(w *world) {
	net := w.net()
	to, kind, more := w.target6(), "", ""
	hop := one(w, "via "+w.host6(), "via "+w.host6(), "via "+w.host6()+" dev "+w.some(net), "dev "+w.some(net), "via fe80::ff:fe00:10 dev "+w.some(net), "via "+w.host6()+" dev "+w.some(net)+" onlink")
	switch w.upTo(11) {
	case 0:
		kind, hop = one(w, "blackhole ", "unreachable ", "prohibit ", "throw "), ""
	case 1:
		more = " metric " + one(w, "5", "10")
	case 2, 3:
		more = " table " + one(w, "7", "100")
	case 4:
		more = " src " + w.host6()
	case 5:
		more = one(w, " mtu 1300", " hoplimit 9", " proto static", " advmss 500")
	case 6:
		to = "2001:db8:88::/48" // to which nobody sends
		hop = fmt.Sprintf("nexthop via %s nexthop via %s weight %d", w.host6(), w.host6(), 1+w.upTo(3))
	}
	text := strings.TrimRight(kind+to+" "+hop, " ") + more
	w.do("%s -6 route %s %s", ip(net), one(w, "add", "add", "add", "add", "replace", "append", "change"), text)
	w.route = append(w.route, entry{net, "route6", text})
}

func delRoute6(w *world) {
	for _, e := range w.route {
		if e.what == "route6" && w.chance(50) {
			w.do("%s -6 route del %s", ip(e.net), e.text)
			return
		}
	}
	net := w.net()
	w.do("%s -6 route %s", ip(net), one(w, "del "+w.target6(), "flush table 7", "flush dev "+w.some(net), "del 2001:db8::/64 dev "+w.some(net)))
}

func getRoute6(w *world) {
	net := w.net()
	w.do("%s -6 route get %s%s", ip(net), one(w, w.host6(), "2001:db8:9:1::7", "fe80::5", "ff02::1"), one(w, "", "", " oif "+w.some(net), " from "+w.host6(), " mark 1", " fibmatch"))
}

func rule6(w *world) {
	net := w.net()
	if w.chance(30) {
		w.do("%s -6 rule %s", ip(net), one(w, "del pref 100", "del pref 200", "show", "del table 7", "flush"))
		return
	}
	sel := one(w, "from 2001:db8::/64", "to "+w.target6(), "iif "+w.some(net), "oif "+w.some(net), "fwmark 1", "not from "+w.host6(), "ipproto udp dport 7", "from all")
	if strings.HasSuffix(sel, "default") {
		sel = "to all"
	}
	w.do("%s -6 rule add %s %s pref %s", ip(net), sel, one(w, "table 7", "table 7", "lookup main", "prohibit", "blackhole", "unreachable"), one(w, "100", "200", "300"))
}

func neigh6(w *world) {
	net := w.net()
	switch w.upTo(4) {
	case 0:
		w.do("%s neigh del %s dev %s", ip(net), w.host6(), w.wire(net))
	case 1:
		w.do("%s -6 neigh flush dev %s", ip(net), w.wire(net))
	default:
		w.do("%s neigh %s %s lladdr 02:00:00:00:00:%s dev %s%s", ip(net), one(w, "add", "replace", "change"), w.host6(), one(w, "00", "10", "99"), w.wire(net), one(w, "", "", " router", " nud stale", " nud noarp"))
	}
}

func sysctl6(w *world) {
	net := w.net()
	dev := w.wire(net)
	key := one(w, "conf.all.forwarding=1", "conf.all.forwarding=0", "conf.D.forwarding=1", "conf.D.disable_ipv6=1", "conf.D.disable_ipv6=0", "conf.all.disable_ipv6=1", "conf.all.disable_ipv6=0",
		"conf.D.hop_limit=9", "conf.D.mtu=1280", "conf.D.mtu=1200", "conf.D.ignore_routes_with_linkdown=1", "conf.D.addr_gen_mode=1", "conf.D.addr_gen_mode=0", "conf.D.hop_limit=0")
	w.do("%ssysctl -w net.ipv6.%s", in(net), strings.Replace(key, "D.", dev+".", 1))
}

func ping6(w *world) {
	net := w.net()
	to, opts := w.host6(), ""
	switch w.upTo(8) {
	case 0:
		opts = " -s " + one(w, "1372", "1452", "1453", "3000", "0")
	case 1:
		opts = " -t " + one(w, "1", "2", "64")
	case 2:
		opts = " -I " + w.wire(net)
	case 3:
		opts = " -I " + w.host6()
	case 4:
		dev := w.wire(net)
		opts, to = " -I "+dev, one(w, "ff02::1", "fe80::ff:fe00:0", "fe80::ff:fe00:10")
	}
	if to == "::" {
		to = "::1"
	}
	w.do("%sping -6 -c 1 -W 0.1%s %s", in(net), opts, to)
}

func listen6(w *world) {
	s := sock{w.net(), "[" + one(w, "::", w.host6()) + "]:" + one(w, "7", "9"), one(w, "echo", "listen", "listen")}
	w.do("%sprobe udp %s %s", in(s.net), s.verb, s.local)
	w.socks = append(w.socks, s)
}

func send6(w *world) {
	net := w.net()
	text := one(w, "hello", "x", `""`)
	if w.chance(12) {
		text = long(one(w, 1372, 1452, 1453, 3000))
	}
	w.do("%sprobe udp send [%s]:%s %s%s wait 100ms", in(net), w.host6(), one(w, "7", "7", "9"), text, one(w, "", "", " from [::]:4000", " from [::]:9"))
}

// frame6 sends a frame made by hand.
func frame6(w *world) {
	d := w.dev(func(d *device) bool { return d.kind == "veth" && d.peer != nil })
	if d == nil {
		return
	}
	src, dst := as16(w.host6()), as16(w.host6())
	next, hops := one(w, 17, 17, 58, 200, 59), one(w, 64, 64, 2, 1, 0)
	rest := []byte{0x0f, 0xa0, 0, 7, 0, 16, 0, 0, '8', ' ', 'o', 'c', 't', 'e', 't', 's'}
	switch next {
	case wire.ProtoUDP:
		wire.UDP(rest).FillChecksum6(src, dst)
	case wire.ProtoICMPv6:
		rest[0], rest[1], rest[2], rest[3] = 128, 0, 0, 0
		wire.ICMPv6(rest).FillChecksum(src, dst)
	}
	if w.chance(25) { // options that are to be skipped, or not
		rest = append([]byte{byte(next), 0, byte(one(w, 1, 0x3e, 0x7e, 0xbe)), 4, 0, 0, 0, 0}, rest...)
		next = one(w, 0, 60)
	}
	b := make([]byte, wire.IPv6Len+len(rest))
	wire.PutIPv6(b, wire.IPv6Fields{Src: src, Dst: dst, Next: uint8(next), HopLimit: uint8(hops)})
	copy(b[wire.IPv6Len:], rest)
	w.do("%sprobe raw send %s %s %s 86dd %x", in(d.net), d.name, mac(d.peer.name), mac(d.name), b)
}

func show6(w *world) {
	net := w.net()
	w.do("%s %s", ip(net), one(w, "-6 route", "-6 route show table all", "-6 rule", "-6 addr", "-6 addr show dev "+w.some(net), "-j -6 route", "-6 -br addr"))
}
