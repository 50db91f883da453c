package ipv4

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// wild makes a site with every knob that opens a way, so that random packets
// get far.
func wild(m *machine) *site {
	s := newSite(m)
	for _, d := range []*core.Device{s.in, s.out} { // each sends to nobody who answers
		d.Driver().(*tapDriver).keep = false
	}
	s.via(s.n, "10.8.0.0/16", "10.1.0.3", s.in)
	for _, k := range []string{"accept_source_route", "route_localnet", "bc_forwarding"} {
		m.sysctl(s.n, "net.ipv4.conf.all."+k, "1")
		m.sysctl(s.n, "net.ipv4.conf.in."+k, "1")
	}
	m.sysctl(s.n, "net.ipv4.icmp_echo_ignore_broadcasts", "0")
	m.sysctl(s.n, "net.ipv4.ipfrag_low_thresh", "100000")
	m.sysctl(s.n, "net.ipv4.ipfrag_high_thresh", "200000")
	s.mtu(s.out, 600)
	g, err := m.in.OpenPing(s.n, PingOptions{})
	m.check(err)
	g.Event = func(PingEvent) {}
	_, _ = g.Send(netip.MustParseAddr("10.2.0.2"), 1, 10, 1)
	return s
}

// FuzzReceive: no bytes make the machine panic or lose count of a packet.
func FuzzReceive(f *testing.F) {
	seed := func(ip wire.IPv4) { f.Add([]byte(ip), uint8(0)) }
	seed(packet("10.1.0.2", "10.9.3.4", 17, datagram("10.1.0.2", "10.9.3.4", 700), nil))
	seed(packet("10.1.0.2", "10.1.0.1", 1, echo(1, 1, 20), func(o *wire.IPv4Fields) { o.Options = []byte{7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0} }))
	seed(packet("10.1.0.2", "10.1.0.1", 1, echo(1, 1, 20), func(o *wire.IPv4Fields) { o.Options = []byte{68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0} }))
	seed(packet("10.1.0.2", "10.1.0.1", 17, udp18, func(o *wire.IPv4Fields) { o.Options = []byte{131, 11, 4, 10, 9, 0, 1, 10, 8, 0, 1} }))
	seed(packet("10.1.0.2", "10.1.0.1", 200, make([]byte, 16), func(o *wire.IPv4Fields) { o.MF = true }))
	seed(packet("10.2.0.2", "10.1.0.1", 1, errorAbout(3, 4, 500, packet("10.1.0.1", "10.2.0.2", 1, echo(1, 1, 8), nil)), nil))
	f.Fuzz(func(t *testing.T, b []byte, how uint8) {
		if len(b) > 9000 {
			return
		}
		m := newMachine(t, placements[how&1])
		s := wild(m)
		if how&2 != 0 && len(b) >= 20 && int(b[0]&15)*4 <= len(b) {
			b[0] = b[0]&15 | 4<<4
			ip := wire.IPv4(b)
			ip.SetTotalLen(len(b))
			ip.FillChecksum()
		}
		dst := s.in.Addr()
		if how&4 != 0 {
			dst = wire.BroadcastMAC()
		}
		for _, tap := range []*tapDriver{s.here, s.far} {
			tap.take()
			tap.keep = true
		}
		s.frame(s.in, dst, wire.EtherTypeIPv4, b)
		m.balance()
		m.sleep(40 * time.Second)
		m.balance()
		for _, ip := range append(s.here.take(), s.far.take()...) {
			decent(t, ip, b)
		}
		if out := m.core.Outstanding(); out != 0 {
			t.Errorf("%d packets are left: %v", out, m.core.Ledger(s.n))
		}
	})
}

// decent checks what a router sent because of the packet b: it has sense, its
// checksums are right, and an error quotes what b was or what the router itself
// said before (RFC 1812 section 4.3.2.3: no more than 576 bytes in all).
func decent(t *testing.T, sent wire.IPv4, b []byte) {
	ip, ok := wire.ParseIPv4(sent)
	if !ok || !ip.ChecksumOK() {
		t.Fatalf("%x brought forth %x", b, []byte(sent))
	}
	m, ok := wire.ParseICMP(ip.Payload())
	ours := ip.Src4() == [4]byte{10, 1, 0, 1} || ip.Src4() == [4]byte{10, 2, 0, 1}
	if ip.Proto() != wire.ProtoICMP || ip.IsFragment() || !ok || !m.IsError() || !ours || bytes.HasSuffix(b, m) {
		return // not an error, or one that is passed on
	}
	if quoted := m.Payload(); !m.ChecksumOK() || len(ip) > 576 || len(quoted) < wire.IPv4Len || quoted[0]>>4 != 4 {
		t.Fatalf("%x brought forth an error of %d bytes: %x", b, len(ip), []byte(sent))
	}
}

// errorAbout makes an ICMP error that quotes a datagram.
func errorAbout(typ, code uint8, rest uint32, about wire.IPv4) []byte {
	b := make([]byte, wire.ICMPLen+min(len(about), 200))
	copy(b[wire.ICMPLen:], about)
	wire.PutICMP(b, typ, code, rest)
	return b
}

// wildPacket draws a packet of which most parts make sense.
func wildPacket(t *rapid.T) []byte {
	addr := rapid.SampledFrom([]string{"10.1.0.2", "10.1.0.1", "10.2.0.1", "10.9.1.1", "10.8.1.1", "10.1.0.255", "255.255.255.255",
		"224.0.0.1", "239.1.1.1", "127.0.0.1", "0.0.0.0", "0.0.0.7", "172.16.0.1", "10.2.0.255", "10.2.0.9"})
	src, dst := addr.Draw(t, "src"), addr.Draw(t, "dst")
	var payload []byte
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		payload = rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "payload")
	case 1:
		payload = datagram("10.1.0.2", "10.1.0.1", rapid.IntRange(0, 2000).Draw(t, "size"))
	case 2:
		payload = echo(uint16(rapid.IntRange(0, 2).Draw(t, "id")), 1, rapid.IntRange(0, 2000).Draw(t, "size"))
		payload[0] = rapid.SampledFrom([]byte{0, 8, 13, 17, 9, 30}).Draw(t, "type")
		wire.ICMP(payload).FillChecksum()
	case 3:
		quoted := packet(addr.Draw(t, "qsrc"), addr.Draw(t, "qdst"), rapid.SampledFrom([]uint8{1, 17, 99}).Draw(t, "qproto"), echo(1, 1, 8), nil)
		quoted[0] = rapid.SampledFrom([]byte{0x45, 0x4f, 0x40}).Draw(t, "qhdr")
		payload = errorAbout(rapid.SampledFrom([]byte{3, 4, 5, 11, 12}).Draw(t, "type"), uint8(rapid.IntRange(0, 18).Draw(t, "code")),
			rapid.Uint32().Draw(t, "rest"), quoted)
	}
	options := rapid.SampledFrom([][]byte{nil, nil, nil, {7, 7, 4, 0, 0, 0, 0}, {7, 39, 4}, {68, 12, 5, 0}, {68, 8, 9, 0xf1}, {68, 12, 5, 3, 10, 1, 0, 1},
		{131, 7, 4, 10, 9, 0, 1}, {137, 7, 4, 10, 2, 0, 9}, {137, 7, 4, 10, 9, 0, 1}, {131, 11, 4, 10, 1, 0, 1, 10, 9, 0, 1}, {131, 7, 8, 10, 1, 0, 1},
		{131, 6, 4, 10, 9, 0}, {148, 4, 0, 0}, {99}, {99, 1}, {7, 3, 4}, {68, 36, 5, 1}}).Draw(t, "options")
	return packet(src, dst, rapid.SampledFrom([]uint8{1, 17, 200, 99}).Draw(t, "proto"), payload, func(f *wire.IPv4Fields) {
		f.TTL = uint8(rapid.IntRange(0, 3).Draw(t, "ttl"))
		f.TOS = rapid.Byte().Draw(t, "tos")
		f.DF = rapid.Bool().Draw(t, "df")
		f.Options = options
		if rapid.Bool().Draw(t, "frag") {
			f.ID = uint16(rapid.IntRange(0, 3).Draw(t, "id"))
			f.MF = rapid.Bool().Draw(t, "mf")
			f.FragOffset = rapid.SampledFrom([]int{0, 0, 8, 16, 64, 1480, 65528}).Draw(t, "off")
		}
	})
}

// TestConservation: whatever comes in, in any Net, and whenever Nets end, each
// packet ends or is held.
func TestConservation(t *testing.T) { rapid.Check(t, conservation) }

func conservation(t *rapid.T) {
	m := newMachine(t, rapid.SampledFrom(placements).Draw(t, "place"))
	s := wild(m)
	b := m.net("b")
	db := m.device(b, "in", &tapDriver{}, 1, "10.1.0.1/24")
	alive := true
	for range rapid.IntRange(1, 30).Draw(t, "steps") {
		switch rapid.IntRange(0, 12).Draw(t, "step") {
		case 0:
			m.sleep(time.Duration(rapid.IntRange(0, 20000).Draw(t, "ms")) * time.Millisecond)
		case 1:
			if alive {
				m.sys.Lock()
				m.check(m.sys.Delete("b"))
				m.sys.Reap()
				m.sys.Unlock()
				alive = false
			}
		case 2:
			if alive {
				m.inject(db, wildPacket(t))
			}
		case 3:
			m.inject(m.core.Device(s.n, "lo"), wildPacket(t))
		case 4:
			s.frame(s.in, wire.BroadcastMAC(), wire.EtherTypeIPv4, wildPacket(t))
		default:
			m.inject(rapid.SampledFrom([]*core.Device{s.in, s.out}).Draw(t, "device"), wildPacket(t))
		}
		m.balance()
	}
	m.sleep(time.Minute)
	m.balance()
	if out := m.core.Outstanding(); out != 0 {
		t.Fatalf("%d packets are left: %v", out, m.core.TotalLedger())
	}
}

// TestEqualAddresses: two Nets with the same addresses, routes and neighbours
// each see their own packets only.
func TestEqualAddresses(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		var nets [2]*netns.Net
		var got [2]int
		for i, name := range []string{"a", "b"} {
			nets[i] = m.net(name)
			m.pair(nets[i], "eth0", "10.0.0.1/24", m.net(name+"-peer"), "eth0", "10.0.0.2/24")
		}
		for i, n := range nets {
			g, err := m.in.OpenPing(n, PingOptions{})
			m.check(err)
			g.Event = func(e PingEvent) {
				if e.Type == wire.ICMPEchoReply && int(e.Seq) == i {
					got[i]++
				} else {
					t.Errorf("net %d: %+v", i, e)
				}
			}
			if g.ID() != 1 {
				t.Errorf("net %d has identifier %d: it shows that there are others", i, g.ID())
			}
			_, err = g.Send(netip.MustParseAddr("10.0.0.2"), uint16(i), 4000, byte(i))
			m.check(err)
		}
		m.run()
		if got != [2]int{1, 1} {
			t.Errorf("replies: %v", got)
		}
	})
}
