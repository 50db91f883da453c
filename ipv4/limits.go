package ipv4

import (
	"sync"
	"sync/atomic"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// How much a Net remembers of others at most: the oldest goes first.
const maxPeers = 4096 // hosts that got errors, or sent fragments. Linux: inet_peer_threshold

// idents hand out identifications: counters among which destinations are
// spread, so that nobody learns from his own packets how many others get
// (RFC 7739 has the reasons). Linux: ip_idents, which all Nets share.
type idents struct {
	once   sync.Once
	secret uint32
	count  [16]atomic.Uint32
}

func (t *idents) next(n *netns.Net, dst [4]byte, proto uint8) uint16 {
	t.once.Do(func() {
		v := n.Uint64()
		t.secret = uint32(v)
		for i := range t.count {
			t.count[i].Store(wire.FlowHash4(uint32(v>>32), uint8(i), [4]byte{}, [4]byte{}, 0, 0))
		}
	})
	return uint16(t.count[wire.FlowHash4(t.secret, proto, [4]byte{}, dst, 0, 0)%16].Add(1))
}

// A peer is what a Net remembers of a host. Linux: struct inet_peer.
type peer struct {
	tokens    time.Duration // saved up for errors
	last      time.Duration // when they were counted
	redirects int           // sent and not listened to
	frags     atomic.Uint32 // fragments received from it. Linux: rid
}

// rates are the limits of a Net on ICMP errors (RFC 1812 section 4.3.2.8).
type rates struct {
	mu    sync.Mutex
	peers map[[4]byte]*peer
	order [][4]byte // as they came

	net core.ICMPBudget // of the Net as a whole, and of both families
}

// peer returns what is known of a; under mu. Linux: inet_getpeer.
func (t *rates) peer(a [4]byte, now time.Duration) *peer {
	if p := t.peers[a]; p != nil {
		return p
	}
	if t.peers == nil {
		t.peers = map[[4]byte]*peer{}
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

// peerOf is peer with the lock.
func (t *rates) peerOf(a [4]byte, now time.Duration) *peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peer(a, now)
}

// take takes cost tokens, of which at most limit are saved.
func (p *peer) take(now, cost, limit time.Duration) bool {
	p.tokens = min(p.tokens+now-p.last, limit)
	p.last = now
	if p.tokens < cost {
		return false
	}
	p.tokens -= cost
	return true
}

// allowPeer reports whether another error may go to a, after every ratelimit.
// Linux: inet_peer_xrlim_allow.
func (t *rates) allowPeer(a [4]byte, every, now time.Duration) bool {
	if every == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peer(a, now).take(now, every, 6*every)
}

// allowError is a further limit on errors about missing routes.
// Linux: ip_error, ip_rt_error_cost and ip_rt_error_burst.
func (t *rates) allowError(a [4]byte, now time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peer(a, now).take(now, time.Second, 5*time.Second)
}

// allowRedirect reports whether a is to be told of a better way, and notes that
// it was. Linux: ip_rt_send_redirect; the constants are ip_rt_redirect_number,
// _load and _silence.
func (t *rates) allowRedirect(a [4]byte, now time.Duration) bool {
	const most, load = 9, 20 * time.Millisecond
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.peer(a, now)
	if now > p.last+load<<(most+1) {
		p.tokens, p.redirects = 0, 0
	}
	if p.redirects >= most {
		p.last = now
		return false
	}
	if p.redirects > 0 && now <= p.last+load<<p.redirects {
		return false
	}
	p.last = now
	p.redirects++
	return true
}
