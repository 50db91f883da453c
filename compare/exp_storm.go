package compare

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"nsmodel"
	"nsmodel/bench"
	"nsmodel/netns"
)

// Figures of storm.
const (
	stormCost    = "cost"
	stormRate    = "rate"
	stormBacklog = "backlog"
	stormBack    = "back"
)

// stormTimes are the times at which the backlog is looked at, in % of how long
// the storm lasts.
func stormTimes() []int { return []int{10, 25, 50, 75, 100, 125, 150, 200, 300, 500} }

// storm asks what making and ending namespaces costs, and how far the ending
// lags behind.
func storm() *Experiment {
	at := func(series string, x float64) Point { return Point{series, x} }
	return &Experiment{
		Number: 4, Name: "storm",
		Question: "What does a namespace's coming and going cost, by how many go together; how many dead ones wait during a storm, and when is their memory back?",
		Sources: []string{
			"google/syzkaller#3369, ioi/isolate#34: creation is serialised for the host, destruction lags behind and eats memory",
			"net: batch destruction of namespaces (2b035b399707, 2009): 4,000 in 44 s, where it had been 7 minutes",
			"speedup netns create/delete (8ca712c373a4, 2017): from 50 to 5 ms for a pair",
			"net: exit_batch_rtnl (b6b614558ed5, 2024): rtnl_lock is unfair to the one thread that cleans up",
		},
		Workload: "cost and rate: batches of 1 to 100 namespaces (default 300, full 1,000) are made, then let go of together. Backlog: a storm of 20,000 (kernel: 200; default 1,000) namespaces, each let go of as soon as it is made, while one worker cleans up, as cleanup_net does; back: storms of 100 to 10,000 (kernel: to 1,000). " +
			"Nobody is in them, no device but loopback. Tagged: all tables shared, replicated: all own; kernel: TCP's and UDP's shared, or own ones of 1,024 buckets",
		Measured: "cost: CPU time of a namespace made and gone, in us: model the whole process's, its collector's included, kernel the process's and its workers' until they rest. Rate: namespaces made and gone per second of wall clock. " +
			"Backlog: the most dead ones that still took memory since the time before, in % of the storm's; kernel: objects in the slab net_namespace, those of whoever else makes some among them. Back: from the end of the storm until the last is gone, in ms: model the heap in use after a collection is what it was, kernel as for the rate",
		Expected: "Batches save the kernel little CPU time but most of the waiting: a cleanup waits for grace periods of some ten milliseconds in all, whether for one namespace or a thousand, so the rate grows in proportion to the batch until CPU time bounds it, from about 10 on. The model's grace period costs nothing when no reader is inside, so a batch changes little there. " +
			"Own tables cost the model next to nothing, since they are made when the first entry comes; they cost the kernel two allocations each way, some 10 %. In a storm the kernel's backlog grows to most of the storm, as creation does not wait for cleanup, and it is worked off in about as long again; the model's cleaner takes the same lock as the creator and keeps up, as cleaning is cheaper than making: below 10 %.",
		Kernel: "unshare(CLONE_NEWNET) in namespaces of its own; tcp_child_ehash_entries and udp_child_hash_entries at 0 and 1,024. For the rate and the end of a storm, in a user namespace whose max_net_namespaces refuses the next batch until the last one is counted no more, which is the end of cleanup_net",
		Figures: []Figure{
			{Name: stormCost, Title: "A namespace made and gone, in batches", X: "namespaces in a batch", Y: "CPU time of a namespace (us)", LogX: true, LogY: true},
			{Name: stormRate, Title: "Namespaces made and gone, in batches", X: "namespaces in a batch", Y: "namespaces per second", LogX: true, LogY: true},
			{Name: stormBacklog, Title: "The backlog of a storm", X: "time (% of the storm's length)", Y: "dead namespaces not yet gone (% of the storm's)"},
			{Name: stormBack, Title: "When a storm's memory is back", X: "namespaces in the storm", Y: "time since the storm's end (ms)", LogX: true, LogY: true},
		},
		Pairs: []Pair{
			{Name: "CPU time, batches of 100 : one by one, tagged", Figure: stormCost, Lower: true, Above: at(Tagged, 100), Below: at(Tagged, 1),
				Cause: "Each of the kernel's cleanups has a part that is the same for any number (perf on cleanup_net, one by one against hundreds): the walk of the shared TCP table for TIME_WAIT, inet_twsk_purge, was a fifth of it, and calls to all processors for its grace periods a sixth; in batches neither is to be seen. The model has no TCP yet, and its grace period is a look at the readers' counters"},
			{Name: "CPU time, own tables : shared, batches of 100", Figure: stormCost, Lower: true, Above: at(Replicated, 100), Below: at(Tagged, 100)},
			{Name: "rate, batches of 100 : one by one, tagged", Figure: stormRate, Above: at(Tagged, 100), Below: at(Tagged, 1),
				Cause: "The kernel waits: against figure cost, a single cleanup takes some thirty times as long by the clock as it works, for grace periods and rcu_barrier, and a batch waits once. The model's Synchronize returns at once when no reader is inside, so that there is nothing to share"},
			{Name: "rate, own tables : shared, batches of 100", Figure: stormRate, Above: at(Replicated, 100), Below: at(Tagged, 100)},
			{Name: "memory back, storms of 1,000 : of 100, tagged", Figure: stormBack, Lower: true, Above: at(Tagged, 1000), Below: at(Tagged, 100),
				Cause: "What is left at the end of a storm is what cleanup_net has not got at yet, which is whole batches and varies from storm to storm (figure backlog); the model's cleaner is through with all but a few, and what its memory waits for is one collection of the heap, which does not grow with the storm"},
		},
		Run:    stormRun,
		Answer: stormAnswer,
	}
}

func stormRun(r *Run) error {
	batches := []int{1, 100}
	if r.Scale == Usual || r.Scale == Full {
		batches = []int{1, 10, 100, Pick(r, 300, 300, 1000)}
	}
	both := []string{Tagged, Replicated}
	var cost, rate []Arm
	for _, k := range batches {
		for _, s := range both {
			key := func(fig, side string) Key { return Key{fig, side, s, float64(k)} }
			model := &curve{open: func() (func() ([]float64, error), func() error, error) { return stormModelBatch(r, s, k) }}
			cost = append(cost, model.arm(key(stormCost, Model), 0),
				Arm{key(stormCost, Kernel), func() (*Stand, error) { return stormKernelCost(r, s, k) }})
			// The same batches, by two clocks.
			cost = append(cost, model.arm(key(stormRate, Model), 1))
			rate = append(rate, Arm{key(stormRate, Kernel), func() (*Stand, error) { return stormKernelRate(r, s, k) }})
		}
	}
	if err := r.Group("namespaces made and gone in batches", cost...); err != nil {
		return err
	}
	if err := r.Group("kernel: the rate of batches", rate...); err != nil {
		return err
	}
	var arms []Arm
	for _, s := range both {
		model := &curve{open: func() (func() ([]float64, error), func() error, error) {
			return func() ([]float64, error) { return stormModel(s, Pick(r, 20_000, 20_000, 100_000)) }, nil, nil
		}}
		kernel := &curve{times: Pick(r, 3, 7, 15), cold: true, open: func() (func() ([]float64, error), func() error, error) {
			return func() ([]float64, error) { return stormKernel(s, Pick(r, 200, 1000, 3000)) }, nil, r.canStorm(s)
		}}
		for i, x := range stormTimes() {
			arms = append(arms, model.arm(Key{stormBacklog, Model, s, float64(x)}, i), kernel.arm(Key{stormBacklog, Kernel, s, float64(x)}, i))
		}
	}
	if err := r.Group("the backlog of storms", arms...); err != nil {
		return err
	}
	arms = nil
	for _, n := range []int{100, 1000, 10_000} {
		for _, s := range both {
			k := Pick(r, n, n, n)
			model := &curve{open: func() (func() ([]float64, error), func() error, error) {
				return func() ([]float64, error) { return stormModel(s, k) }, nil, nil
			}}
			arms = append(arms, model.arm(Key{stormBack, Model, s, float64(k)}, len(stormTimes())))
			if n <= 1000 {
				arms = append(arms, Arm{Key{stormBack, Kernel, s, float64(k)}, func() (*Stand, error) { return stormKernelBack(r, s, k) }})
			}
		}
	}
	return r.Group("the end of storms", arms...)
}

// stormModelBatch returns what makes and ends batches, and samples the CPU time
// of one namespace in us and how many come and go in a second.
func stormModelBatch(r *Run, series string, batch int) (func() ([]float64, error), func() error, error) {
	m, err := newMachine(nsmodel.Config{Place: nsmodel.AllPlaces(place(series))})
	if err != nil {
		return nil, nil, err
	}
	return func() ([]float64, error) {
		runtime.GC() // one's own garbage only
		done, cpu, start := 0, bench.ProcessTime(), time.Now()
		for done == 0 || time.Since(start) < r.slice() {
			if err := stormBatch(m, batch); err != nil {
				return nil, err
			}
			done += batch
		}
		return []float64{(bench.ProcessTime() - cpu).Seconds() * 1e6 / float64(done), float64(done) / time.Since(start).Seconds()}, nil
	}, nil, nil
}

// stormBatch makes k namespaces and ends them together.
func stormBatch(m *nsmodel.Machine, k int) error {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	all := make([]*netns.Net, k)
	for i := range all {
		var err error
		if all[i], err = m.Sys.NewNet(""); err != nil {
			return err
		}
	}
	for _, n := range all {
		n.Put()
	}
	m.Sys.Reap()
	return nil
}

// A backlog is noted as a storm goes on.
type backlog struct {
	at    []time.Duration // since the storm began
	dead  []int
	ended time.Duration // when the last namespace was let go of
	back  time.Duration // when all was as before
}

// values returns the largest backlog between each of stormTimes and the one
// before in % of n, and in ms how long after the storm the memory was back.
func (b *backlog) values(n int) []float64 {
	var all []float64
	last, i := 0, 0 // it stays as it was seen until it is seen again
	for _, x := range stormTimes() {
		most := last
		for until := b.ended * time.Duration(x) / 100; i < len(b.at) && b.at[i] <= until; i++ {
			last = max(0, b.dead[i]) // others' may have gone meanwhile
			most = max(most, last)
		}
		if i == len(b.at) {
			last = 0 // nobody looked any more: it was over
		}
		all = append(all, 100*float64(most)/float64(n))
	}
	return append(all, (b.back-b.ended).Seconds()*1000)
}

// stormModel lets n namespaces come and go at once while one worker cleans up.
func stormModel(series string, n int) ([]float64, error) {
	m, err := newMachine(nsmodel.Config{Place: nsmodel.AllPlaces(place(series))})
	if err != nil {
		return nil, err
	}
	heap := heapInUse()
	var over atomic.Bool
	done := make(chan struct{})
	go func() { // cleanup_net's
		defer close(done)
		for last := false; ; last = over.Load() {
			m.Sys.Lock()
			reaped := m.Sys.Reap()
			m.Sys.Unlock()
			if reaped > 0 {
				continue
			}
			if last {
				return
			}
			runtime.Gosched()
		}
	}()
	b, watched, start := new(backlog), make(chan struct{}), time.Now()
	go func() {
		defer close(watched)
		for {
			c := m.Sys.Census()
			b.at, b.dead = append(b.at, time.Since(start)), append(b.dead, c.Memory-c.Living)
			select {
			case <-done:
				return
			default:
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	for range n {
		m.Sys.Lock()
		o, err2 := m.Sys.NewNet("")
		m.Sys.Unlock()
		if err2 != nil {
			err = err2
			break
		}
		o.Put()
	}
	b.ended = time.Since(start)
	over.Store(true)
	<-done
	<-watched
	if err != nil {
		return nil, err
	}
	// A Net of its own takes more than 100 bytes.
	for range 10 {
		stays := heapInUse() - heap
		if b.back = time.Since(start); stays < 100*int64(n)+1<<18 {
			runtime.KeepAlive(m)
			return b.values(n), nil
		}
	}
	return nil, fmt.Errorf("%d bytes stay of %d namespaces", heapInUse()-heap, n)
}

// heapInUse returns the bytes of the heap in use when all garbage is gone.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func stormAnswer(d *Data) string {
	k, _ := d.Largest(stormCost, Model, Tagged)
	var first, rest string
	for _, w := range []struct{ side, who string }{{Model, "the model"}, {Kernel, "the kernel"}} {
		at := func(fig, series string, x float64) Key { return Key{fig, w.side, series, x} }
		if len(d.Values(at(stormCost, Tagged, 1))) == 0 {
			continue
		}
		peak := 0.0
		for _, x := range stormTimes() {
			peak = max(peak, d.Stat(at(stormBacklog, Tagged, float64(x))).Median)
		}
		if first != "" {
			first += "; "
		}
		first += fmt.Sprintf("%s takes %s us of CPU time for a namespace that comes and goes alone; its rate in batches of %.0f is, against one by one, %v; and a storm leaves at most %s %% of its namespaces dead and not yet gone",
			w.who, short(d.Stat(at(stormCost, Tagged, 1)).Median), k, d.Ratio(at(stormRate, Tagged, k), at(stormRate, Tagged, 1)), short(peak))
		rest += fmt.Sprintf(" In batches %s's CPU time is, against one by one, %v; own tables cost, against shared ones, %v; %s ms after a storm of 1,000 the memory is back.",
			w.who, d.Ratio(at(stormCost, Tagged, k), at(stormCost, Tagged, 1)), d.Ratio(at(stormCost, Replicated, k), at(stormCost, Tagged, k)), short(d.Stat(at(stormBack, Tagged, 1000)).Median))
	}
	return "T" + first[1:] + "." + rest
}
