package core

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"nsmodel/core/wire"
)

// expire is a neighbour's timer. Who listens hears of the same changes as on
// Linux: not of one to DELAY. Linux: neigh_timer_handler.
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
	tell, next := false, time.Duration(0)
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
			nb.updated, tell = now, true
		}
	case NudDelay:
		if now <= nb.confirmed+parms.DelayProbe {
			nb.setState(NudReachable)
			nb.updated, tell = now, true
			next = nb.confirmed + parms.Reachable
		} else {
			nb.setState(NudProbe)
			nb.updated, tell = now, true
			nb.probes = 0
			next = now + parms.Retrans
		}
	default: // incomplete or probing
		next = now + parms.Retrans
	}
	if nb.state&(NudIncomplete|NudProbe) != 0 && nb.probes >= nb.maxProbes(parms) {
		nb.fail(w, now)
		return
	}
	if nb.state&nudTimed != 0 {
		nb.timer.Reset(max(next, now+10*time.Millisecond))
	}
	ask, to := nb.state&(NudIncomplete|NudProbe) != 0, wire.MAC{}
	if ask {
		if nb.state == NudProbe && nb.probes < parms.UcastProbes {
			to = nb.mac
		}
		nb.probes++
	}
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
// address has become known. Errors: EPERM for a permanent or a dead entry, EINVAL for a
// valid state without any address. Linux: __neigh_update.
func (nb *Neighbour) Update(w *Worker, u NeighUpdate) error {
	now := w.now
	nb.mu.Lock()
	old := nb.state
	if nb.dead {
		nb.mu.Unlock()
		return syscall.EPERM
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
			mac, state, u.KeepRouter = nb.mac, NudStale, true
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
	if mac != nb.mac && state&nudConnected == 0 {
		// What was confirmed is the old address.
		nb.confirmed = now - 2*nb.ops.Parms(nb.dev).BaseReachable
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
	nb.recount(state)
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

// recount keeps the number of permanent entries; under nb.mu, before the state
// becomes next. Linux: neigh_update_gc_list.
func (nb *Neighbour) recount(next NeighState) {
	if (nb.state^next)&NudPermanent == 0 {
		return
	}
	k := int64(1)
	if next&NudPermanent == 0 {
		k = -1
	}
	nb.home.permanent[familyIndex(nb.ops.Family)].Add(k)
}

// invalidate takes the address away: failed, none or incomplete by somebody's
// word. It is called with nb.mu held and lets it go.
func (nb *Neighbour) invalidate(w *Worker, state, old NeighState, now time.Duration) error {
	nb.timer.Stop()
	nb.recount(state)
	if old&(NudIncomplete|NudProbe) != 0 && state == NudFailed {
		nb.fail(w, now)
		return nil
	}
	tell := old&nudValid != 0
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

// DeleteNeighbour is an administrator's word: nb fails and is taken out of its
// table; what waits is dropped. ENOENT if it is gone already.
// Linux: neigh_delete.
func (s *Stack) DeleteNeighbour(w *Worker, nb *Neighbour) error {
	k := neighKey{nb.dev.Index(), nb.addr}
	if now, ok := s.neigh.Get(nb.net, k); !ok || now != nb {
		return fmt.Errorf("core: neighbour %v: %w", nb, syscall.ENOENT)
	}
	// Who waits for an answer hears that there will be none.
	if err := nb.Update(w, NeighUpdate{State: NudFailed, Override: true, Admin: true}); err != nil {
		return err
	}
	s.neigh.Delete(nb.net, k)
	nb.kill(w)
	nb.changed(true)
	return nil
}

// SetNeighbour is an administrator's entry: made, or changed if replace allows.
// EEXIST if it is there and may not be replaced, EINVAL for an address that
// cannot be. Linux: neigh_add.
func (s *Stack) SetNeighbour(w *Worker, d *Device, a netip.Addr, u NeighUpdate) error {
	nb, err := s.newNeighbour(d.Net(), d, a, w.now, u.State&NudPermanent != 0)
	if err != nil {
		return err
	}
	u.Admin, u.Override = true, true
	return nb.Update(w, u)
}
