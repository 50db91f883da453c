package soak

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"nsmodel/core"
	"nsmodel/netns"
)

// A Gauge is what the process uses at one moment, garbage apart.
type Gauge struct {
	Heap, RSS       uint64 // bytes
	Goroutines, FDs int
}

func gauge() Gauge {
	runtime.GC()
	debug.FreeOSMemory()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return Gauge{Heap: mem.HeapAlloc, RSS: resident(), Goroutines: runtime.NumGoroutine(), FDs: files()}
}

// resident returns the bytes of memory that the process has for itself; 0 where
// /proc is not. The rings of NICs, which the kernel lends it, are not among them:
// they come and go with the NICs that happen to be there.
func resident() uint64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			var kb uint64
			fmt.Sscan(value, &kb) // 0 if it is none
			return kb << 10
		}
	}
	return 0
}

// files returns how many files are open; 0 where /proc is not.
func files() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// String prints the gauge for a person.
func (g Gauge) String() string {
	return fmt.Sprintf("heap %.2f MB, resident %.1f MB, %d goroutines, %d files", float64(g.Heap)/1e6, float64(g.RSS)/1e6, g.Goroutines, g.FDs)
}

// A Plateau is a moment at which the crews stood still, the town was gone, and nothing was under way.
type Plateau struct {
	At time.Duration
	Gauge
}

// plateaus is how many a soak has at least, at equal distances.
const plateaus = 10

// plateauMost is the longest time between two, so that Ctrl-C of a long soak
// finds enough of them.
const plateauMost = time.Minute

// watch waits for the end, tells of the progress every second, and takes the
// plateaus.
func (o *ordeal) watch(ctx context.Context, start time.Time) (ps []Plateau) {
	step := min(o.c.For/plateaus, plateauMost)
	next, second := step, time.Second
	for {
		at := time.Since(start)
		select {
		case <-ctx.Done():
			fmt.Fprintln(o.c.Out, "soak: interrupted")
			return append(ps, o.plateau(start))
		case <-time.After(max(0, min(next, second, o.c.For)-at)):
		}
		at = time.Since(start)
		if at >= second {
			fmt.Fprintln(o.c.Out, o.progress(at))
			second = at.Truncate(time.Second) + time.Second
		}
		if at >= next || at >= o.c.For {
			p := o.plateau(start)
			ps = append(ps, p)
			fmt.Fprintf(o.c.Out, "soak: standing still after %.0f s: %v\n", p.At.Seconds(), p.Gauge)
			if next += step; at >= o.c.For {
				return ps
			}
		}
	}
}

// progress is the line of a second.
func (o *ordeal) progress(at time.Duration) string {
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return fmt.Sprintf("soak: %4.0fs  %d frames  %d nets  %d flaps  %d talks  drops %s  heap %.2f MB  %d goroutines  %d packets out",
		at.Seconds(), o.frames.Load(), o.nets.Load(), o.flaps.Load(), o.exchanges.Load(), topDrops(o.m.Core.TotalLedger().Reasons),
		float64(mem.HeapAlloc)/1e6, runtime.NumGoroutine(), o.m.Core.Outstanding())
}

// topDrops names the three reasons for which most packets were dropped.
func topDrops(reasons map[string]uint64) string {
	var sum uint64
	var names []string
	for name, k := range reasons {
		sum += k
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := int64(reasons[b]) - int64(reasons[a]); d != 0 {
			return int(d)
		}
		return strings.Compare(a, b)
	})
	var b strings.Builder
	fmt.Fprint(&b, sum)
	for i, name := range names[:min(3, len(names))] {
		fmt.Fprintf(&b, "%s%s %d%%", []string{" (", ", ", ", "}[i], name, reasons[name]*100/sum)
	}
	if sum > 0 {
		b.WriteString(")")
	}
	return b.String()
}

// plateau has the crews stand still, razes the town with all that it has learnt,
// looks at the books and the innocents, and builds it again.
func (o *ordeal) plateau(start time.Time) Plateau {
	o.gate.Lock()
	defer o.gate.Unlock()
	o.raze()
	o.rest()
	o.mu.Lock()
	graves := o.graves
	o.graves = nil
	o.mu.Unlock()
	if kept := graves.Kept(); kept != "" {
		o.fault("%s", kept)
	}
	if seen, err := o.innocents(); err != nil || seen != o.quiet {
		o.fault("who is not concerned noticed: %v\n%s\nwas\n%s", err, seen, o.quiet)
	}
	for _, t := range o.talks {
		t.audit()
	}
	p := Plateau{time.Since(start), gauge()}
	if _, err := run(o.in, town+town6); err != nil {
		o.fault("the town cannot be built again: %v", err)
	}
	return p
}

// rest waits until nothing is under way any more.
func (o *ordeal) rest() {
	var bad string
	most := 15 * time.Second
	if o.hurry {
		most = 100 * time.Millisecond
	}
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		want := netns.Census{Living: o.living, Memory: o.living}
		switch c, readers := o.m.Sys.Census(), o.readers.Load(); {
		case readers != 0:
			bad = fmt.Sprintf("%d readers sleep on in dead Nets or closed sockets", readers)
		case c != want:
			bad = fmt.Sprintf("Nets: %+v, want %+v", c, want)
		default:
			bad = Imbalance(o.m)
		}
		if bad == "" {
			return
		}
	}
	o.fault("nothing moves, and still: %s", bad)
}

func (o *ordeal) sayPlateau(when string, g Gauge) {
	fmt.Fprintf(o.c.Out, "soak: at the %s: %v\n", when, g)
}

// after waits until the process is as it was before.
func (o *ordeal) after(before Gauge) (g Gauge) {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if g = gauge(); g.Goroutines <= before.Goroutines && g.FDs <= before.FDs {
			break
		}
		if time.Now().After(end) {
			o.fault("%d goroutines and %d files after the end, %d and %d before", g.Goroutines, g.FDs, before.Goroutines, before.FDs)
			break
		}
	}
	if kept := o.graves.Kept(); kept != "" {
		o.fault("after the end: %s", kept)
	}
	o.sayPlateau("beginning", before)
	o.sayPlateau("end of everything", g)
	return g
}

// fillPools makes the packet pools as full as they can become, so that a heap
// that grows does not grow for them: those of as many process contexts as there
// may be at once, and what they share.
func (o *ordeal) fillPools() {
	var contexts [24]*core.Worker
	var out [len(contexts)][]*core.Packet
	for i := range contexts {
		contexts[i] = o.m.Core.Enter()
		for k := range 600 {
			size := 100
			if k < 4 {
				size = 60000
			}
			out[i] = append(out[i], contexts[i].NewFrame(size))
		}
	}
	for i, w := range contexts {
		for _, p := range out[i] {
			w.Drop(p, core.NotSpecified)
		}
	}
	for _, w := range contexts {
		w.Leave()
	}
}

// What memory may grow between the early plateaus and the late ones. The heap
// is exact but for what tables and workers keep for the next time; resident
// memory is what the runtime has asked for at its worst moment.
const (
	heapGrows, heapSlack = 1.05, 1 << 20
	rssGrows, rssSlack   = 1.25, 16 << 20
)

// flat says whether memory has grown, "" if not: the mean of the last three
// plateaus may not be more than that of the second to the fourth and a little.
// The first is left out, for tables and pools are filled until then. With less
// than seven plateaus there is nothing to compare.
func flat(ps []Plateau) string {
	if len(ps) < 7 {
		return ""
	}
	mean := func(ps []Plateau, of func(Plateau) uint64) (sum float64) {
		for _, p := range ps {
			sum += float64(of(p)) / float64(len(ps))
		}
		return sum
	}
	heap, rss := func(p Plateau) uint64 { return p.Heap }, func(p Plateau) uint64 { return p.RSS }
	early, late := ps[1:4], ps[len(ps)-3:]
	if a, b := mean(early, heap), mean(late, heap); b > a*heapGrows+heapSlack {
		return fmt.Sprintf("the heap has grown from %.2f to %.2f MB", a/1e6, b/1e6)
	}
	if a, b := mean(early, rss), mean(late, rss); b > a*rssGrows+rssSlack {
		return fmt.Sprintf("resident memory has grown from %.1f to %.1f MB", a/1e6, b/1e6)
	}
	return ""
}

// Table prints the plateaus, a line each.
func (r *Report) Table() string {
	var b strings.Builder
	fmt.Fprintln(&b, "soak: standing still, without the town:")
	for _, p := range r.Plateaus {
		fmt.Fprintf(&b, "soak:   after %6.1fs  %v\n", p.At.Seconds(), p.Gauge)
	}
	fmt.Fprintf(&b, "soak: flat is: the mean of the last three not over %.2f times that of the second to the fourth and %d KB (heap), %.2f times and %d MB (resident)\n",
		heapGrows, heapSlack>>10, rssGrows, rssSlack>>20)
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "soak: fault: %s\n", f)
	}
	return b.String()
}
