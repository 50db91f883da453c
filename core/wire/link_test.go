package wire_test

import (
	"bytes"
	"encoding/json"
	"net"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/core/wire"
)

func TestMACText(t *testing.T) {
	for _, c := range []struct {
		in, want string // want is empty for an error
	}{
		{"02:00:00:00:00:0a", "02:00:00:00:00:0a"},
		{"2:0:0:0:0:A", "02:00:00:00:00:0a"},
		{"FF:ff:Ff:fF:ff:ff", "ff:ff:ff:ff:ff:ff"},
		{"", ""},
		{"02:00:00:00:00", ""},
		{"02:00:00:00:00:", ""},
		{"02:00:00:00:00:0a:0b", ""},
		{"02:00:00:00:00:0a ", ""},
		{"002:00:00:00:00:0a", ""},
		{"02-00-00-00-00-0a", ""},
		{"0g:00:00:00:00:0a", ""},
		{"02:00:00:00:00:0\x81", ""},
		{"02:00::00:00:0a", ""},
	} {
		m, err := wire.ParseMAC(c.in)
		switch {
		case c.want == "" && err == nil:
			t.Errorf("ParseMAC(%q) = %v, want an error", c.in, m)
		case c.want != "" && (err != nil || m.String() != c.want):
			t.Errorf("ParseMAC(%q) = %v, %v, want %s", c.in, m, err, c.want)
		}
	}
}

func TestMACRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := wire.MAC(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "m"))
		if want := net.HardwareAddr(m[:]).String(); m.String() != want {
			t.Fatalf("String = %s, want %s", m, want)
		}
		if got, err := wire.ParseMAC(m.String()); err != nil || got != m {
			t.Fatalf("ParseMAC(%s) = %v, %v", m, got, err)
		}
		var back wire.MAC
		if text, err := json.Marshal(m); err != nil || json.Unmarshal(text, &back) != nil || back != m {
			t.Fatalf("JSON of %v came back as %v", m, back)
		}
	})
	kept := macA
	if kept.UnmarshalText([]byte("no")) == nil || kept != macA {
		t.Errorf("bad text changed the address to %v", kept)
	}
}

func TestMACKinds(t *testing.T) {
	for _, c := range []struct {
		m                              wire.MAC
		multicast, bcast, local, valid bool
	}{
		{wire.MAC{}, false, false, false, false},
		{macA, false, false, true, true},
		{wire.MAC{0, 0x1b, 0x21, 1, 2, 3}, false, false, false, true},
		{wire.BroadcastMAC(), true, true, true, false},
		{wire.MulticastMAC([4]byte{239, 129, 2, 3}), true, false, false, false},
	} {
		if c.m.IsMulticast() != c.multicast || c.m.IsBroadcast() != c.bcast ||
			c.m.IsLocal() != c.local || c.m.IsValid() != c.valid || c.m.IsZero() != (c.m == wire.MAC{}) {
			t.Errorf("%v: taken for another kind", c.m)
		}
	}
	if got := wire.MulticastMAC([4]byte{239, 129, 2, 3}).String(); got != "01:00:5e:01:02:03" {
		t.Errorf("group 239.129.2.3 is %s", got)
	}
}

func TestEthernet(t *testing.T) {
	e := frame(t, "echo")
	if e.Dst() != macB || e.Src() != macA || e.Type() != wire.EtherTypeIPv4 || len(e.Payload()) != 36 {
		t.Errorf("got %v < %v type %#x, %d octets", e.Dst(), e.Src(), e.Type(), len(e.Payload()))
	}
	again := make([]byte, len(e))
	copy(again[wire.EthernetLen:], e.Payload())
	if put, ok := wire.PutEthernet(again, macB, macA, wire.EtherTypeIPv4); !ok || !bytes.Equal(put, e) {
		t.Errorf("put %x, want %x", put, e)
	}
	e.SetDst(macA)
	e.SetSrc(macB)
	e.SetType(wire.EtherTypeExp1)
	if e.Dst() != macA || e.Src() != macB || e.Type() != wire.EtherTypeExp1 {
		t.Errorf("setters: got %v < %v type %#x", e.Dst(), e.Src(), e.Type())
	}
	for n := range wire.EthernetLen {
		if _, ok := wire.ParseEthernet(e[:n]); ok {
			t.Errorf("parsed %d octets", n)
		}
		if _, ok := wire.PutEthernet(e[:n], macA, macB, 0); ok {
			t.Errorf("put into %d octets", n)
		}
	}
	if e, ok := wire.ParseEthernet(make([]byte, 14)); !ok || e.Payload() == nil {
		t.Error("a header without payload is a frame")
	}
}

func TestTCI(t *testing.T) {
	// IEEE 802.1Q section 9.6: 3, 1 and 12 bits.
	if tci := wire.MakeTCI(5, true, 7); tci != 0xb007 {
		t.Errorf("TCI %#x, want 0xb007", uint16(tci))
	}
	rapid.Check(t, func(t *rapid.T) {
		tci := wire.TCI(rapid.Uint16().Draw(t, "tci"))
		if got := wire.MakeTCI(tci.PCP(), tci.DEI(), tci.VID()); got != tci {
			t.Fatalf("%#x came back as %#x", uint16(tci), uint16(got))
		}
	})
}

func TestVLANPushPop(t *testing.T) {
	plain := frame(t, "udp")
	const room = 8
	buf := append(make([]byte, room), plain...)
	tci := wire.MakeTCI(5, false, 7)

	off, ok := wire.PushVLAN(buf, room, wire.EtherTypeVLAN, tci)
	want := append(bytes.Clone(plain[:12]), 0x81, 0x00, 0xa0, 0x07)
	want = append(want, plain[12:]...)
	if !ok || off != room-4 || !bytes.Equal(buf[off:], want) {
		t.Fatalf("tagged: %v at %d\n%x, want\n%x", ok, off, buf[off:], want)
	}
	e, _ := wire.ParseEthernet(buf[off:])
	v, ok := wire.ParseVLAN(e.Payload())
	if !ok || e.Type() != wire.EtherTypeVLAN || v.TCI() != tci || v.Type() != wire.EtherTypeIPv4 ||
		!bytes.Equal(v.Payload(), plain.Payload()) {
		t.Fatalf("view: %v %#x", ok, uint16(v.TCI()))
	}
	v.SetTCI(8)
	v.SetType(wire.EtherTypeExp2)
	if v.TCI().VID() != 8 || v.Type() != wire.EtherTypeExp2 {
		t.Error("setters of the tag")
	}
	v.SetTCI(tci)
	v.SetType(wire.EtherTypeIPv4)

	off, _ = wire.PushVLAN(buf, off, wire.EtherTypeQinQ, 9)
	off, tpid, outer, ok := wire.PopVLAN(buf, off)
	if !ok || tpid != wire.EtherTypeQinQ || outer != 9 || off != room-4 {
		t.Fatalf("outer tag: %v %#x %d at %d", ok, tpid, outer, off)
	}
	off, tpid, inner, ok := wire.PopVLAN(buf, off)
	if !ok || tpid != wire.EtherTypeVLAN || inner != tci || off != room || !bytes.Equal(buf[off:], plain) {
		t.Fatalf("inner tag: %v %#x %#x at %d", ok, tpid, uint16(inner), off)
	}
	if _, _, _, ok := wire.PopVLAN(buf, off); ok {
		t.Error("took a tag off a frame without")
	}
}

func TestVLANBounds(t *testing.T) {
	for _, c := range []struct {
		name      string
		len, off  int
		push, pop bool
	}{
		{"no headroom", 60, 3, false, true},
		{"headroom", 60, 4, true, true},
		{"negative", 60, -1, false, false},
		{"past end", 60, 61, false, false},
		{"header only", 18, 4, true, false},
		{"half a header", 17, 4, false, false},
		{"tag only", 22, 4, true, true},
		{"nil", 0, 0, false, false},
	} {
		buf := make([]byte, c.len)
		for i := 0; i+1 < len(buf); i++ {
			buf[i] = 0x81
			if i%2 != c.off&1 {
				buf[i] = 0
			}
		}
		if _, ok := wire.PushVLAN(bytes.Clone(buf), c.off, wire.EtherTypeVLAN, 1); ok != c.push {
			t.Errorf("%s: push %v", c.name, ok)
		}
		if _, _, _, ok := wire.PopVLAN(buf, c.off); ok != c.pop {
			t.Errorf("%s: pop %v", c.name, ok)
		}
	}
}

func TestARP(t *testing.T) {
	req, ok := wire.ParseARP(frame(t, "arp request").Payload())
	if !ok || req.Op() != wire.ARPRequest || req.SenderMAC() != macA || req.SenderIP4() != ipA ||
		!req.TargetMAC().IsZero() || req.TargetIP4() != ipB {
		t.Fatalf("request: %v %x", ok, []byte(req))
	}
	if req.SenderIP().String() != "192.0.2.1" || req.TargetIP().String() != "192.0.2.2" {
		t.Errorf("%v asks for %v", req.SenderIP(), req.TargetIP())
	}
	want := frame(t, "arp reply").Payload()
	put, ok := wire.PutARP(make([]byte, 60), wire.ARPFields{Op: wire.ARPReply,
		SenderMAC: macB, SenderIP: ipB, TargetMAC: macA, TargetIP: ipA})
	if !ok || !bytes.Equal(put, want) {
		t.Errorf("put %x, want %x", []byte(put), want)
	}
	req.SetOp(wire.ARPReply)
	req.SetSender(macB, ipB)
	req.SetTarget(macA, ipA)
	if !bytes.Equal(req, want) {
		t.Errorf("set %x, want %x", []byte(req), want)
	}
	if _, ok := wire.PutARP(make([]byte, 27), wire.ARPFields{}); ok {
		t.Error("put into 27 octets")
	}
}

func TestParseARPRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int
		v    byte
		ok   bool
	}{
		{"IEEE 802 hardware", 1, 6, true},
		{"Frame Relay hardware", 1, 15, false},
		{"hardware over 255", 0, 1, false},
		{"IPv6 protocol", 2, 0x86, false},
		{"long hardware address", 4, 8, false},
		{"long protocol address", 5, 16, false},
		{"unknown operation", 7, 99, true},
	} {
		b := frame(t, "arp request").Payload()
		b[c.at] = c.v
		if _, ok := wire.ParseARP(b); ok != c.ok {
			t.Errorf("%s: %v, want %v", c.name, ok, c.ok)
		}
	}
	if _, ok := wire.ParseARP(frame(t, "arp request").Payload()[:27]); ok {
		t.Error("parsed 27 octets")
	}
	padded := append(frame(t, "arp request").Payload(), make([]byte, 18)...)
	if a, ok := wire.ParseARP(padded); !ok || len(a) != wire.ARPLen {
		t.Errorf("padding: %v, %d octets", ok, len(a))
	}
}
