package compare

import (
	"errors"
	"fmt"

	"nsmodel/internal/rtnl"
	"nsmodel/netns"
)

// teardown asks what the end of a namespace costs.
func teardown() *Experiment {
	const others, mine = "others", "own"
	const walk, list = "tagged, walk", "tagged, own list"
	series := []string{walk, list, Replicated}
	return &Experiment{
		Number: 5, Name: "teardown",
		Question: "What does the end of a namespace cost, by its own entries and by those of others?",
		Sources: []string{
			"tcp: Save unnecessary inet_twsk_purge() calls (edc12f032a5a, 2022): the walk of the whole shared table at each end",
			"net: batch destruction of namespaces (2b035b399707, 2009): 7 minutes for 4,000, the rest of it spent in inet_twsk_purge",
			"inet: frags: use rhashtables (648700f76b03, 2018): 'speedup netns dismantle, since this is a critical metric these days'",
			"openperouter/openperouter#462, pelagos-containers/pelagos#183: cleanup is slow and the name still taken",
		},
		Workload: "others: a Net with 1,000 entries ends while 100 others hold N = 0 to 1,000,000 (full: 10,000,000); own: a Net with N = 1 to 100,000 entries ends while others hold 100,000. Walk: every bucket of the shared table, as Linux does. " +
			"Kernel: a namespace with one connection in TIME_WAIT, the kind of entry that the walk is for, ends while others hold N = 0 to 100,000 entries of established TCP connections. " +
			"Of each kind, on both sides: a namespace with N = 0 to 10,000 UDP sockets, permanent neighbours or unfinished datagrams, or none while another one has so many",
		Measured: "CPU time of the end in us; kernel: CPU time of its workers until they rest; UDP sockets, which hold their namespace, are closed first, and that counts",
		Expected: "The walk grows with the entries of others, with a list of its own, or an own table to drop, they do not matter. By own entries all three grow; dropping the copy least, as it unlinks nothing. The kernel walks its shared table of TCP connections: buckets, of which it has more than entries here, and entries, so that it grows with others' too, if by less than ours; with an own table (tcp_child_ehash_entries) it does not. " +
			"The kernel's namespace has a few dozen other subsystems to take down, and ours in this experiment none: its ratio is nearer to 1 by as much. " +
			"UDP sockets, neighbours and fragments are taken down one by one on both sides, so the end grows with one's own in step. Others' do not matter: sockets hang in chains that nobody walks then, neighbours on their device " +
			"(Linux walked the whole table until 6.13), fragments in a table for each namespace since 4.17; here in a list of the Net's own.",
		Kernel: "TCP connections over the loopback of namespaces of its own, with tcp_child_ehash_entries at 0 (shared: walked) and at 1024 (own: dropped). UDP sockets, with udp_child_hash_entries at 0 and at 16384, neighbours on a veth (a shared table), first fragments sent to 127.0.0.1 and ::1 (own tables)",
		Figures: append([]Figure{
			{Name: others, Title: "The end of a namespace, others hold N entries", X: "entries of others", Y: "CPU time of the end (us)", LogX: true, LogY: true},
			{Name: mine, Title: "The end of a namespace with N entries", X: "own entries", Y: "CPU time of the end (us)", LogX: true, LogY: true},
		}, endFigures()...),
		Pairs: append([]Pair{
			{Name: "shared and walked : own table, 100,000 entries of others", Figure: others, Lower: true, Above: Point{walk, 100_000}, Below: Point{Replicated, 100_000},
				Cause: "By perf inet_twsk_purge is over four fifths of what the kernel's workers do then. An entry on its way costs it 70 to 120 ns by these figures, a step into a socket of two kilobytes, and the model 20, a step into an entry of a hundred bytes; " +
					"and a bare Net's end is 2 us, where a kernel namespace has two thirds of a millisecond of other subsystems to take down"},
		}, endPairs()...),
		Run: func(r *Run) error {
			var arms []Arm
			for _, n := range r.roomy("others' entries", Sweep(true, Pick(r, 1_000_000, 1_000_000, 10_000_000)), 3*entryBytes) {
				for _, s := range series {
					arms = append(arms, Arm{Key{others, Model, s, float64(n)}, func() (*Stand, error) { return teardownStand(s, n, 1000) }})
				}
			}
			if err := r.Group("the end of a namespace among entries of others", thin(r, arms)...); err != nil {
				return err
			}
			for _, n := range []int{0, Pick(r, 10_000, 10_000, 10_000), Pick(r, 100_000, 100_000, 100_000)} {
				arms = nil
				for _, s := range []string{walk, Replicated} {
					arms = append(arms, Arm{Key{others, Kernel, s, float64(n)}, func() (*Stand, error) { return teardownKernel(r, s, n) }})
				}
				if err := r.Group(fmt.Sprintf("kernel: the end of a namespace among %d TCP connections of others", n), arms...); err != nil {
					return err
				}
			}
			arms = nil
			for _, n := range Sweep(false, Pick(r, 100_000, 100_000, 1_000_000)) {
				for _, s := range series {
					arms = append(arms, Arm{Key{mine, Model, s, float64(n)}, func() (*Stand, error) { return teardownStand(s, 100_000, n) }})
				}
			}
			if err := r.Group("the end of a namespace with entries of its own", thin(r, arms)...); err != nil {
				return err
			}
			return teardownKinds(r)
		},
		Answer: func(d *Data) string {
			n, _ := d.Largest(others, Model, walk)
			k, _ := d.Largest(mine, Model, walk)
			at := func(fig, s string, x float64) Key { return Key{fig, Model, s, x} }
			return fmt.Sprintf("Among %.0f entries of others, against an own table that is dropped: walking %v, own list %v. With %.0f own entries: walking %v, own list %v.",
				n, d.Ratio(at(others, walk, n), at(others, Replicated, n)), d.Ratio(at(others, list, n), at(others, Replicated, n)),
				k, d.Ratio(at(mine, walk, k), at(mine, Replicated, k)), d.Ratio(at(mine, list, k), at(mine, Replicated, k))) + endAnswer(d)
		},
	}
}

func teardownStand(series string, others, mine int) (*Stand, error) {
	const crowd = 100
	b, err := newBed(series, netns.Config{Walk: series == "tagged, walk"}, crowd)
	if err != nil {
		return nil, err
	}
	for _, n := range b.nets {
		if err := b.add(n, 0, others/crowd); err != nil {
			return nil, err
		}
	}
	return &Stand{Sample: func() (float64, error) {
		b.sys.Lock()
		defer b.sys.Unlock()
		n, err := b.sys.NewNet("")
		if err != nil {
			return 0, err
		}
		if err := b.add(n, 0, mine); err != nil {
			return 0, err
		}
		n.Put()
		took, err := cpuOf(func() error { b.sys.Reap(); return nil })
		return took.Seconds() * 1e6, err
	}}, nil
}

// teardownKernel has the kernel take down a namespace with one connection in
// TIME_WAIT.
func teardownKernel(r *Run, series string, others int) (*Stand, error) {
	b, err := r.newBox()
	if err != nil {
		return nil, err
	}
	const key = "net.ipv4.tcp_child_ehash_entries"
	if err := withSysctl(key, own(series, 1024), func() error { return b.holdTCP(others) }); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &Stand{Close: b.Close, Sample: func() (took float64, err error) {
		err = withSysctl(key, own(series, 1024), func() error {
			ns, err := rtnl.NewNamespace()
			if err != nil {
				return err
			}
			if err := ns.Do(timeWait); err != nil {
				return errors.Join(err, ns.Close())
			}
			before, err := kernelRest()
			if err != nil {
				return errors.Join(err, ns.Close())
			}
			if err := ns.Close(); err != nil {
				return err
			}
			after, err := kernelWorked(before)
			took = float64((after - before).Microseconds())
			return err
		})
		return took, err
	}}, nil
}
