package raw_test

import (
	"net/netip"
	"testing"

	"nsmodel/netns"
	"nsmodel/transport/raw"
	"nsmodel/transport/udp"
)

// BenchmarkUDP is a datagram from one socket of a Net to another over lo: where
// nobody has a raw socket, where another Net has one of that protocol, and where
// this one has. The first must cost no more than without raw sockets at all, and
// none of them but the last may allocate.
func BenchmarkUDP(b *testing.B) {
	for _, c := range []struct {
		name string
		at   func(m *machine) *netns.Net
	}{
		{"raw=nobody", func(*machine) *netns.Net { return nil }},
		{"raw=another", func(m *machine) *netns.Net { return m.c }},
		{"raw=own", func(m *machine) *netns.Net { return m.a }},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := newMachine(b, netns.Tagged)
			if n := c.at(m); n != nil {
				_, err := m.Raw.Listen(n, false, 17, netip.Addr{}, raw.Options{RcvBuf: 2304})
				m.ok(err)
			}
			to := netip.MustParseAddrPort("127.0.0.1:7")
			s, err := m.UDP.Listen(m.a, to, udp.Options{})
			m.ok(err)
			conn, err := m.UDP.Dial(m.a, netip.AddrPort{}, to, udp.Options{})
			m.ok(err)
			data, buf := make([]byte, 32), make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				_, err := conn.Write(data)
				m.ok(err)
				m.Settle()
				_, _, err = s.TryReadFrom(buf)
				m.ok(err)
			}
		})
	}
}

// A Net without raw sockets allocates nothing for the packets that it delivers.
func TestNoRawSocketNoAllocation(t *testing.T) {
	r := testing.Benchmark(func(b *testing.B) {
		m := newMachine(b, netns.Tagged)
		_, err := m.Raw.Listen(m.c, false, 17, netip.Addr{}, raw.Options{})
		m.ok(err)
		to := netip.MustParseAddrPort("127.0.0.1:7")
		s, err := m.UDP.Listen(m.a, to, udp.Options{})
		m.ok(err)
		conn, err := m.UDP.Dial(m.a, netip.AddrPort{}, to, udp.Options{})
		m.ok(err)
		buf := make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			_, err := conn.Write(buf[:32])
			m.ok(err)
			m.Settle()
			_, _, err = s.TryReadFrom(buf)
			m.ok(err)
		}
	})
	if k := r.AllocsPerOp(); k != 0 {
		t.Errorf("%d allocations for a datagram", k)
	}
}
