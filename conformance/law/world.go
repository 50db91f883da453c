package law

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// A world is what generated commands are about: two groups of namespaces that
// no link joins, with the same addresses and names in both.
//
// group "left" is the Nets a and b, "right" is c and d.
type genCommand struct {
	group int // 0 left, 1 right, -1 nobody's
	text  string
}

// groups are the Nets that may be linked with each other.
var groups = [2][2]string{{"a", "b"}, {"c", "d"}}

// drawCommand draws one command of a group. The pools are small, so that names
// and addresses collide, and things are used again after they are gone.
func drawCommand(t *rapid.T, group int) genCommand {
	pick := func(label string, list ...string) string { return rapid.SampledFrom(list).Draw(t, label) }
	side := rapid.IntRange(0, 1).Draw(t, "net")
	x, y := groups[group][side], groups[group][1-side]
	dev := func() string { return pick("dev", "v0", "v0", "v1", "w0", "w1", "br0", "lo") }
	addr := func() string { return pick("addr", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1", "10.0.1.2") }
	prefix := func() string { return addr() + pick("len", "/24", "/24", "/24", "/32", "/16") }
	port := func() string { return pick("port", "7", "7", "9") }
	in := "ip -n " + x + " "
	exec := "ip netns exec " + x + " "
	verbs := []func() string{
		func() string { return "ip netns add " + x },
		func() string { return "ip netns add " + x },
		func() string { return "ip netns del " + x },
		func() string {
			i := pick("pair", "0", "1")
			return fmt.Sprintf("%slink add v%s type veth peer name w%s netns %s", in, i, i, y)
		},
		func() string {
			i := pick("pair", "0", "1")
			return fmt.Sprintf("%slink add v%s type veth peer name w%s netns %s", in, i, i, y)
		},
		func() string { return in + "link set " + dev() + " up" },
		func() string { return in + "link set " + dev() + " up" },
		func() string { return in + "link set " + dev() + " up" },
		func() string {
			return in + "link set " + dev() + " " + pick("how", "down", "mtu 1400", "mtu 600", "name v0", "netns "+y)
		},
		func() string { return in + "link add br0 type bridge" },
		func() string { return in + "link set " + dev() + " " + pick("master", "master br0", "nomaster") },
		func() string { return in + "link del " + dev() },
		func() string { return in + "addr add " + prefix() + " dev " + dev() },
		func() string { return in + "addr add " + prefix() + " dev " + dev() },
		func() string { return in + "addr add " + prefix() + " dev " + dev() },
		func() string { return in + "addr del " + prefix() + " dev " + dev() },
		func() string {
			return in + "route " + pick("op", "add", "replace", "append", "del") + " " + pick("dst", "10.9.0.0/16", "default", "10.0.1.0/24") + " " +
				pick("to", "via "+addr(), "dev "+dev(), "via "+addr()+" metric 5", "dev "+dev()+" table 7")
		},
		func() string {
			return in + "route " + pick("op", "add", "del") + " " + pick("type", "blackhole", "unreachable", "prohibit") + " 10.9.1.0/24"
		},
		func() string {
			return in + "rule " + pick("op", "add", "del") + " " + pick("sel", "from 10.0.0.0/24", "fwmark 1", "iif v0") + " table 7 pref " + pick("pref", "100", "200")
		},
		func() string {
			return in + "neigh " + pick("op", "add", "replace", "del") + " " + addr() + " lladdr 02:00:00:00:00:0" + pick("mac", "1", "2") + " dev " + dev()
		},
		func() string {
			return exec + "sysctl -w " + pick("key", "net.ipv4.ip_forward=1", "net.ipv4.ip_forward=0", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.ip_default_ttl=9", "net.ipv4.icmp_ratelimit=0",
				"net.ipv4.icmp_msgs_burst=1")
		},
		func() string { return exec + "ping -c 1 -W 1 " + addr() },
		func() string { return exec + "ping -c 2 -i 0.2 -W 1 " + addr() },
		func() string { return exec + "ping -c 1 -W 1 -s 3000 " + addr() },
		func() string { return exec + "probe udp echo " + port() },
		func() string { return exec + "probe udp listen " + addr() + ":" + port() },
		func() string { return exec + "probe udp close " + port() },
		func() string { return exec + "probe udp send " + addr() + ":" + port() + " hello wait 200ms" },
		func() string { return exec + "probe udp send " + addr() + ":" + port() + " hello wait 200ms" },
		func() string { return exec + "probe udp send 10.0.0.255:" + port() + " all" },
		func() string { return exec + "probe udp show " + addr() + ":" + port() },
		func() string {
			return exec + "probe raw send " + dev() + " ffffffffffff 020000000001 " + pick("frame",
				"0800 4500 001c 0001 2000 4011 0000 0a000001 0a000002 0007 0007 0008 0000", // a first fragment, never completed
				"0806 0001 0800 0604 0001 020000000001 0a000001 000000000000 0a000002",
				"0800 4500 0014 0001 0000 0001 0000 0a000001 0a000002", // bad checksum
				"88b5 00")
		},
		func() string { return in + "addr show" },
		func() string { return in + "-s link show" },
		func() string { return in + "route show table all" },
		func() string { return in + "rule show" },
		func() string { return in + "neigh show" },
		func() string { return in + "route get " + addr() },
		func() string { return exec + "sysctl net.ipv4.ip_forward" },
	}
	return genCommand{group, rapid.SampledFrom(verbs).Draw(t, "verb")()}
}

// drawLab draws a lab: every Net is made first and both groups get a working
// pair, since a lab of errors alone shows little.
func drawLab(t *rapid.T, max int) []genCommand {
	var cs []genCommand
	for g := range groups {
		x, y := groups[g][0], groups[g][1]
		for _, text := range []string{
			"ip netns add " + x, "ip netns add " + y,
			fmt.Sprintf("ip -n %s link add v0 type veth peer name w0 netns %s", x, y),
			fmt.Sprintf("ip -n %s addr add 10.0.0.1/24 dev v0", x), fmt.Sprintf("ip -n %s addr add 10.0.0.2/24 dev w0", y),
			fmt.Sprintf("ip -n %s link set v0 up", x), fmt.Sprintf("ip -n %s link set w0 up", y),
		} {
			cs = append(cs, genCommand{g, text})
		}
	}
	theme := rapid.SampledFrom(themes()).Draw(t, "theme")
	for g := range groups {
		for _, net := range groups[g] {
			for _, text := range theme.setup {
				cs = append(cs, genCommand{g, strings.ReplaceAll(text, "$N", net)})
			}
		}
	}
	for range rapid.IntRange(1, max).Draw(t, "commands") {
		if rapid.IntRange(0, 15).Draw(t, "time") == 0 {
			cs = append(cs, genCommand{-1, "probe sleep " + rapid.SampledFrom([]string{"10ms", "1s", "7s", "40s"}).Draw(t, "sleep")})
			continue
		}
		group := rapid.IntRange(0, 1).Draw(t, "group")
		if len(theme.verbs) > 0 && rapid.IntRange(0, 2).Draw(t, "on theme") > 0 {
			cs = append(cs, genCommand{group, drawOnTheme(t, theme, group)})
			continue
		}
		cs = append(cs, drawCommand(t, group))
	}
	return cs
}

// fewNeighbours, before a Net's name, lets it have two neighbours. That has no
// command, since Linux shows a child Net no gc_thresh.
const fewNeighbours = "# few neighbours in "

// A theme makes a lab dwell on one thing, since what takes many commands of one
// kind is seldom drawn by chance: to reach a limit, above all.
type theme struct {
	setup []string // for every Net $N
	verbs []string // $A is an address of the link, $P a port
}

func themes() []theme {
	small := []string{fewNeighbours + "$N"}
	strict := []string{"ip netns exec $N sysctl -w net.ipv4.icmp_msgs_burst=2", "ip netns exec $N sysctl -w net.ipv4.icmp_msgs_per_sec=1",
		"ip netns exec $N sysctl -w net.ipv4.icmp_ratelimit=0"}
	return []theme{
		{},
		{small, []string{"probe udp send $A:7 x", "probe udp send $A:7 x", "ping -c 1 -W 0.1 $A", "ip neigh"}},
		{strict, []string{"probe udp send $A:$P x wait 50ms", "probe udp send $A:$P x wait 50ms", "ping -c 1 -W 0.1 $A"}},
		{nil, []string{"probe udp echo $P", "probe udp listen $A:$P", "probe udp send $A:$P x", "probe udp send $A:$P x wait 50ms", "probe udp show $A:$P", "probe udp close $P"}},
	}
}

// drawOnTheme draws a theme's command for a Net of a group.
func drawOnTheme(t *rapid.T, th theme, group int) string {
	net := groups[group][rapid.IntRange(0, 1).Draw(t, "net")]
	text := rapid.SampledFrom(th.verbs).Draw(t, "verb")
	text = strings.ReplaceAll(text, "$A", fmt.Sprintf("10.0.0.%d", rapid.IntRange(1, 6).Draw(t, "host")))
	text = strings.ReplaceAll(text, "$P", fmt.Sprint(rapid.IntRange(7, 9).Draw(t, "port")))
	return "ip netns exec " + net + " " + text
}
