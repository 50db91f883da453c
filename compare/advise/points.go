package advise

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"nsmodel"
	"nsmodel/bench"
	"nsmodel/core/netlink"
	"nsmodel/netns"
)

// A point is a crowd of Nets at which homes of one kind are measured.
type point struct {
	nets, entries int // entries in each Net
	buckets       int
	bursts        []int
}

// points returns where a kind is measured, with at most so many entries.
func points(k Kind, most int) (list []point) {
	bursts := []int{1, 8, 64, 512}
	switch k {
	case Cell, Listeners:
		for n := 4; n <= min(most, 1<<16); n *= 2 {
			list = append(list, point{nets: n, entries: 1, bursts: bursts})
		}
		return list
	}
	for _, n := range []int{1, 8, 64, 512, 4096} {
		for _, e := range []int{1, 6, 36, 216, 1296, 7776, 46656} {
			if n*e > most {
				break
			}
			list = append(list, point{n, e, 0, bursts})
			if n*e >= 64 && n*e <= 1<<16 && e != 216 { // fixed: loads of up to 16
				list = append(list, point{n, e, max(16, n*e/16), bursts})
			}
		}
	}
	return list
}

// A crowd is Nets with homes of one kind.
type crowd struct {
	nets []*netns.Net
	look func(burst int) func(k int) error // lookups in bursts at Nets drawn by chance
	pair func(k int) error                 // an entry added and deleted, in such a Net; nil if there is no law of it
	end  func(victims []int) error         // ends those Nets
	make func(victims []int) error         // puts new ones in their place
	fill func(victims []int) error         // and gives them their entries
}

// chance is a generator that costs a nanosecond.
type chance uint64

func (c *chance) below(k int) int {
	*c ^= *c << 13
	*c ^= *c >> 7
	*c ^= *c << 17
	return int(uint64(*c) >> 32 * uint64(k) >> 32)
}

// key is about as long as a socket's.
type key struct{ a, b uint64 }

func keyOf(i int) key { return key{uint64(i), uint64(i) << 20} }

// newCrowd sets homes of a kind up.
func newCrowd(k Kind, place netns.Placement, pt point, walk bool) (*crowd, error) {
	switch k {
	case Listeners:
		return newListeners(place, pt)
	case Cell:
		return newCells(place, pt, walk)
	}
	return newTables(place, pt, walk)
}

func newTables(place netns.Placement, pt point, walk bool) (*crowd, error) {
	sys := netns.New(netns.Config{Buckets: pt.buckets, Walk: walk})
	t := netns.NewTable[key, *int](sys, "advise", place, netns.Keyed[key]())
	v := new(int)
	c, err := barely(sys, pt, func(n *netns.Net) error {
		for i := range pt.entries {
			if err := t.Add(n, keyOf(i), v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.look = func(burst int) func(int) error {
		rng, n, left := chance(88172645463325252), c.nets[0], 0
		return func(k int) error {
			for range k {
				if left == 0 {
					n, left = c.nets[rng.below(len(c.nets))], burst
				}
				left--
				if _, ok := t.Get(n, keyOf(rng.below(pt.entries))); !ok {
					return fmt.Errorf("advise: an entry is not found")
				}
			}
			return nil
		}
	}
	rng := chance(88172645463325252)
	c.pair = func(k int) error {
		for range k {
			n, own := c.nets[rng.below(len(c.nets))], keyOf(pt.entries)
			if err := t.Add(n, own, v); err != nil {
				return err
			}
			t.Delete(n, own)
		}
		return nil
	}
	return c, nil
}

func newCells(place netns.Placement, pt point, walk bool) (*crowd, error) {
	sys := netns.New(netns.Config{Walk: walk})
	cell := netns.NewCell(sys, "advise", place, func(*netns.Net) *int { return new(int) })
	c, err := barely(sys, pt, func(n *netns.Net) error { cell.Own(n); return nil })
	if err != nil {
		return nil, err
	}
	c.look = func(burst int) func(int) error {
		rng, n, left := chance(88172645463325252), c.nets[0], 0
		return func(k int) error {
			sum := 0
			for range k {
				if left == 0 {
					n, left = c.nets[rng.below(len(c.nets))], burst
				}
				left--
				sum += *cell.Of(n)
			}
			if sum != 0 {
				return fmt.Errorf("advise: a cell is not what it was")
			}
			return nil
		}
	}
	return c, nil
}

// barely boots a System with nothing but what is to be measured, and fills Nets.
func barely(sys *netns.System, pt point, fill func(*netns.Net) error) (*crowd, error) {
	if err := sys.Boot(); err != nil {
		return nil, err
	}
	c := &crowd{nets: make([]*netns.Net, pt.nets)}
	c.make = func(list []int) (err error) {
		sys.Lock()
		defer sys.Unlock()
		for _, i := range list {
			if c.nets[i], err = sys.NewNet(""); err != nil {
				return err
			}
		}
		return nil
	}
	c.fill = func(list []int) error {
		for _, i := range list {
			if err := fill(c.nets[i]); err != nil {
				return err
			}
		}
		return nil
	}
	c.end = func(list []int) error {
		sys.Lock()
		defer sys.Unlock()
		for _, i := range list {
			c.nets[i].Put()
			sys.Reap()
		}
		return nil
	}
	every := make([]int, pt.nets)
	for i := range every {
		every[i] = i
	}
	if err := c.make(every); err != nil {
		return nil, err
	}
	return c, c.fill(every)
}

func newListeners(place netns.Placement, pt point) (*crowd, error) {
	m, err := nsmodel.New(nsmodel.Config{Seed: 1, Place: nsmodel.Places{Netlink: place}})
	if err != nil {
		return nil, err
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	c := new(crowd)
	for range pt.nets {
		n, err := m.Sys.NewNet("")
		if err != nil {
			return nil, err
		}
		if _, err := m.Netlink.Subscribe(n, netlink.GroupLink, 8, nil); err != nil {
			return nil, err
		}
		c.nets = append(c.nets, n)
	}
	c.look = func(burst int) func(int) error {
		rng, n, left := chance(88172645463325252), c.nets[0], 0
		return func(k int) error {
			for range k {
				if left == 0 {
					n, left = c.nets[rng.below(len(c.nets))], burst
				}
				left--
				if !m.Netlink.Listening(n, netlink.GroupLink) {
					return fmt.Errorf("advise: nobody listens")
				}
			}
			return nil
		}
	}
	return c, nil
}

// lives returns ns for the end of one of c's Nets, and for a new one's entries: of
// some turns the lower quartile, each with Nets drawn by chance, which others' traffic has
// pushed out of the cache.
func (c *crowd) lives(budget time.Duration) (end, birth float64, err error) {
	rng := rand.New(rand.NewPCG(3, 4))
	// A quarter of them, that the others stay more; but at least eight if that is half,
	// for one that ends takes no longer than a look at the clock.
	some := max(1, min(64, max(len(c.nets)/4, min(8, len(c.nets)/2))))
	var ends, births []float64
	clock := clockTakes()
	each := func(took time.Duration) float64 { return max(1, float64(took-clock)) / float64(some) }
	for start := bench.ThreadTime(); len(ends) < 3 || len(ends) < 25 && bench.ThreadTime()-start < budget; {
		list := rng.Perm(len(c.nets))[:some]
		took, err := cpuOf(func() error { return c.end(list) })
		if err != nil {
			return 0, 0, err
		}
		ends = append(ends, each(took))
		if err := c.make(list); err != nil {
			return 0, 0, err
		}
		if took, err = cpuOf(func() error { return c.fill(list) }); err != nil {
			return 0, 0, err
		}
		births = append(births, each(took))
	}
	return quarter(ends), quarter(births), nil
}

// clockTakes returns what reading the thread's clock twice adds to what is read:
// of two Nets' ends it would be most.
func clockTakes() time.Duration {
	var took []float64
	for range 101 {
		d, err := cpuOf(func() error { return nil })
		if err == nil {
			took = append(took, float64(d))
		}
	}
	return time.Duration(quarter(took))
}

// quarter returns the lower quartile: Nets differ, and a neighbour can only add.
func quarter(values []float64) float64 {
	slices.Sort(values)
	return values[(len(values)-1)/4]
}

// heap returns the bytes of what is alive.
func heap() float64 {
	runtime.GC()
	runtime.GC() // what the first put on a sync.Pool's second list goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// cpuOf returns the CPU time that f took on this thread.
func cpuOf(f func() error) (time.Duration, error) {
	start := bench.ThreadTime()
	err := f()
	return bench.ThreadTime() - start, err
}

// turns measures operations in turns, A B A B, and returns ns of one of each: the
// least of the rounds, as a neighbour on the computer can only add.
func turns(slice time.Duration, rounds int, ops []func(k int) error) ([]float64, error) {
	counts := make([]int, len(ops))
	for i, op := range ops {
		for k := 64; ; k *= 2 {
			took, err := cpuOf(func() error { return op(k) })
			if err != nil {
				return nil, err
			}
			if took >= slice/4 || k >= 1<<28 {
				counts[i] = max(64, int(float64(k)*float64(slice)/float64(max(took, 1))))
				break
			}
		}
	}
	all := make([]float64, len(ops))
	for i := range all {
		all[i] = math.Inf(1)
	}
	for round := range rounds {
		for j := range ops {
			i := j
			if round%2 == 1 {
				i = len(ops) - 1 - j
			}
			took, err := cpuOf(func() error { return ops[i](counts[i]) })
			if err != nil {
				return nil, err
			}
			all[i] = min(all[i], float64(took)/float64(counts[i]))
		}
	}
	return all, nil
}
