package compare

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"nsmodel/netns"
)

// workers asks what two cores do to one table.
func workers() *Experiment {
	const rate = "rate"
	const lookups, inserts = ", lookups", ", inserts"
	return &Experiment{
		Number: 7, Name: "workers",
		Question: "What do two workers, each busy with a namespace of its own, get out of one shared table against two own ones?",
		Sources: []string{
			"udp: Introduce optional per-netns hash table (9804985bf27f): 'reduce lock contention' among its reasons",
			"ipv4: Namespacify IPv4 address hash (1675f385213e, 2024): a lock shared by all namespaces stands in the way of an RTNL for each",
		},
		Workload: "one or two goroutines, each with 1,000 entries in a Net of its own: lookups of random own keys, or an entry added and deleted in turns",
		Measured: "operations of all workers per second of wall time, in millions",
		Expected: "Lookups take no lock, so two workers do twice the work of one under either placement, if this computer has two whole cores to give. Inserts take the home's lock: shared, two workers together do less than one alone; each with its own, twice as much.",
		Kernel:   "none yet: it takes sockets opened and closed on two cores at once, whose own cost hides the lock's",
		Figures:  []Figure{{Name: rate, Title: "Two workers on one table, or each on its own", X: "workers", Y: "operations (millions/s)"}},
		Run: func(r *Run) error {
			var arms []Arm
			for _, k := range []int{1, 2} {
				for _, series := range []string{Tagged, Replicated} {
					for _, what := range []string{lookups, inserts} {
						arms = append(arms, Arm{Key{rate, Model, series + what, float64(k)}, func() (*Stand, error) { return workersStand(r, series, what == inserts, k) }})
					}
				}
			}
			return r.Group("workers side by side", arms...)
		},
		Answer: func(d *Data) string {
			both := func(series string) Ratio {
				return d.Ratio(Key{rate, Model, series, 2}, Key{rate, Model, series, 1})
			}
			return fmt.Sprintf("Two workers against one: lookups shared %v, own %v; inserts shared %v, own %v.",
				both(Tagged+lookups), both(Replicated+lookups), both(Tagged+inserts), both(Replicated+inserts))
		},
	}
}

func workersStand(r *Run, series string, insert bool, k int) (*Stand, error) {
	const entries = 1000
	b, err := newBed(series, netns.Config{}, 2)
	if err != nil {
		return nil, err
	}
	for _, n := range b.nets {
		if err := b.add(n, 0, entries); err != nil {
			return nil, err
		}
	}
	work := func(n *netns.Net, stop *atomic.Bool) (done int, err error) {
		for at := 0; done == 0 || !stop.Load(); done += 64 { // on a busy computer the end may come before the beginning
			for range 64 {
				at = (at + 619) % entries
				if !insert {
					if err := b.get(n, at); err != nil {
						return done, err
					}
					continue
				}
				key := keyOf(entries + at)
				if err := b.t.Add(n, key, b.v); err != nil {
					return done, err
				}
				b.t.Delete(n, key)
			}
		}
		return done, nil
	}
	return &Stand{Sample: func() (float64, error) {
		var stop atomic.Bool
		var wg sync.WaitGroup
		counts, errs := make([]int, k), make([]error, k)
		start := time.Now()
		for i := range k {
			wg.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				counts[i], errs[i] = work(b.nets[i], &stop)
			})
		}
		time.Sleep(r.slice())
		stop.Store(true)
		wg.Wait()
		took := time.Since(start)
		total := 0
		for i := range k {
			if errs[i] != nil {
				return 0, errs[i]
			}
			total += counts[i]
		}
		return float64(total) / took.Seconds() / 1e6, nil
	}}, nil
}
