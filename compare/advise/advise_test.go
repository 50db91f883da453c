package advise

import (
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nsmodel"
	"nsmodel/netns"
)

// A law that was planted is found again: coefficients of sizes far apart, a term
// that is not there, noise of a few hundredths.
func TestFitFindsPlantedLaw(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	want := []float64{20, 0, 1.5, 3e-4}
	var rows []row
	for range 300 {
		x := []float64{1, 100 * rng.Float64(), math.Exp(8 * rng.Float64()), 1e6 * rng.Float64()}
		y := 0.0
		for i, c := range want {
			y += c * x[i]
		}
		rows = append(rows, row{x: x, y: y * (1 + 0.02*rng.NormFloat64())})
	}
	l, err := fit("planted", "ns", []string{"1", "nothing", "x", "y"}, rows)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range want {
		if off := math.Abs(l.Coef[i] - c); off > max(0.05*c, 0.02) {
			t.Errorf("coefficient of %s is %v, want %v", l.Terms[i], l.Coef[i], c)
		}
	}
	if l.Error.Median > 0.03 || l.Error.Worst < l.Error.Median || l.Error.Held != 100 || l.Error.Fitted != 200 {
		t.Errorf("error %+v", l.Error)
	}
}

// What is left beside a law that is known may be below zero at some points: it is
// fitted by its share of the whole, so that the points where hardly anything is left
// do not decide.
func TestFitBeside(t *testing.T) {
	var rows []row
	for i := range 30 {
		x := float64(i)
		known := 100 + 10*x
		noise := []float64{-4, 5, -1}[i%3]
		rows = append(rows, row{x: []float64{1, x}, y: 3*x + noise, of: known + 3*x})
	}
	l, err := fit("beside", "ns", []string{"1", "x"}, rows)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(l.Coef[1]-3) > 0.2 || l.Error.Worst > 0.05 {
		t.Errorf("%v, error %+v", l.Coef, l.Error)
	}
}

// No coefficient is below zero, even where that would fit best.
func TestFitNeverNegative(t *testing.T) {
	var rows []row
	for i := range 30 {
		x := float64(i + 1)
		rows = append(rows, row{x: []float64{1, x, x * x}, y: 100 - x}) // the best has -1 for x
	}
	l, err := fit("falling", "ns", []string{"1", "x", "xx"}, rows)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range l.Coef {
		if c < 0 {
			t.Errorf("coefficient of %s is %v", l.Terms[i], c)
		}
	}
	if l.Coef[0] < 70 {
		t.Errorf("constant %v", l.Coef[0])
	}
}

// The error is that at points which the fit has not seen: points that are held
// back and wrong do not move the law, and show in the error in full.
func TestErrorIsOfHeldBackPoints(t *testing.T) {
	var rows []row
	for i := range 30 {
		x := float64(i + 1)
		y := 5 * x
		if held(i, 30) {
			y *= 2
		}
		rows = append(rows, row{x: []float64{x}, y: y})
	}
	l, err := fit("law", "ns", []string{"x"}, rows)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(l.Coef[0]-5) > 1e-9 {
		t.Errorf("points that were held back moved the law to %v", l.Coef[0])
	}
	if math.Abs(l.Error.Median-0.5) > 1e-9 || math.Abs(l.Error.Worst-0.5) > 1e-9 {
		t.Errorf("error %+v, want a half", l.Error)
	}
	// What both laws share in error does not blur their quotient.
	if e := ratioError(&l, &l, rows, rows); e.Worst > 1e-9 || e.Held != 10 {
		t.Errorf("error of the quotient %+v", e)
	}
}

func TestFitRefuses(t *testing.T) {
	good := row{x: []float64{1, 2}, y: 3}
	for name, rows := range map[string][]row{
		"too few points":  {good, good, good},
		"a point of zero": {good, good, good, good, good, {x: []float64{1, 2}}},
		"no number":       {good, good, good, good, good, {x: []float64{1, 2}, y: math.NaN()}},
		"a term too many": {good, good, good, good, good, {x: []float64{1, 2, 3}, y: 1}},
	} {
		if _, err := fit(name, "ns", []string{"1", "x"}, rows); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLatency(t *testing.T) {
	l := Latency{Bytes: []float64{1 << 10, 1 << 20}, NS: []float64{1, 101}}
	for bytes, want := range map[float64]float64{1: 1, 1 << 10: 1, 1 << 15: 51, 1 << 20: 101, 1 << 30: 101} {
		if got := l.At(bytes); math.Abs(got-want) > 1e-9 {
			t.Errorf("L(%v) = %v, want %v", bytes, got, want)
		}
	}
}

// Spreads keep the number of Nets and of entries, and big is big.
func TestShares(t *testing.T) {
	for _, spread := range Spreads() {
		for _, nets := range []int{1, 2, 3, 1000, 12345} {
			s := scene{shares: shares(spread, nets, 10)}
			if math.Abs(s.nets()-float64(nets)) > 1e-6 || math.Abs(s.all()-10*float64(nets)) > 1e-3*float64(nets) {
				t.Errorf("%s over %d: %v Nets, %v entries", spread, nets, s.nets(), s.all())
			}
		}
	}
	if g := shares(Big, 100, 10)[0]; g.nets != 1 || g.entries != 500 {
		t.Errorf("big: %+v", g)
	}
	list := shares(Zipf, 1000, 10)
	if first := list[0].entries; math.Abs(first/list[len(list)-1].entries-760) > 100 { // 1 to the mean of 1/512 ... 1/1000
		t.Errorf("zipf: %+v", list)
	}
}

// What is the first of its kind in a burst is all of a burst of one, and less and
// less of a long one among few entries.
func TestFirsts(t *testing.T) {
	for _, c := range []struct {
		e     float64
		burst int
		want  float64
	}{{100, 1, 1}, {1, 10, 0.1}, {2, 2, 0.75}, {1e9, 100, 1}, {10, 1000, 0.01}} {
		if got := firsts(c.e, c.burst); math.Abs(got-c.want) > 0.001 {
			t.Errorf("firsts(%v, %d) = %v, want %v", c.e, c.burst, got, c.want)
		}
	}
}

// Chains: a shared table of fixed size has those of all in one's way, an own one
// only one's own; tables that grow have none to speak of.
func TestChain(t *testing.T) {
	s := scene{place: netns.Tagged, shares: []share{{100, 64}}, buckets: 64}
	if got := s.chain(s.shares[0]); got != 50 {
		t.Errorf("shared: %v", got)
	}
	if s.place = netns.Replicated; s.chain(s.shares[0]) != 0.5 {
		t.Errorf("own: %v", s.chain(s.shares[0]))
	}
	if s.buckets = 0; s.chain(s.shares[0]) != 0 {
		t.Errorf("growing: %v", s.chain(s.shares[0]))
	}
}

func TestWorkloadIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Workload){
		"no Nets":            func(w *Workload) { w.Nets = 0 },
		"fewer than none":    func(w *Workload) { w.Entries = -1 },
		"spread":             func(w *Workload) { w.Spread = "gauss" },
		"path":               func(w *Workload) { w.Path = "" },
		"packets":            func(w *Workload) { w.Packets = math.NaN() },
		"lookups":            func(w *Workload) { w.Lookups = math.Inf(1) },
		"churn":              func(w *Workload) { w.Churn = -1 },
		"lives":              func(w *Workload) { w.Lives = -0.5 },
		"burst":              func(w *Workload) { w.Burst = 0 },
		"memory":             func(w *Workload) { w.Memory = -1 },
		"buckets":            func(w *Workload) { w.Buckets = -1 },
		"unknown word":       func(w *Workload) { w.Of = map[string]int{"tcp": 1} },
		"negative of a word": func(w *Workload) { w.Of = map[string]int{"udp": -1} },
		"too many":           func(w *Workload) { w.Nets, w.Entries = 1e8, 1e8 },
	} {
		w := Usual()
		spoil(&w)
		if err := w.Check(); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := Usual()
	if err := w.Check(); err != nil {
		t.Errorf("usual: %v", err)
	}
}

// Reading the clock takes less than what is read with it, and is not nothing.
func TestClockTakes(t *testing.T) {
	if d := clockTakes(); d <= 0 || d > time.Millisecond {
		t.Errorf("%v", d)
	}
}

// A probe looks where it says: with the entries of 500 strangers before its own it
// takes several times as long.
func TestProbesLook(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, s := range subsystems() {
		if s.probe == nil || s.kind == Listeners {
			continue
		}
		var runs []func(int) error
		for _, crowd := range []int{0, 500} {
			town, list, err := probed(s)
			if err != nil {
				t.Fatal(err)
			}
			for i := range crowd {
				if err := errors.Join(town.settle(i), town.furnish(i, 1)); err != nil {
					t.Fatal(err)
				}
			}
			runs = append(runs, list[len(list)-1])
		}
		ns, err := turns(50*time.Microsecond, 5, runs)
		if err != nil {
			t.Fatal(err)
		}
		if ns[1] < 2*ns[0] {
			t.Errorf("%s: %.0f ns, with 500 strangers %.0f", s.word, ns[0], ns[1])
		}
	}
}

// Packets of every path arrive, in machines where IPv6 is off by default and where
// it is not, beside Nets with entries.
func TestPathsArrive(t *testing.T) {
	for _, on := range []bool{false, true} {
		m, err := nsmodel.New(nsmodel.Config{Seed: 1, IPv6: on})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range Paths() {
			run, err := newPath(m, name)
			if err != nil {
				t.Fatalf("IPv6 %v: %s: %v", on, name, err)
			}
			for _, k := range []int{1, 100} {
				if err := run(k); err != nil {
					t.Errorf("IPv6 %v: %s: %v", on, name, err)
				}
			}
		}
	}
}

// Every word of a placement is a subsystem here, in the same order.
func TestEverySubsystem(t *testing.T) {
	var words []string
	for _, s := range subsystems() {
		words = append(words, s.word)
		if s.isolation == "" || s.entry == "" || s.kind == "" || s.add != nil && s.most == 0 {
			t.Errorf("%s: %+v", s.word, s)
		}
	}
	if got := Unmeasured(); len(got) > 0 { // a further one wants a home
		t.Errorf("not measured: %q", got)
	}
	if want := strings.Split(nsmodel.PlaceWords(), ", "); !slices.Equal(words, want) {
		t.Errorf("%q, want %q", words, want)
	}
}

// A calibration runs at no size, knows every subsystem, gives advice, is the same
// after it was filed, and a check of its advice measures all that can be.
func TestMeasure(t *testing.T) {
	c, err := Measure(Tiny, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a", "b.json")
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	back, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	w := Usual()
	w.Nets, w.Entries = 10, 5
	a, err := back.Advise(w)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Choices) != len(subsystems()) {
		t.Errorf("%d choices", len(a.Choices))
	}
	for _, ch := range a.Choices {
		for _, x := range []Cost{ch.Tagged, ch.Replicated} {
			for name, v := range map[string]float64{"lookup": x.LookNS, "bytes": x.Bytes, "end": x.EndNS, "cpu": x.CPU, "birth": x.BirthNS} {
				if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 || name == "lookup" && v == 0 {
					t.Errorf("%s: %s is %v", ch.Subsystem, name, v)
				}
			}
		}
	}
	// A fragment lies in one table, a socket in two, a device under two keys of one.
	for word, want := range map[string]Homes{"frags": {Each: 1, Tables: 1}, "udp": {Each: 2, Tables: 2}, "devices": {First: 4, Each: 2, Tables: 1}, "fib": {First: 1, Tables: 1}, "hooks": {Any: 1, Tables: 1}} {
		if h := c.Homes[word]; h.Each != want.Each || h.Tables != want.Tables || h.First != want.First || h.Any != want.Any {
			t.Errorf("%s: %v at first, %v with any, %v for each in %v tables", word, h.First, h.Any, h.Each, h.Tables)
		}
	}
	list, err := back.Check(w, []string{"udp", "neigh", "mib"}, nil)
	if err != nil || len(list) != 9 {
		t.Fatalf("check: %d figures, %v", len(list), err)
	}
	for _, k := range list {
		if k.Missing == "" && !(k.Tagged.Measured > 0 && k.Replicated.Measured > 0 && k.Tagged.Predicted > 0 && k.Replicated.Predicted > 0) {
			t.Errorf("check: %+v", k)
		}
		if k.Subsystem == "neigh" && k.Missing != "" {
			t.Errorf("check: %+v", k)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	c := planted()
	c.Form = form - 1
	path := filepath.Join(t.TempDir(), "old")
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an old form: %v", err)
	}
}
