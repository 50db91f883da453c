package ipv4

import (
	"fmt"
	"net/netip"
	"testing"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// router makes a Net that forwards from in, 10.1.0.1/24, to out, 10.2.0.1/24,
// behind which 10.9.0.0/16 is.
func (m *machine) router(name string) (n *netns.Net, in, out *core.Device, tap *tapDriver) {
	n = m.net(name)
	tap = &tapDriver{}
	in = m.device(n, "in", &tapDriver{}, 1, "10.1.0.1/24")
	out = m.device(n, "out", tap, 2, "10.2.0.1/24")
	m.sysctl(n, "net.ipv4.ip_forward", "1")
	m.via(n, "10.9.0.0/16", "10.2.0.2", out)
	m.neighbour(out, "10.2.0.2", 9)
	m.neighbour(in, "10.1.0.2", 8)
	return
}

// forwarder returns a function that lets one packet through a router.
func (m *machine) forwarder(in *core.Device) (step func(), done func()) {
	ip := packet("10.1.0.2", "10.9.3.4", 17, datagram("10.1.0.2", "10.9.3.4", 18), nil)
	frame := make([]byte, wire.EthernetLen+len(ip))
	wire.PutEthernet(frame, in.Addr(), wire.MAC{2, 0, 0, 0, 1, 1}, wire.EtherTypeIPv4)
	copy(frame[wire.EthernetLen:], ip)
	w := m.core.Enter()
	return func() {
		p := w.NewFrame(len(frame))
		copy(p.Bytes(), frame)
		in.Receive(w, p)
	}, w.Leave
}

func BenchmarkForward(b *testing.B) {
	for _, place := range placements {
		for _, nets := range []int{1, 1000} {
			b.Run(fmt.Sprintf("place=%v/nets=%d", place, nets), func(b *testing.B) {
				m := newMachine(b, place)
				_, in, _, _ := m.router("r")
				for i := 1; i < nets; i++ {
					m.router(fmt.Sprint("other", i))
				}
				step, done := m.forwarder(in)
				defer done()
				step()
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
			})
		}
	}
}

func TestForwardAllocatesNothing(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		n, in, _, _ := m.router("r")
		// Of the way to another host something was learnt, so that all packets look.
		m.in.UpdatePMTU(n, &fib.Flow{Dst: netip.MustParseAddr("10.9.3.5")}, 1400)
		if m.in.path.exceptions.Len(n) != 1 {
			t.Fatal("nothing was learnt")
		}
		step, done := m.forwarder(in)
		step()
		if k := testing.AllocsPerRun(1000, step); k != 0 {
			t.Errorf("%v allocations a packet", k)
		}
		done()
		if b := m.core.Ledger(n); b.Sent != b.In || b.In < 1000 {
			t.Errorf("not all was forwarded: %v", b)
		}
	})
}
