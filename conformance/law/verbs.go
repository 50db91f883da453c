package law

import (
	"fmt"
	"strings"

	"nsmodel/core/wire"
)

// narrowVerbs are commands on pairs of Nets: what they say depends neither on
// the order in which packets of several Nets arrive, nor on who is faster.
// What stands twice is drawn twice as often.
var narrowVerbs = []string{
	"ip netns add $X", "ip netns add $X", "ip netns del $X",
	"X link add v1 type veth peer name w1 netns $Y",
	"X link add v0 type veth peer name w0 netns $Y", "X link add v0 type veth peer name w0 netns $Y",
	"X link set $D up", "X link set $D up", "X link set $D up", "X link set $D down",
	"X link set $D mtu 1400", "X link set $D mtu 600", "X link set $D name v0", "X link set $D netns $Y", "X link set $D netns $Y name w1",
	"X link add br0 type bridge", "X link set $D master br0", "X link set $D nomaster", "X link del $D",
	"X addr add $N dev $D", "X addr add $N dev $D", "X addr add $N dev $D", "X addr del $N dev $D", "X addr flush dev $D",
	"route", "route", "route",
	"rule", "rule", "neigh", "neigh",
	"E sysctl -w $K", "E sysctl -w net.ipv4.ip_forward=1", "E sysctl net.ipv4.ip_forward",
	"E ping -c 1 -W 1 $F", "E ping -c 2 -i 0.2 -W 1 $F", "E ping -c 1 -W 1 -s 3000 $F",
	"E probe udp echo $p", "E probe udp listen $A:$p", "E probe udp close $p", "E probe udp show $A:$p",
	"E probe udp send $F:$p hello wait 200ms", "E probe udp send $F:$p hello wait 200ms",
	"X addr show", "X -s link show", "X route show table all", "X rule show", "X neigh show", "X route get $F",
}

// wideVerbs are the rest of what the model can do.
var wideVerbs = []string{
	// Nets and their numbers
	"ip netns del $X", "X netns set $Y auto", "X netns set $Y 7", "X netns list-id",
	"law $X hold h$X", "law $X put h$X",
	// devices
	"X link add q0 type veth peer name q1", "X link add m0 link $D type passthrough", "X link add m0 link $D netns $Y type passthrough",
	"X link add u0 link $D type vlan id 10", "X link add u0 link $D netns $Y type vlan id 10", "X link add u1 link $D netns $Y type vlan protocol 802.1ad id 10", "X link set u0 up", "X addr add $N dev u0",
	"X link add m1 link $D type macvlan mode bridge", "X link add m1 link $D netns $Y type macvlan mode bridge", "X link add m2 link $D netns $Y type macvlan mode $m", "X link set m1 up",
	"X link set m1 type macvlan mode $m", "X addr add $N dev m1",
	"X link add br0 address $M type bridge ageing_time 500", "X link add br1 type bridge", "X link set br0 type bridge ageing_time 0",
	"X link set $P master br0", "X link set $P master br0", "X link set $P master br1",
	"X link set $D name lan%d", "X link set lan0 name $D", "X link set $D address $M", "X link set $D alias x$X", "X link set $D group 3",
	"X link set $D txqueuelen 5", "X link set $D arp off", "X link set $D arp on", "X link set $D promisc on", "X link set $D mtu 68", "X link set $D mtu 9000",
	"X link set $D multicast off", "X link add v1 index 40 type veth peer name w1 netns $Y", "X link del lan0", "X link set $D netns $Y up",
	// addresses
	"X addr add $A peer $A dev $D", "X addr add $N brd + dev $D", "X addr add $N dev $D valid_lft 5 preferred_lft 2", "X addr add $N dev $D scope host",
	"X addr replace $N dev $D", "X addr add 127.0.0.5/8 dev lo", "X addr add 0.0.0.0/0 dev $D",
	// neighbours and bridges' entries
	"X neigh add proxy $A dev $D", "X neigh del proxy $A dev $D", "X neigh flush dev $D", "X neigh flush all", "X neigh show nud all", "X neigh get $A dev $D",
	"B fdb add $M dev $P master", "B fdb replace $M dev $P master static", "B fdb append $M dev $P master dynamic", "B fdb del $M dev $P master", "B fdb show", "B link show",
	// routes
	"X route flush table 7", "X route flush dev $D", "X route flush root 10.9.0.0/16", "X rule flush", "X route get $F from $A iif $D", "X route get $F mark 1", "X route get $F oif $D",
	// packets
	"E ping -c 1 -W 0.5 -t 1 $F", "E ping -c 1 -W 0.5 -M do -s 1000 $F", "E ping -c 1 -W 0.5 -M dont -s 1000 $F", "E ping -c 1 -W 0.5 -m 1 $F", "E ping -c 1 -W 0.5 -I $D $F",
	"E ping -c 1 -W 0.5 -I $A $F", "E ping -c 2 -W 0.2 -b 10.0.0.255", "E ping -c 1 -W 0.2 -b 255.255.255.255", "E ping -c 1 -w 1 -Q 4 $F", "E ping -c 3 -i 0.1 -W 3 $F",
	"E probe udp send 10.0.0.255:$p all", "E probe udp send 10.0.0.255:$p all from $A:$p", "E probe udp send $F:$p tiny from $p",
	"frame", "frame", "frame", "frame", "frame", "frame", "fragment", "fragment", "report", "report",
	"arrival", "arrival", "law $X proxy $A", "law $X asked", "law $X wild 1",
	"E probe capture start $D $X.pcapng", "E probe capture stop $D",
	// sockets
	"open", "open", "open", "law $X send $S hello", "law $X send $S hello", "law $X send $S *1473", "law $X send $S *4000 $F:$p", "law $X send $S there $F:$p",
	"law $X send $S all 10.0.0.255:$p", "law $X recv $S", "law $X recv $S", "law $X recv $S", "law $X close $S",
	// netfilter
	"law $X hook 0 mark", "law $X hook 1 drop", "law $X hook 2 drop", "law $X hook 3 mark", "law $X hook 4 drop", "law $X unhook", "law $X unhook",
	// looking
	"E sysctl -w $K", "E sysctl -w $K", "E sysctl -w $K", "law $X view",
	// IPv6, see sixVerbs
	"six", "six", "six", "six", "six", "six",
}

var allVerbs = append(append([]string(nil), narrowVerbs...), wideVerbs...)

// builders draw what is more than a form to fill in. Expand has the last word.
var builders = map[string]func(*gen) string{
	"route": func(g *gen) string {
		to := g.pick("to", "via $A", "dev $D", "via $A metric 5", "dev $D table 7", "via $A table 7", "via $A dev $D onlink", "dev $D src $A", "via $A mtu 700", "via $A mtu lock 600",
			"nexthop via $A weight 2 nexthop via $A", "nexthop dev $D nexthop via $A")
		op := g.pick("op", "add", "add", "replace", "append", "prepend", "change", "del")
		if g.upTo("type", 3) == 0 {
			return "X route " + op + " " + g.pick("type", "blackhole", "unreachable", "prohibit", "throw") + " " + g.pick("dst", "10.9.1.0/24", "10.9.0.0/16", "10.0.1.0/24 table 7")
		}
		return "X route " + op + " " + g.pick("dst", "10.9.0.0/16", "default", "10.0.1.0/24", "10.9.0.1/32") + " " + to
	},
	"rule": func(g *gen) string {
		return "X rule " + g.pick("op", "add", "add", "add", "del") + " " +
			g.pick("sel", "from 10.0.0.0/24", "to 10.9.0.0/16", "fwmark 1", "iif $D", "oif $D", "not from $A", "ipproto udp dport $p", "iif lo", "tos 4") + " " +
			g.pick("action", "table 7", "table 7", "table main", "prohibit", "blackhole", "unreachable", "goto 200", "table 7 suppress_prefixlength 0", "table 7 suppress_ifgroup 3") +
			" pref " + g.pick("pref", "100", "200", "300")
	},
	"neigh": func(g *gen) string {
		op := g.pick("op", "add", "replace", "replace", "change", "del")
		if op == "del" {
			return "X neigh del $A dev $D"
		}
		return "X neigh " + op + " $A lladdr $M dev $D" + g.pick("nud", "", "", " nud stale", " nud reachable", " nud delay", " nud probe", " nud noarp", " router", " extern_learn")
	},
	"open": func(g *gen) string {
		var words []string
		for range g.upTo("options", 3) {
			words = append(words, g.pick("option", "reuseaddr", "reuseport", "broadcast", "recverr", "df", "mark=1", "buf=3000", "dev=$D", "ttl=1"))
		}
		if g.upTo("dial", 1) == 0 {
			if g.upTo("from", 1) == 0 {
				words = append(words, "from="+g.pick("local", "$A:$p", "0.0.0.0:$p"))
			}
			return "law $X open $S dial $F:$p " + strings.Join(words, " ")
		}
		return "law $X open $S listen " + g.pick("local", "0.0.0.0:$p", "$A:$p", "10.0.0.255:$p", "0.0.0.0:0") + " " + strings.Join(words, " ")
	},
	// A frame comes in from a wire that a device hangs on, be it up or not.
	"arrival":  func(g *gen) string { return "law $X arrive $D " + hexOf(g.frame()) },
	"frame":    func(g *gen) string { return rawSend(g.frame()) },
	"fragment": fragmentVerb,
	"report":   reportVerb,
}

// stations are the hardware addresses that hand-made frames come from and go
// to. Nobody but a bridge can be the target of the second.
var stations = []wire.MAC{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {1, 0, 0x5e, 0, 0, 1}}

func (g *gen) station(label string) wire.MAC {
	return stations[g.upTo(label, len(stations)-1)]
}

func (g *gen) ip(label string) [4]byte {
	return [][4]byte{{10, 0, 0, 1}, {10, 0, 0, 2}, {10, 0, 0, 4}, {10, 0, 1, 2}, {10, 0, 0, 255}, {10, 9, 0, 1}, {127, 0, 0, 1}}[g.upTo(label, 6)]
}

// ends draws where a hand-made packet comes from and goes to: mostly from one
// end of x's first pair to the other, so that it is taken for what it is.
func (g *gen) ends() (src, dst [4]byte, to wire.MAC) {
	if g.upTo("straight", 2) == 0 {
		return g.ip("src"), g.ip("dst"), g.station("dst mac")
	}
	src, dst = [4]byte{10, 0, 0, 2}, [4]byte{10, 0, 0, 1}
	switch g.x {
	case "a", "c", "x", initName:
		src, dst = dst, src
	case "e", "f":
		src, dst = [4]byte{10, 0, 1, 2}, [4]byte{10, 0, 1, 1}
	}
	return src, dst, stations[0]
}

func rawSend(b []byte) string { return "E probe raw send $P " + hexOf(b) }

// frame draws a frame that somebody on a wire may send.
func (g *gen) frame() []byte {
	src := wire.MAC{2, 0, 0, 0, 0, byte(1 + g.upTo("src mac", 2))}
	a, b, dst := g.ends()
	switch g.upTo("frame", 9) {
	case 0, 1:
		return arpFrame(dst, src, 1, src, a, wire.MAC{}, b)
	case 2:
		return arpFrame(dst, src, 2, src, a, stations[2], b)
	case 3:
		return arpFrame(stations[0], src, 1, src, a, wire.MAC{}, a) // gratuitous
	case 4, 5:
		return udpFrame(dst, src, a, b, uint16(7+g.upTo("sport", 2)), uint16(7+g.upTo("dport", 2)), "wire")
	case 6:
		echo := icmpPacket(8, 0, 0x00010001, []byte("abcdefgh"))
		return ethernet(dst, src, wire.EtherTypeIPv4, ipPacket(a, b, 1, uint8(1+g.upTo("ttl", 2)), 9, 0, echo))
	case 7:
		bad := ipPacket(a, b, 17, 64, 1, 0, nil)
		bad[10] ^= 1
		return ethernet(dst, src, wire.EtherTypeIPv4, bad)
	case 8: // a VLAN tag, an unknown protocol
		return ethernet(dst, src, wire.EtherTypeVLAN, []byte{0, byte(g.upTo("vlan", 1)), 8, 0, 0x45, 0})
	}
	return ethernet(dst, src, 0x88b5, []byte{0})
}

// fragmentVerb draws a piece of one of few datagrams: some are never completed.
func fragmentVerb(g *gen) string {
	a, b, to := g.ends()
	whole := udpPacket(a, b, 7, uint16(7+g.upTo("dport", 2)), strings.Repeat("f", 40))
	id := uint16(g.upTo("id", 9))
	piece, flags := whole[:24], uint16(0x2000)
	if g.upTo("last", 1) == 1 {
		piece, flags = whole[24:], 3
	}
	return rawSend(ethernet(to, wire.MAC{2, 0, 0, 0, 0, 1}, wire.EtherTypeIPv4, ipPacket(a, b, 17, 64, id, flags, piece)))
}

// reportVerb draws an ICMP error or advice about a datagram.
func reportVerb(g *gen) string {
	a, b, to := g.ends()
	quoted := ipPacket(b, g.ip("quoted dst"), 17, 64, 1, 0, udpPacket(b, a, uint16(7+g.upTo("sport", 2)), uint16(7+g.upTo("dport", 2)), ""))
	kinds := []struct {
		typ, code uint8
		rest      uint32
	}{{3, 3, 0}, {3, 4, 576}, {3, 4, 1000}, {3, 1, 0}, {11, 0, 0}, {5, 1, 0x0a000004}, {12, 0, 0}, {4, 0, 0}}
	k := kinds[g.upTo("report", len(kinds)-1)]
	return rawSend(ethernet(to, wire.MAC{2, 0, 0, 0, 0, 2}, wire.EtherTypeIPv4, ipPacket(a, b, 1, 64, 2, 0, icmpPacket(k.typ, k.code, k.rest, quoted))))
}

// tunable draws a name from all that there are, and a value sensible or wild.
func (g *gen) tunable() string {
	name := g.pick("key", tunables()...)
	if before, after, ok := strings.Cut(name, "*"); ok {
		name = before + g.pick("instance", "all", "default", "v0", "w0", "lo", "br0") + after
	}
	value := g.pick("value", "0", "1", "1", "2", "3", "5", "60", "1000", "-1", "2147483647", "9999999999", "x", `"7 9"`, `"32768 32770"`)
	return fmt.Sprintf("%s=%s", name, value)
}
