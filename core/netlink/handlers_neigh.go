package netlink

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// neighTarget finds what a message about a neighbour is about. Proxy entries
// can be for every device. Linux: the head of neigh_add and neigh_delete.
func (h *rtcore) neighTarget(n *netns.Net, m *Neigh) (*core.Device, error) {
	if !m.Dst.IsValid() {
		return nil, Extack(syscall.EINVAL, "Network address not specified")
	}
	if m.Dst.Is4() != (m.Family != unix.AF_INET6) {
		return nil, Extack(syscall.EINVAL, "Invalid network address")
	}
	if m.Index == 0 {
		if m.Flags&unix.NTF_PROXY == 0 {
			return nil, Extack(syscall.EINVAL, "Device not specified")
		}
		return nil, nil
	}
	d := h.core.DeviceByIndex(n, m.Index)
	if d == nil {
		return nil, syscall.ENODEV
	}
	return d, nil
}

// newNeigh is RTM_NEWNEIGH. An entry that is made stays even if what was said of
// it is refused, as in Linux. Linux: neigh_add.
func (h *rtcore) newNeigh(n *netns.Net, req *Request) ([]Message, error) {
	m := req.Msg.(*Neigh)
	d, err := h.neighTarget(n, m)
	if err != nil {
		return nil, err
	}
	if m.Flags&unix.NTF_PROXY != 0 {
		return nil, h.core.AddProxy(n, core.Proxy{Addr: m.Dst, Dev: d, Router: m.Flags&unix.NTF_ROUTER != 0})
	}
	w := h.core.Enter()
	defer w.Leave()
	nb := h.core.Neighbour(d, m.Dst)
	u := core.NeighUpdate{State: core.NeighState(m.State), MAC: wire.MAC(m.LLAddr), Admin: true, Override: true, Router: m.Flags&unix.NTF_ROUTER != 0}
	switch {
	case nb == nil && req.Flags&Create == 0:
		return nil, syscall.ENOENT
	case nb == nil:
		make := h.core.NewNeighbour
		if m.State&unix.NUD_PERMANENT != 0 {
			make = h.core.NewPermanent
		}
		if nb, err = make(d, m.Dst, w.Now()); err != nil {
			return nil, err
		}
	case req.Flags&Excl != 0:
		return nil, syscall.EEXIST
	case req.Flags&Replace == 0:
		u.Override, u.KeepRouter = false, true
	}
	if err := nb.Update(w, u); err == syscall.EINVAL {
		return nil, Extack(syscall.EINVAL, "No link layer address given")
	} else if err != nil {
		return nil, err
	}
	return nil, nil
}

// delNeigh is RTM_DELNEIGH. Linux: neigh_delete.
func (h *rtcore) delNeigh(n *netns.Net, req *Request) ([]Message, error) {
	m := req.Msg.(*Neigh)
	d, err := h.neighTarget(n, m)
	if err != nil {
		return nil, err
	}
	if m.Flags&unix.NTF_PROXY != 0 {
		return nil, h.core.DeleteProxy(n, d, m.Dst)
	}
	nb := h.core.Neighbour(d, m.Dst)
	if nb == nil {
		return nil, syscall.ENOENT
	}
	w := h.core.Enter()
	defer w.Leave()
	return nil, h.core.DeleteNeighbour(w, nb)
}

// getNeigh4 and getNeigh6 are getNeigh for one family. A dump of all families
// asks both.
func (h *rtcore) getNeigh4(n *netns.Net, req *Request) ([]Message, error) {
	return h.getNeigh(n, req, false)
}

func (h *rtcore) getNeigh6(n *netns.Net, req *Request) ([]Message, error) {
	return h.getNeigh(n, req, true)
}

// getNeigh is RTM_GETNEIGH; a dump shows the neighbours, or with NTF_PROXY the
// proxy entries, of the device Index or of all. Linux: neigh_get, neigh_dump_info.
func (h *rtcore) getNeigh(n *netns.Net, req *Request, six bool) (all []Message, err error) {
	m := req.Msg.(*Neigh)
	proxies := m.Flags&unix.NTF_PROXY != 0
	if req.Flags&Dump == 0 {
		d, err := h.neighTarget(n, m)
		if err != nil {
			return nil, err
		}
		if proxies {
			x, ok := h.core.ProxyAt(n, d, m.Dst)
			if x.Dev = d; !ok {
				return nil, Extack(syscall.ENOENT, "Proxy neighbour entry not found")
			}
			return []Message{proxyMessage(x)}, nil
		}
		nb := h.core.Neighbour(d, m.Dst)
		if nb == nil {
			return nil, Extack(syscall.ENOENT, "Neighbour entry not found")
		}
		return []Message{neighMessage(nb, h.core.Sys.Now())}, nil
	}
	if proxies {
		for _, p := range h.core.Proxies(n) {
			if p.Addr.Is4() != six && (m.Index == 0 || p.Dev != nil && p.Dev.Index() == m.Index) {
				all = append(all, proxyMessage(p))
			}
		}
		return all, nil
	}
	for _, nb := range h.core.Neighbours(n) {
		if nb.Addr().Is4() != six && (m.Index == 0 || nb.Dev().Index() == m.Index) {
			all = append(all, neighMessage(nb, h.core.Sys.Now()))
		}
	}
	return all, nil
}

// neighMessage returns a neighbour as RTM_NEWNEIGH has it at time now.
// Linux: neigh_fill_info.
func neighMessage(nb *core.Neighbour, now time.Duration) *Neigh {
	i := nb.Info()
	m := &Neigh{Family: unix.AF_INET, Index: i.Dev.Index(), State: uint16(i.State), Type: unix.RTN_UNICAST, Dst: i.Addr,
		Has: NeighProbes | NeighCacheInfo, Probes: uint32(i.Probes), Used: now - i.Used, Confirmed: now - i.Confirmed, Updated: now - i.Updated}
	if !i.Addr.Is4() {
		m.Family = unix.AF_INET6
	}
	if i.Router {
		m.Flags |= unix.NTF_ROUTER
	}
	if i.State&(core.NudReachable|core.NudStale|core.NudDelay|core.NudProbe|core.NudNoARP|core.NudPermanent) != 0 {
		m.LLAddr, m.Has = MAC(i.MAC), m.Has|NeighLLAddr
	}
	return m
}

func proxyMessage(p core.Proxy) *Neigh {
	m := &Neigh{Family: unix.AF_INET, Flags: unix.NTF_PROXY, Type: unix.RTN_UNICAST, Dst: p.Addr}
	if !p.Addr.Is4() {
		m.Family = unix.AF_INET6
	}
	if p.Dev != nil {
		m.Index = p.Dev.Index()
	}
	if p.Router {
		m.Flags |= unix.NTF_ROUTER
	}
	return m
}

// PublishNeigh tells those who listen in its Net that a neighbour has changed or
// is gone; from any goroutine, without locks. Linux: neigh_notify.
func (r *Rtnetlink) PublishNeigh(nb *core.Neighbour, gone bool) {
	n := nb.Net()
	if !r.Listening(n, GroupNeigh) {
		return
	}
	op := New
	if gone {
		op = Del
	}
	r.Publish(n, GroupNeigh, op, neighMessage(nb, n.System().Now()))
}
