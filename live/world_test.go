package live_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"weak"

	"nsmodel"
	"nsmodel/host"
	"nsmodel/lab"
	"nsmodel/live"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// campaign makes the tests of this package run for long.
var campaign = flag.Duration("campaign", 0, "let each stress test run for `TIME` and not for a moment")

// spell is how long a stress test makes trouble.
func spell(moment time.Duration) time.Duration { return max(moment, *campaign) }

// A world is a machine that runs by the wall clock, with a user space.
type world struct {
	*nsmodel.Machine
	t      *testing.T
	host   *host.Host
	in     *lab.Interp
	run    *live.Runner
	before int // goroutines
	close  []io.Closer

	mu    sync.Mutex
	weaks []weak.Pointer[netns.Net] // that must be collected in the end
}

// mourn notes a Net that nobody may keep in the end.
func (w *world) mourn(n *netns.Net) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.weaks = append(w.weaks, weak.Make(n))
}

func newWorld(t *testing.T, c nsmodel.Config) *world {
	t.Helper()
	w := &world{t: t, before: runtime.NumGoroutine()}
	var err error
	if w.Machine, err = nsmodel.New(c); err != nil {
		t.Fatal(err)
	}
	if w.run, err = live.Start(w.Machine); err != nil {
		t.Fatal(err)
	}
	w.host = host.New(w.Machine)
	w.host.Live = true
	w.host.Create = func(string) (io.WriteCloser, error) { return nowhere{}, nil }
	w.in = lab.New(w.host)
	return w
}

// nowhere is a capture's file.
type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Close() error                { return nil }

// try carries out one command, from any goroutine.
func (w *world) try(format string, args ...any) (lab.Result, error) {
	text := fmt.Sprintf(format, args...)
	lines, err := lab.Load("stress", text+"\n")
	if err != nil || len(lines) != 1 {
		return lab.Result{}, fmt.Errorf("%q: %w", text, errors.Join(err, syscall.EINVAL))
	}
	return w.in.Run(lines[0])
}

// sh carries out commands, a line each, that must not fail.
func (w *world) sh(text string) {
	w.t.Helper()
	for line := range strings.Lines(strings.TrimSpace(text)) {
		r, err := w.try("%s", strings.TrimSpace(line))
		if err != nil || r.Exit != 0 {
			w.t.Fatalf("%s: exit %d %v %s%s", line, r.Exit, err, r.Stdout, r.Stderr)
		}
	}
}

// net returns a Net, held until the test is done with it.
func (w *world) net(name string) *netns.Net {
	w.t.Helper()
	n, err := w.Net(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// end takes the world down and says what is left over.
func (w *world) end() {
	w.t.Helper()
	for n := range w.Sys.Nets() {
		if !n.IsInit() {
			w.mourn(n)
		}
	}
	names, _ := w.host.Netns(lab.NetnsList, "")
	for _, name := range names {
		w.sh("ip netns del " + name)
	}
	if err := w.host.Close(); err != nil {
		w.t.Error(err)
	}
	w.run.Stop()
	for _, c := range w.close {
		c.Close()
	}
	if err := w.Close(); err != nil {
		w.t.Error(err)
	}
	w.Sys.Lock()
	w.Sys.Reap()
	w.Sys.Unlock()
	w.audit()
	w.graves()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > w.before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b := make([]byte, 1<<20)
			w.t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), w.before, b[:runtime.Stack(b, true)])
		}
	}
}

// audit looks into the books of a machine that stands still.
func (w *world) audit() {
	w.t.Helper()
	for range 3 {
		w.Settle() // what Stop left in backlogs
	}
	total := w.Core.TotalLedger()
	if !total.Balanced() {
		w.t.Errorf("total: %v", total)
	}
	if out := w.Core.Outstanding(); out != total.Held || out != 0 {
		w.t.Errorf("%d packets are out of the pools, %d are held, want 0", out, total.Held)
	}
	for n := range w.Sys.Nets() {
		if b := w.Core.Ledger(n); !b.Balanced() || b.Held != 0 {
			w.t.Errorf("%q: %v", n.Name(), b)
		}
	}
	if b := w.Core.DeadLedger(); !b.Balanced() || b.Held != 0 {
		w.t.Errorf("the dead: %v", b)
	}
	if c, want := w.Sys.Census(), (netns.Census{Living: 1, Memory: 1}); c != want {
		w.t.Errorf("census %+v, want %+v", c, want)
	}
	for _, s := range w.Sys.Subsystems() {
		if s.Entries > w.own(s.Name) {
			w.t.Errorf("%d entries are left in the shared table of %s", s.Entries, s.Name)
		}
	}
}

// own is how many entries of a table the initial Net may have: what is always
// there.
func (w *world) own(table string) int {
	fresh, err := nsmodel.New(nsmodel.Config{Place: w.Places()})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range fresh.Sys.Subsystems() {
		if s.Name == table {
			return s.Entries + 4 // what a Close leaves of the initial Net
		}
	}
	return 0
}

// graves sees to it that nothing keeps the dead.
func (w *world) graves() {
	w.t.Helper()
	left := 0
	for try := 0; try < 20; try++ {
		runtime.GC()
		left = 0
		for _, p := range w.weaks {
			if p.Value() != nil {
				left++
			}
		}
		if left == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	for i, p := range w.weaks {
		if n := p.Value(); n != nil {
			w.t.Logf("%d %s alive %v", i, n.Name(), n.Alive())
		}
	}
	w.t.Errorf("%d of %d dead Nets are kept by somebody", left, len(w.weaks))
}

// variants runs f with each placement and number of workers; those with two
// workers and everything tagged, or with one and everything replicated, in a
// campaign only.
func variants(t *testing.T, f func(t *testing.T, c nsmodel.Config)) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		for _, workers := range []int{1, 2, 4} {
			t.Run(fmt.Sprintf("place=%v/workers=%d", place, workers), func(t *testing.T) {
				if *campaign == 0 && (workers == 2) == (place == netns.Tagged) && workers != 4 {
					t.Skip("only with -campaign TIME, to be quick")
				}
				f(t, nsmodel.Config{Workers: workers, Place: nsmodel.AllPlaces(place), Seed: 1})
			})
		}
	}
}

// A crew are goroutines that do something over and over until they are told to
// end.
type crew struct {
	wg   sync.WaitGroup
	over atomic.Bool
}

// work lets k goroutines do f, each with a stream of chance of its own.
func (c *crew) work(k int, f func(rng *rand.Rand)) {
	for i := range k {
		c.wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), uint64(k)))
			for !c.over.Load() {
				f(rng)
			}
		})
	}
}

// end ends them; a crew that does not come home is stuck.
func (c *crew) end(t *testing.T) {
	t.Helper()
	c.over.Store(true)
	done := make(chan struct{})
	go func() { c.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		b := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "%s\n", b[:runtime.Stack(b, true)])
		t.Fatal("stuck")
	}
}

// serve echoes in n until the socket closes.
func (w *world) serve(n *netns.Net, port uint16) *udp.Conn {
	w.t.Helper()
	c, err := w.UDP.Listen(n, netip.AddrPortFrom(netip.IPv4Unspecified(), port), udp.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	go func() {
		b := make([]byte, 65536)
		for {
			k, from, err := c.ReadFromAddrPort(b)
			if err != nil {
				return
			}
			c.WriteToAddrPort(b[:k], from)
		}
	}()
	return c
}

// ask sends size bytes and reports whether they come back.
func (w *world) ask(n *netns.Net, to string, size int, wait time.Duration) error {
	c, err := w.UDP.Dial(n, netip.AddrPort{}, netip.MustParseAddrPort(to), udp.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i * 7)
	}
	if _, err := c.Write(b); err != nil {
		return err
	}
	c.SetReadDeadline(time.Now().Add(wait))
	got := make([]byte, 65536)
	k, err := c.Read(got)
	if err == nil && string(got[:k]) != string(b) {
		w.t.Errorf("%d bytes sent to %s came back as %d others", size, to, k)
	}
	return err
}

// recovers asks until there is an answer.
func (w *world) recovers(n *netns.Net, to string, size int) {
	w.t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if err = w.ask(n, to, size, 300*time.Millisecond); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	w.t.Errorf("%s asks %s with %d bytes: %v", n.Name(), to, size, err)
}

// flood sends datagrams and lets whoever answers talk to nobody.
func (w *world) flood(n *netns.Net, to string, count int) {
	c, err := w.UDP.Dial(n, netip.AddrPort{}, netip.MustParseAddrPort(to), udp.Options{})
	if err != nil {
		time.Sleep(time.Millisecond)
		return
	}
	defer c.Close()
	for range count {
		c.Write(make([]byte, 1000))
	}
}
