package link_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// TestChangesUnderTraffic moves a veth end, changes bridge and ports, deletes and
// remakes devices while two workers forward: nothing may be lost unaccounted, and
// a frame of one group of Nets never shows up in the other.
func TestChangesUnderTraffic(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		m.deaf = true
		w2 := m.s.NewWorker()
		br, ports, ends := bridged(m, 3)
		roam, fixed := m.net("roam"), ends[0].Net()
		_, alien := m.veth(m.net("x"), "a", m.net("y"), "b")
		kid := m.add(m.net("kid"), "passthrough", core.LinkSpec{Name: "pt0", Lower: ends[2]})
		m.up(kid)
		devs := []*core.Device{ends[0], ends[1], ends[2], ports[0], kid, br, alien}

		m.sys.Unlock()
		var stop atomic.Bool
		var wg sync.WaitGroup
		for i, w := range []*core.Worker{m.w, w2} {
			wg.Go(func() {
				for k := i; !stop.Load(); k++ {
					from, to := devs[k%len(devs)], devs[k/len(devs)%len(devs)].Addr()
					if k%5 == 0 {
						to = wire.BroadcastMAC()
					}
					c := m.s.Enter()
					p := c.NewPacket(from.Net(), 50)
					p.Protocol = testType
					from.SendTo(c, p, to)
					c.Leave()
					for w.Poll(m.now, 64) > 0 && !stop.Load() {
					}
				}
			})
		}
		rounds := 60
		if testing.Short() {
			rounds = 10
		}
		for i := range rounds {
			m.sys.Lock()
			to := roam
			if i%2 == 1 {
				to = fixed
			}
			m.ok(m.s.Move(ends[0], to, ""))
			m.ok(m.s.SetUp(ends[0]))
			m.ok(m.s.SetMaster(ports[0], nil))
			m.ok(m.s.SetMaster(ports[0], br))
			m.s.SetDown(br)
			m.ok(m.s.SetUp(br))
			extra := m.add(br.Net(), "veth", core.LinkSpec{Name: "extra", Peer: &core.LinkSpec{Name: "e1"}, PeerNet: roam})
			m.up(extra, extra.LowerDevice())
			m.ok(m.s.SetMaster(extra, br))
			m.ok(m.s.Unregister(extra))
			m.sys.Unlock()
		}
		stop.Store(true)
		wg.Wait()
		m.sys.Lock()
		for w2.Poll(m.now, 64) > 0 || m.w.Poll(m.now, 64) > 0 {
		}
		if y := m.s.Ledger(alien.Net()); y.In != 0 {
			t.Errorf("%d frames came to a Net that nobody sends to", y.In)
		}
	})
}
