package step

import (
	"fmt"
	"runtime"
	"strings"
)

// A Kind is what a step does to its object.
type Kind uint8

// The kinds of step.
const (
	Begin  Kind = iota // a task starts; it touches nothing
	Read               // an atomic load
	Write              // an atomic store, swap or compare-and-swap
	Blind              // an addition whose result nobody looks at: two of them commute
	Lock               // takes a mutex; not before it is free
	Unlock             // gives it back: no step of its own, nobody need choose here
	Wait               // goes on a condition's list
	Signal             // wakes from that list
	Pause              // goes round a loop that waits for somebody else's store
)

// String returns the kind as a verb.
func (k Kind) String() string {
	return [...]string{"begins", "reads", "writes", "adds to", "locks", "unlocks", "waits on", "signals", "spins"}[k]
}

// MaxTasks is how many tasks a Run takes.
const MaxTasks = 4

// An Op is a step that a task is about to take, or has taken.
type Op struct {
	Kind Kind
	Obj  int32 // number of the object in this Run, in the order of first use; -1: none
}

// Conflicts reports whether the order of a and b, of two tasks, can matter.
func (a Op) Conflicts(b Op) bool {
	switch {
	case a.Obj != b.Obj || a.Obj < 0 || a.Kind == Pause || b.Kind == Pause:
		return false
	case a.Kind == b.Kind:
		return a.Kind != Read && a.Kind != Blind
	}
	return true
}

// An ID is what an object that tasks share carries, to be told from others.
type ID struct{ run, n int32 }

// A Task is one thread of control of a scenario.
type Task struct {
	Name string
	Do   func()
}

// A Frame is one line of a stack.
type Frame struct {
	Func string `json:"func"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// An Event is a step that was taken.
type Event struct {
	Task  int     `json:"task"`
	Op    Op      `json:"op"`
	After int     `json:"after"`           // index of the event that woke the task, or -1
	Turn  int     `json:"turn"`            // how many choices had been made, this one included, from 0
	Value string  `json:"value,omitempty"` // what was read or written; if recorded
	Stack []Frame `json:"stack,omitempty"` // innermost first; if recorded
}

// A Chooser says who is next among the enabled tasks (a bit each); last is who ran
// before, or -1. A negative answer ends the Run.
type Chooser func(r *Run, enabled uint32, last int) int

// A Run is one execution of some tasks.
type Run struct {
	Events []Event
	// Broke says what went wrong, "" if nothing did.
	Broke string
	// Stuck are the tasks that wait for ever.
	Stuck []int
	// Cut is set if the chooser ended the Run.
	Cut bool

	tasks   []*task
	current *task
	last    int
	turn    int
	choose  Chooser
	record  bool
	number  int32
	serial  int32
	limit   int
	version []int // of each object: how often it was written
	over    chan struct{}
	aborted bool
	exited  map[any]bool
}

type task struct {
	Task
	id    int
	wake  chan struct{}
	op    Op
	gate  func() bool // nil: nothing holds the task back
	done  bool
	after int // event that woke it
	reads []seen
	stack []Frame
}

// seen is an object that a task has read while it spins.
type seen struct {
	obj     int32
	version int
}

// active is the Run that goes on: one in a process, for the operations of the model
// are not told which Run they belong to.
var active *Run

// serial numbers the Runs of the process, so that an ID of an old one is known as such.
var serial int32

// Execute runs the tasks until all are done, something breaks, nobody can go on, or
// choose ends it. With record each event says from where and with what value.
// limit bounds the steps.
func Execute(tasks []Task, choose Chooser, record bool, limit int) *Run {
	if len(tasks) > MaxTasks {
		panic("step: too many tasks")
	}
	serial++
	r := &Run{choose: choose, record: record, serial: serial, last: -1, limit: limit, over: make(chan struct{}), exited: map[any]bool{}}
	for i, t := range tasks {
		r.tasks = append(r.tasks, &task{Task: t, id: i, wake: make(chan struct{}), op: Op{Begin, -1}, after: -1})
	}
	active = r
	for _, t := range r.tasks {
		go r.run(t)
	}
	if next := r.pick(); next != nil {
		next.wake <- struct{}{}
		<-r.over
	}
	r.abort()
	active = nil
	return r
}

// Pending returns the step that a task is about to take.
func (r *Run) Pending(task int) Op { return r.tasks[task].op }

// Done reports whether a task has ended.
func (r *Run) Done(task int) bool { return r.tasks[task].done }

// StackOf returns from where a task that did not end wanted its next step; if recorded.
func (r *Run) StackOf(task int) []Frame { return r.tasks[task].stack }

func (r *Run) run(t *task) {
	ended := false
	defer func() {
		if e := recover(); e != nil && !r.aborted && r.Broke == "" {
			r.Broke = describe(e)
			r.Stuck = nil
			if r.record {
				t.stack = callers()
			}
		}
		t.done = ended
		if r.aborted {
			r.over <- struct{}{}
			return
		}
		if r.Broke != "" {
			t.done = true
			r.over <- struct{}{}
			return
		}
		if next := r.pick(); next != nil {
			next.wake <- struct{}{}
		} else {
			r.over <- struct{}{}
		}
	}()
	<-t.wake
	if r.aborted {
		return
	}
	r.note(t)
	t.Do()
	ended = true
	t.done = true
}

// broken is what Fail panics with.
type broken string

func describe(e any) string {
	if b, ok := e.(broken); ok {
		return string(b)
	}
	return fmt.Sprintf("panic: %v", e)
}

// abort ends the tasks that have not ended.
func (r *Run) abort() {
	r.aborted = true
	active = nil
	for _, t := range r.tasks {
		if !t.done {
			t.wake <- struct{}{}
			<-r.over
		}
	}
}

// pick chooses who is next; nil ends the Run.
func (r *Run) pick() *task {
	var enabled uint32
	left := false
	for _, t := range r.tasks {
		if t.done {
			continue
		}
		left = true
		if t.gate == nil || t.gate() {
			enabled |= 1 << t.id
		}
	}
	switch {
	case !left:
		return nil
	case enabled == 0:
		r.stuck()
		return nil
	case len(r.Events) >= r.limit:
		r.Broke = fmt.Sprintf("no end after %d steps", len(r.Events))
		return nil
	}
	i := r.choose(r, enabled, r.last)
	if i < 0 {
		r.Cut = true
		return nil
	}
	if enabled>>i&1 == 0 {
		panic("step: chose a task that cannot go on")
	}
	r.current, r.last = r.tasks[i], i
	return r.current
}

func (r *Run) stuck() {
	var names []string
	for _, t := range r.tasks {
		if !t.done {
			r.Stuck = append(r.Stuck, t.id)
			names = append(names, t.Name)
		}
	}
	r.Broke = "nobody is left to wake " + strings.Join(names, " and ")
}

// point is where a task asks to take a step.
func (r *Run) point(k Kind, id *ID, gate func() bool) *task {
	t := r.current
	t.op = Op{k, r.object(id)}
	t.gate = gate
	if r.record {
		t.stack = callers()
	}
	next := r.pick()
	if next != t {
		if next != nil {
			next.wake <- struct{}{}
		} else {
			r.over <- struct{}{}
		}
		<-t.wake
		if r.aborted {
			runtime.Goexit()
		}
	}
	t.gate = nil
	r.note(t)
	return t
}

// note files the event of the step that t takes now.
func (r *Run) note(t *task) {
	e := Event{Task: t.id, Op: t.op, After: t.after, Turn: r.turn}
	r.turn++
	t.after = -1
	if r.record {
		e.Stack = t.stack
	}
	r.Events = append(r.Events, e)
	switch t.op.Kind {
	case Read:
		t.reads = append(t.reads, seen{t.op.Obj, r.version[t.op.Obj]})
	case Write, Blind:
		r.version[t.op.Obj]++
		t.reads = t.reads[:0]
	case Lock:
		t.reads = t.reads[:0]
	}
}

// object numbers what has not been seen in this Run.
func (r *Run) object(id *ID) int32 {
	if id == nil {
		return -1
	}
	if id.run != r.serial {
		*id = ID{r.serial, r.number}
		r.number++
		r.version = append(r.version, 0)
	}
	return id.n
}

// Do is a step of the running task on the object that has id; outside a Run it does
// nothing.
func Do(id *ID, k Kind) {
	if r := active; r != nil {
		r.point(k, id, nil)
	}
}

// When is a step that the task can take only while free says so; free has no steps.
func When(id *ID, k Kind, free func() bool) {
	if r := active; r != nil {
		r.point(k, id, free)
	}
}

// Mark files an event at which nobody need choose, as an unlock.
func Mark(id *ID, k Kind) {
	r := active
	if r == nil {
		return
	}
	e := Event{Task: r.current.id, Op: Op{k, r.object(id)}, After: -1, Turn: r.turn - 1}
	if r.record {
		e.Stack = callers()
	}
	r.Events = append(r.Events, e)
}

// Running reports whether a Run goes on.
func Running() bool { return active != nil }

// Recording reports whether [Value] would be kept.
func Recording() bool { return active != nil && active.record }

// Value says what the last step read or wrote.
func Value(v any) {
	if r := active; r != nil && r.record {
		r.Events[len(r.Events)-1].Value = show(v)
	}
}

// show names what has a name.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case bool, int, int32, int64, uint32, uint64, string:
		return fmt.Sprint(v)
	case interface{ Name() string }:
		return named(v)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", v), "*")
}

func named(v interface{ Name() string }) (text string) {
	defer func() {
		if recover() != nil { // a nil of some type
			text = "nil"
		}
	}()
	a := active
	active = nil // the name may be an atomic itself
	defer func() { active = a }()
	return v.Name()
}

// Current returns the number of the running task.
func Current() int { return active.current.id }

// Woken notes that the last step woke a task, which can go on from here.
func Woken(task int) {
	active.tasks[task].after = len(active.Events) - 1
}

// Spin is a turn in a loop that waits for somebody else's store: the task goes on
// when something that it has read since its own last store was written.
func Spin() {
	r := active
	if r == nil {
		panic("step: a loop that waits, and nobody else runs")
	}
	t := r.current
	r.point(Pause, nil, func() bool {
		for _, s := range t.reads {
			if r.version[s.obj] != s.version {
				return true
			}
		}
		return false
	})
	t.reads = t.reads[:0]
}

// Fail ends the Run: what must hold does not. Outside a Run it panics.
func Fail(format string, args ...any) { panic(broken(fmt.Sprintf(format, args...))) }

// callers returns the stack above this package and its shims, up to the task.
func callers() []Frame {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var stack []Frame
	for {
		f, more := frames.Next()
		if f.Func == nil && f.Function == "" {
			break
		}
		if strings.HasSuffix(f.Function, "step.(*Run).run") {
			break
		}
		if !strings.Contains(f.Function, "/explore/step") && !strings.HasPrefix(f.Function, "runtime.") {
			stack = append(stack, Frame{strings.ReplaceAll(f.Function, "[...]", ""), f.File, f.Line})
		}
		if !more {
			break
		}
	}
	return stack
}
