package ipv4

import (
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// join makes one datagram of a complete queue, whose packets end with it. It
// fails, and returns them all, if the datagram would be too long or if its
// fragments disagree about congestion (RFC 3168 section 5.3). It has come by dev,
// as its last fragment has. Linux: ip_frag_reasm.
func (s *Inet) join(w *core.Worker, q *fragQueue, dev *core.Device) (whole *core.Packet, doomed []*core.Packet) {
	size, ecn := q.size, q.ecn
	maxSize, maxDFSize := q.maxSize, q.maxDFSize
	parts := q.empty()
	head := wire.IPv4(parts[0].Bytes())
	hdr := head.HeaderLen()
	ce, ok := joinECN(ecn)
	if hdr+size > wire.IPv4MaxLen || !ok {
		return nil, parts
	}
	p := parts[0]
	whole = w.NewPacket(p.Net(), hdr+size)
	b := whole.Bytes()
	at := copy(b, head[:hdr])
	for _, part := range parts {
		ip := wire.IPv4(part.Bytes())
		at += copy(b[at:], ip[ip.HeaderLen():])
	}
	ip := wire.IPv4(b)
	ip.SetTotalLen(hdr + size)
	ip.SetFrag(maxSize == maxDFSize, false, 0)
	if ce {
		ip.SetECN(wire.ECNCE)
	}
	ip.FillChecksum()
	whole.Dev, whole.Type, whole.Protocol, whole.InIndex = dev, p.Type, p.Protocol, p.InIndex
	whole.Mark, whole.Priority, whole.Stamp, whole.Opts = p.Mark, p.Priority, p.Stamp, p.Opts
	whole.Conntrack = p.Conntrack
	whole.Opts[optFlags] |= flagReasm
	whole.Opts[optMaxFrag] = uint16(max(maxSize, maxDFSize))
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

// expireFrags gives up on a datagram (RFC 791 section 3.2), and says so to its
// sender if the first fragment came (RFC 792, RFC 1122 section 3.3.2). It must
// still be one for this Net. Linux: ip_expire.
func (s *Inet) expireFrags(q *fragQueue, now time.Duration) {
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

// complainTimeout sends the error about a first fragment whose rest never came.
func (s *Inet) complainTimeout(w *core.Worker, n *netns.Net, p *core.Packet, iif int) {
	d := s.Core.DeviceByIndex(n, iif) // it may have left meanwhile
	if d == nil {
		return
	}
	in := s.devs.Of(d)
	ip, ok := wire.ParseIPv4(p.Bytes())
	if in == nil || !ok && len(p.Bytes()) < wire.IPv4Len {
		return
	}
	if !ok { // its tail was cut to whole units
		ip = p.Bytes()
		ip.SetTotalLen(len(ip))
	}
	p.Dev = d
	var r inRoute
	if s.routeInput(p, ip, ip.Dst4(), in, &r) != 0 || r.err != 0 || r.flags != flagLocal {
		return
	}
	p.Opts[optFlags] = r.flags
	s.SendICMP(w, p, wire.ICMPTimeExceeded, wire.ICMPFragTimeout, 0)
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
