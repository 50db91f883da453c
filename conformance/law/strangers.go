package law

import (
	"strings"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/core"
)

// home says of each Net its first device, its address there, and its partner's.
var homes = map[string][3]string{
	"a": {"v0", "10.0.0.1", "10.0.0.2"}, "b": {"w0", "10.0.0.2", "10.0.0.1"}, "e": {"w1", "10.0.1.2", "10.0.1.1"},
	"c": {"v0", "10.0.0.1", "10.0.0.2"}, "d": {"w0", "10.0.0.2", "10.0.0.1"}, "f": {"w1", "10.0.1.2", "10.0.1.1"},
	initName: {"v0", "10.0.0.1", "10.0.0.2"}, "g": {"w0", "10.0.0.2", "10.0.0.1"},
}

// fittings are what a Net may have beside its links: what serves, remembers,
// limits. $V is its device, $O its address there, $R its partner's; $o and $r are
// IPv6's.
var fittings = [][]string{
	{"E probe udp echo 7", "E probe udp listen 0.0.0.0:8"},
	{"law $X open s0 listen 0.0.0.0:9 broadcast", "law $X open s1 dial $R:7 recverr"},
	{"law $X neighbours 0 2 3"},
	{"E sysctl -w net.ipv4.icmp_ratemask=-1", "E sysctl -w net.ipv4.icmp_ratelimit=1000"},
	{"E sysctl -w net.ipv4.icmp_msgs_burst=5", "E sysctl -w net.ipv4.icmp_msgs_per_sec=1"},
	{"E sysctl -w net.ipv4.ip_forward=1", "E sysctl -w net.ipv4.conf.all.send_redirects=1", "E sysctl -w net.ipv4.conf.$V.send_redirects=1", "X route add 10.77.0.0/16 via $R"},
	{"E sysctl -w net.ipv4.conf.all.proxy_arp=0", "E sysctl -w net.ipv4.ip_forward=1", "X neigh add proxy 10.0.0.50 dev $V"},
	{"E sysctl -w net.ipv4.conf.all.rp_filter=1"},
	{"E sysctl -w net.ipv4.conf.default.rp_filter=1", "E sysctl -w net.ipv4.neigh.default.retrans_time_ms=50"},
	{"E sysctl -w net.ipv4.ipfrag_low_thresh=4000", "E sysctl -w net.ipv4.ipfrag_high_thresh=9000"},
	{"E sysctl -w net.ipv4.ip_default_ttl=33", "E sysctl -w net.ipv4.icmp_echo_ignore_all=1"},
	{"E probe capture start $V $X.pcapng"},
	{"X rule add fwmark 1 table 7 pref 100", "X route add blackhole 10.9.0.0/16 table 7"},
	{"X link add br0 type bridge", "X link set br0 up", "X link add q0 type veth peer name q1", "X link set q0 master br0", "X link set q0 up", "X link set q1 up"},
	{"law $X hook 1 drop"},
	{"E sysctl -w net.ipv6.conf.default.dad_transmits=0", "E sysctl -w net.ipv6.conf.all.disable_ipv6=0", "X addr add $o/64 dev $V nodad", "E probe udp echo [::]:9", "E ping -c 1 -W 0.1 $r"},
	{"E sysctl -w net.ipv6.conf.all.disable_ipv6=0", "X addr add $o/64 dev $V", "E sysctl -w net.ipv6.conf.all.forwarding=1", "E sysctl -w net.ipv6.icmp.ratelimit=1000", "X -6 route add 2001:db8:77::/48 via $r",
		"E sysctl -w net.ipv6.ip6frag_high_thresh=9000"},
	{"E ping -c 1 -W 0.1 $R", "X addr add 10.9.0.1/32 dev $V"},
}

// fit returns the commands of a fitting for a Net.
func fit(group int, net string, texts []string) (cs []genCommand) {
	h := homes[net]
	for _, text := range texts {
		g := gen{x: net, y: net}
		six := strings.NewReplacer("10.0.", "2001:db8:", ".", "::")
		fill := strings.NewReplacer("$V", h[0], "$O", h[1], "$R", h[2], "$o", six.Replace(h[1]), "$r", six.Replace(h[2]))
		cs = append(cs, genCommand{group, g.expand(fill.Replace(text))})
	}
	return cs
}

// deeds are what a stranger does beside the themes' verbs: much of one kind.
var deeds = []string{"law $X asked", "law $X asked", "law $X wild 0", "law $X wild 1", "law $X wild 2", "law $X proxy $A", "law $X proxy $A", "fitting", "fitting", "fitting",
	"X link add br0 type bridge", "X link add q0 type veth peer name q1", "X link del q0"}

// strangersAreInvisible is law 2 where every Net is well fitted and what others
// do is done at once: on two machines with the same history one group does things
// on the first, and on the second the same time passes. No Net of another group
// sees a difference, nor does anything in its future.
func strangersAreInvisible(t *rapid.T, vs []conformance.Variant) {
	v := drawVariant(t, vs, oneWorker)
	v.Config.DevconfInheritInitNet = core.DevconfCompiledIn
	eyes := drawEyes(t)
	full, calm := newBench(t, v, eyes), newBench(t, v, eyes)
	defer closeAll(full, calm)
	var cs []genCommand
	for g, nets := range groups {
		cs = append(cs, furniture(g, false)...)
		for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(fittings)-1), 0, 6, rapid.ID[int]).Draw(t, "fittings") {
			for _, n := range nets {
				cs = append(cs, fit(g, n, fittings[i])...)
			}
		}
	}
	for _, c := range cs {
		full.do(t, c.text)
		calm.do(t, c.text)
	}
	actor := rapid.IntRange(0, len(groups)-1).Draw(t, "actor")
	th := world{}.theme(t)
	for range rapid.IntRange(1, 8).Draw(t, "deeds") {
		for _, c := range deed(t, actor, th) {
			cs = append(cs, c)
			full.do(t, c.text)
			for _, b := range []*bench{full, calm} { // in both: see neighbourIsInvisible
				b.h.M.AdvanceTo(full.m.Sys.Now(), nil)
				b.settle()
			}
		}
	}
	for g, nets := range groups {
		if g == actor {
			continue
		}
		for _, net := range nets {
			got, want := full.view(net), calm.view(net)
			if got != want {
				t.Fatalf("what %s sees of what others did under %q:\n%s%s", net, v.Name, difference("done", got, "not done", want), story(cs))
			}
		}
		for _, net := range nets {
			got, want := full.lastWill(t, net), calm.lastWill(t, net)
			if got != want {
				t.Fatalf("what %s would do next under %q:\n%s%s", net, v.Name, difference("done", got, "not done", want), story(cs))
			}
		}
	}
}

// deed draws what a group does.
func deed(t *rapid.T, group int, th *theme) []genCommand {
	if rapid.IntRange(0, 2).Draw(t, "of a theme") == 0 {
		return []genCommand{world{}.command(t, group, th)}
	}
	nets := groups[group]
	i := rapid.IntRange(0, len(nets)-1).Draw(t, "net")
	text := rapid.SampledFrom(deeds).Draw(t, "deed")
	if text == "fitting" {
		return fit(group, nets[i], rapid.SampledFrom(fittings).Draw(t, "fitting"))
	}
	g := &gen{t: t, x: nets[i], y: nets[(i+1)%len(nets)]}
	return []genCommand{{group, g.command(text)}}
}
