package live_test

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"nsmodel"
	"nsmodel/live"
	"nsmodel/transport/udp"
)

// cpu is the processor time that this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestLiveIdle measures what a machine costs that has nothing to do, and how
// soon it answers when something comes. Nobody polls: one who slept through a
// packet would answer when a second is over.
func TestLiveIdle(t *testing.T) {
	for _, workers := range []int{1, 4} {
		w := newWorld(t, nsmodel.Config{Workers: workers})
		w.sh(town)
		a, b := w.net("a"), w.net("b")
		echo := w.serve(b, 7)
		w.recovers(a, "10.2.0.2:7", 100)
		runtime.GC()
		before, start := cpu(t), time.Now()
		time.Sleep(spell(500 * time.Millisecond))
		used, over := cpu(t)-before, time.Since(start)
		t.Logf("%d workers: idle, %v of %v", workers, used, over)
		if used > over/2 { // it spins: no load of other processes adds to this one's time
			t.Errorf("%d workers: an idle machine used %v of processor time in %v, as who spins", workers, used, over)
		}
		c, err := w.UDP.Dial(a, netip.AddrPort{}, netip.MustParseAddrPort("10.2.0.2:7"), udp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var took []time.Duration
		for i := range 200 {
			if i%10 == 0 {
				time.Sleep(3 * time.Millisecond) // everybody sleeps now
			}
			start := time.Now()
			c.Write([]byte("x"))
			c.SetReadDeadline(start.Add(5 * time.Second))
			if _, err := c.Read(make([]byte, 9)); err != nil {
				t.Fatalf("datagram %d: %v", i, err)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		t.Logf("%d workers: there and back through a router: median %v, worst %v", workers, took[100], took[199])
		if took[185] > 900*time.Millisecond { // of the 20 that meet sleepers most would be late
			t.Errorf("%d workers: median %v, worst %v: somebody slept on", workers, took[100], took[199])
		}
		c.Close()
		echo.Close()
		a.Put()
		b.Put()
		w.end()
	}
}

// TestLiveStopAndGo stops and starts the runner under traffic: packets wait in
// the meantime, time goes on, and nobody rings a bell that is no more.
func TestLiveStopAndGo(t *testing.T) {
	w := newWorld(t, nsmodel.Config{Workers: 2})
	w.sh(town)
	a, b := w.net("a"), w.net("b")
	echo := w.serve(b, 7)
	var crew crew
	crew.work(3, func(rng *rand.Rand) { w.ask(a, "10.2.0.2:7", rng.IntN(3000), 10*time.Millisecond) })
	crew.work(1, func(rng *rand.Rand) { w.flood(a, "10.3.0.2:7", 30) })
	last := w.Sys.Now()
	for end := time.Now().Add(spell(200 * time.Millisecond)); time.Now().Before(end); {
		w.run.Stop()
		if now := w.Sys.Now(); now < last {
			t.Fatalf("time went back from %v to %v", last, now)
		}
		last = w.Sys.Now()
		r, err := live.Start(w.Machine)
		if err != nil {
			t.Fatal(err)
		}
		w.run = r
		time.Sleep(2 * time.Millisecond)
	}
	if _, err := live.Start(w.Machine); err == nil {
		t.Error("two runners at once")
	}
	crew.end(t)
	w.recovers(a, "10.2.0.2:7", 2000)
	echo.Close()
	a.Put()
	b.Put()
	w.end()
}
