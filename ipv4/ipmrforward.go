package ipv4

import (
	"net/netip"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// protoIPIP is what Linux looks for a route of, whatever is sent.
const protoIPIP = 4

func addr4(a [4]byte) netip.Addr { return netip.AddrFrom4(a) }

// routesGroups reports whether what comes for g by the device is looked at by
// multicast routing. Linux: IN_DEV_MFORWARD, ipv4_is_local_multicast.
func (dev *device) routesGroups(g [4]byte) bool { return dev.mroute.Load() && !linkLocal(g) }

// mrInput takes a packet for a group that came by a device which routes such, and
// which is for this Net, too, if local says so. Linux: ip_mr_input.
func (s *Inet) mrInput(w *core.Worker, p *core.Packet, ip wire.IPv4, local bool) {
	n := p.Net()
	r := s.mr.nets.Of(n)
	if !local && ip.Proto() == wire.ProtoIGMP && r.open.Load() {
		w.Deliver(p) // the daemon's socket hears it. Linux: ip_call_ra_chain, raw_rcv
		return
	}
	in := r.find(p.Dev)
	c, sent := s.findMFC(n, ip.Src4(), ip.Dst4(), in), false
	switch {
	case c != nil:
		sent = s.mrForward(w, r, p, ip, c, in, p.Type == core.Looped)
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
		s.deliver(w, p, ip)
	case sent: // copies of it
		w.Deliver(p)
	default:
		w.Drop(p, core.NoRoute)
	}
}

// mrForward sends copies of p where c says, and reports whether it did; p stays the
// caller's. looped says that this Net has sent it. Linux: ip_mr_forward.
func (s *Inet) mrForward(w *core.Worker, r *mrouter, p *core.Packet, ip wire.IPv4, c *mfc, in int, looped bool) (sent bool) {
	way := c.way.Load()
	c.packets.Add(1)
	c.bytes.Add(uint64(p.Len()))
	c.used.Store(int64(w.Now()))
	anybody := c.key.origin == [4]byte{}
	tree := false // it came by the tree of all groups
	if anybody && in >= 0 {
		all := s.findTree(p.Net(), way.parent)
		tree = all != nil && all.way.Load().ttls[in] < noVIF
	}
	parent := r.at(way.parent)
	if !tree && (parent == nil || in < 0 || r.at(in) == nil || parent.dev != r.at(in).dev) {
		if !looped { // our own packet, that another vif is to have sent, is nobody's mistake
			c.wrong.Add(1)
		}
		return false
	}
	if parent != nil {
		parent.in.Add(1)
		parent.inBytes.Add(uint64(p.Len()))
	}
	if c.key == (mfcKey{}) { // not from upstream: upstream alone
		if in >= 0 && in != way.parent && ip.TTL() > way.ttls[way.parent] {
			sent = s.mrSend(w, r, p, way.parent)
		}
		return sent
	}
	for i := maxVIFs - 1; i >= 0; i-- {
		if (!anybody || i != in) && ip.TTL() > way.ttls[i] {
			sent = s.mrSend(w, r, p, i) || sent
		}
	}
	return sent
}

// mrSend sends a copy of p by a vif, if there is one of that number. What does not
// fit and must not be cut is dropped, and nobody is told: no ICMP error is sent about
// what went to a group (RFC 1122 section 3.2.2). Linux: ipmr_queue_xmit.
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
	ip := wire.IPv4(q.Bytes())
	rt, err := s.Route(n, &fib.Flow{Dst: ip.Dst(), Oif: int32(v.dev.Index()), Proto: protoIPIP, TOS: ip.TOS()})
	switch {
	case err != nil || v.dev.Net() != n:
		w.Drop(q, core.NoRoute)
		return true
	case q.Len() > rt.MTU && exceeds(q, ip, rt.MTU):
		w.Drop(q, core.TooBig)
		return true
	}
	ip.DecTTL()
	q.Opts[optFlags] = rt.flags() | flagForwarded
	q.Type = core.ToHost // what it came as says nothing of what it goes as
	if s.Hooks.Run(w, q, netfilter.Forward, core.AFInet, in, rt.Dev) {
		_ = s.output(w, q, &rt, &SendOptions{MulticastLoop: true}) // nobody to tell
	}
	return true
}

// mrUnresolved lets p wait until the daemon has said where its flow goes: four
// packets of each flow, for ten seconds in all. Linux: ipmr_cache_unresolved.
func (s *Inet) mrUnresolved(w *core.Worker, r *mrouter, p *core.Packet, in int) {
	n, ip := p.Net(), wire.IPv4(p.Bytes())
	u, why := s.unresolvedOf(w, r, n, mfcKey{ip.Src4(), ip.Dst4()})
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
// Linux: ipmr_destroy_unres.
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

// resolve sends what has waited for c. Linux: ipmr_cache_resolve.
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
		if s.mrForward(w, r, q.p, wire.IPv4(q.p.Bytes()), c, in, false) {
			w.Deliver(q.p)
		} else {
			w.Drop(q.p, core.NoRoute)
		}
	}
}

// Unresolved reports whether n has asked its daemon of the flow from origin to
// group, and waits for its word.
func (s *Inet) Unresolved(n *netns.Net, origin, group [4]byte) bool {
	_, ok := s.mr.waiting.Get(n, mfcKey{origin, group})
	return ok
}
