package link_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"

	"pgregory.net/rapid"
)

// world is a random topology and a model of it that is too dumb to be wrong: a
// bridge is a set of ports that all hear everything, a veth is an edge.
type world struct {
	m       *machine
	nets    []*netns.Net
	pairs   [][2]*core.Device
	bridges []*core.Device
	next    int
}

// reach returns the devices whose protocols a broadcast sent by d can get to.
func (x *world) reach(d *core.Device) []*core.Device {
	seen, got := map[*core.Device]bool{}, []*core.Device{}
	var out func(d *core.Device)
	hear := func(d *core.Device) { // the frame arrives at d
		if seen[d] || !d.Up() {
			return
		}
		seen[d] = true
		br := d.Master()
		if br == nil {
			got = append(got, d)
			return
		}
		if !br.Up() {
			return
		}
		if !seen[br] {
			seen[br] = true
			got = append(got, br)
		}
		for _, p := range x.portsOf(br) {
			if p != d {
				out(p)
			}
		}
	}
	out = func(d *core.Device) { // d sends
		if !d.Up() || !d.Carrier() {
			return
		}
		if x.isBridge(d) {
			for _, p := range x.portsOf(d) {
				out(p)
			}
			return
		}
		hear(d.LowerDevice())
	}
	if x.isBridge(d) {
		seen[d] = true // its own frame does not come back to it in a tree
	}
	out(d)
	return got
}

func (x *world) isBridge(d *core.Device) bool { return slices.Contains(x.bridges, d) }

func (x *world) portsOf(br *core.Device) (list []*core.Device) {
	for _, p := range x.pairs {
		for _, d := range p {
			if d.Master() == br {
				list = append(list, d)
			}
		}
	}
	return list
}

// joined reports whether a and b hang together over veths and bridges already:
// the law's topologies have no rings, for there is no STP to break them.
func (x *world) joined(a, b *core.Device) bool {
	seen := map[*core.Device]bool{}
	var walk func(d *core.Device)
	walk = func(d *core.Device) {
		if d == nil || seen[d] {
			return
		}
		seen[d] = true
		walk(d.Master())
		walk(d.LowerDevice())
		if x.isBridge(d) {
			for _, p := range x.portsOf(d) {
				walk(p)
			}
		}
	}
	walk(a)
	return seen[b]
}

func (x *world) devices() (list []*core.Device) {
	for _, p := range x.pairs {
		list = append(list, p[0], p[1])
	}
	return append(list, x.bridges...)
}

// step changes the topology or sends a frame and checks who gets it.
func (x *world) step(t *rapid.T) {
	m := x.m
	all := x.devices()
	pick := func(list []*core.Device, what string) *core.Device { return rapid.SampledFrom(list).Draw(t, what) }
	net := func() *netns.Net { return rapid.SampledFrom(x.nets).Draw(t, "net") }
	x.next++
	switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
	case op == 0 || len(x.pairs) == 0:
		d := m.add(net(), "veth", core.LinkSpec{Name: fmt.Sprint("v", x.next), Peer: &core.LinkSpec{Name: fmt.Sprint("w", x.next)}, PeerNet: net()})
		m.up(d, d.LowerDevice())
		x.pairs = append(x.pairs, [2]*core.Device{d, d.LowerDevice()})
	case op == 1:
		br := m.add(net(), "bridge", core.LinkSpec{Name: fmt.Sprint("br", x.next)})
		m.up(br)
		x.bridges = append(x.bridges, br)
	case op == 2 || op == 3:
		d := pick(all, "port")
		if x.isBridge(d) || len(x.bridges) == 0 {
			return
		}
		br := pick(x.bridges, "bridge")
		if br.Net() == d.Net() && d.Master() == nil && !x.joined(d, br) {
			m.ok(m.s.SetMaster(d, br))
		}
	case op == 4:
		d := pick(all, "device")
		if !x.isBridge(d) {
			m.ok(m.s.SetMaster(d, nil))
		}
	case op == 5:
		d := pick(all, "device")
		if x.isBridge(d) {
			return
		}
		m.send(d, wire.BroadcastMAC(), "in flight while it moves")
		m.ok(m.s.Move(d, net(), ""))
		m.up(d)
		m.run()
	case op == 6:
		d := pick(all, "device")
		if d.Up() {
			m.s.SetDown(d)
		} else {
			m.up(d)
		}
	case op == 7 && len(x.pairs) > 1:
		i := rapid.IntRange(0, len(x.pairs)-1).Draw(t, "pair")
		m.ok(m.s.Unregister(x.pairs[i][0]))
		x.pairs = slices.Delete(x.pairs, i, i+1)
	default:
		x.broadcast(t, pick(all, "sender"))
	}
}

// broadcast sends and compares with the oracle; then a unicast, which may be
// flooded or learned, must not get further than the broadcast did.
func (x *world) broadcast(t *rapid.T, d *core.Device) {
	name := func(d *core.Device) string { return d.Net().Name() + "/" + d.Name() }
	var want, got []string
	for _, r := range x.reach(d) {
		want = append(want, name(r))
	}
	x.m.send(d, wire.BroadcastMAC(), "all")
	for _, g := range x.m.run() {
		got = append(got, g.net.Name()+"/"+g.dev)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("broadcast from %s reached %v, the oracle says %v", name(d), got, want)
	}
	to := rapid.SampledFrom(x.devices()).Draw(t, "to")
	x.m.send(d, to.Addr(), "one")
	for _, g := range x.m.run() {
		if n := g.net.Name() + "/" + g.dev; !slices.Contains(want, n) {
			t.Fatalf("unicast from %s to %s reached %s, which its broadcast does not", name(d), name(to), n)
		}
	}
	if slices.Contains(want, name(to)) {
		x.m.send(to, wire.BroadcastMAC(), "teach")
		x.m.run()
		x.m.send(d, to.Addr(), "two")
		if got := x.m.run(); len(got) != 1 || got[0].dev != to.Name() {
			t.Fatalf("unicast from %s to %s, which is in reach, reached %v", name(d), name(to), got)
		}
	}
}

// TestLawNoWayWithoutALink: frames of one Net never reach another without a link.
// Every topology runs under both placements, with and without a colliding hash.
func TestLawNoWayWithoutALink(t *testing.T) {
	for _, place := range placements {
		for _, collide := range []bool{false, true} {
			t.Run(fmt.Sprintf("place=%v/collide=%v", place, collide), func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) {
					m := newMachineWith(t, place, netns.Config{Seed: 7, Collide: collide}, nil)
					defer func() { m.sys.Unlock(); m.sys.Lock() }()
					x := &world{m: m}
					for i := range rapid.IntRange(1, 4).Draw(rt, "nets") {
						x.nets = append(x.nets, m.net(fmt.Sprint("n", i)))
					}
					for range rapid.IntRange(1, 40).Draw(rt, "steps") {
						x.step(rt)
					}
					m.balance()
					for _, n := range x.nets {
						m.ok(m.sys.Delete(n.Name()))
					}
					m.sys.Reap()
					m.balance()
					if left := m.s.DeadLedger(); strings.Contains(left.String(), "NOT") {
						rt.Fatalf("the dead: %v", left)
					}
				})
			})
		}
	}
}
