package core

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"nsmodel/core/wire"
)

func TestFreedTwicePanics(t *testing.T) {
	m := newMachine(t, setup{})
	for _, size := range []int{100, 60000} {
		w := m.s.Enter()
		p := w.NewPacket(m.sys.Init(), size)
		w.Deliver(p)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d bytes: no panic", size)
				}
			}()
			w.Drop(p, NoSocket)
		}()
		w.Leave()
	}
}

func TestFreedPacketHoldsNothing(t *testing.T) {
	m := newMachine(t, setup{})
	w := m.s.Enter()
	defer w.Leave()
	d := m.add(m.sys.Init(), DeviceSpec{Name: "a"})
	p := w.NewPacket(m.sys.Init(), 100)
	p.Dev, p.Conntrack = d, d
	w.Deliver(p)
	if p.net != nil || p.books != nil || p.Dev != nil || p.Conntrack != nil || p.next != nil {
		t.Errorf("a free packet holds on: %+v", p)
	}
	if q := w.NewPacket(m.sys.Init(), 50); q != p || q.Len() != 50 || q.Headroom() != Headroom || q.Mark != 0 {
		t.Errorf("the packet is not new again: %+v", q)
	} else {
		w.Deliver(q)
	}
}

// Packets that are made by one context and freed by another are counted.
func TestOutstandingIsExact(t *testing.T) {
	m := newMachine(t, setup{})
	n := m.sys.Init()
	var kept []*Packet
	w := m.s.Enter()
	for i := range 1000 {
		kept = append(kept, w.NewPacket(n, 1+i*70))
	}
	w.Leave()
	if k := m.s.Outstanding(); k != 1000 {
		t.Errorf("%d outstanding, want 1000", k)
	}
	v, w := m.s.Enter(), m.s.Enter()
	if v == w {
		t.Fatal("two contexts are one")
	}
	for i, p := range kept {
		if i%2 == 0 {
			v.Deliver(p)
		} else {
			w.Drop(p, NoSocket)
		}
	}
	v.Leave()
	w.Leave()
	if k := m.s.Outstanding(); k != 0 {
		t.Errorf("%d outstanding, want 0", k)
	}
	if b := m.s.Ledger(n); b.Made != 1000 || b.Delivered != 500 || b.Dropped != 500 || !b.Balanced() {
		t.Errorf("ledger: %v", b)
	}
}

// What flows from one worker to another neither allocates nor piles up.
func TestCachesMeet(t *testing.T) {
	m := newMachine(t, setup{})
	n := m.sys.Init()
	from, to := m.s.Enter(), m.s.Enter()
	defer from.Leave()
	defer to.Leave()
	flow := func() {
		for range 1000 {
			to.Deliver(from.NewPacket(n, 100))
		}
	}
	flow()
	if k := testing.AllocsPerRun(10, flow); k != 0 {
		t.Errorf("%v allocations", k)
	}
	if len(to.cache) >= 4*cacheBatch || len(m.s.depot.small) > depotMax {
		t.Errorf("cache %d, depot %d", len(to.cache), len(m.s.depot.small))
	}
}

func TestPacketPathDoesNotAllocate(t *testing.T) {
	each(t, func(m *machine) {
		m.handle = func(w *Worker, p *Packet) { w.Deliver(p) }
		a, _ := m.pair(m.net("n1"), "a", m.net("n2"), "b")
		a.SetPfifo(10)
		addr := addr4(1)
		w := m.s.Enter()
		m.ok(m.s.SetNeighbour(w, a, addr, NeighUpdate{State: NudPermanent, MAC: wire.MAC{2}}))
		w.Leave()
		lap := func() {
			w := m.s.Enter()
			for range 10 {
				m.sendBy(w, a, "x")
				p := w.NewPacket(a.Net(), 10)
				p.Protocol = testType
				m.s.Output(w, a, addr, p)
			}
			w.Leave()
			for m.w.Poll(time.Second, 64) > 0 {
			}
		}
		for range 100 { // until packets come back from where they ended
			lap()
		}
		if k := testing.AllocsPerRun(100, lap); k != 0 {
			m.Errorf("%v allocations in a lap of 20 packets", k)
		}
	})
}

// After a flood the pools keep what they may, and not more for its sake: whichever
// packets stay, the memory of the others goes.
func TestFloodIsForgotten(t *testing.T) {
	m := newMachine(t, setup{})
	n := m.sys.Init()
	flood := func(count int) {
		w := m.s.Enter()
		defer w.Leave()
		kept := make([]*Packet, count)
		for i := range kept {
			kept[i] = w.NewPacket(n, 100)
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(count, func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
		for _, p := range kept {
			w.Deliver(p)
		}
	}
	heap := func() int {
		var mem runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&mem)
		return int(mem.HeapAlloc)
	}
	before := heap()
	flood(8 * depotMax * cacheBatch)
	most := (depotMax*cacheBatch + 4*cacheBatch) * (smallBuffer + 1024)
	if grown := heap() - before; grown > most {
		t.Errorf("%d KB are kept, want at most %d", grown>>10, most>>10)
	}
	runtime.KeepAlive(m)
}
