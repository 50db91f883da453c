//go:build linux

package lockstep

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/lab"
)

// Options say what [Run] does.
type Options struct {
	Seed  uint64         // the first lab's; the next ones follow
	For   time.Duration  // how long new labs are begun; 0: no bound
	Place nsmodel.Places // where the model's state stands
	Labs  int            // how many; 0: no bound
	Boxes int            // sandboxes at once; 0: [Boxes]
	Six   bool           // labs about IPv6, instead of those about all else
	Out   string         // where the labs of disagreements go; "": nowhere
	// Shrink bounds how many runs are spent on making one lab smaller; 0: 250.
	Shrink int
	// Tell, if not nil, is told how things stand once a second.
	Tell func(Tally)
	// Found, if not nil, is told of each new disagreement, from several goroutines.
	Found func(*Find)
	// Against is what the model is compared with; nil is the real kernel. A
	// run's errors are its own.
	Against func(lines []lab.Line) ([]conformance.Step, error)
}

// Boxes is how many sandboxes work at once unless told otherwise. A lab mostly
// waits: for a ping's answer, for a namespace's end.
const Boxes = 6

// A Tally is how things stand.
type Tally struct {
	Elapsed                                time.Duration
	Next                                   uint64 // the seed to go on from: all before it are done
	Labs, Commands, Packets, States        int
	Disagreements, Distinct, Unsteady, Bad int
	Seeds                                  []uint64      // of the distinct disagreements
	InKernel, InModel                      time.Duration // summed over sandboxes
}

// String is the tally as the closing line has it.
func (t Tally) String() string {
	s := fmt.Sprintf("generated: %d labs, %d commands, %d states and %d packets compared, %d disagreements", t.Labs, t.Commands, t.States, t.Packets, t.Distinct)
	if len(t.Seeds) > 0 {
		s += fmt.Sprintf(" (seeds %d)", t.Seeds)
	}
	return s
}

// A Find is a distinct disagreement.
type Find struct {
	Seed      uint64
	Signature string
	Lines     []lab.Line // shrunk
	*Disagreement
	Path string // of the lab on disk, "" if there is none
}

// A runner is one run.
type runner struct {
	o     Options
	start time.Time

	mu      sync.Mutex
	next    uint64
	under   map[uint64]bool // seeds under way
	tally   Tally
	met     map[string]bool
	failure error
}

// Run draws labs and compares them until it is told to stop, by options or ctx.
// The error says why it could not be done.
func Run(ctx context.Context, o Options) (Tally, error) {
	r := &runner{o: o, start: time.Now(), next: o.Seed, under: map[uint64]bool{}, met: map[string]bool{}}
	if r.o.Boxes == 0 {
		r.o.Boxes = Boxes
	}
	if r.o.Shrink == 0 {
		r.o.Shrink = 250
	}
	if r.o.Against == nil {
		boxes, err := conformance.NewSandboxes(r.o.Boxes)
		if err != nil {
			return Tally{}, err
		}
		defer boxes.Close()
		r.o.Against = boxes.Steps
	}
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	var wg sync.WaitGroup
	for range r.o.Boxes {
		wg.Go(func() { r.work(ctx) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-done:
			return r.now(), r.failure
		case <-second.C:
			if o.Tell != nil {
				o.Tell(r.now())
			}
		}
	}
}

// now returns how things stand.
func (r *runner) now() Tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tally
	t.Elapsed = time.Since(r.start)
	t.Next = r.next
	for seed := range r.under {
		t.Next = min(t.Next, seed)
	}
	return t
}

// take returns the next seed.
func (r *runner) take(ctx context.Context) (seed uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil || r.failure != nil || r.o.Labs > 0 && r.next >= r.o.Seed+uint64(r.o.Labs) {
		return 0, false
	}
	seed = r.next
	r.next++
	r.under[seed] = true
	return seed, true
}

func (r *runner) work(ctx context.Context) {
	for {
		seed, ok := r.take(ctx)
		if !ok {
			return
		}
		err := r.judge(ctx, seed)
		r.mu.Lock()
		delete(r.under, seed)
		if err != nil && r.failure == nil {
			r.failure = fmt.Errorf("seed %d: %w", seed, err)
		}
		r.mu.Unlock()
	}
}

// judge draws a lab, compares it, and looks into a disagreement.
func (r *runner) judge(ctx context.Context, seed uint64) error {
	name := fmt.Sprintf("seed-%d.lab", seed)
	lines, err := lab.Load(name, Draw(seed, r.o.Six))
	if err != nil {
		return fmt.Errorf("the generator wrote what is no lab: %w", err)
	}
	if r.o.Six {
		lines = settled(lines)
	}
	d, err := r.compare(lines, true)
	if err != nil || d == nil {
		return err
	}
	r.mu.Lock()
	r.tally.Disagreements++
	known := r.met[d.Signature()]
	r.mu.Unlock()
	if known {
		return nil
	}
	again, err := r.compare(lines, false)
	if err != nil {
		return err
	}
	if again == nil || again.Signature() != d.Signature() {
		r.mu.Lock()
		r.tally.Unsteady++
		r.mu.Unlock()
		return nil
	}
	f := r.shrink(ctx, seed, lines, d)
	r.mu.Lock()
	defer r.mu.Unlock()
	known = r.met[f.Signature]
	r.met[f.Signature], r.met[d.Signature()] = true, true
	if known {
		return nil
	}
	r.tally.Distinct++
	r.tally.Seeds = append(r.tally.Seeds, seed)
	if err := f.write(r.o.Out); err != nil {
		return err
	}
	if r.o.Found != nil {
		r.o.Found(f)
	}
	return nil
}

// compare runs lines on both sides.
func (r *runner) compare(lines []lab.Line, count bool) (*Disagreement, error) {
	begin := time.Now()
	linux, err := r.o.Against(lines)
	if err != nil {
		return nil, err
	}
	middle := time.Now()
	model, err := conformance.StepsOnModel(lines, conformance.Variant{Config: nsmodel.Config{Place: r.o.Place}}, func(i int) []string { return linux[i].Asked() })
	if err != nil {
		return nil, fmt.Errorf("on the model: %w", err)
	}
	if count {
		r.mu.Lock()
		r.tally.Labs++
		r.tally.Commands += len(lines)
		for i := range linux {
			r.tally.Packets += len(linux[i].Wires)
			r.tally.States += len(linux[i].States)
		}
		r.tally.InKernel += middle.Sub(begin)
		r.tally.InModel += time.Since(middle)
		r.mu.Unlock()
	}
	return Compare(conformance.Text(lines), model, linux), nil
}

// shrink makes a disagreement's lab small. What is left need not show the same
// diff to the letter, but the same kind of diff.
func (r *runner) shrink(ctx context.Context, seed uint64, lines []lab.Line, d *Disagreement) *Find {
	lines = lines[:d.Step+1]
	last := d
	want := d.kind()
	small := conformance.Shrink(lines, func(part []lab.Line) bool {
		if r.o.Six {
			part = settled(part)
		}
		got, err := r.compare(part, false)
		if err != nil || got == nil || got.kind() != want {
			return false
		}
		last = got
		return true
	}, r.o.Shrink)
	if r.o.Six {
		small = settled(small)
	}
	if got, err := r.compare(small, false); err == nil && got != nil {
		last = got
	}
	return &Find{Seed: seed, Signature: last.Signature(), Lines: small, Disagreement: last}
}

// write puts the lab on disk, ready to be filed.
func (f *Find) write(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f.Path = filepath.Join(dir, fmt.Sprintf("gen-%d.lab", f.Seed))
	return os.WriteFile(f.Path, []byte(labText([]string{fmt.Sprintf("Generated from seed %d, %s.", f.Seed, conformance.Kernel())}, f.Lines, f.Disagreement)), 0o644)
}
