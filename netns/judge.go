package netns

import (
	"slices"
	"time"
)

// What follows is for those who judge a System: nothing of it is called while a
// machine works, and nothing of it costs the machine anything.

// EntriesOf returns how many of the entries of subsystem i's shared home are
// n's, by the account that is kept of n: 0 for what is no tagged table.
func (s *System) EntriesOf(i int, n *Net) int {
	if f := s.subs[i].entriesOf; f != nil {
		return f(n)
	}
	return 0
}

// Deadlines returns when n's pending timers are due, since boot, in order; those
// of all Nets, living or not, if n is nil.
func (s *System) Deadlines(n *Net) []time.Duration {
	s.timers.mu.Lock()
	defer s.timers.mu.Unlock()
	var all []time.Duration
	if n == nil {
		for _, d := range s.timers.heap {
			all = append(all, d.at)
		}
		slices.Sort(all)
		return all
	}
	for t := n.timers; t != nil; t = t.next {
		all = append(all, s.timers.heap[t.place-1].at)
	}
	slices.Sort(all)
	return all
}

// WrapEnter puts wrap around the Enter of subsystem i in the order of
// [System.Subsystems], so that a judge can let it fail at any place. wrap gets
// what was there, nil for a subsystem without Enter. rtnl, or before Boot.
func (s *System) WrapEnter(i int, wrap func(enter func(*Net) error) func(*Net) error) {
	s.subs[i].enter = wrap(s.subs[i].enter)
}

// SwapExits lets the subsystems i and j leave a dying Net in each other's place:
// both in pre-exit and in exit. rtnl, or before Boot.
func (s *System) SwapExits(i, j int) {
	a, b := &s.subs[i], &s.subs[j]
	a.preExit, b.preExit = b.preExit, a.preExit
	a.exit, b.exit = b.exit, a.exit
	a.table, b.table = b.table, a.table
}
