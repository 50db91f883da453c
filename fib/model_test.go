package fib

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"nsmodel/netns"

	"pgregory.net/rapid"
)

// A slow is the oracle of a FIB without rules: one slice of routes in the order
// they were added, scanned whole for everything.
type slow []Route

func sameRoute(a, b Route) bool {
	return a.Dst == b.Dst && a.Table == b.Table && a.Type == b.Type && a.Scope == b.Scope && a.Metric == b.Metric &&
		a.Proto == b.Proto && a.MTU == b.MTU && slices.Equal(a.NextHops, b.NextHops)
}

// peers returns the places of routes with r's prefix, table and metric.
func (s slow) peers(r Route) (at []int) {
	for i, o := range s {
		if o.Dst == r.Dst && o.Table == r.Table && o.Metric == r.Metric {
			at = append(at, i)
		}
	}
	return at
}

func (s slow) add(r Route, how Flags) (slow, syscall.Errno) {
	at := s.peers(r)
	if len(at) > 0 {
		match := slices.IndexFunc(at, func(i int) bool { return sameRoute(s[i], r) })
		switch {
		case how&Excl != 0:
			return s, syscall.EEXIST
		case match == 0 && how&Replace != 0:
			return s, 0
		case match >= 0:
			return s, syscall.EEXIST
		case how&Replace != 0:
			s = slices.Clone(s)
			s[at[0]] = r
			return s, 0
		}
	}
	switch {
	case how&Create == 0:
		return s, syscall.ENOENT
	case len(at) > 0 && how&Append == 0:
		return slices.Insert(slices.Clone(s), at[0], r), 0
	}
	return append(slices.Clip(s), r), 0
}

// lookup finds the best of all routes: those of one trie compete by length of
// prefix, then table, then metric, then place in the slice.
func (s slow) lookup(a netip.Addr, split bool) (best Route, errno syscall.Errno) {
	groups := [][]uint32{{TableLocal, TableMain}, {TableDefault}}
	if split {
		groups = [][]uint32{{TableLocal}, {TableMain}, {TableDefault}}
	}
	for _, tables := range groups {
		var fit []Route
		for _, r := range s {
			if slices.Contains(tables, r.Table) && r.Dst.Contains(a) {
				fit = append(fit, r)
			}
		}
		slices.SortStableFunc(fit, func(a, b Route) int {
			if a.Dst.Bits() != b.Dst.Bits() {
				return b.Dst.Bits() - a.Dst.Bits()
			}
			if a.Table != b.Table {
				return int(b.Table) - int(a.Table)
			}
			return int(a.Metric) - int(b.Metric)
		})
		if len(fit) == 0 {
			continue
		}
		switch fit[0].Type {
		case Throw:
			continue
		case Blackhole:
			return fit[0], syscall.EINVAL
		case Unreachable:
			return fit[0], syscall.EHOSTUNREACH
		case Prohibit:
			return fit[0], syscall.EACCES
		}
		return fit[0], 0
	}
	return best, syscall.ENETUNREACH
}

func drawRoute(t *rapid.T, b *bench) Route {
	k, plen := drawPrefix(t, IPv4)
	r := Route{
		Dst:    netip.PrefixFrom(k.addr(IPv4), int(plen)),
		Table:  rapid.SampledFrom([]uint32{TableLocal, TableMain, TableMain, TableDefault, 7}).Draw(t, "table"),
		Metric: uint32(rapid.IntRange(0, 2).Draw(t, "metric")),
		Type:   rapid.SampledFrom([]Type{Unicast, Unicast, Unicast, Throw, Blackhole, Prohibit, Unreachable}).Draw(t, "type"),
		Proto:  ProtoBoot,
	}
	if r.Type == Unicast {
		d := rapid.IntRange(1, 3).Draw(t, "dev")
		r.Scope = Link
		r.NextHops = []NextHop{{Dev: b.devs[d], IfIndex: int32(d), Weight: 1, Scope: Host}}
	}
	return r
}

// given strips what Add fills in.
func given(r Route) Route {
	r.NextHops = slices.Clone(r.NextHops)
	for i := range r.NextHops {
		r.NextHops[i].Scope = 0
	}
	return r
}

// TestAgreesWithSlice drives two Nets of one FIB, and two slices, through the
// same changes and compares all that can be asked; under either placement and
// with hashes that collide.
func TestAgreesWithSlice(t *testing.T) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		for _, collide := range []bool{false, true} {
			t.Run(fmt.Sprintf("place=%v/collide=%v", place, collide), rapid.MakeCheck(func(t *rapid.T) {
				b := newBench(t, place, netns.Config{Collide: collide})
				nets := []*netns.Net{b.net("a"), b.net("b")}
				want, split := []slow{nil, nil}, []bool{false, false}
				for range rapid.IntRange(1, 60).Draw(t, "steps") {
					i := rapid.IntRange(0, 1).Draw(t, "net")
					want[i], split[i] = step(t, b, nets[i], want[i], split[i])
				}
				for i, n := range nets {
					compareFIB(t, b, n, want[i], split[i])
				}
			}))
		}
	}
}

// step makes one change to a Net and its slice.
func step(t *rapid.T, b *bench, n *netns.Net, s slow, split bool) (slow, bool) {
	b.sys.Lock()
	defer b.sys.Unlock()
	switch op := rapid.IntRange(0, 19).Draw(t, "op"); {
	case op < 14:
		r := drawRoute(t, b)
		how := rapid.SampledFrom([]Flags{AddRoute, AddRoute, AppendRoute, PrependRoute, ReplaceRoute, ChangeRoute, Excl}).Draw(t, "how")
		next, errno := s.add(r, how)
		if got := errnoOf(b.fib.Add(n, given(r), how)); got != errno {
			t.Fatalf("add %v how %v: got %v, want %v", b.show(r), how, got, errno)
		}
		return next, split
	case op < 17 && len(s) > 0:
		r := s[rapid.IntRange(0, len(s)-1).Draw(t, "which")]
		if errno := errnoOf(b.fib.Delete(n, r)); errno != 0 {
			t.Fatalf("delete %v: %v", b.show(r), errno)
		}
		// The first by metric that is like r: those before it in the slice.
		i := slices.IndexFunc(s, func(o Route) bool {
			o.Metric = max(o.Metric, 0)
			return o.Dst == r.Dst && o.Table == r.Table && o.Type == r.Type && o.Scope == r.Scope &&
				(r.Metric == 0 || o.Metric == r.Metric) && slices.Equal(o.NextHops, r.NextHops) && lowest(s, o, r)
		})
		return slices.Delete(slices.Clone(s), i, i+1), split
	case op == 17:
		d := b.devs[rapid.IntRange(1, 3).Draw(t, "down")]
		gone := func(r Route) bool { return len(r.NextHops) > 0 && r.NextHops[0].Dev == d }
		next := slices.DeleteFunc(slices.Clone(s), gone)
		if got := b.fib.DeviceDown(n, d); got != len(s)-len(next) {
			t.Fatalf("device down: %d routes went, want %d", got, len(s)-len(next))
		}
		return next, split
	case op == 18:
		errno := errnoOf(b.fib.AddRule(n, Rule{Priority: 5, PrioritySet: true, Action: Nop}))
		if errno != 0 && (errno != syscall.EEXIST || !split) {
			t.Fatal(errno)
		}
		return s, true
	}
	return s, split
}

// lowest reports whether no route like o for r has a lower metric.
func lowest(s slow, o, r Route) bool {
	if r.Metric != 0 {
		return true
	}
	for _, p := range s {
		if p.Dst == r.Dst && p.Table == r.Table && p.Type == r.Type && p.Scope == r.Scope && slices.Equal(p.NextHops, r.NextHops) && p.Metric < o.Metric {
			return false
		}
	}
	return true
}

func errnoOf(err error) syscall.Errno {
	if e, ok := err.(*Error); ok {
		return e.Errno
	}
	return 0
}

// compareFIB asks a Net and its slice the same.
func compareFIB(t *rapid.T, b *bench, n *netns.Net, s slow, split bool) {
	for range 20 {
		k, _ := drawPrefix(t, IPv4)
		a := k.addr(IPv4)
		want, errno := s.lookup(a, split)
		res, err := b.fib.Lookup(n, &Flow{Dst: a})
		if got, _ := err.(syscall.Errno); got != errno {
			t.Fatalf("lookup %v: got %v, want %v", a, got, errno)
		}
		if errno == 0 && (!sameRoute(res.Route(), want) || res.Prefix() != want.Dst || res.Hop.Dev != want.NextHops[0].Dev) {
			t.Fatalf("lookup %v: got %v, want %v", a, b.show(res.Route()), b.show(want))
		}
	}
	got := slices.Collect(b.fib.Routes(n, 0))
	want := slices.Clone(s)
	order := []uint32{7, TableDefault, TableMain, TableLocal}
	slices.SortStableFunc(want, func(a, b Route) int {
		if c := slices.Index(order, a.Table) - slices.Index(order, b.Table); c != 0 {
			return c
		}
		if c := a.Dst.Addr().Compare(b.Dst.Addr()); c != 0 {
			return c
		}
		if c := b.Dst.Bits() - a.Dst.Bits(); c != 0 {
			return c
		}
		return int(a.Metric) - int(b.Metric)
	})
	if !slices.EqualFunc(got, want, sameRoute) {
		t.Fatalf("routes: got %d, want %d\n%v\n%v", len(got), len(want), got, want)
	}
}
