package netns

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// A Reader is somebody who looks things up without locks: a worker, or a call
// from a socket. Between Enter and Exit nothing that it can find is taken apart.
// A Reader belongs to one goroutine at a time and is not reentrant.
//
// Linux: rcu_read_lock and rcu_read_unlock.
type Reader struct {
	count atomic.Uint64 // odd: inside
	_     [120]byte     // no two Readers share a cache line, nor its neighbour
	all   *readers
}

// readers are all Readers of a System.
type readers struct {
	mu   sync.Mutex // orders the writers of list
	list atomic.Pointer[[]*Reader]

	periods atomic.Uint64 // grace periods so far
}

// NewReader returns a Reader that [System.Synchronize] waits for, until Close.
func (s *System) NewReader() *Reader {
	r := &Reader{all: &s.readers}
	r.all.edit(func(list []*Reader) []*Reader { return append(list, r) })
	return r
}

// Enter begins a section in which r looks things up.
func (r *Reader) Enter() { r.count.Add(1) }

// Exit ends the section: r keeps no pointer that it found in it.
func (r *Reader) Exit() { r.count.Add(1) }

// Close makes Synchronize forget r, which is not inside and never enters again.
func (r *Reader) Close() {
	r.all.edit(func(list []*Reader) []*Reader {
		return slices.DeleteFunc(list, func(other *Reader) bool { return other == r })
	})
}

// edit publishes an edited copy of the list.
func (a *readers) edit(f func([]*Reader) []*Reader) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := f(slices.Clone(a.load()))
	a.list.Store(&list)
}

func (a *readers) load() []*Reader {
	if list := a.list.Load(); list != nil {
		return *list
	}
	return nil
}

// Synchronize waits for one grace period: every Reader that was inside when it was
// called has left since. The caller is inside none, and holds no lock that one of
// them may wait for.
//
// Linux: synchronize_net.
func (s *System) Synchronize() {
	for _, r := range s.readers.load() {
		seen := r.count.Load()
		if seen%2 == 0 {
			continue
		}
		// Sections last microseconds; there is no clock to sleep on here.
		for r.count.Load() == seen {
			runtime.Gosched()
		}
	}
	s.readers.periods.Add(1)
}
