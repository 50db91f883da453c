package fib

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"nsmodel/core"
	"nsmodel/netns"
)

// A six is an IPv6 FIB with devices 1 to 3, of which 3 has IPv6 disabled.
type six struct {
	t    *testing.T
	f    *FIB
	n    *netns.Net
	devs [4]*core.Device
	down map[*core.Device]bool
}

func newSix(t *testing.T) *six {
	x := &six{t: t, down: map[*core.Device]bool{}}
	for i := range x.devs {
		x.devs[i] = new(core.Device)
	}
	sys := netns.New(netns.Config{})
	x.f = New(sys, Config{Family: IPv6, Up: func(d *core.Device) bool { return !x.down[d] },
		Disabled: func(d *core.Device) bool { return d == x.devs[3] }})
	if err := sys.Boot(); err != nil {
		t.Fatal(err)
	}
	x.n = sys.Init()
	return x
}

func (x *six) hop(dev int, gw string) NextHop {
	h := NextHop{IfIndex: int32(dev)}
	if dev > 0 {
		h.Dev = x.devs[dev]
	}
	if gw != "" {
		h.Gw = netip.MustParseAddr(gw)
	}
	return h
}

func (x *six) add(how Flags, table uint32, typ Type, dst string, metric uint32, hops ...NextHop) error {
	return x.f.Add(x.n, Route{Dst: netip.MustParsePrefix(dst), Table: table, Type: typ, Metric: metric, NextHops: hops}, how)
}

func (x *six) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// dump lists main and local as `ip -6 route` would.
func (x *six) dump() string {
	var b strings.Builder
	for r := range x.f.Routes(x.n, 0) {
		fmt.Fprintf(&b, "%v %v", r.Type, r.Dst)
		for _, h := range r.NextHops {
			fmt.Fprintf(&b, " [%v %d]", h.Gw, h.IfIndex)
		}
		fmt.Fprintf(&b, " %d\n", r.Metric)
	}
	return b.String()
}

// The order is that of Linux 6.18's `ip -6 route show table all`: default comes
// last, and local behind main.
func TestIPv6DumpOrder(t *testing.T) {
	x := newSix(t)
	for _, dst := range []string{"::/0", "fe80::/64", "2001:db8::/32", "2001:db8:5::/48", "2001:db8:5::1/128", "2001:db8::/64"} {
		x.must(x.add(AddRoute, TableMain, Unicast, dst, 256, x.hop(1, "")))
	}
	x.must(x.add(AddRoute, TableLocal, Local, "2001:db8::1/128", 0, x.hop(1, "")))
	x.must(x.add(AddRoute, TableMain, Unreachable, "2001:db8:9::/48", 1024))
	want := `unicast 2001:db8::/64 [invalid IP 1] 256
unicast 2001:db8:5::1/128 [invalid IP 1] 256
unicast 2001:db8:5::/48 [invalid IP 1] 256
unreachable 2001:db8:9::/48 1024
unicast 2001:db8::/32 [invalid IP 1] 256
unicast fe80::/64 [invalid IP 1] 256
unicast ::/0 [invalid IP 1] 256
local 2001:db8::1/128 [invalid IP 1] 0
`
	if got := x.dump(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Local is asked before main, whatever is longer; IPv4's one trie would have it
// otherwise.
func TestIPv6LocalFirst(t *testing.T) {
	x := newSix(t)
	x.must(x.add(AddRoute, TableLocal, Multicast, "ff00::/8", 256, x.hop(1, "")))
	x.must(x.add(AddRoute, TableMain, Unicast, "ff05::/16", 1024, x.hop(2, "")))
	fl := Flow{Dst: netip.MustParseAddr("ff05::1")}
	if res, err := x.f.Lookup(x.n, &fl); err != nil || res.Table != TableLocal || res.Hop.IfIndex != 1 {
		t.Errorf("table %d, %v", res.Table, err)
	}
	fl.Oif = 2
	if res, err := x.f.Lookup(x.n, &fl); err != nil || res.Table != TableMain {
		t.Errorf("by device 2: table %d, %v", res.Table, err)
	}
	if got := x.f.Rules(x.n); len(got) != 2 || got[0].Table != TableLocal || got[1].Table != TableMain {
		t.Errorf("rules %v", got)
	}
}

// Several gateways of one prefix and metric are one route, as in Linux, and each
// can be taken away alone.
func TestIPv6Siblings(t *testing.T) {
	x := newSix(t)
	x.must(x.add(AddRoute, TableMain, Unicast, "2001:db8::/64", 256, x.hop(1, "")))
	x.must(x.add(AddRoute, TableMain, Unicast, "2001:db8:f::/48", 1024, x.hop(1, "2001:db8::b")))
	if err := x.add(AddRoute, TableMain, Unicast, "2001:db8:f::/48", 1024, x.hop(1, "2001:db8::c")); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("add: %v", err)
	}
	x.must(x.add(AppendRoute, TableMain, Unicast, "2001:db8:f::/48", 1024, x.hop(1, "2001:db8::c")))
	if err := x.add(AppendRoute, TableMain, Unicast, "2001:db8:f::/48", 1024, x.hop(1, "2001:db8::c")); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("twice: %v", err)
	}
	x.must(x.add(AppendRoute, TableMain, Unicast, "2001:db8:f::/48", 7, x.hop(1, "2001:db8::d")))
	const rest = "unicast 2001:db8::/64 [invalid IP 1] 256\nunicast 2001:db8:f::/48 [2001:db8::d 1] 7\n"
	if got := x.dump(); got != rest+"unicast 2001:db8:f::/48 [2001:db8::b 1] [2001:db8::c 1] 1024\n" {
		t.Errorf("got\n%s", got)
	}
	hops := map[string]int{}
	for i := range 128 {
		res, err := x.f.Lookup(x.n, &Flow{Dst: netip.MustParseAddr("2001:db8:f::1"), Hash: uint32(i) << 25})
		x.must(err)
		hops[res.Hop.Gw.String()]++
	}
	if len(hops) != 1 || hops["2001:db8::d"] != 128 {
		t.Errorf("the better metric does not win: %v", hops)
	}
	x.must(x.f.Delete(x.n, Route{Dst: netip.MustParsePrefix("2001:db8:f::/48"), Metric: 7}))
	for i := range 128 {
		res, _ := x.f.Lookup(x.n, &Flow{Dst: netip.MustParseAddr("2001:db8:f::1"), Hash: uint32(i) << 25})
		hops[res.Hop.Gw.String()]++
	}
	if hops["2001:db8::b"] != 64 || hops["2001:db8::c"] != 64 {
		t.Errorf("flows are not spread: %v", hops)
	}
	x.must(x.f.Delete(x.n, Route{Dst: netip.MustParsePrefix("2001:db8:f::/48"), NextHops: []NextHop{x.hop(0, "2001:db8::b")}}))
	if got := x.dump(); !strings.HasSuffix(got, "48 [2001:db8::c 1] 1024\n") {
		t.Errorf("after one hop went:\n%s", got)
	}
	x.must(x.f.Delete(x.n, Route{Dst: netip.MustParsePrefix("2001:db8:f::/48")}))
	if err := x.f.Delete(x.n, Route{Dst: netip.MustParsePrefix("2001:db8:f::/48")}); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("gone: %v", err)
	}
}

// What Linux 6.18 says of next hops that it does not take.
func TestIPv6HopErrors(t *testing.T) {
	x := newSix(t)
	x.must(x.add(AddRoute, TableMain, Unicast, "2001:db8::/64", 256, x.hop(1, "")))
	x.must(x.add(AddRoute, TableMain, Unicast, "2001:db8:1::/64", 1024, x.hop(1, "2001:db8::b")))
	x.must(x.add(AddRoute, TableLocal, Local, "2001:db8::a/128", 0, x.hop(1, "")))
	x.must(x.add(AddRoute, TableLocal, Local, "fe80::a/128", 0, x.hop(1, "")))
	x.down[x.devs[2]] = true
	onlink := x.hop(1, "2001:db8:77::1")
	onlink.Flags = HopOnlink
	for name, c := range map[string]struct {
		hop  NextHop
		want string
	}{
		"link-local without a device": {x.hop(0, "fe80::1"), "Egress device not specified: invalid argument"},
		"link-local":                  {x.hop(1, "fe80::1"), ""},
		"own":                         {x.hop(1, "2001:db8::a"), "Gateway can not be a local address: invalid argument"},
		"own link-local":              {x.hop(1, "fe80::a"), "Gateway can not be a local address: invalid argument"},
		"a group":                     {x.hop(1, "ff02::1"), "Invalid gateway address: invalid argument"},
		"behind a gateway":            {x.hop(0, "2001:db8:1::1"), "no route to host"},
		"no way":                      {x.hop(0, "3001::1"), "no route to host"},
		"another device":              {x.hop(2, "2001:db8::b"), "no route to host"},
		"down":                        {x.hop(2, ""), "Nexthop device is not up: network is down"},
		"disabled":                    {x.hop(3, ""), "IPv6 is disabled on nexthop device: permission denied"},
		"onlink":                      {onlink, ""},
	} {
		err := x.add(AddRoute, TableMain, Unicast, "2001:db8:f::/48", 1024, c.hop)
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != "fib: "+c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if err == nil {
			x.must(x.f.Delete(x.n, Route{Dst: netip.MustParsePrefix("2001:db8:f::/48")}))
		}
	}
	if err := x.add(ChangeRoute, TableMain, Unicast, "2001:db8:f::/48", 1024, x.hop(1, "")); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("change: %v", err)
	}
	if got := x.f.DeviceDown(x.n, x.devs[1]); got != 4 {
		t.Errorf("%d routes went with the device, want 4:\n%s", got, x.dump())
	}
}

// Next hops that a flow passes over are taken when nothing else in their table will
// do: no other route of the prefix, no other hop, no shorter prefix. A route without
// a gateway has nothing to pass over.
func TestIPv6Past(t *testing.T) {
	x := newSix(t)
	gone := map[netip.Addr]bool{}
	ask := func(dst string) string {
		x.t.Helper()
		res, err := x.f.Lookup(x.n, &Flow{Dst: netip.MustParseAddr(dst), Past: func(h *NextHop) bool { return gone[h.Gw] }})
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(res.Prefix(), " ", res.Metric(), " ", res.Hop.Gw)
	}
	want := func(dst, want string) {
		x.t.Helper()
		if got := ask(dst); got != want {
			x.t.Errorf("%s: %s, want %s", dst, got, want)
		}
	}
	lose := func(gw string) { gone[netip.MustParseAddr(gw)] = true }
	x.must(x.add(Create, TableMain, Unicast, "::/0", 100, x.hop(1, "fe80::1")))
	x.must(x.add(Create, TableMain, Unicast, "2001:db8::/32", 100, x.hop(1, "fe80::2"), x.hop(2, "fe80::3")))
	x.must(x.add(Create, TableMain, Unicast, "2001:db8::/32", 200, x.hop(1, "fe80::4")))
	x.must(x.add(Create, TableMain, Unreachable, "2001:db8:dead::/48", 100))
	x.must(x.add(Create, TableMain, Unicast, "2001:db8:1::/64", 100, x.hop(1, "")))
	gone[netip.Addr{}] = true
	for _, step := range []struct{ lose, want string }{
		{"fe80::9", "2001:db8::/32 100 fe80::2"},
		{"fe80::2", "2001:db8::/32 100 fe80::3"},
		{"fe80::3", "2001:db8::/32 200 fe80::4"},
		{"fe80::4", "::/0 100 fe80::1"},
		{"fe80::1", "2001:db8::/32 100 fe80::2"},
	} {
		lose(step.lose)
		want("2001:db8::5", step.want)
	}
	want("2001:db8:dead::1", syscall.EHOSTUNREACH.Error())
	want("2001:db8:1::1", "2001:db8:1::/64 100 invalid IP")
	want("2001:db9::1", "::/0 100 fe80::1")
}
