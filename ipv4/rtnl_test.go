package ipv4_test

import (
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
	"nsmodel/fib"
)

// routed is a Net with v0 (10.0.0.2/24, 10.1.0.1/24) up.
func routed(h *house) *nsNet {
	n := h.net("a")
	h.veth(n, "v0", n, "v1")
	for _, d := range []string{"lo", "v0", "v1"} {
		h.up(n, d, true)
	}
	h.addr(n, "v0", "10.0.0.2/24")
	h.addr(n, "v0", "10.1.0.1/24")
	return n
}

func via(dst, gw string) *netlink.Route {
	r := &netlink.Route{Family: unix.AF_INET, Dst: netip.MustParsePrefix(dst), Type: unix.RTN_UNICAST, Proto: unix.RTPROT_BOOT}
	if gw != "" {
		r.Gateway = netip.MustParseAddr(gw)
	}
	return r
}

func (h *house) by(n *nsNet, r *netlink.Route, dev string) *netlink.Route {
	r.OIF = h.index(n, dev)
	if !r.Gateway.IsValid() {
		r.Scope = uint8(fib.Link)
	}
	return r
}

// ip route's refusals on Linux 6.18.
func TestRouteErrors(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := routed(h)
		src := via("10.51.0.0/16", "10.1.0.9")
		src.PrefSrc = netip.MustParseAddr("1.2.3.4")
		black := &netlink.Route{Family: unix.AF_INET, Dst: netip.MustParsePrefix("10.53.0.0/16"), Type: unix.RTN_BLACKHOLE}
		far := via("10.99.0.0/16", "")
		far.Table, far.Scope = 99, uint8(fib.Nowhere)
		none := via("10.99.0.0/16", "")
		none.Scope = uint8(fib.Nowhere)
		for _, tc := range []struct {
			name  string
			op    netlink.Op
			flags netlink.Flags
			m     *netlink.Route
			want  string
		}{
			{"add", netlink.New, add, via("10.50.0.0/16", "10.1.0.9"), ""},
			{"again", netlink.New, add, via("10.50.0.0/16", "10.1.0.9"), "EEXIST"},
			{"host bits", netlink.New, add, via("10.51.0.1/16", "10.1.0.9"), "Error: Invalid prefix for given prefix length. EINVAL"},
			{"far gateway", netlink.New, add, via("10.51.0.0/16", "9.9.9.9"), "Error: Nexthop has invalid gateway. ENETUNREACH"},
			{"prefsrc", netlink.New, add, src, "Error: Invalid prefsrc address. EINVAL"},
			{"wrong device", netlink.New, add, h.by(n, via("10.51.0.0/16", "10.1.0.9"), "v1"), "Error: Nexthop has invalid gateway. ENETUNREACH"},
			{"blackhole", netlink.New, add, black, ""},
			{"change none", netlink.New, netlink.Replace, h.by(n, via("10.58.0.0/16", ""), "v0"), "ENOENT"},
			{"replace", netlink.New, netlink.Create | netlink.Replace, h.by(n, via("10.58.0.0/16", ""), "v0"), ""},
			{"del none", netlink.Del, 0, none, "ESRCH"},
			{"del, no table", netlink.Del, 0, far, "Error: FIB table does not exist. ESRCH"},
			{"dump, no table", netlink.Get, netlink.Dump, &netlink.Route{Family: unix.AF_INET, Table: 99, Has: netlink.RouteTable}, "Error: ipv4: FIB table does not exist. ENOENT"},
			{"get blackhole", netlink.Get, 0, via("10.53.1.1/32", ""), "EINVAL"},
			{"get nothing", netlink.Get, 0, via("8.8.8.8/32", ""), "ENETUNREACH"},
			{"get group", netlink.Get, 0, via("224.0.0.5/32", ""), "ENETUNREACH"},
			{"get from none of ours", netlink.Get, 0, &netlink.Route{Family: unix.AF_INET, Dst: netip.MustParsePrefix("10.50.1.1/32"), Src: netip.MustParsePrefix("224.0.0.1/32")}, "EINVAL"},
		} {
			if _, got := h.do(n, tc.op, tc.flags, tc.m); got != tc.want {
				t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
			}
		}
	})
}

// ip route get on Linux 6.18: what the answer's parts are. While nobody has
// touched the rules, local and main are one trie and Linux says "table main" of
// both.
func TestRouteGet(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := routed(h)
		h.must(n, netlink.New, add, via("10.50.0.0/16", "10.1.0.9"))
		mtu := h.by(n, via("10.57.0.0/16", ""), "v0")
		mtu.MTU, mtu.AdvMSS = 1400, 1360
		h.must(n, netlink.New, add, mtu)
		v0 := h.index(n, "v0")
		ask := func(dst string, f func(*netlink.Route)) *netlink.Route {
			r := &netlink.Route{Family: unix.AF_INET, Dst: prefix(dst), Flags: unix.RTM_F_LOOKUP_TABLE}
			if f != nil {
				f(r)
			}
			return r
		}
		from := func(src string, iif int) func(*netlink.Route) {
			return func(r *netlink.Route) { r.Src, r.IIF = prefix(src), iif }
		}
		for _, tc := range []struct {
			m    *netlink.Route
			want string
		}{
			{ask("10.50.1.1", nil), "unicast 10.50.1.1 via 10.1.0.9 dev v0 table 254 src 10.1.0.1 flags 0x200 uid true"},
			{ask("10.0.0.2", nil), "local 10.0.0.2 dev lo table 254 src 10.0.0.2 flags 0x80000200 uid true"},
			{ask("10.0.0.255", nil), "broadcast 10.0.0.255 dev v0 table 254 src 10.0.0.2 flags 0x90000200 uid true"},
			{ask("127.0.0.1", nil), "local 127.0.0.1 dev lo table 254 src 127.0.0.1 flags 0x80000200 uid true"},
			{ask("10.57.1.1", from("10.0.0.2", 0)), "unicast 10.57.1.1 from 10.0.0.2 dev v0 table 254 mtu 1400 advmss 1360 flags 0x200 uid true"},
			{ask("10.0.0.2", from("10.0.0.77", v0)), "local 10.0.0.2 from 10.0.0.77 dev lo table 254 iif v0 flags 0x80000200 uid false"},
			{ask("10.50.1.1", func(r *netlink.Route) { r.Has = netlink.RouteFIBMatch }), "10.50.0.0/16 via 10.1.0.9 dev v0"},
		} {
			msgs, err := h.do(n, netlink.Get, 0, tc.m)
			if err != "" || len(msgs) != 1 {
				t.Errorf("%v: %s", tc.m.Dst, err)
				continue
			}
			r := msgs[0].(*netlink.Route)
			got := h.show(n, r)
			if tc.m.Has == 0 {
				got = showGet(h, n, r)
			}
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		}
		h.balance()
	})
}

func showGet(h *house, n *nsNet, r *netlink.Route) string {
	s := fmt.Sprintf("%v %v", fib.Type(r.Type), r.Dst.Addr())
	if r.Src.IsValid() {
		s += " from " + r.Src.Addr().String()
	}
	if r.Gateway.IsValid() {
		s += " via " + r.Gateway.String()
	}
	s += fmt.Sprintf(" dev %s table %d", h.Core.DeviceByIndex(n, r.OIF).Name(), r.Table)
	if r.PrefSrc.IsValid() {
		s += " src " + r.PrefSrc.String()
	}
	if r.MTU != 0 {
		s += fmt.Sprintf(" mtu %d advmss %d", r.MTU, r.AdvMSS)
	}
	if r.IIF != 0 {
		s += " iif " + h.Core.DeviceByIndex(n, r.IIF).Name()
	}
	return s + fmt.Sprintf(" flags %#x uid %v", r.Flags, r.Has&netlink.RouteUID != 0)
}

// ip rule on Linux 6.18: defaults, refusals, deletion.
func TestRules(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		for _, tc := range []struct {
			name string
			op   netlink.Op
			m    *netlink.Rule
			want string
		}{
			{"add", netlink.New, &netlink.Rule{From: netip.MustParsePrefix("10.0.0.0/8"), Table: 100}, ""},
			{"same, lower", netlink.New, &netlink.Rule{From: netip.MustParsePrefix("10.0.0.0/8"), Table: 100}, ""},
			{"same", netlink.New, &netlink.Rule{From: netip.MustParsePrefix("10.0.0.0/8"), Table: 100, Priority: 32765, Has: netlink.RulePriority}, "EEXIST"},
			{"goto back", netlink.New, &netlink.Rule{Action: unix.FR_ACT_GOTO, Goto: 10, Priority: 90, Has: netlink.RulePriority}, "Error: Backward goto not supported. EINVAL"},
			{"ports", netlink.New, &netlink.Rule{DPort: netlink.PortRange{First: 20, Last: 10}, Table: 4}, "Error: Invalid dport range. EINVAL"},
			{"tos", netlink.New, &netlink.Rule{TOS: 3, Table: 9}, "Error: Invalid dsfield (tos): ECN bits must be 0. EINVAL"},
			{"del none", netlink.Del, &netlink.Rule{Priority: 500, Has: netlink.RulePriority}, "ENOENT"},
			{"del first", netlink.Del, &netlink.Rule{From: netip.MustParsePrefix("10.0.0.0/8")}, ""},
			{"del local", netlink.Del, &netlink.Rule{Has: netlink.RulePriority}, ""},
		} {
			tc.m.Family = unix.AF_INET
			if _, got := h.do(n, tc.op, add, tc.m); got != tc.want {
				t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
			}
		}
		var got []string
		for _, m := range h.must(n, netlink.Get, netlink.Dump, &netlink.Rule{Family: unix.AF_INET}) {
			r := m.(*netlink.Rule)
			got = append(got, fmt.Sprint(r.Priority, " ", r.Table))
		}
		h.same("rules", got, []string{"32765 100", "32766 254", "32767 253"})
	})
}
