package core

import (
	"slices"
	"time"

	"nsmodel/netns"
)

// A proxyWait is a question for somebody on whose behalf a Net answers, until it
// does. Linux: an skb in neigh_table.proxy_queue.
type proxyWait struct {
	p      *Packet
	dev    *Device
	family int
	redo   func(w *Worker, p *Packet)
	timer  netns.Timer
}

// DelayProxy keeps p, a question that came by p.Dev, for a random time of less
// than the device's ProxyDelay, drawn from the Net's stream, and gives it to redo
// then. Beyond ProxyQueue questions of the device and the family it is dropped; a
// limit of the host would tell Nets of each other, and one that devices share let
// one go without (Linux before 0ff4eb3d5ebb, 2022). It takes p.
// Linux: pneigh_enqueue, neigh_proxy_process.
func (s *Stack) DelayProxy(w *Worker, p *Packet, family int, redo func(*Worker, *Packet)) {
	n, d := p.net, p.Dev
	parms := s.neighOps[familyIndex(family)].Parms(d)
	x := &proxyWait{p: p, dev: d, family: family, redo: redo}
	at := w.now + time.Duration(n.Uint64N(uint64(max(parms.ProxyDelay, 1))))
	c := s.neighs.Own(n)
	c.mu.Lock()
	waiting := 0
	for _, o := range c.asked {
		if o.dev == d && o.family == family {
			waiting++
		}
	}
	if waiting > parms.ProxyQueue { // Linux lets one more in than it says
		c.mu.Unlock()
		w.Drop(p, NeighbourQueue)
		return
	}
	w.Hold(p)
	c.asked = append(c.asked, x)
	x.timer.Init(n, func(time.Duration) { s.proxyDue(n, x) })
	x.timer.Reset(at)
	c.mu.Unlock()
}

// proxyDue gives a question that has waited to whoever answers.
func (s *Stack) proxyDue(n *netns.Net, x *proxyWait) {
	c := s.neighs.Own(n)
	c.mu.Lock()
	i := slices.Index(c.asked, x)
	if i >= 0 {
		c.asked = slices.Delete(c.asked, i, i+1)
	}
	c.mu.Unlock()
	if i < 0 {
		return // somebody was faster
	}
	w := s.Enter()
	defer w.Leave()
	w.Unhold(x.p)
	if !x.dev.Up() {
		w.Drop(x.p, DeviceDown)
		return
	}
	x.redo(w, x.p)
}

// purgeProxied drops the questions of a family, or 0 for both, that wait in n: all
// of the Net's, whichever device went down, as Linux does.
// Linux: pneigh_queue_purge.
func (s *Stack) purgeProxied(n *netns.Net, family int, why Reason) {
	c := s.neighs.Of(n)
	c.mu.Lock()
	if len(c.asked) == 0 {
		c.mu.Unlock()
		return
	}
	var gone []*proxyWait
	c.asked = slices.DeleteFunc(c.asked, func(x *proxyWait) bool {
		if family != 0 && x.family != family {
			return false
		}
		gone = append(gone, x)
		return true
	})
	c.mu.Unlock()
	w := s.Enter()
	defer w.Leave()
	for _, x := range gone {
		x.timer.Stop()
		w.Unhold(x.p)
		w.Drop(x.p, why)
	}
}
