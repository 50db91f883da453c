package core

import (
	"syscall"
	"time"

	"nsmodel/netns"
)

// kill ends an entry that no table holds any more.
func (nb *Neighbour) kill(w *Worker) {
	nb.mu.Lock()
	if nb.dead {
		nb.mu.Unlock()
		return
	}
	nb.dead = true // its state stays, for those who are told
	nb.uncount()
	nb.timer.Stop()
	nb.fast.Store(0)
	waiting := nb.takeWaiting()
	nb.mu.Unlock()
	nb.stack.hostNeighs.remove(nb)
	for p := waiting.pop(); p != nil; p = waiting.pop() {
		p.books.held.Add(-1)
		w.Drop(p, NeighbourDead)
	}
}

// flushNeigh takes away what d's links held, as d leaves its Net.
// Linux: neigh_ifdown.
func (s *Stack) flushNeigh(d *Device) {
	s.flushNeighs(d.Net(), d, 0, true)
	s.flushProxies(d.Net(), d, 0)
}

// FlushNeighbours takes away d's neighbours of a family; permanent ones stay
// unless all is set. Linux: neigh_changeaddr and neigh_carrier_down.
func (s *Stack) FlushNeighbours(family int, d *Device, all bool) {
	s.flushNeighs(d.Net(), d, family, all)
	s.purgeProxied(d.Net(), family, DeviceDown)
	if all {
		s.flushProxies(d.Net(), d, family)
	}
}

// flushNeighs is FlushNeighbours for d, or nil for all devices, and for a family,
// or 0 for all.
func (s *Stack) flushNeighs(n *netns.Net, d *Device, family int, all bool) {
	if s.neigh.Len(n) == 0 || d != nil && d.neighs.Load() == 0 {
		return // as most devices have none, and who leaves is flushed several times
	}
	w := s.Enter()
	defer w.Leave()
	for k, nb := range s.neigh.All(n) {
		if d != nil && nb.dev != d {
			continue
		}
		if family != 0 && nb.ops.Family != family {
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

// neighRoom makes room in n's share of the table, or refuses with ENOBUFS: the
// thresholds count n's own entries only, and no permanent ones. Linux counted
// the host's until September 2026, as Config.HostLimits does.
// Linux: neigh_alloc.
func (s *Stack) neighRoom(n *netns.Net, c *neighNet, ops *NeighOps, now time.Duration) error {
	f, limits := familyIndex(ops.Family), s.neighLimits(n, ops)
	have := int(c.entries[f].Load() - c.permanent[f].Load())
	if have < limits[1] && have < limits[2] {
		return nil
	}
	c.mu.Lock()
	due := have >= limits[2] || !c.ever[f] || now > c.flushed[f]+5*time.Second
	if due {
		c.flushed[f], c.ever[f] = now, true
	}
	c.mu.Unlock()
	if due && s.forcedGC(n, ops, have-limits[1]+1, now) == 0 && have >= limits[2] {
		return syscall.ENOBUFS
	}
	return nil
}

// forcedGC takes away up to want entries of n, but at least one, oldest first:
// those that failed, and others that nobody changed for five seconds and whose
// timer does not run. Linux: neigh_forced_gc; an entry with a timer is held.
func (s *Stack) forcedGC(n *netns.Net, ops *NeighOps, want int, now time.Duration) (shrunk int) {
	w := &Worker{Stack: s} // kill drops what waits; the caller is inside a section already
	defer w.settle()
	if h := s.hostNeighs; h != nil {
		for _, nb := range h.doomed(want, func(nb *Neighbour) bool { return nb.ops == ops && nb.old(now) }) {
			s.forget(w, nb.net, neighKey{nb.dev.Index(), nb.addr}, nb)
			shrunk++
		}
		return shrunk
	}
	for k, nb := range s.neigh.All(n) {
		if nb.ops != ops {
			continue
		}
		if !nb.old(now) {
			continue
		}
		s.forget(w, n, k, nb)
		if shrunk++; shrunk >= want {
			break
		}
	}
	return shrunk
}

// old reports whether forced collection may take nb. An entry with a timer is
// held.
func (nb *Neighbour) old(now time.Duration) bool {
	nb.mu.Lock()
	defer nb.mu.Unlock()
	return nb.state&(NudPermanent|nudTimed) == 0 &&
		(nb.state == NudFailed || nb.state == NudNoARP || nb.addr.IsMulticast() || now > nb.updated+5*time.Second)
}

// forget takes nb out of its table and ends it.
func (s *Stack) forget(w *Worker, n *netns.Net, k neighKey, nb *Neighbour) {
	s.neigh.Delete(n, k)
	nb.kill(w)
	nb.changed(true)
}

// neighSweepLater sees to it that n's stale entries are looked through in a
// while. Linux: neigh_periodic_work, every base_reachable_time / 2.
func (s *Stack) neighSweepLater(n *netns.Net, now time.Duration) {
	c := s.neighs.Own(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.sweep.Pending() {
		c.sweep.Reset(now + 15*time.Second)
	}
}

// periodicGC takes away entries that failed or were not used for gc_stale_time,
// if n has gc_thresh1 of them or more.
func (s *Stack) periodicGC(n *netns.Net, now time.Duration) {
	w := s.Enter()
	defer w.Leave()
	c := s.neighHome(n)
	var due [2]bool
	for f, ops := range s.neighOps {
		due[f] = ops != nil && int(c.entries[f].Load()) >= s.neighLimits(n, ops)[0]
	}
	for k, nb := range s.neigh.All(n) {
		if !due[familyIndex(nb.ops.Family)] {
			continue
		}
		parms := nb.ops.Parms(nb.dev)
		nb.mu.Lock()
		used := max(time.Duration(nb.used.Load()), nb.confirmed)
		old := nb.state&(NudPermanent|nudTimed) == 0 && (nb.state == NudFailed || now >= used+parms.GCStale)
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
