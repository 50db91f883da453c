package law

import (
	"fmt"
	"net/netip"
	"strings"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// IPv6 in the laws: every group's links have the same addresses below
// 2001:db8::/32 as all others', beside IPv4's. It is off until a theme turns it
// on, or chance does.

// sixVerbs are what can be done with IPv6. $1 is an address of a link, $2 a
// prefix, $3 where to.
var sixVerbs = []string{
	"X addr add $2 dev $D nodad", "X addr add $2 dev $D nodad", "X addr add $2 dev $D", "X addr del $2 dev $D", "X -6 addr flush dev $D",
	"X addr add $2 dev $D nodad valid_lft 5 preferred_lft 2", "X addr replace $2 dev $D noprefixroute", "X addr add fe80::77/64 dev $D nodad", "X addr add ::1/128 dev lo",
	"route6", "route6", "route6", "rule6", "rule6", "neigh6", "neigh6",
	"E sysctl -w net.ipv6.conf.all.disable_ipv6=0", "E sysctl -w net.ipv6.conf.$D.disable_ipv6=1", "E sysctl -w net.ipv6.conf.$D.disable_ipv6=0",
	"E sysctl -w net.ipv6.conf.all.forwarding=1", "E sysctl -w net.ipv6.conf.all.forwarding=0", "E sysctl -w net.ipv6.conf.$D.forwarding=1", "E sysctl -w net.ipv6.conf.$D.mtu=1280",
	"E sysctl -w net.ipv6.conf.$D.hop_limit=3", "E sysctl -w net.ipv6.conf.$D.dad_transmits=2", "E sysctl -w net.ipv6.conf.default.addr_gen_mode=1",
	"E ping -c 1 -W 1 $3", "E ping -c 1 -W 1 $3", "E ping -c 2 -i 0.2 -W 1 $3", "E ping -6 -c 1 -W 0.5 -t 1 $3", "E ping -c 1 -W 0.5 -s 3000 $3", "E ping -c 1 -W 0.5 -I $D ff02::1", "E ping -c 1 -W 0.5 -I $D fe80::1",
	"E probe udp echo [$1]:$p", "E probe udp listen [::]:$p", "E probe udp close [::]:$p", "E probe udp show [::]:$p", "E probe udp listen [$1]:$p",
	"E probe udp send [$3]:$p hello wait 200ms", "E probe udp send [$3]:$p hello wait 200ms", "E probe udp send [$3]:$p hello from $p",
	"open6", "law $X send $S hi [$3]:$p", "law $X send $S *1473", "law $X send $S *4000 [$3]:$p", "law $X recv $S",
	"X -6 addr", "X -6 route show table all", "X -6 neigh", "X -6 rule", "X maddr", "X -6 route get $3", "X -6 route get $3 oif $D", "X -6 route get $3 from $1",
	"X -6 neigh flush dev $D", "X neigh add proxy $1 dev $D", "X -6 route flush table 7", "X -6 route flush dev $D",
	"frame6", "frame6", "frame6", "piece6", "piece6", "report6",
}

// six are the placeholders' values.
var six = map[byte][]string{
	'1': {"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:1::2", "2001:db8:1::3", "2001:db8:9::1"},
	'3': {"2001:db8::1", "2001:db8::2", "2001:db8:1::2", "2001:db8:1::3", "2001:db8::4", "2001:db8::5", "2001:db8:9::1", "2001:db8:9:1::1", "::1"},
}

func (g *gen) six(letter byte) string {
	if letter == '2' {
		return g.six('1') + g.pick("len6", "/64", "/64", "/64", "/128", "/48")
	}
	return g.pick("six", six[letter]...)
}

func init() {
	builders["six"] = func(g *gen) string {
		text := g.pick("six verb", sixVerbs...)
		if f := builders[text]; f != nil {
			return f(g)
		}
		return text
	}
	for name, f := range map[string]func(*gen) string{
		"route6": route6, "rule6": rule6, "neigh6": neigh6, "open6": open6, "report6": report6,
		"frame6": func(g *gen) string { return rawSend(g.frame6()) },
		"piece6": func(g *gen) string { return rawSend(g.piece6()) },
	} {
		builders[name] = f
	}
	themes = append(themes,
		theme{six: true, verbs: sixVerbs, drawn: true},
		theme{six: true, drawn: true, // pieces and errors
			setup: []string{"E sysctl -w net.ipv6.ip6frag_low_thresh=4000", "E sysctl -w net.ipv6.ip6frag_high_thresh=6000", "E sysctl -w net.ipv6.ip6frag_time=3", "E sysctl -w net.ipv6.icmp.ratelimit=100"},
			verbs: []string{"piece6", "piece6", "piece6", "piece6", "report6", "E ping -c 1 -W 0.1 -s 3000 $3", "E probe udp listen [::]:$p", "E probe udp show [::]:$p",
				"E probe udp send [$3]:$p x wait 50ms", "E ping -6 -c 1 -W 0.1 -t 1 2001:db8:1::2", "E sysctl -w net.ipv6.ip6frag_high_thresh=100000"}},
		theme{six: true, drawn: true, // who is there
			setup: []string{"law $X neighbours 0 2 2"},
			verbs: []string{"frame6", "frame6", "neigh6", "X -6 neigh", "E ping -c 1 -W 0.1 $3", "X addr add $2 dev $D", "X addr del $2 dev $D", "X link set $D netns $Y", "X link set $D up", "X link set $D down",
				"E sysctl -w net.ipv6.conf.$D.disable_ipv6=1", "E sysctl -w net.ipv6.conf.$D.disable_ipv6=0", "E probe udp send [2001:db8::5]:7 x", "X -6 neigh flush dev $D", "ip netns del $Y", "ip netns add $Y"}},
	)
}

func route6(g *gen) string {
	op := g.pick("op", "add", "add", "replace", "append", "change", "del")
	if g.upTo("type", 3) == 0 {
		return "X -6 route " + op + " " + g.pick("type", "blackhole", "unreachable", "prohibit", "throw") + " " + g.pick("dst", "2001:db8:9:1::/64", "2001:db8:9::/48", "2001:db8:1::/64 table 7")
	}
	to := g.pick("to", "via $1", "dev $D", "via $1 metric 5", "dev $D table 7", "via $1 table 7", "via $1 dev $D onlink", "via fe80::1 dev $D", "dev $D src $1", "via $1 mtu 1300",
		"nexthop via $1 weight 2 nexthop via $1")
	return "X -6 route " + op + " " + g.pick("dst", "2001:db8:9::/48", "default", "2001:db8:1::/64", "2001:db8:9::1") + " " + to
}

func rule6(g *gen) string {
	return "X -6 rule " + g.pick("op", "add", "add", "add", "del") + " " +
		g.pick("sel", "from 2001:db8::/64", "to 2001:db8:9::/48", "fwmark 1", "iif $D", "oif $D", "not from $1", "ipproto udp dport $p", "iif lo") + " " +
		g.pick("action", "table 7", "table 7", "table main", "prohibit", "blackhole", "unreachable", "goto 200") + " pref " + g.pick("pref", "100", "200", "300")
}

func neigh6(g *gen) string {
	op := g.pick("op", "add", "replace", "replace", "change", "del")
	if op == "del" {
		return "X neigh del $1 dev $D"
	}
	return "X neigh " + op + " $1 lladdr $M dev $D" + g.pick("nud", "", "", " nud stale", " nud reachable", " nud probe", " nud noarp", " router")
}

func open6(g *gen) string {
	words := ""
	if g.upTo("options", 1) == 0 {
		words = " " + g.pick("option", "reuseaddr", "reuseport", "recverr", "mark=1", "buf=3000", "dev=$D", "ttl=1")
	}
	if g.upTo("dial", 1) == 0 {
		return "law $X open $S dial [$3]:$p" + words
	}
	return "law $X open $S listen " + g.pick("local", "[::]:$p", "[$1]:$p", "[::]:0") + words
}

// ends6 is ends for IPv6.
func (g *gen) ends6() (src, dst [16]byte, to wire.MAC) {
	a := func(s string) [16]byte { return netip.MustParseAddr(s).As16() }
	if g.upTo("straight", 2) == 0 {
		list := append([]string{"ff02::1", "fe80::1", "::"}, six['3']...)
		return a(g.pick("src6", list...)), a(g.pick("dst6", list...)), g.station("dst mac")
	}
	src, dst = a("2001:db8::2"), a("2001:db8::1")
	switch g.x {
	case "a", "c", "x", initName:
		src, dst = dst, src
	case "e", "f":
		src, dst = a("2001:db8:1::2"), a("2001:db8:1::1")
	}
	return src, dst, wire.MAC{0x33, 0x33, 0, 0, 0, 1}
}

// packet6 puts an IPv6 header before a payload.
func packet6(src, dst [16]byte, next, hops uint8, payload []byte) []byte {
	b := make([]byte, wire.IPv6Len+len(payload))
	wire.PutIPv6(b, wire.IPv6Fields{Src: src, Dst: dst, Next: next, HopLimit: hops})
	copy(b[wire.IPv6Len:], payload)
	return b
}

func udp6(src, dst [16]byte, sport, dport uint16, text string) []byte {
	b := make([]byte, wire.UDPLen+len(text))
	copy(b[wire.UDPLen:], text)
	u, _ := wire.PutUDPHeader(b, sport, dport)
	u.FillChecksum6(src, dst)
	return b
}

// icmp6 is a message of that type, of what comes behind the checksum.
func icmp6(src, dst [16]byte, typ, code uint8, rest []byte) []byte {
	b := append([]byte{typ, code, 0, 0}, rest...)
	m, _ := wire.ParseICMPv6(b)
	m.FillChecksum(src, dst)
	return b
}

// frame6 draws a frame of IPv6 that somebody on a wire may send.
func (g *gen) frame6() []byte {
	src := wire.MAC{2, 0, 0, 0, 0, byte(1 + g.upTo("src mac", 2))}
	a, b, dst := g.ends6()
	lladdr := func(kind byte) []byte { return append([]byte{kind, 1}, src[:]...) }
	target := func(flags byte, t [16]byte) []byte { return append([]byte{flags, 0, 0, 0}, t[:]...) }
	icmp := func(hops, typ uint8, rest []byte) []byte {
		return ethernet(dst, src, wire.EtherTypeIPv6, packet6(a, b, wire.ProtoICMPv6, hops, icmp6(a, b, typ, 0, rest)))
	}
	switch g.upTo("frame6", 9) {
	case 0, 1: // who has the address?
		return icmp(255, 135, append(target(0, b), lladdr(1)...))
	case 2: // I have it
		return icmp(255, 136, append(target([]byte{0x20, 0x60, 0xe0, 0}[g.upTo("flags", 3)], a), lladdr(2)...))
	case 3: // a router
		prefix := append([]byte{3, 4, 64, 0xc0, 0, 0, 0, 60, 0, 0, 0, 30, 0, 0, 0, 0}, a[:]...)
		return icmp(255, 134, append(append([]byte{64, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0}, lladdr(1)...), prefix...))
	case 4:
		return icmp(255, 133, append([]byte{0, 0, 0, 0}, lladdr(1)...))
	case 5, 6:
		return ethernet(dst, src, wire.EtherTypeIPv6, packet6(a, b, wire.ProtoUDP, uint8(1+g.upTo("hops", 2)), udp6(a, b, uint16(7+g.upTo("sport", 2)), uint16(7+g.upTo("dport", 2)), "wire")))
	case 7:
		return icmp(uint8(1+g.upTo("hops", 2)), 128, []byte{0, 1, 0, 1, 'a', 'b', 'c', 'd'})
	case 8: // headers between, one of them perhaps unknown
		hbh := []byte{wire.ProtoUDP, 0, []byte{1, 0x3e, 0x7e, 0xbe}[g.upTo("option", 3)], 4, 0, 0, 0, 0}
		return ethernet(dst, src, wire.EtherTypeIPv6, packet6(a, b, []byte{0, 60, 43}[g.upTo("header", 2)], 64, append(hbh, udp6(a, b, 7, 7, "opt")...)))
	}
	return ethernet(dst, src, wire.EtherTypeIPv6, packet6(a, b, 200, 64, nil))
}

// piece6 draws a fragment of one of few datagrams.
func (g *gen) piece6() []byte {
	a, b, to := g.ends6()
	whole := udp6(a, b, 7, uint16(7+g.upTo("dport", 2)), strings.Repeat("f", 40))
	piece, where := whole[:24], byte(1)
	if g.upTo("last", 1) == 1 {
		piece, where = whole[24:], 24
	}
	header := []byte{wire.ProtoUDP, 0, 0, where, 0, 0, 0, byte(g.upTo("id", 9))}
	return ethernet(to, wire.MAC{2, 0, 0, 0, 0, 1}, wire.EtherTypeIPv6, packet6(a, b, 44, 64, append(header, piece...)))
}

// report6 draws an ICMPv6 error about a datagram, or a redirect.
func report6(g *gen) string {
	a, b, to := g.ends6()
	quoted := packet6(b, a, wire.ProtoUDP, 64, udp6(b, a, uint16(7+g.upTo("sport", 2)), uint16(7+g.upTo("dport", 2)), ""))
	kinds := [][]byte{{1, 4, 0, 0, 0, 0}, {2, 0, 0, 0, 5, 0}, {2, 0, 0, 0, 2, 0}, {1, 0, 0, 0, 0, 0}, {3, 0, 0, 0, 0, 0}, {4, 1, 0, 0, 0, 40}}
	k := kinds[g.upTo("report6", len(kinds)-1)]
	return rawSend(ethernet(to, wire.MAC{2, 0, 0, 0, 0, 2}, wire.EtherTypeIPv6, packet6(a, b, wire.ProtoICMPv6, 64, icmp6(a, b, k[0], k[1], append(k[2:6:6], quoted...)))))
}

// furniture6 turns IPv6 on in a group and gives its links addresses like
// IPv4's. Nobody is asked whether they have them.
func furniture6(g int, narrow bool) (cs []genCommand) {
	nets := groups[g]
	add := func(net, text string) {
		one := gen{x: net}
		cs = append(cs, genCommand{g, one.expand(text)})
	}
	for _, n := range nets {
		add(n, "E sysctl -w net.ipv6.conf.default.dad_transmits=0")
		add(n, "E sysctl -w net.ipv6.conf.all.disable_ipv6=0")
		add(n, "E sysctl -w net.ipv6.conf.default.disable_ipv6=0")
	}
	pair := func(x, y, v, w, net string) {
		add(x, fmt.Sprintf("X addr add 2001:db8:%s::1/64 dev %s nodad", net, v))
		add(y, fmt.Sprintf("X addr add 2001:db8:%s::2/64 dev %s nodad", net, w))
	}
	pair(nets[0], nets[1], "v0", "w0", "0")
	if len(nets) > 2 && !narrow {
		pair(nets[1], nets[2], "v1", "w1", "1")
		add(nets[1], "E sysctl -w net.ipv6.conf.all.forwarding=1")
		add(nets[0], "X -6 route add 2001:db8:1::/64 via 2001:db8:0::2")
		add(nets[2], "X -6 route add default via 2001:db8:1::1")
	}
	return cs
}

// exercise6 is exercise for a device's first IPv6 address that is not a link's.
func (b *bench) exercise6(t fataler, n *netns.Net, d *core.Device, mac wire.MAC) {
	for _, a := range b.m.IPv6.Addrs(d) {
		if a.Local.IsLinkLocalUnicast() || a.Local.IsLoopback() {
			continue
		}
		own := a.Local.As16()
		from := own
		from[15] ^= 0xc0
		b.do(t, inNet(nameOf(n), fmt.Sprintf("X neigh replace %v lladdr %v dev %s", netip.AddrFrom16(from), mac, d.Name())))
		b.feed(d, strangersFrames6(d.Addr(), mac, own, from)...)
		b.settle()
		return
	}
}

// strangersFrames6 is strangersFrames for IPv6.
func strangersFrames6(to, mac wire.MAC, own, from [16]byte) (all [][]byte) {
	send := func(src, dst [16]byte, next, hops uint8, payload []byte) {
		all = append(all, ethernet(to, mac, wire.EtherTypeIPv6, packet6(src, dst, next, hops, payload)))
	}
	for range 8 {
		send(from, own, wire.ProtoUDP, 64, udp6(from, own, 5555, 5556, "x"))
		send(from, own, wire.ProtoICMPv6, 64, icmp6(from, own, 128, 0, []byte{0, 1, 0, 1, 'a', 'b', 'c', 'd'}))
	}
	for port := uint16(7); port < 10; port++ {
		send(from, own, wire.ProtoUDP, 64, udp6(from, own, 5555, port, "x"))
	}
	for _, s := range []string{"2001:db8::4", "2001:db8:1::2", "2001:db8:9::1", "2001:db8:77::1"} {
		dst := netip.MustParseAddr(s).As16()
		send(from, dst, wire.ProtoUDP, 64, udp6(from, dst, 5555, 7, "x"))
		send(from, dst, wire.ProtoUDP, 1, udp6(from, dst, 5555, 7, "x"))
	}
	for i := range byte(3) {
		other := from
		other[15] += i + 1
		send(other, own, wire.ProtoUDP, 64, udp6(other, own, 5555, 5556, "x")) // who it is must be asked for first
	}
	lladdr := append([]byte{1, 1}, mac[:]...)
	for _, target := range [][16]byte{own, netip.MustParseAddr("2001:db8::4").As16(), netip.MustParseAddr("2001:db8:1::3").As16()} {
		ask := append(append([]byte{0, 0, 0, 0}, target[:]...), lladdr...)
		send(from, target, wire.ProtoICMPv6, 255, icmp6(from, target, 135, 0, ask))
	}
	for id := range byte(10) {
		piece := append([]byte{wire.ProtoUDP, 0, 0, 1, 0, 0, 1, id}, make([]byte, 24)...)
		send(from, own, 44, 64, piece)
	}
	return all
}
