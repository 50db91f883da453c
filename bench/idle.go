package bench

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"nsmodel"
	"nsmodel/netns"
)

// batchNets are taken down together.
const batchNets = 1000

// idleCases measure Nets that do nothing, and their coming and going.
func idleCases(s Sizes, where netns.Placement) []Case {
	place := where.String()
	return []Case{
		{Name: "idle_bytes_per_net", Place: place, Nets: s.IdleNets, Unit: "bytes", Better: Lower, Target: target(2048),
			What: "growth of the heap in use by Nets as `ip netns add` leaves them: named, loopback there and down; extra: growth of the process",
			open: func(r *Rig) (*stand, error) { return idleStand(r, where, false), nil }},
		{Name: "idle_up_bytes_per_net", Place: place, Nets: s.IdleNets, Unit: "bytes", Better: Lower, Target: target(4096),
			What: "the same with loopback up: 127.0.0.1/8 with its routes",
			open: func(r *Rig) (*stand, error) { return idleStand(r, where, true), nil }},
		{Name: "create_destroy_per_s", Place: place, Nets: 1, Unit: "per_s", Better: Higher, Target: target(200_000),
			What: "`ip netns add` then `ip netns del`, one after the other, each del a grace period of its own; per second of CPU of the whole process, the collector included, on one core",
			open: func(r *Rig) (*stand, error) { return createStand(r, where, 1) }},
		{Name: "create_destroy_batch_per_s", Place: place, Nets: batchNets, Unit: "per_s", Better: Higher,
			What: "the same with as many Nets made, then all deleted and taken down as one batch",
			open: func(r *Rig) (*stand, error) { return createStand(r, where, batchNets) }},
	}
}

func idleStand(r *Rig, where netns.Placement, up bool) *stand {
	resident := 0.0
	return &stand{
		rounds: r.IdleRounds, once: true,
		sample: func() (float64, error) {
			m, err := machine(where, false)
			if err != nil {
				return 0, err
			}
			heap, rss := memory()
			for i := range r.IdleNets {
				if _, err := m.AddNet(fmt.Sprintf("net%d", i)); err != nil {
					return 0, err
				}
			}
			if up {
				if err := loopbacksUp(m); err != nil {
					return 0, err
				}
			}
			heap2, rss2 := memory()
			resident = (float64(rss2) - float64(rss)) / float64(r.IdleNets)
			runtime.KeepAlive(m)
			return (float64(heap2) - float64(heap)) / float64(r.IdleNets), nil
		},
		extra: func() map[string]float64 { return map[string]float64{"resident_bytes": resident} },
	}
}

// loopbacksUp brings every Net's lo up.
func loopbacksUp(m *nsmodel.Machine) error {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	for n := range m.Sys.Nets() {
		if err := m.Core.SetUp(m.Core.Device(n, "lo")); err != nil {
			return err
		}
	}
	return nil
}

// memory returns the heap in use and the process's memory when all garbage is gone.
func memory() (heap, resident uint64) {
	m := Rest()
	return m.HeapInuse, ResidentBytes()
}

// Rest has the collector take all garbage away, gives what is free back to the
// kernel, and returns the runtime's books. Two rounds: what a pool or a finalizer
// kept survives the first.
func Rest() (m runtime.MemStats) {
	runtime.GC()
	debug.FreeOSMemory()
	runtime.ReadMemStats(&m)
	return m
}

func createStand(r *Rig, where netns.Placement, batch int) (*stand, error) {
	m, err := machine(where, false)
	if err != nil {
		return nil, err
	}
	names := make([]string, batch)
	for i := range names {
		names[i] = fmt.Sprintf("net%d", i)
	}
	cycle := addAndDelete
	if batch > 1 {
		cycle = addAndDeleteAll
	}
	return &stand{sample: func() (float64, error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		runtime.GC()
		done := 0
		start := ProcessTime()
		for ProcessTime()-start < r.Slice {
			for range max(1, 100/batch) {
				if err := cycle(m, names); err != nil {
					return 0, err
				}
				done += batch
			}
		}
		return float64(done) / (ProcessTime() - start).Seconds(), nil
	}}, nil
}

func addAndDelete(m *nsmodel.Machine, names []string) error {
	if _, err := m.AddNet(names[0]); err != nil {
		return err
	}
	return m.DeleteNet(names[0])
}

func addAndDeleteAll(m *nsmodel.Machine, names []string) error {
	for _, name := range names {
		if _, err := m.AddNet(name); err != nil {
			return err
		}
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	for _, name := range names {
		if err := m.Sys.Delete(name); err != nil {
			return err
		}
	}
	m.Sys.Reap()
	return nil
}
