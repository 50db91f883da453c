package lab

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// A word is a number's name in one of iproute2's tables (/etc/iproute2).
type word struct {
	n    uint32
	name string
}

var (
	tableWords = []word{{unix.RT_TABLE_LOCAL, "local"}, {unix.RT_TABLE_MAIN, "main"}, {unix.RT_TABLE_DEFAULT, "default"}, {unix.RT_TABLE_UNSPEC, "unspec"}}
	protoWords = []word{
		{unix.RTPROT_UNSPEC, "unspec"}, {unix.RTPROT_REDIRECT, "redirect"}, {unix.RTPROT_KERNEL, "kernel"}, {unix.RTPROT_BOOT, "boot"},
		{unix.RTPROT_STATIC, "static"}, {unix.RTPROT_GATED, "gated"}, {unix.RTPROT_RA, "ra"}, {unix.RTPROT_MRT, "mrt"},
		{unix.RTPROT_ZEBRA, "zebra"}, {unix.RTPROT_BIRD, "bird"}, {unix.RTPROT_BABEL, "babel"}, {unix.RTPROT_DNROUTED, "dnrouted"},
		{unix.RTPROT_XORP, "xorp"}, {unix.RTPROT_NTK, "ntk"}, {unix.RTPROT_DHCP, "dhcp"}, {unix.RTPROT_KEEPALIVED, "keepalived"},
		{unix.RTPROT_BGP, "bgp"}, {unix.RTPROT_ISIS, "isis"}, {unix.RTPROT_OSPF, "ospf"}, {unix.RTPROT_RIP, "rip"}, {unix.RTPROT_EIGRP, "eigrp"},
	}
	scopeWords = []word{
		{unix.RT_SCOPE_UNIVERSE, "global"}, {unix.RT_SCOPE_NOWHERE, "nowhere"}, {unix.RT_SCOPE_HOST, "host"},
		{unix.RT_SCOPE_LINK, "link"}, {unix.RT_SCOPE_SITE, "site"},
	}
	typeWords = []word{
		{unix.RTN_UNSPEC, "none"}, {unix.RTN_UNICAST, "unicast"}, {unix.RTN_LOCAL, "local"}, {unix.RTN_BROADCAST, "broadcast"}, {unix.RTN_ANYCAST, "anycast"},
		{unix.RTN_MULTICAST, "multicast"}, {unix.RTN_BLACKHOLE, "blackhole"}, {unix.RTN_UNREACHABLE, "unreachable"},
		{unix.RTN_PROHIBIT, "prohibit"}, {unix.RTN_THROW, "throw"}, {unix.RTN_NAT, "nat"}, {unix.RTN_XRESOLVE, "xresolve"},
	}
	nudWords = []word{
		{unix.NUD_INCOMPLETE, "incomplete"}, {unix.NUD_REACHABLE, "reachable"}, {unix.NUD_STALE, "stale"}, {unix.NUD_DELAY, "delay"},
		{unix.NUD_PROBE, "probe"}, {unix.NUD_FAILED, "failed"}, {unix.NUD_NOARP, "noarp"}, {unix.NUD_PERMANENT, "permanent"}, {unix.NUD_NONE, "none"},
	}
	ipprotoWords = []word{{unix.IPPROTO_ICMP, "icmp"}, {unix.IPPROTO_TCP, "tcp"}, {unix.IPPROTO_UDP, "udp"}, {unix.IPPROTO_ICMPV6, "ipv6-icmp"}}
)

// nameOf returns n's name in ws, or n itself in digits.
func nameOf(ws []word, n uint32) string {
	for _, w := range ws {
		if w.n == n {
			return w.name
		}
	}
	return fmt.Sprint(n)
}

// valueOf finds a name, or reads a number of at most bits bits.
func valueOf(ws []word, s string, bits int) (uint32, bool) {
	for _, w := range ws {
		if w.name == s {
			return w.n, true
		}
	}
	v, ok := number(s, bits)
	return uint32(v), ok
}

// routeType finds a route type's word. Linux: rtnl_rtntype_a2n.
func routeType(s string) (uint8, bool) {
	for _, w := range typeWords[1:] {
		if w.name == s {
			return uint8(w.n), true
		}
	}
	return 0, false
}

// tos reads a type of service. iproute2's rt_dsfield file is not modelled; its
// numbers are hexadecimal.
func tos(s string) (uint8, bool) {
	v, ok := number("0x"+strings.TrimPrefix(s, "0x"), 8)
	return uint8(v), ok
}
