package netns

import (
	"fmt"
	"iter"
	"strings"
	"sync"
	"syscall"
)

// directory finds the living Nets and queues the dying ones. Its lock is a leaf
// and held for a few instructions, so that Put may be called anywhere.
type directory struct {
	mu     sync.Mutex
	byName map[string]*Net
	byID   map[ID]*Net

	// two lists through Net.prev and Net.next: a Net is on at most one
	head, tail           *Net // living, in the order of creation
	dyingHead, dyingTail *Net // in the order of death; next only
	living, dying        int
}

// ByName returns the living Net of that name and takes an alive reference, which
// the caller Puts. It never returns a dying Net. Errors: ENOENT.
//
// Linux: get_net_ns_by_fd on a file below /run/netns.
func (s *System) ByName(name string) (*Net, error) {
	s.dir.mu.Lock()
	defer s.dir.mu.Unlock()
	if n := s.dir.byName[name]; n != nil && n.Hold() {
		return n, nil
	}
	return nil, fmt.Errorf("netns: %q: %w", name, syscall.ENOENT)
}

// ByID returns the living Net with that ID and takes an alive reference, which
// the caller Puts. It never returns a dying Net. Errors: ENOENT.
//
// Linux: get_net_ns_by_id.
func (s *System) ByID(id ID) (*Net, error) {
	s.dir.mu.Lock()
	defer s.dir.mu.Unlock()
	if n := s.dir.byID[id]; n != nil && n.Hold() {
		return n, nil
	}
	return nil, fmt.Errorf("netns: no such id: %w", syscall.ENOENT)
}

// Nets yields the living Nets in the order of creation, the initial one first.
// It is a snapshot and takes no references: a Net that is yielded may have begun
// to die since. Linux: for_each_net_rcu.
func (s *System) Nets() iter.Seq[*Net] {
	return func(yield func(*Net) bool) {
		for _, n := range s.dir.snapshot() {
			if !yield(n) {
				return
			}
		}
	}
}

func (d *directory) snapshot() []*Net {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*Net, 0, d.living)
	for n := d.head; n != nil; n = n.next {
		if n.Alive() {
			list = append(list, n)
		}
	}
	return list
}

// taken reports whether name leads to a Net.
func (d *directory) taken(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byName[name] != nil
}

// publish makes n findable.
func (d *directory) publish(n *Net) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byID == nil {
		d.byID, d.byName = make(map[ID]*Net), make(map[string]*Net)
	}
	d.byID[n.id] = n
	if n.name != "" {
		d.byName[n.name] = n
		n.named.Store(true)
	}
	n.prev = d.tail
	if d.tail == nil {
		d.head = n
	} else {
		d.tail.next = n
	}
	d.tail = n
	d.living++
}

// unname takes name away from its Net and returns that Net, or nil.
func (d *directory) unname(name string) *Net {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.byName[name]
	if n != nil {
		delete(d.byName, name)
		n.named.Store(false)
	}
	return n
}

// bury moves n, whose alive count just fell to 0, from the living to the dying.
func (d *directory) bury(n *Net) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byID, n.id)
	if n.named.Load() { // its holder gave the name's own reference back
		delete(d.byName, n.name)
		n.named.Store(false)
	}
	if n.prev == nil {
		d.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		d.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.prev, n.next = nil, nil
	d.living--

	if d.dyingTail == nil {
		d.dyingHead = n
	} else {
		d.dyingTail.next = n
	}
	d.dyingTail = n
	d.dying++
}

// exhume appends all dying Nets to batch and forgets them.
func (d *directory) exhume(batch []*Net) []*Net {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := d.dyingHead; n != nil; {
		batch = append(batch, n)
		n, n.next = n.next, nil
	}
	d.dyingHead, d.dyingTail, d.dying = nil, nil, 0
	return batch
}

// maxName is the longest file name Linux allows, as names are files below
// /run/netns. Linux: NAME_MAX.
const maxName = 255

// checkName refuses what cannot be a file name, as ip netns add does.
func checkName(name string) error {
	if name == "." || name == ".." || len(name) > maxName || strings.ContainsAny(name, "/\x00") {
		return syscall.EINVAL
	}
	return nil
}
