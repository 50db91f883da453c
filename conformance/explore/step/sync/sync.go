// Package sync stands in for the standard library's: taking a lock, waiting and
// waking are steps.
package sync

import (
	"slices"

	"nsmodel/conformance/explore/step"
)

// A Locker stands in for sync.Locker.
type Locker interface {
	Lock()
	Unlock()
}

// A Mutex stands in for sync.Mutex.
type Mutex struct {
	id   step.ID
	held bool
}

// Lock takes the mutex when it is free.
func (m *Mutex) Lock() {
	if !step.Running() && m.held {
		panic("step/sync: a mutex that its only user holds already")
	}
	step.When(&m.id, step.Lock, m.free)
	m.held = true
}

func (m *Mutex) free() bool { return !m.held }

// TryLock takes the mutex if it is free, and reports whether.
func (m *Mutex) TryLock() bool {
	step.Do(&m.id, step.Write)
	if m.held {
		return false
	}
	m.held = true
	return true
}

// Unlock gives the mutex back.
func (m *Mutex) Unlock() {
	if !m.held && step.Running() {
		panic("step/sync: unlock of an unlocked mutex")
	}
	m.held = false
	step.Mark(&m.id, step.Unlock)
}

// A Cond stands in for sync.Cond.
type Cond struct {
	L Locker

	id      step.ID
	waiters []*waiter // in the order of arrival, as Go's runtime keeps them
}

type waiter struct {
	task  int
	woken bool
}

// NewCond returns a Cond on l.
func NewCond(l Locker) *Cond { return &Cond{L: l} }

// Wait gives the lock back, sleeps until woken, and takes the lock again.
func (c *Cond) Wait() {
	if !step.Running() {
		panic("step/sync: Wait, and nobody else runs")
	}
	step.Do(&c.id, step.Wait)
	w := &waiter{task: step.Current()}
	c.waiters = append(c.waiters, w)
	c.L.Unlock()
	if m, ok := c.L.(*Mutex); ok {
		step.When(&m.id, step.Lock, func() bool { return w.woken && !m.held })
		m.held = true
		return
	}
	step.When(nil, step.Begin, func() bool { return w.woken })
	c.L.Lock()
}

// Signal wakes who has waited longest.
func (c *Cond) Signal() {
	step.Do(&c.id, step.Signal)
	if len(c.waiters) > 0 {
		c.wake(c.waiters[0])
		c.waiters = slices.Delete(c.waiters, 0, 1)
	}
}

// Broadcast wakes all.
func (c *Cond) Broadcast() {
	step.Do(&c.id, step.Signal)
	for _, w := range c.waiters {
		c.wake(w)
	}
	c.waiters = nil
}

func (c *Cond) wake(w *waiter) {
	w.woken = true
	if step.Running() {
		step.Woken(w.task)
	}
}

// An RWMutex stands in for sync.RWMutex, with less concurrency than it has: readers
// exclude each other, too.
type RWMutex struct{ Mutex }

// RLock is Lock.
func (m *RWMutex) RLock() { m.Lock() }

// RUnlock is Unlock.
func (m *RWMutex) RUnlock() { m.Unlock() }

// A Once stands in for sync.Once.
type Once struct {
	m    Mutex
	done bool
}

// Do calls f the first time.
func (o *Once) Do(f func()) {
	o.m.Lock()
	defer o.m.Unlock()
	if !o.done {
		o.done = true
		f()
	}
}

// A WaitGroup stands in for sync.WaitGroup, without Go.
type WaitGroup struct {
	id step.ID
	n  int
}

// Add adds to the count.
func (g *WaitGroup) Add(d int) {
	step.Do(&g.id, step.Write)
	g.n += d
}

// AddBlind is Add.
func (g *WaitGroup) AddBlind(d int) { g.Add(d) }

// Done takes one off the count.
func (g *WaitGroup) Done() { g.Add(-1) }

// Wait waits until the count is 0.
func (g *WaitGroup) Wait() { step.When(&g.id, step.Write, func() bool { return g.n == 0 }) }
