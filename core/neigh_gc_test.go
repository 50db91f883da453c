package core

import (
	"syscall"
	"testing"
	"time"

	"nsmodel/netns"
)

// A full table is its own Net's trouble. Linux until September 2026 (C28): one
// count for the host.
func TestNeighbourLimitIsPerNet(t *testing.T) {
	each(t, func(m *machine) {
		a, b := m.net("a"), m.net("b")
		da, db := m.link(a, "e"), m.link(b, "e")
		m.neigh.limits[a] = [3]int{1, 4, 8}
		m.neigh.limits[b] = [3]int{1, 4, 8}
		for i := range 8 {
			m.to(da, i, "x")
		}
		m.to(da, 8, "too many")
		m.wantDrops(a, NeighbourQueue, 1)
		if _, err := m.s.NewNeighbour(da, addr4(9), m.now); err != syscall.ENOBUFS {
			m.Errorf("error %v", err)
		}
		for i := range 8 {
			m.to(db, i, "y")
		}
		m.wantDrops(b, NeighbourQueue, 0)
		if k := len(m.s.Neighbours(b)); k != 8 {
			m.Errorf("the neighbour has %d entries, want 8", k)
		}
		// An administrator's permanent entry has no limit, and uses none up.
		w := m.s.Enter()
		m.ok(m.s.SetNeighbour(w, da, addr4(20), NeighUpdate{State: NudPermanent, MAC: macA}))
		m.fails(m.s.SetNeighbour(w, da, addr4(21), NeighUpdate{State: NudStale, MAC: macA}), syscall.ENOBUFS)
		m.ok(m.s.DeleteNeighbour(w, m.s.Neighbour(da, addr4(0))))
		m.ok(m.s.SetNeighbour(w, da, addr4(21), NeighUpdate{State: NudStale, MAC: macA}))
		w.Leave()
		if c := m.s.neighs.Of(a); c.entries[0].Load() != 9 || c.permanent[0].Load() != 1 {
			m.Errorf("counted %d, %d permanent", c.entries[0].Load(), c.permanent[0].Load())
		}
	})
}

// Above gc_thresh2 what is old and idle makes room: not what is permanent, what
// has changed in the last five seconds, or what has a timer.
func TestNeighbourForcedGC(t *testing.T) {
	each(t, func(m *machine) {
		n := m.net("n")
		d := m.link(n, "e")
		m.neigh.limits[n] = [3]int{1, 4, 8}
		m.neigh.parms.Reachable = time.Hour
		admin := func(i int, st NeighState) { m.ok(m.learn(d, i, NeighUpdate{State: st, MAC: macA, Admin: true})) }
		admin(1, NudPermanent)
		admin(2, NudReachable)
		admin(3, NudStale)
		m.to(d, 4, "x")
		m.after(6 * time.Second) // 4 has failed meanwhile
		admin(5, NudStale)
		admin(6, NudStale)
		for i, want := range map[int]string{1: "PERMANENT A", 2: "REACHABLE A", 3: "none", 4: "FAILED", 5: "STALE A", 6: "STALE A"} {
			m.wantState(d, i, want)
		}
		m.neigh.take()
		admin(7, NudStale) // too early for another collection, and below gc_thresh3
		m.wantState(d, 4, "FAILED")
		m.after(5*time.Second + 1)
		admin(8, NudStale)
		m.wantState(d, 4, "none")
		if c := m.s.neighs.Of(n); int(c.entries[0].Load()) != len(m.s.Neighbours(n)) {
			m.Errorf("counted %d, there are %d", c.entries[0].Load(), len(m.s.Neighbours(n)))
		}
	})
}

// With the host's limits one Net fills the table for all, forced collection takes
// whosever are oldest, and what goes with its Net makes room again (C28).
func TestNeighbourHostLimits(t *testing.T) {
	eachSetup(t, setup{core: Config{HostLimits: true}}, func(m *machine) {
		a, b := m.net("a"), m.net("b")
		da, db := m.link(a, "e"), m.link(b, "e")
		m.neigh.limits[m.sys.Init()] = [3]int{1, 4, 8}
		stale := func(d *Device, i int) error {
			return m.learn(d, i, NeighUpdate{State: NudStale, MAC: macA, Admin: true})
		}
		m.ok(m.learn(db, 0, NeighUpdate{State: NudPermanent, MAC: macA, Admin: true}))
		m.ok(stale(db, 1))
		m.ok(stale(db, 2))
		m.after(6 * time.Second)
		for i := range 8 {
			m.ok(stale(da, 20+i))
		}
		if k, l := len(m.s.Neighbours(a)), len(m.s.Neighbours(b)); k != 8 || l != 1 { // b's permanent one is left
			m.Errorf("a has %d, b %d", k, l)
		}
		m.fails(stale(db, 3), syscall.ENOBUFS)
		m.s.FlushNeighbours(AFInet, da, true)
		m.ok(stale(db, 3))
		if c := m.s.neighs.Of(m.sys.Init()); c.entries[0].Load() != 2 || c.permanent[0].Load() != 1 || m.s.hostNeighs.order.Len() != 2 {
			m.Errorf("counted %d, %d permanent, %d in order", c.entries[0].Load(), c.permanent[0].Load(), m.s.hostNeighs.order.Len())
		}
	})
}

// Entries that nobody has used for gc_stale_time go, from gc_thresh1 on.
func TestNeighbourPeriodicGC(t *testing.T) {
	each(t, func(m *machine) {
		few, many := m.net("few"), m.net("many")
		d, e := m.link(few, "e"), m.link(many, "e")
		m.neigh.limits[few] = [3]int{3, 512, 1024}
		m.neigh.limits[many] = [3]int{2, 512, 1024}
		for i := range 2 {
			m.ok(m.learn(d, i, NeighUpdate{State: NudStale, MAC: macA}))
			m.ok(m.learn(e, i, NeighUpdate{State: NudStale, MAC: macA}))
		}
		m.after(59 * time.Second)
		m.wantState(e, 0, "STALE A")
		m.to(e, 1, "x") // goes round to stale, used at 59 s
		m.ok(m.learn(e, 1, NeighUpdate{State: NudStale, MAC: macA, Admin: true}))
		m.after(2 * time.Second)
		m.wantState(e, 0, "none")
		m.wantState(e, 1, "STALE A")
		m.wantState(d, 0, "STALE A")
		m.after(time.Hour) // alone it is below gc_thresh1
		m.wantState(e, 1, "STALE A")
	})
}

// What waits for an answer is counted and freed, whoever ends first.
func TestNeighbourDeathWithPacketsWaiting(t *testing.T) {
	tests := []struct {
		name string
		end  func(m *machine, d *Device)
		why  Reason
	}{
		{"entry", func(m *machine, d *Device) {
			w := m.s.Enter()
			nb := m.s.Neighbour(d, addr4(1))
			m.ok(m.s.DeleteNeighbour(w, nb))
			m.fails(m.s.DeleteNeighbour(w, nb), syscall.ENOENT)
			m.fails(nb.Update(w, NeighUpdate{State: NudStale, MAC: macA}), syscall.EPERM)
			before := m.s.TotalLedger().Reasons[NeighbourDead.String()]
			p := w.NewPacket(d.Net(), 1)
			nb.Output(w, p) // somebody still had it
			if now := m.s.TotalLedger().Reasons[NeighbourDead.String()]; now != before+1 {
				m.Errorf("%d dropped at a dead neighbour, want %d", now, before+1)
			}
			w.Leave()
		}, NeighbourFailed},
		{"device", func(m *machine, d *Device) { m.ok(m.s.Unregister(d)) }, NeighbourDead},
		{"move", func(m *machine, d *Device) { m.ok(m.s.Move(d, m.net("other"), "")) }, NeighbourDead},
		{"namespace", func(m *machine, d *Device) { m.kill("n") }, NeighbourDead},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(m *machine) {
				n := m.net("n")
				d := m.link(n, "e")
				m.to(d, 1, "x")
				m.to(d, 1, "y")
				test.end(m, d)
				b := m.s.TotalLedger()
				late := uint64(0) // what came when it was over
				if test.name == "entry" {
					late = 1
				}
				if b.Reasons[test.why.String()]+late != b.Dropped || b.Dropped < 2 || b.Held != 0 {
					m.Errorf("ledger: %v", b)
				}
				if k := m.s.Outstanding(); k != 0 {
					m.Errorf("%d packets outstanding", k)
				}
				m.neigh.take()
				m.after(time.Minute)
				if log := m.neigh.take(); len(log) != 0 {
					m.Errorf("a dead entry's timer ran: %q", log)
				}
			})
		})
	}
}

// A packet on its way when its Net dies may file an entry after everybody has
// left once: it goes with the second exit.
func TestNeighbourFiledWhileNetDies(t *testing.T) {
	late := func(m *machine) {
		netns.Register(m.sys, netns.Ops[struct{}]{
			Name: "late", Place: netns.Replicated, Make: func() *struct{} { return new(struct{}) },
			Exit: func(n *netns.Net, _ *struct{}) {},
		})
	}
	eachSetup(t, setup{before: late}, func(m *machine) {
		n := m.net("n")
		d := m.link(n, "e")
		m.to(d, 1, "early") // so that the Net has its own home
		w := m.s.Enter()
		p := w.NewPacket(n, 1)
		done := make(chan bool)
		m.ok(m.sys.Delete("n"))
		go func() { // the packet is in a section that the grace period waits for
			for m.s.Neighbour(d, addr4(1)) != nil {
				time.Sleep(time.Millisecond)
			}
			m.s.Output(w, d, addr4(2), p)
			w.Leave()
			close(done)
		}()
		m.sys.Reap()
		<-done
		if b := m.s.TotalLedger(); b.Held != 0 || m.s.Outstanding() != 0 {
			m.Errorf("%v, %d outstanding", b, m.s.Outstanding())
		}
	})
}

// A device's count is that of its entries in the table, whatever became of them: by
// it a flush knows that there is nothing to look for.
func TestNeighbourCountOfDevice(t *testing.T) {
	eachSetup(t, setup{}, func(m *machine) {
		n, other := m.net("n"), m.net("other")
		a, b := m.link(n, "a"), m.link(n, "b")
		count := func(what string, d *Device, want int) {
			m.Helper()
			found := 0
			for _, nb := range m.s.Neighbours(d.Net()) {
				if nb.Dev() == d {
					found++
				}
			}
			if got := int(d.neighs.Load()); got != want || found != want {
				m.Errorf("%s: %s counts %d, the table has %d, want %d", what, d.Name(), got, found, want)
			}
		}
		for i := 1; i <= 3; i++ {
			m.ok(m.learn(a, i, NeighUpdate{State: NudPermanent, MAC: macA}))
			m.ok(m.learn(a, i, NeighUpdate{State: NudStale, MAC: macB, Override: true, Admin: true}))
		}
		m.ok(m.learn(b, 1, NeighUpdate{State: NudPermanent, MAC: macA}))
		m.to(b, 2, "waits")
		count("filed", a, 3)
		count("filed", b, 2)
		w := m.s.Enter()
		m.ok(m.s.DeleteNeighbour(w, m.s.Neighbour(a, addr4(1))))
		w.Leave()
		count("one deleted", a, 2)
		m.s.FlushNeighbours(AFInet, b, false)
		count("flushed but the permanent", b, 1)
		m.ok(m.s.Move(a, other, ""))
		count("moved", a, 0)
		count("the other one moved", b, 1)
		m.ok(m.learn(a, 1, NeighUpdate{State: NudPermanent, MAC: macA}))
		count("filed in another Net", a, 1)
	})
}
