package compare

import (
	"fmt"
	"math/bits"

	"nsmodel/netns"
)

// flood asks who pays when somebody chooses keys that collide.
func flood() *Experiment {
	const victim, attacker = "victim", "attacker"
	const weak, keyed = ", weak hash", ", keyed hash"
	return &Experiment{
		Number: 10, Name: "flood",
		Question: "One namespace files N keys chosen to collide: what does a lookup cost it, and its neighbour?",
		Sources: []string{
			"Crosby and Wallach, denial of service by algorithmic complexity, 2003: the case against hashes without a secret",
			"netns: provide pure entropy for net_hash_mix (355b98553789, CVE-2019-10639): a mix that can be guessed",
		},
		Workload: "the attacker files N = 1 to 3,000 (full: 30,000) keys that collide under a hash without a secret; the victim, in the same bucket by its own choice of keys, holds 100; weak: multiply and shift, keyed: hash/maphash with a seed of the table's",
		Measured: "CPU time of a random lookup of the victim's own 100 keys, and of the attacker's, in ns",
		Expected: "Under a keyed hash nobody notices. Under a weak one the attacker's own lookups grow with N wherever the table stands; the victim's do too in a shared table whose bucket the attacker can reach, which takes knowing how the tag is mixed in, and never with an own table.",
		Kernel:   "none: its hashes are keyed at boot, and nobody can choose keys without the secret",
		Figures: []Figure{
			{Name: victim, Title: "The victim's lookup", X: "colliding keys of the attacker", Y: "CPU time of a lookup (ns)", LogX: true, LogY: true},
			{Name: attacker, Title: "The attacker's lookup", X: "colliding keys of the attacker", Y: "CPU time of a lookup (ns)", LogX: true, LogY: true},
		},
		Run: func(r *Run) error {
			for _, fig := range []string{victim, attacker} {
				var arms []Arm
				for _, n := range Sweep(false, Pick(r, 3000, 3000, 30_000)) {
					for _, series := range []string{Tagged, Replicated} {
						for _, how := range []string{weak, keyed} {
							arms = append(arms, Arm{Key{fig, Model, series + how, float64(n)}, func() (*Stand, error) { return floodStand(r, series, how == keyed, fig == victim, n) }})
						}
					}
				}
				if err := r.Group("chosen keys: the "+fig, arms...); err != nil {
					return err
				}
			}
			return nil
		},
		Answer: func(d *Data) string {
			n, _ := d.Largest(victim, Model, Tagged+weak)
			grown := func(fig, series string) Ratio {
				return d.Ratio(Key{fig, Model, series, n}, Key{fig, Model, series, 1})
			}
			return fmt.Sprintf("With %.0f chosen keys against 1, a weak hash: the victim's lookup in a shared table %v, in its own %v; the attacker's %v and %v. A keyed hash: the victim %v and %v.", n,
				grown(victim, Tagged+weak), grown(victim, Replicated+weak), grown(attacker, Tagged+weak), grown(attacker, Replicated+weak), grown(victim, Tagged+keyed), grown(victim, Replicated+keyed))
		},
	}
}

// weakSum is a hash without a secret, by which keys that differ by a multiple of
// 2^32 in a collide.
func weakSum(k key16) uint64 { return (k.a<<32 ^ k.b) * 0x9e3779b97f4a7c15 }

func floodStand(r *Run, series string, keyed, victim bool, n int) (*Stand, error) {
	const own = 100
	sum := weakSum
	if keyed {
		sum = netns.Keyed[key16]()
	}
	// No mix: an attacker who can guess it is one who need not.
	b, err := newBedWith(series, netns.Config{Unmixed: true}, 2, sum)
	if err != nil {
		return nil, err
	}
	file := func(who *netns.Net, k int, key func(int) key16) error {
		for i := range k {
			if err := b.t.Add(who, key(i), b.v); err != nil {
				return err
			}
		}
		return nil
	}
	// All in one bucket: the same b, and a in the bits that the shift drops.
	chosen := func(i int) key16 { return key16{uint64(i+1) << 32, 7} }
	if err := file(b.nets[0], own, chosen); err != nil {
		return nil, err
	}
	if err := file(b.nets[1], n, chosen); err != nil {
		return nil, err
	}
	who, k := b.nets[0], own
	if !victim {
		who, k = b.nets[1], n
	}
	stride := 1<<bits.Len(uint(k)) - 1 // odd, so that it visits all
	at := 0
	return r.Repeat(func(times int) error {
		for range times {
			at = (at + stride) % k
			if _, ok := b.t.Get(who, chosen(at)); !ok {
				return fmt.Errorf("key %d not found", at)
			}
		}
		return nil
	})
}
