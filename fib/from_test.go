package fib

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/core"
	"nsmodel/netns"
)

// An askedFrom is a route of the oracle. None of them has a gateway, so that none
// becomes another's second hop.
type askedFrom struct {
	dst, from netip.Prefix // from of no bits: all sources
	metric    uint32
	dev       int // 0: unreachable
}

func (r askedFrom) String() string {
	return fmt.Sprintf("%v from %v metric %d dev %d", r.dst, r.from, r.metric, r.dev)
}

// slowFrom is the oracle of an IPv6 table with routes for some sources: a slice in
// the order in which they were added, searched whole for everything.
type slowFrom []askedFrom

// find is Linux's choice in its own words: the longest destination that is the
// default one, or has no route for some sources, or has one for this source; of
// what it and all shorter ones have for this source, by length of destination and
// source, then metric, then age, the first that leaves by the device, if one is
// asked for. One that is unreachable leaves by none, and ends the search.
func (s slowFrom) find(dst, src netip.Addr, oif int) (askedFrom, syscall.Errno) {
	var fit slowFrom
	for _, r := range s {
		if r.dst.Contains(dst) && (r.from.Bits() == 0 || src.IsValid() && r.from.Contains(src)) {
			fit = append(fit, r)
		}
	}
	longest := -1
	for bits := range 129 {
		some, mine, any := false, false, false
		for _, r := range s {
			if r.dst.Bits() == bits && r.dst.Contains(dst) {
				any = true
				some = some || r.from.Bits() > 0
			}
		}
		for _, r := range fit {
			mine = mine || r.dst.Bits() == bits && r.from.Bits() > 0
		}
		if any && (bits == 0 || !some || mine) {
			longest = bits
		}
	}
	fit = slices.DeleteFunc(fit, func(r askedFrom) bool { return r.dst.Bits() > longest })
	slices.SortStableFunc(fit, func(a, b askedFrom) int {
		if d := b.dst.Bits() - a.dst.Bits(); d != 0 {
			return d
		}
		if d := b.from.Bits() - a.from.Bits(); d != 0 {
			return d
		}
		return int(a.metric) - int(b.metric)
	})
	for _, r := range fit {
		switch {
		case r.dev == 0:
			return r, syscall.EHOSTUNREACH
		case oif == 0 || oif == r.dev:
			return r, 0
		}
	}
	return askedFrom{}, syscall.ENETUNREACH
}

// The pools overlap: prefixes lie in each other, and addresses in all but some.
var (
	fromDsts = []string{"::/0", "2001:db8::/32", "2001:db8:9::/48", "2001:db8:9::/64", "2001:db8:9::1/128", "2001:db8:a::/48"}
	fromSrcs = []string{"::/0", "::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::/64", "2001:db8:1::1/128", "2001:db8:2::/48"}
	fromAsks = []string{"2001:db8:9::1", "2001:db8:9::2", "2001:db8:9:1::1", "2001:db8:a::1", "2001:db8:b::1", "fd00::1"}
	fromWhos = []string{"", "2001:db8:1::1", "2001:db8:1::2", "2001:db8:1:1::1", "2001:db8:2::1", "2001:db8:3::1", "fd00::2"}
)

// A fromBench is two Nets of one FIB and their oracles.
type fromBench struct {
	t    *rapid.T
	sys  *netns.System
	f    *FIB
	nets []*netns.Net
	want []slowFrom
	devs [4]*core.Device
}

func newFromBench(t *rapid.T) *fromBench {
	place := rapid.SampledFrom([]netns.Placement{netns.Tagged, netns.Replicated}).Draw(t, "place")
	b := &fromBench{t: t, sys: netns.New(netns.Config{Collide: rapid.Bool().Draw(t, "collide")}), want: make([]slowFrom, 2)}
	for i := range b.devs {
		b.devs[i] = new(core.Device)
	}
	b.f = New(b.sys, Config{Family: IPv6, FIB: place, Rules: place, Up: func(*core.Device) bool { return true },
		Carrier: func(*core.Device) bool { return true }})
	if err := b.sys.Boot(); err != nil {
		t.Fatal(err)
	}
	b.sys.Lock()
	defer b.sys.Unlock()
	for _, name := range []string{"a", "b"} {
		n, err := b.sys.NewNet(name)
		if err != nil {
			t.Fatal(err)
		}
		b.nets = append(b.nets, n)
	}
	return b
}

func (b *fromBench) pick(label string, list []string) string {
	return rapid.SampledFrom(list).Draw(b.t, label)
}

func (b *fromBench) route(r askedFrom) Route {
	out := Route{Dst: r.dst, From: r.from, Metric: r.metric, Type: Unreachable, Table: TableMain}
	if r.dev > 0 {
		out.Type, out.NextHops = Unicast, []NextHop{{Dev: b.devs[r.dev], IfIndex: int32(r.dev)}}
	}
	return out
}

// step changes one Net and its oracle.
func (b *fromBench) step(i int) {
	n, s := b.nets[i], b.want[i]
	b.sys.Lock()
	defer b.sys.Unlock()
	dev := func() int { return rapid.IntRange(1, 3).Draw(b.t, "dev") }
	switch op := rapid.IntRange(0, 15).Draw(b.t, "op"); {
	case op < 9:
		r := askedFrom{dst: netip.MustParsePrefix(b.pick("dst", fromDsts)), from: netip.MustParsePrefix(b.pick("from", fromSrcs)),
			metric: uint32(rapid.IntRange(1, 2).Draw(b.t, "metric")), dev: rapid.IntRange(0, 3).Draw(b.t, "by")}
		how := rapid.SampledFrom([]Flags{AddRoute, AppendRoute}).Draw(b.t, "how")
		taken := slices.ContainsFunc(s, func(o askedFrom) bool {
			return o.dst == r.dst && o.from == r.from && o.metric == r.metric && (how == AddRoute || o.dev == r.dev)
		})
		want := syscall.Errno(0)
		if taken {
			want = syscall.EEXIST
		} else {
			b.want[i] = append(slices.Clip(s), r)
		}
		if got := errnoOf(b.f.Add(n, b.route(r), how)); got != want {
			b.t.Fatalf("add %v how %v: %v, want %v", r, how, got, want)
		}
	case op < 12 && len(s) > 0:
		r := s[rapid.IntRange(0, len(s)-1).Draw(b.t, "which")]
		if err := b.f.Delete(n, b.route(r)); err != nil {
			b.t.Fatalf("delete %v: %v", r, err)
		}
		b.want[i] = slices.DeleteFunc(slices.Clone(s), func(o askedFrom) bool { return o == r })
	case op < 14:
		d := dev()
		b.want[i] = slices.DeleteFunc(slices.Clone(s), func(o askedFrom) bool { return o.dev == d })
		event := b.f.DeviceDown
		if op == 12 {
			event = b.f.DeviceGone
		}
		if got := event(n, b.devs[d]); got != len(s)-len(b.want[i]) {
			b.t.Fatalf("device %d: %d routes went of %v", d, got, s)
		}
	case op == 14: // what is without carrier stays a way, as nobody is to ignore it
		b.f.DeviceCarrier(n, b.devs[dev()], rapid.Bool().Draw(b.t, "carrier"))
	default:
		b.f.DeviceUp(n, b.devs[dev()])
	}
}

// compare asks everything of a Net and its oracle.
func (b *fromBench) compare(i int) {
	for _, dst := range fromAsks {
		for _, who := range fromWhos {
			fl := Flow{Dst: netip.MustParseAddr(dst), Iif: 1}
			if who != "" {
				fl.Src = netip.MustParseAddr(who)
			}
			for fl.Oif = range int32(4) {
				want, errno := b.want[i].find(fl.Dst, fl.Src, int(fl.Oif))
				res, err := b.f.Lookup(b.nets[i], &fl)
				if got, _ := err.(syscall.Errno); got != errno {
					b.t.Fatalf("%s from %q oif %d: %v, want %v of %v", dst, who, fl.Oif, err, errno, b.want[i])
				}
				if err == nil && (res.Prefix() != want.dst || normal(res.From()) != want.from || res.Metric() != want.metric || res.Hop.IfIndex != int32(want.dev)) {
					b.t.Fatalf("%s from %q oif %d: %v from %v metric %d dev %d, want %v", dst, who, fl.Oif, res.Prefix(), res.From(), res.Metric(), res.Hop.IfIndex, want)
				}
			}
		}
	}
	var got, want []string
	for r := range b.f.Routes(b.nets[i], TableMain) {
		dev := 0
		if len(r.NextHops) > 0 {
			dev = int(r.NextHops[0].IfIndex)
		}
		got = append(got, fmt.Sprint(askedFrom{r.Dst, normal(r.From), r.Metric, dev}))
	}
	for _, r := range b.want[i] {
		want = append(want, fmt.Sprint(r))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		b.t.Fatalf("there is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// normal writes all sources as ::/0.
func normal(p netip.Prefix) netip.Prefix {
	if !p.IsValid() {
		return netip.MustParsePrefix("::/0")
	}
	return p
}

func fromAgrees(t *rapid.T) {
	b := newFromBench(t)
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		b.step(rapid.IntRange(0, 1).Draw(t, "net"))
	}
	b.compare(0)
	b.compare(1)
}

// TestFromAgreesWithSlice drives two Nets with routes for some sources, and two
// slices, through the same changes, and compares all that can be asked.
func TestFromAgreesWithSlice(t *testing.T) { rapid.Check(t, fromAgrees) }

// FuzzFrom is the same, of histories that a fuzzer looks for.
func FuzzFrom(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 5})
	f.Fuzz(rapid.MakeFuzz(fromAgrees))
}
