package soak

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"nsmodel/transport/udp"
)

// troubles are what people do to a town that works.
var troubles = []string{
	"ip -n a link set eth0 down", "ip -n r link set ra down", "ip -n s link set br0 down", "ip -n s link set pb down", "ip -n b link set eth0 down",
	"ip -n s link set pb nomaster", "ip -n s link set pr nomaster", "ip -n a link set eth0 mtu 600", "ip -n r link set rs mtu 700", "ip -n s link set br0 mtu 900",
	"ip -n a route del default", "ip -n a route add blackhole 10.2.0.0/24", "ip -n r route add 10.9.0.0/16 via 10.2.0.2", "ip -n r route del 10.9.0.0/16",
	"ip -n r route add prohibit 10.9.9.9/32", "ip -n r route del prohibit 10.9.9.9/32", "ip -n r route add 10.9.0.0/16 nexthop via 10.2.0.2 nexthop via 10.1.0.2",
	"ip -n a rule add from 10.1.0.2 lookup 100 prio 100", "ip -n a route add 10.2.0.0/16 via 10.1.0.1 table 100", "ip -n a route flush table 100",
	"ip -n a addr add 10.1.0.78/24 dev eth0", "ip -n a addr del 10.1.0.78/24 dev eth0", "ip -n b addr add 10.9.0.1/32 dev lo", "ip -n b addr del 10.9.0.1/32 dev lo",
	"ip -n r addr del 10.1.0.1/24 dev ra", "ip -n a neigh flush dev eth0", "ip -n r neigh flush dev ra", "ip -n r neigh flush dev rs", "ip -n s neigh flush dev br0",
	"ip -n r neigh replace 10.1.0.2 lladdr 02:00:00:00:00:99 dev ra nud reachable", "ip -n r neigh replace 10.2.0.2 dev rs nud failed", "ip -n r neigh add proxy 10.9.9.9 dev ra", "ip -n r neigh del proxy 10.9.9.9 dev ra",
	"ip netns exec r sysctl -w net.ipv4.ip_forward=0", "ip netns exec a sysctl -w net.ipv4.icmp_ratelimit=10", "ip netns exec a sysctl -w net.ipv4.ip_default_ttl=33",
	"ip netns exec b sysctl -w net.ipv4.ipfrag_high_thresh=10000", "ip netns exec b sysctl -w net.ipv4.ipfrag_time=1", "ip netns exec r sysctl -w net.ipv4.conf.all.rp_filter=1",
	"ip netns exec r sysctl -w net.ipv4.conf.all.rp_filter=2", "ip netns exec r sysctl -w net.ipv4.conf.all.log_martians=1", "ip netns exec a sysctl -w net.ipv4.neigh.eth0.base_reachable_time_ms=1",
	"ip netns exec a sysctl -w net.ipv4.conf.all.accept_source_route=1", "ip netns exec r sysctl -w net.ipv4.conf.all.accept_source_route=1", "ip netns exec b sysctl -w net.ipv4.icmp_echo_ignore_all=1",
	"ip -n r link set ra netns k", "ip -n a link del kid", "ip -n a link set eth0 address 02:00:00:00:00:10", "ip -n s link set br0 address 02:00:00:00:00:11",
	"ip -n a link set eth0 promisc on", "ip -n a link set eth0 arp off", "ip -n a link set eth0 arp on", "ip -n a link set eth0 name wan", "ip -n a link set wan name eth0",
	"ip -n s link add d0 type veth peer name d1", "ip -n s link set d0 master br0", "ip -n s link set d0 up", "ip -n s link set d1 up", "ip -n s link del d0",
	"ip -n a addr show", "ip -n a route show table all", "ip -j -n r link show", "ip -s -n s link show", "ip -n r neigh show", "ip netns list", "ip -n s -d link show",
	"bridge -n s fdb show", "ip -n a route get 10.2.0.2", "ip netns exec r probe udp echo 77", "ip netns exec r probe udp close 77", "ip netns exec r probe udp show 67",
	"ip netns exec a probe capture start eth0 f", "ip netns exec a probe capture stop eth0", "ip netns exec a probe udp send 10.2.0.2:7 x wait 1ms", "ip netns exec a ping -c1 -W 0.01 10.2.0.2",
	"ip netns exec a ping -c2 -i 0.002 -W 0.01 -s 4000 10.2.0.3", "ip netns exec k ping -c1 -W 0.01 10.1.0.1", "ip netns exec a probe raw send eth0 ffffffffffff02000000000108004500",
}

// repairs make the town whole again, wherever its devices are.
const repairs = `
ip -n k link set ra netns r
ip -n a link set wan name eth0
ip -n a link add kid link eth0 type passthrough
ip -n a link set kid netns k
ip -n k addr add 10.1.0.77/24 dev kid
ip -n k link set kid up
ip -n a link set eth0 mtu 1500
ip -n r link set rs mtu 1500
ip -n s link set br0 mtu 1500
ip -n s link set pb master br0
ip -n s link set pr master br0
ip -n s link set pb up
ip -n s link set pr up
ip -n s link set br0 up
ip -n a link set eth0 up
ip -n b link set eth0 up
ip -n r link set ra up
ip -n r addr add 10.1.0.1/24 dev ra
ip -n a route del blackhole 10.2.0.0/24
ip -n a rule del prio 100
ip -n a route add default via 10.1.0.1
ip -n b route add default via 10.2.0.1
ip -n r neigh flush dev ra
ip -n r neigh flush dev rs
ip netns exec r sysctl -w net.ipv4.ip_forward=1
ip netns exec r sysctl -w net.ipv4.conf.all.rp_filter=0
ip netns exec b sysctl -w net.ipv4.ipfrag_high_thresh=4194304
ip netns exec b sysctl -w net.ipv4.icmp_echo_ignore_all=0
`

// trouble changes something in the town, and now and then repairs it, so that
// frames get far.
func (o *ordeal) trouble(rng *rand.Rand) time.Duration {
	if rng.IntN(12) > 0 {
		o.sh("%s", troubles[rng.IntN(len(troubles))])
		return time.Millisecond
	}
	for line := range strings.Lines(strings.TrimSpace(repairs)) {
		o.sh("%s", strings.TrimSpace(line))
	}
	return 5 * time.Millisecond
}

// wares opens sockets in the town, of all sorts, talks through them and closes
// them.
func (o *ordeal) wares(rng *rand.Rand) time.Duration {
	n := o.somewhere(rng)
	if n == nil {
		return 0
	}
	defer n.Put()
	local := netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(rng.IntN(4)*1000))
	c, err := o.m.UDP.Listen(n, local, udp.Options{Broadcast: rng.IntN(2) == 0, ReusePort: rng.IntN(2) == 0})
	if err != nil {
		return time.Millisecond // the port is taken
	}
	defer c.Close()
	for range rng.IntN(8) {
		to := netip.AddrPortFrom(netip.AddrFrom4(addresses[rng.IntN(len(addresses))]), []uint16{7, 9, 67, 1000}[rng.IntN(4)])
		_, _ = c.WriteToAddrPort(make([]byte, rng.IntN(4000)), to) // it may be refused for many reasons
	}
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
	_, _, _ = c.ReadFromAddrPort(make([]byte, 100))
	return time.Millisecond
}
