package netns

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// crowd boots s and adds Nets until there are count, the initial one included.
func crowd(b *testing.B, s *System, count int) []*Net {
	boot(b, s)
	nets := []*Net{s.Init()}
	for i := 1; i < count; i++ {
		nets = append(nets, add(b, s, fmt.Sprint("n", i)))
	}
	return nets
}

// each runs f for both placements and several numbers of Nets.
func each(b *testing.B, counts []int, f func(b *testing.B, place Placement, count int)) {
	for _, place := range places {
		for _, count := range counts {
			b.Run(fmt.Sprintf("place=%s/nets=%d", place, count), func(b *testing.B) {
				f(b, place, count)
			})
		}
	}
}

func BenchmarkSlotOf(b *testing.B) {
	each(b, []int{1, 1000}, func(b *testing.B, place Placement, count int) {
		s := New(Config{})
		slot := Register(s, Ops[int]{Name: "x", Place: place, Make: func() *int { return new(int) }})
		nets := crowd(b, s, count)
		for _, n := range nets {
			*slot.Own(n) = 1
		}
		n, sum := nets[count/2], 0
		for b.Loop() {
			sum += *slot.Of(n)
		}
	})
}

// BenchmarkTableGet finds one of 64 keys that every Net holds. The keys are drawn
// in a fixed cycle; nets=100000 shows what other Nets' entries cost.
func BenchmarkTableGet(b *testing.B) {
	each(b, []int{1, 1000, 100_000}, func(b *testing.B, place Placement, count int) {
		s := New(Config{})
		t := NewTable[key, int](s, "t", place, sumKey)
		nets := crowd(b, s, count)
		own := func(i int) key { return key{uint32(i), 2, 3, 6} }
		for j, n := range nets {
			for i := range 64 {
				if j != count/2 && i > 0 {
					break // the others hold one of the same keys each
				}
				if err := t.Add(n, own(i), i); err != nil {
					b.Fatal(err)
				}
			}
		}
		runtime.GC()
		n, i := nets[count/2], 0
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := t.Get(n, own(i&63)); !ok {
				b.Fatal("lost")
			}
			i++
		}
	})
}

func BenchmarkTableGetKeyed(b *testing.B) {
	each(b, []int{1}, func(b *testing.B, place Placement, count int) {
		s := New(Config{})
		t := NewTable[key, int](s, "t", place, Keyed[key]())
		n := crowd(b, s, count)[0]
		if err := t.Add(n, key{1, 2, 3, 4}, 1); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			t.Get(n, key{1, 2, 3, 4})
		}
	})
}

func BenchmarkTableAddDelete(b *testing.B) {
	each(b, []int{1}, func(b *testing.B, place Placement, count int) {
		s := New(Config{})
		t := NewTable[key, int](s, "t", place, sumKey)
		n := crowd(b, s, count)[0]
		b.ReportAllocs()
		for b.Loop() {
			t.Add(n, key{1, 2, 3, 4}, 1)
			t.Delete(n, key{1, 2, 3, 4})
		}
	})
}

func BenchmarkCellOf(b *testing.B) {
	each(b, []int{1, 1000}, func(b *testing.B, place Placement, count int) {
		s := New(Config{})
		c := NewCell(s, "c", place, func(*Net) *int { return new(int) })
		nets := crowd(b, s, count)
		for _, n := range nets {
			c.Own(n)
		}
		n, sum := nets[count/2], 0
		for b.Loop() {
			sum += *c.Of(n)
		}
	})
}

// BenchmarkCreateDestroy makes and reaps Nets in batches of 64, in a System with as
// many subsystems as the whole stack may have; one operation is one Net.
func BenchmarkCreateDestroy(b *testing.B) {
	each(b, []int{1, 1000, 100_000}, func(b *testing.B, place Placement, count int) {
		s := New(Config{})
		for i := range 8 {
			Register(s, Ops[int]{
				Name: fmt.Sprint("x", i), Place: place, Make: func() *int { return new(int) },
				Enter: func(*Net) error { return nil }, PreExit: func(*Net) {}, Exit: func(*Net, *int) {},
			})
			NewTable[key, int](s, fmt.Sprint("t", i), place, sumKey)
		}
		crowd(b, s, count)
		names := make([]string, 64)
		for i := range names {
			names[i] = fmt.Sprint("batch", i)
		}
		s.Lock()
		defer s.Unlock()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := s.NewNet(names[i&63]); err != nil {
				b.Fatal(err)
			}
			if i&63 == 63 {
				for _, name := range names {
					if err := s.Delete(name); err != nil {
						b.Fatal(err)
					}
				}
				s.Reap()
			}
		}
	})
}

// BenchmarkIdle reports what a Net costs that nobody uses.
func BenchmarkIdle(b *testing.B) {
	const count = 100_000
	for b.Loop() {
		s := New(Config{})
		for i := range 16 {
			NewTable[key, int](s, fmt.Sprint("t", i), Replicated, sumKey)
		}
		boot(b, s)
		names := make([]string, count)
		for i := range names {
			names[i] = fmt.Sprint("n", i)
		}
		before := heap()
		for _, name := range names {
			add(b, s, name)
		}
		b.ReportMetric(float64(heap()-before)/count, "bytes/net")
		runtime.KeepAlive(s)
		runtime.KeepAlive(names)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkTeardownOwn reaps a Net that holds 10,000 entries, alone or among
// 1,000,000 of others; one operation is one such Net.
func BenchmarkTeardownOwn(b *testing.B) {
	for _, place := range places {
		for _, walk := range []bool{false, true} {
			for _, others := range []int{0, 1_000_000} {
				if walk && place == Replicated {
					continue // the walk is a Tagged home's
				}
				name := fmt.Sprintf("place=%s/walk=%t/others=%d", place, walk, others)
				b.Run(name, func(b *testing.B) { benchTeardown(b, Config{Walk: walk}, place, others) })
			}
		}
	}
}

func benchTeardown(b *testing.B, c Config, place Placement, others int) {
	s := New(c)
	t := NewTable[key, int](s, "t", place, sumKey)
	for i, n := range crowd(b, s, 101) {
		for j := 0; i > 0 && j < others/100; j++ {
			if err := t.Add(n, key{uint32(j), 2, 3, 6}, j); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		b.StopTimer()
		n := add(b, s, "doomed")
		for j := range 10_000 {
			if err := t.Add(n, key{uint32(j), 2, 3, 6}, j); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		kill(b, s, "doomed")
	}
}

func BenchmarkTimer(b *testing.B) {
	for _, pending := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("pending=%d", pending), func(b *testing.B) {
			s := boot(b, New(Config{}))
			timers := make([]Timer, pending)
			for i := range timers {
				timers[i].Init(s.Init(), func(time.Duration) {})
				timers[i].Reset(time.Duration(i))
			}
			i := 0
			for b.Loop() {
				t := &timers[i%pending]
				t.Reset(time.Duration(i))
				i++
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	r := New(Config{}).NewReader()
	for b.Loop() {
		r.Enter()
		r.Exit()
	}
}
