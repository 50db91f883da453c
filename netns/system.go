package netns

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Config is what a System is made with. The zero value is Linux's behaviour with
// tables that grow.
type Config struct {
	// Seed is what all randomness grows from: same seed, same bytes.
	Seed uint64

	// Walk makes the exit of a Net sweep Tagged tables by walking every bucket,
	// as Linux does, at a cost of O(table). Otherwise the sweep costs O(own
	// entries). Nothing but time differs.
	Walk bool

	// Collide makes every table hash return one value and leaves the tag out of
	// the choice of bucket, so that all entries hang in one chain. For tests.
	Collide bool

	// Unmixed leaves the tag out of the choice of bucket: equal keys of all Nets
	// hang in one chain of a shared table, where the tag's comparison still tells
	// them apart. Linux did so until net_hash_mix came to a table, some as late as
	// 2022; nothing but time differs.
	Unmixed bool

	// Buckets, if positive, is the number of buckets of every table, rounded up
	// to a power of two; such a table never grows, as most of Linux's do not.
	// If 0, tables start small and grow.
	Buckets int
}

// A System is one machine: its subsystems, its Nets, its clock.
//
// Linux: the globals of net/core/net_namespace.c.
type System struct {
	config Config // fixed

	rtnl sync.Mutex

	// under rtnl; subs and template are fixed once sealed
	subs     []subsystem
	slots    int               // of template in use
	template [numShelves]shelf // what a new Net starts with: shared homes and empty ones
	sealed   bool
	last     ID
	batch    []*Net // Reap's scratch

	first   atomic.Pointer[Net]
	structs atomic.Int64 // Nets whose memory count is not 0 yet
	dir     directory
	readers readers
	timers  timers
}

// New returns a System without any Net: first the subsystems register, then
// [System.Boot] makes the initial Net.
func New(c Config) *System {
	s := &System{config: c}
	s.timers.init(s)
	return s
}

// Lock takes the System's configuration lock. Linux: rtnl_lock.
func (s *System) Lock() { s.rtnl.Lock() }

// Unlock releases the configuration lock. Linux: rtnl_unlock.
func (s *System) Unlock() { s.rtnl.Unlock() }

// Boot ends registration and makes the initial Net. It takes rtnl itself. Errors:
// EALREADY if the System runs, or the error of the subsystem that would not enter;
// the subsystems before it have left again, and Boot may be tried once more.
//
// Linux: net_ns_init.
func (s *System) Boot() error {
	s.Lock()
	defer s.Unlock()
	if s.first.Load() != nil {
		return fmt.Errorf("netns: boot: %w", syscall.EALREADY)
	}
	s.sealed = true
	if _, err := s.setup("", true); err != nil {
		return fmt.Errorf("netns: boot: %w", err)
	}
	return nil
}

// Init returns the initial Net, or nil before Boot. Linux: init_net.
func (s *System) Init() *Net { return s.first.Load() }

// Config returns what s was made with.
func (s *System) Config() Config { return s.config }

// A Subsystem is one registration, as reports and judges list it.
type Subsystem struct {
	Name  string
	Place Placement // Tagged or Replicated
	// Entries is how many entries the shared home of a tagged table holds, of all
	// Nets; of anything else 0, for an own home goes with its Net.
	Entries int
}

// Subsystems lists what has registered, in that order.
func (s *System) Subsystems() []Subsystem {
	list := make([]Subsystem, len(s.subs))
	for i := range s.subs {
		list[i] = Subsystem{Name: s.subs[i].name, Place: s.subs[i].place}
		if f := s.subs[i].entries; f != nil {
			list[i].Entries = f()
		}
	}
	return list
}

// A Census counts Nets by how far they are from birth and death.
type Census struct {
	Living int // can be found, or held by name; the initial Net included
	Dying  int // alive count 0, waiting for Reap
	Memory int // memory count not 0: living, dying, and dead but still looked at
}

// Census counts the Nets of s.
func (s *System) Census() Census {
	s.dir.mu.Lock()
	defer s.dir.mu.Unlock()
	return Census{Living: s.dir.living, Dying: s.dir.dying, Memory: int(s.structs.Load())}
}

// Now returns the time since boot: what [System.Expire] was told last, or what
// the clock says if the machine has one. Linux: ktime_get.
func (s *System) Now() time.Duration {
	if f := s.timers.clock.Load(); f != nil {
		return (*f)()
	}
	return time.Duration(s.timers.now.Load())
}

// SetClock gives the machine a clock that runs on its own, for whoever drives it
// by the wall clock; nil takes it away again. f must not run backwards, nor
// behind what Expire was told.
func (s *System) SetClock(f func() time.Duration) {
	if f == nil {
		s.timers.clock.Store(nil)
		return
	}
	s.timers.clock.Store(&f)
}

// SetTimerWake gives the function that is called when the first deadline moves
// to an earlier time, so that whoever sleeps until [System.NextTimer] can wake;
// nil for none. It is called under locks and must not use Timers.
func (s *System) SetTimerWake(f func()) {
	if f == nil {
		s.timers.earlier.Store(nil)
		return
	}
	s.timers.earlier.Store(&f)
}
