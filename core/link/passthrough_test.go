package link_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// shared is a parent with a wire to the outside and two children on it.
type shared struct {
	m          *machine
	parent     *netns.Net
	outside    *link.Wire
	out        []string
	low        *core.Device
	kids       [2]*core.Device
	stranger   wire.MAC
	kid1, kid2 *netns.Net
}

func newShared(m *machine) *shared {
	m.t.Helper()
	x := &shared{m: m, parent: m.net("parent"), stranger: wire.MAC{2, 0xff, 0, 0, 0, 1}}
	var err error
	x.outside, err = m.l.NewWire(x.parent, core.LinkSpec{Name: "eth0"}, func(w *core.Worker, f []byte) {
		x.out = append(x.out, string(f[wire.EthernetLen:]))
	})
	m.ok(err)
	x.low = x.outside.Device()
	x.kid1, x.kid2 = m.net("kid1"), m.net("kid2")
	x.kids[0] = m.add(x.kid1, "passthrough", core.LinkSpec{Name: "pt0", Lower: x.low})
	x.kids[1] = m.add(x.parent, "passthrough", core.LinkSpec{Name: "pt1", Lower: x.low})
	m.ok(m.s.Move(x.kids[1], x.kid2, "pt0"))
	m.up(x.low, x.kids[0], x.kids[1])
	return x
}

// inject lets a frame come from outside.
func (x *shared) inject(dst wire.MAC, tag string) {
	w := x.m.s.Enter()
	x.outside.Inject(w, frameOf(dst, x.stranger, tag))
	w.Leave()
}

// want compares what arrived inside and outside.
func (x *shared) want(out string, lines ...string) {
	x.m.t.Helper()
	x.m.want(x.m.run(), lines...)
	if fmt.Sprint(x.out) != out {
		x.m.t.Errorf("outside got %q, want %q", x.out, out)
	}
	x.out = nil
}

func TestPassthrough(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		x := newShared(m)
		a, b := x.kids[0], x.kids[1]
		m.send(a, x.stranger, "out")
		x.want("[out]")
		m.send(a, b.Addr(), "sibling")
		x.want("[]", "kid2/pt0 sibling")
		m.send(a, x.low.Addr(), "parent")
		x.want("[]", "parent/eth0 parent")
		m.send(x.low, a.Addr(), "child")
		x.want("[]", "kid1/pt0 child")
		m.send(x.low, x.stranger, "parent out")
		x.want("[parent out]")
		m.send(a, wire.BroadcastMAC(), "all")
		x.want("[all]", "kid2/pt0 all", "parent/eth0 all")
		m.send(x.low, wire.BroadcastMAC(), "from parent")
		x.want("[from parent]", "kid1/pt0 from parent", "kid2/pt0 from parent")
		x.inject(a.Addr(), "in")
		x.want("[]", "kid1/pt0 in")
		x.inject(x.low.Addr(), "in parent")
		x.want("[]", "parent/eth0 in parent")
		x.inject(wire.MAC{3, 1, 1, 1, 1, 1}, "group")
		x.want("[]", "parent/eth0 group", "kid1/pt0 group", "kid2/pt0 group")
		x.inject(wire.MAC{2, 1, 1, 1, 1, 1}, "nobody's")
		x.want("[]")
		m.s.SetDown(b)
		x.inject(b.Addr(), "to one that is down")
		x.want("[]")
	})
}

func TestPassthroughFollowsLower(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		x := newShared(m)
		a := x.kids[0]
		if a.Lower() != x.low.Index() || a.LowerDevice() != x.low || !a.Carrier() {
			t.Error("lower device")
		}
		m.s.SetDown(x.low)
		if a.Carrier() {
			t.Error("carrier survived")
		}
		m.send(a, x.stranger, "no carrier")
		x.want("[]")
		m.up(x.low)
		m.s.SetCarrier(x.low, false)
		if a.Carrier() {
			t.Error("carrier survived")
		}
		m.s.SetCarrier(x.low, true)
		if !a.Carrier() {
			t.Error("carrier did not come back")
		}
		m.ok(m.s.SetMTU(x.low, 1000))
		if a.MTU() != 1000 {
			t.Errorf("mtu %d", a.MTU())
		}
		if err := m.s.SetMTU(a, 1001); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("mtu above the lower device's: %v", err)
		}
		for _, busy := range []wire.MAC{x.low.Addr(), x.kids[1].Addr()} {
			if err := m.s.SetAddr(a, busy); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("address in use: %v", err)
			}
		}
		m.ok(m.s.SetAddr(a, wire.MAC{2, 0, 0, 0, 0, 0xaa}))
		x.inject(wire.MAC{2, 0, 0, 0, 0, 0xaa}, "new address")
		x.want("[]", "kid1/pt0 new address")
	})
}

func TestPassthroughRefuses(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		x := newShared(m)
		k := m.s.Kind("passthrough")
		for _, c := range []struct {
			what string
			u    core.LinkSpec
			want error
		}{
			{"no lower device", core.LinkSpec{}, syscall.EINVAL},
			{"on loopback", core.LinkSpec{Lower: m.s.Device(x.parent, "lo")}, syscall.EINVAL},
			{"mtu", core.LinkSpec{Lower: x.low, MTU: 1501}, syscall.EINVAL},
			{"the lower device's address", core.LinkSpec{Lower: x.low, Addr: x.low.Addr()}, syscall.EADDRINUSE},
			{"a sibling's address", core.LinkSpec{Lower: x.low, Addr: x.kids[1].Addr()}, syscall.EADDRINUSE},
			{"a taken name", core.LinkSpec{Lower: x.low, Name: "eth0"}, syscall.EEXIST},
		} {
			if _, err := k.New(x.parent, c.u); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.what, err, c.want)
			}
		}
		if len(m.s.Devices(x.parent)) != 2 {
			t.Error("something was left behind")
		}
	})
}

func TestPassthroughDiesWithLower(t *testing.T) {
	for _, how := range []string{"delete", "move", "net"} {
		bothPlacements(t, func(t *testing.T, m *machine) {
			x := newShared(m)
			nested := m.add(x.kid2, "passthrough", core.LinkSpec{Name: "nested", Lower: x.kids[0]})
			m.up(nested)
			m.send(nested, x.stranger, "through two")
			x.want("[through two]")
			x.inject(nested.Addr(), "the outside knows nothing of it")
			x.inject(wire.BroadcastMAC(), "all")
			x.m.want(x.m.run(), "parent/eth0 all", "kid1/pt0 all", "kid2/pt0 all", "kid2/nested all")
			switch how {
			case "delete":
				m.ok(m.s.Unregister(x.low))
			case "move":
				m.ok(m.s.Move(x.low, m.sys.Init(), ""))
			case "net":
				m.ok(m.sys.Delete("parent"))
				m.sys.Reap()
				if m.s.Device(m.sys.Init(), "eth0") != x.low {
					t.Error("the NIC did not go home")
				}
			}
			if len(m.s.Devices(x.kid1)) != 1 || len(m.s.Devices(x.kid2)) != 1 {
				t.Errorf("%s: a passthrough device outlived its lower one", how)
			}
			if x.low.Claimed() || len(x.low.Uppers()) != 0 {
				t.Errorf("%s: the lower device is still shared", how)
			}
		})
	}
}

func TestPassthroughDeleted(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		x := newShared(m)
		addr := x.kids[0].Addr()
		m.ok(m.sys.Delete("kid1"))
		m.sys.Reap()
		x.inject(addr, "gone")
		x.inject(x.kids[1].Addr(), "stays")
		x.want("[]", "kid2/pt0 stays")
		m.ok(m.s.Unregister(x.kids[1]))
		if x.low.Claimed() || len(x.low.Uppers()) != 0 {
			t.Error("the lower device is still shared")
		}
	})
}
