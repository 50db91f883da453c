package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"nsmodel"
	"nsmodel/host"
	"nsmodel/lab"
	"nsmodel/live"
	"nsmodel/netns"
)

// A Config says what is soaked and for how long.
type Config struct {
	// Machine is how the machine is built. Its seed chooses what the crews do,
	// but not when: what runs by the wall clock cannot be replayed.
	Machine nsmodel.Config
	// For is how long the crews work.
	For time.Duration
	// Kernel says that kernel interfaces may be made in the network namespace of
	// this process, which must be its own: the machine gets NICs on them.
	Kernel bool
	// Out is told of the progress, a line a second.
	Out io.Writer
}

// A Report is what a soak has come to.
type Report struct {
	Frames   uint64        // thrown
	Nets     uint64        // made and destroyed
	Flaps    uint64        // of NICs: up, down, moved, unplugged
	Talks    uint64        // exchanges of bystanders
	Commands uint64        // that changed something in the town
	Took     time.Duration // from the first crew to the last
	Plateaus []Plateau     // in the order of time
	End      Gauge         // when everything was gone
	Faults   []string      // what did not hold, the first of them
}

// Ok reports whether everything held.
func (r *Report) Ok() bool { return len(r.Faults) == 0 }

// String is the verdict in one line.
func (r *Report) String() string {
	verdict := "ok"
	if !r.Ok() {
		verdict = fmt.Sprintf("FAILED, %d faults", len(r.Faults))
	}
	return fmt.Sprintf("soak: %d frames, %d namespaces, %d NIC flaps in %v: %s", r.Frames, r.Nets, r.Flaps, r.Took.Round(time.Second/10), verdict)
}

// An ordeal is a soak under way.
type ordeal struct {
	c      Config
	m      *nsmodel.Machine
	host   *host.Host
	in     *lab.Interp
	run    *live.Runner
	corpus []Frame
	empty  string // what the tables of such a machine hold when it is closed
	quiet  string // what is seen of the innocents
	living int    // Nets that stay: the initial one, the innocents, the bystanders

	folk   [24]citizen
	nics   []*nic
	talks  []*talk
	cables []*cable

	gate sync.RWMutex // a crew acts under its read half; a plateau takes the other
	wg   sync.WaitGroup
	over chan struct{} // closed when the crews are to go home

	hurry bool // a test that waits for what never comes does not wait for long

	frames, nets, flaps, exchanges, commands atomic.Uint64
	readers                                  atomic.Int64 // that wait in sockets
	serial                                   atomic.Uint64

	mu     sync.Mutex
	faults []string
	graves Graves
}

// faultsMax is how many faults are kept; of many the first tell most.
const faultsMax = 20

// fault notes what did not hold.
func (o *ordeal) fault(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if len(o.faults) < faultsMax {
		o.faults = append(o.faults, text)
		fmt.Fprintf(o.c.Out, "soak: FAULT: %s\n", text)
	}
}

// mourn notes a Net that nobody may keep once it is gone.
func (o *ordeal) mourn(n *netns.Net) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.graves = append(o.graves, weak.Make(n))
}

// Run soaks a machine until the time is over or ctx is done, then destroys
// everything and looks at what is left. The error says why it could not even
// begin; what did not hold is in the report.
func Run(ctx context.Context, c Config) (*Report, error) {
	if c.Out == nil {
		c.Out = io.Discard
	}
	o := &ordeal{c: c, over: make(chan struct{})}
	var err error
	if o.corpus, err = Corpus(); err != nil {
		return nil, err
	}
	if o.empty, err = closedEntries(c.Machine); err != nil {
		return nil, err
	}
	before := gauge()
	if err := o.build(); err != nil {
		o.destroy()
		return nil, err
	}
	r := new(Report)
	start := time.Now()
	o.crews()
	r.Plateaus = o.watch(ctx, start)
	o.home()
	r.Took = time.Since(start)
	r.Frames, r.Nets, r.Flaps = o.frames.Load(), o.nets.Load(), o.flaps.Load()
	r.Talks, r.Commands = o.exchanges.Load(), o.commands.Load()
	o.sayPlateau("end of the run", r.Plateaus[len(r.Plateaus)-1].Gauge)
	o.destroy()
	o.m, o.host, o.in, o.run = nil, nil, nil, nil
	r.End = o.after(before)
	if bad := flat(r.Plateaus); bad != "" {
		o.fault("%s", bad)
	}
	r.Faults = o.faults
	return r, nil
}

// closedEntries is what the tables of a machine hold after its Close, if nothing
// has ever happened on it.
func closedEntries(c nsmodel.Config) (string, error) {
	m, err := nsmodel.New(c)
	if err != nil {
		return "", err
	}
	if err := m.Close(); err != nil {
		return "", err
	}
	return Entries(m), nil
}

// build makes the machine with the town, the innocents and the bystanders.
func (o *ordeal) build() (err error) {
	if o.m, err = nsmodel.New(o.c.Machine); err != nil {
		return err
	}
	if o.run, err = live.Start(o.m); err != nil {
		return err
	}
	o.host = host.New(o.m)
	o.host.Live = true
	o.host.Create = func(string) (io.WriteCloser, error) { return nowhere{io.Discard}, nil }
	o.in = lab.New(o.host)
	o.fillPools()
	if _, err = run(o.in, innocents); err != nil {
		return err
	}
	if err = o.buildTalks(); err != nil {
		return err
	}
	if err = o.buildWires(); err != nil {
		return err
	}
	if o.c.Kernel {
		if err = o.buildCables(); err != nil {
			return err
		}
	}
	o.living = o.m.Sys.Census().Living
	if o.quiet, err = o.innocents(); err != nil {
		return err
	}
	_, err = run(o.in, town+town6)
	return err
}

// innocents returns what is to be seen of those with whom nobody talks: all but
// ages.
func (o *ordeal) innocents() (string, error) {
	var b strings.Builder
	for _, name := range []string{"east", "west"} {
		text := strings.ReplaceAll(strings.ReplaceAll(view, "ip -s -n $N neigh", "ip -n $N neigh"), "$N", name)
		seen, err := run(o.in, text)
		if err != nil {
			return "", err
		}
		n, err := o.m.Net(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s%v\nsockets %d\n", seen, o.m.Core.Ledger(n), len(o.m.UDP.Sockets(n)))
		n.Put()
	}
	return b.String(), nil
}

// crews sends everybody to work.
func (o *ordeal) crews() {
	o.crew(1, 2, o.throw)
	o.crew(2, 2, o.live)
	o.crew(3, 1, o.bare)
	o.crew(4, 1, o.flap)
	o.crew(5, 2, o.trouble)
	o.crew(6, 1, o.wares)
	o.crew(9, 1, o.live6)
	o.crew(10, 1, o.trouble6)
	o.crew(11, 1, o.wares6)
	for _, t := range o.talks {
		o.crew(7, 1, t.once)
	}
	for _, c := range o.cables {
		o.crew(8, 1, c.once)
	}
}

// crew lets k goroutines do f over and over, each with chance of its own, and
// rest between as long as f says.
func (o *ordeal) crew(kind uint64, k int, f func(rng *rand.Rand) time.Duration) {
	for range k {
		rng := rand.New(rand.NewPCG(o.c.Machine.Seed, kind<<32|o.serial.Add(1)))
		o.wg.Go(func() {
			for {
				o.gate.RLock()
				rest := f(rng)
				o.gate.RUnlock()
				select {
				case <-o.over:
					return
				case <-time.After(rest):
				}
			}
		})
	}
}

// home waits for the crews to end; one that does not is stuck, and nothing can
// be checked any more.
func (o *ordeal) home() {
	close(o.over)
	done := make(chan struct{})
	go func() { o.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		panic("soak: a crew does not come home within a minute")
	}
}

// destroy takes everything down and looks at the books.
func (o *ordeal) destroy() {
	if o.m == nil {
		return
	}
	for _, c := range o.cables {
		c.close()
	}
	for _, t := range o.talks {
		t.close()
	}
	if err := errors.Join(o.endNets(), o.host.Close()); err != nil {
		o.fault("the end: %v", err)
	}
	o.run.Stop()
	if err := o.m.Close(); err != nil {
		o.fault("the machine's end: %v", err)
	}
	o.m.Sys.Lock()
	o.m.Sys.Reap()
	o.m.Sys.Unlock()
	o.m.Advance(time.Minute) // the initial Net's unfinished fragments: it does not die
	if bad := Leftovers(o.m, o.empty); bad != "" {
		o.fault("after the end of everything: %s", bad)
	}
	o.talks, o.cables, o.nics = nil, nil, nil
}

// endNets deletes every Net that has a name.
func (o *ordeal) endNets() error {
	names, err := o.host.Netns(lab.NetnsList, "")
	errs := []error{err}
	for n := range o.m.Sys.Nets() {
		if !n.IsInit() {
			o.mourn(n)
		}
	}
	for _, name := range names {
		_, err := run(o.in, "ip netns del "+name+"\n")
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
