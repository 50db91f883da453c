package ipv6

import (
	"sync"
	"time"
)

// How much a Net remembers of others at most: the oldest goes first.
const maxPeers = 4096 // Linux: inet_peer_threshold

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
