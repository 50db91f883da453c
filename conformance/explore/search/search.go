// Package search tries the schedules of a few tasks, depth first, and leaves out
// those that differ from one it has tried only in the order of steps that do not
// meet (dynamic partial-order reduction).
//
// Two steps meet if they are of two tasks, touch one object, and one of them writes
// (step.Op.Conflicts). Whenever a run shows two such steps of which neither had to
// come before the other, the search goes back to where the first was taken and lets
// the other task go first. See C. Flanagan and P. Godefroid, "Dynamic partial-order
// reduction for model checking software" (POPL 2005); source sets and sleep sets as
// in P. Abdulla, S. Aronis, B. Jonsson and K. Sagonas, "Optimal dynamic partial order
// reduction" (POPL 2014).
//
// With a bound it tries only schedules in which a task that could have gone on is
// interrupted at most that often. Then it goes back to the beginning of the
// interrupted stretch as well, without which the bound would hide schedules that are
// within it (K. Coons, M. Musuvathi and K. McKinley, "Bounded partial-order
// reduction", OOPSLA 2013), and uses neither source sets nor sleep sets.
//
//tagvet:outdoors it decides from outside what runs when
package search

import (
	"fmt"
	"math/bits"
	"time"

	"nsmodel/conformance/explore/step"
)

// Unbounded is the Bound of a search that tries everything.
const Unbounded = -1

// A Program makes a fresh set of tasks that share a fresh machine, and a check of
// what must hold when all have ended.
type Program func() (tasks []step.Task, check func() error)

// Limits say how far a search goes.
type Limits struct {
	Bound    int           // interruptions in a schedule; Unbounded for no limit
	Runs     int           // schedules at most; 0: any number
	Steps    int           // steps of one schedule; 0: 100,000
	Time     time.Duration // 0: any
	Progress func(runs int)
}

// A Result is what a search found.
type Result struct {
	Runs      int  // schedules run to the end
	Redundant int  // schedules left when they turned out to be repetitions
	Complete  bool // all schedules within the bound have been tried
	Whole     bool // all schedules: the bound left none out
	Steps     int  // of the longest schedule
	// Broke is what did not hold, "" if all did, and Schedule the choices that led
	// there: a task's number for each step.
	Broke    string
	Schedule []int
}

const maxTasks = step.MaxTasks

// A clock says, for each task, how many choices had been made when it took the last
// of its steps that must come before.
type clock [maxTasks]int32

func (c *clock) join(d *clock) {
	for i := range c {
		c[i] = max(c[i], d[i])
	}
}

// A choice is a place where the next task was chosen.
type choice struct {
	enabled, backtrack, sleep, done uint32
	ops                             [maxTasks]step.Op
	chosen, last                    int8
	interrupts                      int // so far, this choice included
	block                           int // choice at which the stretch of chosen began
	clock                           clock
}

// cuts reports whether choosing t cuts a task off that could go on.
func (c *choice) cuts(t int) int {
	if c.last >= 0 && int(c.last) != t && c.enabled>>c.last&1 == 1 {
		return 1
	}
	return 0
}

// object is what a run knows of one object.
type object struct {
	write  access
	reads  [maxTasks]access // since that write
	blinds [maxTasks]access // blind additions since that write
	lock   access
	unlock clock // of who gave the mutex back last
}

type access struct {
	turn  int32 // counted from 1; 0: none
	task  int8
	clock clock
}

type search struct {
	Limits
	result  Result
	path    []choice
	depth   int // of path that is replayed
	objects []object
	clocks  [maxTasks]clock
	events  []clock // clocks of events that woke somebody, by event
	filed   int     // events that have been looked at
	after   clock   // of the step whose races are looked for: what it must come after
}

// Explore tries the schedules of p.
func Explore(p Program, l Limits) Result {
	if l.Steps == 0 {
		l.Steps = 100_000
	}
	s := &search{Limits: l}
	found := &s.result
	found.Whole = true
	start := time.Now()
	for {
		run, broke := s.execute(p)
		if run.Cut {
			found.Redundant++
		} else {
			found.Runs++
		}
		found.Steps = max(found.Steps, len(run.Events))
		if broke != "" {
			found.Broke, found.Schedule = broke, s.schedule()
			return *found
		}
		if s.Progress != nil && found.Runs%500 == 0 {
			s.Progress(found.Runs)
		}
		if !s.back() {
			found.Complete = true
			return *found
		}
		if l.Runs > 0 && found.Runs >= l.Runs || l.Time > 0 && time.Since(start) > l.Time {
			found.Whole = false
			return *found
		}
	}
}

// Deepen searches with the bounds 0, 1 and so on up to l.Bound, so that what it finds
// has as few interruptions as can be, and returns the last result with the runs of all.
func Deepen(p Program, l Limits) Result {
	var all Result
	for bound := 0; ; bound++ {
		at := l
		at.Bound = bound
		r := Explore(p, at)
		r.Runs += all.Runs
		all = r
		if r.Broke != "" || r.Whole || !r.Complete || bound >= l.Bound {
			return all
		}
	}
}

// Replay runs one schedule and records it. When the schedule is at its end the task
// that runs goes on; so an empty one is the run without interruptions.
func Replay(p Program, schedule []int) *step.Run {
	tasks, check := p()
	at := 0
	run := step.Execute(tasks, func(_ *step.Run, enabled uint32, last int) int {
		t := usual(enabled, last)
		if at < len(schedule) {
			if t = schedule[at]; enabled>>t&1 == 0 {
				panic(fmt.Sprintf("search: the schedule does not fit: at step %d task %d cannot go on", at, t))
			}
		}
		at++
		return t
	}, true, 100_000)
	if run.Broke == "" {
		run.Broke = ask(check)
	}
	return run
}

// usual is the task that runs if nobody says otherwise.
func usual(enabled uint32, last int) int {
	if last >= 0 && enabled>>last&1 == 1 {
		return last
	}
	return bits.TrailingZeros32(enabled)
}

// ask runs a check; a panic in it is a finding.
func ask(check func() error) (broke string) {
	defer func() {
		if e := recover(); e != nil {
			broke = fmt.Sprint(e)
		}
	}()
	if check == nil {
		return ""
	}
	if err := check(); err != nil {
		return err.Error()
	}
	return ""
}

func (s *search) schedule() []int {
	list := make([]int, len(s.path))
	for i := range s.path {
		list[i] = int(s.path[i].chosen)
	}
	return list
}

// execute runs the tasks once, along path as far as that goes.
func (s *search) execute(p Program) (*step.Run, string) {
	tasks, check := p()
	s.depth, s.filed = 0, 0
	s.objects = s.objects[:0]
	s.clocks = [maxTasks]clock{}
	s.events = s.events[:0]
	replayed := len(s.path)
	run := step.Execute(tasks, func(r *step.Run, enabled uint32, last int) int {
		s.file(r)
		i := s.depth
		s.depth++
		if i < replayed {
			s.verify(r, i, enabled, last)
			return int(s.path[i].chosen)
		}
		return s.extend(r, i, enabled, last, len(tasks))
	}, false, s.Limits.Steps)
	s.file(run)
	s.path = s.path[:min(len(s.path), s.depth)]
	for _, t := range run.Stuck { // what they wanted may have been there for the taking
		s.races(t, run.Pending(t), int32(len(s.path))+1)
	}
	if run.Broke == "" && !run.Cut {
		run.Broke = ask(check)
	}
	return run, run.Broke
}

// verify panics if the program is not the same function of the schedule each time.
func (s *search) verify(r *step.Run, i int, enabled uint32, last int) {
	c := &s.path[i]
	if c.enabled != enabled || int(c.last) != last || c.ops[c.chosen] != r.Pending(int(c.chosen)) {
		panic(fmt.Sprintf("search: not deterministic: at step %d %b may go on and task %d wants %v; before it was %b and %v",
			i, enabled, c.chosen, r.Pending(int(c.chosen)), c.enabled, c.ops[c.chosen]))
	}
}

// extend chooses at a place where the search has not been.
func (s *search) extend(r *step.Run, i int, enabled uint32, last, tasks int) int {
	c := choice{enabled: enabled, last: int8(last)}
	for t := range tasks {
		c.ops[t] = r.Pending(t)
	}
	if i > 0 && s.Bound < 0 {
		up := &s.path[i-1]
		for z := (up.sleep | up.done) &^ (1 << up.chosen); z != 0; z &= z - 1 {
			t := bits.TrailingZeros32(z)
			if !up.ops[t].Conflicts(up.ops[up.chosen]) && enabled>>t&1 == 1 {
				c.sleep |= 1 << t
			}
		}
	}
	awake := enabled &^ c.sleep
	if awake == 0 {
		s.depth--
		return -1
	}
	t := usual(awake, last)
	c.backtrack = 1 << t
	s.path = append(s.path, c)
	s.choose(i, t)
	return t
}

// choose notes that task t is chosen at place i.
func (s *search) choose(i, t int) {
	c := &s.path[i]
	c.chosen = int8(t)
	c.interrupts, c.block = c.cuts(t), i
	if i > 0 {
		c.interrupts += s.path[i-1].interrupts
		if int(s.path[i-1].chosen) == t {
			c.block = s.path[i-1].block
		}
	}
}

// back goes to the last place where something is left to try; false if there is none.
func (s *search) back() bool {
	for i := len(s.path) - 1; i >= 0; i-- {
		c := &s.path[i]
		c.done |= 1 << c.chosen
		before := 0
		if i > 0 {
			before = s.path[i-1].interrupts
		}
		for left := c.backtrack & c.enabled &^ c.done &^ c.sleep; left != 0; left &= left - 1 {
			t := bits.TrailingZeros32(left)
			if s.Bound >= 0 && before+c.cuts(t) > s.Bound {
				s.result.Whole = false
				continue
			}
			s.path = s.path[:i+1]
			s.choose(i, t)
			return true
		}
	}
	return false
}
