package netns

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// A Timer calls a function once, at a given time since boot. It belongs to a Net
// and ends with it. The zero Timer must be given an owner by Init.
//
// Linux: struct timer_list.
type Timer struct {
	// fixed by Init
	net *Net
	f   func(now time.Duration)

	// under System.timers.mu
	place      int // in the heap, counted from 1; 0: not pending
	prev, next *Timer
}

// timers is the System's clock and every pending Timer: one heap for all Nets, so
// that there is one order of events.
type timers struct {
	now atomic.Int64 // last time told
	due atomic.Int64 // the first deadline, so that an idle Expire takes no lock

	clock   atomic.Pointer[func() time.Duration] // nil: time is what Expire was told
	earlier atomic.Pointer[func()]               // wakes who sleeps until due

	turn   sync.Mutex // one callback at a time, in order
	reader *Reader    // under turn

	mu     sync.Mutex
	heap   []deadline
	number uint64
}

// A deadline is an element of the heap; what is compared is kept in it.
type deadline struct {
	at     time.Duration
	number uint64
	timer  *Timer
}

// never is due when no timer is pending.
const never = math.MaxInt64

func (ts *timers) init(s *System) {
	ts.due.Store(never)
	ts.reader = s.NewReader()
}

// Init makes t, which is not pending, a timer of n that calls f. The call is made
// by [System.Expire], inside a Reader and under none of this package's locks: f may
// use any Timer, but not take rtnl, Synchronize or Expire.
//
// Linux: timer_setup.
func (t *Timer) Init(n *Net, f func(now time.Duration)) { t.net, t.f = n, f }

// Reset makes t fire at the given time since boot, whatever it was set to before;
// a time that has passed is due at the next Expire. On a Net that is dying it does
// nothing. Linux: mod_timer.
func (t *Timer) Reset(at time.Duration) {
	ts := &t.net.sys.timers
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.net.stopped || !t.net.Alive() {
		return
	}
	ts.number++
	d := deadline{at, ts.number, t}
	if t.place == 0 {
		ts.heap = append(ts.heap, d)
		t.place = len(ts.heap)
		t.link()
	}
	ts.fix(t.place, d)
	ts.note()
}

// Stop makes t not fire and reports whether it was pending. A call that is under
// way goes on. Linux: timer_delete.
func (t *Timer) Stop() bool {
	ts := &t.net.sys.timers
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.place == 0 {
		return false
	}
	ts.remove(t)
	ts.note()
	return true
}

// Pending reports whether t will fire. Linux: timer_pending.
func (t *Timer) Pending() bool {
	ts := &t.net.sys.timers
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return t.place != 0
}

// NextTimer returns when the first pending timer is due, which may have passed;
// not ok if there is none.
func (s *System) NextTimer() (at time.Duration, ok bool) {
	due := s.timers.due.Load()
	return time.Duration(due), due != never
}

// Expire tells the time since boot, which never runs backwards, and fires the
// timers that are due, in the order (time, number of the Reset), at most budget of
// them; all if budget is negative. It returns how many it fired. A timer that is
// Reset from a callback to a time that has passed fires in the same Expire. Callers
// take turns.
//
// Linux: run_timer_softirq.
func (s *System) Expire(now time.Duration, budget int) int {
	ts := &s.timers
	for {
		told := ts.now.Load()
		if int64(now) <= told || ts.now.CompareAndSwap(told, int64(now)) {
			now = max(now, time.Duration(told))
			break
		}
	}
	if ts.due.Load() > int64(now) {
		return 0
	}
	ts.turn.Lock()
	defer ts.turn.Unlock()
	fired := 0
	for fired != budget && ts.fire(now) {
		fired++
	}
	return fired
}

// fire calls the first timer if it is due. The section begins before the timer is
// taken from the heap: otherwise its Net could exit between the two.
func (ts *timers) fire(now time.Duration) bool {
	ts.reader.Enter()
	defer ts.reader.Exit()
	t := ts.take(now)
	if t == nil {
		return false
	}
	t.f(now)
	return true
}

// take removes and returns the first timer if it is due, or nil.
func (ts *timers) take(now time.Duration) *Timer {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.heap) == 0 || ts.heap[0].at > now {
		return nil
	}
	t := ts.heap[0].timer
	ts.remove(t)
	ts.note()
	return t
}

// stopAll stops every timer of the batch, and all that would still be Reset.
func (ts *timers) stopAll(batch []*Net) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, n := range batch {
		n.stopped = true
		for n.timers != nil {
			ts.remove(n.timers)
		}
	}
	ts.note()
}

// What follows needs mu.

// note publishes the first deadline.
func (ts *timers) note() {
	due := int64(never)
	if len(ts.heap) > 0 {
		due = int64(ts.heap[0].at)
	}
	if before := ts.due.Swap(due); due < before {
		if f := ts.earlier.Load(); f != nil {
			(*f)()
		}
	}
}

// link puts t on its Net's list; the list's order means nothing.
func (t *Timer) link() {
	t.next = t.net.timers
	if t.next != nil {
		t.next.prev = t
	}
	t.net.timers = t
}

// remove takes t out of the heap and off its Net's list.
func (ts *timers) remove(t *Timer) {
	end := len(ts.heap)
	last, hole := ts.heap[end-1], t.place
	ts.heap[end-1] = deadline{}
	ts.heap = ts.heap[:end-1]
	if last.timer != t {
		ts.fix(hole, last)
	}
	t.place = 0

	if t.prev == nil {
		t.net.timers = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
}

// before is the one order in which timers fire.
func (d deadline) before(e deadline) bool {
	return d.at < e.at || d.at == e.at && d.number < e.number
}

// fix puts d where it belongs, starting from the place i (from 1), whose own
// deadline is void.
func (ts *timers) fix(i int, d deadline) {
	for i > 1 && d.before(ts.heap[i/2-1]) {
		ts.set(i, ts.heap[i/2-1])
		i /= 2
	}
	for {
		child := 2 * i
		if child > len(ts.heap) {
			break
		}
		if child < len(ts.heap) && ts.heap[child].before(ts.heap[child-1]) {
			child++
		}
		if !ts.heap[child-1].before(d) {
			break
		}
		ts.set(i, ts.heap[child-1])
		i = child
	}
	ts.set(i, d)
}

func (ts *timers) set(i int, d deadline) {
	ts.heap[i-1] = d
	d.timer.place = i
}
