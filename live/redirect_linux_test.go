package live_test

import (
	"strings"
	"testing"
)

// oneAddress leaves an end without a link-local address of its own making, so that its
// redirects come from the one that is its neighbours' router.
const oneAddress = `
ip -n @ link set eth0 down
ip -n @ link set eth0 addrgenmode none
ip -n @ link set eth0 up`

// TestLiveRedirects has a host of the kernel's believe a router of the model's that
// another one is nearer, and the other way round: both families, and as hosts and
// routers of the kernel alone would have it.
func TestLiveRedirects(t *testing.T) {
	tools(t, "ip", "ping")
	t.Parallel()
	told, kernelTold := both(t, "rt", `
ip netns add @sw
ip netns add @r1
ip netns add @r2
ip netns exec @r1 sysctl -w net.ipv6.conf.default.addr_gen_mode=1
ip netns exec @r2 sysctl -w net.ipv6.conf.default.addr_gen_mode=1
ip -n @sw link add br0 type bridge
ip -n @sw link add p2 type veth peer name e0 netns @r1
ip -n @sw link add p3 type veth peer name e0 netns @r2
ip -n @sw link set p1 master br0
ip -n @sw link set p2 master br0
ip -n @sw link set p3 master br0
ip -n @sw link set br0 up
ip -n @sw link set p1 up
ip -n @sw link set p2 up
ip -n @sw link set p3 up
ip -n @r1 link set e0 up
ip -n @r2 link set e0 up
ip -n @r2 link set lo up
ip -n @r1 addr add 10.1.0.1/24 dev e0
ip -n @r1 addr add 2001:db8:1::1/64 dev e0 nodad
ip -n @r1 addr add fe80::1/64 dev e0 nodad
ip -n @r2 addr add 10.1.0.254/24 dev e0
ip -n @r2 addr add 2001:db8:1::254/64 dev e0 nodad
ip -n @r2 addr add fe80::254/64 dev e0 nodad
ip -n @r2 addr add 10.9.0.1/32 dev lo
ip -n @r2 addr add 2001:db8:9::1/128 dev lo nodad
ip netns exec @r1 sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip netns exec @r2 sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n @r1 route add 10.9.0.0/24 via 10.1.0.254
ip -n @r1 -6 route add 2001:db8:9::/64 via fe80::254 dev e0
`, end{"x", "sw/p1", `
ip -n @ addr add 10.1.0.2/24 dev eth0
ip -n @ addr add 2001:db8:1::2/64 dev eth0 nodad
ip -n @ route add default via 10.1.0.1
ip -n @ -6 route add default via fe80::1 dev eth0`})
	for _, s := range []*street{told, kernelTold} {
		s.reaches("x", "10.1.0.1")
		s.reaches("x", "10.1.0.254")
		s.reaches("x", "2001:db8:1::1")
		s.reaches("x", "2001:db8:1::254")
	}
	ask(told, kernelTold, []question{
		{"x", "ping -n -c 1 -W 5 10.9.0.1 | tail -2", []string{"1 received"}},
		{"x", "ip -o route get 10.9.0.1 | sed 's/expires.*//; s/uid.*//'", []string{"via 10.1.0.254 dev eth0"}},
		{"x", "ping -n -c 1 -W 5 2001:db8:9::1 | tail -2", []string{"1 received"}},
		{"x", "ip -o -6 route get 2001:db8:9::1 | sed 's/expires.*//'", []string{"2001:db8:9::1 from :: via fe80::254 dev eth0"}},
	})
	told.w.end()

	hears, kernelHears := both(t, "rh", `
ip netns add @sw
ip netns add @h
ip -n @sw link add br0 type bridge
ip -n @sw link add p0 type veth peer name e0 netns @h
ip -n @sw link set p0 master br0
ip -n @sw link set p1 master br0
ip -n @sw link set p2 master br0
ip -n @sw link set br0 up
ip -n @sw link set p0 up
ip -n @sw link set p1 up
ip -n @sw link set p2 up
ip -n @h link set lo up
ip -n @h link set e0 up
ip -n @h addr add 10.1.0.2/24 dev e0
ip -n @h addr add 2001:db8:1::2/64 dev e0 nodad
ip -n @h route add default via 10.1.0.1
ip -n @h -6 route add default via fe80::1 dev e0
`, end{"r1", "sw/p1", oneAddress + `
ip -n @ addr add 10.1.0.1/24 dev eth0
ip -n @ addr add 2001:db8:1::1/64 dev eth0 nodad
ip -n @ addr add fe80::1/64 dev eth0 nodad
ip netns exec @ sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n @ route add 10.9.0.0/24 via 10.1.0.254
ip -n @ -6 route add 2001:db8:9::/64 via fe80::254 dev eth0`},
		end{"r2", "sw/p2", oneAddress + `
ip -n @ addr add 10.1.0.254/24 dev eth0
ip -n @ addr add 2001:db8:1::254/64 dev eth0 nodad
ip -n @ addr add fe80::254/64 dev eth0 nodad
ip -n @ addr add 10.9.0.1/32 dev lo
ip -n @ addr add 2001:db8:9::1/128 dev lo nodad
ip netns exec @ sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`})
	for _, s := range []*street{hears, kernelHears} {
		s.reaches("r1", "10.1.0.2")
		s.reaches("r1", "10.1.0.254")
		s.reaches("r2", "2001:db8:1::2")
		s.reaches("r1", "2001:db8:1::254")
		// Who does not know the nearer router yet asks for him at the first redirect, and believes the next.
		s.shows("1 received", func() string { return s.says("ip netns exec @h ping -c 1 -W 2 10.1.0.254") })
		for _, to := range []string{"10.9.0.1", "2001:db8:9::1"} {
			s.shows("1 received", func() string { return s.says("ip netns exec @h ping -c 1 -W 2 " + to) })
		}
		for line, want := range map[string]string{
			"ip -n @h route get 10.9.0.1":         "10.9.0.1 via 10.1.0.254 dev e0 src 10.1.0.2",
			"ip -n @h -6 route get 2001:db8:9::1": "via fe80::254 dev e0",
		} {
			s.shows(want, func() string { return s.says(line) })
		}
		if got := s.says("ip -n @h route get 10.9.0.1"); !strings.Contains(got, "cache <redirected> expires") {
			t.Errorf("%s: %s", s.name, got)
		}
	}
	hears.w.end()
}
