package core

import (
	"container/list"
	"sync"

	"nsmodel/netns"
)

// neighHost are all Nets' neighbours in the order in which they came, for a
// machine whose limits are the host's. Linux until September 2026:
// neigh_table.gc_list, which its families had one each of.
type neighHost struct {
	mu    sync.Mutex // before a Neighbour's
	order list.List  // of *Neighbour
	at    map[*Neighbour]*list.Element
}

// neighHome returns where n's neighbours count: at the Net's own, or the
// initial one's for all if the limits are the host's.
func (s *Stack) neighHome(n *netns.Net) *neighNet {
	if s.hostNeighs != nil {
		//tagvet:allow netless the limit is the host's where Config.HostLimits says so
		n = s.Sys.Init()
	}
	return s.neighs.Own(n)
}

// neighLimits returns what n's entries are held against.
func (s *Stack) neighLimits(n *netns.Net, ops *NeighOps) [3]int {
	if s.hostNeighs != nil {
		//tagvet:allow netless the same
		n = s.Sys.Init()
	}
	return ops.Limits(n)
}

func (h *neighHost) add(nb *Neighbour) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == nil {
		h.at = map[*Neighbour]*list.Element{}
	}
	h.at[nb] = h.order.PushBack(nb)
}

func (h *neighHost) remove(nb *Neighbour) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.at[nb]; e != nil {
		h.order.Remove(e)
		delete(h.at, nb)
	}
}

// doomed returns up to want entries, the oldest first, for which old holds,
// whosever they are.
func (h *neighHost) doomed(want int, old func(*Neighbour) bool) (all []*Neighbour) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for e := h.order.Front(); e != nil && len(all) < want; e = e.Next() {
		if nb := e.Value.(*Neighbour); old(nb) {
			all = append(all, nb)
		}
	}
	return all
}
