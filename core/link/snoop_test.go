package link

import (
	"net/netip"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// snoopWorld is a bridge br0 with two ports, whose peers are v0 and v1.
func snoopWorld(tb testing.TB) (s *core.Stack, n *netns.Net, br *core.Device, peers [2]*core.Device) {
	tb.Helper()
	sys := netns.New(netns.Config{})
	s = core.New(sys, core.Config{})
	s.NewWorker()
	if err := Register(s, Config{}); err != nil {
		tb.Fatal(err)
	}
	if err := sys.Boot(); err != nil {
		tb.Fatal(err)
	}
	n = sys.Init()
	sys.Lock()
	defer sys.Unlock()
	br, err := s.Kind("bridge").New(n, core.LinkSpec{Name: "br0"})
	if err != nil {
		tb.Fatal(err)
	}
	up := func(d *core.Device) {
		if err := s.SetUp(d); err != nil {
			tb.Fatal(err)
		}
	}
	up(br)
	for i := range peers {
		names := [2]string{"p" + string(rune('0'+i)), "v" + string(rune('0'+i))}
		if _, err := s.Kind("veth").New(n, core.LinkSpec{Name: names[0], Peer: &core.LinkSpec{Name: names[1]}}); err != nil {
			tb.Fatal(err)
		}
		p := s.Device(n, names[0])
		peers[i] = s.Device(n, names[1])
		up(p)
		up(peers[i])
		if err := s.SetMaster(p, br); err != nil {
			tb.Fatal(err)
		}
	}
	return s, n, br, peers
}

// Whatever strangers send to a group, a bridge neither panics nor loses a packet,
// and its groups are as many as it says, at most hash_max.
func FuzzSnoop(f *testing.F) {
	report := wire.AppendGroupRecord(nil, wire.RecordToExclude, [4]byte{239, 1, 1, 1}, nil)
	wire.IGMP(report).FillChecksum()
	f.Add(uint16(wire.EtherTypeIPv4), uint8(wire.ProtoIGMP), []byte(wire.AppendIGMP(nil, wire.IGMPv2Report, 0, [4]byte{239, 1, 1, 1})))
	f.Add(uint16(wire.EtherTypeIPv4), uint8(wire.ProtoIGMP), report)
	f.Add(uint16(wire.EtherTypeIPv4), uint8(wire.ProtoIGMP), []byte(wire.AppendIGMP(nil, wire.IGMPQuery, 1, [4]byte{})))
	f.Add(uint16(wire.EtherTypeIPv6), uint8(0), append([]byte{58, 0, 5, 2, 0, 0, 1, 0}, wire.AppendGroupRecord6(nil, wire.RecordToExclude, [16]byte{0xff, 5}, nil)...))
	f.Add(uint16(wire.EtherTypeIPv6), uint8(0), append([]byte{58, 0, 5, 2, 0, 0, 1, 0}, wire.AppendMLD(nil, wire.ICMP6MLDQuery, 1, [16]byte{})...))
	f.Add(uint16(0x88b5), uint8(9), []byte{1, 2, 3})
	s, n, br, peers := snoopWorld(f)
	b := br.Driver().(*bridge)
	b.mc.hashMax.Store(32)
	f.Fuzz(func(t *testing.T, typ uint16, proto uint8, body []byte) {
		if len(body) > 1400 {
			return
		}
		b.mc.off.Store(false)
		frame := snoopFrame(typ, proto, body)
		w := s.Enter()
		p := w.NewPacket(n, len(frame))
		copy(p.Bytes(), frame)
		peers[0].Xmit(w, p)
		w.Leave()
		for s.Workers()[0].Poll(s.Sys.Now(), 8) > 0 {
		}
		if l := s.Ledger(n); !l.Balanced() {
			t.Fatal(l)
		}
		if have, said := b.l.mdb.Len(n), b.mc.groups.Load(); int64(have) != said || have > 32 {
			t.Fatalf("%d groups, %d counted, 32 allowed", have, said)
		}
		s.Sys.Expire(s.Sys.Now()+time.Second, -1)
	})
}

// snoopFrame is a frame to a group with a body that says it is of a protocol; the
// checksums are right, or nothing would get far.
func snoopFrame(typ uint16, proto uint8, body []byte) []byte {
	head := wire.IPv4Len
	if typ == wire.EtherTypeIPv6 {
		head = wire.IPv6Len
	}
	b := make([]byte, wire.EthernetLen+head+len(body))
	copy(b, []byte{1, 0, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 9, byte(typ >> 8), byte(typ)})
	ip := b[wire.EthernetLen:]
	copy(ip[head:], body)
	switch typ {
	case wire.EtherTypeIPv4:
		if m := wire.IGMP(ip[head:]); proto == wire.ProtoIGMP && len(m) >= wire.IGMPLen {
			m.FillChecksum()
		}
		wire.PutIPv4(ip, wire.IPv4Fields{TTL: 1, Proto: proto, Src: [4]byte{10, 0, 0, 1}, Dst: [4]byte{224, 0, 0, 1}})
	case wire.EtherTypeIPv6:
		ip[0], ip[4], ip[5], ip[6], ip[7] = 0x60, byte(len(body)>>8), byte(len(body)), proto, 1
		src, dst := netip.MustParseAddr("fe80::1").As16(), netip.IPv6LinkLocalAllNodes().As16()
		copy(ip[8:], src[:])
		copy(ip[24:], dst[:])
		if proto == 0 && len(body) > 16 && len(body) >= 16+8*int(body[1]) {
			if m := wire.ICMPv6(ip[head+8+8*int(body[1]):]); len(m) >= 8 {
				m.FillChecksum(src, dst)
			}
		}
	}
	return b
}

// A frame to a group costs nothing to allocate, whether the bridge knows the group,
// floods, or does not look.
func BenchmarkMulticast(b *testing.B) {
	for _, how := range []string{"off", "nobody-asks", "known"} {
		b.Run("snooping="+how, func(b *testing.B) {
			s, n, br, peers := snoopWorld(b)
			drv := br.Driver().(*bridge)
			send := func(frame []byte) {
				w := s.Enter()
				p := w.NewPacket(n, len(frame))
				copy(p.Bytes(), frame)
				peers[0].Xmit(w, p)
				w.Leave()
				for s.Workers()[0].Poll(s.Sys.Now(), 64) > 0 {
				}
			}
			drv.mc.off.Store(how == "off")
			if how == "known" {
				send(snoopFrame(wire.EtherTypeIPv4, wire.ProtoIGMP, wire.AppendIGMP(nil, wire.IGMPQuery, 1, [4]byte{})))
				s.Sys.Expire(s.Sys.Now()+time.Second, -1)
				w := s.Enter()
				drv.join(s.Sys.Now(), four, groupOf([4]byte{239, 1, 1, 1}), ports().Of(s.Device(n, "p1")))
				w.Leave()
			}
			frame := snoopFrame(wire.EtherTypeIPv4, wire.ProtoUDP, make([]byte, 64))
			wire.PutIPv4(frame[wire.EthernetLen:], wire.IPv4Fields{TTL: 4, Proto: wire.ProtoUDP, Src: [4]byte{10, 0, 0, 1}, Dst: [4]byte{239, 1, 1, 1}})
			b.ReportAllocs()
			for b.Loop() {
				send(frame)
			}
		})
	}
}
