package ipv4

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// A site is a router with a tap on either side: in is 10.1.0.1/24 with
// 10.1.0.2 beyond, out is 10.2.0.1/24 with 10.2.0.2 beyond.
type site struct {
	*machine
	n         *netns.Net
	in, out   *core.Device
	here, far *tapDriver
}

func newSite(m *machine) *site {
	s := &site{machine: m, n: m.net("r"), here: &tapDriver{keep: true}, far: &tapDriver{keep: true}}
	s.in = m.device(s.n, "in", s.here, 1, "10.1.0.1/24")
	s.out = m.device(s.n, "out", s.far, 2, "10.2.0.1/24")
	m.sysctl(s.n, "net.ipv4.ip_forward", "1")
	m.via(s.n, "10.9.0.0/16", "10.2.0.2", s.out)
	m.neighbour(s.out, "10.2.0.2", 9)
	m.neighbour(s.in, "10.1.0.2", 8)
	m.neighbour(s.in, "10.1.0.3", 7)
	return s
}

func (s *site) kind(typ fib.Type, dst string) {
	s.route(s.n, fib.Route{Dst: netip.MustParsePrefix(dst), Type: typ})
}

// sent is what the router sent since it was last asked, a line a packet.
func (s *site) sent() string {
	var lines []string
	for _, ip := range s.here.take() {
		lines = append(lines, "in: "+show(ip))
	}
	for _, ip := range s.far.take() {
		lines = append(lines, "out: "+show(ip))
	}
	return strings.Join(lines, "\n")
}

var udp18 = datagram("10.1.0.2", "10.9.3.4", 18)

// TestInputRules has a case for each rule of reception and forwarding: what is
// sent to the router's near side, what it sends, and the reason it gives.
func TestInputRules(t *testing.T) {
	ttl := func(v uint8) func(*wire.IPv4Fields) { return func(f *wire.IPv4Fields) { f.TTL = v } }
	for _, c := range []struct {
		name  string
		setup func(s *site)
		ip    wire.IPv4
		raw   func(ip wire.IPv4) []byte // changes the bytes after the checksum
		dst   wire.MAC                  // zero: the router's
		sent  string
		drop  core.Reason
	}{
		{name: "forward", ip: packet("10.1.0.2", "10.9.3.4", 17, udp18, nil), sent: "out: 10.1.0.2 > 10.9.3.4 ttl 63 proto 17"},
		{name: "forward padded", ip: packet("10.1.0.2", "10.9.3.4", 17, udp18, nil), raw: func(ip wire.IPv4) []byte { return append(ip, 0, 0, 0, 0) },
			sent: "out: 10.1.0.2 > 10.9.3.4 ttl 63 proto 17"},
		{name: "echo", ip: packet("10.1.0.2", "10.1.0.1", 1, echo(5, 6, 56), nil), sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 0/0 id 5 seq 6"},
		{name: "echo to the other address", ip: packet("10.1.0.2", "10.2.0.1", 1, echo(5, 6, 56), nil), sent: "in: 10.2.0.1 > 10.1.0.2 ttl 64 icmp 0/0 id 5 seq 6"},
		{name: "echo ignored", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.icmp_echo_ignore_all", "1") }, ip: packet("10.1.0.2", "10.1.0.1", 1, echo(5, 6, 56), nil)},
		{name: "echo to broadcast", ip: packet("10.1.0.2", "10.1.0.255", 1, echo(5, 6, 56), nil), drop: core.Broadcast},
		{name: "echo to broadcast answered", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.icmp_echo_ignore_broadcasts", "0") },
			ip: packet("10.1.0.2", "10.1.0.255", 1, echo(5, 6, 56), nil), sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 0/0 id 5 seq 6"},
		{name: "echo to all hosts answered", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.icmp_echo_ignore_broadcasts", "0") },
			ip: packet("10.1.0.2", "224.0.0.1", 1, echo(5, 6, 56), nil), sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 0/0 id 5 seq 6"},
		{name: "echo with bad checksum", ip: packet("10.1.0.2", "10.1.0.1", 1, []byte{8, 0, 1, 2, 3, 4, 5, 6}, nil), drop: core.BadL4Checksum},
		{name: "unknown ICMP", ip: packet("10.1.0.2", "10.1.0.1", 1, func() []byte { b := make([]byte, 8); wire.PutICMP(b, 40, 0, 0); return b }(), nil), drop: core.BadICMP},
		{name: "short ICMP", ip: packet("10.1.0.2", "10.1.0.1", 1, []byte{8, 0, 0xf7, 0xff}, nil), drop: core.BadICMP},
		{name: "timestamp", ip: packet("10.1.0.2", "10.1.0.1", 1, func() []byte { b := make([]byte, 20); wire.PutICMP(b, 13, 0, 77); return b }(), nil),
			sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 14/0 0x4d"},
		{name: "no such port", ip: packet("10.1.0.2", "10.1.0.1", 17, udp18, nil), sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 3/3 0x0", drop: core.NoSocket},
		{name: "no such port at the other address", ip: packet("10.1.0.2", "10.2.0.1", 17, udp18, nil), sent: "in: 10.2.0.1 > 10.1.0.2 ttl 64 icmp 3/3 0x0", drop: core.NoSocket},
		{name: "no such protocol", ip: packet("10.1.0.2", "10.1.0.1", 99, udp18, nil), sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 3/2 0x0", drop: core.NoProtocol},
		{name: "no complaint about a broadcast", ip: packet("10.1.0.2", "10.1.0.255", 17, udp18, nil), drop: core.NoSocket},
		{name: "no complaint in a link broadcast", dst: wire.BroadcastMAC(), ip: packet("10.1.0.2", "10.1.0.1", 17, udp18, nil), drop: core.NoSocket},
		{name: "no complaint about an error", ip: packet("10.1.0.2", "10.9.3.4", 1, []byte{3, 0, 0xfc, 0xff, 0, 0, 0, 0}, ttl(1)), drop: core.TTLExpired},
		{name: "no complaint about a later fragment", ip: packet("10.1.0.2", "10.9.3.4", 17, udp18, func(f *wire.IPv4Fields) { f.TTL, f.FragOffset = 1, 8 }), drop: core.TTLExpired},
		{name: "time exceeded", ip: packet("10.1.0.2", "10.9.3.4", 17, udp18, ttl(1)), sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 11/0 0x0", drop: core.TTLExpired},
		{name: "ttl 0", ip: packet("10.1.0.2", "10.9.3.4", 17, udp18, ttl(0)), sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 11/0 0x0", drop: core.TTLExpired},
		{name: "ttl 1 for us", ip: packet("10.1.0.2", "10.1.0.1", 1, echo(1, 1, 8), ttl(1)), sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 0/0 id 1 seq 1"},
		{name: "no route", ip: packet("10.1.0.2", "172.16.0.1", 17, udp18, nil), sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 3/0 0x0", drop: core.NoRoute},
		{name: "unreachable", setup: func(s *site) { s.kind(fib.Unreachable, "172.16.0.0/16") }, ip: packet("10.1.0.2", "172.16.0.1", 17, udp18, nil),
			sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 3/1 0x0", drop: core.NoRoute},
		{name: "prohibit", setup: func(s *site) { s.kind(fib.Prohibit, "172.16.0.0/16") }, ip: packet("10.1.0.2", "172.16.0.1", 17, udp18, nil),
			sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 3/13 0x0", drop: core.NoRoute},
		{name: "blackhole", setup: func(s *site) { s.kind(fib.Blackhole, "172.16.0.0/16") }, ip: packet("10.1.0.2", "172.16.0.1", 17, udp18, nil), drop: core.Blackhole},
		{name: "not a router", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.ip_forward", "0") }, ip: packet("10.1.0.2", "10.9.3.4", 17, udp18, nil), drop: core.ForwardingOff},
		{name: "not a router, no route", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.ip_forward", "0") }, ip: packet("10.1.0.2", "172.16.0.1", 17, udp18, nil), drop: core.ForwardingOff},
		{name: "not forwarded from a link broadcast", dst: wire.BroadcastMAC(), ip: packet("10.1.0.2", "10.9.3.4", 17, udp18, nil), drop: core.UnicastInLinkMulticast},
		{name: "answered in a link broadcast", dst: wire.BroadcastMAC(), ip: packet("10.1.0.2", "10.1.0.1", 1, echo(1, 1, 8), nil), sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 0/0 id 1 seq 1"},
		{name: "dropped in a link broadcast if told to", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.conf.in.drop_unicast_in_l2_multicast", "1") },
			dst: wire.BroadcastMAC(), ip: packet("10.1.0.2", "10.1.0.1", 1, echo(1, 1, 8), nil), drop: core.UnicastInLinkMulticast},
		{name: "other host", dst: wire.MAC{2, 9, 9, 9, 9, 9}, ip: packet("10.1.0.2", "10.1.0.1", 1, echo(1, 1, 8), nil), drop: core.OtherHost},
		{name: "directed broadcast not forwarded", ip: packet("10.1.0.2", "10.2.0.255", 17, udp18, nil), drop: core.NoSocket},
		{name: "directed broadcast forwarded if told to", setup: func(s *site) {
			s.sysctl(s.n, "net.ipv4.conf.all.bc_forwarding", "1")
			s.sysctl(s.n, "net.ipv4.conf.in.bc_forwarding", "1")
		},
			ip: packet("10.1.0.2", "10.2.0.255", 17, udp18, nil), sent: "out: 10.1.0.2 > 10.2.0.255 ttl 63 proto 17"},
		{name: "unknown group", ip: packet("10.1.0.2", "239.1.2.3", 17, udp18, nil), drop: core.MartianDest},
		{name: "from a group", ip: packet("224.0.0.5", "10.1.0.1", 17, udp18, nil), drop: core.MartianSource},
		{name: "from limited broadcast", ip: packet("255.255.255.255", "10.1.0.1", 17, udp18, nil), drop: core.MartianSource},
		{name: "from net 0", ip: packet("0.0.0.3", "10.1.0.1", 17, udp18, nil), drop: core.MartianSource},
		{name: "from 0.0.0.0 to all", ip: packet("0.0.0.0", "255.255.255.255", 17, udp18, nil), drop: core.NoSocket},
		{name: "to net 0", ip: packet("10.1.0.2", "0.0.0.1", 17, udp18, nil), drop: core.MartianDest},
		{name: "from loopback", ip: packet("127.0.0.1", "10.1.0.1", 17, udp18, nil), drop: core.MartianSource},
		{name: "to loopback", ip: packet("10.1.0.2", "127.0.0.1", 17, udp18, nil), drop: core.MartianDest},
		{name: "to loopback with route_localnet", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.conf.in.route_localnet", "1") },
			ip: packet("10.1.0.2", "127.0.0.1", 1, echo(1, 1, 8), nil), sent: "in: 127.0.0.1 > 10.1.0.2 ttl 64 icmp 0/0 id 1 seq 1"},
		{name: "from ourselves", ip: packet("10.2.0.1", "10.1.0.1", 17, udp18, nil), drop: core.MartianSource},
		{name: "from ourselves, forwarded", ip: packet("10.1.0.1", "10.9.3.4", 17, udp18, nil), drop: core.MartianSource},
		{name: "rp_filter strict", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.conf.in.rp_filter", "1") }, ip: packet("10.9.0.1", "10.1.0.1", 17, udp18, nil), drop: core.ReversePath},
		{name: "rp_filter strict is the greater", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.conf.all.rp_filter", "1") }, ip: packet("10.9.0.1", "10.9.3.4", 17, udp18, nil), drop: core.ReversePath},
		{name: "rp_filter strict lets the right ones in", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.conf.in.rp_filter", "1") },
			ip: packet("10.1.0.2", "10.9.3.4", 17, udp18, nil), sent: "out: 10.1.0.2 > 10.9.3.4 ttl 63 proto 17"},
		{name: "rp_filter loose", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.conf.in.rp_filter", "2") }, ip: packet("172.16.0.1", "10.9.3.4", 17, udp18, nil), drop: core.ReversePath},
		{name: "rp_filter loose lets any known in", setup: func(s *site) { s.sysctl(s.n, "net.ipv4.conf.in.rp_filter", "2") },
			ip: packet("10.9.0.1", "10.9.3.4", 17, udp18, nil), sent: "out: 10.9.0.1 > 10.9.3.4 ttl 63 proto 17"},
		{name: "too big", setup: func(s *site) { s.mtu(s.out, 600) }, ip: packet("10.1.0.2", "10.9.3.4", 17, make([]byte, 700), func(f *wire.IPv4Fields) { f.DF = true }),
			sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 3/4 0x258", drop: core.TooBig},
		{name: "cut", setup: func(s *site) { s.mtu(s.out, 600) }, ip: packet("10.1.0.2", "10.9.3.4", 17, make([]byte, 700), nil),
			sent: "out: 10.1.0.2 > 10.9.3.4 ttl 63 frag 0+576 mf true\nout: 10.1.0.2 > 10.9.3.4 ttl 63 frag 576+124 mf false"},
		{name: "a fragment cut", setup: func(s *site) { s.mtu(s.out, 600) }, ip: packet("10.1.0.2", "10.9.3.4", 17, make([]byte, 704), func(f *wire.IPv4Fields) { f.MF, f.FragOffset = true, 800 }),
			sent: "out: 10.1.0.2 > 10.9.3.4 ttl 63 frag 800+576 mf true\nout: 10.1.0.2 > 10.9.3.4 ttl 63 frag 1376+128 mf true"},
		{name: "path MTU of strangers does not count", setup: func(s *site) { s.machine.in.UpdatePMTU(s.n, &fib.Flow{Dst: netip.MustParseAddr("10.9.3.4")}, 700) },
			ip: packet("10.1.0.2", "10.9.3.4", 17, make([]byte, 700), nil), sent: "out: 10.1.0.2 > 10.9.3.4 ttl 63 proto 17"},
		{name: "path MTU of strangers counts if told so", setup: func(s *site) {
			s.sysctl(s.n, "net.ipv4.ip_forward_use_pmtu", "1")
			s.machine.in.UpdatePMTU(s.n, &fib.Flow{Dst: netip.MustParseAddr("10.9.3.4")}, 700)
		}, ip: packet("10.1.0.2", "10.9.3.4", 17, make([]byte, 700), func(f *wire.IPv4Fields) { f.DF = true }),
			sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 3/4 0x2bc", drop: core.TooBig},
		{name: "redirect", setup: func(s *site) { s.via(s.n, "10.8.0.0/16", "10.1.0.3", s.in) }, ip: packet("10.1.0.2", "10.8.0.1", 17, udp18, nil),
			sent: "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 5/1 0xa010003\nin: 10.1.0.2 > 10.8.0.1 ttl 63 proto 17"},
		{name: "no redirect if told not to", setup: func(s *site) {
			s.via(s.n, "10.8.0.0/16", "10.1.0.3", s.in)
			s.sysctl(s.n, "net.ipv4.conf.all.send_redirects", "0")
			s.sysctl(s.n, "net.ipv4.conf.in.send_redirects", "0")
		}, ip: packet("10.1.0.2", "10.8.0.1", 17, udp18, nil), sent: "in: 10.1.0.2 > 10.8.0.1 ttl 63 proto 17"},
		{name: "version 5", ip: packet("10.1.0.2", "10.1.0.1", 17, udp18, nil), raw: func(ip wire.IPv4) []byte { ip[0] = 0x55; return ip }, drop: core.BadIPHeader},
		{name: "header of four words", ip: packet("10.1.0.2", "10.1.0.1", 17, udp18, nil), raw: func(ip wire.IPv4) []byte { ip[0] = 0x44; return ip }, drop: core.BadIPHeader},
		{name: "header longer than the frame", ip: packet("10.1.0.2", "10.1.0.1", 17, nil, nil), raw: func(ip wire.IPv4) []byte { ip[0] = 0x4f; return ip }, drop: core.HeaderTooShort},
		{name: "bad header checksum", ip: packet("10.1.0.2", "10.1.0.1", 17, udp18, nil), raw: func(ip wire.IPv4) []byte { ip[10] ^= 1; return ip }, drop: core.BadIPChecksum},
		{name: "total length beyond the frame", ip: packet("10.1.0.2", "10.1.0.1", 17, udp18, nil), raw: func(ip wire.IPv4) []byte { return ip[:len(ip)-1] }, drop: core.HeaderTooShort},
		{name: "total length within the header", ip: packet("10.1.0.2", "10.1.0.1", 17, udp18, nil), raw: func(ip wire.IPv4) []byte { ip[3] = 19; ip.FillChecksum(); return ip }, drop: core.BadIPHeader},
		{name: "nothing", ip: packet("10.1.0.2", "10.1.0.1", 17, nil, nil), raw: func(ip wire.IPv4) []byte { return nil }, drop: core.HeaderTooShort},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				s := newSite(m)
				if c.setup != nil {
					c.setup(s)
				}
				b := append([]byte(nil), c.ip...)
				if c.raw != nil {
					b = c.raw(b)
				}
				dst := c.dst
				if dst.IsZero() {
					dst = s.in.Addr()
				}
				s.frame(s.in, dst, wire.EtherTypeIPv4, b)
				if got := s.sent(); got != c.sent {
					t.Errorf("sent:\n%s\nwant:\n%s", got, c.sent)
				}
				for r := range core.Reason(core.NumReasons) {
					want := uint64(0)
					if r == c.drop && c.drop != 0 {
						want = 1
					}
					if got := s.drops(s.n, r); got != want {
						t.Errorf("%d drops for %v, want %d", got, r, want)
					}
				}
			})
		})
	}
}

func (s *site) mtu(d *core.Device, mtu int) {
	s.sys.Lock()
	defer s.sys.Unlock()
	s.check(s.core.SetMTU(d, mtu))
}

// TestGSOForwardedWhole: a packet that stands for several segments passes if
// each fits, with its size kept, and its checksum stays unfinished.
func TestGSOForwardedWhole(t *testing.T) {
	for _, c := range []struct {
		name string
		size uint16
		df   bool
		sent string
	}{
		{"fits", 1460, true, "out: 10.1.0.2 > 10.9.3.4 ttl 63 df proto 6"},
		{"segments too big", 1461, true, "in: 10.1.0.1 > 10.1.0.2 ttl 64 icmp 3/4 0x5dc"},
		{"segments too big, no df", 1461, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, m *machine) {
				s := newSite(m)
				tcp := make([]byte, 20+4000)
				tcp[12] = 5 << 4
				ip := packet("10.1.0.2", "10.9.3.4", 6, tcp, func(f *wire.IPv4Fields) { f.DF = c.df })
				w := m.core.Enter()
				p := w.NewFrame(14 + len(ip))
				wire.PutEthernet(p.Bytes(), s.in.Addr(), wire.MAC{2}, 0x800)
				copy(p.Bytes()[14:], ip)
				p.GSOSize, p.GSOType = c.size, 1
				p.SetPartial(14+20, 16)
				s.in.Queue(w, p)
				w.Leave()
				m.run()
				if len(s.far.gso) > 0 && s.far.gso[0] != c.size {
					t.Errorf("segment size %d", s.far.gso[0])
				}
				if got := s.sent(); got != c.sent {
					t.Errorf("sent %q, want %q", got, c.sent)
				}
			})
		})
	}
}

// TestRates: the limits on errors are per destination and per Net, as Linux's
// token buckets, and one Net's do not touch another's.
func TestRates(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		s := newSite(m)
		count := func(k int, src string) (sent int) {
			for range k {
				s.inject(s.in, packet(src, "10.9.3.4", 17, udp18, func(f *wire.IPv4Fields) { f.TTL = 1 }))
			}
			return len(s.here.take())
		}
		if got := count(20, "10.1.0.2"); got != 6 {
			t.Errorf("time exceeded: a burst of %d, want 6", got)
		}
		if got := count(1, "10.1.0.3"); got != 1 {
			t.Errorf("another destination got %d", got)
		}
		m.sleep(time.Second)
		if got := count(5, "10.1.0.2"); got != 1 {
			t.Errorf("a second later %d, want 1", got)
		}
		s.mtu(s.out, 1400)
		for range 20 {
			s.inject(s.in, packet("10.1.0.2", "10.9.3.4", 17, make([]byte, 1473), func(f *wire.IPv4Fields) { f.DF = true }))
		}
		if got := len(s.here.take()); got != 20 {
			t.Errorf("fragmentation needed: %d, want 20: not limited", got)
		}
		// The Net as a whole: what is left of 50 credits and, since the bucket is
		// filled only when it is empty, 50 more; one a message on average.
		m.sleep(2 * time.Second)
		m.sysctl(s.n, "net.ipv4.icmp_ratelimit", "0")
		if got := count(400, "10.1.0.2"); got < 50 || got > 130 {
			t.Errorf("the Net sent %d at once, want 50 to 100 and some", got)
		}
		if got := count(400, "10.1.0.2"); got != 0 {
			t.Errorf("then %d more, want none", got)
		}
		m.sleep(30 * time.Millisecond)
		if got := count(400, "10.1.0.2"); got < 15 || got > 50 {
			t.Errorf("after 30 ms %d, want about 30", got)
		}
		other := m.net("other")
		tap := &tapDriver{keep: true}
		d := m.device(other, "in", tap, 1, "10.1.0.1/24")
		m.sysctl(other, "net.ipv4.ip_forward", "1")
		m.neighbour(d, "10.1.0.2", 8)
		s.inject(d, packet("10.1.0.2", "10.9.3.4", 17, udp18, nil))
		if got := tap.take(); len(got) != 1 {
			t.Errorf("the other Net sent %d errors, want 1", len(got))
		}
	})
}

// TestErrorQuote: an error is at most 576 bytes, quotes the datagram as it came
// and has the precedence of internetwork control.
func TestErrorQuote(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		s := newSite(m)
		ip := packet("10.1.0.2", "10.9.3.4", 17, datagram("10.1.0.2", "10.9.3.4", 1000), func(f *wire.IPv4Fields) { f.TTL, f.TOS = 1, 0x10 })
		s.inject(s.in, ip)
		e := s.here.take()[0]
		if len(e) != 576 || e.TOS() != 0xd0 || e.DF() {
			t.Errorf("%d bytes, TOS %#x, DF %v", len(e), e.TOS(), e.DF())
		}
		if q := e.Payload()[wire.ICMPLen:]; string(q) != string(ip[:len(q)]) {
			t.Error("the quote differs from what was sent")
		}
	})
}

// TestTimestampNotUT: without a wall clock the high bit says so.
func TestTimestampNotUT(t *testing.T) {
	m := newMachine(t, netns.Replicated)
	s := newSite(m)
	b := make([]byte, 20)
	wire.PutICMP(b, 13, 0, 77)
	s.inject(s.in, packet("10.1.0.2", "10.1.0.1", 1, b, nil))
	r := s.here.take()[0].Payload()
	if got := binary.BigEndian.Uint32(r[12:]); got != 1<<31|1000 {
		t.Errorf("receive timestamp %#x", got)
	}
}
