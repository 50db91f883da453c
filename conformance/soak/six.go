package soak

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"nsmodel/core/wire"
	"nsmodel/ipv4"
	"nsmodel/transport/raw"
	"nsmodel/transport/udp"
)

// town6 gives the town IPv6: its routers' and hosts' addresses are those of IPv4
// as [as6] has them. Half of them are asked for first (RFC 4862 section 5.4).
const town6 = `
ip netns exec a sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
ip netns exec r sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
ip netns exec b sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
ip netns exec s sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
ip netns exec k sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
ip netns exec r sysctl -q -w net.ipv6.conf.all.forwarding=1
ip -n a addr add 2001:db8:1::2/64 dev eth0 nodad
ip -n r addr add 2001:db8:1::1/64 dev ra nodad
ip -n r addr add 2001:db8:2::1/64 dev rs nodad
ip -n b addr add 2001:db8:2::2/64 dev eth0
ip -n s addr add 2001:db8:2::3/64 dev br0
ip -n k addr add 2001:db8:1::4d/64 dev kid
ip -n a -6 route add default via 2001:db8:1::1
ip -n b -6 route add default via 2001:db8:2::1
ip netns exec a probe udp echo [::]:17
ip netns exec b probe udp echo [::]:17
`

// troubles6 are troubles of IPv6's.
var troubles6 = []string{
	"ip netns exec a sysctl -w net.ipv6.conf.all.disable_ipv6=1", "ip netns exec a sysctl -w net.ipv6.conf.all.disable_ipv6=0",
	"ip netns exec r sysctl -w net.ipv6.conf.ra.disable_ipv6=1", "ip netns exec r sysctl -w net.ipv6.conf.ra.disable_ipv6=0",
	"ip netns exec r sysctl -w net.ipv6.conf.all.forwarding=0", "ip netns exec b sysctl -w net.ipv6.conf.eth0.accept_dad=0",
	"ip netns exec b sysctl -w net.ipv6.ip6frag_high_thresh=10000", "ip netns exec b sysctl -w net.ipv6.ip6frag_time=1",
	"ip netns exec a sysctl -w net.ipv6.neigh.eth0.base_reachable_time_ms=1", "ip netns exec r sysctl -w net.ipv6.conf.all.proxy_ndp=1",
	"ip -n a addr add 2001:db8:1::78/64 dev eth0", "ip -n a addr del 2001:db8:1::78/64 dev eth0", "ip -n k addr add 2001:db8:1::2/64 dev kid",
	"ip -n k addr del 2001:db8:1::2/64 dev kid", "ip -n a -6 addr flush dev eth0", "ip -n r addr del 2001:db8:1::1/64 dev ra",
	"ip -n a -6 route del default", "ip -n a -6 route add blackhole 2001:db8:2::/64", "ip -n r -6 route add 2001:db8:9::/48 via 2001:db8:2::2",
	"ip -n r -6 route del 2001:db8:9::/48", "ip -n r -6 route add 2001:db8:9::/48 nexthop via 2001:db8:2::2 nexthop via 2001:db8:1::2",
	"ip -n a -6 rule add from 2001:db8:1::/64 lookup 100 prio 100", "ip -n a -6 route add 2001:db8:2::/48 via 2001:db8:1::1 table 100",
	"ip -n a -6 neigh flush dev eth0", "ip -n r -6 neigh flush dev ra", "ip -n r neigh replace 2001:db8:1::2 lladdr 02:00:00:00:00:99 dev ra nud reachable",
	"ip -n r neigh replace 2001:db8:2::2 dev rs nud failed", "ip -n r neigh add proxy 2001:db8:9::9 dev ra", "ip -n r neigh del proxy 2001:db8:9::9 dev ra",
	"ip -n a -6 addr show", "ip -n r -6 route show table all", "ip -n r -6 neigh show", "ip -n a -6 route get 2001:db8:2::2", "ip -n b -6 maddr show",
	"ip netns exec a ping -6 -c1 -W 0.01 2001:db8:2::2", "ip netns exec a ping -6 -c2 -i 0.002 -W 0.01 -s 4000 2001:db8:2::3",
	"ip netns exec a ping -6 -c1 -W 0.01 -I eth0 ff02::1", "ip netns exec a probe udp send [2001:db8:2::2]:17 x wait 1ms",
	"ip netns exec b probe udp listen [::]:97", "ip netns exec b probe udp close 97",
}

// repairs6 are repairs of what IPv6 has suffered.
const repairs6 = `
ip netns exec a sysctl -w net.ipv6.conf.all.disable_ipv6=0
ip netns exec r sysctl -w net.ipv6.conf.ra.disable_ipv6=0
ip netns exec r sysctl -w net.ipv6.conf.all.forwarding=1
ip netns exec b sysctl -w net.ipv6.ip6frag_high_thresh=4194304
ip -n k addr del 2001:db8:1::2/64 dev kid
ip -n a addr add 2001:db8:1::2/64 dev eth0 nodad
ip -n r addr add 2001:db8:1::1/64 dev ra nodad
ip -n r addr add 2001:db8:2::1/64 dev rs nodad
ip -n b addr add 2001:db8:2::2/64 dev eth0
ip -n a -6 route del blackhole 2001:db8:2::/64
ip -n a -6 rule del prio 100
ip -n a -6 route add default via 2001:db8:1::1
ip -n b -6 route add default via 2001:db8:2::1
`

// trouble6 is trouble of IPv6's.
func (o *ordeal) trouble6(rng *rand.Rand) time.Duration {
	if rng.IntN(12) > 0 {
		o.sh("%s", troubles6[rng.IntN(len(troubles6))])
		return time.Millisecond
	}
	for line := range strings.Lines(strings.TrimSpace(repairs6)) {
		o.sh("%s", strings.TrimSpace(line))
	}
	return 5 * time.Millisecond
}

// births6 give a citizen IPv6; %B is its address.
var births6 = []string{
	"ip netns exec %N sysctl -q -w net.ipv6.conf.all.disable_ipv6=0", "ip -n %N addr add %B/64 dev eth0", "ip -n %N addr add 2001:db8:7::1/64 dev b0 nodad",
	"ip -n %N -6 route add default via 2001:db8:2::1", "ip netns exec %N probe udp echo [::]:18",
	"ip -n %N -6 rule add from 2001:db8:1::/64 lookup 77 pref 100", "ip -n %N -6 route add 2001:db8:9::/48 via 2001:db8:2::3 table 77",
	"ip -n %N neigh add 2001:db8:2::fa lladdr 02:00:00:00:00:fa dev eth0",
}

// events6 are what happens to the IPv6 of a citizen.
var events6 = []string{
	"ip netns exec %N sysctl -w net.ipv6.conf.all.disable_ipv6=1", "ip netns exec %N sysctl -w net.ipv6.conf.all.disable_ipv6=0",
	"ip netns exec %N sysctl -w net.ipv6.conf.all.forwarding=1", "ip netns exec %N sysctl -w net.ipv6.conf.all.forwarding=0",
	"ip netns exec %N sysctl -w net.ipv6.ip6frag_high_thresh=20000", "ip netns exec %N sysctl -w net.ipv6.neigh.eth0.retrans_time_ms=10",
	"ip -n %N addr add %B/64 dev eth0", "ip -n %N addr del %B/64 dev eth0", "ip -n %N -6 addr flush dev eth0", "ip -n %N -6 route flush table 77",
	"ip -n %N -6 route replace default via 2001:db8:2::3", "ip -n %N -6 neigh flush dev eth0", "ip -n %N -6 neigh show", "ip -n %N -6 route show table all",
	"ip -n %N -6 maddr show", "ip netns exec %N sysctl net.ipv6",
}

// hosts6 are addresses to which citizens send.
var hosts6 = []string{"2001:db8:2::fb", "2001:db8:2::2", "::1", "2001:db8:1::2", "ff02::1%eth0", "2001:db8:1::1", "2001:db8:9::9"}

// live6 is an event in the IPv6 life of a citizen: it gets IPv6, or something
// befalls it, or it sends.
func (o *ordeal) live6(rng *rand.Rand) time.Duration {
	k := rng.IntN(len(o.folk))
	c := &o.folk[k]
	if !c.mu.TryLock() {
		return time.Millisecond
	}
	defer c.mu.Unlock()
	if !c.alive {
		return time.Millisecond
	}
	mine := func(line string) string {
		return fill(strings.ReplaceAll(line, "%B", fmt.Sprintf("2001:db8:2::%x", 0x100+k)), k)
	}
	if rng.IntN(3) == 0 {
		for _, line := range births6 {
			o.sh("%s", mine(line))
		}
	} else {
		o.sh("%s", mine(events6[rng.IntN(len(events6))]))
	}
	if n, err := o.m.Net(fill("%N", k)); err == nil {
		for range rng.IntN(3) {
			o.send(n, fmt.Sprintf("[%s]:%d", hosts6[rng.IntN(len(hosts6))], 17+rng.IntN(2)), rng.IntN(5000))
		}
		n.Put()
	}
	return time.Duration(rng.IntN(2)) * time.Millisecond
}

// wares6 opens sockets of IPv6 and of groups in the town, and raw ones of both
// families, talks through them and closes them, joined as they are.
func (o *ordeal) wares6(rng *rand.Rand) time.Duration {
	n := o.somewhere(rng)
	if n == nil {
		return 0
	}
	defer n.Put()
	six := rng.IntN(2) == 0
	local, group, source := netip.IPv4Unspecified(), netip.AddrFrom4([4]byte{239, 1, 1, byte(rng.IntN(4))}), netip.MustParseAddr("10.1.0.2")
	if six {
		local, group, source = netip.IPv6Unspecified(), netip.MustParseAddr(fmt.Sprintf("ff05::%d", rng.IntN(4))), as6([4]byte{10, 1, 0, 2})
	}
	to := func() netip.Addr {
		a := netip.AddrFrom4(addresses[rng.IntN(len(addresses))])
		if six {
			return as6(a.As4())
		}
		return a
	}
	if rng.IntN(3) == 0 {
		proto := []uint8{wire.ProtoICMP, wire.ProtoICMPv6, wire.ProtoUDP, 200}[rng.IntN(4)]
		if c, err := o.m.Raw.Listen(n, six, proto, netip.Addr{}, raw.Options{}); err == nil {
			for range rng.IntN(6) {
				_, _ = c.Send(make([]byte, rng.IntN(4000)), to()) // it may be refused for many reasons
			}
			_, _ = c.TryReceive()
			c.Close()
		}
		return time.Millisecond
	}
	c, err := o.m.UDP.Listen(n, netip.AddrPortFrom(local, uint16(rng.IntN(4)*1000)), udp.Options{ReusePort: rng.IntN(2) == 0})
	if err != nil {
		return time.Millisecond // the port is taken
	}
	defer c.Close()
	at := ipv4.Interface{Index: 1 + rng.IntN(4)}
	for range rng.IntN(5) { // each may be refused: the device is not there, the group not joined
		switch rng.IntN(5) {
		case 0:
			_ = c.JoinGroup(group, at)
		case 1:
			_ = c.LeaveGroup(group, at)
		case 2:
			_ = c.JoinSource(group, source, at)
		case 3:
			_ = c.BlockSource(group, source, at)
		case 4:
			_, _ = c.WriteToAddrPort(make([]byte, rng.IntN(4000)), netip.AddrPortFrom(group, 1000))
		}
	}
	for range rng.IntN(6) {
		_, _ = c.WriteToAddrPort(make([]byte, rng.IntN(4000)), netip.AddrPortFrom(to(), []uint16{17, 9, 1000}[rng.IntN(3)]))
	}
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
	_, _, _ = c.ReadFromAddrPort(make([]byte, 100))
	return time.Millisecond
}

// as6 is the town's IPv6 address that stands for one of IPv4.
func as6(a [4]byte) netip.Addr {
	switch {
	case a == [4]byte{}:
		return netip.IPv6Unspecified()
	case a[0] == 127:
		return netip.IPv6Loopback()
	case a[0] >= 224:
		return netip.IPv6LinkLocalAllNodes()
	case a[3] == 255:
		return netip.IPv6LinkLocalAllRouters()
	}
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 4: 0, 5: a[1], 15: a[3]})
}

// aimIPv6 is aimIPv4 for IPv6; what a neighbour is asked for is aimed, too.
func aimIPv6(ip wire.IPv6, src, dst [16]byte) {
	right := sum6(ip, false)
	proto, at, ok := ip.Transport()
	ip.SetSrc16(src)
	if !ip.Dst().IsMulticast() || proto != wire.ProtoICMPv6 {
		ip.SetDst16(dst)
	}
	if m, isICMP := wire.ParseICMPv6(ip[min(at, len(ip)):]); ok && isICMP && proto == wire.ProtoICMPv6 {
		// An error is about a packet that dst has sent to src, or nobody believes it.
		if inner := m.Payload(); m.IsError() && len(inner) >= wire.IPv6Len {
			copy(inner[8:], dst[:])
			copy(inner[24:], src[:])
		} else if _, has := m.Target(); has {
			copy(m[8:24], dst[:])
		}
	}
	if right {
		sum6(ip, true)
	}
}

// sum6 reports whether there is a transport's checksum that is right; with mend
// it is made so.
func sum6(ip wire.IPv6, mend bool) bool {
	proto, at, ok := ip.Transport()
	if end := min(len(ip), wire.IPv6Len+ip.PayloadLen()); ok && at <= end {
		src, dst, rest := ip.Src16(), ip.Dst16(), ip[at:end]
		switch proto {
		case wire.ProtoUDP:
			if u, ok := wire.ParseUDP(rest); ok {
				if mend {
					u.FillChecksum6(src, dst)
				}
				return u.ChecksumOK6(src, dst)
			}
		case wire.ProtoICMPv6:
			if m, ok := wire.ParseICMPv6(rest); ok {
				if mend {
					m.FillChecksum(src, dst)
				}
				return m.ChecksumOK(src, dst)
			}
		}
	}
	return false
}

// shapeIPv6 is shapeIPv4 for IPv6: the chain of headers counts.
func shapeIPv6(s *strings.Builder, b []byte) {
	ip, ok := wire.ParseIPv6(b)
	if !ok {
		s.WriteString(" bad")
		return
	}
	e := ip.EachExt()
	for e.Next() {
		fmt.Fprintf(s, " header %d", e.Kind())
	}
	proto, at, ok := e.Rest()
	fmt.Fprintf(s, " proto %d whole %v to %d", proto, ok, ip.Dst16()[0])
	if m, is := wire.ParseICMPv6(ip[min(at, len(ip)):]); is && ok && proto == wire.ProtoICMPv6 {
		fmt.Fprintf(s, " icmp6 %d/%d", m.Type(), m.Code())
	}
	if proto == wire.ProtoUDP || proto == wire.ProtoICMPv6 {
		fmt.Fprintf(s, " sum %v", sum6(ip, false))
	}
}
