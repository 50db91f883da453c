package core

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

var macA, macB = wire.MAC{2, 0, 0, 0, 0, 0xa}, wire.MAC{2, 0, 0, 0, 0, 0xb}

// link is a machine with one device of a Net, for neighbours.
func (m *machine) link(n *netns.Net, name string) *Device {
	d := m.add(n, DeviceSpec{Name: name, Carrier: true})
	m.ok(m.s.SetUp(d))
	return d
}

// to sends a packet to a neighbour.
func (m *machine) to(d *Device, a int, text string) {
	w := m.s.Enter()
	defer w.Leave()
	w.now = m.now
	p := w.NewPacket(d.Net(), len(text))
	copy(p.Bytes(), text)
	p.Protocol = testType
	m.s.Output(w, d, addr4(a), p)
}

// learn is an update as ARP makes them.
func (m *machine) learn(d *Device, a int, u NeighUpdate) error {
	w := m.s.Enter()
	defer w.Leave()
	w.now = m.now
	nb, err := m.s.NewNeighbour(d, addr4(a), m.now)
	if err != nil {
		return err
	}
	return nb.Update(w, u)
}

// state is the state of a neighbour, with its address if it has one.
func (m *machine) state(d *Device, a int) string {
	nb := m.s.Neighbour(d, addr4(a))
	if nb == nil {
		return "none"
	}
	i := nb.Info()
	if i.MAC.IsZero() {
		return stateName(i.State)
	}
	return fmt.Sprint(stateName(i.State), " ", map[wire.MAC]string{macA: "A", macB: "B"}[i.MAC])
}

func (m *machine) wantState(d *Device, a int, want string) {
	m.Helper()
	if got := m.state(d, a); got != want {
		m.Errorf("at %v the neighbour is %s, want %s", m.now, got, want)
	}
}

func sent(d *Device) []string { return d.driver.(*sink).sent }

// Three questions, one second apart, and at three seconds who waited is told.
func TestNeighbourThatDoesNotAnswer(t *testing.T) {
	each(t, func(m *machine) {
		d := m.link(m.net("n"), "e")
		m.to(d, 1, "one")
		m.after(100 * time.Millisecond)
		m.to(d, 1, "two")
		m.wantState(d, 1, "INCOMPLETE")
		m.after(10 * time.Second)
		m.want(m.neigh.take(), "0s ask all", "1s ask all", "2s ask all", "3s unreachable", "3s unreachable", "FAILED")
		m.wantState(d, 1, "FAILED")
		if len(sent(d)) != 0 || m.drops(d.Net(), NeighbourFailed) != 2 {
			m.Errorf("sent %q, %v", sent(d), m.s.Ledger(d.Net()))
		}
		m.to(d, 1, "three") // asks anew
		m.wantState(d, 1, "INCOMPLETE")
		m.want(m.neigh.take(), "10.1s ask all")
		m.ok(m.learn(d, 1, NeighUpdate{State: NudReachable, MAC: macA, Override: true}))
		m.want(sent(d), "three")
		m.wantState(d, 1, "REACHABLE A")
	})
}

// The whole round: reachable, stale, delayed, probed, failed.
func TestNeighbourAges(t *testing.T) {
	each(t, func(m *machine) {
		d := m.link(m.net("n"), "e")
		m.to(d, 1, "a")
		m.ok(m.learn(d, 1, NeighUpdate{State: NudReachable, MAC: macA}))
		m.want(sent(d), "a")
		m.neigh.take()
		m.after(29 * time.Second)
		m.wantState(d, 1, "REACHABLE A")
		m.after(time.Second)
		m.wantState(d, 1, "STALE A")
		m.after(5 * time.Second)
		m.to(d, 1, "b")
		m.wantState(d, 1, "DELAY A")
		m.after(5 * time.Second)
		m.wantState(d, 1, "PROBE A")
		m.to(d, 1, "c")
		m.want(sent(d), "a", "b", "c") // goes on to the address that is known
		m.after(3 * time.Second)
		m.wantState(d, 1, "FAILED A")
		m.want(m.neigh.take(), "STALE", "PROBE", "40s ask it", "41s ask it", "42s ask it", "FAILED")
		m.to(d, 1, "d")
		m.wantState(d, 1, "INCOMPLETE A")
	})
}

func TestNeighbourStaysReachable(t *testing.T) {
	tests := []struct {
		name string
		do   func(m *machine, d *Device)
		want string
	}{
		{"used lately: delayed, not stale", func(m *machine, d *Device) {
			m.after(28 * time.Second)
			m.to(d, 1, "x")
			m.after(2 * time.Second)
		}, "DELAY A"},
		{"confirmed while reachable", func(m *machine, d *Device) {
			m.after(20 * time.Second)
			m.s.Neighbour(d, addr4(1)).Confirm(m.now)
			m.after(25 * time.Second)
		}, "REACHABLE A"},
		{"confirmed while delayed", func(m *machine, d *Device) {
			m.after(31 * time.Second)
			m.to(d, 1, "x")
			m.after(time.Second)
			m.s.Neighbour(d, addr4(1)).Confirm(m.now)
			m.after(5 * time.Second)
		}, "REACHABLE A"},
		{"answers the probe", func(m *machine, d *Device) {
			m.after(31 * time.Second)
			m.to(d, 1, "x")
			m.after(6 * time.Second)
			m.ok(m.learn(d, 1, NeighUpdate{State: NudReachable, MAC: macA}))
			m.after(10 * time.Second)
		}, "REACHABLE A"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(m *machine) {
				d := m.link(m.net("n"), "e")
				m.ok(m.learn(d, 1, NeighUpdate{State: NudReachable, MAC: macA}))
				test.do(m, d)
				m.wantState(d, 1, test.want)
			})
		})
	}
}

// What an update does to what is known. Linux: __neigh_update.
func TestNeighbourUpdate(t *testing.T) {
	tests := []struct {
		old  NeighState // with address A if valid
		u    NeighUpdate
		want string
		err  syscall.Errno
	}{
		{NudNone, NeighUpdate{State: NudStale, MAC: macB}, "STALE B", 0},
		{NudNone, NeighUpdate{State: NudReachable}, "NONE", syscall.EINVAL},
		{NudIncomplete, NeighUpdate{State: NudReachable, MAC: macB}, "REACHABLE B", 0},
		{NudIncomplete, NeighUpdate{State: NudStale, MAC: macB}, "DELAY B", 0}, // what waited is sent, which starts the delay
		{NudIncomplete, NeighUpdate{State: NudFailed}, "FAILED", 0},
		{NudReachable, NeighUpdate{State: NudStale, MAC: macA}, "REACHABLE A", 0}, // the same address: no news
		{NudReachable, NeighUpdate{State: NudStale, MAC: macB}, "REACHABLE A", 0}, // another, without override
		{NudReachable, NeighUpdate{State: NudStale, MAC: macB, Override: true}, "STALE B", 0},
		{NudReachable, NeighUpdate{State: NudReachable, MAC: macB, Override: true}, "REACHABLE B", 0},
		{NudReachable, NeighUpdate{State: NudReachable, MAC: macB, Weak: true}, "STALE A", 0},
		{NudStale, NeighUpdate{State: NudReachable, MAC: macB, Weak: true}, "STALE A", 0},
		{NudStale, NeighUpdate{State: NudReachable}, "REACHABLE A", 0},
		{NudStale, NeighUpdate{State: NudReachable, MAC: macA}, "REACHABLE A", 0},
		{NudReachable, NeighUpdate{State: NudFailed}, "FAILED A", 0},
		{NudPermanent, NeighUpdate{State: NudReachable, MAC: macB, Override: true}, "PERMANENT A", syscall.EPERM},
		{NudPermanent, NeighUpdate{State: NudFailed}, "PERMANENT A", syscall.EPERM},
		{NudPermanent, NeighUpdate{State: NudStale, MAC: macB, Override: true, Admin: true}, "STALE B", 0},
		{NudNoARP, NeighUpdate{State: NudStale, MAC: macB, Override: true}, "NOARP A", syscall.EPERM},
		{NudReachable, NeighUpdate{State: NudStale, MAC: macA, Admin: true}, "STALE A", 0},
		{NudReachable, NeighUpdate{State: NudPermanent, MAC: macB, Override: true, Admin: true}, "PERMANENT B", 0},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s to %s", stateName(test.old), test.want), func(t *testing.T) {
			each(t, func(m *machine) {
				d := m.link(m.net("n"), "e")
				switch {
				case test.old == NudIncomplete:
					m.to(d, 1, "x")
				case test.old != NudNone:
					m.ok(m.learn(d, 1, NeighUpdate{State: test.old, MAC: macA, Admin: true}))
				}
				err := m.learn(d, 1, test.u)
				if test.err == 0 {
					m.ok(err)
				} else {
					m.fails(err, test.err)
				}
				m.wantState(d, 1, test.want)
			})
		})
	}
}

// A station that has moved is asked at its new address, however lately the old
// one was heard of.
func TestNeighbourNewAddressIsNotConfirmed(t *testing.T) {
	each(t, func(m *machine) {
		d := m.link(m.net("n"), "e")
		m.ok(m.learn(d, 1, NeighUpdate{State: NudReachable, MAC: macA}))
		m.ok(m.learn(d, 1, NeighUpdate{State: NudStale, MAC: macB, Override: true}))
		m.to(d, 1, "x")
		m.after(5 * time.Second)
		m.wantState(d, 1, "PROBE B")
	})
}

func TestNeighbourLocktime(t *testing.T) {
	m := newMachine(t, setup{})
	d := m.link(m.net("n"), "e")
	m.ok(m.learn(d, 1, NeighUpdate{State: NudReachable, MAC: macA}))
	nb := m.s.Neighbour(d, addr4(1))
	for at, want := range map[time.Duration]bool{0: true, time.Second: true, time.Second + 1: false} {
		if nb.Locked(at) != want {
			t.Errorf("at %v locked is %v", at, !want)
		}
	}
	m.after(2 * time.Second)
	m.ok(m.learn(d, 1, NeighUpdate{State: NudReachable, MAC: macA})) // no change: the lock is not renewed
	if nb.Locked(m.now) {
		t.Error("a confirmation has locked the entry")
	}
}

func TestNeighbourPermanent(t *testing.T) {
	each(t, func(m *machine) {
		n := m.net("n")
		d := m.link(n, "e")
		w := m.s.Enter()
		m.ok(m.s.SetNeighbour(w, d, addr4(1), NeighUpdate{State: NudPermanent, MAC: macA}))
		w.Leave()
		m.after(time.Hour)
		m.to(d, 1, "x")
		m.want(sent(d), "x")
		m.wantState(d, 1, "PERMANENT A")
		m.s.FlushNeighbours(AFInet, d, false)
		m.wantState(d, 1, "PERMANENT A")
		m.s.FlushNeighbours(AFInet, d, true)
		m.wantState(d, 1, "none")
	})
}

// Groups need no asking; the entry says so for good.
func TestNeighbourConstruct(t *testing.T) {
	m := newMachine(t, setup{})
	d := m.link(m.net("n"), "e")
	group := addr4(0).As4()
	group[0] = 224
	w := m.s.Enter()
	defer w.Leave()
	p := w.NewPacket(d.Net(), 1)
	p.Bytes()[0] = 'g'
	m.s.Output(w, d, addrOf(group), p)
	m.want(sent(d), "g")
	if got := m.neigh.take(); len(got) != 0 {
		t.Errorf("asked: %q", got)
	}
}

// The oldest packets make room; a single one always has room.
func TestNeighbourQueueDropsOldest(t *testing.T) {
	each(t, func(m *machine) {
		d := m.link(m.net("n"), "e")
		m.neigh.parms.QueueBytes = 3 * Truesize(1)
		for i := range 5 {
			m.to(d, 1, fmt.Sprint(i))
		}
		m.wantDrops(d.Net(), NeighbourQueue, 2)
		if b := m.s.Ledger(d.Net()); b.Held != 3 {
			m.Errorf("ledger: %v", b)
		}
		m.balance()
		m.ok(m.learn(d, 1, NeighUpdate{State: NudReachable, MAC: macA}))
		m.want(sent(d), "2", "3", "4")
		m.neigh.parms.QueueBytes = 1
		m.to(d, 2, "alone")
		m.ok(m.learn(d, 2, NeighUpdate{State: NudReachable, MAC: macA}))
		m.want(sent(d)[3:], "alone")
	})
}

// Without a question to ask there is nothing to wait for.
func TestNeighbourWithoutProbes(t *testing.T) {
	m := newMachine(t, setup{})
	d := m.link(m.net("n"), "e")
	m.neigh.parms.McastProbes = 0
	m.to(d, 1, "x")
	m.wantDrops(d.Net(), NeighbourFailed, 1)
	m.wantState(d, 1, "FAILED")
	if m.neigh.lost != 0 {
		t.Error("the sender was told; Linux only drops")
	}
}

// As measured on Linux 6.18: so many datagrams of k bytes with their headers fit
// into 200,000 bytes of unres_qlen_bytes.
func TestTruesize(t *testing.T) {
	for k, want := range map[int]int{1: 240, 192: 240, 200: 156, 500: 156, 645: 156, 646: 86, 700: 86, 1472: 86} {
		if got := 200000 / Truesize(k+28); got != want {
			t.Errorf("%d datagrams of %d bytes, want %d", got, k, want)
		}
	}
}
