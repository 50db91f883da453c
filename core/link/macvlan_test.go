package link_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/wire"
)

// street is a wire to the outside with a macvlan device in each of modes, each in a
// Net that is named after the mode and its place.
type street struct {
	m       *machine
	outside *link.Wire
	out     []string
	low     *core.Device
	kids    map[string]*core.Device
}

var outsider = wire.MAC{2, 0xff, 0, 0, 0, 1}

func newStreet(m *machine, modes ...string) *street {
	m.t.Helper()
	x := &street{m: m, kids: map[string]*core.Device{}}
	var err error
	x.outside, err = m.l.NewWire(m.net("low"), core.LinkSpec{Name: "eth0"}, func(w *core.Worker, f []byte) {
		x.out = append(x.out, string(f[wire.EthernetLen:]))
	})
	m.ok(err)
	x.low = x.outside.Device()
	m.up(x.low)
	for i, mode := range modes {
		name := fmt.Sprint(mode, i)
		d := m.add(m.net(name), "macvlan", core.LinkSpec{Name: "m", Lower: x.low, Attrs: map[string]string{"mode": mode}})
		m.up(d)
		x.kids[name] = d
	}
	return x
}

// want sends from a device, or from outside if from is nil, and compares who got it.
func (x *street) want(what string, from *core.Device, dst wire.MAC, src wire.MAC, out bool, lines ...string) {
	x.m.t.Helper()
	x.out = nil
	if from != nil {
		x.m.send(from, dst, what)
	} else {
		w := x.m.s.Enter()
		x.outside.Inject(w, frameOf(dst, src, what))
		w.Leave()
	}
	for i := range lines {
		lines[i] += " " + what
	}
	x.m.want(x.m.run(), lines...)
	if got := len(x.out) == 1; got != out {
		x.m.t.Errorf("%s: went out %q, want %v", what, x.out, out)
	}
}

func TestMacvlanModes(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		x := newStreet(m, "bridge", "bridge", "vepa", "private", "private")
		k := func(name string) *core.Device { return x.kids[name] }
		all := wire.BroadcastMAC()
		x.want("out", k("bridge0"), outsider, wire.MAC{}, true)
		x.want("sibling", k("bridge0"), k("bridge1").Addr(), wire.MAC{}, false, "bridge1/m")
		x.want("a vepa", k("bridge0"), k("vepa2").Addr(), wire.MAC{}, true)
		x.want("a private one", k("bridge0"), k("private3").Addr(), wire.MAC{}, true)
		x.want("the lower one", k("bridge0"), x.low.Addr(), wire.MAC{}, true)
		x.want("from the lower one", x.low, k("bridge0").Addr(), wire.MAC{}, true)
		x.want("from vepa", k("vepa2"), k("bridge0").Addr(), wire.MAC{}, true)
		x.want("from private", k("private3"), k("private4").Addr(), wire.MAC{}, true)
		x.want("all", k("bridge0"), all, wire.MAC{}, true, "bridge1/m")
		x.want("all of vepa", k("vepa2"), all, wire.MAC{}, true)
		x.want("all of private", k("private3"), all, wire.MAC{}, true)
		x.want("all of the lower one", x.low, all, wire.MAC{}, true)
		for name, d := range x.kids {
			x.want("in "+name, nil, d.Addr(), outsider, false, name+"/m")
		}
		x.want("in", nil, x.low.Addr(), outsider, false, "low/eth0")
		x.want("nobody's", nil, wire.MAC{2, 1}, outsider, false)
		x.want("all from outside", nil, all, outsider, false, "bridge0/m", "bridge1/m", "vepa2/m", "private3/m", "private4/m", "low/eth0")
		// What comes back from outside: a switch that reflects.
		x.want("reflected", nil, k("bridge0").Addr(), k("vepa2").Addr(), false, "bridge0/m")
		x.want("all of vepa come back", nil, all, k("vepa2").Addr(), false, "bridge0/m", "bridge1/m", "low/eth0")
		x.want("all of bridge come back", nil, all, k("bridge0").Addr(), false, "vepa2/m", "low/eth0")
		x.want("all of private come back", nil, all, k("private3").Addr(), false, "private3/m")
		m.s.SetDown(k("bridge1"))
		x.want("to one that is down", k("bridge0"), k("bridge1").Addr(), wire.MAC{}, true)
		x.want("to one that is down, from outside", nil, k("bridge1").Addr(), outsider, false)
		x.want("all but one that is down", k("bridge0"), all, wire.MAC{}, true)
		m.ok(k("vepa2").Kind().Change(k("vepa2"), map[string]string{"mode": "bridge"}))
		x.want("a new bridge", k("bridge0"), k("vepa2").Addr(), wire.MAC{}, false, "vepa2/m")
	})
}

// The devices of one lower device are not those of another, even with the same
// addresses.
func TestMacvlanKnowsItsLower(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n := m.net("n")
		var out [2][]string
		var kids [2][2]*core.Device
		for i := range out {
			wire0, err := m.l.NewWire(n, core.LinkSpec{Name: fmt.Sprint("eth", i)}, func(w *core.Worker, f []byte) {
				out[i] = append(out[i], string(f[wire.EthernetLen:]))
			})
			m.ok(err)
			m.up(wire0.Device())
			for k := range kids[i] {
				kids[i][k] = m.add(m.net(fmt.Sprintf("net%d%d", i, k)), "macvlan", core.LinkSpec{Name: "m", Lower: wire0.Device(),
					Addr: wire.MAC{2, 0, 0, 0, 0, byte(k)}, Attrs: map[string]string{"mode": "bridge"}})
				m.up(kids[i][k])
			}
		}
		m.send(kids[0][0], kids[0][1].Addr(), "one")
		m.want(m.run(), "net01/m one")
		m.send(kids[0][0], wire.BroadcastMAC(), "all")
		m.want(m.run(), "net01/m all")
		if len(out[0]) != 1 || len(out[1]) != 0 {
			t.Errorf("went out by %v", out)
		}
	})
}

func TestMacvlanPassthru(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		x := newStreet(m, "passthru")
		d := x.kids["passthru0"]
		if d.Addr() != x.low.Addr() {
			t.Error("it has an address of its own")
		}
		for _, mode := range []string{"passthru", "bridge"} {
			if _, err := m.s.Kind("macvlan").New(x.low.Net(), core.LinkSpec{Lower: x.low, Attrs: map[string]string{"mode": mode}}); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("a second one, %s: %v", mode, err)
			}
		}
		x.want("anybody's", nil, wire.MAC{2, 1}, outsider, false, "passthru0/m")
		x.want("all", nil, wire.BroadcastMAC(), outsider, false, "passthru0/m", "low/eth0")
		x.want("out", d, outsider, wire.MAC{}, true)
		old := x.low.Addr()
		m.ok(m.s.SetAddr(d, wire.MAC{2, 7}))
		if x.low.Addr() != d.Addr() {
			t.Error("the lower device has kept its address")
		}
		m.ok(m.s.Unregister(d))
		if x.low.Addr() != old || x.low.Promiscuity() != 0 || x.low.Claimed() {
			t.Errorf("left behind: address %v, promiscuity %d, claimed %v", x.low.Addr(), x.low.Promiscuity(), x.low.Claimed())
		}
	})
}

func TestMacvlanEnds(t *testing.T) {
	for _, how := range []string{"delete", "move", "net", "own net"} {
		bothPlacements(t, func(t *testing.T, m *machine) {
			x := newStreet(m, "bridge", "bridge")
			a, b := x.kids["bridge0"], x.kids["bridge1"]
			for _, tag := range []string{"pending", "pending"} { // in queues of three Nets
				m.send(a, b.Addr(), tag)
				m.send(a, wire.BroadcastMAC(), tag)
				w := m.s.Enter()
				x.outside.Inject(w, frameOf(a.Addr(), outsider, tag))
				w.Leave()
			}
			lives := how == "move" || how == "net"
			switch how {
			case "delete":
				m.ok(m.s.Unregister(x.low))
			case "move":
				m.ok(m.s.Move(x.low, m.sys.Init(), ""))
			case "net":
				m.ok(m.sys.Delete("low"))
				m.sys.Reap()
			case "own net":
				m.ok(m.sys.Delete("bridge1"))
				m.sys.Reap()
			}
			m.run()
			if lives {
				if a.Carrier() != x.low.Carrier() || a.LowerDevice() != x.low {
					t.Errorf("%s: it has lost its lower device", how)
				}
				m.up(x.low)
				x.want("here", a, b.Addr(), wire.MAC{}, false, "bridge1/m")
				return
			}
			if how == "delete" {
				if len(m.s.Devices(a.Net())) != 1 || len(m.s.Devices(b.Net())) != 1 {
					t.Error("a macvlan device outlived its lower one")
				}
				return
			}
			if len(x.low.Uppers()) != 1 {
				t.Error("the dead one still stands on eth0")
			}
			x.want("gone", a, b.Addr(), wire.MAC{}, true)
			x.want("gone, from outside", nil, b.Addr(), outsider, false)
		})
	}
}

// TestUppersAllocate: neither way through a VLAN or a macvlan device allocates.
func TestUppersAllocate(t *testing.T) {
	m := newMachine(t, placements[0])
	m.deaf = true
	x := newStreet(m, "bridge", "bridge")
	v := m.add(m.net("v"), "vlan", core.LinkSpec{Name: "v", Lower: x.low, Attrs: map[string]string{"id": "3"}})
	m.up(v)
	x.outside, _ = m.l.NewWire(m.net("other"), core.LinkSpec{Name: "eth0"}, nil)
	m.up(x.outside.Device())
	a, b := x.kids["bridge0"], x.kids["bridge1"]
	in := tagged(frameOf(v.Addr(), outsider, "in"), [2]uint16{wire.EtherTypeVLAN, 3})
	link.JoinWires(x.outside, lowWire(x))
	one := func() {
		w := m.s.Enter()
		for _, to := range []wire.MAC{b.Addr(), wire.BroadcastMAC()} {
			p := w.NewPacket(a.Net(), 4)
			p.Protocol = testType
			a.SendTo(w, p, to)
		}
		p := w.NewPacket(v.Net(), 4)
		p.Protocol = testType
		v.SendTo(w, p, outsider)
		lowWire(x).Inject(w, in)
		w.Leave()
		for m.w.Poll(m.now, 64) > 0 {
		}
	}
	for range 100 {
		one()
	}
	if k := testing.AllocsPerRun(1000, one); k != 0 {
		t.Errorf("%v allocations a round", k)
	}
}

func lowWire(x *street) *link.Wire { return x.low.Driver().(*link.Wire) }
