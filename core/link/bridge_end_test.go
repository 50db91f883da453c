package link_test

import (
	"fmt"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// fdbLen returns how many entries the bridge has.
func fdbLen(m *machine, br *core.Device) int {
	list, err := m.l.FDB(br)
	m.ok(err)
	return len(list)
}

func TestBridgeLeaksNothing(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		br, p, e := bridged(m, 3)
		for i := range e {
			m.send(e[i], wire.BroadcastMAC(), "x")
		}
		m.run()
		m.ok(m.l.AddFDB(p[0], wire.MAC{2, 2, 2, 2, 2, 2}, link.FDBStatic, false))
		// A port that leaves takes its own entries along: local, learned, static.
		before := fdbLen(m, br)
		m.ok(m.s.SetMaster(p[0], nil))
		if got := fdbLen(m, br); got != before-3 && got != before-2 { // the bridge may have had p0's address
			t.Errorf("%d entries of %d", got, before)
		}
		m.send(e[1], e[0].Addr(), "nobody")
		m.want(m.run())
		// A port that moves away is no port any more.
		away := m.net("away")
		m.ok(m.s.Move(p[1], away, ""))
		if p[1].Master() != nil || p[1].Claimed() {
			t.Error("still a port")
		}
		m.up(p[1])
		m.send(e[1], wire.BroadcastMAC(), "moved")
		m.want(m.run(), "away/p1 moved")
		m.ok(m.s.Unregister(br))
		if p[2].Master() != nil {
			t.Error("a port of a bridge that is gone")
		}
		if got := fdbLen(m, br); got != 0 {
			t.Errorf("%d entries outlived the bridge", got)
		}
		if _, ok := m.sys.NextTimer(); ok {
			t.Error("a timer outlived the bridge")
		}
		m.send(e[2], wire.BroadcastMAC(), "p2 is its own")
		m.want(m.run(), "br/p2 p2 is its own")
		m.ok(m.sys.Delete("br"))
		m.sys.Reap()
	})
}

func TestBridgeDiesWithNet(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		br, _, e := bridged(m, 2)
		for i := range e {
			m.send(e[i], wire.BroadcastMAC(), "x")
		}
		m.run()
		for range 10 {
			m.send(e[0], wire.BroadcastMAC(), "in flight")
		}
		m.w.Poll(m.now, 3)
		m.ok(m.sys.Delete("br"))
		if m.sys.Reap() != 1 {
			t.Fatal("not reaped")
		}
		if m.s.Device(e[0].Net(), "e0") != nil {
			t.Error("a veth outlived its peer")
		}
		if got := fdbLen(m, br); got != 0 {
			t.Errorf("%d entries outlived the Net", got)
		}
	})
}

func TestBridgeCollidingHash(t *testing.T) {
	for _, place := range placements {
		m := newMachineWith(t, place, netns.Config{Collide: true}, nil)
		n1, n2 := m.net("1"), m.net("2")
		var devs [][2]*core.Device
		for i, n := range []*netns.Net{n1, n1, n2} { // equal MACs everywhere
			br := m.add(n, "bridge", core.LinkSpec{Name: fmt.Sprint("br", i)})
			x, ex := m.veth(n, fmt.Sprint("x", i), m.net(fmt.Sprint("hx", i)), "e")
			y, ey := m.veth(n, fmt.Sprint("y", i), m.net(fmt.Sprint("hy", i)), "e")
			m.ok(m.s.SetMaster(x, br))
			m.ok(m.s.SetMaster(y, br))
			m.ok(m.s.SetAddr(ex, wire.MAC{2, 0, 0, 0, 0, 1}))
			m.ok(m.s.SetAddr(ey, wire.MAC{2, 0, 0, 0, 0, 2}))
			m.up(br)
			devs = append(devs, [2]*core.Device{ex, ey})
		}
		for _, d := range devs {
			m.send(d[0], wire.BroadcastMAC(), "learn")
			m.send(d[1], wire.BroadcastMAC(), "learn")
		}
		m.run()
		for i, d := range devs {
			m.send(d[0], d[1].Addr(), "hit")
			m.want(m.run(), fmt.Sprintf("hy%d/e hit", i))
		}
		m.balance()
		m.sys.Unlock()
		m.sys.Lock()
	}
}

func TestBridgeStationMoves(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		_, _, e := bridged(m, 3)
		station := wire.MAC{2, 4, 4, 4, 4, 4}
		for i := range 2 {
			m.frame(e[i], frameOf(wire.BroadcastMAC(), station, "I am here"))
			m.run()
			before := m.s.Ledger(e[1-i].Net()).In
			m.frame(e[2], frameOf(station, e[2].Addr(), "x"))
			m.run()
			if m.s.Ledger(e[1-i].Net()).In != before {
				t.Errorf("a frame for the station behind port %d went to port %d", i, 1-i)
			}
		}
		// What is too old is not used, even before the timer has taken it away.
		m.now += 300 * time.Second
		before := m.s.Ledger(e[0].Net()).In
		m.frame(e[2], frameOf(station, e[2].Addr(), "x"))
		m.run()
		if m.s.Ledger(e[0].Net()).In != before+1 {
			t.Error("an entry was used that has expired")
		}
	})
}

func TestBridgeIndexReused(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n := m.net("n")
		br := m.add(n, "bridge", core.LinkSpec{Index: 7})
		old := br.Addr()
		m.ok(m.s.Unregister(br))
		br = m.add(n, "bridge", core.LinkSpec{Index: 7})
		list, err := m.l.FDB(br)
		m.ok(err)
		if len(list) != 1 || list[0].Addr == old || list[0].Addr != br.Addr() || list[0].Dev != br {
			t.Errorf("%+v", list)
		}
	})
}
