package core

import (
	"fmt"
	"testing"
	"time"

	"nsmodel/core/wire"
)

func benchPlaces(b *testing.B, f func(b *testing.B, m *machine)) {
	for _, place := range bothPlacements {
		b.Run(fmt.Sprintf("place=%v", place), func(b *testing.B) {
			m := newMachine(b, setup{place: place})
			m.handle = func(w *Worker, p *Packet) { w.Deliver(p) }
			b.ReportAllocs()
			f(b, m)
		})
	}
}

func BenchmarkNewPacketDeliver(b *testing.B) {
	benchPlaces(b, func(b *testing.B, m *machine) {
		n := m.net("n")
		w := m.s.Enter()
		defer w.Leave()
		for b.Loop() {
			w.Deliver(w.NewPacket(n, 60))
		}
	})
}

func BenchmarkEnterLeave(b *testing.B) {
	m := newMachine(b, setup{})
	for b.Loop() {
		m.s.Enter().Leave()
	}
}

// BenchmarkReceiveXmit is core's share of forwarding a frame between two NICs:
// reception, the EtherType, an Ethernet header, and the driver.
func BenchmarkReceiveXmit(b *testing.B) {
	benchPlaces(b, func(b *testing.B, m *machine) {
		n := m.net("n")
		in, out := m.link(n, "in"), m.add(n, DeviceSpec{Name: "out", Driver: releaser{}, Carrier: true})
		m.ok(m.s.SetUp(out))
		m.handle = func(w *Worker, p *Packet) { out.SendTo(w, p, macA) }
		f := frame(testType, "0123456789012345678901234567890123456789012345")
		w := m.s.Enter()
		defer w.Leave()
		for b.Loop() {
			p := w.NewFrame(len(f))
			copy(p.Bytes(), f)
			in.Receive(w, p)
		}
	})
}

type releaser struct{}

func (releaser) Xmit(w *Worker, _ *Device, p *Packet) { w.Release(p) }

// BenchmarkForward is the same between two veth pairs, by the neighbour: a packet
// is queued at the router's device, drained, resolved and sent to a sink.
func BenchmarkForward(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			benchPlaces(b, func(b *testing.B, m *machine) {
				n := m.net("router")
				in := m.link(n, "in")
				out := m.add(n, DeviceSpec{Name: "out", Driver: releaser{}, Carrier: true})
				m.ok(m.s.SetUp(out))
				w := m.s.Enter()
				m.ok(m.s.SetNeighbour(w, out, addr4(1), NeighUpdate{State: NudPermanent, MAC: macA}))
				w.Leave()
				m.handle = func(w *Worker, p *Packet) { m.s.Output(w, out, addr4(1), p) }
				f := frame(testType, "0123456789012345678901234567890123456789012345")
				w = m.w
				for i := 1; b.Loop(); i++ {
					p := w.NewFrame(len(f))
					copy(p.Bytes(), f)
					in.Queue(w, p)
					if i%batch == 0 {
						w.Poll(0, 64)
					}
				}
			})
		})
	}
}

func BenchmarkNeighbourOutput(b *testing.B) {
	benchPlaces(b, func(b *testing.B, m *machine) {
		n := m.net("n")
		d := m.add(n, DeviceSpec{Name: "d", Driver: releaser{}, Carrier: true})
		m.ok(m.s.SetUp(d))
		w := m.s.Enter()
		defer w.Leave()
		for i := range 64 {
			m.ok(m.s.SetNeighbour(w, d, addr4(i), NeighUpdate{State: NudPermanent, MAC: wire.MAC{2}}))
		}
		w.now = time.Second
		i := 0
		for b.Loop() {
			p := w.NewPacket(n, 60)
			m.s.Output(w, d, addr4(i&63), p)
			i++
		}
	})
}
