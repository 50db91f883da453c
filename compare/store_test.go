package compare

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// count is an experiment of two groups that counts how often it is measured.
func count(n *int, fail error) *Experiment {
	arm := func(series string) Arm {
		return Arm{Key{"f", Model, series, 1}, func() (*Stand, error) {
			return &Stand{Rounds: 3, Cold: true, Sample: func() (float64, error) { *n++; return float64(*n), nil }}, nil
		}}
	}
	return &Experiment{Name: "count", Figures: []Figure{{Name: "f"}}, Run: func(r *Run) error {
		if err := r.Group("first", arm("a"), Arm{Key{"f", Kernel, "k", 1}, func() (*Stand, error) { return nil, fmt.Errorf("%w: no sysctl", ErrNotHere) }}); err != nil {
			return err
		}
		if err := r.Group("nothing"); err != nil {
			return err
		}
		if fail != nil {
			return fail
		}
		return r.Group("second", arm("b"))
	}}
}

// do runs an experiment on what dir holds.
func do(t *testing.T, dir string, e *Experiment, o Origin, again bool) (s *Store, notes []string, err error) {
	t.Helper()
	s, err = OpenStore(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Begin(o, []*Experiment{e}, again); err != nil {
		return s, nil, err
	}
	r := NewRun(Tiny, s)
	r.Boxed = true
	_, err = r.Do(e)
	return s, r.Notes(), err
}

// A run that ended early goes on where it stopped: what was measured is not
// measured again, nor what could not be had, and the notes of it stay.
func TestResume(t *testing.T) {
	dir, n, o := t.TempDir(), 0, Origin{Scale: "tiny", Commit: "c"}
	broken := errors.New("broken")
	if s, _, err := do(t, dir, count(&n, broken), o, false); !errors.Is(err, broken) || !strings.Contains(s.Record(count(&n, nil)).Failed, "broken") {
		t.Fatalf("%v, failed %q", err, s.Record(count(&n, nil)).Failed)
	}
	if n != 3 {
		t.Fatalf("%d samples before it broke", n)
	}
	for range 2 {
		s, notes, err := do(t, dir, count(&n, nil), o, false)
		if err != nil || n != 6 {
			t.Errorf("%v, %d samples", err, n)
		}
		want := []string{"first, kernel k: not measured: no sysctl"}
		if !slices.Equal(notes, want) || !slices.Equal(s.Notes(count(&n, nil)), want) {
			t.Errorf("notes %q, kept %q", notes, s.Notes(count(&n, nil)))
		}
		if rec := s.Record(count(&n, nil)); rec.Failed != "" || rec.Origin != o || len(rec.Sessions) != 2 {
			t.Errorf("record %+v", rec)
		}
	}
}

// Samples of another scale, commit or computer are refused before anything is
// measured, and stay as they are.
func TestOriginsDoNotMix(t *testing.T) {
	dir, n, o := t.TempDir(), 0, Origin{Scale: "tiny", Commit: "c", Cores: 2}
	e := count(&n, nil)
	if _, _, err := do(t, dir, e, o, false); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, samplesFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []Origin{{Scale: "full", Commit: "c", Cores: 2}, {Scale: "tiny", Commit: "d", Cores: 2}, {Scale: "tiny", Commit: "c", Cores: 3}} {
		if _, _, err := do(t, dir, e, other, false); !errors.Is(err, syscall.EEXIST) || !strings.Contains(err.Error(), "count") {
			t.Errorf("%v: %v", other, err)
		}
	}
	if after, err := os.ReadFile(filepath.Join(dir, samplesFile)); err != nil || string(after) != string(before) || n != 6 {
		t.Errorf("%d samples, %v:\n%s", n, err, after)
	}
	// Samples of which nothing is known are of another origin as well.
	if err := os.Remove(filepath.Join(dir, recordsFile)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := do(t, dir, e, o, false); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("no record: %v", err)
	}
}

// --again measures the named experiment anew and leaves the others alone; how
// long it took is remembered.
func TestAgain(t *testing.T) {
	dir, n, o := t.TempDir(), 0, Origin{Commit: "c"}
	e := count(&n, nil)
	if _, _, err := do(t, dir, e, o, false); err != nil {
		t.Fatal(err)
	}
	other := &Experiment{Name: "other"}
	s, err := OpenStore(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.add(Sample{"other", Key{"f", Model, "a", 1}, 0, 7}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s, _, err = do(t, dir, e, Origin{Commit: "d"}, true)
	if err != nil || n != 12 {
		t.Fatalf("%v, %d samples", err, n)
	}
	a := Key{"f", Model, "a", 1}
	for what, s := range map[string]*Store{"memory": s, "file": mustRead(t, dir)} {
		if got := s.Of(e).Values(a); !slices.Equal(got, []float64{7, 8, 9}) {
			t.Errorf("%s: %v", what, got)
		}
		if got := s.Of(other).Values(a); !slices.Equal(got, []float64{7}) {
			t.Errorf("%s, the other's: %v", what, got)
		}
		if took := s.Record(e).Earlier["second"]; took <= 0 {
			t.Errorf("%s: took %v earlier", what, took)
		}
	}
}

func mustRead(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := ReadStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A plan lists what is going to be measured and measures nothing.
func TestPlan(t *testing.T) {
	s, err := OpenStore("", true)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	r := NewRun(Tiny, s)
	r.Progress = func(s Step) { t.Errorf("told of %+v", s) }
	var got []string
	for _, g := range r.Plan(count(&n, nil)) {
		got = append(got, fmt.Sprint(g.What, g.Arms))
	}
	if !slices.Equal(got, []string{"first2", "second1"}) || n != 0 {
		t.Errorf("planned %v, measured %d", got, n)
	}
}

// Every experiment can be planned at every scale.
func TestExperimentsPlan(t *testing.T) {
	s, err := OpenStore("", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, scale := range []Scale{Quick, Usual, Full} {
		r := NewRun(scale, s)
		for _, e := range All() {
			seen := map[string]bool{}
			for _, g := range r.Plan(e) {
				if seen[g.What] {
					t.Errorf("%s has two groups %q", e.Name, g.What)
				}
				seen[g.What] = true
			}
			if len(seen) == 0 {
				t.Errorf("%s, %v: no groups", e.Name, scale)
			}
		}
	}
}

// Two processes do not measure into one directory.
func TestStoreIsLocked(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenStore(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(dir, true); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenStore(dir, true); err != nil {
		t.Fatalf("after it: %v", err)
	}
	s.Close()
}

func TestQuartiles(t *testing.T) {
	for _, c := range []struct {
		values    []float64
		low, high float64
	}{{[]float64{5}, 5, 5}, {[]float64{4, 1, 3, 2, 5}, 2, 4}, {[]float64{1, 2, 3, 4}, 1.75, 3.25}} {
		if low, high := quartiles(c.values); low != c.low || high != c.high {
			t.Errorf("of %v: %v to %v, want %v to %v", c.values, low, high, c.low, c.high)
		}
	}
}
