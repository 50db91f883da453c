package fib

import (
	"net/netip"
	"testing"

	"nsmodel/netns"
)

// Match says what Lookup says where neither rules nor flows decide, finds nothing
// in a table that is not there or in another family's, and allocates nothing.
func TestMatch(t *testing.T) {
	for _, family := range []Family{IPv4, IPv6} {
		w := newBench(t, netns.Replicated, netns.Config{})
		w.fib.conf.Family = family
		n, empty := w.net("n"), w.net("empty")
		routes := randomRoutes(family, 3000)
		w.fill(n, routes)
		found := 0
		for _, p := range routes {
			a := p.Addr()
			for range 3 {
				res, err := w.fib.Lookup(n, &Flow{Dst: a})
				if got := w.fib.Match(n, TableMain, a); got != res.Hop || (err == nil) != (got != nil) {
					t.Fatalf("%v: %v, Lookup says %v, %v", a, got, res.Hop, err)
				} else if got != nil {
					found++
				}
				if w.fib.Match(empty, TableMain, a) != nil || w.fib.Match(n, 77, a) != nil {
					t.Fatalf("%v found where no routes are", a)
				}
				if a = a.Next(); !a.IsValid() {
					break
				}
			}
		}
		if found < len(routes) {
			t.Errorf("%v: only %d found", family, found)
		}
		other := netip.MustParseAddr(map[Family]string{IPv4: "::1", IPv6: "10.0.0.1"}[family])
		if w.fib.Match(n, TableMain, other) != nil {
			t.Errorf("%v finds %v", family, other)
		}
		if k := testing.AllocsPerRun(100, func() { w.fib.Match(n, TableMain, routes[0].Addr()) }); k != 0 {
			t.Errorf("%v allocations", k)
		}
	}
}
