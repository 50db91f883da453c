package ipv6

import (
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// routesGroups reports whether multicast routing looks at what is for g in n.
// Linux: ip6_mc_input.
func (s *Inet) routesGroups(n *netns.Net, g [16]byte) bool {
	return s.mr.nets.Of(n).open.Load() && g[1]&15 > 2
}

// mrInput takes a packet for a group that came by a device which routes such, and
// which is for this Net, too, if local says so. Linux: ip6_mr_input.
func (s *Inet) mrInput(w *core.Worker, p *core.Packet, ip wire.IPv6, local bool) {
	n := p.Net()
	r := s.mr.nets.Of(n)
	in := r.find(p.Dev)
	c, sent := s.findMFC(n, ip.Src16(), ip.Dst16(), in), false
	switch {
	case c != nil:
		sent = s.mrForward(w, r, p, ip, c, in)
	case in >= 0 && r.open.Load():
		q := p
		if local {
			q = w.Clone(p)
		}
		s.mrUnresolved(w, r, q, in)
		if !local {
			return
		}
	}
	switch {
	case local:
		s.deliver(w, p)
	case sent: // copies of it
		w.Deliver(p)
	default:
		w.Drop(p, core.NoRoute)
	}
}

// mrForward sends copies of p where c says, and reports whether it did; p stays the
// caller's. looped says that this Net has sent it. Linux: ip6_mr_forward.
func (s *Inet) mrForward(w *core.Worker, r *mrouter, p *core.Packet, ip wire.IPv6, c *mfc, in int) (sent bool) {
	way := c.way.Load()
	c.packets.Add(1)
	c.bytes.Add(uint64(p.Len()))
	c.used.Store(int64(w.Now()))
	anybody := c.key.origin == [16]byte{}
	tree := false // it came by the tree of all groups
	if anybody && in >= 0 {
		all := s.findTree(p.Net(), way.parent)
		tree = all != nil && all.way.Load().ttls[in] < noVIF
	}
	parent := r.at(way.parent)
	if !tree && (parent == nil || in < 0 || r.at(in) == nil || parent.dev != r.at(in).dev) {
		c.wrong.Add(1)
		return false
	}
	if parent != nil {
		parent.in.Add(1)
		parent.inBytes.Add(uint64(p.Len()))
	}
	if c.key == (mfcKey{}) { // not from upstream: upstream alone
		if in >= 0 && in != way.parent && ip.HopLimit() > way.ttls[way.parent] {
			sent = s.mrSend(w, r, p, way.parent)
		}
		return sent
	}
	for i := maxVIFs - 1; i >= 0; i-- {
		if (!anybody || i != in) && ip.HopLimit() > way.ttls[i] {
			sent = s.mrSend(w, r, p, i) || sent
		}
	}
	return sent
}

// mrSend sends a copy of p by a vif, if there is one of that number. Linux:
// ip6mr_forward2.
func (s *Inet) mrSend(w *core.Worker, r *mrouter, p *core.Packet, i int) bool {
	v := r.at(i)
	if v == nil {
		return false
	}
	n := p.Net()
	v.out.Add(1)
	v.outBytes.Add(uint64(p.Len()))
	in := p.Dev
	q := w.Clone(p)
	ip := wire.IPv6(q.Bytes())
	rt, err := s.Route(n, &fib.Flow{Dst: ip.Dst(), Oif: int32(v.dev.Index()), TOS: ip.Class()})
	switch {
	case err != nil || v.dev.Net() != n:
		w.Drop(q, core.NoRoute)
		return true
	case q.Len() > rt.MTU && !(q.GSOSize > 0 && segmentLen(q, ip) <= rt.MTU):
		s.SendICMP(w, q, wire.ICMP6PacketTooBig, 0, uint32(max(rt.MTU, minMTU))) // about a group, too (RFC 4443 section 2.4 e)
		w.Drop(q, core.TooBig)
		return true
	}
	ip.DecHopLimit()
	q.Opts[optFlags] = rt.flags() | flagForwarded
	q.Type = core.ToHost // what it came as says nothing of what it goes as
	if s.Hooks.Run(w, q, netfilter.Forward, core.AFInet6, in, rt.Dev) {
		_ = s.output(w, q, &rt, &SendOptions{MulticastLoop: true}) // nobody to tell
	}
	return true
}

// mrUnresolved lets p wait until the daemon has said where its flow goes: four
// packets of each flow, for ten seconds in all. Linux: ip6mr_cache_unresolved.
func (s *Inet) mrUnresolved(w *core.Worker, r *mrouter, p *core.Packet, in int) {
	n, ip := p.Net(), wire.IPv6(p.Bytes())
	u, why := s.unresolvedOf(w, r, n, mfcKey{ip.Src16(), ip.Dst16()})
	v := r.at(in)
	if u == nil || v == nil {
		w.Drop(p, why)
		return
	}
	u.mu.Lock()
	if u.dead || len(u.packets) >= unresolvedQueue || r.dead.Load() {
		u.mu.Unlock()
		w.Drop(p, core.NoRoute)
		return
	}
	w.Hold(p)
	p.Dev = nil // it may leave this Net, or the machine, while p waits
	u.packets = append(u.packets, waitingPacket{p, v})
	u.mu.Unlock()
}

// unresolvedOf returns the flow's entry, made if there is none and room for it; the
// room is the Net's own.
func (s *Inet) unresolvedOf(w *core.Worker, r *mrouter, n *netns.Net, key mfcKey) (*unresolved, core.Reason) {
	if u, ok := s.mr.waiting.Get(n, key); ok {
		return u, core.NoRoute
	}
	u := &unresolved{key: key, number: r.last.Add(1)}
	u.timer.Init(n, func(time.Duration) {
		w := s.Core.Enter()
		defer w.Leave()
		s.forgetUnresolved(w, n, u, core.NoRoute)
	})
	if s.mr.waiting.Add(n, key, u) != nil { // full, or another worker was faster
		u, _ = s.mr.waiting.Get(n, key)
		return u, core.NoRoute
	}
	u.timer.Reset(w.Now() + unresolvedExpire)
	return u, core.NoRoute
}

// take ends u and returns what has waited.
func (s *Inet) take(n *netns.Net, u *unresolved) []waitingPacket {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.timer.Stop()
	if !u.dead {
		u.dead = true
		s.mr.waiting.Delete(n, u.key)
	}
	list := u.packets
	u.packets = nil
	return list
}

// forgetUnresolved ends a flow that nobody has said anything of.
// Linux: ip6mr_destroy_unres.
func (s *Inet) forgetUnresolved(w *core.Worker, n *netns.Net, u *unresolved, why core.Reason) {
	for _, q := range s.take(n, u) {
		w.Unhold(q.p)
		w.Drop(q.p, why)
	}
}

func (s *Inet) dropUnresolved(n *netns.Net, why core.Reason) {
	if s.mr.waiting.Len(n) == 0 {
		return
	}
	w := s.Core.Enter()
	defer w.Leave()
	for _, u := range s.mr.waiting.All(n) {
		s.forgetUnresolved(w, n, u, why)
	}
}

// resolve sends what has waited for c. Linux: ip6mr_cache_resolve.
func (s *Inet) resolve(w *core.Worker, r *mrouter, c *mfc) {
	n := r.net
	u, ok := s.mr.waiting.Get(n, c.key)
	if !ok {
		return
	}
	for _, q := range s.take(n, u) {
		w.Unhold(q.p)
		in := r.find(q.vif.dev)
		if in < 0 { // the device has left
			w.Drop(q.p, core.DeviceMoved)
			continue
		}
		q.p.Dev = q.vif.dev
		if s.mrForward(w, r, q.p, wire.IPv6(q.p.Bytes()), c, in) {
			w.Deliver(q.p)
		} else {
			w.Drop(q.p, core.NoRoute)
		}
	}
}

// Unresolved returns of how many flows n has asked its daemon, and waits for its
// word. Linux: cache_resolve_queue_len.
func (s *Inet) Unresolved(n *netns.Net) int { return s.mr.waiting.Len(n) }
