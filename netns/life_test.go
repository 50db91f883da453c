package netns

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// diary registers count subsystems x0, x1, ... that write down what happens; fail
// says which one refuses to be entered, -1 for none.
type diary struct {
	s     *System
	fail  int
	lines []string
}

var errRefused = errors.New("refused")

func newDiary(count int) *diary {
	d := &diary{s: New(Config{}), fail: -1}
	note := func(what string, i int, n *Net) {
		name := n.Name()
		if n.IsInit() {
			name = "init"
		}
		d.lines = append(d.lines, fmt.Sprintf("%s x%d %s", what, i, name))
	}
	for i := range count {
		Register(d.s, Ops[int]{
			Name: fmt.Sprint("x", i), Place: Replicated, Make: func() *int { return new(int) },
			Enter: func(n *Net) error {
				note("enter", i, n)
				if i == d.fail {
					return errRefused
				}
				return nil
			},
			PreExit: func(n *Net) { note("pre", i, n) },
			Exit:    func(n *Net, _ *int) { note("exit", i, n) },
		})
	}
	return d
}

func (d *diary) read() string {
	text := strings.Join(d.lines, ", ")
	d.lines = nil
	return text
}

func TestLifeInOrder(t *testing.T) {
	d := newDiary(2)
	boot(t, d.s)
	add(t, d.s, "a")
	add(t, d.s, "b")
	want := "enter x0 init, enter x1 init, enter x0 a, enter x1 a, enter x0 b, enter x1 b"
	if got := d.read(); got != want {
		t.Errorf("birth:\n got %s\nwant %s", got, want)
	}
	d.s.Lock()
	defer d.s.Unlock()
	d.s.Delete("b")
	d.s.Delete("a")
	if got := d.read(); got != "" {
		t.Errorf("before Reap: %s", got)
	}
	before := d.s.readers.periods.Load()
	if got := d.s.Reap(); got != 2 {
		t.Errorf("reaped %d", got)
	}
	if got := d.s.readers.periods.Load() - before; got != 1 {
		t.Errorf("%d grace periods for a batch", got)
	}
	want = "pre x1 b, pre x1 a, pre x0 b, pre x0 a, exit x1 b, exit x1 a, exit x0 b, exit x0 a"
	if got := d.read(); got != want {
		t.Errorf("death:\n got %s\nwant %s", got, want)
	}
	if got := d.s.Reap(); got != 0 || d.s.readers.periods.Load() != before+1 {
		t.Errorf("an idle Reap: %d Nets, %d grace periods", got, d.s.readers.periods.Load()-before)
	}
}

// A constructor that fails at step k unwinds the steps before it in reverse and
// leaves no trace.
func TestUnwinding(t *testing.T) {
	const steps = 4
	for k := range steps {
		t.Run(fmt.Sprint("step ", k), func(t *testing.T) {
			d := newDiary(steps)
			boot(t, d.s)
			d.read()
			d.fail = k
			d.s.Lock()
			n, err := d.s.NewNet("n")
			d.s.Unlock()
			if n != nil || !errors.Is(err, errRefused) || !strings.Contains(err.Error(), fmt.Sprint("x", k)) {
				t.Fatalf("%v, %v", n, err)
			}
			var want []string
			for i := 0; i <= k; i++ {
				want = append(want, fmt.Sprintf("enter x%d n", i))
			}
			for _, what := range []string{"pre", "exit"} {
				for i := k - 1; i >= 0; i-- {
					want = append(want, fmt.Sprintf("%s x%d n", what, i))
				}
			}
			if got := d.read(); got != strings.Join(want, ", ") {
				t.Errorf("\n got %s\nwant %s", got, strings.Join(want, ", "))
			}
			if c := d.s.Census(); c != (Census{Living: 1, Memory: 1}) {
				t.Errorf("census %+v", c)
			}
			if got := d.s.Reap(); got != 0 {
				t.Errorf("reaped %d", got)
			}
			d.fail = -1
			add(t, d.s, "n") // the name is free
		})
	}
}

// What a refused Net has filed in tables is swept, even in tables that registered
// after the subsystem that refused; its timers are stopped.
func TestUnwindingSweeps(t *testing.T) {
	forms(t, func(t *testing.T, c Config, place Placement) {
		s := New(c)
		early := NewTable[int, int](s, "early", place, sumInt)
		var late *Table[int, int]
		var seen *Net
		var timer Timer
		Register(s, Ops[int]{Name: "x", Make: func() *int { return new(int) }, Enter: func(n *Net) error {
			if n.IsInit() {
				return nil
			}
			seen = n
			n.HoldMemory()
			timer.Init(n, nil)
			timer.Reset(5)
			return errors.Join(early.Add(n, 1, 1), late.Add(n, 1, 1), syscall.ENOMEM)
		}})
		late = NewTable[int, int](s, "late", place, sumInt)
		boot(t, s)
		s.Lock()
		defer s.Unlock()
		if _, err := s.NewNet("n"); !errors.Is(err, syscall.ENOMEM) {
			t.Fatal(err)
		}
		for _, tb := range []*Table[int, int]{early, late} {
			if left := hanging(tb, seen); len(left) != 0 {
				t.Errorf("left hanging: %v", left)
			}
		}
		if timer.Pending() || seen.Alive() || seen.Hold() {
			t.Error("half alive")
		}
		seen.PutMemory()
		if s.Census().Memory != 1 {
			t.Error("memory kept")
		}
	})
}

// An injected fault refuses a Net as the subsystem's own Enter would, whether or not
// it has one, and can be taken back.
func TestFailEnter(t *testing.T) {
	d := newDiary(2)
	NewTable[int, int](d.s, "table", Replicated, sumInt) // no Enter
	boot(t, d.s)
	for k, want := range []string{"", "enter x0 n, pre x0 n, exit x0 n", "enter x0 n, enter x1 n, pre x1 n, pre x0 n, exit x1 n, exit x0 n"} {
		d.read()
		d.s.Lock()
		d.s.FailEnter(k, errRefused)
		n, err := d.s.NewNet("n")
		d.s.FailEnter(k, nil)
		d.s.Unlock()
		if name := d.s.Subsystems()[k].Name; n != nil || !errors.Is(err, errRefused) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, n, err)
		}
		if got := d.read(); got != want {
			t.Errorf("fault at %d:\n got %s\nwant %s", k, got, want)
		}
	}
	add(t, d.s, "n")
}

func TestBoot(t *testing.T) {
	d := newDiary(2)
	d.s.Lock()
	_, err := d.s.NewNet("early")
	d.s.Unlock()
	if !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("before Boot: %v", err)
	}
	d.fail = 1
	if err := d.s.Boot(); !errors.Is(err, errRefused) || d.s.Init() != nil {
		t.Errorf("refused boot: %v, %v", err, d.s.Init())
	}
	d.fail = -1
	boot(t, d.s)
	if n := d.s.Init(); !n.IsInit() || !n.Alive() || n.Named() || n.System() != d.s {
		t.Errorf("init is %+v", n)
	}
	if err := d.s.Boot(); !errors.Is(err, syscall.EALREADY) {
		t.Errorf("second boot: %v", err)
	}
}

// An anonymous Net is its maker's; so is a named one whose name's reference the
// maker gives back.
func TestPutByMaker(t *testing.T) {
	for _, name := range []string{"", "n"} {
		s := boot(t, New(Config{}))
		n := add(t, s, name)
		n.HoldMemory()
		n.Put()
		s.Lock()
		if got := s.Reap(); got != 1 || s.dir.taken("n") || s.Census() != (Census{Living: 1, Memory: 2}) {
			t.Errorf("%q: reaped %d, %+v", name, got, s.Census())
		}
		s.Unlock()
		n.PutMemory()
		if s.Census().Memory != 1 {
			t.Error("memory kept")
		}
	}
}

func TestCountsRefuseMisuse(t *testing.T) {
	for name, f := range map[string]func(n *Net){
		"Put":        (*Net).Put,
		"PutMemory":  (*Net).PutMemory,
		"HoldMemory": (*Net).HoldMemory,
	} {
		t.Run(name, func(t *testing.T) {
			s := boot(t, New(Config{}))
			n := add(t, s, "n")
			kill(t, s, "n")
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(n)
		})
	}
}

// A Net that begins to die while a batch exits waits for the next Reap.
func TestDeathDuringReap(t *testing.T) {
	s := New(Config{})
	var other *Net
	Register(s, Ops[int]{Name: "x", Make: func() *int { return new(int) }, PreExit: func(n *Net) {
		if n != other {
			other.Put()
		}
	}})
	boot(t, s)
	add(t, s, "n")
	other = add(t, s, "")
	s.Lock()
	defer s.Unlock()
	s.Delete("n")
	if got := []int{s.Reap(), s.Reap(), s.Reap()}; !slices.Equal(got, []int{1, 1, 0}) {
		t.Error(got)
	}
}
