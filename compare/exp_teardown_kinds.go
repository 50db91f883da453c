package compare

import (
	"fmt"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/netns"
)

// An endKind is a subsystem whose entries end with their namespace.
type endKind struct {
	figure, word, what string
	series             []string // of the kernel
	// add gives n so many entries, and returns what an owner must close before n
	// can end; nil where the model has no such entries.
	add func(m *nsmodel.Machine, n *netns.Net, count int) (closing func() error, err error)
	// kernel is add for a namespace of the kernel's.
	kernel func(b *kernelBox, k kernelNet, count int) (closing func() error, err error)
	cause  string // of a difference in one's own entries
}

// endKinds are the subsystems that are taken down beside the walk.
func endKinds() []endKind {
	return []endKind{
		{"end-udp", "udp", "UDP sockets", []string{Tagged, Replicated}, addSockets, (*kernelBox).addSockets,
			endBase + "by perf a fifth of its close(2) is inet_release, the rest the socket's file, dentry and inode, which the model's has not"},
		{"end-neigh", "neigh", "permanent neighbours", []string{Tagged}, addNeighbours, (*kernelBox).addNeighbours,
			endBase + "by perf two thirds of neigh_flush_dev are __neigh_notify, a message for each that goes, though nobody listens; the model asks first whether somebody does"},
		{"end-frags", "frags", "datagrams in IPv4 fragments", []string{Replicated}, addFragments, (*kernelBox).addFragments,
			endBase + "by perf it walks its table twice, once to let go of what waits (fqdir_pre_exit, half of all) and once to free the queues (rhashtable_free_and_destroy), and a worker is still growing the table meanwhile; the model walks once"},
		{"end-frags6-kernel", "frags", "datagrams in IPv6 fragments", []string{Replicated}, nil, (*kernelBox).addFragments6, ""},
	}
}

const endBase = "A kernel namespace with nothing in it takes a millisecond, a bare Net here some microseconds; and an entry costs the kernel more: "

// Whose entries there are, before a series' placement.
const (
	ownOnes    = "own, "
	othersOnes = "others', "
)

// endMost is the largest number of entries.
const endMost = 10_000

func endFigures() (all []Figure) {
	for _, k := range endKinds() {
		all = append(all, Figure{Name: k.figure, Title: "The end of a namespace with " + k.what + ", its own or others'", X: k.what, Y: "CPU time of the end (us)", LogX: true, LogY: true})
	}
	return all
}

func endPairs() (all []Pair) {
	for _, k := range endKinds() {
		if k.add == nil {
			continue
		}
		place := k.series[0]
		for _, whose := range []string{ownOnes, othersOnes} {
			cause := ""
			if whose == ownOnes {
				cause = k.cause
			}
			all = append(all, Pair{Name: fmt.Sprintf("%s, %s: %s%d : none", k.what, place, whose, endMost), Figure: k.figure, Lower: true,
				Above: Point{whose + place, endMost}, Below: Point{ownOnes + place, 0}, Cause: cause})
		}
	}
	return all
}

// endSizes are the numbers of entries.
func endSizes(r *Run) []int {
	switch r.Scale {
	case Tiny:
		return []int{0, 10}
	case Quick:
		return []int{0, endMost}
	}
	return []int{0, endMost / 10, endMost}
}

// teardownKinds measures the ends of namespaces with entries of every kind.
func teardownKinds(r *Run) error {
	for _, k := range endKinds() {
		var model, kernel []Arm
		each := func(side string, series []string, open func(place string, own, others int) (*Stand, error)) (arms []Arm) {
			for _, place := range series {
				for _, n := range endSizes(r) {
					arms = append(arms, Arm{Key{k.figure, side, ownOnes + place, float64(n)}, func() (*Stand, error) { return open(place, n, 0) }})
					if n > 0 { // none of others' is none of one's own
						arms = append(arms, Arm{Key{k.figure, side, othersOnes + place, float64(n)}, func() (*Stand, error) { return open(place, 0, n) }})
					}
				}
			}
			return arms
		}
		if k.add != nil {
			model = each(Model, []string{Tagged, Replicated}, k.stand)
		}
		kernel = each(Kernel, k.series, func(place string, own, others int) (*Stand, error) { return k.kernelStand(r, place, own, others) })
		if err := r.Group("the end of a namespace with "+k.what, model...); err != nil {
			return err
		}
		if err := r.Group("kernel: the end of a namespace with "+k.what, kernel...); err != nil {
			return err
		}
	}
	return nil
}

// endAnswer says what own entries and others' make of an end.
func endAnswer(d *Data) (text string) {
	for _, k := range endKinds() {
		for _, side := range []string{Model, Kernel} {
			place := k.series[0]
			n, ok := d.Largest(k.figure, side, ownOnes+place)
			if !ok {
				continue
			}
			at := func(whose string, x float64) Key { return Key{k.figure, side, whose + place, x} }
			text += fmt.Sprintf(" %.0f %s (%s, %s): own ones against none %v, others' %v.", n, k.what, side, place,
				d.Ratio(at(ownOnes, n), at(ownOnes, 0)), d.Ratio(at(othersOnes, n), at(ownOnes, 0)))
		}
	}
	return text
}

// stand makes and ends a Net with entries of its own while ten other Nets have
// theirs.
func (k endKind) stand(place string, own, others int) (*Stand, error) {
	p := nsmodel.AllPlaces(netns.Replicated)
	if err := p.Set(k.word + "=" + place); err != nil {
		return nil, err
	}
	m, err := newMachine(nsmodel.Config{Place: p})
	if err != nil {
		return nil, err
	}
	const nets = 10
	for i := range nets {
		n, err := endNet(m, fmt.Sprint("other", i))
		if err != nil {
			return nil, err
		}
		if _, err := k.add(m, n, others/nets); err != nil {
			return nil, err
		}
	}
	return &Stand{Sample: func() (float64, error) {
		n, err := endNet(m, "mine")
		if err != nil {
			return 0, err
		}
		closing, err := k.add(m, n, own)
		if err != nil {
			return 0, err
		}
		took, err := cpuOf(func() error {
			if err := closing(); err != nil {
				return err
			}
			return m.DeleteNet("mine")
		})
		return took.Seconds() * 1e6, err
	}}, nil
}

// endNet makes a Net with its loopback up, a bridge, and room for fragments.
func endNet(m *nsmodel.Machine, name string) (*netns.Net, error) {
	n, err := m.AddNet(name)
	if err != nil {
		return nil, err
	}
	if err := m.Sysctl.Set(n, "net.ipv4.ipfrag_high_thresh", fmt.Sprint(fragRoom)); err != nil {
		return nil, err
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	if err := m.Core.SetUp(m.Core.Device(n, "lo")); err != nil {
		return nil, err
	}
	br, err := m.Core.Kind("bridge").New(n, core.LinkSpec{Name: "br0"})
	if err != nil {
		return nil, err
	}
	return n, m.Core.SetUp(br)
}

// fragRoom is what waiting fragments may take: more than they do.
const fragRoom = 256 << 20

func nothingToClose() error { return nil }

func addSockets(m *nsmodel.Machine, n *netns.Net, count int) (closing func() error, err error) {
	var closes []func() error
	for i := range count {
		c, err := stage.Listen(m, n, uint16(10_000+i))
		if err != nil {
			return nil, err
		}
		closes = append(closes, c.Close)
	}
	return func() error {
		for _, f := range closes {
			if err := f(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func addNeighbours(m *nsmodel.Machine, n *netns.Net, count int) (closing func() error, err error) {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	w := m.Core.Enter()
	defer w.Leave()
	br := m.Core.Device(n, "br0")
	for i := range count {
		a, _ := entryAt(i)
		if err := m.Core.SetNeighbour(w, br, a, core.NeighUpdate{State: core.NudPermanent, MAC: stage.Far()}); err != nil {
			return nil, err
		}
	}
	return nothingToClose, nil
}

func addFragments(m *nsmodel.Machine, n *netns.Net, count int) (closing func() error, err error) {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	w, lo, local := m.Core.Workers()[0], m.Core.Device(n, "lo"), [4]byte{127, 0, 0, 1}
	for i := range count {
		b := fragments(lo.Addr(), local, local, uint16(i))[0]
		p := w.NewFrame(len(b))
		copy(p.Bytes(), b)
		lo.Queue(w, p)
		stage.Settle(m, w)
	}
	return nothingToClose, nil
}
