package law

import (
	"slices"
	"strings"
	"sync"

	"pgregory.net/rapid"

	"nsmodel"
)

// A theme makes a lab dwell on one thing, since what takes many commands of one
// kind is seldom drawn by chance: to reach a limit, above all.
type theme struct {
	setup []string // for every Net, with gen.expand's placeholders that draw nothing
	verbs []string
	six   bool // IPv6 is on, see furniture6
	drawn bool // what it shows depends on random draws
}

var themes = []theme{
	{},
	{},
	{ // few neighbours
		setup: []string{"law $X neighbours 0 2 2"},
		verbs: []string{"E probe udp send 10.0.0.4:7 x", "E probe udp send 10.0.0.5:7 x", "E probe udp send 10.0.0.6:7 x", "E probe udp send $F:7 x", "E ping -c 1 -W 0.1 $F", "X neigh", "neigh"},
	},
	{ // errors are limited
		setup: []string{"E sysctl -w net.ipv4.icmp_msgs_burst=2", "E sysctl -w net.ipv4.icmp_msgs_per_sec=1", "E sysctl -w net.ipv4.icmp_ratelimit=0"},
		verbs: []string{"E probe udp send $F:$p x wait 50ms", "E probe udp send $F:$p x wait 50ms", "E ping -c 1 -W 0.1 $F", "E ping -c 1 -W 0.1 -t 1 10.0.1.2"},
		drawn: true,
	},
	{ // and for each host
		setup: []string{"E sysctl -w net.ipv4.icmp_ratelimit=1000"},
		verbs: []string{"E probe udp send $F:$p x wait 50ms", "E probe udp send $F:$p x wait 50ms", "E ping -c 1 -W 0.1 -t 1 10.0.1.2", "E ping -c 3 -i 0.01 -W 0.1 10.9.1.1", "frame"},
		drawn: true,
	},
	{ // services
		verbs: []string{"E probe udp echo $p", "E probe udp listen $A:$p", "E probe udp send $A:$p x", "E probe udp send $A:$p x wait 50ms", "E probe udp show $A:$p", "E probe udp close $p"},
	},
	{ // sockets that share and are few
		setup: []string{`E sysctl -w net.ipv4.ip_local_port_range="40000 40002"`},
		verbs: []string{"open", "open", "open", "law $X send $S hi", "law $X send $S hi $F:$p", "law $X recv $S", "law $X recv $S", "law $X close $S", "E probe udp send $F:$p x", "report"},
		drawn: true,
	},
	{ // buffers that are full
		setup: []string{"law $X open s0 listen 0.0.0.0:7 buf=3000", "law $X open s1 dial 10.0.0.2:7"},
		verbs: []string{"law $X send s1 *1400", "law $X send s1 *1400", "law $X send s0 *1400 $F:7", "law $X recv s0", "E probe udp send $F:7 x", "X -s link"},
	},
	{ // fragments
		setup: []string{"E sysctl -w net.ipv4.ipfrag_low_thresh=4000", "E sysctl -w net.ipv4.ipfrag_high_thresh=6000", "E sysctl -w net.ipv4.ipfrag_time=3"},
		verbs: []string{"fragment", "fragment", "fragment", "fragment", "E ping -c 1 -W 0.1 -s 3000 $F", "E probe udp listen $A:$p", "E probe udp show $A:$p", "E sysctl -w net.ipv4.ipfrag_high_thresh=100000"},
	},
	{ // paths that take less
		setup: []string{"X link set v1 mtu 700", "X link set w1 mtu 700"},
		verbs: []string{"E ping -c 1 -W 0.1 -M do -s 900 10.0.1.2", "E ping -c 1 -W 0.1 -s 900 10.0.1.2", "report", "report", "X route get $F", "law $X open $S dial $F:$p df", "law $X send $S *900", "E probe udp send $F:7 x wait 20ms"},
	},
	{ // tunables
		verbs: []string{"E sysctl -w $K", "E sysctl -w $K", "E sysctl -w $K", "E sysctl -w $K", "E sysctl -a", "X link add q0 type veth peer name q1", "X link del q0"},
	},
	{ // devices on the move
		verbs: []string{"X link set $D netns $Y", "X link set $D netns $Y", "X link set $D netns $Y name w1", "X link set $D up", "X link set $D up", "X addr add $N dev $D", "E ping -c 1 -W 0.1 $F",
			"X link", "E probe udp send $F:7 x", "X neigh replace $A lladdr $M dev $D", "ip netns del $Y", "ip netns add $Y", "X route add 10.9.0.0/16 dev $D", "X netns list-id"},
	},
	{ // a bridge
		setup: []string{"X link add br0 type bridge", "X link set br0 up", "X link set v0 master br0", "X addr add 10.0.0.4/24 dev br0"},
		verbs: []string{"frame", "frame", "E ping -c 1 -W 0.1 $F", "X link set $P master br0", "X link set $P nomaster", "B fdb show", "B fdb replace $M dev $P master static", "B fdb del $M dev $P master",
			"X link add m0 link $D type passthrough", "X link set m0 up", "X link del br0", "X link add br0 type bridge", "X link set br0 up"},
	},
	{ // policy by marks
		setup: []string{"X route add blackhole 10.0.0.0/16 table 7", "X rule add fwmark 1 table 7 pref 100"},
		verbs: []string{"E ping -c 1 -W 0.1 -m 1 $F", "law $X open $S dial $F:$p mark=1", "law $X send $S hi", "law $X hook 0 mark", "law $X hook 3 mark", "law $X unhook", "E ping -c 1 -W 0.1 $F", "X route get $F mark 1",
			"E sysctl -w net.ipv4.fwmark_reflect=1", "E sysctl -w net.ipv4.conf.all.src_valid_mark=1", "rule", "route"},
	},
	{ // proxies and advice
		setup: []string{"E sysctl -w net.ipv4.conf.all.proxy_arp=1", "E sysctl -w net.ipv4.ip_forward=1", "E sysctl -w net.ipv4.neigh.v0.retrans_time_ms=50"},
		verbs: []string{"X neigh add proxy $A dev $D", "E ping -c 1 -W 0.5 $F", "frame", "frame", "X route add 10.9.0.0/16 via $A", "report", "X neigh", "E sysctl -w net.ipv4.conf.all.arp_ignore=1", "E sysctl -w net.ipv4.conf.all.arp_announce=2"},
	},
	{ // Nets that come and go
		verbs: []string{"ip netns del $Y", "ip netns add $Y", "ip netns add $Y", "law $Y hold h$Y", "law $Y put h$Y", "X link add v0 type veth peer name w0 netns $Y", "X link add m0 link v0 netns $Y type passthrough",
			"X link set v0 up", "X addr add 10.0.0.1/24 dev v0", "E ping -c 1 -W 0.1 $F", "law $X open $S dial $F:$p", "X netns set $Y 7", "X netns list-id", "X link"},
	},
	{ // much that is remembered of neighbours for long
		verbs: []string{"X neigh replace 10.0.0.4 lladdr $M dev v0 nud reachable", "E ping -c 1 -W 0.1 $F", "X neigh", "neigh", "X neigh flush all", "X link set v0 carrier off", "X link set $D arp off", "E sysctl -w net.ipv4.neigh.v0.gc_stale_time=1",
			"E sysctl -w net.ipv4.neigh.v0.base_reachable_time_ms=500", "E sysctl -w net.ipv4.neigh.v0.ucast_solicit=1", "E sysctl -w net.ipv4.neigh.v0.unres_qlen=1", "E probe udp send 10.0.0.4:7 x", "E probe udp send 10.0.0.4:7 x"},
		drawn: true,
	},
}

// narrowThemes are those without races.
var narrowThemes = []int{0, 1, 2, 5}

// theme draws one.
func (w world) theme(t *rapid.T) *theme {
	if w.narrow {
		return &themes[rapid.SampledFrom(narrowThemes).Draw(t, "theme")]
	}
	th := &themes[rapid.IntRange(0, len(themes)-1).Draw(t, "theme")]
	if w.still && th.drawn {
		return &themes[0]
	}
	return th
}

// prepare is a theme's setup for each Net of a group.
func (th *theme) prepare(g int) (cs []genCommand) {
	if th.six {
		cs = furniture6(g, false)
	}
	for i, net := range groups[g] {
		one := gen{x: net, y: groups[g][(i+1)%len(groups[g])]}
		for _, text := range th.setup {
			cs = append(cs, genCommand{g, one.expand(text)})
		}
	}
	return cs
}

// tunables are the names of all that there are, * standing for a device's name.
// They are asked of a machine, so that a new one is drawn as soon as it exists.
var tunables = sync.OnceValue(func() []string {
	m, err := nsmodel.New(nsmodel.Config{})
	if err != nil {
		panic(err)
	}
	var names []string
	for _, v := range m.Sysctl.All(m.Init()) {
		name := v.Name
		for _, instance := range []string{"all", "default", "lo"} {
			for _, dir := range []string{"net.ipv4.conf.", "net.ipv4.neigh.", "net.ipv6.conf.", "net.ipv6.neigh."} {
				if rest, ok := strings.CutPrefix(name, dir+instance+"."); ok {
					name = dir + "*." + rest
				}
			}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
})
