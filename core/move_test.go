package core

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestMove(t *testing.T) {
	each(t, func(m *machine) {
		n, o := m.net("n"), m.net("o")
		a, b := m.pair(n, "a", n, "b")
		m.ok(m.s.SetMTU(b, 1400))
		mac, index := b.Addr(), b.Index()
		m.to(b, 1, "waits")
		m.send(a, "queued at b")
		m.tail()
		m.ok(m.s.Move(b, o, ""))
		m.want(m.tail(), "n/b NETDEV_GOING_DOWN", "n/b NETDEV_DOWN", "n/b NETDEV_UNREGISTER", "o/b NETDEV_REGISTER")
		if b.Net() != o || b.Up() || b.Addr() != mac || b.MTU() != 1400 || b.Index() != index {
			m.Errorf("moved: in %q, up %v, mac %v, mtu %d, index %d", b.Net().Name(), b.Up(), b.Addr(), b.MTU(), b.Index())
		}
		if m.s.Device(n, "b") != nil || m.s.DeviceByIndex(n, index) != nil || m.s.Device(o, "b") != b || m.s.DeviceByIndex(o, index) != b {
			m.Error("the tables do not say so")
		}
		if len(m.s.Neighbours(n))+len(m.s.Neighbours(o)) != 0 {
			m.Error("neighbours moved along")
		}
		m.want(m.run())
		if l := m.s.Ledger(n); l.Held != 0 || l.Reasons[DeviceDown.String()] != 1 || l.Reasons[NeighbourDead.String()] != 1 {
			m.Errorf("ledger of the old Net: %v", l)
		}
		m.send(a, "to a device that is down")
		m.ok(m.s.SetUp(b))
		m.send(a, "through")
		m.send(b, "back")
		m.want(m.run(), "o/b through", "n/a back")
		if l := m.s.Ledger(o); l.In != 2 || l.Made != 1 {
			m.Errorf("ledger of the new Net: %v", l)
		}
	})
}

func TestMoveConflicts(t *testing.T) {
	each(t, func(m *machine) {
		n, o := m.net("n"), m.net("o")
		a := m.add(n, DeviceSpec{Name: "a", Driver: new(pairEnd)})
		m.ok(m.s.SetUp(a))
		m.add(o, DeviceSpec{Name: "a"})
		m.tail()
		m.fails(m.s.Move(a, o, ""), syscall.EEXIST)
		m.fails(m.s.Move(a, o, "x/y"), syscall.EINVAL)
		m.want(m.tail())
		if a.Net() != n || !a.Up() || len(a.driver.(*pairEnd).moves) != 0 {
			m.Error("a refused move has effects")
		}
		a.driver.(*pairEnd).stay = errors.New("no")
		if m.s.Move(a, o, "c") == nil || a.Net() != n || !a.Up() {
			m.Error("the driver's refusal was not heard")
		}
		a.driver.(*pairEnd).stay = nil
		m.ok(m.s.Move(a, o, "c%d"))
		if a.Name() != "c0" || a.Index() != 2 { // 1 is taken
			m.Errorf("moved as %s, index %d", a.Name(), a.Index())
		}
		m.want(a.driver.(*pairEnd).moves, "n>o", "n>o")
		m.ok(m.s.Move(a, o, "d")) // where it is: a new name
		if a.Name() != "d" {
			m.Errorf("name %s", a.Name())
		}
		p := m.net("p")
		p.Hold()
		m.ok(m.sys.Delete("p"))
		p.Put()
		m.fails(m.s.Move(a, p, ""), syscall.EINVAL) // dying
		m.sys.Reap()
	})
}

// A NIC goes home when its Net dies: under its name, or dev and its index, or
// dev and a free number.
func TestNICReturns(t *testing.T) {
	each(t, func(m *machine) {
		n, home := m.net("n"), m.sys.Init()
		m.add(home, DeviceSpec{Name: "b"})
		m.add(home, DeviceSpec{Name: "c"})
		m.add(home, DeviceSpec{Name: "dev3"})
		var nics []*Device
		for _, name := range []string{"a", "b", "c"} {
			nics = append(nics, m.add(n, DeviceSpec{Name: name, Real: true, Carrier: true}))
			m.ok(m.s.SetUp(nics[len(nics)-1]))
		}
		virtual := m.add(n, DeviceSpec{Name: "v"})
		m.tail()
		m.kill("n")
		for i, want := range []string{"a", "dev2", "dev0"} {
			d := nics[i]
			if d.Name() != want || d.Net() != home || d.Up() || !d.Listed() || m.s.Device(home, want) != d || m.s.DeviceByIndex(home, d.Index()) != d {
				m.Errorf("NIC %d is %s in %q, up %v, index %d; want %s", i, d.Name(), d.Net().Name(), d.Up(), d.Index(), want)
			}
		}
		if virtual.Listed() {
			m.Error("a virtual device outlived its Net")
		}
		ev := m.tail()
		m.want(ev[6:7], "n/a NETDEV_UNREGISTER")
		m.want(ev[7:8], "/a NETDEV_REGISTER")
	})
}

// The end of one end of a pair is that of the other, in whatever Net.
func TestPairDiesTogether(t *testing.T) {
	each(t, func(m *machine) {
		n, o := m.net("n"), m.net("o")
		a, b := m.pair(n, "a", o, "b")
		m.send(a, "waits at b")
		m.ok(m.s.Unregister(a))
		if b.Listed() || m.s.Device(o, "b") != nil {
			m.Error("the peer lives on")
		}
		m.wantDrops(o, DeviceDown, 1)

		c, d := m.pair(n, "c", o, "d")
		m.send(c, "waits at d")
		m.send(d, "waits at c")
		m.tail()
		m.kill("n")
		if c.Listed() || d.Listed() {
			m.Error("a device outlived the Net, or its peer")
		}
		m.want(m.tail(), "n/c NETDEV_GOING_DOWN", "n/c NETDEV_DOWN", "o/d NETDEV_GOING_DOWN", "o/d NETDEV_DOWN",
			"n/c NETDEV_UNREGISTER", "o/d NETDEV_UNREGISTER")
		m.pair(o, "e", o, "f")
		m.net("n2")
		m.pair(m.sys.Init(), "g", o, "h")
		m.kill("o")
		if m.s.Device(m.sys.Init(), "g") != nil {
			m.Error("the peer in the initial Net lives on")
		}
		if b := m.s.TotalLedger(); b.Held != 0 || m.s.Outstanding() != 0 {
			m.Errorf("%v", b)
		}
	})
}

// Two Nets of one batch with a pair between them.
func TestBatchWithPairBetween(t *testing.T) {
	each(t, func(m *machine) {
		n, o := m.net("n"), m.net("o")
		a, b := m.pair(n, "a", o, "b")
		m.send(a, "x")
		m.send(b, "y")
		m.ok(m.sys.Delete("n"))
		m.ok(m.sys.Delete("o"))
		if k := m.sys.Reap(); k != 2 {
			m.Fatalf("reaped %d", k)
		}
		if a.Listed() || b.Listed() || m.s.Outstanding() != 0 || m.s.DeadLedger().Dropped != 2 {
			m.Errorf("%v, %d outstanding", m.s.DeadLedger(), m.s.Outstanding())
		}
	})
}

// Workers forward while a device goes from Net to Net and others die: nothing is
// lost, nothing is counted twice, and no packet is in a Net that its device has
// left.
func TestMoveUnderTraffic(t *testing.T) {
	for _, place := range bothPlacements {
		t.Run(fmt.Sprintf("place=%v", place), func(t *testing.T) {
			m := newMachine(t, setup{place: place, workers: 2})
			m.handle = func(w *Worker, p *Packet) {
				if p.Net() != p.Dev.Net() {
					t.Errorf("a packet of %q at a device of %q", p.Net().Name(), p.Dev.Net().Name())
				}
				w.Deliver(p)
			}

			x, y := m.net("x"), m.net("y")
			a, b := m.pair(x, "a", x, "b")
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for _, w := range m.s.Workers() {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							w.Poll(0, 16)
						}
					}
				})
			}
			for range 2 {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						w := m.s.Enter()
						if a.Net() == x {
							m.sendBy(w, a, "x")
						}
						p := w.NewFrame(60)
						copy(p.Bytes(), frame(testType, "from a NIC"))
						b.Receive(w, p)
						w.Leave()
					}
				})
			}
			for i := range 10 {
				to := y
				if i%2 == 1 {
					to = x
				}
				m.ok(m.s.Move(b, to, ""))
				m.ok(m.s.SetUp(b))
				time.Sleep(time.Millisecond)
			}
			m.ok(m.s.Unregister(a))
			close(stop)
			wg.Wait()
			m.run()
			m.balance()
			for _, n := range []string{"x", "y"} {
				m.kill(n)
			}
			if m.s.Outstanding() != 0 {
				t.Errorf("%d packets outstanding", m.s.Outstanding())
			}
		})
	}
}
