package compare

import (
	"fmt"
	"math/rand/v2"

	"nsmodel/netns"
)

// cache asks what the processor's caches make of the placements.
func cache() *Experiment {
	const burst = "burst"
	const scattered, together = ", entries scattered", ", entries together"
	return &Experiment{
		Number: 8, Name: "cache",
		Question: "Is a lookup in an own table cheaper because its entries lie together, and when?",
		Sources: []string{
			"1 million entries in one tagged table against 10,000 tables of 100: equal on random access, better under bursts in a sketch of this project's",
			"Dumazet on IPv4 addresses and fragments (2018, 2022): replicate what the fast path walks",
		},
		Workload: "1,000 namespaces (full: 10,000) with 100 entries each; lookups in bursts of 1 to 1,000 on one namespace before the next is drawn; entries made namespace by namespace (together) or in turns (scattered)",
		Measured: "CPU time of a lookup in ns",
		Expected: "Random access (bursts of 1) misses the cache under either placement: no difference. In long bursts an own table's 100 entries and its buckets stay in the cache, where a shared table's buckets are " +
			"spread over all of it; so replicated wins by up to half from bursts of about 100 on. Scattered entries cost both placements the same, as neither moves an entry.",
		Kernel:  "none: the kernel offers no lookup of its tables that is not hidden under a system call of a microsecond",
		Figures: []Figure{{Name: burst, Title: "Lookups in bursts", X: "lookups on one namespace in a row", Y: "CPU time of a lookup (ns)", LogX: true}},
		Run: func(r *Run) error {
			var arms []Arm
			for _, in := range Sweep(false, 1000) {
				for _, series := range []string{Tagged, Replicated} {
					for _, how := range []string{scattered, together} {
						arms = append(arms, Arm{Key{burst, Model, series + how, float64(in)}, func() (*Stand, error) { return cacheStand(r, series, how == together, in) }})
					}
				}
			}
			return r.Group("lookups in bursts", arms...)
		},
		Answer: func(d *Data) string {
			at := func(series string, x float64) Key { return Key{burst, Model, series, x} }
			return fmt.Sprintf("A shared table against own ones, entries scattered: at random %v, in bursts of 1,000 %v. Entries together: at random %v, in bursts of 1,000 %v.",
				d.Ratio(at(Tagged+scattered, 1), at(Replicated+scattered, 1)), d.Ratio(at(Tagged+scattered, 1000), at(Replicated+scattered, 1000)),
				d.Ratio(at(Tagged+together, 1), at(Replicated+together, 1)), d.Ratio(at(Tagged+together, 1000), at(Replicated+together, 1000)))
		},
	}
}

func cacheStand(r *Run, series string, together bool, burst int) (*Stand, error) {
	const entries = 100
	nets := Pick(r, 1000, 1000, 10_000)
	b, err := newBed(series, netns.Config{}, nets)
	if err != nil {
		return nil, err
	}
	if together {
		for _, n := range b.nets {
			if err := b.add(n, 0, entries); err != nil {
				return nil, err
			}
		}
	} else {
		for i := range entries {
			for _, n := range b.nets {
				if err := b.add(n, i, i+1); err != nil {
					return nil, err
				}
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	type draw struct {
		n *netns.Net
		i int
	}
	order := make([]draw, 1<<16)
	for i := range order {
		if i%burst == 0 {
			order[i].n = b.nets[rng.IntN(nets)]
		} else {
			order[i].n = order[i-1].n
		}
		order[i].i = rng.IntN(entries)
	}
	at := 0
	return r.Repeat(func(k int) error {
		for range k {
			o := &order[at&(len(order)-1)]
			at++
			if err := b.get(o.n, o.i); err != nil {
				return err
			}
		}
		return nil
	})
}
