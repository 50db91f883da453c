package bench

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"

	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/fib"
	"nsmodel/netns"
)

// lpmCases measure tables as large as the Internet's, and many that are small.
// What another library takes for the same is in conformance/peer/bart.
func lpmCases(s Sizes, where netns.Placement) []Case {
	var all []Case
	for _, f := range []struct {
		family fib.Family
		digit  string
		count  int
	}{{fib.IPv4, "4", s.Internet4}, {fib.IPv6, "6", s.Internet6}} {
		place := where.String()
		lengths := fmt.Sprintf("%d routes of %v with the Internet's prefix lengths", f.count, f.family)
		all = append(all,
			Case{Name: "lpm" + f.digit + "_ns", Place: place, Nets: 1, Unit: "ns", Better: Lower,
				What: "fib.Lookup of a random address in a random one of " + lengths,
				open: func(*Rig) (*stand, error) { return lpmStand(where, f.family, f.count) }},
			Case{Name: "lpm" + f.digit + "_bytes_per_route", Place: place, Nets: 1, Unit: "bytes", Better: Lower,
				What: "heap of " + lengths + ", over four next hops",
				open: func(*Rig) (*stand, error) { return fibMemory(where, f.family, f.count, 1), nil }},
			Case{Name: "fib" + f.digit + "_bytes_per_net", Place: place, Nets: s.FIBNets, Unit: "bytes", Better: Lower, Target: target(1024),
				What: "heap that four routes in each Net take, " + f.family.String(),
				open: func(*Rig) (*stand, error) { return fibMemory(where, f.family, 4, s.FIBNets), nil }})
	}
	return all
}

// routed is a FIB of its own, without a machine.
type routed struct {
	sys  *netns.System
	fib  *fib.FIB
	nets []*netns.Net
	devs [4]*core.Device
}

func newRouted(where netns.Placement, family fib.Family, nets int) (*routed, error) {
	r := &routed{sys: netns.New(netns.Config{})}
	r.fib = fib.New(r.sys, fib.Config{Family: family, FIB: where, Rules: where})
	for i := range r.devs {
		r.devs[i] = new(core.Device)
	}
	err := r.sys.Boot()
	if err == nil {
		r.nets, err = addNets(r.sys, nets)
	}
	return r, err
}

// fill adds the routes to every Net's table main.
func (r *routed) fill(routes []netip.Prefix) error {
	r.sys.Lock()
	defer r.sys.Unlock()
	for _, n := range r.nets {
		for i, p := range routes {
			d := i % len(r.devs)
			route := fib.Route{Dst: p, Type: fib.Unicast, Scope: fib.Link, NextHops: []fib.NextHop{{Dev: r.devs[d], IfIndex: int32(1 + d)}}}
			if err := r.fib.Add(n, route, fib.AddRoute); err != nil {
				return err
			}
		}
	}
	return nil
}

func lpmStand(where netns.Placement, family fib.Family, count int) (*stand, error) {
	r, err := newRouted(where, family, 1)
	if err != nil {
		return nil, err
	}
	routes := stage.Prefixes(family, count)
	if err := r.fill(routes); err != nil {
		return nil, err
	}
	keys := stage.Hits(routes, 1<<16)
	at := rand.IntN(len(keys))
	return &stand{run: func(k int) error {
		var fl fib.Flow
		for range k {
			fl.Dst = keys[at%len(keys)]
			at++
			if _, err := r.fib.Lookup(r.nets[0], &fl); err != nil {
				return fmt.Errorf("bench: route to %v: %w", fl.Dst, err)
			}
		}
		return nil
	}}, nil
}

// fibMemory measures what the routes of so many Nets take, each.
func fibMemory(where netns.Placement, family fib.Family, routes, nets int) *stand {
	per := max(routes, nets) // of one Net a route, of many a Net
	return &stand{rounds: 1, once: true, sample: func() (float64, error) {
		r, err := newRouted(where, family, nets)
		if err != nil {
			return 0, err
		}
		list := stage.Prefixes(family, routes)
		before := Rest()
		if err := r.fill(list); err != nil {
			return 0, err
		}
		after := Rest()
		runtime.KeepAlive(r)
		runtime.KeepAlive(list)
		return (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / float64(per), nil
	}}
}
