package compare

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nsmodel/internal/linux"
)

func TestMain(m *testing.M) {
	Main()
	linux.Probe()
	os.Exit(m.Run())
}

// Every experiment says what the issue of it is, before anything is measured.
func TestExperimentsAreWhole(t *testing.T) {
	for i, e := range All() {
		if i > 0 && e.Number <= All()[i-1].Number {
			t.Errorf("%s is number %d, after %d", e.Name, e.Number, All()[i-1].Number)
		}
		for what, text := range map[string]string{"question": e.Question, "workload": e.Workload, "measured": e.Measured, "expected": e.Expected, "kernel": e.Kernel} {
			if len(text) < 20 {
				t.Errorf("%s: %s is %q", e.Name, what, text)
			}
		}
		if len(e.Sources) == 0 || len(e.Figures) == 0 {
			t.Errorf("%s: %d sources, %d figures", e.Name, len(e.Sources), len(e.Figures))
		}
		for _, p := range e.Pairs {
			if !slices.ContainsFunc(e.Figures, func(f Figure) bool { return f.Name == p.Figure }) {
				t.Errorf("%s: pair %q is of no figure", e.Name, p.Name)
			}
		}
	}
}

// Every experiment runs, at no size, and can be answered from what it measured;
// a second run finds all of it in the store.
func TestExperimentsRun(t *testing.T) {
	for _, e := range All() {
		t.Run(e.Name, func(t *testing.T) {
			dir := t.TempDir()
			store, err := OpenStore(dir, true)
			if err != nil {
				t.Fatal(err)
			}
			r := NewRun(Tiny, store)
			r.Why = errors.New("not in this test")
			d, err := r.Do(e)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range e.Figures {
				// Of some figures the model has no part.
				if len(d.Keys(f.Name)) == 0 && !strings.HasSuffix(f.Name, "-kernel") {
					t.Errorf("nothing was measured for %s", f.Name)
				}
			}
			if text := e.Answer(d); strings.Contains(text, "not measured") || strings.Contains(text, "NaN") {
				t.Errorf("answer: %s", text)
			}
			first := len(store.samples)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			if store, err = OpenStore(dir, true); err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			r = NewRun(Tiny, store)
			r.Progress = func(s Step) {
				if !s.Skipped {
					t.Errorf("measured again: %s", s.What)
				}
			}
			if _, err := r.Do(e); err != nil {
				t.Fatal(err)
			}
			if len(store.samples) != first {
				t.Errorf("%d samples, %d after reading them", first, len(store.samples))
			}
		})
	}
}

// The interval of a median is the sign test's: known values from tables.
func TestInterval(t *testing.T) {
	for _, c := range []struct{ k, low, high int }{{1, 0, 0}, {5, 0, 4}, {6, 0, 5}, {9, 1, 7}, {11, 1, 9}, {15, 3, 11}, {20, 5, 14}, {25, 7, 17}} {
		if low, high := interval(c.k); low != c.low || high != c.high {
			t.Errorf("of %d values: %d to %d, want %d to %d", c.k, low, high, c.low, c.high)
		}
	}
}

func TestRatio(t *testing.T) {
	steady := []float64{10, 10, 10, 10, 10, 10, 10}
	twice := []float64{20, 21, 19, 20, 20, 22, 20}
	wild := []float64{5, 30, 8, 14, 2, 19, 11}
	for _, c := range []struct {
		name         string
		above, below []float64
		sign         int
	}{
		{"twice", twice, steady, 1}, {"half", steady, twice, -1}, {"the same", steady, steady, 0},
		{"wider than the effect", wild, steady, 0}, {"nothing", nil, steady, 0},
	} {
		r := ratioOf(c.above, c.below)
		if r.Sign() != c.sign {
			t.Errorf("%s: sign %d of %v", c.name, r.Sign(), r)
		}
		if none := strings.Contains(r.String(), "no difference seen"); none != (c.sign == 0 && r.N > 0) {
			t.Errorf("%s: %v", c.name, r)
		}
	}
}

func TestPrediction(t *testing.T) {
	ratio := func(v float64) Ratio { return Ratio{Stat{v, v * 0.95, v * 1.05, 9}} }
	for _, c := range []struct {
		model, kernel float64
		sign          bool
	}{{2, 2.1, true}, {2, 0.5, false}, {1, 1, true}, {1.04, 1.1, true}, {1, 3, false}} {
		p := Prediction{Model: ratio(c.model), Kernel: ratio(c.kernel)}
		if p.SameSign() != c.sign {
			t.Errorf("model x%v, kernel x%v: same sign %v", c.model, c.kernel, p.SameSign())
		}
	}
}

// The model's difference, 400, on the kernel's 1000 is x1.4, whatever the model's
// own base of 100 makes of it.
func TestPlaced(t *testing.T) {
	d := &Data{values: map[Key][]float64{}}
	for k, v := range map[Key]float64{{"f", Model, Tagged, 1}: 500, {"f", Model, Replicated, 1}: 100, {"f", Kernel, Tagged, 1}: 1500, {"f", Kernel, Replicated, 1}: 1000} {
		d.put(k, v)
	}
	e := &Experiment{Pairs: []Pair{{Figure: "f", Lower: true, Above: Point{Tagged, 1}, Below: Point{Replicated, 1}}, {Figure: "g"}}}
	ps := e.Predictions(d)
	if p := ps[0]; math.Abs(p.Placed-1.4) > 1e-9 || math.Abs(p.PlacedOff()-(1-1.4/1.5)) > 1e-9 || p.Model.Median != 5 {
		t.Errorf("%+v", p)
	}
	if p := ps[1]; p.Measured() || !math.IsNaN(p.Placed) {
		t.Errorf("not measured: %+v", p)
	}
}

// Where the model has only the part that differs, 400 more of it are x1.4 on the
// kernel's 1000, and of a kernel that was not measured there is no ratio.
func TestPart(t *testing.T) {
	d := &Data{values: map[Key][]float64{}}
	for range 9 {
		d.put(Key{"f", Model, Tagged, 1}, 500)
		d.put(Key{"f", Model, Replicated, 1}, 100)
	}
	e := &Experiment{Pairs: []Pair{{Figure: "f", Lower: true, Part: true, Above: Point{Tagged, 1}, Below: Point{Replicated, 1}}}}
	if p := e.Predictions(d)[0]; p.Model.N != 0 {
		t.Errorf("without the kernel: %v", p.Model)
	}
	for range 9 {
		d.put(Key{"f", Kernel, Tagged, 1}, 1400)
		d.put(Key{"f", Kernel, Replicated, 1}, 1000)
	}
	if p := e.Predictions(d)[0]; math.Abs(p.Model.Median-1.4) > 1e-9 || p.Model.Sign() != 1 || !p.SameSign() {
		t.Errorf("%v", p)
	}
}

// A store that was cut off in the middle of a line loses that line only.
func TestStoreTorn(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenStore(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	k := Key{"f", Model, Tagged, 1e6}
	if err := s.add(Sample{"e", k, 0, 1.5}, Sample{"e", k, 1, 2.5}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.file.WriteString("e,f,model,tag"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenStore(dir, true); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Of(&Experiment{Name: "e"}).Values(k); !slices.Equal(got, []float64{1.5, 2.5}) {
		t.Errorf("read back %v", got)
	}
}

func TestFind(t *testing.T) {
	if all, err := Find(nil); err != nil || len(all) != len(All()) {
		t.Errorf("Find of nothing: %d, %v", len(all), err)
	}
	if some, err := Find([]string{"2"}); err != nil || some[0].Name != "same-port" {
		t.Errorf("Find of 2: %v, %v", some, err)
	}
	if _, err := Find([]string{"no-such"}); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "same-port") {
		t.Errorf("Find of no such: %v", err)
	}
	if _, err := OpenStore(filepath.Join(t.TempDir(), "a", "b"), false); err != nil {
		t.Errorf("a directory that is not there yet: %v", err)
	}
}
