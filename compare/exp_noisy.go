package compare

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/transport/udp"
)

// hostWide is a shared table whose limit counts the entries of all.
const hostWide = "tagged, host's limit"

// Figures of noisy.
const (
	noisyMade     = "neighbours"
	noisyCost     = "neighbour-cost"
	noisyEvicted  = "evicted"
	noisyKnown    = "known"
	noisyFrags    = "fragments"
	noisyFragCost = "fragment-cost"
	noisySockets  = "sockets"
)

// How many the victim tries, or has.
const (
	victimTries = 200
	victimHas   = 100
)

// gcThresh is gc_thresh1 to 3 as Linux has it.
func gcThresh() [3]int { return [3]int{128, 512, 1024} }

// noisy asks what one tenant's excess does to another.
func noisy() *Experiment {
	policies := []string{hostWide, Tagged, Replicated}
	point := func(series string, x float64) Point { return Point{series, x} }
	return &Experiment{
		Number: 6, Name: "noisy",
		Question: "One namespace fills a table: what fails in another one, how much longer does it take, and who is evicted, by where the limit is kept?",
		Sources: []string{
			"e2b-dev/infra#3508, canonical/lxd#4799, testground/infra#14: a child namespace fills the neighbour table, and the host's addresses no longer resolve",
			"neighbour: Namespacify neigh_tables (cda2962b6e2b, 2026): gc_thresh1 to 3 and the collection were the host's until then",
			"kubernetes/kubernetes#71261: nf_conntrack_max is shared by all pods",
			"udp: Introduce optional per-netns hash table (9804985bf27f, 2022): 'isolate noisy neighbours'",
		},
		Workload: fmt.Sprintf("the attacker has N = 0 to 1,500 neighbours that were just made, N = 0 to 6,000 datagrams whose rest never comes, or N = 0 to 100,000 UDP sockets. The victim makes %d new neighbours (stale, as after an answer), "+
			"or has %d that are older than five seconds; sends to one that it knows; receives datagrams in three fragments; opens and closes a socket. gc_thresh1 to 3 are 128, 512 and 1024, ipfrag_high_thresh 4 MiB. "+
			"Host's limit: one count for all namespaces (Config.HostLimits), limit per tag: a shared table that counts each namespace's own, replicated: a table for each", victimTries, victimHas),
		Measured: "neighbours: how many of the victim's 200 are made (the others fail with ENOBUFS; a packet that needs one is dropped, NEIGH_QUEUEFULL); evicted: how many of its 100 old ones are gone; fragments: how many of 100 datagrams arrive (the others are dropped, FRAG_MEMORY); " +
			"costs: CPU time of one attempt, successful or not",
		Expected: "With the host's limit the victim gets what the attacker leaves: all of its 200 up to 824 of the attacker's, none from 1,024 on, and each refusal costs a walk of the whole list for something to evict, tens of microseconds where an entry takes one. " +
			"From 512 on the victim's old entries are the first to go, all of them by the time that the table is full. With a limit per tag or an own table the victim notices nothing: no failure, no eviction, the same cost. A neighbour that is known already costs the same under all. Fragments likewise: none arrives once the attacker holds 4 MiB. " +
			"Sockets have no limit that another namespace could use up, so nothing fails; in a shared table of fixed size opening one takes longer, as the chains are longer.",
		Kernel: "neighbours: two namespaces of its own, the attacker's entries made with RTM_NEWNEIGH as the victim's are; Linux 6.18 has the host's limit only. For a moment the table is full for every namespace of the computer, its own included: it is emptied again within milliseconds. " +
			"Fragments: over the loopback, Linux counts for each namespace since 2.6.26 and has a table for each since 4.17. Sockets: udp_child_hash_entries at 0 and 1024; what Linux limits for the host there, memory (udp_mem) and descriptors, is left alone as it would be the computer's",
		Figures: []Figure{
			{Name: noisyMade, Title: "The victim makes 200 neighbours", X: "neighbours of the attacker", Y: "made, of 200"},
			{Name: noisyCost, Title: "The victim tries to make a neighbour", X: "neighbours of the attacker", Y: "CPU time of an attempt (us)", LogY: true},
			{Name: noisyEvicted, Title: "The victim's 100 old neighbours", X: "neighbours of the attacker", Y: "evicted, of 100"},
			{Name: noisyKnown, Title: "The victim sends to a neighbour that it knows", X: "neighbours of the attacker", Y: "CPU time of a datagram (us)"},
			{Name: noisyFrags, Title: "The victim receives 100 datagrams in fragments", X: "unfinished datagrams of the attacker", Y: "arrived, of 100"},
			{Name: noisyFragCost, Title: "The victim receives a datagram in fragments", X: "unfinished datagrams of the attacker", Y: "CPU time of a datagram (us)"},
			{Name: noisySockets, Title: "The victim opens and closes a socket", X: "UDP sockets of the attacker", Y: "CPU time (us)", LogX: true, LogY: true},
		},
		Pairs: []Pair{
			{Name: "neighbours made, the attacker has 900 : none, host's limit", Figure: noisyMade, Above: point(hostWide, 900), Below: point(hostWide, 0)},
			{Name: "an attempt while the table is full : while it is empty, host's limit", Figure: noisyCost, Lower: true, Above: point(hostWide, 1500), Below: point(hostWide, 0),
				Cause: "The walk for something to evict is of one order on both (take the attempt at 0 from that at 1,500), but the kernel's attempt begins with a system call and a netlink message, which take ten times as long as the model's making of an entry"},
			{Name: "sending to a known neighbour, the attacker has 1,500 : none, host's limit", Figure: noisyKnown, Lower: true, Above: point(hostWide, 1500), Below: point(hostWide, 0),
				Cause: "Not the table: a limit for each tag and own tables show as much. The 200 datagrams follow on the making of the attacker's entries and find the caches cold; 200 more, sent right after them for the purpose, took the model 407 ns beside 1,500 entries and 402 beside none"},
			{Name: "fragmented datagrams that arrive, the attacker has 6,000 unfinished : none, replicated", Figure: noisyFrags, Above: point(Replicated, 6000), Below: point(Replicated, 0)},
			{Name: "a fragmented datagram, the attacker has 6,000 unfinished : none, replicated", Figure: noisyFragCost, Lower: true, Above: point(Replicated, 6000), Below: point(Replicated, 0)},
			{Name: "a socket, the attacker has 100,000, fixed shared table : own", Figure: noisySockets, Lower: true, Above: point(fixed, 100_000), Below: point(Replicated, 100_000),
				Cause: "The chain is as long on both, a few sockets; around its walk the kernel makes and ends a file and a socket in three system calls, seven microseconds or so, and the model in one"},
		},
		Run:    func(r *Run) error { return noisyRun(r, policies) },
		Answer: noisyAnswer,
	}
}

func noisyRun(r *Run, policies []string) error {
	neighs, frags := []int{0, 500, 800, 900, 1000, 1500}, []int{0, 2000, 6000}
	if r.Scale != Quick {
		neighs, frags = []int{0, 250, 500, 600, 700, 800, 850, 900, 950, 1000, 1100, 1500}, []int{0, 1000, 2000, 3000, 4000, 6000}
	}
	if r.Scale == Tiny {
		neighs, frags = []int{0, 1100}, []int{0, 100}
	}
	shown := []string{noisyMade, noisyCost, noisyKnown}
	var arms []Arm
	for _, n := range neighs {
		add := func(side, series string, figs []string, open func() (func() ([]float64, error), func() error, error)) {
			c := &curve{open: open}
			for i, fig := range figs {
				arms = append(arms, c.arm(Key{fig, side, series, float64(n)}, i))
			}
		}
		for _, series := range policies {
			add(Model, series, append(shown[:3:3], noisyEvicted), func() (func() ([]float64, error), func() error, error) { return noisyNeigh(series, n) })
		}
		add(Kernel, hostWide, shown, func() (func() ([]float64, error), func() error, error) { return noisyNeighKernel(r, n) })
	}
	if err := r.Group("neighbours beside a tenant who makes many", arms...); err != nil {
		return err
	}
	// What is old has waited for five seconds, and the table is one: few rounds.
	for _, n := range neighs {
		if n != 0 && n != 500 && n != 1500 || n == 500 && r.Scale == Quick {
			continue
		}
		arm := Arm{Key{noisyEvicted, Kernel, hostWide, float64(n)}, func() (*Stand, error) { return noisyEvictedKernel(r, n) }}
		if err := r.Group(fmt.Sprintf("kernel: who is evicted by %d neighbours", n), arm); err != nil {
			return err
		}
	}
	arms = nil
	for _, n := range frags {
		for _, series := range policies {
			c := &curve{open: func() (func() ([]float64, error), func() error, error) { return noisyFrag(series, n) }}
			arms = append(arms, c.arm(Key{noisyFrags, Model, series, float64(n)}, 0), c.arm(Key{noisyFragCost, Model, series, float64(n)}, 1))
		}
		c := &curve{open: func() (func() ([]float64, error), func() error, error) { return noisyFragKernel(r, n) }}
		arms = append(arms, c.arm(Key{noisyFrags, Kernel, Replicated, float64(n)}, 0), c.arm(Key{noisyFragCost, Kernel, Replicated, float64(n)}, 1))
	}
	if err := r.Group("fragments beside a tenant who never ends a datagram", arms...); err != nil {
		return err
	}
	return noisySocketsRun(r)
}

// noisyMachine makes one under a policy, with a victim and an attacker, each with
// 10.0.0.1/8 on a device.
func noisyMachine(series string) (m *nsmodel.Machine, victim, attacker *core.Device, err error) {
	if m, err = newMachine(nsmodel.Config{Place: nsmodel.AllPlaces(place(series)), HostLimits: series == hostWide}); err != nil {
		return nil, nil, nil, err
	}
	devs := make([]*core.Device, 2)
	for i, name := range []string{"victim", "attacker"} {
		n, err := m.AddNet(name)
		if err != nil {
			return nil, nil, nil, err
		}
		m.Sys.Lock()
		devs[i], _, err = stage.Veth(m, n, "v", "10.0.0.1/8")
		m.IPv4.SetNeighLimits(n, gcThresh())
		m.Sys.Unlock()
		if err != nil {
			return nil, nil, nil, err
		}
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	m.IPv4.SetNeighLimits(m.Init(), gcThresh())
	return m, devs[0], devs[1], nil
}

// noisyNeigh returns what counts the neighbours that the victim makes beside an
// attacker with so many, what an attempt costs, what sending to a known one
// costs, and how many of its old ones are evicted by all that.
func noisyNeigh(series string, attackers int) (func() ([]float64, error), func() error, error) {
	m, victim, attacker, err := noisyMachine(series)
	if err != nil {
		return nil, nil, err
	}
	known, _ := entryAt(1 << 15)
	try := func(d *core.Device, from, k int) (made int, err error) {
		w := m.Core.Enter()
		defer w.Leave()
		for i := from; i < from+k; i++ {
			a, _ := entryAt(i)
			switch err := m.Core.SetNeighbour(w, d, a, core.NeighUpdate{State: core.NudStale, MAC: wire.MAC{2, 0, 0, 0, 9, 9}}); {
			case err == nil:
				made++
			case !errors.Is(err, syscall.ENOBUFS):
				return made, err
			}
		}
		return made, nil
	}
	to := netip.AddrPortFrom(known, 9)
	c, err := m.UDP.Listen(victim.Net(), netip.AddrPort{}, udp.Options{})
	if err != nil {
		return nil, nil, err
	}
	return func() ([]float64, error) {
		m.Sys.Lock()
		for _, d := range []*core.Device{victim, attacker} {
			m.Core.FlushNeighbours(core.AFInet, d, true)
		}
		m.Sys.Unlock()
		if _, err := try(victim, 0, victimHas); err != nil {
			return nil, err
		}
		m.Advance(6 * time.Second)
		if _, err := try(attacker, 0, attackers); err != nil {
			return nil, err
		}
		left := 0
		for _, nb := range m.Core.Neighbours(victim.Net()) {
			if nb.Addr().Is4() {
				left++
			}
		}
		m.Sys.Lock()
		m.Core.FlushNeighbours(core.AFInet, victim, true) // the old ones have told what they had to
		m.Sys.Unlock()
		w := m.Core.Enter()
		err := m.Core.SetNeighbour(w, victim, known, core.NeighUpdate{State: core.NudPermanent, MAC: wire.MAC{2, 0, 0, 0, 9, 9}})
		w.Leave()
		if err != nil {
			return nil, err
		}
		var made int
		took, err := cpuOf(func() (err error) { made, err = try(victim, 0, victimTries); return err })
		if err != nil {
			return nil, err
		}
		sending, err := cpuOf(func() error {
			for range victimTries {
				if _, err := c.WriteToAddrPort(make([]byte, 18), to); err != nil {
					return err
				}
				m.Settle()
			}
			return nil
		})
		return []float64{float64(made), took.Seconds() * 1e6 / victimTries, sending.Seconds() * 1e6 / victimTries, float64(victimHas - left)}, err
	}, nil, nil
}
