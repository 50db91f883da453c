package core

import (
	"time"

	"nsmodel/core/wire"
)

// Ask begins to look for the neighbour's hardware address, unless that is known
// or looked for; no packet waits for the answer. Linux: neigh_event_send with
// none.
func (nb *Neighbour) Ask(w *Worker) {
	parms := nb.ops.Parms(nb.dev)
	nb.mu.Lock()
	if nb.dead || nb.state&nudValid != 0 || nb.state == NudIncomplete || parms.McastProbes+parms.AppProbes == 0 {
		nb.mu.Unlock()
		return
	}
	nb.probes = parms.UcastProbes + 1
	nb.setState(NudIncomplete)
	nb.updated = w.now
	nb.timer.Reset(w.now + max(parms.Retrans, 10*time.Millisecond))
	nb.mu.Unlock()
	nb.ops.Solicit(w, nb, wire.MAC{})
}

// Failed reports whether the neighbour was looked for in vain, and is not being
// looked for again.
func (nb *Neighbour) Failed() bool {
	if nb.fast.Load()&neighUsable != 0 {
		return false
	}
	nb.mu.Lock()
	defer nb.mu.Unlock()
	return nb.state == NudFailed && !nb.dead
}

// AskOnce has a neighbour that failed be looked for by one question, soon, if what is
// known of it is older than every. Linux: rt6_probe, neigh_set_probe_once.
func (nb *Neighbour) AskOnce(now, every time.Duration) {
	parms := nb.ops.Parms(nb.dev)
	nb.mu.Lock()
	defer nb.mu.Unlock()
	if nb.dead || nb.state != NudFailed || now <= nb.updated+every {
		return
	}
	nb.setState(NudIncomplete)
	nb.updated = now
	nb.probes = nb.maxProbes(parms) - 1 // its timer asks, and then gives up
	nb.timer.Reset(now)
}
