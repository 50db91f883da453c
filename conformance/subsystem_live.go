package conformance

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"
)

// race: operations, dumps, births, deaths and the machine's own work go on at
// once, from several goroutines. Afterwards a limit that was raced for holds, and
// nothing is left. Under -race this is where unguarded state shows.
func (b *battery[H]) race(t *rapid.T) {
	sh := anyPlace(t)
	sh.Config.Workers = 2
	nets := []string{"a", "b", "c", "d"}
	steps := b.draw(t, "steps", nets, 40)
	w := b.open(t, sh.String(), sh, nets...)
	limit := ""
	if b.Fill != nil {
		lone := b.open(t, "alone", sh, "a", "b")
		count, _ := lone.fill("a", 0, 1)
		limit = fmt.Sprint(count)
	}
	b.note(fmt.Sprintf("%d goroutines carry out %d operations each in a, b, c and d, while these die and are born again (%s)", 4, len(steps), sh))
	w.live = true
	var crash atomic.Pointer[string]
	var wg sync.WaitGroup
	run := func(f func()) {
		wg.Go(func() {
			defer func() {
				if e := recover(); e != nil {
					text := fmt.Sprintf("%v\n%s", e, debug.Stack())
					crash.CompareAndSwap(nil, &text)
				}
			}()
			f()
		})
	}
	var stop atomic.Bool
	driver := make(chan struct{})
	go func() {
		defer close(driver)
		for !stop.Load() {
			w.m.Advance(20 * time.Millisecond)
			runtime.Gosched()
		}
	}()
	for g := range 4 {
		run(func() {
			for i := range steps {
				w.do(steps[(i+g*len(steps)/4)%len(steps)])
			}
		})
	}
	run(func() {
		for range 30 {
			for n := range w.m.Sys.Nets() {
				if n.Hold() {
					b.Dump(w.call(n))
					n.Put()
				}
			}
		}
	})
	run(func() {
		for i := range 12 {
			net := nets[i%len(nets)]
			w.kill(net)
			w.birth(net)
		}
	})
	wg.Wait()
	stop.Store(true)
	<-driver
	if p := crash.Load(); p == nil && b.Fill != nil { // while no time passes
		b.raceForLimit(t, w, run, &wg, limit)
	}
	if p := crash.Load(); p != nil {
		b.fail(t, "there the subsystem crashed: %s", *p)
	}
	w.live = false
	b.end(t, w, true)
}

// raceForLimit lets four goroutines bring a new Net to its limit together.
func (b *battery[H]) raceForLimit(t *rapid.T, w *world[H], run func(func()), wg *sync.WaitGroup, limit string) {
	w.kill("a", "b")
	w.birth("a")
	w.birth("b")
	var all atomic.Int64
	for g := range 4 {
		run(func() {
			count, _ := w.fill("a", g, 4)
			all.Add(int64(count))
		})
	}
	wg.Wait()
	b.note("four goroutines bring a to its limit together")(fmt.Sprint(all.Load()))
	if got := fmt.Sprint(all.Load()); got != limit {
		b.fail(t, "here a limit of %s lets %s through: between the look at it and the addition others get in", limit, got)
	}
}

// leaks: Nets are born, used and die, over and over. The memory that is in use,
// the goroutines, the timers and the packets stay as many.
func (b *battery[H]) leaks(t *rapid.T) {
	sh := anyPlace(t)
	steps := b.draw(t, "steps", []string{"a", "b"}, 12, sleep, move)
	w := b.open(t, sh.String(), sh)
	const cycles, windows = 20, 5
	goroutines := runtime.NumGoroutine()
	use := func() uint64 {
		for range cycles {
			w.birth("a")
			w.birth("b")
			for _, s := range steps {
				w.do(s)
			}
			w.kill("a", "b")
			w.born = w.born[:0]
		}
		w.readers.gone(b.patience)
		collect()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	w.fillPools()
	use()
	last := use()
	grown, least := 0, uint64(1<<62)
	for range windows {
		now := use()
		if now >= last+2*cycles*8 {
			grown++
			least = min(least, now-last)
		}
		last = now
	}
	for _, s := range steps {
		b.note(s.String())
	}
	b.note(fmt.Sprintf("a and b die; all that %d times over (%s)", (windows+2)*cycles, sh))
	if grown == windows {
		b.fail(t, "here memory grows with every Net that lived, by at least %d bytes each: look for a map or a list that keeps what their end should take away", least/(2*cycles))
	}
	if !wait(b.patience, func() bool { return runtime.NumGoroutine() <= goroutines }) {
		b.fail(t, "here %d goroutines are left that were not there before", runtime.NumGoroutine()-goroutines)
	}
	b.end(t, w, false)
}

// fillPools sends frames that nobody wants through the machine until its packet
// pools have the size that they keep: their growth is no leak.
func (w *world[H]) fillPools() {
	w.birth("a")
	n := w.net("a")
	for range 20 {
		ctx := w.m.Core.Enter()
		for range 64 {
			p := ctx.NewFrame(64)
			clear(p.Bytes())
			w.m.Core.Device(n, "nic0").Queue(ctx, p)
		}
		ctx.Leave()
		w.settle()
	}
	n.Put()
	w.kill("a")
}
