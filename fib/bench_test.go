package fib

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"

	"nsmodel/netns"
)

// randomRoutes returns prefixes with the lengths of a full Internet table: most
// at /24 (IPv6: /48), with shorter ones above and some hosts below.
func randomRoutes(f Family, count int) []netip.Prefix {
	rng := rand.New(rand.NewPCG(uint64(count), uint64(f)))
	lens := []int{24, 24, 24, 24, 24, 24, 23, 22, 22, 20, 19, 16, 32}
	if f == IPv6 {
		lens = []int{48, 48, 48, 48, 48, 46, 44, 40, 36, 32, 32, 29, 64, 128}
	}
	seen := make(map[netip.Prefix]bool, count)
	out := make([]netip.Prefix, 0, count)
	for len(out) < count {
		k := key{hi: rng.Uint64(), lo: rng.Uint64()}
		if f == IPv6 {
			k.hi = k.hi&(1<<60-1) | 2<<60
		}
		p, _ := k.addr(f).Prefix(lens[rng.IntN(len(lens))])
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// fill gives n those routes over a few next hops.
func (b *bench) fill(n *netns.Net, routes []netip.Prefix) {
	b.sys.Lock()
	defer b.sys.Unlock()
	for i, p := range routes {
		d := 1 + i%4
		r := Route{Dst: p, Type: Unicast, Scope: Link, NextHops: []NextHop{{Dev: b.devs[d], IfIndex: int32(d)}}}
		if err := b.fib.Add(n, r, AddRoute); err != nil {
			b.t.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		for _, size := range []struct{ nets, routes int }{{1, 4}, {1, 1000}, {1, 100_000}, {1, 1_000_000}, {10_000, 4}} {
			if size.routes == 1_000_000 && testing.Short() {
				continue
			}
			b.Run(fmt.Sprintf("place=%v/nets=%d/routes=%d", place, size.nets, size.routes), func(b *testing.B) {
				w := newBench(b, place, netns.Config{Seed: 1})
				routes := randomRoutes(IPv4, size.routes)
				var nets []*netns.Net
				for range size.nets {
					n := w.net("")
					w.fill(n, routes)
					nets = append(nets, n)
				}
				lookups(b, w.fib, nets, routes)
			})
		}
	}
}

// lookups measures lookups of addresses below the routes, in random order.
func lookups(b *testing.B, f *FIB, nets []*netns.Net, routes []netip.Prefix) {
	rng := rand.New(rand.NewPCG(3, 4))
	dsts := make([]netip.Addr, 1<<16)
	for i := range dsts {
		dsts[i] = routes[rng.IntN(len(routes))].Addr().Next()
	}
	runtime.GC()
	b.ReportAllocs()
	var fl Flow
	i := 0
	for b.Loop() {
		fl.Dst = dsts[i&(1<<16-1)]
		f.Lookup(nets[i%len(nets)], &fl)
		i++
	}
}

// BenchmarkLookupStock is the common case: loopback, one address, a default
// route, the stock rules.
func BenchmarkLookupStock(b *testing.B) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		for _, ruled := range []bool{false, true} {
			b.Run(fmt.Sprintf("place=%v/rules=%v", place, ruled), func(b *testing.B) {
				w := newBench(b, place, netns.Config{Seed: 1})
				n := w.net("n")
				w.script(n, start+"$ add default via 10.0.0.1")
				if ruled {
					w.script(n, "$ rule add from 1.2.3.4 table 100")
				}
				fl := Flow{Dst: netip.MustParseAddr("8.8.8.8")}
				b.ReportAllocs()
				for b.Loop() {
					w.fib.Lookup(n, &fl)
				}
			})
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory reports bytes a route of large tables and bytes a Net of
// small ones.
func BenchmarkMemory(b *testing.B) {
	for _, f := range []struct {
		family Family
		count  int
	}{{IPv4, 1000}, {IPv4, 1_000_000}, {IPv6, 200_000}} {
		b.Run(fmt.Sprintf("family=%v/routes=%d", f.family, f.count), func(b *testing.B) {
			for b.Loop() {
				w := newBench(b, netns.Replicated, netns.Config{})
				w.fib.conf.Family = f.family
				n, routes := w.net("n"), randomRoutes(f.family, f.count)
				before := heap()
				w.fill(n, routes)
				b.ReportMetric(float64(heap()-before)/float64(f.count), "B/route")
				runtime.KeepAlive(routes)
				runtime.KeepAlive(w)
			}
		})
	}
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		for _, script := range []string{"untouched", "loopback", "four"} {
			b.Run(fmt.Sprintf("place=%v/net=%s", place, script), func(b *testing.B) {
				for b.Loop() {
					b.ReportMetric(perNet(b, place, script), "B/net")
				}
			})
		}
	}
}

// perNet returns the bytes of FIB that each of 10,000 Nets costs.
func perNet(t testing.TB, place netns.Placement, script string) float64 {
	const count = 10_000
	w := newBench(t, place, netns.Config{})
	var nets []*netns.Net
	for range count {
		n := w.net("")
		w.other.Own(n) // what a Net pays once for all its homes is not the FIB's
		nets = append(nets, n)
	}
	lines := map[string]string{
		"loopback": "$ add local 127.0.0.1 dev lo src 127.0.0.1\n$ add local 127.0.0.0/8 dev lo src 127.0.0.1\n$ add broadcast 127.255.255.255 dev lo src 127.0.0.1",
		"four":     "$ add local 10.0.0.5 dev d1 src 10.0.0.5 \n$ add 10.0.0.0/24 dev d1 src 10.0.0.5\n$ add broadcast 10.0.0.255 dev d1 src 10.0.0.5\n$ add default via 10.0.0.1",
	}
	before := heap()
	for _, n := range nets {
		if lines[script] != "" {
			w.script(n, lines[script])
		}
		w.fib.Lookup(n, &Flow{Dst: limited})
	}
	bytes := float64(int64(heap()-before)) / count
	runtime.KeepAlive(nets)
	runtime.KeepAlive(w)
	return bytes
}

func BenchmarkAdd(b *testing.B) {
	for _, count := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("routes=%d", count), func(b *testing.B) {
			routes := randomRoutes(IPv4, count)
			for b.Loop() {
				w := newBench(b, netns.Replicated, netns.Config{})
				w.fill(w.net("n"), routes)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/route")
		})
	}
}
