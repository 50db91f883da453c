package core

import (
	"fmt"
	"strings"
	"sync/atomic"

	"nsmodel/netns"
)

// A Ledger counts the packets of one Net like money: what came in and what was
// made is delivered, sent, dropped for a reason, or still held in a queue.
// Linux has the parts of this in struct netns_mib and in the drop monitor, but
// nobody who adds them up.
type Ledger struct {
	net *netns.Net // fixed; nil for a sum

	in, made, delivered, sent atomic.Uint64
	held                      atomic.Int64
	drops                     atomic.Pointer[[numReasons]atomic.Uint64]
}

// A Balance is a ledger read at one moment.
type Balance struct {
	In        uint64 `json:"in"`        // arrived at a device
	Made      uint64 `json:"made"`      // born at a socket or in the stack
	Delivered uint64 `json:"delivered"` // reached a socket, or the stack itself
	Sent      uint64 `json:"sent"`      // handed to a driver
	Dropped   uint64 `json:"dropped"`   // for the reasons below
	Held      int64  `json:"held"`      // in queues now
	// Reasons are the drops by reason, without those that are 0.
	Reasons map[string]uint64 `json:"reasons,omitempty"`
}

// Balanced reports whether in + made = delivered + sent + dropped + held.
func (b Balance) Balanced() bool {
	return int64(b.In+b.Made)-int64(b.Delivered+b.Sent+b.Dropped) == b.Held
}

// String prints the ledger in one line, drops by reason in the order of Reason.
func (b Balance) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "in %d + made %d = delivered %d + sent %d + dropped %d + held %d", b.In, b.Made, b.Delivered, b.Sent, b.Dropped, b.Held)
	sep := " ("
	for r := range numReasons {
		if v := b.Reasons[r.String()]; v > 0 {
			fmt.Fprintf(&s, "%s%s %d", sep, r, v)
			sep = ", "
		}
	}
	if sep == ", " {
		s.WriteByte(')')
	}
	if !b.Balanced() {
		s.WriteString("  NOT IN BALANCE")
	}
	return s.String()
}

// Hold counts p as held: it waits in a queue of the caller's.
func (w *Worker) Hold(p *Packet) { p.books.held.Add(1) }

// Unhold ends that: p was taken from the queue.
func (w *Worker) Unhold(p *Packet) { p.books.held.Add(-1) }

func (l *Ledger) dropped(r Reason) {
	d := l.drops.Load()
	if d == nil {
		l.drops.CompareAndSwap(nil, new([numReasons]atomic.Uint64))
		d = l.drops.Load()
	}
	d[r].Add(1)
}

// Read returns the ledger's figures. They are in balance when no worker runs.
func (l *Ledger) Read() Balance {
	b := Balance{In: l.in.Load(), Made: l.made.Load(), Delivered: l.delivered.Load(), Sent: l.sent.Load(), Held: l.held.Load()}
	if d := l.drops.Load(); d != nil {
		for r := range numReasons {
			if v := d[r].Load(); v > 0 {
				if b.Reasons == nil {
					b.Reasons = map[string]uint64{}
				}
				b.Reasons[r.String()] = v
				b.Dropped += v
			}
		}
	}
	return b
}

// add sums another ledger's figures into l; dead Nets end in the Stack's total.
func (l *Ledger) add(o *Ledger) {
	l.in.Add(o.in.Load())
	l.made.Add(o.made.Load())
	l.delivered.Add(o.delivered.Load())
	l.sent.Add(o.sent.Load())
	l.held.Add(o.held.Load())
	if d := o.drops.Load(); d != nil {
		for r := range numReasons {
			if v := d[r].Load(); v > 0 {
				l.dropped(r)
				l.drops.Load()[r].Add(v - 1)
			}
		}
	}
}

// Ledger returns n's figures.
func (s *Stack) Ledger(n *netns.Net) Balance { return s.ledger.Of(n).Read() }

// TotalLedger returns the sum over all Nets, living and dead.
func (s *Stack) TotalLedger() Balance {
	var sum Ledger
	sum.add(&s.dead)
	for n := range s.Sys.Nets() {
		sum.add(s.ledger.Of(n))
	}
	return sum.Read()
}

// DeadLedger returns the sum over the Nets that are gone.
func (s *Stack) DeadLedger() Balance { return s.dead.Read() }
