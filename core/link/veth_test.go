package link_test

import (
	"errors"
	"syscall"
	"testing"

	"nsmodel/core"
	"nsmodel/core/wire"
)

func TestVeth(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n1, n2 := m.net("n1"), m.net("n2")
		a := m.add(n1, "veth", core.LinkSpec{Name: "a", Peer: &core.LinkSpec{Name: "b"}, PeerNet: n2})
		b := m.s.Device(n2, "b")
		if b == nil || a.Lower() != b.Index() || b.Lower() != a.Index() || b.LowerDevice() != a {
			t.Fatal("peers do not know each other")
		}
		m.up(a)
		if a.Carrier() || b.Carrier() {
			t.Error("carrier with one end down")
		}
		m.send(a, wire.BroadcastMAC(), "early")
		m.up(b)
		if !a.Carrier() || !b.Carrier() {
			t.Error("no carrier with both ends up")
		}
		m.send(a, wire.BroadcastMAC(), "1")
		m.send(b, a.Addr(), "2")
		m.send(b, wire.MAC{2, 9, 9, 9, 9, 9}, "not for a")
		m.want(m.run(), "n2/b 1", "n1/a 2")
		if r := m.s.Ledger(n1).Reasons; r["NO_CARRIER"] != 1 || r["OTHERHOST"] != 1 {
			t.Errorf("n1: %v", m.s.Ledger(n1))
		}
		m.s.SetDown(b)
		if a.Carrier() || b.Carrier() {
			t.Error("carrier survived")
		}
		m.ok(m.s.Unregister(a))
		if m.s.Device(n1, "a") != nil || m.s.Device(n2, "b") != nil {
			t.Error("one end survived the other")
		}
	})
}

func TestVethErrorUndoesFirstEnd(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n1, n2 := m.net("n1"), m.net("n2")
		m.veth(n1, "a", n2, "b")
		for _, c := range []struct {
			name, peer string
			want       error
		}{
			{"a", "c", syscall.EEXIST},
			{"c", "b", syscall.EEXIST},
			{"c", "x y", syscall.EINVAL},
			{"", "b", syscall.EEXIST},
		} {
			_, err := m.s.Kind("veth").New(n1, core.LinkSpec{Name: c.name, Peer: &core.LinkSpec{Name: c.peer}, PeerNet: n2})
			if !errors.Is(err, c.want) {
				t.Errorf("%s/%s: %v, want %v", c.name, c.peer, err, c.want)
			}
			if len(m.s.Devices(n1)) != 2 || len(m.s.Devices(n2)) != 2 {
				t.Errorf("%s/%s: something was left behind", c.name, c.peer)
			}
		}
		d := m.add(n1, "veth", core.LinkSpec{})
		if p := d.LowerDevice(); p.Name() != "veth0" || d.Name() != "veth1" || p.Index() >= d.Index() {
			t.Errorf("names %s, %s", p.Name(), d.Name())
		}
	})
}

func TestVethMoveKeepsPair(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n1, n2, n3 := m.net("n1"), m.net("n2"), m.net("n3")
		a, b := m.veth(n1, "a", n1, "b")
		for range 5 {
			m.send(a, wire.BroadcastMAC(), "waits at b")
		}
		m.ok(m.s.Move(b, n2, ""))
		if b.Net() != n2 || a.LowerDevice() != b || a.Carrier() {
			t.Error("the pair broke")
		}
		m.want(m.run())
		m.up(b)
		m.send(a, b.Addr(), "1")
		m.want(m.run(), "n2/b 1")
		m.veth(n3, "b", n3, "x")
		if err := m.s.Move(b, n3, ""); !errors.Is(err, syscall.EEXIST) || b.Net() != n2 || !b.Up() {
			t.Errorf("move over a taken name: %v", err)
		}
		m.ok(m.s.Move(b, n3, "c"))
		m.up(b)
		m.send(a, b.Addr(), "2")
		m.want(m.run(), "n3/c 2")
		m.send(a, b.Addr(), "last")
		m.ok(m.sys.Delete("n3"))
		m.sys.Reap()
		if m.s.Device(n1, "a") != nil {
			t.Error("an end outlived its peer's Net")
		}
	})
}

func TestVethLongFrame(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n1, n2 := m.net("n1"), m.net("n2")
		a, b := m.veth(n1, "a", n2, "b")
		m.ok(m.s.SetMTU(b, 100))
		m.send(a, b.Addr(), string(make([]byte, 104)))
		m.send(a, b.Addr(), string(make([]byte, 105)))
		if got := m.run(); len(got) != 1 || m.s.Ledger(n2).Reasons["PKT_TOO_BIG"] != 1 {
			t.Errorf("%d frames, %v", len(got), m.s.Ledger(n2))
		}
	})
}
