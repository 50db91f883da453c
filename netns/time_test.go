package netns

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Timers fire in the order (time, number of the Reset), whatever Net they are of.
func TestTimerOrder(t *testing.T) {
	s := boot(t, New(Config{}))
	a, b := add(t, s, "a"), add(t, s, "b")
	var fired []string
	timer := func(n *Net, name string) *Timer {
		t := new(Timer)
		t.Init(n, func(now time.Duration) { fired = append(fired, fmt.Sprint(name, "@", int(now))) })
		return t
	}
	x, y, z, w := timer(a, "x"), timer(b, "y"), timer(a, "z"), timer(b, "w")
	x.Reset(20)
	y.Reset(10)
	z.Reset(10)
	w.Reset(10)
	w.Reset(10) // moves behind no one: it was last already
	y.Reset(10) // moves behind z and w
	for _, st := range []struct {
		now          time.Duration
		budget, want int
		fired        string
		next         time.Duration
		clock        time.Duration
	}{
		{5, -1, 0, "", 10, 5},
		{10, 0, 0, "", 10, 10},
		{10, 1, 1, "z@10", 10, 10},
		{3, -1, 2, "w@10 y@10", 20, 10}, // the clock does not run backwards
		{30, -1, 1, "x@30", -1, 30},
		{40, -1, 0, "", -1, 40},
	} {
		fired = nil
		got := s.Expire(st.now, st.budget)
		next, ok := s.NextTimer()
		if !ok {
			next = -1
		}
		if got != st.want || strings.Join(fired, " ") != st.fired || next != st.next || s.Now() != st.clock {
			t.Errorf("Expire(%d, %d): %d, %q, next %d, now %d", st.now, st.budget, got, fired, next, s.Now())
		}
	}
}

func TestTimerStop(t *testing.T) {
	s := boot(t, New(Config{}))
	var x Timer
	x.Init(s.Init(), func(time.Duration) { t.Error("fired") })
	if x.Stop() || x.Pending() {
		t.Error("pending before Reset")
	}
	x.Reset(1)
	if !x.Pending() || !x.Stop() || x.Pending() || x.Stop() {
		t.Error("Stop")
	}
	s.Expire(10, -1)
}

// A callback may use any timer, its own too.
func TestTimerFromCallback(t *testing.T) {
	s := boot(t, New(Config{}))
	var fired []string
	var tick, once Timer
	once.Init(s.Init(), func(time.Duration) { fired = append(fired, "once") })
	tick.Init(s.Init(), func(now time.Duration) {
		fired = append(fired, fmt.Sprint("tick", int(now)))
		if tick.Pending() {
			t.Error("pending while it fires")
		}
		if len(fired) < 3 {
			tick.Reset(now) // due at once, but behind once
		}
	})
	tick.Reset(1)
	once.Reset(1)
	s.Expire(1, -1)
	if got := strings.Join(fired, " "); got != "tick1 once tick1" {
		t.Error(got)
	}
}

// item is a pending timer of the oracle: the i-th.
type item struct{ at, number, i int }

func (a item) compare(b item) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.number, b.number))
}

// TestTimerOracle compares the heap with a sorted slice.
func TestTimerOracle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := boot(t, New(Config{}))
		nets := []*Net{add(t, s, "n0"), add(t, s, "n1")}
		var pending []item
		var got, want []int
		timers := make([]Timer, 12)
		for i := range timers {
			timers[i].Init(nets[i%2], func(time.Duration) { got = append(got, i) })
		}
		dead, number, now := map[int]bool{}, 0, 0
		take := func(f func(item) bool) bool {
			before := len(pending)
			pending = slices.DeleteFunc(pending, f)
			return len(pending) < before
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			i := rapid.IntRange(0, len(timers)-1).Draw(rt, "timer")
			switch op := rapid.SampledFrom([]string{"reset", "reset", "reset", "stop", "expire", "kill"}).Draw(rt, "op"); op {
			case "reset":
				at := now + rapid.IntRange(-2, 9).Draw(rt, "in")
				timers[i].Reset(time.Duration(at))
				if !dead[i%2] {
					take(func(x item) bool { return x.i == i })
					number++
					pending = append(pending, item{at, number, i})
				}
			case "stop":
				if timers[i].Stop() != take(func(x item) bool { return x.i == i }) {
					rt.Fatal("Stop")
				}
			case "expire":
				now += rapid.IntRange(0, 5).Draw(rt, "by")
				slices.SortFunc(pending, item.compare)
				budget := rapid.IntRange(-1, 3).Draw(rt, "budget")
				fired := s.Expire(time.Duration(now), budget)
				for ; fired > 0 && len(pending) > 0 && pending[0].at <= now; fired-- {
					want = append(want, pending[0].i)
					pending = pending[1:]
				}
				if fired != 0 || len(pending) > 0 && pending[0].at <= now && budget < 0 {
					rt.Fatalf("Expire left %v, %d too many", pending, fired)
				}
			case "kill":
				if !dead[i%2] {
					dead[i%2] = true
					kill(t, s, fmt.Sprint("n", i%2))
					take(func(x item) bool { return x.i%2 == i%2 })
				}
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("fired %v, want %v", got, want)
			}
			at, ok := s.NextTimer()
			if ok != (len(pending) > 0) || ok && int(at) != slices.MinFunc(pending, item.compare).at {
				rt.Fatalf("next %d, %t; pending %v", at, ok, pending)
			}
		}
	})
}

// Timers end with their Net: a dying one starts none, and after Reap none is left.
func TestTimersDieWithTheirNet(t *testing.T) {
	s := New(Config{})
	var late Timer
	preExit := false
	Register(s, Ops[int]{Name: "x", Make: func() *int { return new(int) }, PreExit: func(n *Net) {
		late.Reset(1)
		preExit = true
	}})
	boot(t, s)
	n, other := add(t, s, "n"), add(t, s, "other")
	var timers [100]Timer
	for i := range timers {
		timers[i].Init(n, func(time.Duration) { t.Error("fired for the dead") })
		timers[i].Reset(time.Duration(i))
	}
	late.Init(n, func(time.Duration) { t.Error("late fired for the dead") })
	fired := false
	var kept Timer
	kept.Init(other, func(time.Duration) { fired = true })
	kept.Reset(50)
	kill(t, s, "n")
	late.Reset(1)
	if !preExit || late.Pending() || timers[7].Pending() || timers[7].Stop() || n.timers != nil {
		t.Error("timers outlive their Net")
	}
	if got := s.Expire(1000, -1); got != 1 || !fired {
		t.Errorf("fired %d", got)
	}
	if len(s.timers.heap) != 0 {
		t.Error("heap not empty")
	}
}

// A Reset between the last Put and Reap does nothing, what is pending still fires.
func TestResetOnDying(t *testing.T) {
	s := boot(t, New(Config{}))
	n := add(t, s, "n")
	var a, b Timer
	fired := 0
	a.Init(n, func(time.Duration) { fired++ })
	b.Init(n, func(time.Duration) { fired += 10 })
	a.Reset(1)
	s.Lock()
	s.Delete("n")
	b.Reset(1)
	a.Reset(9)
	s.Expire(1, -1)
	s.Reap()
	s.Unlock()
	if fired != 1 {
		t.Errorf("fired %d", fired)
	}
}

// A callback under way holds up the grace period of its Net's death, so Exit never
// runs beside it.
func TestExitWaitsForCallback(t *testing.T) {
	s := New(Config{})
	var inside atomic.Bool
	Register(s, Ops[int]{Name: "x", Make: func() *int { return new(int) }, Exit: func(*Net, *int) {
		if inside.Load() {
			t.Error("Exit beside a callback")
		}
	}})
	boot(t, s)
	for range 200 {
		n := add(t, s, "n")
		var x Timer
		x.Init(n, func(time.Duration) {
			inside.Store(true)
			if n.exited.Load() {
				t.Error("a callback after exit")
			}
			inside.Store(false)
		})
		x.Reset(0)
		var wg sync.WaitGroup
		wg.Go(func() { s.Expire(s.Now()+1, -1) })
		kill(t, s, "n")
		wg.Wait()
	}
}

// The section of a callback begins before its timer leaves the heap. Between the two
// the timer could not be stopped, nor would a grace period wait for it.
func TestCallbackSectionCoversTake(t *testing.T) {
	s := boot(t, New(Config{}))
	var x Timer
	x.Init(s.Init(), func(time.Duration) {})
	x.Reset(0)
	s.timers.mu.Lock() // holds Expire up where it would take x
	var wg sync.WaitGroup
	wg.Go(func() { s.Expire(1, -1) })
	looks := 0
	for ; s.timers.reader.count.Load()%2 == 0 && looks < 1e6; looks++ {
		runtime.Gosched()
	}
	s.timers.mu.Unlock()
	wg.Wait()
	if looks == 1e6 {
		t.Error("no section")
	}
}

// Synchronize returns neither before the Readers inside have left, nor does it
// wait for one that enters again, one outside, or one closed.
func TestSynchronizeWaits(t *testing.T) {
	s := New(Config{})
	r, idle, closed := s.NewReader(), s.NewReader(), s.NewReader()
	closed.Enter()
	closed.Close()
	idle.Enter()
	idle.Exit()
	r.Enter()
	var left atomic.Bool
	begun, done := make(chan bool), make(chan bool, 1)
	go func() {
		close(begun)
		s.Synchronize()
		done <- left.Load()
	}()
	<-begun
	for range 1000 {
		runtime.Gosched()
		idle.Enter()
		idle.Exit()
		s.NewReader().Close() // the list changes meanwhile
	}
	left.Store(true)
	for {
		r.count.Add(2) // Exit and Enter between two looks: a new section
		select {
		case waited := <-done:
			if !waited {
				t.Error("did not wait")
			}
			r.Exit()
			s.Synchronize()
			return
		default:
			runtime.Gosched()
		}
	}
}

// What a grace period is for: a reader that found something before it was
// unpublished may use it until it leaves.
func TestGracePeriodProtectsReaders(t *testing.T) {
	s := New(Config{})
	type thing struct{ freed atomic.Bool }
	var published atomic.Pointer[thing]
	published.Store(new(thing))
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		r := s.NewReader()
		wg.Go(func() {
			for !stop.Load() {
				r.Enter()
				p := published.Load()
				for range 10 {
					if p.freed.Load() {
						t.Error("freed under a reader")
						stop.Store(true)
					}
				}
				r.Exit()
			}
			r.Close()
		})
	}
	for range 500 {
		old := published.Swap(new(thing))
		s.Synchronize()
		old.freed.Store(true)
	}
	stop.Store(true)
	wg.Wait()
	if got := len(s.readers.load()); got != 1 {
		t.Errorf("%d readers left", got) // the timers' own
	}
}
