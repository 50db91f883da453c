package netns

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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

func TestNames(t *testing.T) {
	s := boot(t, New(Config{}))
	s.Lock()
	defer s.Unlock()
	long := strings.Repeat("x", 255)
	for _, tc := range []struct {
		do, name string
		want     error
	}{
		{"add", "a", nil},
		{"add", "a", syscall.EEXIST},
		{"add", long, nil},
		{"add", long + "x", syscall.EINVAL},
		{"add", "a/b", syscall.EINVAL},
		{"add", ".", syscall.EINVAL},
		{"add", "..", syscall.EINVAL},
		{"add", "a\x00", syscall.EINVAL},
		{"add", "...", nil},
		{"add", "ä b", nil},
		{"delete", "b", syscall.ENOENT},
		{"delete", "", syscall.ENOENT},
		{"delete", "a", nil},
		{"delete", "a", syscall.ENOENT},
		{"add", "a", nil}, // before Reap: the name is free at once
		{"find", "a", nil},
		{"find", "b", syscall.ENOENT},
		{"find", "", syscall.ENOENT}, // not the initial Net, nor an anonymous one
	} {
		var err error
		switch tc.do {
		case "add":
			_, err = s.NewNet(tc.name)
		case "delete":
			err = s.Delete(tc.name)
		case "find":
			var n *Net
			if n, err = s.ByName(tc.name); err == nil {
				n.Put()
			}
		}
		if !errors.Is(err, tc.want) {
			t.Errorf("%s %q: %v, want %v", tc.do, tc.name, err, tc.want)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "netns: ") || strings.Contains(err.Error(), "netns: netns")) {
			t.Errorf("%s %q: reads %q", tc.do, tc.name, err)
		}
	}
}

func names(s *System) string {
	var list []string
	for n := range s.Nets() {
		list = append(list, n.Name())
	}
	return strings.Join(list, " ")
}

func TestNetsInOrderOfCreation(t *testing.T) {
	s := boot(t, New(Config{}))
	for _, name := range []string{"d", "b", "c", "a"} {
		add(t, s, name)
	}
	for _, tc := range []struct{ do, want string }{
		{"", " d b c a"},
		{"b", " d c a"},
		{"a", " d c"},
		{"d", " c"},
	} {
		if tc.do != "" {
			kill(t, s, tc.do)
		}
		if got := names(s); got != tc.want {
			t.Errorf("without %q: %q, want %q", tc.do, got, tc.want)
		}
	}
	add(t, s, "b")
	if got := names(s); got != " c b" {
		t.Error(got)
	}
	for range s.Nets() {
		break
	}
}

// A Net that is held outlives its name, and is found by ID only.
func TestHeldOutlivesName(t *testing.T) {
	s := boot(t, New(Config{}))
	n := add(t, s, "n")
	if !n.Named() || !n.Hold() {
		t.Fatal("not alive")
	}
	kill(t, s, "n")
	if !n.Alive() || n.Named() || n.Name() != "n" || names(s) != " n" {
		t.Errorf("alive %t, named %t, %q", n.Alive(), n.Named(), names(s))
	}
	twin := add(t, s, "n")
	if twin == n || twin.ID() == n.ID() {
		t.Error("IDs reused")
	}
	if found, err := s.ByID(n.ID()); err != nil || found != n {
		t.Errorf("%v, %v", found, err)
	} else {
		found.Put()
	}
	n.Put()
	if n.Alive() || n.Hold() {
		t.Error("dying, but held")
	}
	if _, err := s.ByID(n.ID()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("dying, but found: %v", err)
	}
	if got := s.Census(); got != (Census{Living: 2, Dying: 1, Memory: 3}) {
		t.Errorf("%+v", got)
	}
	if found, err := s.ByName("n"); err != nil || found != twin {
		t.Errorf("the dying one took its twin's name: %v", err)
	} else {
		found.Put()
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

// While Nets come and go, no lookup returns a dying one, whichever way it asks.
func TestLookupNeverFindsTheDying(t *testing.T) {
	s := boot(t, New(Config{}))
	var last sync.Map // ID by number, for ByID
	stop := make(chan bool)
	var wg sync.WaitGroup
	check := func(n *Net, err error) {
		if err != nil {
			return
		}
		if !n.Alive() || n.exited.Load() {
			t.Error("found a dying Net")
		}
		n.Put()
	}
	for range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				check(s.ByName("n"))
				if id, ok := last.Load(0); ok {
					check(s.ByID(id.(ID)))
				}
				for n := range s.Nets() {
					if n.Hold() {
						check(n, nil)
					}
				}
			}
		})
	}
	s.Lock()
	reaped := 0
	for range 1000 {
		n, err := s.NewNet("n")
		if err != nil {
			t.Fatal(err)
		}
		last.Store(0, n.ID())
		if err := s.Delete("n"); err != nil {
			t.Fatal(err)
		}
		reaped += s.Reap()
	}
	close(stop)
	wg.Wait()
	reaped += s.Reap() // what a lookup held over its last Reap
	s.Unlock()
	if c := s.Census(); reaped != 1000 || c != (Census{Living: 1, Memory: 1}) {
		t.Errorf("reaped %d, %+v", reaped, c)
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
