package wire_test

import (
	"bytes"
	"testing"

	"nsmodel/core/wire"
)

// seed adds every frame from its header of that size on, and the frame cut short.
func seed(f *testing.F, skip int) {
	for name := range frames {
		b := frame(f, name)
		f.Add([]byte(b[min(skip, len(b)):]))
		f.Add([]byte(b[min(skip, len(b)) : len(b)/2+skip/2]))
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Add(make([]byte, 64))
}

func FuzzEthernet(f *testing.F) {
	seed(f, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := wire.ParseEthernet(b)
		if !ok {
			return
		}
		again := append(make([]byte, 14), e.Payload()...)
		wire.PutEthernet(again, e.Dst(), e.Src(), e.Type())
		if !bytes.Equal(again, b) {
			t.Fatalf("%x came back as %x", b, again)
		}
	})
}

func FuzzVLAN(f *testing.F) {
	seed(f, 12)
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, ok := wire.ParseVLAN(b); ok {
			v.SetTCI(v.TCI())
			v.SetType(v.Type())
			_ = v.Payload()
		}
		off := 0
		if len(b) > 0 {
			off = int(int8(b[0]))
		}
		before := bytes.Clone(b)
		if start, ok := wire.PushVLAN(b, off, wire.EtherTypeVLAN, 7); ok {
			back, _, tci, ok := wire.PopVLAN(b, start)
			if !ok || back != off || tci != 7 || !bytes.Equal(b[off:], before[off:]) {
				t.Fatalf("at %d: %x came back as %x", off, before, b)
			}
		} else if !bytes.Equal(b, before) {
			t.Fatal("refused, but wrote")
		}
		wire.PopVLAN(b, off)
	})
}

func FuzzMAC(f *testing.F) {
	f.Add("02:00:00:00:00:0a")
	f.Add("2:0:0:0:0:a:")
	f.Add(":::::")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := wire.ParseMAC(s); err == nil {
			if again, err := wire.ParseMAC(m.String()); err != nil || again != m {
				t.Fatalf("%q: %v came back as %v", s, m, again)
			}
		}
	})
}

func FuzzARP(f *testing.F) {
	seed(f, 14)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := wire.ParseARP(b)
		if !ok {
			return
		}
		again, ok := wire.PutARP(make([]byte, 28), wire.ARPFields{Op: a.Op(), SenderMAC: a.SenderMAC(),
			SenderIP: a.SenderIP4(), TargetMAC: a.TargetMAC(), TargetIP: a.TargetIP4()})
		if !ok || !bytes.Equal(again[2:], a[2:]) { // the hardware type may have been IEEE 802
			t.Fatalf("%x came back as %x", []byte(a), []byte(again))
		}
	})
}

// touch4 calls everything that reads or writes a datagram.
func touch4(ip wire.IPv4) {
	_, _, _ = ip.Payload(), ip.Options(), ip.Header()
	_, _, _ = ip.CheckOptions()
	for it := wire.EachOption(ip.Options()); it.Next(); {
		_ = it.Bytes()[len(it.Bytes())-1]
	}
	_, _ = ip.ChecksumOK(), ip.PseudoSum(len(ip.Payload()))
	ip.SetTotalLen(ip.TotalLen())
	ip.SetFrag(ip.DF(), ip.MF(), ip.FragOffset())
	ip.SetTOS(ip.TOS())
	ip.SetECN(1)
	ip.SetID(ip.ID())
	ip.SetProto(ip.Proto())
	ip.SetSrc4(ip.Src4())
	ip.SetDst4(ip.Dst4())
	ip.SetTTL(9)
	ip.DecTTL()
	ip.FillChecksum()
}

func FuzzIPv4(f *testing.F) {
	seed(f, 14)
	f.Fuzz(func(t *testing.T, b []byte) {
		ip, ok := wire.ParseIPv4(b)
		if !ok {
			return
		}
		if len(ip) != ip.TotalLen() || ip.HeaderLen()+len(ip.Payload()) != len(ip) {
			t.Fatalf("%d octets, of which header %d and payload %d", len(ip), ip.HeaderLen(), len(ip.Payload()))
		}
		reserved := b[6]&0x80 != 0
		again := bytes.Clone(ip)
		put, ok := wire.PutIPv4(again, wire.IPv4Fields{TOS: ip.TOS(), ID: ip.ID(), DF: ip.DF(), MF: ip.MF(),
			FragOffset: ip.FragOffset(), TTL: ip.TTL(), Proto: ip.Proto(), Src: ip.Src4(), Dst: ip.Dst4(),
			Options: ip.Options()})
		if !ok || !put.ChecksumOK() {
			t.Fatalf("cannot write again: %x", []byte(ip))
		}
		if !reserved && ip.ChecksumOK() && ip.Checksum() != 0xffff && !bytes.Equal(again, ip) {
			t.Fatalf("%x came back as %x", []byte(ip), again)
		}
		right := ip.ChecksumOK()
		ip.SetTTL(ip.TTL() + 1)
		ip.SetTOS(ip.TOS() + 1)
		ip.SetDst4([4]byte{1, 2, 3, 4})
		if ip.ChecksumOK() != right {
			t.Fatalf("checksum was right: %v, is right: %v", right, !right)
		}
		touch4(ip)
	})
}

func FuzzIPv4Options(f *testing.F) {
	for _, name := range []string{"echo rr", "echo ts"} {
		f.Add(datagram(f, name).Options())
	}
	f.Add([]byte{0x83, 7, 4, 192, 0, 2, 1, 0x94, 4, 0, 0, 0x44, 4, 5, 0xf0, 0x5e, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), wire.IPv4MaxOptions)]
		ip := withOptions(t, b)
		set, bad, ok := ip.CheckOptions()
		if !ok && (bad < 20 || bad >= ip.HeaderLen()) {
			t.Fatalf("%x: bad octet %d outside the options", b, bad)
		}
		if !ok && set != (wire.OptionSet{}) {
			t.Fatalf("%x: refused with %+v", b, set)
		}
		for _, at := range []uint8{set.SRR, set.RR, set.TS, set.RouterAlert, set.CIPSO} {
			if at != 0 && (int(at) < 20 || int(at)+int(ip[at+1]) > ip.HeaderLen()) {
				t.Fatalf("%x: option at %d", b, at)
			}
		}
	})
}

func FuzzICMP(f *testing.F) {
	seed(f, 34)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := wire.ParseICMP(b)
		if !ok {
			return
		}
		_, _, _, _, _ = m.ID(), m.Seq(), m.MTU(), m.Pointer(), m.Gateway()
		_, _ = m.IsError(), m.Payload()
		again := bytes.Clone(m)
		wire.PutICMP(again, m.Type(), m.Code(), m.Rest())
		if m.ChecksumOK() && m.Checksum() != 0xffff && !bytes.Equal(again, m) {
			t.Fatalf("%x came back as %x", []byte(m), again)
		}
		right := m.ChecksumOK()
		m.EchoReply()
		if allZero := wire.Sum(m, 0) == 0; m.ChecksumOK() != right && !allZero {
			t.Fatalf("checksum was right: %v, reply %x", right, []byte(m))
		}
	})
}

func FuzzUDP(f *testing.F) {
	seed(f, 34)
	f.Fuzz(func(t *testing.T, b []byte) {
		u, ok := wire.ParseUDP(b)
		if !ok {
			return
		}
		if u.Length() != len(u) || len(u.Payload()) != len(u)-8 {
			t.Fatalf("%d octets say %d", len(u), u.Length())
		}
		right := u.ChecksumOK4(ipA, ipB)
		if len(u) > wire.IPv4MaxLen-wire.IPv4Len {
			return
		}
		again := bytes.Clone(u)
		wire.PutUDP(again, u.SrcPort(), u.DstPort(), ipA, ipB)
		if right && u.Checksum() != 0 && !bytes.Equal(again, u) {
			t.Fatalf("%x came back as %x", []byte(u), again)
		}
	})
}

func FuzzChecksum(f *testing.F) {
	f.Add([]byte("octets"), uint32(0), 0, 0)
	f.Add(bytes.Repeat([]byte{0xff}, 131), ^uint32(0), 64, 2)
	f.Add([]byte{}, uint32(1), -1, -1)
	f.Fuzz(func(t *testing.T, b []byte, initial uint32, start, offset int) {
		want := wire.Combine(uint32(dumbSum(b)), initial, 0)
		if got := wire.Sum(b, initial); wire.Fold(got) != wire.Fold(want) {
			t.Fatalf("sum %#x, want %#x", got, want)
		}
		if wire.FinishPartial(b, start, offset) && b[start+offset] == 0 && b[start+offset+1] == 0 {
			t.Fatal("finished with 0")
		}
	})
}

func FuzzFindChecksum(f *testing.F) {
	seed(f, 0)
	f.Add([]byte(sixFrame()))
	tagged := append(make([]byte, 4), frame(f, "udp")...)
	wire.PushVLAN(tagged, 4, wire.EtherTypeVLAN, 7)
	f.Add(tagged)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := wire.ParseEthernet(b)
		if !ok {
			return
		}
		if start, offset, end, ok := wire.FindChecksum(e); ok && !wire.FinishPartial(e[:end], start, offset) {
			t.Fatalf("found at %d+%d of %d, outside", start, offset, end)
		}
	})
}
