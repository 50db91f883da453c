package advise

import (
	"cmp"
	"fmt"
	"time"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A path lets k packets through a Net of its own.
type path func(k int) error

// newPath makes the Net that packets of that path go through.
func newPath(m *nsmodel.Machine, name string) (path, error) {
	switch name {
	case PathForward:
		f, err := stage.NewForwarder(m, name)
		if err != nil {
			return nil, err
		}
		return f.Forward, nil
	case PathReceive:
		r, err := stage.NewReceiver(m, name, stage.Port)
		if err != nil {
			return nil, err
		}
		return r.Receive, nil
	case PathReceive6, PathForward6:
		return newSix(m, name)
	case PathBridge:
		return newBridged(m, name)
	}
	return newPieces(m, name)
}

// newBridged has frames go through a bridge with two ports, whose peers are in the
// initial Net.
func newBridged(m *nsmodel.Machine, name string) (path, error) {
	n, err := m.AddNet(name)
	if err != nil {
		return nil, err
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	br, err := m.Core.Kind("bridge").New(n, core.LinkSpec{Name: bridgeName})
	if err != nil {
		return nil, err
	}
	var ends [2]*core.Device
	for i := range ends {
		d, err := m.Core.Kind("veth").New(n, core.LinkSpec{Name: fmt.Sprint("p", i), Peer: &core.LinkSpec{Name: "veth%d"}, PeerNet: m.Init()})
		if err != nil {
			return nil, err
		}
		ends[i] = d
		if err := m.Core.SetMaster(d, br); err != nil {
			return nil, err
		}
		for _, d := range []*core.Device{br, d, d.LowerDevice()} {
			if err := m.Core.SetUp(d); err != nil {
				return nil, err
			}
		}
	}
	sunk := 0
	there := wire.MAC{2, 0, 0, 0, 8, 8}
	ends[1].LowerDevice().SetClaim(func(w *core.Worker, _ *core.Device, p *core.Packet) bool {
		sunk++
		w.Deliver(p)
		return true
	})
	w, now := m.Core.Workers()[0], m.Sys.Now()
	send := func(in *core.Device, frame []byte) {
		p := w.NewFrame(len(frame))
		copy(p.Bytes(), frame)
		in.Queue(w, p)
	}
	settle := func() {
		now += time.Microsecond
		for w.Pending() {
			w.Poll(now, core.Budget)
		}
	}
	hello := stage.UDPFrame(wire.BroadcastMAC(), "10.1.0.2", "10.1.0.1", stage.Port)
	wire.PutEthernet(hello, wire.BroadcastMAC(), there, wire.EtherTypeIPv4)
	send(ends[1], hello) // the bridge learns where there is
	settle()
	frame := stage.UDPFrame(there, "10.1.0.1", "10.1.0.2", stage.Port)
	return func(k int) error {
		want := sunk + k
		for left := k; left > 0; left -= core.Budget {
			for range min(left, core.Budget) {
				send(ends[0], frame)
			}
			settle()
		}
		if sunk != want {
			return fmt.Errorf("advise: %d of %d frames did not pass the bridge; %v", want-sunk, k, m.Core.Ledger(n))
		}
		return nil
	}, nil
}

// newPieces has datagrams come in two pieces.
func newPieces(m *nsmodel.Machine, name string) (path, error) {
	n, err := m.AddNet(name)
	if err != nil {
		return nil, err
	}
	m.Sys.Lock()
	in, _, err := stage.Veth(m, n, "in", "10.1.0.1/24")
	m.Sys.Unlock()
	if err != nil {
		return nil, err
	}
	c, err := stage.Listen(m, n, stage.Port)
	if err != nil {
		return nil, err
	}
	w, now, buf := m.Core.Workers()[0], m.Sys.Now(), make([]byte, 64)
	const together = core.Budget / 2
	var pieces [2 * together][]byte
	for i := range together {
		for j, offset := range []int{0, 16} {
			pieces[2*i+j] = fragment(in.Addr(), "10.1.0.2", "10.1.0.1", uint16(i), offset)
		}
	}
	return func(k int) error {
		for left := k; left > 0; left -= together {
			some := min(left, together)
			for _, frame := range pieces[:2*some] {
				p := w.NewFrame(len(frame))
				copy(p.Bytes(), frame)
				in.Queue(w, p)
			}
			now += time.Microsecond
			for w.Pending() {
				w.Poll(now, core.Budget)
			}
			for range some {
				if _, _, err := c.TryReadFrom(buf); err != nil {
					return fmt.Errorf("%w; %v", err, m.Core.Ledger(n))
				}
			}
		}
		return nil
	}, nil
}

// strangers are the Nets whose entries come to stand before the packet's own in
// the chain when looks are counted: few enough for the cache's first level, or a
// step would take longer in a packet's company than alone.
const strangers = 48

// measureOps counts how often a packet of each path looks into s. With every hash
// the same, and no growth to turn it round, a shared table is one chain, newest
// first; so the strangers' entries
// make each look longer by the time of walking them. How long that is tells a
// function that looks once, in the same machines, one without and one with
// strangers; where there is none, a table of as many entries.
func (r *rig) measureOps(s *subsystem, h *Homes) error {
	h.Ops = map[string]float64{}
	if s.kind == Listeners {
		return nil // a map, which no packet asks: only changes of configuration do
	}
	var runs []func(int) error
	var towns [2]*town
	for i := range towns {
		t, list, err := probed(s)
		if err != nil {
			return err
		}
		towns[i], runs = t, append(runs, list...)
	}
	t := towns[1]
	before := t.longest()
	for i := range strangers {
		if err := t.settle(i); err != nil {
			return err
		}
		if err := t.furnish(i, 1); err != nil {
			return err
		}
	}
	ns, err := turns(r.slice, 3*r.rounds, runs)
	if err != nil {
		return err
	}
	half := len(runs) / 2
	look := ns[2*half-1] - ns[half-1]
	if s.probe == nil {
		if look, err = r.walkTime(int(t.longest() - before)); err != nil {
			return err
		}
	}
	for i, name := range Paths() {
		if ops := (ns[half+i] - ns[i]) / look; look > 0 && ops > 0.2 {
			h.Ops[name] = ops
		}
	}
	return nil
}

// probed makes a machine in which all of s is one chain, and what is to be timed
// there: the paths, then the probe.
func probed(s *subsystem) (*town, []func(int) error, error) {
	t, err := newTown(s, nsmodel.Config{Place: onlyTagged(s.word, netns.Tagged), Collide: true, Buckets: 1})
	if err != nil {
		return nil, nil, err
	}
	var runs []func(int) error
	for _, name := range Paths() {
		run, err := newPath(t.m, name)
		if err != nil {
			return nil, nil, fmt.Errorf("advise: path %s: %w", name, err)
		}
		if err := run(1); err != nil { // what a first packet leaves is older than the strangers
			return nil, nil, err
		}
		if err := t.prime(name); err != nil {
			return nil, nil, fmt.Errorf("advise: path %s: %w", name, err)
		}
		runs = append(runs, run)
	}
	if s.probe == nil {
		return t, runs, nil
	}
	n, err := t.m.Net(cmp.Or(s.probeAt, PathReceive))
	if err != nil {
		return nil, nil, err
	}
	n.Put()
	return t, append(runs, func(k int) error {
		for range k {
			s.probe(t.m, n)
		}
		return nil
	}), nil
}

// prime gives the Net of a path an entry, if its packets look for none without.
func (t *town) prime(name string) error {
	if !t.s.asked {
		return nil
	}
	n, err := t.m.Net(name)
	if err != nil {
		return err
	}
	defer n.Put()
	return t.s.add(t.m, n, 0)
}

// walkTime returns ns of walking a chain of so many entries.
func (r *rig) walkTime(chain int) (float64, error) {
	if chain < 1 {
		return 0, fmt.Errorf("advise: strangers left nothing in the shared table")
	}
	sys := netns.New(netns.Config{Collide: true, Buckets: 1})
	t := netns.NewTable[key, *int](sys, "advise", netns.Tagged, netns.Keyed[key]())
	v := new(int)
	c, err := barely(sys, point{nets: chain + 1}, func(n *netns.Net) error { return t.Add(n, keyOf(1), v) })
	if err != nil {
		return 0, err
	}
	op := func(n *netns.Net) func(int) error {
		return func(k int) error {
			for range k {
				if _, ok := t.Get(n, keyOf(1)); !ok {
					return fmt.Errorf("advise: an entry is not found")
				}
			}
			return nil
		}
	}
	// The first Net's is at the end of the chain, the last one's at its head.
	ns, err := turns(r.slice, r.rounds, []func(int) error{op(c.nets[0]), op(c.nets[chain])})
	if err != nil {
		return 0, err
	}
	return ns[0] - ns[1], nil
}
