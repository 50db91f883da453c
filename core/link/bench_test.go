package link_test

import (
	"fmt"
	"testing"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// forwarder is a machine in which one frame is sent and arrives, again and again.
type forwarder struct {
	m    *machine
	from *core.Device
	to   wire.MAC
}

// turn moves one frame from end to end.
func (f *forwarder) turn() {
	w := f.m.s.Enter()
	p := w.NewPacket(f.from.Net(), 46)
	p.Protocol = testType
	f.from.SendTo(w, p, f.to)
	w.Leave()
	for f.m.w.Poll(f.m.now, 64) > 0 {
	}
}

// burst moves 32 frames from end to end, as a busy machine does.
func (f *forwarder) burst() {
	w := f.m.s.Enter()
	for range 32 {
		p := w.NewPacket(f.from.Net(), 46)
		p.Protocol = testType
		f.from.SendTo(w, p, f.to)
	}
	w.Leave()
	for f.m.w.Poll(f.m.now, 64) > 0 {
	}
}

func newForwarder(t testing.TB, place netns.Placement, kind string) *forwarder {
	m := newMachine(t, place)
	m.deaf = true
	f := &forwarder{m: m}
	switch kind {
	case "veth":
		a, b := m.veth(m.net("a"), "a", m.net("b"), "b")
		f.from, f.to = a, b.Addr()
	case "bridge":
		_, _, e := bridged(m, 2)
		f.from, f.to = e[0], e[1].Addr()
		for _, d := range e {
			m.send(d, wire.BroadcastMAC(), "learn")
		}
		m.run()
	case "flood":
		_, _, e := bridged(m, 4)
		f.from, f.to = e[0], wire.BroadcastMAC()
	case "passthrough":
		a, b := m.veth(m.net("a"), "a", m.net("b"), "b")
		pt := m.add(m.net("c"), "passthrough", core.LinkSpec{Lower: a})
		m.up(pt)
		f.from, f.to = pt, b.Addr()
	}
	f.burst()
	return f
}

var kinds = []string{"veth", "bridge", "flood", "passthrough"}

func TestForwardingAllocatesNothing(t *testing.T) {
	for _, place := range placements {
		for _, kind := range kinds {
			f := newForwarder(t, place, kind)
			if n := testing.AllocsPerRun(1000, f.turn); n != 0 {
				t.Errorf("place=%v %s: %v allocations a frame", place, kind, n)
			}
			f.m.balance()
			f.m.sys.Unlock()
			f.m.sys.Lock()
		}
	}
}

// BenchmarkForward is the cost of a frame from its birth to its delivery: with
// veth one crossing, with bridge two and a look into the forwarding table.
func BenchmarkForward(b *testing.B) {
	for _, kind := range kinds {
		for _, place := range placements {
			b.Run(fmt.Sprintf("kind=%s/place=%v", kind, place), func(b *testing.B) {
				f := newForwarder(b, place, kind)
				b.ReportAllocs()
				for i := 0; i < b.N; i += 32 {
					f.burst()
				}
			})
		}
	}
}
