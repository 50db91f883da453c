package ipv6

import (
	"slices"
	"sync"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// fragKey tells the datagrams apart that fragments belong to (RFC 8200 section
// 4.5). The device counts where the destination means something on its link
// only. Linux: struct frag_v6_compare_key.
type fragKey struct {
	src, dst [16]byte
	id       uint32
	iif      int32
}

// A fragRun are fragments without a gap between them. Linux: a node of
// rb_fragments.
type fragRun struct {
	off, end int // of the fragmentable part, in bytes
	packets  []*core.Packet
}

// A fragQueue is a datagram of which not everything has come.
// Linux: struct frag_queue.
type fragQueue struct {
	// fixed
	key   fragKey
	state *pathNet

	mu    sync.Mutex
	dead  bool
	runs  []fragRun // in order, disjoint
	size  int       // of the fragmentable part, as far as is known
	meat  int       // of it, what is here
	nhoff int       // where the first fragment says that a fragment header follows
	first bool      // the first fragment is here
	last  bool      // the last is, so size is right
	ecn   uint8     // which ECN codepoints came, as bits
	iif   int
	timer netns.Timer
}

// fragHeader is the size of a fragment header.
const fragHeader = 8

// reassemble takes a fragment whose fragment header is at off, and returns the
// datagram that it completes, without that header, or nil: the fragment then
// waits or was dropped (RFC 8200 section 4.5). Linux: ipv6_frag_rcv.
func (s *Inet) reassemble(w *core.Worker, p *core.Packet, ip wire.IPv6, off int) *core.Packet {
	if firstTooShort(ip) {
		s.paramProblem(w, p, wire.ICMP6FirstFragment, 0)
		w.Drop(p, core.FragmentBad)
		return nil
	}
	n := p.Net()
	st := s.path.nets.Own(n)
	if high := s.conf.Of(n).FragHighThresh.Load(); st.dead.Load() || high == 0 || st.fragMem.Load() > high {
		w.Drop(p, core.FragmentMemory)
		return nil
	}
	key := fragKey{src: ip.Src16(), dst: ip.Dst16(), id: wire.Frag6(ip[off:]).ID()}
	if key.dst[0] == 0xff || ip.Dst().IsLinkLocalUnicast() {
		key.iif = int32(p.Dev.Index())
	}
	for {
		q := s.fragQueueOf(w, st, n, key)
		if q == nil {
			w.Drop(p, core.FragmentMemory)
			return nil
		}
		q.mu.Lock()
		if q.dead { // it ended just now
			q.mu.Unlock()
			if st.dead.Load() {
				w.Drop(p, core.NetDying)
				return nil
			}
			continue
		}
		if at := badFragment(ip, off); at > 0 { // the queue stays
			q.mu.Unlock()
			s.paramProblem(w, p, wire.ICMP6BadHeader, at)
			w.Drop(p, core.FragmentBad)
			return nil
		}
		whole, doomed := s.addFragment(w, q, p, ip, off)
		q.mu.Unlock()
		for _, d := range doomed {
			s.unhold(w, st, d)
			w.Drop(d, core.FragmentBad)
		}
		return whole
	}
}

// firstTooShort reports whether a fragment is the first, and ends before the
// transport's header does (RFC 8200 section 4.5). A chain of which one cannot
// even read what comes next is let pass. Linux: ipv6frag_thdr_truncated.
func firstTooShort(ip wire.IPv6) bool {
	next, at := ip.Next(), wire.IPv6Len
	for wire.IsExt(next) {
		if at+2 > len(ip) {
			return false
		}
		size := (int(ip[at+1]) + 1) * 8
		switch next {
		case wire.ProtoFragment:
			if at+4 > len(ip) || ip[at+2] != 0 || ip[at+3]&^7 != 0 {
				return false
			}
			size = fragHeader
		case wire.ProtoAH:
			size = (int(ip[at+1]) + 2) * 4
		}
		next, at = ip[at], at+size
	}
	switch next {
	case wire.ProtoNone:
		return false
	case wire.ProtoTCP:
		at += tcpHeader
	case wire.ProtoUDP:
		at += wire.UDPLen
	case wire.ProtoICMPv6:
		at += wire.ICMPLen
	default:
		at++
	}
	return at > len(ip)
}

// tcpHeader is the size of a TCP header without options.
const tcpHeader = 20

// badFragment returns where the parameter problem is in a fragment that ends
// beyond what a datagram can be, or that others are to follow though it does not
// end at a multiple of eight; 0 if there is none. Linux: ip6_frag_queue.
func badFragment(ip wire.IPv6, off int) (at int) {
	const payloadLenAt, fragOffAt = 4, 2
	f := wire.Frag6(ip[off:])
	end := f.Offset() + len(ip) - off - fragHeader
	switch {
	case end > wire.IPv6MaxLen:
		return off + fragOffAt
	case f.More() && end%8 != 0:
		return payloadLenAt
	}
	return 0
}

// fragQueueOf returns the queue for key, made if there is none, or nil.
// Linux: fq_find, inet_frag_find.
func (s *Inet) fragQueueOf(w *core.Worker, st *pathNet, n *netns.Net, key fragKey) *fragQueue {
	if q, ok := s.path.frags.Get(n, key); ok {
		return q
	}
	q := &fragQueue{key: key, state: st}
	q.timer.Init(n, func(now time.Duration) { s.expireFrags(q, now) })
	if s.path.frags.Add(n, key, q) != nil {
		q, _ = s.path.frags.Get(n, key)
		return q
	}
	st.fragMem.Add(fragQueueBytes)
	q.timer.Reset(w.Now() + s.fragTime(n))
	return q
}

// fragQueueBytes is what an empty queue counts for in the limits.
const fragQueueBytes = 256

func (s *Inet) fragTime(n *netns.Net) time.Duration {
	return time.Duration(s.conf.Of(n).FragTime.Load()) * time.Second
}

// addFragment puts p into q, with q.mu held. It takes p, and returns the
// datagram if that is complete, or the packets that end with q if p shows that
// they make no sense. Linux: ip6_frag_queue.
func (s *Inet) addFragment(w *core.Worker, q *fragQueue, p *core.Packet, ip wire.IPv6, at int) (whole *core.Packet, doomed []*core.Packet) {
	f := wire.Frag6(ip[at:])
	off := f.Offset()
	end := off + len(ip) - at - fragHeader
	if bad := q.checkEnd(f, off, end); bad {
		return nil, s.killFrags(w, q, p)
	}
	switch q.insert(p, off, end) {
	case fragDuplicate:
		w.Drop(p, core.FragmentBad)
		return nil, nil
	case fragOverlap:
		return nil, s.killFrags(w, q, p)
	}
	w.Hold(p)
	q.state.fragMem.Add(int64(p.MemorySize()))
	// The device may leave this Net, or the machine, while p waits. Linux: skb->dev
	// shares its place with the tree's node.
	dev := p.Dev
	p.Dev, q.iif = nil, dev.Index()
	p.Opts[optHeaders] = uint16(at)
	q.meat += end - off
	q.ecn |= 1 << ip.ECN()
	if off == 0 {
		q.first, q.nhoff = true, int(p.Opts[optNext])
	}
	if q.first && q.last && q.meat == q.size {
		s.endFrags(q, p.Net())
		return s.join(w, q, dev)
	}
	return nil, nil
}

// empty takes all packets out of q.
func (q *fragQueue) empty() (gone []*core.Packet) {
	for _, r := range q.runs {
		gone = append(gone, r.packets...)
	}
	q.runs = nil
	return gone
}

// checkEnd notes where the datagram ends, and reports whether a fragment from
// off to end cannot be right.
func (q *fragQueue) checkEnd(f wire.Frag6, off, end int) (bad bool) {
	if !f.More() {
		if end < q.size || q.last && end != q.size {
			return true
		}
		q.last, q.size = true, end
	} else if end > q.size {
		if q.last {
			return true
		}
		q.size = end
	}
	return end == off
}

// What comes of a fragment. Linux: IPFRAG_OK, IPFRAG_DUP, IPFRAG_OVERLAP.
const (
	fragOK = iota
	fragDuplicate
	fragOverlap
)

// insert puts p where it belongs. A fragment that lies in a run is one that
// came before; one that overlaps otherwise shows that somebody plays tricks, and
// all is dropped. What comes later begins anew, where RFC 5722 section 4 would have
// it dropped as well. A run grows only at the end of the datagram, as in Linux,
// so that an old fragment over two runs is no duplicate.
// Linux: inet_frag_queue_insert.
func (q *fragQueue) insert(p *core.Packet, off, end int) int {
	k := len(q.runs)
	if k > 0 && q.runs[k-1].end < end {
		last := &q.runs[k-1]
		switch {
		case off < last.end:
			return fragOverlap
		case off == last.end:
			last.end = end
			last.packets = append(last.packets, p)
			return fragOK
		}
		q.runs = append(q.runs, fragRun{off, end, []*core.Packet{p}})
		return fragOK
	}
	i, _ := slices.BinarySearchFunc(q.runs, off, func(r fragRun, off int) int { // the first that ends behind off
		if r.end <= off {
			return -1
		}
		return 1
	})
	if i < k && q.runs[i].off < end {
		if r := &q.runs[i]; off >= r.off && end <= r.end {
			return fragDuplicate
		}
		return fragOverlap
	}
	q.runs = slices.Insert(q.runs, i, fragRun{off, end, []*core.Packet{p}})
	return fragOK
}

// endFrags takes q out of the table. Linux: inet_frag_kill.
func (s *Inet) endFrags(q *fragQueue, n *netns.Net) {
	q.dead = true
	q.timer.Stop()
	s.path.frags.Delete(n, q.key)
	q.state.fragMem.Add(-fragQueueBytes)
}

// killFrags ends q because of p, which is dropped, and returns what it held.
func (s *Inet) killFrags(w *core.Worker, q *fragQueue, p *core.Packet) []*core.Packet {
	s.endFrags(q, p.Net())
	w.Drop(p, core.FragmentBad)
	return q.empty()
}

// unhold takes a packet of a queue back from it.
func (s *Inet) unhold(w *core.Worker, st *pathNet, p *core.Packet) {
	st.fragMem.Add(-int64(p.MemorySize()))
	w.Unhold(p)
}
