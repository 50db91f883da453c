package compare

import (
	"fmt"
	"slices"
	"strings"

	"nsmodel"
	"nsmodel/netns"
)

// The figures of experiment memory. A vector's own figure of parts bears its name.
const (
	memCreated  = "created"
	memUp       = "up"
	memResident = "resident"
	memOwn      = "own-table"
	memAdded    = "own-table-added"
	memKernel   = "parts-kernel"
)

// memRounds is how often memory is measured: it hardly varies in this process.
const memRounds = 3

// kernelSeries is the running kernel, which has no choice of vector.
const kernelSeries = "the running kernel"

// memory asks what an idle namespace weighs.
func memory() *Experiment {
	const per = "bytes per namespace"
	figures := []Figure{
		{Name: memCreated, Title: "A namespace just created", X: "namespaces", Y: per, LogX: true, LogY: true},
		{Name: memUp, Title: "A namespace with its loopback up", X: "namespaces", Y: per, LogX: true, LogY: true},
		{Name: memResident, Title: "The same, by what the process or the kernel took of the computer", X: "namespaces", Y: per, LogX: true, LogY: true},
	}
	for _, v := range memVectors() {
		figures = append(figures, Figure{Name: partsOf(v), Title: "What it is made of, loopback up, " + v.Name, X: "namespaces", Y: per, LogX: true})
	}
	figures = append(figures,
		Figure{Name: memKernel, Title: "What it is made of, loopback up, the running kernel", X: "namespaces", Y: per, LogX: true},
		Figure{Name: memOwn, Title: "A namespace with a UDP socket, by the size of its own UDP table", X: "buckets of the own table, 0: shared", Y: per, LogY: true},
		Figure{Name: memAdded, Title: "What the own UDP table adds", X: "buckets of the own table", Y: per, LogX: true, LogY: true})
	return &Experiment{
		Number: 3, Name: "memory",
		Question: "What does an idle namespace weigh, of which parts, and what does replicating everything add?",
		Sources: []string{
			"netfilter: conntrack: use a single hashtable (56d52d4892d0, 2016): saves 0.5 MB per namespace",
			"tcp_metrics: one table (098a697b497e, 2015): its 128 KiB were one of the largest parts of a fresh namespace",
			"netbirdio/netbird#5902, getlantern/radiance#509: a lean stack in place of one of 15 MB",
			"google/gvisor#231, sandialabs/wiretap#16: memory for each connection and each stack",
		},
		Workload: "N namespaces in one machine, N = 1 to 10,000 (else 100,000) on the model, 100 and 1,000 (full: also 10,000) in the kernel, 1 to 1,000 stacks of gVisor; first as created, with a loopback that is down, then with the loopback up. " +
			"Own table: 100 namespaces with loopback up and one UDP socket, their UDP table shared, or own and of 1,024 or 16,384 buckets",
		Measured: "Growth over the machine without them, divided by N. Model and gVisor: live objects of the heap after two collections, each rounded up to its size class, gVisor's with its two goroutines' stacks; resident: the process, free memory given back first. " +
			"Parts of the model: a heap profile of every allocation, by the subsystem whose code asked for it; 'shelves' are the pointers to a Net's homes, 'rest' is what the profile does not explain. " +
			"Kernel: pages of the slab's caches (/proc/slabinfo) but those of files and processes, which everybody on the computer moves, + Percpu + VmallocUsed (/proc/meminfo); pages taken otherwise are not in it, as MemFree moves with everybody's files: it is drawn as a series of its own. Its parts: each cache, those below 2 % in one",
		Expected: "Known before from bench idle: 2 to 3 KB for a Net. Homes are made on first use, so an idle Net pays for devices, addresses and routes only, and the vectors lie within a quarter of each other; all-replicated has more, shorter tables, all-tagged longer entries. " +
			"The kernel, which fills in every subsystem at birth, takes a hundred times as much (230 KB measured before on another occasion), gVisor ten to twenty times (42 KB). Neither depends on N. " +
			"An own UDP table adds its buckets: in proportion to their number on both sides, a larger share where the namespace is small.",
		Kernel:  "namespaces of its own, made, brought up and let go in turns; own tables by udp_child_hash_entries. gVisor: a stack.Stack with IPv4, UDP, TCP and ICMP for each namespace, in a process of its own (conformance/peer/gvisor)",
		Figures: figures,
		Pairs: []Pair{
			{Name: "own UDP table of 16,384 buckets : of 1,024, what it adds", Figure: memAdded, Lower: true, Above: Point{Replicated, 16384}, Below: Point{Replicated, 1024}},
			{Name: "own UDP table of 1,024 buckets : shared, the whole namespace", Figure: memOwn, Lower: true, Above: Point{Replicated, 1024}, Below: Point{Tagged, 0}, Cause: ownTableCause},
		},
		Run:    memoryRun,
		Answer: memoryAnswer,
	}
}

// ownTableCause was found by the two figures that it names.
const ownTableCause = "What the table adds grows in step on both sides (figure " + memAdded + "; a bucket here is a pointer in each of two tables, in the kernel a head, a count and a lock in each of three), " +
	"but it is added to namespaces of very different size (figure " + memUp + ")"

func partsOf(v nsmodel.Vector) string { return "parts-" + v.Name }

// memVectors are the placements that are compared.
func memVectors() (some []nsmodel.Vector) {
	for _, v := range nsmodel.Vectors() {
		switch v.Name {
		case "all-tagged", "all-replicated", "linux-6.12", "linux-2026-09":
			some = append(some, v)
		}
	}
	return some
}

func memoryRun(r *Run) error {
	var arms []Arm
	most := Pick(r, 10_000, 100_000, 100_000)
	for _, n := range Sweep(false, most) {
		if err := roomFor(n, 10e3); err != nil {
			r.note("%v", err)
			break
		}
		for _, v := range memVectors() {
			s := &shot{take: func() (map[string]float64, error) { return weigh(v, n, nil) }}
			for _, f := range weightFigures(n, most) {
				arms = append(arms, s.arm(Key{f, Model, v.Name, float64(n)}, f, memRounds))
			}
		}
	}
	if err := r.Group("memory of idle Nets", arms...); err != nil {
		return err
	}
	for _, v := range memVectors() {
		if err := r.memoryParts(v); err != nil {
			return err
		}
	}
	if err := r.memoryPeer(); err != nil {
		return err
	}
	if err := r.memoryKernel(); err != nil {
		return err
	}
	if err := r.Group("own tables", ownTableArms(Model, func(buckets int) (float64, error) { return weighOwnTable(buckets, ownTableNets) })...); err != nil {
		return err
	}
	return r.Group("kernel: own tables", ownTableArms(Kernel, func(buckets int) (float64, error) { return r.weighKernelTable(buckets, ownTableNets) })...)
}

// weightFigures lists the figures that n namespaces are in. What a process takes
// comes in pages, and of few namespaces says nothing.
func weightFigures(n, most int) []string {
	if n < 1000 && n < most {
		return []string{memCreated, memUp}
	}
	return []string{memCreated, memUp, memResident}
}

// memoryParts measures what Nets under one vector are made of.
func (r *Run) memoryParts(v nsmodel.Vector) error {
	parts := r.seriesOf(partsOf(v))
	switch {
	case parts != nil:
	case r.plan != nil: // who only plans measures nothing
		parts = partNames()
	default: // see which there are
		seen, err := weigh(v, 10, partNames())
		if err != nil {
			return err
		}
		for _, part := range partNames() {
			if seen[part] != 0 || part == restPart {
				parts = append(parts, part)
			}
		}
	}
	var arms []Arm
	for _, n := range Sweep(false, Pick(r, 1000, 1000, 10_000)) {
		s := &shot{take: func() (map[string]float64, error) { return weigh(v, n, parts) }}
		for _, part := range parts {
			arms = append(arms, s.arm(Key{partsOf(v), Model, part, float64(n)}, part, Pick(r, 1, 2, 3)))
		}
	}
	return r.Group("parts of an idle Net, "+v.Name, arms...)
}

// seriesOf lists the series of a figure that the store holds.
func (r *Run) seriesOf(figure string) (some []string) {
	for _, k := range r.store.Of(r.e).Keys(figure) {
		if !slices.Contains(some, k.Series) {
			some = append(some, k.Series)
		}
	}
	return some
}

// A shot measures several values at once, each of which is an arm.
type shot struct {
	take func() (map[string]float64, error)
	here func() error       // says why it cannot be had here; may be nil
	last map[string]float64 // what was not asked for yet
}

// value returns the named value of the latest shot, or of another one if that
// was had already.
func (s *shot) value(name string) (v float64, err error) {
	v, ok := s.last[name]
	if !ok {
		if s.last, err = s.take(); err != nil {
			return 0, err
		}
		if v, ok = s.last[name]; !ok {
			return 0, fmt.Errorf("nobody measured %q", name)
		}
	}
	delete(s.last, name)
	return v, nil
}

// arm returns the named value as an arm. Whatever keeps the shot from being taken
// here at all shows when it is opened.
func (s *shot) arm(k Key, name string, rounds int) Arm {
	return Arm{k, func() (*Stand, error) {
		if s.here != nil {
			if err := s.here(); err != nil {
				return nil, err
			}
		}
		return &Stand{Sample: func() (float64, error) { return s.value(name) }, Rounds: rounds, Cold: true}, nil
	}}
}

// loopbackUp brings n's lo up; under rtnl.
func loopbackUp(m *nsmodel.Machine, n *netns.Net) error {
	return m.Core.SetUp(m.Core.Device(n, "lo"))
}

// ownTableNets are how many namespaces weigh an own table, ownTableRounds how
// often: the kernel's counters are everybody's.
const ownTableNets, ownTableRounds = 100, 5

// ownTableArms weighs namespaces with each size of own table, weigh's argument,
// against those with the shared one, 0.
func ownTableArms(side string, weigh func(buckets int) (float64, error)) (arms []Arm) {
	sizes := []int{1024, 16384}
	whole, added := func(size int) string { return fmt.Sprint(size) }, func(size int) string { return fmt.Sprint("+", size) }
	s := &shot{take: func() (map[string]float64, error) {
		shared, err := weigh(0)
		all := map[string]float64{whole(0): shared}
		for _, size := range sizes {
			if err != nil {
				return nil, err
			}
			all[whole(size)], err = weigh(size)
			all[added(size)] = all[whole(size)] - shared
		}
		return all, err
	}}
	arms = append(arms, s.arm(Key{memOwn, side, Tagged, 0}, whole(0), ownTableRounds))
	for _, size := range sizes {
		arms = append(arms, s.arm(Key{memOwn, side, Replicated, float64(size)}, whole(size), ownTableRounds),
			s.arm(Key{memAdded, side, Replicated, float64(size)}, added(size), ownTableRounds))
	}
	return arms
}

func memoryAnswer(d *Data) string {
	n, _ := d.Largest(memUp, Model, "all-tagged")
	at := func(v string) Key { return Key{memUp, Model, v, n} }
	var b strings.Builder
	fmt.Fprintf(&b, "Among %.0f Nets with their loopback up one takes %s bytes all-tagged and %s all-replicated, against all-tagged %v; linux-6.12 %s, linux-2026-09 %s.",
		n, short(d.Stat(at("all-tagged")).Median), short(d.Stat(at("all-replicated")).Median), d.Ratio(at("all-replicated"), at("all-tagged")),
		short(d.Stat(at("linux-6.12")).Median), short(d.Stat(at("linux-2026-09")).Median))
	res := func(v string) Key { return Key{memResident, Model, v, n} }
	fmt.Fprintf(&b, " The process takes %s and %s a Net, %v: beyond the live objects there are half-used pages, where garbage lay between.",
		short(d.Stat(res("all-tagged")).Median), short(d.Stat(res("all-replicated")).Median), d.Ratio(res("all-replicated"), res("all-tagged")))
	for _, v := range memVectors() {
		if v.Name == "all-tagged" || v.Name == "all-replicated" {
			fmt.Fprintf(&b, " Its parts %s: %s.", v.Name, heaviest(d, partsOf(v), Model, 4))
		}
	}
	for _, other := range []struct{ side, series, what string }{{Kernel, kernelSeries, "The running kernel"}, {Peer, peerSeries, "gVisor"}} {
		k, ok := d.Largest(memUp, other.side, other.series)
		if !ok {
			continue
		}
		bytes := d.Stat(Key{memUp, other.side, other.series, k}).Median
		fmt.Fprintf(&b, " %s takes %s bytes among %.0f, %s times linux-2026-09's.", other.what, short(bytes), k, short(bytes/d.Stat(at("linux-2026-09")).Median))
		if parts := heaviest(d, memKernel, Kernel, 5); other.side == Kernel && parts != "" {
			fmt.Fprintf(&b, " The heaviest of it: %s.", parts)
		}
	}
	added := func(side string) float64 {
		return d.Stat(Key{memAdded, side, Replicated, 16384}).Median / 16384
	}
	fmt.Fprintf(&b, " An own UDP table of 16,384 buckets adds %s bytes a bucket here", short(added(Model)))
	if d.Stat(Key{memAdded, Kernel, Replicated, 16384}).N > 0 {
		fmt.Fprintf(&b, " and %s in the kernel", short(added(Kernel)))
	}
	return b.String() + "."
}

// heaviest names the largest k series at a figure's largest x, with what they weigh.
func heaviest(d *Data, figure, side string, k int) string {
	type part struct {
		name  string
		bytes float64
	}
	most := 0.0
	for _, key := range d.Keys(figure) {
		most = max(most, key.X)
	}
	var parts []part
	for _, key := range d.Keys(figure) {
		if key.Side == side && key.X == most {
			parts = append(parts, part{key.Series, d.Stat(key).Median})
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return int(b.bytes - a.bytes) })
	var words []string
	for _, p := range parts[:min(k, len(parts))] {
		words = append(words, fmt.Sprintf("%s %.0f", p.name, p.bytes))
	}
	return strings.Join(words, ", ")
}
