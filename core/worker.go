package core

import (
	"sync"
	"sync/atomic"
	"time"

	"nsmodel/netns"
)

// Budget is how many packets a device gives up in one turn before the next
// device has its turn. Linux: NAPI_POLL_WEIGHT.
const Budget = 64

// A Worker moves packets: it polls the drivers that were given to it and the
// devices whose backlog was filled on it. It stands for a CPU with its
// softnet_data. Linux: struct softnet_data, include/linux/netdevice.h.
//
// Poll is called by one goroutine at a time. A Worker from [Stack.Enter] is a
// process context: it makes and sends packets for a socket call or a timer and
// is never polled itself.
type Worker struct {
	// Stack is the machine that the worker belongs to.
	Stack *Stack

	// fixed
	id     int
	reader *netns.Reader
	polled *Worker // whose backlog list this context fills; itself for a polled one

	// owned by the goroutine that runs it
	now     time.Duration
	cache   []*Packet
	out     int64
	pollers []Poller
	turn    int // which poller starts
	flush   []Flusher

	// under mu: devices with a backlog, in the order in which they got it
	mu       sync.Mutex
	ready    []*Device
	readyOff int
	pending  atomic.Bool // something is in ready
}

// A Poller brings frames in: the receiving half of a driver of a real NIC.
// Linux: the poll function of struct napi_struct.
type Poller interface {
	// Poll hands up to budget frames to Device.Receive and returns how many.
	Poll(w *Worker, budget int) int
}

// A Flusher has packets gathered for a batch, to be written when the worker's
// turn ends. Linux: xmit_more, and the doorbell that ends it.
type Flusher interface{ Flush(w *Worker) }

// NewWorker adds a worker to the machine; under rtnl.
func (s *Stack) NewWorker() *Worker {
	w := &Worker{Stack: s, id: len(s.workers), reader: s.Sys.NewReader()}
	w.polled = w
	s.workers = append(s.workers, w)
	return w
}

// Workers returns the machine's workers; under rtnl.
func (s *Stack) Workers() []*Worker { return s.workers }

// ID returns the worker's number, from 0.
func (w *Worker) ID() int { return w.id }

// CPU returns the number of the worker for which w works: its own, or of a
// process context the one whose backlog it fills. Linux: smp_processor_id.
func (w *Worker) CPU() int { return w.polled.id }

// Now returns the time of the turn that runs, since boot.
func (w *Worker) Now() time.Duration { return w.now }

// Attach gives a driver's receiving half to w; under rtnl, while w is not in
// Poll or before it is first polled.
func (w *Worker) Attach(p Poller) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pollers = append(w.pollers[:len(w.pollers):len(w.pollers)], p)
	w.wakeUp() // or it would sleep on without p's file
}

// wakeUp wakes w if it sleeps.
func (w *Worker) wakeUp() {
	if f := w.Stack.wake.Load(); f != nil {
		(*f)(w)
	}
}

// Wake wakes the worker for which w works, if it sleeps: a driver calls it when
// the file that the worker would wait for, its [Filer.FD], is another one now.
func (w *Worker) Wake() { w.polled.wakeUp() }

// Detach takes it away again; the caller then waits for a grace period before
// it closes what p reads from.
func (w *Worker) Detach(p Poller) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var rest []Poller
	for _, q := range w.pollers {
		if q != p {
			rest = append(rest, q)
		}
	}
	w.pollers = rest
	w.wakeUp()
}

// Poll does up to budget packets of work at time now: frames from drivers and
// what waits at devices. It returns how many it did; less than
// budget means that nothing is left. Linux: net_rx_action.
func (w *Worker) Poll(now time.Duration, budget int) (done int) {
	w.reader.Enter()
	w.now = now
	w.mu.Lock()
	pollers := w.pollers
	w.mu.Unlock()
	for done < budget {
		k := w.round(pollers, budget-done)
		if k == 0 {
			break
		}
		done += k
	}
	w.flushAll()
	w.settle()
	w.reader.Exit()
	return done
}

// round lets every driver and every waiting device have its share of budget.
// While both have work neither can starve the other: the drivers get half, and
// the odd packet by turns.
func (w *Worker) round(pollers []Poller, budget int) (done int) {
	share := budget
	if len(pollers) > 0 && w.pending.Load() {
		share = (budget + w.turn&1) / 2
	}
	for i := range pollers {
		if left := share - done; left > 0 {
			done += pollers[(w.turn+i)%len(pollers)].Poll(w, left)
		}
	}
	w.turn++
	for done < budget && w.pending.Load() {
		d := w.nextReady()
		if d == nil {
			break
		}
		done += d.drain(w, min(Budget, budget-done))
	}
	return done
}

// A Filer is a Poller with a file that becomes readable when it has frames.
type Filer interface{ FD() int }

// Files appends the files of w's pollers, for a loop that sleeps until one of
// them is readable.
func (w *Worker) Files(fds []int) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.pollers {
		if f, ok := p.(Filer); ok {
			fds = append(fds, f.FD())
		}
	}
	return fds
}

// Pending reports whether a device waits for its turn on w.
func (w *Worker) Pending() bool { return w.pending.Load() }

func (w *Worker) flushAll() {
	for i := 0; i < len(w.flush); i++ {
		f := w.flush[i]
		w.flush[i] = nil
		f.Flush(w)
	}
	w.flush = w.flush[:0]
}

// Defer asks for f.Flush at the end of this turn. The caller asks once a turn.
func (w *Worker) Defer(f Flusher) { w.flush = append(w.flush, f) }

// schedule puts d on the list of the worker that will drain it.
func (w *Worker) schedule(d *Device) {
	t := w.polled
	t.mu.Lock()
	t.ready = append(t.ready, d)
	t.pending.Store(true)
	t.mu.Unlock()
	if f := w.Stack.wake.Load(); f != nil && t != w {
		(*f)(t)
	}
}

func (w *Worker) nextReady() *Device {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readyOff == len(w.ready) {
		return nil
	}
	d := w.ready[w.readyOff]
	w.ready[w.readyOff] = nil
	w.readyOff++
	if w.readyOff == len(w.ready) {
		w.ready, w.readyOff = w.ready[:0], 0
		w.pending.Store(false)
	} else if w.readyOff >= 1024 {
		rest := copy(w.ready, w.ready[w.readyOff:])
		clear(w.ready[rest:]) // or it would keep devices that are gone
		w.ready, w.readyOff = w.ready[:rest], 0
	}
	return d
}

// Enter begins a process context: a socket call or a timer that makes and sends
// packets. It ends with Leave. In between nothing that a reader can reach goes
// away; so the caller must not wait for anything, nor take the RTNL.
// Linux: a system call between rcu_read_lock and unlock.
func (s *Stack) Enter() *Worker {
	s.spareMu.Lock()
	var w *Worker
	if k := len(s.spare); k > 0 {
		w, s.spare = s.spare[k-1], s.spare[:k-1]
	}
	s.spareMu.Unlock()
	if w == nil {
		w = &Worker{Stack: s, id: -1, reader: s.Sys.NewReader()}
	}
	w.polled = s.seat()
	w.now = s.Sys.Now()
	w.reader.Enter()
	return w
}

// seat picks the worker on which a process context fills backlogs.
func (s *Stack) seat() *Worker {
	switch len(s.workers) {
	case 0:
		panic("core: Enter on a machine without workers")
	case 1:
		return s.workers[0]
	}
	return s.workers[int(s.seats.Add(1))%len(s.workers)]
}

// Leave ends a process context.
func (w *Worker) Leave() {
	w.flushAll()
	w.settle()
	w.reader.Exit()
	s := w.Stack
	s.spareMu.Lock()
	s.spare = append(s.spare, w)
	s.spareMu.Unlock()
}
