package ipv6

import (
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// join makes one datagram of a complete queue, whose packets end with it: what
// stands before the first fragment's fragment header, and then the pieces. It
// fails, and returns them all, if the datagram would be too long or if its
// fragments disagree about congestion (RFC 3168 section 5.3). It has come by dev,
// as its last fragment has. Linux: ip6_frag_reasm.
func (s *Inet) join(w *core.Worker, q *fragQueue, dev *core.Device) (whole *core.Packet, doomed []*core.Packet) {
	parts := q.empty()
	p := parts[0]
	head := wire.IPv6(p.Bytes())
	hdr := int(p.Opts[optHeaders])
	ce, ok := joinECN(q.ecn)
	if hdr-wire.IPv6Len+q.size > wire.IPv6MaxLen || !ok {
		return nil, parts
	}
	whole = w.NewPacket(p.Net(), hdr+q.size)
	b := whole.Bytes()
	at := copy(b, head[:hdr])
	for _, part := range parts {
		at += copy(b[at:], part.Bytes()[int(part.Opts[optHeaders])+fragHeader:])
	}
	b[q.nhoff] = head[hdr]
	ip := wire.IPv6(b)
	ip.SetPayloadLen(len(b) - wire.IPv6Len)
	if ce {
		ip.SetClass(ip.Class() | wire.ECNCE)
	}
	whole.Dev, whole.Type, whole.Protocol, whole.InIndex = dev, p.Type, p.Protocol, p.InIndex
	whole.Mark, whole.Priority, whole.Stamp, whole.Opts = p.Mark, p.Priority, p.Stamp, p.Opts
	whole.Conntrack = p.Conntrack
	whole.Opts[optFlags] |= flagFragmented
	whole.Opts[optNext] = uint16(q.nhoff)
	whole.SetL3(0)
	for _, part := range parts {
		s.unhold(w, q.state, part)
		w.Deliver(part)
	}
	return whole, nil
}

// joinECN returns whether the datagram is marked, from which codepoints its
// fragments had (bit i is codepoint i). Not to be combined are Not-ECT with
// anything else. Linux: ip_frag_ecn_table.
func joinECN(seen uint8) (ce, ok bool) {
	const not = 1 << wire.ECNNotECT
	if seen&not != 0 && seen != not {
		return false, false
	}
	return seen&(1<<wire.ECNCE) != 0, true
}

// expireFrags gives up on a datagram, and says so to its sender if the first
// fragment came (RFC 8200 section 4.5). Linux: ip6frag_expire_frag_queue.
func (s *Inet) expireFrags(q *fragQueue, _ time.Duration) {
	w := s.Core.Enter()
	defer w.Leave()
	q.mu.Lock()
	if q.dead {
		q.mu.Unlock()
		return
	}
	n := q.state.net
	first, iif := q.first, q.iif
	s.endFrags(q, n)
	parts := q.empty()
	q.mu.Unlock()
	for i, p := range parts {
		s.unhold(w, q.state, p)
		if i == 0 && first {
			s.complainTimeout(w, n, p, iif)
		}
		w.Drop(p, core.FragmentTimeout)
	}
}

// complainTimeout sends the error about a first fragment whose rest never came,
// from the address that it was for, if that is still ours.
func (s *Inet) complainTimeout(w *core.Worker, n *netns.Net, p *core.Packet, iif int) {
	d := s.Core.DeviceByIndex(n, iif) // it may have left meanwhile
	if d == nil {
		return
	}
	p.Dev = d
	if s.LocalAddr(n, d, wire.IPv6(p.Bytes()).Dst()) == nil {
		p.Opts[optFlags] &^= flagLocal
	}
	s.SendICMP(w, p, wire.ICMP6TimeExceeded, wire.ICMP6FragTime, 0)
}

// purgeFrags drops all fragments that n waits with. Linux: fqdir_exit.
func (s *Inet) purgeFrags(n *netns.Net, why core.Reason) {
	if s.path.frags.Len(n) == 0 {
		return
	}
	w := s.Core.Enter()
	defer w.Leave()
	for _, q := range s.path.frags.All(n) {
		q.mu.Lock()
		if q.dead {
			q.mu.Unlock()
			continue
		}
		s.endFrags(q, n)
		parts := q.empty()
		q.mu.Unlock()
		for _, p := range parts {
			s.unhold(w, q.state, p)
			w.Drop(p, why)
		}
	}
}
