// Package live runs a machine by the wall clock: one goroutine for each worker
// and one for what needs the configuration lock now and then. Everything below
// is a state machine that is told the time; this package is who tells it.
//
//tagvet:outdoors it drives a machine by the wall clock
package live

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/core/link"
)

// A Runner keeps a machine running until it is stopped.
type Runner struct {
	m     *nsmodel.Machine
	start time.Time
	base  time.Duration // the machine's time when the Runner started
	stop  atomic.Bool
	done  sync.WaitGroup
	cpus  []*cpu
	ctl   chan struct{}
}

// A cpu is a worker with the means to sleep and be woken.
type cpu struct {
	w      *core.Worker
	asleep atomic.Bool
	files  []int
	fds    []unix.PollFd

	mu     sync.Mutex // held around a ring, which costs a system call anyway
	bell   int        // eventfd
	closed bool       // the bell's number may be another file's by now
}

// tick is how often the control goroutine looks after NICs and dead Nets.
const tick = 50 * time.Millisecond

// Start runs m. Each worker gets a goroutine. Stop ends it.
func Start(m *nsmodel.Machine) (*Runner, error) {
	if !m.Drive(true) {
		return nil, errors.New("live: the machine is driven already")
	}
	r := &Runner{m: m, start: time.Now(), base: m.Sys.Now(), ctl: make(chan struct{})}
	for _, w := range m.Core.Workers() {
		fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		if err != nil {
			for _, c := range r.cpus {
				unix.Close(c.bell)
			}
			m.Drive(false)
			return nil, fmt.Errorf("live: eventfd: %w", err)
		}
		r.cpus = append(r.cpus, &cpu{w: w, bell: fd})
	}
	m.Core.SetWake(func(w *core.Worker) { r.cpus[w.ID()].ring() })
	m.Sys.SetTimerWake(func() { r.cpus[0].ring() })
	m.Sys.SetClock(r.Now)
	m.Core.SetEpoch(r.start.Add(-r.base))
	for i, c := range r.cpus {
		r.done.Add(1)
		go r.run(c, i == 0)
	}
	r.done.Add(1)
	go r.maintain()
	return r, nil
}

// Now returns the machine's time, since its boot.
func (r *Runner) Now() time.Duration { return r.base + time.Since(r.start) }

// Stop ends the goroutines and waits for them. The machine stays as it is.
func (r *Runner) Stop() {
	if r.stop.Swap(true) {
		return
	}
	close(r.ctl)
	for _, c := range r.cpus {
		c.ringAlways()
	}
	r.done.Wait()
	r.m.Core.SetWake(nil)
	r.m.Sys.SetTimerWake(nil)
	r.m.Sys.Expire(r.Now(), 0) // its time goes on from here
	r.m.Sys.SetClock(nil)
	r.m.Drive(false)
	for _, c := range r.cpus {
		c.close()
	}
}

// close takes the bell away. Who has loaded the function that rings it just
// before the Stop rings in vain.
func (c *cpu) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	unix.Close(c.bell)
}

// ring wakes the worker if it sleeps.
func (c *cpu) ring() {
	if c.asleep.Load() && c.asleep.CompareAndSwap(true, false) {
		c.ringAlways()
	}
}

func (c *cpu) ringAlways() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	one := [8]byte{0: 1}
	unix.Write(c.bell, one[:]) // a full counter is a bell that rings already
}

func (r *Runner) run(c *cpu, timers bool) {
	defer r.done.Done()
	for !r.stop.Load() {
		now := r.Now()
		if timers {
			r.m.Sys.Expire(now, core.Budget)
		}
		if c.w.Poll(now, core.Budget) > 0 {
			continue
		}
		r.sleep(c, timers)
	}
}

// sleep waits for a frame, a bell or the next timer.
func (r *Runner) sleep(c *cpu, timers bool) {
	c.asleep.Store(true)
	defer c.asleep.Store(false)
	if c.w.Pending() || r.stop.Load() {
		return
	}
	timeout := time.Second
	if timers {
		if at, ok := r.m.Sys.NextTimer(); ok {
			timeout = min(timeout, at-r.Now())
		}
	}
	if timeout <= 0 {
		return
	}
	c.refresh()
	ts := unix.NsecToTimespec(timeout.Nanoseconds())
	_, err := unix.Ppoll(c.fds, &ts, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		time.Sleep(time.Millisecond) // a closed file: the next refresh forgets it
	}
	if c.fds[0].Revents != 0 {
		var b [8]byte
		unix.Read(c.bell, b[:])
	}
}

// refresh takes up the files that the worker's drivers have now.
func (c *cpu) refresh() {
	c.files = c.w.Files(c.files[:0])
	c.fds = append(c.fds[:0], unix.PollFd{Fd: int32(c.bell), Events: unix.POLLIN})
	for _, fd := range c.files {
		c.fds = append(c.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
}

// maintain does what needs the configuration lock: NICs that went away or came
// back, and namespaces whose last holder has let go.
func (r *Runner) maintain() {
	defer r.done.Done()
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-r.ctl:
			return
		case <-t.C:
		}
		r.m.Sys.Lock()
		link.Maintain(r.m.Core)
		r.m.Sys.Reap()
		r.m.Sys.Unlock()
	}
}
