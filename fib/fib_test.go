package fib

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"nsmodel/netns"
)

// TestReadersWhileRoutesChange has readers look up without a lock while a writer
// turns a table over, splits it and takes devices down. A route that is always
// there must always be found, at its best or at its next best.
func TestReadersWhileRoutesChange(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		n := b.net("n")
		b.script(n, "$ add default dev d2\n$ add 10.0.0.0/8 dev d2")
		routes := randomRoutes(IPv4, 300)
		var stop atomic.Bool
		var wg sync.WaitGroup
		for seed := range uint64(2) {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, 1))
				for !stop.Load() {
					fl := Flow{Dst: routes[rng.IntN(len(routes))].Addr()}
					res, err := b.fib.Lookup(n, &fl)
					if err != nil || !res.Prefix().Contains(fl.Dst) || res.Hop.IfIndex == 0 {
						t.Errorf("lookup %v: %v, %v", fl.Dst, res, err)
						return
					}
				}
			})
		}
		for range 3 {
			b.fill(n, routes)
			b.sys.Lock()
			b.fib.DeviceDown(n, b.devs[1])
			for _, p := range routes {
				b.fib.Delete(n, Route{Dst: p, Scope: Nowhere})
			}
			b.fib.AddRule(n, Rule{Action: Nop})
			b.sys.Unlock()
		}
		stop.Store(true)
		wg.Wait()
	})
}

func TestLookupDoesNotAllocate(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		n := b.net("n")
		b.script(n, start+"$ add default via 10.0.0.1\n$ add blackhole 11.0.0.0/8\n$ add 12.0.0.0/8 nexthop via 10.0.0.1 nexthop via 10.1.0.1\n$ add throw 13.0.0.0/8")
		for _, rules := range []string{"", "$ rule add from 1.2.3.4 prohibit"} {
			b.script(n, rules)
			for _, dst := range []string{"127.0.0.1", "10.0.0.7", "8.8.8.8", "11.0.0.1", "12.0.0.1", "13.0.0.1"} {
				fl := Flow{Dst: netip.MustParseAddr(dst), Src: netip.MustParseAddr("1.2.3.5")}
				if allocs := testing.AllocsPerRun(100, func() { b.fib.Lookup(n, &fl) }); allocs != 0 {
					t.Errorf("%s: %v allocations", dst, allocs)
				}
			}
		}
	})
}

func TestMultipathFollowsWeights(t *testing.T) {
	b := newBench(t, netns.Replicated, netns.Config{})
	n := b.net("n")
	b.script(n, start+"$ add 12.0.0.0/8 nexthop via 10.0.0.1 weight 1 nexthop via 10.1.0.1 weight 3")
	share := func() [5]int {
		var count [5]int
		rng := rand.New(rand.NewPCG(1, 1))
		for range 40_000 {
			res, err := b.fib.Lookup(n, &Flow{Dst: netip.MustParseAddr("12.0.0.1"), Hash: rng.Uint32()})
			if err != nil {
				t.Fatal(err)
			}
			count[res.Hop.IfIndex]++
		}
		return count
	}
	if c := share(); c[2] < 9_500 || c[2] > 10_500 || c[2]+c[3] != 40_000 {
		t.Errorf("weights 1 and 3: %v", c)
	}
	for hash, want := range map[uint32]int32{0: 2, 1<<30 - 1: 2, 1 << 30: 3, ^uint32(0): 3} { // at the quarter's edge
		if res, err := b.fib.Lookup(n, &Flow{Dst: netip.MustParseAddr("12.0.0.1"), Hash: hash}); err != nil || res.Hop.IfIndex != want {
			t.Errorf("hash %#x: %v %v, want index %d", hash, res.Hop, err, want)
		}
	}
	if res, _ := b.fib.Lookup(n, &Flow{Dst: netip.MustParseAddr("12.0.0.1"), Oif: 3}); res.Hop.IfIndex != 3 {
		t.Errorf("oif d2: %v", res.Hop)
	}
	b.skip = true
	b.do(n, "carrier d2 off")
	if c := share(); c[2] != 40_000 {
		t.Errorf("ignore_routes_with_linkdown: %v", c)
	}
	b.do(n, "carrier d2 on")
	b.do(n, "down d1")
	if c := share(); c[3] != 40_000 {
		t.Errorf("d1 down: %v", c)
	}
	b.do(n, "up d1")
	if c := share(); c[2] < 9_500 || c[2] > 10_500 {
		t.Errorf("d1 up again: %v", c)
	}
}

// TestLinkDownIsPassedOver is ignore_routes_with_linkdown for single hops.
func TestLinkDownIsPassedOver(t *testing.T) {
	b := newBench(t, netns.Replicated, netns.Config{})
	n := b.net("n")
	b.script(n, start+"$ add default dev d2\n$ add 20.0.0.0/8 dev d1\n$ carrier d1 off\n$ get 20.0.0.1\n20.0.0.0/8 dev d1 linkdown scope link")
	b.skip = true
	b.script(n, "$ get 20.0.0.1\ndefault dev d2 scope link")
	b.dark[b.devs[2]] = false // the state of a device makes no other route
	b.script(n, "$ append 20.0.0.0/8 dev d1\nRTNETLINK answers: File exists")
	res, err := b.fib.Lookup(n, &Flow{Dst: netip.MustParseAddr("20.0.0.1"), IgnoreLinkState: true})
	if err != nil || res.Hop.IfIndex != 2 {
		t.Errorf("IgnoreLinkState: %v %v", res.Hop, err)
	}
}

// TestSnapshotStays: what a reader holds does not change.
func TestSnapshotStays(t *testing.T) {
	for _, count := range []int{5, 400} {
		b := newBench(t, netns.Tagged, netns.Config{})
		n := b.net("n")
		routes := randomRoutes(IPv4, count)
		b.fill(n, routes)
		table := b.fib.Table(n, TableMain)
		res, _ := b.fib.Lookup(n, &Flow{Dst: routes[0].Addr()})
		before, was := fmt.Sprint(slices.Collect(table.All())), fmt.Sprint(res.Route())
		b.do(n, "down d1")
		b.script(n, "$ add default dev d3")
		for _, p := range routes[count/2:] {
			b.fib.Delete(n, Route{Dst: p, Scope: Nowhere})
		}
		b.fib.FlushNet(n)
		if after := fmt.Sprint(slices.Collect(table.All())); after != before || table.Len() != count {
			t.Errorf("%d routes: the snapshot changed:\n%s\n%s", count, before, after)
		}
		if fmt.Sprint(res.Route()) != was {
			t.Errorf("%d routes: the result changed", count)
		}
	}
}

// TestChangesAreTold checks what OnChange and OnRuleChange hear.
func TestChangesAreTold(t *testing.T) {
	b := newBench(t, netns.Tagged, netns.Config{})
	n := b.net("n")
	var heard []string
	b.fib.OnChange = func(_ *netns.Net, op Op, r Route) { heard = append(heard, fmt.Sprint(op, " ", b.show(r))) }
	b.fib.OnRuleChange = func(_ *netns.Net, op Op, r Rule) { heard = append(heard, fmt.Sprint(op, " ", showRule(r))) }
	b.script(n, `$ add 10.0.0.0/8 dev d1
$ replace 10.0.0.0/8 dev d2
$ replace 10.0.0.0/8 dev d2
$ append 10.0.0.0/8 dev d1
$ add 11.0.0.0/8 dev d1
$ del 11.0.0.0/8
$ del 11.0.0.0/8
RTNETLINK answers: No such process
$ down d1
$ rule add from 1.2.3.4
$ rule del from 1.2.3.4`)
	want := []string{"added 10.0.0.0/8 dev d1 scope link", "replaced 10.0.0.0/8 dev d2 scope link", "added 10.0.0.0/8 dev d1 scope link",
		"added 11.0.0.0/8 dev d1 scope link", "deleted 11.0.0.0/8 dev d1 scope link", "flushed 10.0.0.0/8 dev d1 scope link",
		"added 32765: from 1.2.3.4 lookup 254", "deleted 32765: from 1.2.3.4 lookup 254"}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %q\nwant  %q", heard, want)
	}
}

// TestNothingOutlivesItsNet: a Net that has died leaves no home, and takes
// nothing of its neighbour's along.
func TestNothingOutlivesItsNet(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		n, other := b.net("n"), b.net("other")
		for _, m := range []*netns.Net{n, other} {
			b.script(m, start+"$ rule add pref 7 to 9.0.0.0/8 prohibit")
		}
		b.sys.Lock()
		if err := b.sys.Delete("n"); err != nil {
			t.Fatal(err)
		}
		b.sys.Reap()
		b.sys.Unlock()
		if _, err := b.fib.Lookup(n, &Flow{Dst: netip.MustParseAddr("10.0.0.5")}); err != syscall.ENETUNREACH {
			t.Errorf("a dead Net's route: %v", err)
		}
		if got := len(b.fib.Rules(n)); got != 3 {
			t.Errorf("a dead Net has %d rules", got)
		}
		b.script(other, "$ get 10.0.0.7\n10.0.0.0/24 dev d1 scope link src 10.0.0.5\n$ get 9.1.1.1\nRTNETLINK answers: Permission denied")
	})
}

// TestIPv6 runs the common code at its other width.
func TestIPv6(t *testing.T) {
	s := netns.New(netns.Config{})
	f := New(s, Config{Family: IPv6})
	b := newBench(t, netns.Replicated, netns.Config{})
	if err := s.Boot(); err != nil {
		t.Fatal(err)
	}
	n := s.Init()
	for _, r := range []string{"::/0", "2001:db8::/32", "2001:db8::1/128", "fe80::/64"} {
		err := f.Add(n, Route{Dst: netip.MustParsePrefix(r), Type: Unicast, Scope: Link, NextHops: []NextHop{{Dev: b.devs[1], IfIndex: 1}}}, AddRoute)
		if err != nil {
			t.Fatal(r, err)
		}
	}
	gw := Route{Dst: netip.MustParsePrefix("2001:db9::/48"), Type: Unicast, NextHops: []NextHop{{Gw: netip.MustParseAddr("fe80::9"), Dev: b.devs[1], IfIndex: 1}}}
	if err := f.Add(n, gw, AddRoute); err != nil {
		t.Fatal(err)
	}
	for dst, want := range map[string]string{"2001:db8::1": "2001:db8::1/128", "2001:db8::2": "2001:db8::/32", "::1": "::/0", "fe80::7": "fe80::/64", "2001:db9::7": "2001:db9::/48"} {
		res, err := f.Lookup(n, &Flow{Dst: netip.MustParseAddr(dst)})
		if err != nil || res.Prefix().String() != want {
			t.Errorf("%s: got %v %v, want %s", dst, res.Prefix(), err, want)
		}
	}
	if _, err := f.Lookup(n, &Flow{Dst: netip.MustParseAddr("10.0.0.1")}); err != syscall.EAFNOSUPPORT {
		t.Errorf("an IPv4 address: %v", err)
	}
	if f.AddrType(n, netip.MustParseAddr("ff02::1")) != Multicast {
		t.Error("ff02::1 is no multicast")
	}
}

// TestSmallNetsAreSmall is the budget: 1 KiB of FIB for a Net of four routes, and
// nothing for one that has none.
func TestSmallNetsAreSmall(t *testing.T) {
	for script, most := range map[string]float64{"untouched": 1, "loopback": 1024, "four": 1024} {
		for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
			if got := perNet(t, place, script); got > most {
				t.Errorf("place=%v %s: %.0f bytes a Net", place, script, got)
			}
		}
	}
}

// TestAliasesAreShared: many routes that differ in nothing but their prefix are
// one alias, and a few that differ do not stay for ever.
func TestAliasesAreShared(t *testing.T) {
	b := newBench(t, netns.Replicated, netns.Config{})
	n := b.net("n")
	b.fill(n, randomRoutes(IPv4, 1000))
	seen := map[*alias]bool{}
	b.fib.snapshot(n).main.walk(func(_ cell, a *alias) bool { seen[a] = true; return true })
	if len(seen) > 4+fewMax+1 {
		t.Errorf("%d aliases for 4 next hops", len(seen))
	}
	for i := range 5000 {
		line := fmt.Sprintf("1.0.0.0/8 dev d1 metric %d", i)
		b.script(n, "$ add "+line+"\n$ del "+line)
	}
	if got := len(b.fib.homes.Of(n).aliases); got > 64+1001/8+1 {
		t.Errorf("%d aliases are kept to be shared", got)
	}
}

// TestAddrType is inet_addr_type.
func TestAddrType(t *testing.T) {
	b := newBench(t, netns.Replicated, netns.Config{})
	n := b.net("n")
	b.script(n, "$ add 10.0.0.0/8 via 1.2.3.4 dev d1 onlink\nError: Nexthop has invalid gateway.\n$ add 11.0.0.0/8 dev d1")
	if got := b.fib.AddrType(n, netip.MustParseAddr("10.0.0.1")); got != Broadcast {
		t.Errorf("before the first local route: %v", got)
	}
	b.script(n, start)
	for addr, want := range map[string]Type{"0.0.0.0": Broadcast, "255.255.255.255": Broadcast, "224.0.0.1": Multicast,
		"10.0.0.5": Local, "127.9.9.9": Local, "10.0.0.255": Broadcast, "10.0.0.9": Unicast, "8.8.8.8": Unicast} {
		if got := b.fib.AddrType(n, netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %v, want %v", addr, got, want)
		}
	}
	if got := b.fib.AddrTypeDev(n, b.devs[3], netip.MustParseAddr("10.0.0.5")); got != Local {
		t.Errorf("d1's address on d2: %v", got)
	}
}
