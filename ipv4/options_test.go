package ipv4

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

func a4(s string) []byte { b := netip.MustParseAddr(s).As4(); return b[:] }

// hops returns the addresses in a record route or source route option that lie
// before the pointer, and in brackets those behind.
func hops(o []byte) string {
	var s []string
	for at := 3; at+4 <= len(o); at += 4 {
		a := netip.AddrFrom4([4]byte(o[at : at+4])).String()
		if at+1 >= int(o[2]) {
			a = "(" + a + ")"
		}
		s = append(s, a)
	}
	return strings.Join(s, " ")
}

// line makes h - r - f: 10.1.0.2, the router 10.1.0.1 and 10.2.0.1, 10.2.0.2.
func (m *machine) line() (h, r, f *netns.Net) {
	h, r, f = m.net("h"), m.net("r"), m.net("f")
	dh, _ := m.pair(h, "h0", "10.1.0.2/24", r, "in", "10.1.0.1/24")
	_, df := m.pair(r, "out", "10.2.0.1/24", f, "f0", "10.2.0.2/24")
	m.sysctl(r, "net.ipv4.ip_forward", "1")
	m.via(h, "0.0.0.0/0", "10.1.0.1", dh)
	m.via(f, "0.0.0.0/0", "10.2.0.1", df)
	return
}

// TestRecordedOptions: what Linux's `ping -R` and `ping -T tsandaddr` show.
func TestRecordedOptions(t *testing.T) {
	for _, c := range []struct {
		name, dst string
		options   []byte
		want      string
	}{
		{"record route", "10.2.0.2", append([]byte{1, 7, 39, 4}, make([]byte, 36)...),
			"10.1.0.2 10.2.0.1 10.2.0.2 10.2.0.2 10.1.0.1 10.1.0.2 (0.0.0.0) (0.0.0.0) (0.0.0.0)"},
		{"record route to the router", "10.1.0.1", append([]byte{1, 7, 39, 4}, make([]byte, 36)...),
			"10.1.0.2 10.1.0.1 10.1.0.1 10.1.0.2 (0.0.0.0) (0.0.0.0) (0.0.0.0) (0.0.0.0) (0.0.0.0)"},
		{"timestamp and address", "10.2.0.2", append([]byte{68, 36, 5, 1}, make([]byte, 32)...), "10.1.0.2 10.1.0.1 10.2.0.2 10.2.0.2, 2 unrecorded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				h, _, _ := m.line()
				got := ""
				g, err := m.in.OpenPing(h, PingOptions{Options: c.options})
				m.check(err)
				g.Event = func(e PingEvent) {
					for it := wire.EachOption(e.Options); it.Next(); {
						switch o := it.Bytes(); it.Kind() {
						case wire.OptRR:
							got = hops(o)
						case wire.OptTS:
							var all []string
							for at := 4; at+8 <= int(o[2]); at += 8 {
								all = append(all, netip.AddrFrom4([4]byte(o[at:at+4])).String())
							}
							got = fmt.Sprintf("%s, %d unrecorded", strings.Join(all, " "), o[3]>>4)
						}
					}
				}
				_, err = g.Send(netip.MustParseAddr(c.dst), 1, 56, 0)
				m.check(err)
				m.run()
				if got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			})
		})
	}
}

func TestSourceRoute(t *testing.T) {
	opt := func(kind byte, ptr byte, hops ...string) []byte {
		b := []byte{kind, byte(3 + 4*len(hops)), ptr}
		for _, h := range hops {
			b = append(b, a4(h)...)
		}
		return b
	}
	accept := func(s *site) {
		s.sysctl(s.n, "net.ipv4.conf.all.accept_source_route", "1")
		s.sysctl(s.n, "net.ipv4.conf.in.accept_source_route", "1")
	}
	for _, c := range []struct {
		name    string
		setup   func(*site)
		dst     string
		options []byte
		sent    string
		hops    string
		drop    core.Reason
	}{
		{"refused", nil, "10.1.0.1", opt(131, 4, "10.9.3.4"), "", "", core.BadIPHeader},
		{"loose", accept, "10.1.0.1", opt(131, 4, "10.9.3.4"), "out: 10.1.0.2 > 10.9.3.4 ttl 63 proto 17", "10.2.0.1", 0},
		{"loose, passing by", accept, "10.9.3.4", opt(131, 4, "10.9.9.9"), "out: 10.1.0.2 > 10.9.3.4 ttl 63 proto 17", "(10.9.9.9)", 0},
		{"loose over ourselves", accept, "10.1.0.1", opt(131, 4, "10.2.0.1", "10.9.3.4"), "out: 10.1.0.2 > 10.9.3.4 ttl 63 proto 17", "10.2.0.1 10.2.0.1", 0},
		{"strict to a neighbour", accept, "10.1.0.1", opt(137, 4, "10.2.0.2"), "out: 10.1.0.2 > 10.2.0.2 ttl 63 proto 17", "10.2.0.1", 0},
		{"strict over a gateway", accept, "10.1.0.1", opt(137, 4, "10.9.3.4"), "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 3/5 0x0", "", core.NoRoute},
		{"strict, passing by", accept, "10.9.3.4", opt(137, 4, "10.9.9.9"), "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 12/0 0x10000000", "", core.BadIPHeader},
		{"no way on", accept, "10.1.0.1", opt(131, 4, "172.16.0.1"), "", "", core.NoRoute},
		{"half a hop", accept, "10.1.0.1", []byte{131, 5, 4, 10, 9}, "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 12/0 0x16000000", "", core.BadIPHeader},
		{"bad pointer", nil, "10.9.3.4", []byte{7, 7, 3, 0, 0, 0, 0}, "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 12/0 0x16000000", "", core.BadIPHeader},
		{"bad length", nil, "10.9.3.4", []byte{7, 1, 3, 0}, "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 12/0 0x14000000", "", core.BadIPHeader},
		{"record route, forwarded", nil, "10.9.3.4", []byte{7, 7, 4, 0, 0, 0, 0}, "out: 10.1.0.2 > 10.9.3.4 ttl 63 proto 17", "10.2.0.1", 0},
		{"record route, full", nil, "10.9.3.4", []byte{7, 7, 8, 1, 2, 3, 4}, "out: 10.1.0.2 > 10.9.3.4 ttl 63 proto 17", "1.2.3.4", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				s := newSite(m)
				if c.setup != nil {
					c.setup(s)
				}
				s.inject(s.in, packet("10.1.0.2", c.dst, 17, udp18, func(f *wire.IPv4Fields) { f.Options = c.options }))
				out := wire.IPv4(nil)
				if k := len(s.far.frames); k > 0 {
					out = wire.IPv4(s.far.frames[k-1][wire.EthernetLen:])
				}
				if got := s.sent(); got != c.sent {
					t.Errorf("sent %q, want %q", got, c.sent)
				}
				if out != nil {
					it := wire.EachOption(out.Options())
					it.Next()
					if got := hops(it.Bytes()); got != c.hops {
						t.Errorf("hops %s, want %s", got, c.hops)
					}
				}
				if c.drop != 0 && s.drops(s.n, c.drop) != 1 {
					t.Errorf("drops: %v", m.core.Ledger(s.n))
				}
			})
		})
	}
}

// TestSourceRouteAnswered: the answer goes back over the recorded hops (RFC
// 1122 section 3.2.2.6).
func TestSourceRouteAnswered(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		s := newSite(m)
		s.sysctl(s.n, "net.ipv4.conf.all.accept_source_route", "1")
		ip := packet("10.9.0.5", "10.1.0.1", 1, echo(1, 1, 8), func(f *wire.IPv4Fields) {
			f.Options = append([]byte{131, 11, 12}, append(a4("10.9.0.6"), a4("10.9.0.7")...)...)
		})
		s.inject(s.out, ip)
		r := s.far.take()
		if len(r) != 1 || r[0].Dst() != netip.MustParseAddr("10.9.0.7") {
			t.Fatalf("%v", r)
		}
		it := wire.EachOption(r[0].Options())
		if it.Next(); hops(it.Bytes()) != "(10.9.0.6) (10.9.0.5)" {
			t.Errorf("hops %s", hops(it.Bytes()))
		}
	})
}

// TestLinuxBursts are figures measured on Linux 6.18: of 20 packets in a row to
// nowhere 2 are answered, since two limits draw on one bucket; redirects to one
// that sends every 100 ms come 6 times in two seconds.
func TestLinuxBursts(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		s := newSite(m)
		for range 20 {
			s.inject(s.in, packet("10.1.0.2", "172.16.0.1", 17, udp18, nil))
			m.sleep(2 * time.Millisecond)
		}
		if got := len(s.here.take()); got != 2 {
			t.Errorf("no route: %d errors, want 2", got)
		}
		m.sleep(30 * time.Second)
		s.via(s.n, "10.8.0.0/16", "10.1.0.3", s.in)
		redirects := 0
		for range 20 {
			s.inject(s.in, packet("10.1.0.2", "10.8.0.1", 17, udp18, nil))
			for _, ip := range s.here.take() {
				if ip.Proto() == wire.ProtoICMP {
					redirects++
				}
			}
			m.sleep(100 * time.Millisecond)
		}
		if redirects != 6 {
			t.Errorf("%d redirects, want 6", redirects)
		}
	})
}
