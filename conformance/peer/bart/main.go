// Command bart measures longest-prefix match in nsmodel's routing tables beside
// github.com/gaissmai/bart, a routing table that is widely used. It is a module of
// its own, so that nsmodel does not depend on bart.
//
// Both hold the same routes and are asked for the same addresses in turns, in one
// run. Ours is asked through fib.Lookup, as a packet would be: the rules are passed
// and a next hop is chosen, which bart does not do. "nsmodel bare" is the same table
// asked through fib.Match, which does just what bart does.
//
//	cd conformance/peer/bart && go run .
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"time"

	"nsmodel/bench"
	"nsmodel/bench/stage"
	"nsmodel/fib"
)

// A Figure is what one table took for one thing, the median of the rounds, and
// the median of the rounds' quotients with bart.Table.
type Figure struct {
	Family string  `json:"family"`
	Routes int     `json:"routes"`
	What   string  `json:"what"`
	Table  string  `json:"table"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Ratio  float64 `json:"ratio"`
}

func main() {
	rounds := flag.Int("rounds", 11, "rounds of which the median is taken")
	slice := flag.Int("keys", 1<<16, "lookups a round and table, each for another address")
	small := flag.Int("tables", 10_000, "tables of four routes")
	v4 := flag.Int("v4", 1_000_000, "IPv4 routes")
	v6 := flag.Int("v6", 200_000, "IPv6 routes")
	asJSON := flag.Bool("json", false, "print a line of JSON for each figure")
	flag.Parse()
	runtime.LockOSThread()
	report := func(f Figure) {
		if *asJSON {
			json.NewEncoder(os.Stdout).Encode(f)
			return
		}
		fmt.Printf("%-5s %8d routes  %-18s %-12s %10.1f %-9s %5.2f of bart.Table\n", f.Family, f.Routes, f.What, f.Table, f.Value, f.Unit, f.Ratio)
	}
	for _, set := range []struct {
		family fib.Family
		count  int
	}{{fib.IPv4, 1000}, {fib.IPv4, 100_000}, {fib.IPv4, *v4}, {fib.IPv6, *v6}} {
		large(set.family, set.count, *rounds, *slice, report)
	}
	many(*small, report)
}

// large measures one large table of each sort.
func large(family fib.Family, count, rounds, slice int, report func(Figure)) {
	routes := stage.Prefixes(family, count)
	tables := makers(family)
	figure := func(what, unit string, values [][]float64) {
		for i, m := range tables {
			report(Figure{family.String(), count, what, m.name, median(values[i]), unit, median(quotients(values[i], values[0]))})
		}
	}
	memory, insert := make([][]float64, len(tables)), make([][]float64, len(tables))
	made := make([]table, len(tables))
	for i, m := range tables {
		before := heap()
		made[i] = m.make()
		start := bench.ThreadTime()
		made[i].fill(routes)
		took := bench.ThreadTime() - start
		memory[i] = []float64{float64(int64(heap()-before)) / float64(count)}
		insert[i] = []float64{float64(count) / took.Seconds()}
	}
	agree(made, stage.Random(family, 4096))
	agree(made, stage.Hits(routes, 4096))
	for _, keys := range []struct {
		what string
		list []netip.Addr
	}{{"lookup, hits", stage.Hits(routes, slice)}, {"lookup, random", stage.Random(family, slice)}} {
		values := make([][]float64, len(tables))
		for round := range rounds + 1 {
			for i := range tables {
				v := float64(clock(func() { made[i].lookups(keys.list) })) / float64(slice)
				if round > 0 { // the first warms up
					values[i] = append(values[i], v)
				}
			}
		}
		figure(keys.what, "ns", values)
	}
	figure("memory", "B/route", memory)
	figure("insert, one by one", "routes/s", insert)
}

// many measures many tables of four routes.
func many(count int, report func(Figure)) {
	for _, family := range []fib.Family{fib.IPv4, fib.IPv6} {
		routes := stage.Prefixes(family, 4)
		var first float64
		for _, m := range makers(family) {
			if m.another == nil {
				continue
			}
			list := make([]table, count)
			before := heap()
			for i := range list {
				list[i] = m.another(list[:i])
			}
			between := heap()
			for _, t := range list {
				t.fill(routes)
			}
			// What a Net is before it has a route is not its routing table's.
			v := float64(int64(heap()-between)) / float64(count)
			if m.empty {
				v += float64(int64(between-before)) / float64(count)
			}
			if first == 0 {
				first = v
			}
			report(Figure{family.String(), 4, fmt.Sprintf("%d tables", count), m.name, v, "B/table", v / first})
			runtime.KeepAlive(list)
		}
	}
}

// agree ends the program if two tables do not say the same: figures of tables
// that do not hold the same are worth nothing.
func agree(made []table, keys []netip.Addr) {
	for _, a := range keys {
		want := made[0].hop(a)
		for i, t := range made {
			if got := t.hop(a); got != want {
				fmt.Fprintf(os.Stderr, "bart: %v: table %d says %d, the first %d\n", a, i, got, want)
				os.Exit(1)
			}
		}
	}
}

func clock(f func()) time.Duration {
	start := bench.ThreadTime()
	f()
	return bench.ThreadTime() - start
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

func quotients(a, b []float64) (q []float64) {
	for i := range a {
		q = append(q, a[i]/b[i])
	}
	return q
}
