package live_test

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nsmodel"
)

// town is two hosts behind a router, and three on a bridge.
const town = `
ip link set lo up
ip netns add a
ip netns add b
ip netns add r
ip netns add s
ip -n a link set lo up
ip -n b link set lo up
ip -n a link add va type veth peer name ra netns r
ip -n b link add vb type veth peer name rb netns r
ip -n a addr add 10.1.0.2/24 dev va
ip -n b addr add 10.2.0.2/24 dev vb
ip -n r addr add 10.1.0.1/24 dev ra
ip -n r addr add 10.2.0.1/24 dev rb
ip -n a link set va up
ip -n b link set vb up
ip -n r link set ra up
ip -n r link set rb up
ip -n a route add default via 10.1.0.1
ip -n b route add default via 10.2.0.1
ip netns exec r sysctl -w net.ipv4.ip_forward=1
ip -n s link add br0 type bridge
ip -n s link set br0 up
ip -n a link add lan type veth peer name pa netns s
ip -n b link add lan type veth peer name pb netns s
ip -n a addr add 10.3.0.1/24 dev lan
ip -n b addr add 10.3.0.2/24 dev lan
ip -n a link set lan up
ip -n b link set lan up
ip -n s link set pa master br0
ip -n s link set pb master br0
ip -n s link set pa up
ip -n s link set pb up
`

// restore makes whole what the trouble has changed.
const restore = `
ip -n a link set va up
ip -n b link set vb up
ip -n r link set ra up
ip -n r link set rb up
ip -n a link set lan up
ip -n b link set lan up
ip -n s link set br0 up
ip -n s link set pa up
ip -n s link set pb up
ip -n s link set pa master br0
ip -n s link set pb master br0
ip -n a route replace default via 10.1.0.1
ip -n b route replace default via 10.2.0.1
ip -n a link set va mtu 1500
ip -n r link set ra mtu 1500
ip -n r link set rb mtu 1500
ip -n b link set vb mtu 1500
ip netns exec r sysctl -w net.ipv4.ip_forward=1
ip netns exec a sysctl -w net.ipv4.icmp_ratelimit=0
ip -n a neigh flush dev va
ip -n b neigh flush dev vb
ip -n r neigh flush dev ra
ip -n r neigh flush dev rb
ip -n a neigh flush dev lan
ip -n b neigh flush dev lan
`

// trouble is what people do to a machine that works.
var trouble = []string{
	"ip -n a link set va down", "ip -n a link set va up", "ip -n r link set ra down", "ip -n r link set ra up",
	"ip -n s link set br0 down", "ip -n s link set br0 up", "ip -n s link set pa down", "ip -n s link set pa up",
	"ip -n s link set pb nomaster", "ip -n s link set pb master br0", "ip -n s link set pb nomaster",
	"ip -n a link set va mtu 600", "ip -n r link set rb mtu 700", "ip -n r link set rb mtu 1500", "ip -n a link set va mtu 1500",
	"ip -n a route replace default via 10.1.0.1", "ip -n a route del default", "ip -n b route replace default via 10.2.0.1",
	"ip -n a route add blackhole 10.2.0.0/24", "ip -n a route del blackhole 10.2.0.0/24",
	"ip -n a rule add from 10.1.0.2 lookup 100 prio 100", "ip -n a rule del prio 100",
	"ip -n a route add 10.2.0.0/16 via 10.1.0.1 table 100", "ip -n a route flush table 100",
	"ip -n a addr add 10.1.0.77/24 dev va", "ip -n a addr del 10.1.0.77/24 dev va",
	"ip -n b addr add 10.9.0.1/32 dev lo", "ip -n b addr del 10.9.0.1/32 dev lo",
	"ip -n a neigh flush dev va", "ip -n r neigh flush dev ra", "ip -n a neigh flush dev lan",
	"ip -n r neigh replace 10.1.0.2 lladdr 02:00:00:00:00:99 dev ra nud reachable", "ip -n r neigh del 10.1.0.2 dev ra",
	"ip netns exec r sysctl -w net.ipv4.ip_forward=0", "ip netns exec r sysctl -w net.ipv4.ip_forward=1",
	"ip netns exec a sysctl -w net.ipv4.icmp_ratelimit=10", "ip netns exec a sysctl -w net.ipv4.ip_default_ttl=33",
	"ip netns exec b sysctl -w net.ipv4.ipfrag_high_thresh=100000", "ip netns exec b sysctl -w net.ipv4.ipfrag_high_thresh=4194304",
	"ip netns exec a sysctl -w net.ipv4.neigh.va.base_reachable_time_ms=1", "ip netns exec r sysctl -w net.ipv4.conf.all.rp_filter=1",
	"ip netns exec r sysctl -w net.ipv4.conf.all.rp_filter=0", "ip netns exec a sysctl net.ipv4",
	"ip -n b link set lan name wan", "ip -n b link set wan name lan", "ip -n a link set lan address 02:00:00:00:00:10", "ip -n a link set lan address 02:00:00:00:00:11",
	"ip -n r link set ra netns s", "ip -n s link set ra netns r", "ip -n r addr replace 10.1.0.1/24 dev ra", "ip -n r link set ra up",
	"ip -n a addr show", "ip -n a route show table all", "ip -j -n r link show", "ip -s -n s link show", "ip -n r neigh show", "ip netns list",
	"ip -n s -d link show", "bridge -n s fdb show", "ip -n a route get 10.2.0.2", "ip -n a rule show",
	"ip netns exec a probe udp send 10.2.0.2:9 x wait 1ms", "ip netns exec a ping -c1 -W 0.01 10.2.0.2", "ip netns exec a ping -c2 -i 0.002 -W 0.01 10.3.0.2",
	"ip netns exec a probe capture start va f", "ip netns exec a probe capture stop va",
	"ip netns exec r probe udp echo 77", "ip netns exec r probe udp close 77", "ip netns exec a probe raw send va ffffffffffff02000000000108004500",
	"ip -n s link add d0 type veth peer name d1", "ip -n s link del d1", "ip -n s link set d0 master br0",
	"ip -n a link add p0 link lan type passthrough", "ip -n a link del p0", "ip -n a link set p0 netns s",
}

// TestLiveTown drives traffic through a town while everything about it is
// changed by several people at once: when they stop, it works again, and nothing
// is missing.
func TestLiveTown(t *testing.T) {
	variants(t, func(t *testing.T, c nsmodel.Config) {
		w := newWorld(t, c)
		w.sh(town)
		a, b := w.net("a"), w.net("b")
		echo := w.serve(b, 7)
		back := w.serve(a, 7)
		w.recovers(a, "10.2.0.2:7", 100)
		w.recovers(a, "10.3.0.2:7", 4000)
		var answers, asked atomic.Int64
		var crew crew
		for _, to := range []string{"10.2.0.2:7", "10.3.0.2:7", "10.1.0.1:9", "10.3.0.99:7"} {
			crew.work(2, func(rng *rand.Rand) {
				asked.Add(1)
				if w.ask(a, to, rng.IntN(6000), 50*time.Millisecond) == nil {
					answers.Add(1)
				} else {
					time.Sleep(100 * time.Microsecond)
				}
			})
		}
		crew.work(1, func(rng *rand.Rand) { w.flood(a, "10.2.0.2:7", 50) })
		crew.work(1, func(rng *rand.Rand) { w.flood(b, "10.3.0.1:7", 50) })
		crew.work(1, func(rng *rand.Rand) { w.ask(b, "10.1.0.2:7", rng.IntN(3000), 50*time.Millisecond) })
		crew.work(4, func(rng *rand.Rand) {
			line := trouble[rng.IntN(len(trouble))]
			if _, err := w.try("%s", line); err != nil {
				t.Errorf("%s: %v", line, err)
				time.Sleep(time.Second)
			}
			if rng.IntN(10) == 0 {
				w.mend(false)
				time.Sleep(5 * time.Millisecond)
			}
		})
		time.Sleep(spell(250 * time.Millisecond))
		crew.end(t)
		w.mend(true)
		w.recovers(a, "10.2.0.2:7", 100)
		w.recovers(a, "10.2.0.2:7", 5000)
		w.recovers(a, "10.3.0.2:7", 100)
		w.recovers(b, "10.1.0.2:7", 3000)
		t.Logf("%d of %d asked had an answer", answers.Load(), asked.Load())
		echo.Close()
		back.Close()
		a.Put()
		b.Put()
		w.end()
	})
}

// mend makes the town whole again, wherever its devices are.
func (w *world) mend(must bool) {
	w.t.Helper()
	for _, line := range []string{"ip -n s link set ra netns r", "ip -n b link set wan name lan", "ip -n a route del blackhole 10.2.0.0/24",
		"ip -n a rule del prio 100", "ip -n a addr del 10.1.0.77/24 dev va", "ip -n r addr add 10.1.0.1/24 dev ra", "ip -n a link del p0", "ip -n s link del p0",
		"ip -n r neigh del 10.1.0.2 dev ra", "ip netns exec b sysctl -w net.ipv4.ipfrag_high_thresh=4194304", "ip netns exec r sysctl -w net.ipv4.conf.all.rp_filter=0"} {
		w.try("%s", line)
	}
	for line := range strings.Lines(strings.TrimSpace(restore)) {
		if r, err := w.try("%s", strings.TrimSpace(line)); must && (err != nil || r.Exit != 0) {
			w.t.Errorf("%s: %v %s", line, err, r.Stderr)
		}
	}
}
