package ipv4

import (
	"slices"
	"sync"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// fragKey tells the datagrams apart that fragments belong to (RFC 791 section
// 3.2). Linux: struct frag_v4_compare_key.
type fragKey struct {
	src, dst [4]byte
	id       uint16
	proto    uint8
}

// A fragRun are fragments without a gap between them. Linux: a node of
// rb_fragments.
type fragRun struct {
	off, end int // of the payload, in bytes
	packets  []*core.Packet
}

// A fragQueue is a datagram of which not everything has come.
// Linux: struct ipq.
type fragQueue struct {
	// fixed
	key   fragKey
	state *pathNet
	peer  *peer

	mu        sync.Mutex
	dead      bool
	runs      []fragRun // in order, disjoint
	size      int       // of the payload, as far as is known
	meat      int       // of it, what is here
	held      int64     // bytes of memory
	first     bool      // the first fragment is here
	last      bool      // the last is, so size is right
	ecn       uint8     // which ECN codepoints came, as bits
	maxSize   int       // largest fragment with its header
	maxDFSize int       // largest with Don't Fragment
	seen      uint32    // its source's count when the last fragment came
	iif       int
	timer     netns.Timer
}

// reassemble takes a fragment and returns the datagram that it completes, or
// nil: the fragment then waits or was dropped (RFC 791 section 3.2, RFC 815).
// Linux: ip_defrag.
func (s *Inet) reassemble(w *core.Worker, p *core.Packet, ip wire.IPv4) *core.Packet {
	n := p.Net()
	st := s.path.nets.Own(n)
	if high := s.conf.Of(n).FragHighThresh.Load(); st.dead.Load() || high == 0 || st.fragMem.Load() > high {
		w.Drop(p, core.FragmentMemory)
		return nil
	}
	key := fragKey{ip.Src4(), ip.Dst4(), ip.ID(), ip.Proto()}
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
		whole, doomed := s.addFragment(w, q, p, ip)
		q.mu.Unlock()
		for _, d := range doomed {
			s.unhold(w, st, d)
			w.Drop(d, core.FragmentBad)
		}
		return whole
	}
}

// fragQueueOf returns the queue for key, made if there is none, or nil.
// Linux: inet_frag_find.
func (s *Inet) fragQueueOf(w *core.Worker, st *pathNet, n *netns.Net, key fragKey) *fragQueue {
	if q, ok := s.path.frags.Get(n, key); ok {
		return q
	}
	q := &fragQueue{key: key, state: st}
	if s.conf.Of(n).FragMaxDist.Load() != 0 {
		q.peer = st.rates.peerOf(key.src, w.Now())
	}
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
// they make no sense. Linux: ip_frag_queue.
func (s *Inet) addFragment(w *core.Worker, q *fragQueue, p *core.Packet, ip wire.IPv4) (whole *core.Packet, doomed []*core.Packet) {
	if s.tooFar(q, p) {
		doomed = s.restartFrags(w, q, p)
	}
	hdr, off := ip.HeaderLen(), ip.FragOffset()
	end := off + len(ip) - hdr
	if ip.MF() {
		end &^= wire.FragUnit - 1
		p.Trim(hdr + end - off)
	}
	if bad := q.checkEnd(ip, off, end); bad {
		return nil, append(doomed, s.killFrags(w, q, p)...)
	}
	switch q.insert(p, off, end) {
	case fragDuplicate:
		w.Drop(p, core.FragmentBad)
		return nil, doomed
	case fragOverlap:
		return nil, append(doomed, s.killFrags(w, q, p)...)
	}
	w.Hold(p)
	size := int64(p.MemorySize())
	q.held += size
	q.state.fragMem.Add(size)
	// The device may leave this Net, or the machine, while p waits. Linux: skb->dev
	// = NULL in ip_frag_queue.
	dev := p.Dev
	p.Dev, q.iif = nil, dev.Index()
	q.meat += end - off
	q.ecn |= 1 << ip.ECN()
	q.first = q.first || off == 0
	q.maxSize = max(q.maxSize, hdr+end-off)
	if ip.DF() {
		q.maxDFSize = max(q.maxDFSize, hdr+end-off)
	}
	if q.first && q.last && q.meat == q.size {
		s.endFrags(q, p.Net())
		return s.join(w, q, dev)
	}
	return nil, doomed
}

// tooFar reports whether so many fragments of other datagrams came from the
// same source that the identification may have been used again.
// Linux: ip_frag_too_far.
func (s *Inet) tooFar(q *fragQueue, p *core.Packet) bool {
	most := uint32(s.conf.Of(p.Net()).FragMaxDist.Load())
	if q.peer == nil || most == 0 {
		return false
	}
	start := q.seen
	q.seen = q.peer.frags.Add(1)
	return len(q.runs) > 0 && q.seen-start > most
}

// restartFrags forgets what q has. Linux: ip_frag_reinit.
func (s *Inet) restartFrags(w *core.Worker, q *fragQueue, p *core.Packet) []*core.Packet {
	gone := q.empty()
	q.timer.Reset(w.Now() + s.fragTime(p.Net()))
	return gone
}

// empty takes all packets out of q.
func (q *fragQueue) empty() (gone []*core.Packet) {
	for _, r := range q.runs {
		gone = append(gone, r.packets...)
	}
	q.runs, q.size, q.meat, q.first, q.last = nil, 0, 0, false, false
	q.ecn, q.maxSize, q.maxDFSize, q.held, q.iif = 0, 0, 0, 0, 0
	return gone
}

// checkEnd notes where the datagram ends, and reports whether a fragment from
// off to end cannot be right.
func (q *fragQueue) checkEnd(ip wire.IPv4, off, end int) (bad bool) {
	if !ip.MF() {
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
	return end <= off
}

// What comes of a fragment. Linux: IPFRAG_OK, IPFRAG_DUP, IPFRAG_OVERLAP.
const (
	fragOK = iota
	fragDuplicate
	fragOverlap
)

// insert puts p where it belongs. A fragment that lies in a run is one that
// came before; one that overlaps otherwise shows that somebody plays tricks
// (RFC 5722, which Linux follows for IPv4 too). A run grows only at the end of
// the datagram, as in Linux, so that an old fragment over two runs is no
// duplicate. Linux: inet_frag_queue_insert.
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
