package core

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

// expire is a neighbour's timer. Linux: neigh_timer_handler.
func (nb *Neighbour) expire(now time.Duration) {
	parms := nb.ops.Parms(nb.dev)
	w := nb.stack.Enter()
	defer w.Leave()
	w.now = now
	nb.mu.Lock()
	if nb.dead || nb.state&nudTimed == 0 {
		nb.mu.Unlock()
		return
	}
	old, next := nb.state, time.Duration(0)
	switch nb.state {
	case NudReachable:
		used := time.Duration(nb.used.Load())
		switch {
		case now < nb.confirmed+parms.Reachable:
			next = nb.confirmed + parms.Reachable
		case now <= used+parms.DelayProbe:
			nb.setState(NudDelay)
			nb.updated = now
			next = now + parms.DelayProbe
		default:
			nb.setState(NudStale)
			nb.updated = now
		}
	case NudDelay:
		if now <= nb.confirmed+parms.DelayProbe {
			nb.setState(NudReachable)
			nb.updated = now
			next = nb.confirmed + parms.Reachable
		} else {
			nb.setState(NudProbe)
			nb.updated = now
			nb.probes = 0
			next = now + max(parms.Retrans, 10*time.Millisecond)
		}
	default: // incomplete or probing
		next = now + max(parms.Retrans, 10*time.Millisecond)
	}
	if nb.state&(NudIncomplete|NudProbe) != 0 && nb.probes >= nb.maxProbes(parms) {
		nb.fail(w, now)
		return
	}
	if next > 0 {
		nb.timer.Reset(next)
	}
	ask, to := nb.state&(NudIncomplete|NudProbe) != 0, wire.MAC{}
	if ask {
		if nb.state == NudProbe && nb.probes < parms.UcastProbes {
			to = nb.mac
		}
		nb.probes++
	}
	tell := nb.state != old
	nb.mu.Unlock()
	if tell {
		nb.changed(false)
	}
	if ask {
		nb.ops.Solicit(w, nb, to)
	}
}

func (nb *Neighbour) maxProbes(p *NeighParms) int {
	if nb.state == NudProbe {
		return p.UcastProbes + p.AppProbes + p.McastReprobes
	}
	return p.UcastProbes + p.AppProbes + p.McastProbes
}

// fail gives up on the neighbour and tells the senders of what waited. It is
// called with nb.mu held and lets it go. Linux: neigh_invalidate.
func (nb *Neighbour) fail(w *Worker, now time.Duration) {
	nb.setState(NudFailed)
	nb.updated = now
	waiting := nb.takeWaiting()
	nb.mu.Unlock()
	for p := waiting.pop(); p != nil; p = waiting.pop() {
		p.books.held.Add(-1)
		nb.unreachable(w, p)
	}
	nb.changed(false)
}

func (nb *Neighbour) takeWaiting() packetList {
	l := nb.waiting
	nb.waiting, nb.bytes = packetList{}, 0
	return l
}

// A NeighUpdate says what was learnt of a neighbour, and from whom.
type NeighUpdate struct {
	State    NeighState
	MAC      wire.MAC // zero: keep the one that is known
	Override bool     // may replace a different address that is known
	Weak     bool     // with a different address only makes the entry stale
	Admin    bool     // an administrator's word, which may change permanent entries
	Router   bool
	// KeepRouter leaves the router flag alone. ARP has none.
	KeepRouter bool
}

// Update applies what was learnt at time now, and sends what waited if the
// address has become known. Errors: EPERM for a permanent entry, EINVAL for a
// valid state without any address. Linux: __neigh_update.
func (nb *Neighbour) Update(w *Worker, u NeighUpdate) error {
	now := w.now
	nb.mu.Lock()
	old := nb.state
	if nb.dead {
		nb.mu.Unlock()
		return syscall.ENOENT
	}
	if !u.Admin && old&(NudNoARP|NudPermanent) != 0 {
		nb.mu.Unlock()
		return syscall.EPERM
	}
	if u.State&nudValid == 0 {
		return nb.invalidate(w, u.State, old, now)
	}
	mac := u.MAC
	if mac.IsZero() {
		if old&nudValid == 0 {
			nb.mu.Unlock()
			return syscall.EINVAL
		}
		mac = nb.mac
	}
	if u.State&nudConnected != 0 {
		nb.confirmed = now
	}
	state := u.State
	if old&nudValid != 0 {
		differs := mac != nb.mac
		switch {
		case differs && !u.Override && !u.Admin && u.Weak && old&nudConnected != 0:
			mac, state = nb.mac, NudStale
		case differs && !u.Override && !u.Admin:
			nb.mu.Unlock()
			return nil
		case !differs && state == NudStale && !u.Admin:
			state = old
		}
	}
	tell := state != old || mac != nb.mac
	if tell {
		nb.updated = now
	}
	nb.mac = mac
	if state != old {
		nb.enterState(state, now)
	}
	nb.publish()
	if !u.KeepRouter {
		nb.router = u.Router
	}
	var waiting packetList
	if old&nudValid == 0 {
		waiting = nb.takeWaiting()
	}
	nb.mu.Unlock()
	for p := waiting.pop(); p != nil; p = waiting.pop() {
		p.books.held.Add(-1)
		nb.Output(w, p)
	}
	if tell {
		nb.changed(false)
	}
	return nil
}

// enterState changes the state and arms its timer; under nb.mu.
func (nb *Neighbour) enterState(state NeighState, now time.Duration) {
	nb.timer.Stop()
	nb.state = state
	switch {
	case state == NudProbe:
		nb.probes = 0
		nb.timer.Reset(now)
	case state == NudReachable:
		nb.timer.Reset(now + nb.ops.Parms(nb.dev).Reachable)
	case state&nudTimed != 0:
		nb.timer.Reset(now)
	}
}

// invalidate takes the address away: failed, none or incomplete by somebody's
// word. It is called with nb.mu held and lets it go.
func (nb *Neighbour) invalidate(w *Worker, state, old NeighState, now time.Duration) error {
	nb.timer.Stop()
	if old&(NudIncomplete|NudProbe) != 0 && state == NudFailed {
		nb.fail(w, now)
		return nil
	}
	tell := old != state
	nb.setState(state)
	nb.updated = now
	nb.mu.Unlock()
	if tell {
		nb.changed(false)
	}
	return nil
}

// Confirm notes that the neighbour was heard from by a reply of the upper
// layer. Linux: neigh_confirm.
func (nb *Neighbour) Confirm(now time.Duration) {
	nb.mu.Lock()
	nb.confirmed = now
	nb.mu.Unlock()
}

// Locked reports whether the entry changed less than its locktime ago, so that
// a second answer may not replace it yet. Linux: arp_process.
func (nb *Neighbour) Locked(now time.Duration) bool {
	nb.mu.Lock()
	defer nb.mu.Unlock()
	return now <= nb.updated+nb.ops.Parms(nb.dev).Locktime
}

// DeleteNeighbour takes nb out of its table; what waits is dropped. ENOENT if
// it is gone already. Linux: neigh_remove_one.
func (s *Stack) DeleteNeighbour(w *Worker, nb *Neighbour) error {
	k := neighKey{nb.dev.Index(), nb.addr}
	if now, ok := s.neigh.Get(nb.net, k); !ok || now != nb {
		return fmt.Errorf("core: neighbour %v: %w", nb, syscall.ENOENT)
	}
	s.neigh.Delete(nb.net, k)
	nb.kill(w)
	nb.changed(true)
	return nil
}

// kill ends an entry that no table holds any more.
func (nb *Neighbour) kill(w *Worker) {
	nb.mu.Lock()
	nb.dead = true
	nb.timer.Stop()
	nb.state = NudFailed
	nb.fast.Store(0)
	waiting := nb.takeWaiting()
	nb.mu.Unlock()
	for p := waiting.pop(); p != nil; p = waiting.pop() {
		p.books.held.Add(-1)
		w.Drop(p, NeighbourDead)
	}
}

// flushNeigh takes away what d's links held, as d leaves its Net.
// Linux: neigh_ifdown.
func (s *Stack) flushNeigh(d *Device) { s.flushNeighs(d.Net(), d, true) }

// FlushNeighbours takes away d's neighbours; permanent ones stay unless all is
// set. Linux: neigh_changeaddr and neigh_carrier_down.
func (s *Stack) FlushNeighbours(d *Device, all bool) { s.flushNeighs(d.Net(), d, all) }

func (s *Stack) flushNeighs(n *netns.Net, d *Device, all bool) {
	if s.neigh.Len(n) == 0 {
		return
	}
	w := s.Enter()
	defer w.Leave()
	for k, nb := range s.neigh.All(n) {
		if d != nil && nb.dev != d {
			continue
		}
		nb.mu.Lock()
		keep := !all && nb.state&NudPermanent != 0
		nb.mu.Unlock()
		if keep {
			continue
		}
		s.neigh.Delete(n, k)
		nb.kill(w)
		nb.changed(true)
	}
}

// neighRoom makes room in n's share of the table, or refuses: the thresholds
// count n's own entries only. Linux counted the host's until September 2026.
// Linux: neigh_alloc and neigh_forced_gc.
func (s *Stack) neighRoom(n *netns.Net, ops *NeighOps, now time.Duration) error {
	limits, have := ops.Limits(n), s.neigh.Len(n)
	if have < limits[1] {
		return nil
	}
	c := s.neighs.Own(n)
	c.mu.Lock()
	due := have >= limits[2] || !c.ever || now > c.flushed+5*time.Second
	if due {
		c.flushed, c.ever = now, true
	}
	c.mu.Unlock()
	if due && s.forcedGC(n, have-limits[1]+1, now) == 0 && have >= limits[2] {
		return syscall.ENOBUFS
	}
	return nil
}

// forcedGC takes away up to want entries of n, oldest first: those that failed,
// and others that nobody changed for five seconds. Linux: neigh_forced_gc.
func (s *Stack) forcedGC(n *netns.Net, want int, now time.Duration) (shrunk int) {
	w := &Worker{Stack: s} // kill drops what waits; the caller is inside a section already
	defer w.settle()
	for k, nb := range s.neigh.All(n) {
		if shrunk >= want {
			break
		}
		nb.mu.Lock()
		old := nb.state == NudFailed || nb.state == NudNoARP || nb.addr.IsMulticast() ||
			nb.state&(NudPermanent|NudIncomplete|NudProbe|NudDelay) == 0 && now > nb.updated+5*time.Second
		nb.mu.Unlock()
		if old {
			s.neigh.Delete(n, k)
			nb.kill(w)
			nb.changed(true)
			shrunk++
		}
	}
	return shrunk
}

// neighSweepLater sees to it that n's stale entries are looked through in a
// while. Linux: neigh_periodic_work, every base_reachable_time / 2.
func (s *Stack) neighSweepLater(n *netns.Net, now time.Duration) {
	c := s.neighs.Own(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sweep.Pending() {
		return
	}
	c.sweep.Init(n, func(now time.Duration) { s.periodicGC(n, now) })
	c.sweep.Reset(now + 15*time.Second)
}

// periodicGC takes away entries that failed or were not used for gc_stale_time,
// if n has gc_thresh1 of them or more.
func (s *Stack) periodicGC(n *netns.Net, now time.Duration) {
	w := s.Enter()
	defer w.Leave()
	for k, nb := range s.neigh.All(n) {
		if s.neigh.Len(n) < nb.ops.Limits(n)[0] {
			break
		}
		parms := nb.ops.Parms(nb.dev)
		nb.mu.Lock()
		used := max(time.Duration(nb.used.Load()), nb.confirmed)
		old := nb.state&(NudPermanent|nudTimed) == 0 && (nb.state == NudFailed || now > used+parms.GCStale)
		nb.mu.Unlock()
		if old {
			s.neigh.Delete(n, k)
			nb.kill(w)
			nb.changed(true)
		}
	}
	if s.neigh.Len(n) > 0 {
		s.neighSweepLater(n, now)
	}
}

// SetNeighbour is an administrator's entry: made, or changed if replace allows.
// EEXIST if it is there and may not be replaced, EINVAL for an address that
// cannot be. Linux: neigh_add.
func (s *Stack) SetNeighbour(w *Worker, d *Device, a netip.Addr, u NeighUpdate) error {
	nb, err := s.NewNeighbour(d, a, w.now)
	if err != nil {
		return err
	}
	u.Admin, u.Override = true, true
	return nb.Update(w, u)
}
