package link_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/link/afpacket"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// flood sends 60 byte frames to dst until it is stopped.
func flood(c *cable, dst wire.MAC, stop *atomic.Bool) *sync.WaitGroup {
	s := c.raw()
	out := make([]afpacket.Out, afpacket.Batch)
	for i := range out {
		out[i].Data = frameOf(dst, c.mac, string(make([]byte, 46)))
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			s.Write(out)
		}
	})
	return &wg
}

// forwarded lets a forwarder run for the benchmark's time and reports its rate.
func forwarded(b *testing.B, run func(until func() bool) uint64) {
	start := time.Now()
	d := time.Duration(b.N) * 3 * time.Microsecond
	b.ResetTimer()
	n := run(func() bool { return time.Since(start) > d })
	b.StopTimer()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "frames/s")
}

// BenchmarkNICForward floods one kernel interface and counts what comes out of
// another: with bare by the leanest loop over the same sockets, with bridge and
// passthrough by the model. The ratio of the lines is what counts.
func BenchmarkNICForward(b *testing.B) {
	b.Run("way=bare", func(b *testing.B) {
		m := newMachine(b, netns.Default)
		x, y := newCable(m), newCable(m)
		open := func(name string) *afpacket.Socket {
			s, err := afpacket.Open(afpacket.Config{Interface: name, Promisc: true})
			m.ok(err)
			b.Cleanup(func() { s.Close() })
			return s
		}
		p, q := open(x.near), open(y.near)
		var stop atomic.Bool
		wg := flood(x, y.mac, &stop)
		forwarded(b, func(until func() bool) uint64 {
			n, err := afpacket.SwapLoop(p, q, until)
			m.ok(err)
			return n
		})
		stop.Store(true)
		wg.Wait()
	})
	for _, place := range placements {
		b.Run(fmt.Sprintf("way=bridge/place=%v", place), func(b *testing.B) {
			m := newMachine(b, place)
			x, y := newCable(m), newCable(m)
			n := m.net("n")
			br := m.add(n, "bridge", core.LinkSpec{})
			p, q := x.nic(n, "eth0"), y.nic(n, "eth1")
			m.ok(m.s.SetMaster(p, br))
			m.ok(m.s.SetMaster(q, br))
			m.up(br)
			var stop atomic.Bool
			wg := flood(x, y.mac, &stop)
			forwarded(b, func(until func() bool) uint64 {
				before := q.Stats().TxPackets
				for k := 0; ; k++ {
					if m.w.Poll(m.now, 64) == 0 || k%256 == 0 {
						if until() {
							break
						}
					}
				}
				return q.Stats().TxPackets - before
			})
			stop.Store(true)
			wg.Wait()
			m.ok(m.s.Unregister(p))
			m.ok(m.s.Unregister(q))
		})
	}
}

// BenchmarkNICBatch puts 64 frames before one kernel interface and measures what
// it takes to bring them out of another, the kernel's part included: the median
// over all batches, so that what else the machine does matters little. Bare reads
// and writes without a look.
func BenchmarkNICBatch(b *testing.B) {
	measure := func(b *testing.B, x *cable, dst wire.MAC, forward func() int) {
		s := x.raw()
		out := make([]afpacket.Out, afpacket.Batch)
		for i := range out {
			out[i].Data = frameOf(dst, x.mac, string(make([]byte, 46)))
		}
		var took []time.Duration
		for i := 0; i < b.N; i += len(out) {
			if _, err := s.Write(out); err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			for done := 0; done < len(out); {
				done += forward()
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/afpacket.Batch, "ns/frame")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("way=bare", func(b *testing.B) {
		m := newMachine(b, netns.Default)
		x, y := newCable(m), newCable(m)
		p, err := afpacket.Open(afpacket.Config{Interface: x.near, Promisc: true})
		m.ok(err)
		defer p.Close()
		q, err := afpacket.Open(afpacket.Config{Interface: y.near, Promisc: true})
		m.ok(err)
		defer q.Close()
		in, out := make([]afpacket.Frame, afpacket.Batch), make([]afpacket.Out, afpacket.Batch)
		measure(b, x, y.mac, func() int {
			n := p.Read(in)
			for i := range in[:n] {
				out[i] = afpacket.Out{Data: in[i].Data, Vnet: in[i].Vnet}
			}
			q.Write(out[:n])
			q.Read(in[n:]) // the other way, as SwapLoop
			return n
		})
	})
	for _, place := range placements {
		b.Run(fmt.Sprintf("way=bridge/place=%v", place), func(b *testing.B) {
			m := newMachine(b, place)
			x, y := newCable(m), newCable(m)
			n := m.net("n")
			br := m.add(n, "bridge", core.LinkSpec{})
			p, q := x.nic(n, "eth0"), y.nic(n, "eth1")
			m.ok(m.s.SetMaster(p, br))
			m.ok(m.s.SetMaster(q, br))
			m.up(br)
			measure(b, x, y.mac, func() int { return m.w.Poll(m.now, 64) })
			m.ok(m.s.Unregister(p))
			m.ok(m.s.Unregister(q))
		})
	}
}
