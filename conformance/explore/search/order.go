package search

import (
	"math/bits"

	"nsmodel/conformance/explore/step"
)

// file looks at the events since the last choice: what must come before what, and
// what might have come the other way round.
func (s *search) file(r *step.Run) {
	for ; s.filed < len(r.Events); s.filed++ {
		e := &r.Events[s.filed]
		turn := int32(e.Turn) + 1
		t := e.Task
		if e.After >= 0 {
			s.clocks[t].join(&s.events[e.After])
		}
		if e.Op.Kind == step.Unlock {
			s.object(e.Op.Obj).unlock = s.clocks[t]
			s.events = append(s.events, s.clocks[t])
			continue
		}
		s.races(t, e.Op, turn)
		s.clocks[t][t] = turn
		s.order(t, e.Op, turn)
		s.events = append(s.events, s.clocks[t])
		s.path[turn-1].clock = s.clocks[t]
	}
}

func (s *search) object(i int32) *object {
	for int(i) >= len(s.objects) {
		s.objects = append(s.objects, object{})
	}
	return &s.objects[i]
}

// order files the step and joins the clocks of those that it comes after.
func (s *search) order(t int, op step.Op, turn int32) {
	if op.Obj < 0 {
		return
	}
	o, c := s.object(op.Obj), &s.clocks[t]
	at := access{turn: turn, task: int8(t)}
	switch op.Kind {
	case step.Lock:
		c.join(&o.unlock)
		at.clock = *c
		o.lock = at
	case step.Read:
		c.join(&o.write.clock)
		joinAll(c, &o.blinds)
		at.clock = *c
		o.reads[t] = at
	case step.Blind:
		c.join(&o.write.clock)
		joinAll(c, &o.reads)
		at.clock = *c
		o.blinds[t] = at
	default:
		c.join(&o.write.clock)
		joinAll(c, &o.reads)
		joinAll(c, &o.blinds)
		at.clock = *c
		o.write = at
		o.reads, o.blinds = [maxTasks]access{}, [maxTasks]access{}
	}
}

func joinAll(c *clock, list *[maxTasks]access) {
	for i := range list {
		c.join(&list[i].clock)
	}
}

// races goes back wherever a step that task t takes, or wants to take, might have
// come before one that was taken.
func (s *search) races(t int, op step.Op, turn int32) {
	if op.Obj < 0 {
		return
	}
	o := s.object(op.Obj)
	s.after = s.clocks[t]
	if op.Kind != step.Lock {
		s.after.join(&o.write.clock)
		if op.Kind != step.Read {
			joinAll(&s.after, &o.reads)
		}
		if op.Kind != step.Blind {
			joinAll(&s.after, &o.blinds)
		}
	}
	s.race(&o.lock, t, turn)
	met := false
	if op.Kind != step.Read {
		met = s.raceAll(&o.reads, t, turn)
	}
	if op.Kind != step.Blind {
		met = s.raceAll(&o.blinds, t, turn) || met
	}
	if !met { // else the write came before what was met
		s.race(&o.write, t, turn)
	}
}

func (s *search) raceAll(list *[maxTasks]access, t int, turn int32) (met bool) {
	for i := range list {
		if i != t && list[i].turn > 0 {
			s.race(&list[i], t, turn)
			met = true
		}
	}
	return met
}

// race lets t go first where a was taken, unless a had to come before.
func (s *search) race(a *access, t int, turn int32) {
	if a.turn == 0 || int(a.task) == t || s.clocks[t][a.task] >= a.turn {
		return
	}
	i := int(a.turn) - 1
	if s.Bound >= 0 {
		s.mark(i, t)
		s.mark(s.path[i].block, t)
		return
	}
	first := s.initials(i, t, turn)
	c := &s.path[i]
	switch {
	case first&c.backtrack != 0:
	case first&c.enabled&(1<<t) != 0:
		c.backtrack |= 1 << t
	case first&c.enabled != 0:
		c.backtrack |= 1 << bits.TrailingZeros32(first&c.enabled)
	default:
		c.backtrack |= c.enabled
	}
}

// mark lets t go first at place i; if it could not, all who could.
func (s *search) mark(i, t int) {
	c := &s.path[i]
	if c.enabled>>t&1 == 1 {
		c.backtrack |= 1 << t
	} else {
		c.backtrack |= c.enabled
	}
}

// initials returns the tasks one of which must go first at place i for t's step to
// come before the one that was taken there: those whose first step since does not
// have to come after that one, nor after a first step of another such task.
func (s *search) initials(i, t int, turn int32) (first uint32) {
	p := int(s.path[i].chosen)
	var began [maxTasks]int32 // first step of each task that need not come after i's
	consider := func(q int, c *clock, at int32) {
		if began[q] != 0 {
			return
		}
		began[q] = at
		for r, b := range began {
			if r != q && b != 0 && c[r] >= b {
				return
			}
		}
		first |= 1 << q
	}
	for k := i + 1; k < int(turn)-1 && k < len(s.path); k++ {
		c := &s.path[k]
		if c.clock[p] < int32(i)+1 {
			consider(int(c.chosen), &c.clock, int32(k)+1)
		}
	}
	consider(t, &s.after, turn)
	return first
}
