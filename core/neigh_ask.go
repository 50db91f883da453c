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
