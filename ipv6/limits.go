package ipv6

import (
	"sync"
	"time"

	"nsmodel/netns"
)

// How much a Net remembers of others at most: the oldest goes first.
const maxPeers = 4096 // Linux: inet_peer_threshold

// The bucket of a Net's ICMP errors. Linux has one for both families, filled as
// net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst say; here IPv6 has its own, with
// those names' defaults.
const (
	icmpPerSec = 1000
	icmpBurst  = 50
)

// A peer is what a Net remembers of a host. Linux: struct inet_peer.
type peer struct {
	tokens time.Duration // saved up for errors
	last   time.Duration // when they were counted
}

// rates are the limits of a Net on ICMP errors (RFC 4443 section 2.4 (f)).
type rates struct {
	mu    sync.Mutex
	peers map[[16]byte]*peer
	order [][16]byte // as they came
	begun bool
	// the bucket of the Net as a whole. Linux: icmp_global_credit and stamp
	credit int64
	stamp  time.Duration
}

// peer returns what is known of a; under mu. Linux: inet_getpeer.
func (t *rates) peer(a [16]byte, now time.Duration) *peer {
	if p := t.peers[a]; p != nil {
		return p
	}
	if t.peers == nil {
		t.peers = map[[16]byte]*peer{}
	}
	if len(t.order) >= maxPeers {
		delete(t.peers, t.order[0])
		t.order = append(t.order[:0:0], t.order[1:]...)
	}
	p := &peer{last: now - time.Minute}
	t.peers[a] = p
	t.order = append(t.order, a)
	return p
}

// allowPeer reports whether another error may go to a, after every ratelimit.
// Linux: inet_peer_xrlim_allow.
func (t *rates) allowPeer(a [16]byte, every, now time.Duration) bool {
	if every == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.peer(a, now)
	p.tokens = min(p.tokens+now-p.last, 6*every)
	p.last = now
	if p.tokens < every {
		return false
	}
	p.tokens -= every
	return true
}

// allowNet reports whether the Net as a whole may send another error.
// Linux: icmp_global_allow.
func (t *rates) allowNet(now time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		t.begun, t.credit, t.stamp = true, icmpBurst, now
	}
	if t.credit > 0 {
		return true
	}
	delta := min(now-t.stamp, time.Second)
	if delta < time.Second/50 {
		return false
	}
	more := icmpPerSec * int64(delta) / int64(time.Second)
	t.credit, t.stamp = min(t.credit+more, icmpBurst), now
	return true
}

// consume counts an error that was sent: one credit on average, but not always
// (see package ipv4). Linux: icmp_global_consume.
func (t *rates) consume(n *netns.Net) {
	k := int64(n.Uint64N(3))
	t.mu.Lock()
	t.credit -= k
	t.mu.Unlock()
}
