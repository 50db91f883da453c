package afpacket_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nsmodel/core/link/afpacket"
)

// rings are the ring layouts that tests and benchmarks compare.
var rings = []struct {
	name string
	c    afpacket.Config
}{
	{"v2", afpacket.Config{Ring: afpacket.RingV2}},
	{"v3", afpacket.Config{Ring: afpacket.RingV3}},
}

// flood sends batches of frames of n bytes as fast as the wire takes them until
// stop; it returns the number sent.
func flood(w *wire, s *afpacket.Socket, n int, stop *atomic.Bool) uint64 {
	out := make([]afpacket.Out, afpacket.Batch)
	for i := range out {
		out[i].Data = w.frame(n, 1)
	}
	var sent uint64
	for !stop.Load() {
		k, _ := s.Write(out)
		sent += uint64(k)
	}
	return sent
}

func BenchmarkReceive(b *testing.B) {
	for _, size := range []int{60, 1514} {
		for _, r := range rings {
			b.Run(fmt.Sprintf("ring=%s/size=%d", r.name, size), func(b *testing.B) {
				w := newWire(b)
				s, far := w.open(r.c), w.openFar(afpacket.Config{})
				var stop atomic.Bool
				var wg sync.WaitGroup
				wg.Go(func() { flood(w, far, size, &stop) })
				batch := make([]afpacket.Frame, afpacket.Batch)
				var sum byte
				b.ResetTimer()
				got := 0
				for got < b.N {
					n := s.Read(batch)
					for i := range batch[:n] {
						sum += batch[i].Data[len(batch[i].Data)-1]
					}
					got += n
					if n == 0 {
						s.Wait(10)
					}
				}
				b.StopTimer()
				b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "frames/s")
				stop.Store(true)
				wg.Wait()
			})
		}
	}
}

func BenchmarkSend(b *testing.B) {
	for _, qdisc := range []bool{false, true} {
		for _, size := range []int{60, 1514} {
			b.Run(fmt.Sprintf("qdisc=%v/size=%d", qdisc, size), func(b *testing.B) {
				w := newWire(b)
				s := w.open(afpacket.Config{Qdisc: qdisc})
				out := make([]afpacket.Out, afpacket.Batch)
				for i := range out {
					out[i].Data = w.frame(size, 1)
				}
				b.ResetTimer()
				for sent := 0; sent < b.N; {
					n, _ := s.Write(out)
					sent += n
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
			})
		}
	}
}

// BenchmarkEcho measures one frame's way there and back, one at a time, as a
// ping does: the far end sends, the near end waits for it and sends it back.
func BenchmarkEcho(b *testing.B) {
	for _, r := range rings {
		b.Run("ring="+r.name, func(b *testing.B) {
			w := newWire(b)
			s, far := w.open(r.c), w.openFar(afpacket.Config{Ring: afpacket.RingV2})
			var stop atomic.Bool
			var wg sync.WaitGroup
			wg.Go(func() {
				batch, out := make([]afpacket.Frame, afpacket.Batch), make([]afpacket.Out, afpacket.Batch)
				for !stop.Load() {
					n := s.Read(batch)
					for i := range batch[:n] {
						out[i] = afpacket.Out{Data: batch[i].Data, Vnet: batch[i].Vnet}
					}
					s.Write(out[:n])
					if n == 0 {
						s.Wait(100)
					}
				}
			})
			time.Sleep(50 * time.Millisecond)
			out := []afpacket.Out{{Data: w.frame(98, 1)}}
			in := make([]afpacket.Frame, afpacket.Batch)
			var rtt []time.Duration
			b.ResetTimer()
			for range b.N {
				start := time.Now()
				if n, err := far.Write(out); n != 1 {
					b.Fatal(err)
				}
				for got := false; !got; {
					far.Wait(1000)
					for _, f := range in[:far.Read(in)] {
						got = got || experimental(&f)
					}
				}
				rtt = append(rtt, time.Since(start))
			}
			b.StopTimer()
			slices.Sort(rtt)
			b.ReportMetric(float64(rtt[len(rtt)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(rtt[len(rtt)*99/100].Microseconds()), "p99-us")
			stop.Store(true)
			wg.Wait()
		})
	}
}

// BenchmarkSwapLoop floods one wire and counts what the yardstick forwards to
// another.
func BenchmarkSwapLoop(b *testing.B) {
	for _, r := range rings {
		b.Run("ring="+r.name, func(b *testing.B) {
			w, w2 := newWire(b), newWire(b)
			s, s2, far := w.open(r.c), w2.open(r.c), w.openFar(afpacket.Config{})
			var stop atomic.Bool
			var sent uint64
			var wg sync.WaitGroup
			wg.Go(func() { sent = flood(w, far, 60, &stop) })
			b.ResetTimer()
			var polls int
			start := time.Now()
			n, err := afpacket.SwapLoop(s, s2, func() bool {
				polls++
				return time.Since(start) > time.Duration(b.N)*time.Microsecond*3
			})
			b.StopTimer()
			if err != nil {
				b.Fatal(err)
			}
			stop.Store(true)
			wg.Wait()
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "frames/s")
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "offered/s")
		})
	}
}
