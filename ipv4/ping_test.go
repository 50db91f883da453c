package ipv4

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"nsmodel/core/wire"
)

func TestPing(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		a, b := m.net("a"), m.net("b")
		m.pair(a, "eth0", "10.0.0.1/24", b, "eth0", "10.0.0.2/24")
		var got []PingEvent
		g, err := m.in.OpenPing(a, PingOptions{})
		m.check(err)
		g.Event = func(e PingEvent) { got = append(got, e) }
		for i, size := range []int{56, 0, 1472, 1473, 8000, 65507} {
			got = nil
			src, err := g.Send(netip.MustParseAddr("10.0.0.2"), uint16(i), size, 0xa5)
			m.check(err)
			m.run()
			if src != netip.MustParseAddr("10.0.0.1") || len(got) != 1 || got[0].Type != wire.ICMPEchoReply || got[0].Broken ||
				got[0].Seq != uint16(i) || got[0].From != netip.MustParseAddr("10.0.0.2") || got[0].Len != size+8 || got[0].TTL != 64 {
				t.Fatalf("size %d: from %v: %+v", size, src, got)
			}
		}
		if _, err := g.Send(netip.MustParseAddr("10.0.0.2"), 0, 65508, 0); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("size 65508: %v, want EMSGSIZE", err)
		}
		for _, dst := range []string{"127.0.0.1", "10.0.0.1", "0.0.0.0", "127.3.4.5"} {
			got = nil
			_, err := g.Send(netip.MustParseAddr(dst), 1, 56, 1)
			m.check(err)
			m.run()
			if len(got) != 1 || got[0].Type != wire.ICMPEchoReply {
				t.Errorf("%s: %+v", dst, got)
			}
		}
		// Nobody there: our own host unreachable, after three seconds.
		got = nil
		_, err = g.Send(netip.MustParseAddr("10.0.0.9"), 9, 56, 1)
		m.check(err)
		m.sleep(4 * time.Second)
		if len(got) != 1 || got[0].Type != wire.ICMPDestUnreach || got[0].Code != wire.ICMPHostUnreach || got[0].Seq != 9 ||
			got[0].From != netip.MustParseAddr("10.0.0.1") {
			t.Errorf("nobody there: %+v", got)
		}
		g.Close()
		if _, err := g.Send(netip.MustParseAddr("10.0.0.2"), 0, 8, 0); !errors.Is(err, syscall.EBADF) {
			t.Errorf("closed: %v", err)
		}
		_ = b
	})
}
