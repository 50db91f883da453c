package wire_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/core/wire"
)

func message(tb testing.TB, name string) wire.ICMP {
	tb.Helper()
	m, ok := wire.ParseICMP(datagram(tb, name).Payload())
	if !ok {
		tb.Fatalf("frame %q is not ICMP", name)
	}
	return m
}

func TestICMPEcho(t *testing.T) {
	m, want := message(t, "echo"), message(t, "echo reply")
	if m.Type() != wire.ICMPEcho || m.Code() != 0 || m.ID() != 0x1f58 || m.Seq() != 1 || m.Rest() != 0x1f580001 ||
		m.Checksum() != 0xcc96 || !m.ChecksumOK() || m.IsError() || len(m.Payload()) != 8 {
		t.Fatalf("echo: %x", []byte(m))
	}
	b := make([]byte, 16)
	copy(b[wire.ICMPLen:], m.Payload())
	if put, ok := wire.PutICMPEcho(b, wire.ICMPEcho, 0x1f58, 1); !ok || !bytes.Equal(put, m) {
		t.Errorf("put %x, want %x", b, []byte(m))
	}
	m.EchoReply()
	if !bytes.Equal(m, want) {
		t.Errorf("reply %x, want %x", []byte(m), []byte(want))
	}
	m[9] ^= 1
	if m.ChecksumOK() {
		t.Error("a changed message is right")
	}
}

func TestICMPError(t *testing.T) {
	m := message(t, "port unreachable")
	if m.Type() != wire.ICMPDestUnreach || m.Code() != wire.ICMPPortUnreach || !m.ChecksumOK() || !m.IsError() {
		t.Fatalf("%x", []byte(m))
	}
	quoted, ok := wire.ParseIPv4(m.Payload())
	if !ok || !bytes.Equal(quoted, datagram(t, "udp no checksum")) {
		t.Errorf("quotes %x", m.Payload())
	}
	b := bytes.Clone(m)
	clear(b[:8])
	if put, ok := wire.PutICMP(b, wire.ICMPDestUnreach, wire.ICMPPortUnreach, 0); !ok || !bytes.Equal(put, m) {
		t.Errorf("put %x, want %x", b, []byte(m))
	}
}

func TestICMPRest(t *testing.T) {
	b := make([]byte, 8)
	m, _ := wire.PutICMP(b, wire.ICMPDestUnreach, wire.ICMPFragNeeded, 1400)
	if m.MTU() != 1400 {
		t.Errorf("MTU %d", m.MTU())
	}
	m, _ = wire.PutICMP(b, wire.ICMPParamProblem, 0, 22<<24)
	if m.Pointer() != 22 {
		t.Errorf("pointer %d", m.Pointer())
	}
	m, _ = wire.PutICMP(b, wire.ICMPRedirect, wire.ICMPRedirectHost, 0xc0000201)
	if m.Gateway() != ipA {
		t.Errorf("gateway %v", m.Gateway())
	}
	m.SetType(wire.ICMPEcho)
	m.SetCode(0)
	m.SetRest(0)
	m.SetID(3)
	m.SetSeq(4)
	m.SetChecksum(5)
	if !bytes.Equal(m, []byte{8, 0, 0, 5, 0, 3, 0, 4}) {
		t.Errorf("setters: %x", []byte(m))
	}
	m.FillChecksum()
	if !m.ChecksumOK() {
		t.Error("checksum after setters")
	}
	for n := range 8 {
		if _, ok := wire.ParseICMP(b[:n]); ok {
			t.Errorf("parsed %d octets", n)
		}
		if _, ok := wire.PutICMP(b[:n], 0, 0, 0); ok {
			t.Errorf("put into %d octets", n)
		}
	}
}

// RFC 1122 section 3.2.2 lists the errors.
func TestICMPIsError(t *testing.T) {
	errors := map[uint8]bool{3: true, 4: true, 5: true, 11: true, 12: true}
	b := make([]byte, 8)
	for typ := range 256 {
		m, _ := wire.PutICMP(b, uint8(typ), 0, 0)
		if m.IsError() != errors[uint8(typ)] {
			t.Errorf("type %d: %v", typ, m.IsError())
		}
	}
}

func TestUDP(t *testing.T) {
	for _, c := range []struct {
		name     string
		checksum uint16
		ok       bool
		data     string
	}{
		{"udp", 0xa06c, true, "partial"},
		{"udp partial", 0x8424, false, "partial"},
		{"udp no checksum", 0, true, "nocheck"},
	} {
		ip := datagram(t, c.name)
		u, ok := wire.ParseUDP(ip.Payload())
		if !ok || u.SrcPort() != 4000 || u.DstPort() != 5000 || u.Length() != 15 ||
			u.Checksum() != c.checksum || string(u.Payload()) != c.data {
			t.Errorf("%s: %x", c.name, []byte(u))
		}
		if got := u.ChecksumOK4(ip.Src4(), ip.Dst4()); got != c.ok {
			t.Errorf("%s: checksum right: %v", c.name, got)
		}
	}
}

func TestPutUDP(t *testing.T) {
	want := datagram(t, "udp")
	b := append(make([]byte, 8), "partial"...)
	if u, ok := wire.PutUDP(b, 4000, 5000, ipA, ipB); !ok || !bytes.Equal(u, want.Payload()) {
		t.Errorf("put %x, want %x", b, want.Payload())
	}
	u, _ := wire.PutUDPHeader(b, 4000, 5000)
	if u.Checksum() != 0 || !u.ChecksumOK4(ipA, ipB) {
		t.Errorf("header alone has checksum %#x", u.Checksum())
	}
	u.FillPartial4(ipA, ipB)
	if partial := datagram(t, "udp partial"); !bytes.Equal(u, partial.Payload()) {
		t.Errorf("partial %x, want %x", b, partial.Payload())
	}
	u.SetSrcPort(1)
	u.SetDstPort(2)
	u.SetChecksum(3)
	if !bytes.Equal(u[:8], []byte{0, 1, 0, 2, 0, 15, 0, 3}) {
		t.Errorf("setters: %x", u[:8])
	}
	for n, want := range map[int]bool{0: false, 7: false, 8: true, 65515: true, 65516: false} {
		if _, ok := wire.PutUDP(make([]byte, n), 1, 2, ipA, ipB); ok != want {
			t.Errorf("put into %d octets: %v", n, ok)
		}
	}
}

// There is a port for which the checksum comes to 0; it must not say "none".
func TestUDPChecksumZero(t *testing.T) {
	b := make([]byte, 8)
	found := false
	for port := range 1 << 16 {
		u, _ := wire.PutUDP(b, uint16(port), 5000, ipA, ipB)
		if u.Checksum() == 0 {
			t.Fatalf("port %d: no checksum", port)
		}
		if !u.ChecksumOK4(ipA, ipB) {
			t.Fatalf("port %d: wrong checksum", port)
		}
		found = found || u.Checksum() == 0xffff
	}
	if !found {
		t.Error("the case did not occur")
	}
}

func TestParseUDPLength(t *testing.T) {
	for _, c := range []struct {
		name        string
		have, field int
		ok          bool
	}{
		{"whole", 15, 15, true},
		{"padded", 20, 15, true},
		{"empty", 8, 8, true},
		{"length 0", 15, 0, false},
		{"length under a header", 15, 7, false},
		{"length over the payload", 15, 16, false},
		{"short of a header", 7, 8, false},
		{"nothing", 0, 8, false},
	} {
		b := make([]byte, 20)
		b[5] = byte(c.field)
		u, ok := wire.ParseUDP(b[:c.have])
		if ok != c.ok || ok && len(u) != c.field {
			t.Errorf("%s: %v, %d octets", c.name, ok, len(u))
		}
	}
}

func TestUDPRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data")
		sport, dport := rapid.Uint16().Draw(t, "sport"), rapid.Uint16().Draw(t, "dport")
		b := append(make([]byte, 8), data...)
		wire.PutUDP(b, sport, dport, ipA, ipB)
		u, ok := wire.ParseUDP(b)
		if !ok || u.SrcPort() != sport || u.DstPort() != dport || !bytes.Equal(u.Payload(), data) ||
			!u.ChecksumOK4(ipA, ipB) {
			t.Fatalf("came back as %x", b)
		}
		// The oracle, over a pseudo header written out.
		pseudo := append(append(append([]byte{}, ipA[:]...), ipB[:]...), 0, 17, byte(len(b)>>8), byte(len(b)))
		if sum := dumbSum(append(pseudo, b...)); sum != 0xffff {
			t.Fatalf("sum with pseudo header %#x", sum)
		}
		ip, _ := wire.PutIPv4(make([]byte, 20), wire.IPv4Fields{Proto: wire.ProtoUDP, Src: ipA, Dst: ipB})
		if ip.PseudoSum(len(b)) != wire.PseudoSum4(ipA, ipB, wire.ProtoUDP, len(b)) {
			t.Fatal("PseudoSum differs from PseudoSum4")
		}
		part := bytes.Clone(b)
		wire.UDP(part).FillPartial4(ipA, ipB)
		if !wire.FinishPartial(part, 0, wire.UDPChecksumOffset) || !bytes.Equal(part, b) {
			t.Fatalf("finished %x, want %x", part, b)
		}
	})
}
