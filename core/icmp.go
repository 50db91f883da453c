package core

import (
	"sync"
	"time"

	"nsmodel/netns"
)

// An ICMPBudget is how many ICMP errors, and other messages that are limited, a
// Net may send as a whole: one bucket for both families, so that neither's
// errors let the other's pass uncounted. The zero value is full when it is first
// asked. Linux: icmp_global_credit and icmp_global_stamp of struct netns_ipv4.
type ICMPBudget struct {
	mu     sync.Mutex
	begun  bool
	credit int64
	stamp  time.Duration
}

// Allow reports whether another message may be sent: perSec of them in a second,
// burst at once. Linux: icmp_global_allow.
func (b *ICMPBudget) Allow(perSec, burst int64, now time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.begun {
		b.begun, b.credit, b.stamp = true, burst, now
	}
	if b.credit > 0 {
		return true
	}
	delta := min(now-b.stamp, time.Second)
	if delta < time.Second/50 {
		return false
	}
	more := perSec * int64(delta) / int64(time.Second)
	if more == 0 {
		return false
	}
	b.credit, b.stamp = min(b.credit+more, burst), now
	return true
}

// Consume counts a message that was sent: one credit on average, but not
// always, so that nobody can tell from the rate of his answers what others got
// (CVE-2020-25705). Linux: icmp_global_consume.
func (b *ICMPBudget) Consume(n *netns.Net) {
	k := int64(n.Uint64N(3))
	b.mu.Lock()
	b.credit -= k
	b.mu.Unlock()
}
