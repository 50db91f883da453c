package fib_test

import (
	"fmt"
	"net/netip"

	"nsmodel/core"
	"nsmodel/fib"
	"nsmodel/netns"
)

// Two Nets route the same address differently, in one tagged home.
func Example() {
	sys := netns.New(netns.Config{})
	routes := fib.New(sys, fib.Config{FIB: netns.Tagged})
	if err := sys.Boot(); err != nil {
		panic(err)
	}
	sys.Lock()
	defer sys.Unlock()
	red, _ := sys.NewNet("red")
	blue, _ := sys.NewNet("blue")

	eth0 := new(core.Device)
	add := func(n *netns.Net, r fib.Route) {
		if err := routes.Add(n, r, fib.AddRoute); err != nil {
			fmt.Println(err)
		}
	}
	link := netip.MustParsePrefix("10.0.0.0/24")
	add(red, fib.Route{Dst: link, Type: fib.Unicast, Scope: fib.Link, NextHops: []fib.NextHop{{Dev: eth0, IfIndex: 2}}})
	// The device of a gateway is found by the routes that lead to it.
	add(red, fib.Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Type: fib.Unicast, NextHops: []fib.NextHop{{Gw: netip.MustParseAddr("10.0.0.1")}}})
	add(blue, fib.Route{Dst: link, Type: fib.Prohibit})
	add(blue, fib.Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Type: fib.Unicast, NextHops: []fib.NextHop{{Gw: netip.MustParseAddr("10.0.0.1")}}})

	for _, n := range []*netns.Net{red, blue} {
		for _, dst := range []string{"10.0.0.9", "8.8.8.8"} {
			res, err := routes.Lookup(n, &fib.Flow{Dst: netip.MustParseAddr(dst)})
			if err != nil {
				fmt.Println(n.Name(), dst, err)
				continue
			}
			fmt.Println(n.Name(), dst, res.Prefix(), "via", res.Hop.Gw, "index", res.Hop.IfIndex)
		}
	}
	// Output:
	// fib: Nexthop has invalid gateway: network is unreachable
	// red 10.0.0.9 10.0.0.0/24 via invalid IP index 2
	// red 8.8.8.8 0.0.0.0/0 via 10.0.0.1 index 2
	// blue 10.0.0.9 permission denied
	// blue 8.8.8.8 network is unreachable
}
