package host

import (
	"net/netip"
	"sync"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/lab"
	"nsmodel/netns"
)

// adverts are the routers' advertisements that probes have left behind, by whom
// solicitations are answered.
type adverts struct {
	mu sync.RWMutex
	by map[advertKey]*lab.Probe
}

type advertKey struct {
	net netns.ID
	dev int
}

// advertise does a probe ra.
func (h *Host) advertise(n *netns.Net, p *lab.Probe) error {
	d := h.M.Core.Device(n, p.Dev)
	if d == nil {
		return syscall.ENODEV
	}
	k := advertKey{n.ID(), d.Index()}
	h.adverts.mu.Lock()
	switch p.Verb {
	case lab.RAOn:
		if h.adverts.by == nil {
			h.adverts.by = map[advertKey]*lab.Probe{}
		}
		h.adverts.by[k] = p
	case lab.RAOff:
		delete(h.adverts.by, k)
	}
	h.adverts.mu.Unlock()
	if p.Verb == lab.RAOff {
		return nil
	}
	m, to := p.Advert(wire.MAC(d.Addr()))
	w := h.M.Core.Enter()
	sent := h.M.IPv6.SendND(w, d, m, to)
	w.Leave()
	h.settle()
	if !sent {
		return syscall.EADDRNOTAVAIL
	}
	return nil
}

// answerSolicits lets who asks for routers hear of those that probes have turned
// on; to all nodes, as routers do (RFC 4861 section 6.2.6).
func (h *Host) answerSolicits() {
	if h.M.IPv6 == nil {
		return
	}
	h.M.IPv6.Solicited = func(w *core.Worker, d *core.Device, _ netip.Addr) {
		h.adverts.mu.RLock()
		p := h.adverts.by[advertKey{d.Net().ID(), d.Index()}]
		h.adverts.mu.RUnlock()
		if p != nil {
			m, to := p.Advert(wire.MAC(d.Addr()))
			h.M.IPv6.SendND(w, d, m, to)
		}
	}
}
