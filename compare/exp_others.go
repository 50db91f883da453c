package compare

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/netns"
)

// fixed is a shared table of as many buckets as the kernel's for UDP.
const fixed = "tagged, fixed size"

// others asks what entries of others cost a lookup.
func others() *Experiment {
	const lookup, receive = "lookup", "receive"
	return &Experiment{
		Number: 1, Name: "others",
		Question: "What does a lookup, and a datagram, cost one namespace while others hold N entries of the same table?",
		Sources: []string{
			"udp: Introduce optional per-netns hash table (9804985bf27f, 2022): 5.69 Gbit/s alone, 1.12 with 32 Mi sockets of others in 64 Ki buckets",
			"tcp: Introduce optional per-netns ehash (d1e5e6408b30, 2022): 50.7 Gbit/s alone, 25.0 with 48 Mi idle sockets of others in 128 Ki buckets",
			"smoltcp-rs/smoltcp#934: every socket is walked for every packet",
		},
		Workload: "lookup: random ones of 1,000 own keys of 16 bytes, N = 0 to 1,000,000 (full: 10,000,000) entries of 100 other namespaces; " +
			"receive: datagrams of 60 bytes to 64 own ports, N = 0 to 1,000,000 (quick: 100,000) UDP sockets in namespaces with up to 50,000 ports each; half of the others' are older than one's own, half newer; " +
			"exchange: requests of 18 bytes and answers over 64 own TCP connections, N = 0 to 1,000,000 (quick: 100,000) ends of others' idle connections in the shared table; model: the two lookups of an exchange in a table of as many buckets",
		Measured: "CPU time of a lookup or a datagram in ns; the datagram as in same-port; CPU time of an exchange, or of its lookups, in ns",
		Expected: "In a table of fixed size chains grow with N, and so does the cost, from the point where they are longer than one; by then each step is a cache miss. A table that grows, or an own one, " +
			"costs the same at any N but for the caches: a few ns more. The kernel's shared UDP table has a fixed size, so the kernel's two series should part where ours do, at some multiple of its buckets, and by less than ours in proportion, since its datagram costs ten times as much to begin with. TCP's shared table has sixteen times the buckets of UDP's, so a hundred thousand ends make no chains; a million make some of four, " +
			"which two lookups pass half of: a hundred ns or two on an exchange of several thousand, 2 to 5 %. The published curve loses 1.6 % at eight a bucket.",
		Kernel: "UDP sockets in namespaces of its own, with udp_child_hash_entries at 0 and at 1024; established TCP connections over the loopback of namespaces of its own, with tcp_child_ehash_entries at 0 and at 1024. " +
			"The model has no TCP, but it has the table: of as many buckets (tcp_ehash_entries), asked as often",
		Figures: []Figure{
			{Name: lookup, Title: "A lookup while others hold N entries", X: "entries of other namespaces", Y: "CPU time of a lookup (ns)", LogX: true, LogY: true},
			{Name: receive, Title: "A datagram while others hold N sockets", X: "UDP sockets of other namespaces", Y: "CPU time of a datagram (ns)", LogX: true, LogY: true,
				Published: []Curve{{Label: "9804985bf27f, rescaled to cost", Source: "udp: Introduce optional per-netns hash table: 65,536 buckets, c5.24xlarge; cost of a datagram relative to 1 socket, times our kernel's at 0",
					X: []float64{1, 1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20, 32 << 20}, Y: []float64{1, 5.69 / 5.27, 5.69 / 4.90, 5.69 / 4.09, 5.69 / 2.96, 5.69 / 2.06, 5.69 / 1.12}, Relative: true}}},
			exchanges(),
		},
		Pairs: append([]Pair{
			{Name: "fixed shared : own table, 1,000,000 sockets of others", Figure: receive, Lower: true, Above: Point{fixed, 1_000_000}, Below: Point{Replicated, 1_000_000},
				Cause: "What the chain adds is alike (on the kernel's base), what stands around it is not: the kernel's datagram is two system calls, four microseconds in all, the model's none"},
			{Name: "fixed shared : own table, 100,000 sockets of others", Figure: receive, Lower: true, Above: Point{fixed, 100_000}, Below: Point{Replicated, 100_000},
				Cause: "Six sockets a bucket add some 10 ns to the model's datagram, a twentieth; as much on top of the kernel's is too little to be seen there (on the kernel's base)"},
			{Name: "fixed shared : own table, no sockets of others", Figure: receive, Lower: true, Above: Point{fixed, 0}, Below: Point{Replicated, 0}},
		}, exchangePairs()...),
		Run: func(r *Run) error {
			var arms []Arm
			for _, n := range r.roomy("lookups", Sweep(true, Pick(r, 1_000_000, 1_000_000, 10_000_000)), 3*entryBytes) {
				for _, series := range []string{fixed, Tagged, Replicated} {
					arms = append(arms, Arm{Key{lookup, Model, series, float64(n)}, func() (*Stand, error) { return othersLookup(r, series, n) }})
				}
			}
			if err := r.Group("lookups among entries of others", thin(r, arms)...); err != nil {
				return err
			}
			arms = nil
			for _, n := range r.roomy("sockets", crowds(r), 3*socketBytes) {
				for _, series := range []string{fixed, Tagged, Replicated} {
					arms = append(arms, Arm{Key{receive, Model, series, float64(n)}, func() (*Stand, error) { return othersReceive(r, series, n) }})
				}
			}
			if err := r.Group("datagrams among sockets of others", arms...); err != nil {
				return err
			}
			// The kernel has one shared table, so each size takes its turn; its own
			// tables beside it tell how the computer fared meanwhile.
			for _, n := range crowds(r) {
				arms = nil
				for _, series := range []string{fixed, Replicated} {
					arms = append(arms, Arm{Key{receive, Kernel, series, float64(n)}, func() (*Stand, error) { return othersKernel(r, series, n) }})
				}
				if err := r.Group(fmt.Sprintf("kernel: datagrams among %d sockets of others", n), arms...); err != nil {
					return err
				}
			}
			return othersTCP(r)
		},
		Answer: func(d *Data) string {
			n, _ := d.Largest(lookup, Model, Tagged)
			s, _ := d.Largest(receive, Model, fixed)
			tcp := ""
			if k, ok := d.Largest(othersExchange, Kernel, fixed); ok {
				tcp = fmt.Sprintf(" The kernel's exchange over TCP among %.0f connection ends of others, a shared table against an own one: %v.", k,
					d.Ratio(Key{othersExchange, Kernel, fixed, k}, Key{othersExchange, Kernel, Replicated, k}))
			}
			return fmt.Sprintf("Among %.0f entries of others a lookup in a shared table of fixed size takes, against an own table, %v; in one that grows %v. "+
				"A datagram among %.0f sockets of others: fixed %v, growing %v.", n,
				d.Ratio(Key{lookup, Model, fixed, n}, Key{lookup, Model, Replicated, n}), d.Ratio(Key{lookup, Model, Tagged, n}, Key{lookup, Model, Replicated, n}),
				s, d.Ratio(Key{receive, Model, fixed, s}, Key{receive, Model, Replicated, s}), d.Ratio(Key{receive, Model, Tagged, s}, Key{receive, Model, Replicated, s})) + tcp
		},
	}
}

// socketBytes is what a UDP socket of the model takes.
const socketBytes = 1e3

// thin leaves out of a quick run what lies between 0 and a hundred: nobody
// expects anything there.
func thin(r *Run, arms []Arm) (some []Arm) {
	for _, a := range arms {
		if r.Scale == Quick && a.X > 0 && a.X < 1000 {
			continue
		}
		some = append(some, a)
	}
	return some
}

// crowds are the numbers of other sockets: nobody expects anything below a
// thousand.
func crowds(r *Run) []int {
	ns := []int{0, 1000, 10_000, 100_000, 1_000_000}
	switch r.Scale {
	case Tiny:
		return ns[:2]
	case Quick:
		return ns[:4]
	}
	return ns
}

// buckets returns the fixed size of a series' tables, 0 for one that grows: the
// kernel's for UDP, where it tells.
func buckets(series string) int {
	if series != fixed {
		return 0
	}
	if k, err := readSysctl("net.ipv4.udp_hash_entries"); err == nil && k > 0 {
		return k
	}
	return 1 << 14
}

// A key16 is a key of 16 bytes, about as long as a socket's.
type key16 struct{ a, b uint64 }

func (k key16) sum() uint64 {
	h := (k.a ^ 0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd
	return (h ^ h>>32 ^ k.b) * 0xc4ceb9fe1a85ec53
}

// ownKeys are how many entries one has among those of others.
const ownKeys = 1000

func othersLookup(r *Run, series string, n int) (*Stand, error) {
	const crowd = 100
	b, err := newBed(series, netns.Config{Buckets: buckets(series)}, 1+crowd)
	if err != nil {
		return nil, err
	}
	me, rest := b.nets[0], b.nets[1:]
	fill := func(from, to int) error {
		for _, o := range rest {
			if err := b.add(o, from, to); err != nil {
				return err
			}
		}
		return nil
	}
	if err := errors.Join(fill(0, n/crowd/2), b.add(me, 0, ownKeys), fill(n/crowd/2, n/crowd)); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	order := make([]int, 1<<12)
	for i := range order {
		order[i] = rng.IntN(ownKeys)
	}
	return r.Repeat(func(k int) error {
		for i := range k {
			if err := b.get(me, order[i&(len(order)-1)]); err != nil {
				return err
			}
		}
		return nil
	})
}

// ownPorts are the ports on which one receives among the sockets of others.
func ownPorts() []uint16 {
	ports := make([]uint16, 64)
	for i := range ports {
		ports[i] = uint16(10_000 + 701*i)
	}
	return ports
}

// perNet is how many ports one other namespace binds at most.
const perNet = 50_000

// portsOf calls bind for the ports of so many sockets, each group in a namespace
// of its own that in makes.
func portsOf(sockets int, in func(name int, ports []uint16) error) error {
	for i := 0; sockets > 0; i++ {
		ports := make([]uint16, min(sockets, perNet))
		for j := range ports {
			ports[j] = uint16(10_000 + j)
		}
		if err := in(i, ports); err != nil {
			return err
		}
		sockets -= len(ports)
	}
	return nil
}

func othersReceive(r *Run, series string, n int) (*Stand, error) {
	m, err := newMachine(nsmodel.Config{Place: nsmodel.Places{UDP: place(series)}, Buckets: buckets(series)})
	if err != nil {
		return nil, err
	}
	fill := func(name string, sockets int) error {
		return portsOf(sockets, func(i int, ports []uint16) error {
			o, err := m.AddNet(fmt.Sprint(name, i))
			if err != nil {
				return err
			}
			for _, port := range ports {
				if _, err := stage.Listen(m, o, port); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := fill("before", n/2); err != nil {
		return nil, err
	}
	rec, err := stage.NewReceiver(m, "receiver", ownPorts()...)
	if err != nil {
		return nil, err
	}
	if err := fill("after", n-n/2); err != nil {
		return nil, err
	}
	return r.Repeat(rec.Receive)
}

func othersKernel(r *Run, series string, n int) (*Stand, error) {
	if err := roomFor(n, 3e3); err != nil {
		return nil, err
	}
	b, err := r.newBox()
	if err != nil {
		return nil, err
	}
	fill := func(sockets int) error {
		return portsOf(sockets, func(_ int, ports []uint16) error { return b.hold(1, int(ports[0]), len(ports)) })
	}
	var rec *kernelReceiver
	err = withSysctl("net.ipv4.udp_child_hash_entries", own(series, 1024), func() error {
		if err := fill(n / 2); err != nil {
			return err
		}
		if rec, err = b.receiver(ownPorts()...); err != nil {
			return err
		}
		return fill(n - n/2)
	})
	if err != nil {
		return nil, err
	}
	st, err := r.Repeat(rec.receive)
	if err == nil {
		st.Close = b.Close
	}
	return st, err
}
