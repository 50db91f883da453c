package netns

import (
	"fmt"
	"syscall"
)

// NewNet makes a Net and lets every subsystem enter it, in the order of
// registration. rtnl. The alive reference it returns is the name's, which
// [System.Delete] drops; or the caller's to Put, if name is "": the Net is
// anonymous, as after unshare. Errors: EINVAL for what is no file name of at most
// 255 bytes, EEXIST if a living Net has the name, EAGAIN before Boot, or the error
// of the subsystem that would not enter: then those before it have left again, in
// reverse order, and no trace remains.
//
// Linux: copy_net_ns and setup_net.
func (s *System) NewNet(name string) (*Net, error) {
	n, err := s.newNet(name)
	if err != nil {
		return nil, fmt.Errorf("netns: add %q: %w", name, err)
	}
	return n, nil
}

func (s *System) newNet(name string) (*Net, error) {
	if s.first.Load() == nil {
		return nil, syscall.EAGAIN
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	if name != "" && s.dir.taken(name) {
		return nil, syscall.EEXIST
	}
	return s.setup(name, false)
}

// setup makes a Net, lets the subsystems in, and publishes it.
func (s *System) setup(name string, init bool) (*Net, error) {
	s.last++
	n := &Net{id: s.last, salt: s.salt(s.last), sys: s, name: name, init: init, fresh: true}
	n.bare()
	n.alive.Store(1)
	n.memory.Store(1)
	s.structs.Add(1)
	if init {
		s.first.Store(n) // an Enter may ask for it
	}
	for i := range s.subs {
		if err := s.subs[i].letIn(n); err != nil {
			if init {
				s.first.Store(nil)
			}
			n.alive.Store(0)
			s.exit([]*Net{n}, i)
			return nil, fmt.Errorf("%s: %w", s.subs[i].name, err)
		}
	}
	n.fresh = false
	s.dir.publish(n)
	return n, nil
}

// Delete takes the name away and drops its reference. rtnl. If nobody else holds
// the Net it is dying, and the name is free at once. Errors: ENOENT.
//
// Linux: ip netns delete, which unmounts the file below /run/netns.
func (s *System) Delete(name string) error {
	n := s.dir.unname(name)
	if n == nil {
		return fmt.Errorf("netns: delete %q: %w", name, syscall.ENOENT)
	}
	n.Put()
	return nil
}

// Reap takes down every dying Net, as one batch with one grace period, and returns
// how many there were. rtnl; the caller is inside no [Reader], or Reap never
// returns. A Net that begins to die meanwhile waits for the next Reap.
//
// Linux: cleanup_net.
func (s *System) Reap() int {
	batch := s.dir.exhume(s.batch[:0])
	if len(batch) == 0 {
		return 0
	}
	s.exit(batch, len(s.subs))
	clear(batch) // or the scratch would keep their memory
	s.batch = batch[:0]
	return len(batch)
}

// exit takes batch out of the first entered subsystems. Tables are swept even
// beyond those: a subsystem may have filed entries in a later one's table.
//
// Linux: ops_undo_list.
func (s *System) exit(batch []*Net, entered int) {
	for i := entered - 1; i >= 0; i-- {
		if f := s.subs[i].preExit; f != nil {
			for _, n := range batch {
				f(n)
			}
		}
	}
	s.timers.stopAll(batch)
	s.Synchronize()
	for _, n := range batch {
		n.exited.Store(true) // from here on tables refuse entries: see hash.sweep
	}
	for i := len(s.subs) - 1; i >= 0; i-- {
		if f := s.subs[i].exit; f != nil && (i < entered || s.subs[i].table) {
			for _, n := range batch {
				f(n)
			}
		}
	}
	for _, n := range batch {
		n.PutMemory()
	}
}
