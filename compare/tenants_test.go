package compare

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"nsmodel/internal/linux"
)

// A curve measures once in a round, whichever of its Arms comes first, and ends
// once; each Arm sees its own value of each round.
func TestCurve(t *testing.T) {
	store, err := OpenStore("", false)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRun(Tiny, store)
	e := &Experiment{Name: "curve"}
	r.e = e
	taken, closed := 0, 0
	c := &curve{times: 4, open: func() (func() ([]float64, error), func() error, error) {
		return func() ([]float64, error) {
			taken++
			return []float64{float64(taken), float64(-taken)}, nil
		}, func() error { closed++; return nil }, nil
	}}
	up, down := Key{"f", Model, Tagged, 0}, Key{"f", Model, Tagged, 1}
	if err := r.Group("curve", c.arm(up, 0), c.arm(down, 1)); err != nil {
		t.Fatal(err)
	}
	d := store.Of(e)
	if got := d.Values(up); !slices.Equal(got, []float64{2, 3, 4, 5}) { // 1 was to warm up
		t.Errorf("first values %v", got)
	}
	if got := d.Values(down); !slices.Equal(got, []float64{-2, -3, -4, -5}) {
		t.Errorf("second values %v", got)
	}
	if taken != 5 || closed != 1 {
		t.Errorf("measured %d times, ended %d times", taken, closed)
	}
	// Two curves side by side are compared round by round.
	seven := &curve{times: 4, open: func() (func() ([]float64, error), func() error, error) {
		return func() ([]float64, error) { return []float64{0, 7}, nil }, nil, nil
	}}
	c.opened, c.taken = false, nil
	diff := Key{"f", Model, Tagged, 2}
	if err := r.Group("both", seven.arm(Key{"f", Model, Tagged, 3}, 1), c.between(diff, 1, seven, func(a, b float64) float64 { return 100*a + b })); err != nil {
		t.Fatal(err)
	}
	if got := store.Of(e).Values(diff); !slices.Equal(got, []float64{-693, -793, -893, -993}) {
		t.Errorf("values of both %v", got)
	}
	// What cannot be had here is left out, all of it, with a note.
	none := &curve{open: func() (func() ([]float64, error), func() error, error) { return nil, nil, ErrNotHere }}
	if err := r.Group("none", none.arm(Key{"g", Model, Tagged, 0}, 0), none.arm(Key{"g", Model, Tagged, 1}, 1)); err != nil || len(r.Notes()) != 1 {
		t.Errorf("%v, notes %v", err, r.Notes())
	}
}

// measured reports whether v is a figure. How large is no test's business: a
// difference of two short times may even be below nothing.
func measured(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) && v != 0 }

// A backlog is shown as the most in each stretch of time, and as nothing once
// nobody was left to be looked at.
func TestBacklog(t *testing.T) {
	ms := time.Millisecond
	b := &backlog{at: []time.Duration{5 * ms, 20 * ms, 24 * ms, 60 * ms, 110 * ms}, dead: []int{1, 8, 2, 5, -3}, ended: 100 * ms, back: 130 * ms}
	want := map[int]float64{10: 10, 25: 80, 50: 20, 75: 50, 100: 50, 125: 50, 150: 0, 200: 0, 300: 0, 500: 0}
	got := b.values(10)
	for i, x := range stormTimes() {
		if got[i] != want[x] {
			t.Errorf("at %d %%: %v, want %v", x, got[i], want[x])
		}
	}
	if back := got[len(got)-1]; math.Abs(back-30) > 1e-9 {
		t.Errorf("back after %v ms", back)
	}
}

// With the host's limit one tenant fills the table for both, otherwise for
// himself: what the experiment counts, and what it does not, is exact.
func TestNoisyNeighbours(t *testing.T) {
	for _, c := range []struct {
		series        string
		attackers     int
		made, evicted float64
	}{
		{hostWide, 0, 200, 0}, {hostWide, 900, 124, 1}, {hostWide, 1500, 0, 100},
		{Tagged, 1500, 200, 0}, {Replicated, 1500, 200, 0},
	} {
		take, _, err := noisyNeigh(c.series, c.attackers)
		if err != nil {
			t.Fatal(err)
		}
		for round := range 2 {
			v, err := take()
			if err != nil {
				t.Fatal(err)
			}
			if v[0] != c.made || v[3] != c.evicted {
				t.Errorf("%s beside %d, round %d: %v made, %v evicted; want %v and %v", c.series, c.attackers, round, v[0], v[3], c.made, c.evicted)
			}
		}
	}
}

func TestNoisyFragments(t *testing.T) {
	for _, c := range []struct {
		series    string
		attackers int
		want      float64
	}{{hostWide, 100, fragTries}, {hostWide, 6000, 0}, {Tagged, 6000, fragTries}, {Replicated, 6000, fragTries}} {
		take, _, err := noisyFrag(c.series, c.attackers)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := take(); err != nil || v[0] != c.want {
			t.Errorf("%s beside %d: %v arrived, want %v; %v", c.series, c.attackers, v, c.want, err)
		}
	}
}

// Whatever moves comes back, with its entries, as often as asked; and all of a
// storm's memory does.
func TestMoveAndStorm(t *testing.T) {
	r := NewRun(Tiny, nil)
	for _, series := range []string{Tagged, Replicated} {
		for _, where := range []string{onDevice, onOther, atStrangers} {
			take, _, err := moveModel(r, series, where, 20)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := take(); err != nil {
					t.Errorf("%s, %s: %v", series, where, err)
				}
			}
		}
		if _, err := stormModel(series, 200); err != nil {
			t.Errorf("storm, %s: %v", series, err)
		}
	}
}

// The kernel's side of what the kernel can do, in a sandbox of its own; nothing
// here asks for what another test's namespaces could disturb.
func TestKernelSides(t *testing.T) {
	if !linux.Inside() {
		why := linux.Why()
		if why != nil {
			t.Skip(why)
		}
		c := linux.Command("-test.run=^TestKernelSides$", "-test.v")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	if err := linux.Settle(); err != nil {
		t.Fatal(err)
	}
	store, err := OpenStore("", false)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRun(Tiny, store)
	r.Boxed, r.e = true, &Experiment{Name: "kernel"}
	curveOf := func(open func() (func() ([]float64, error), func() error, error)) []float64 {
		t.Helper()
		take, end, err := open()
		if errors.Is(err, ErrNotHere) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		v, err := take()
		if err := errors.Join(err, end()); err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, where := range []string{onDevice, onOther, atStrangers} {
		if v := curveOf(func() (func() ([]float64, error), func() error, error) { return moveKernel(r, where, 20) }); len(v) != 2 || !measured(v[0]) || !measured(v[1]) {
			t.Errorf("move, %s: %v", where, v)
		}
	}
	if v := curveOf(func() (func() ([]float64, error), func() error, error) { return noisyFragKernel(r, 6000) }); v[0] != fragTries {
		t.Errorf("%v of %d datagrams in fragments arrived", v[0], fragTries)
	}
	for _, series := range []string{Tagged, Replicated} {
		st, err := stormKernelRate(r, series, 3)
		if errors.Is(err, ErrNotHere) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		v, err := st.Sample()
		if err := errors.Join(err, st.Close()); err != nil || v <= 0 {
			t.Errorf("rate %v: %v", v, err)
		}
		if st, err = stormKernelBack(r, series, 5); err != nil {
			t.Fatal(err)
		}
		v, err = st.Sample()
		if err := errors.Join(err, st.Close()); err != nil || v <= 0 {
			t.Errorf("back after %v ms: %v", v, err)
		}
	}
}
