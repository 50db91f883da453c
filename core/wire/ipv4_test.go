package wire_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/core/wire"
)

func TestIPv4Fields(t *testing.T) {
	ip := datagram(t, "port unreachable")
	if ip.HeaderLen() != 20 || ip.TOS() != 0xc0 || ip.DSCP() != 48 || ip.ECN() != wire.ECNNotECT ||
		ip.TotalLen() != 63 || ip.ID() != 0x8845 || ip.DF() || ip.MF() || ip.FragOffset() != 0 ||
		ip.TTL() != 64 || ip.Proto() != wire.ProtoICMP || ip.Checksum() != 0x6db5 ||
		ip.Src4() != ipB || ip.Dst4() != ipA || ip.HasOptions() || ip.IsFragment() {
		t.Errorf("read wrong: %x", ip.Header())
	}
	if ip.Src().String() != "192.0.2.2" || ip.Dst().String() != "192.0.2.1" {
		t.Errorf("%v > %v", ip.Src(), ip.Dst())
	}
	if rr := datagram(t, "echo rr"); rr.HeaderLen() != 60 || len(rr.Options()) != 40 || !rr.DF() || !rr.HasOptions() {
		t.Errorf("options: %d of %d", len(rr.Options()), rr.HeaderLen())
	}
}

func TestIPv4Checksums(t *testing.T) {
	for name := range frames {
		if frame(t, name).Type() != wire.EtherTypeIPv4 {
			continue
		}
		ip := datagram(t, name)
		if !ip.ChecksumOK() {
			t.Errorf("%s: checksum is wrong", name)
		}
		want := ip.Checksum()
		ip.SetChecksum(want + 1)
		if ip.ChecksumOK() {
			t.Errorf("%s: a wrong checksum is right", name)
		}
		ip.FillChecksum()
		if ip.Checksum() != want {
			t.Errorf("%s: computed %#x, want %#x", name, ip.Checksum(), want)
		}
	}
}

func TestParseIPv4Refuses(t *testing.T) {
	good := datagram(t, "echo") // 36 octets
	for _, c := range []struct {
		name string
		len  int
		set  map[int]byte
		ok   bool
	}{
		{"whole", 36, nil, true},
		{"empty", 0, nil, false},
		{"short of a header", 19, nil, false},
		{"cut payload", 35, nil, false},
		{"version 6", 36, map[int]byte{0: 0x65}, false},
		{"version 0", 36, map[int]byte{0: 0x05}, false},
		{"header of 4 words", 36, map[int]byte{0: 0x44}, false},
		{"header of 6 words", 36, map[int]byte{0: 0x46}, true},
		{"header of all", 36, map[int]byte{0: 0x49}, true},
		{"header past the end", 36, map[int]byte{0: 0x4a}, false},
		{"total under header", 36, map[int]byte{3: 19}, false},
		{"total is header", 36, map[int]byte{3: 20}, true},
		{"total 0", 36, map[int]byte{3: 0}, false},
		{"total over 255", 36, map[int]byte{2: 1}, false},
		{"wrong checksum", 36, map[int]byte{10: 0}, true},
	} {
		b := bytes.Clone(good)
		for at, v := range c.set {
			b[at] = v
		}
		if _, ok := wire.ParseIPv4(b[:c.len]); ok != c.ok {
			t.Errorf("%s: %v, want %v", c.name, ok, c.ok)
		}
	}
}

func TestParseIPv4Trims(t *testing.T) {
	ip, ok := wire.ParseIPv4(append(datagram(t, "udp"), 1, 2, 3))
	if !ok || len(ip) != 35 || string(ip.Payload()[8:]) != "partial" {
		t.Errorf("%v, %d octets", ok, len(ip))
	}
}

// A view whose octets are overwritten after the check must not reach outside.
func TestIPv4OverwrittenView(t *testing.T) {
	for first := range 256 {
		for _, total := range []int{0, 19, 20, 36, 37, 65535} {
			ip := datagram(t, "echo")
			ip[0], ip[2], ip[3] = byte(first), byte(total>>8), byte(total)
			touch4(ip)
		}
	}
}

func drawFields(t *rapid.T) wire.IPv4Fields {
	four := rapid.SliceOfN(rapid.Byte(), 4, 4)
	return wire.IPv4Fields{
		TOS: rapid.Uint8().Draw(t, "tos"), ID: rapid.Uint16().Draw(t, "id"),
		DF: rapid.Bool().Draw(t, "df"), MF: rapid.Bool().Draw(t, "mf"),
		FragOffset: 8 * rapid.IntRange(0, 0x1fff).Draw(t, "offset"),
		TTL:        rapid.Uint8().Draw(t, "ttl"), Proto: rapid.Uint8().Draw(t, "proto"),
		Src: [4]byte(four.Draw(t, "src")), Dst: [4]byte(four.Draw(t, "dst")),
		Options: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "options"),
	}
}

func TestIPv4RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFields(t)
		n := rapid.IntRange(0, 100).Draw(t, "payload")
		b := bytes.Repeat([]byte{0xaa}, f.HeaderLen()+n)
		if put, ok := wire.PutIPv4(b, f); !ok || len(put) != len(b) {
			t.Fatalf("refused %+v", f)
		}
		ip, ok := wire.ParseIPv4(b)
		if !ok || !ip.ChecksumOK() {
			t.Fatalf("wrote what cannot be read: %x", b)
		}
		if !bytes.HasPrefix(ip.Options(), f.Options) || len(ip.Payload()) != n ||
			bytes.Count(ip.Options()[len(f.Options):], []byte{0}) != len(ip.Options())-len(f.Options) {
			t.Fatalf("options %x, payload %d", ip.Options(), len(ip.Payload()))
		}
		got := wire.IPv4Fields{TOS: ip.TOS(), ID: ip.ID(), DF: ip.DF(), MF: ip.MF(), FragOffset: ip.FragOffset(),
			TTL: ip.TTL(), Proto: ip.Proto(), Src: ip.Src4(), Dst: ip.Dst4()}
		f.Options = nil
		if got.TOS != f.TOS || got.ID != f.ID || got.DF != f.DF || got.MF != f.MF || got.FragOffset != f.FragOffset ||
			got.TTL != f.TTL || got.Proto != f.Proto || got.Src != f.Src || got.Dst != f.Dst {
			t.Fatalf("wrote %+v, read %+v", f, got)
		}
		if ip.IsFragment() != (f.MF || f.FragOffset > 0) {
			t.Fatalf("fragment: %v of %+v", ip.IsFragment(), f)
		}
	})
}

// Setters, each in any order, give what PutIPv4 gives with the new values:
// octet for octet, so that corrected checksums equal computed ones.
func TestIPv4SettersOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawFields(t), drawFields(t)
		to.Options = from.Options
		b, want := make([]byte, from.HeaderLen()+8), make([]byte, from.HeaderLen()+8)
		ip, _ := wire.PutIPv4(b, from)
		wire.PutIPv4(want, to)
		steps := []func(){
			func() { ip.SetTOS(to.TOS) }, func() { ip.SetID(to.ID) },
			func() { ip.SetFrag(to.DF, to.MF, to.FragOffset) },
			func() { ip.SetTTL(to.TTL) }, func() { ip.SetProto(to.Proto) },
			func() { ip.SetSrc4(to.Src) }, func() { ip.SetDst4(to.Dst) },
		}
		for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6}).Draw(t, "order") {
			steps[i]()
			if !ip.ChecksumOK() {
				t.Fatalf("step %d broke the checksum", i)
			}
		}
		if !bytes.Equal(ip, want) {
			t.Fatalf("set %x, want %x", []byte(ip), want)
		}
	})
}

func TestIPv4SettersKeepAWrongChecksumWrong(t *testing.T) {
	ip := datagram(t, "udp")
	ip.SetChecksum(ip.Checksum() ^ 0x0100)
	ip.SetTTL(3)
	ip.SetSrc4(ipB)
	if ip.ChecksumOK() {
		t.Error("a wrong header was made right")
	}
}

func TestIPv4SetECNAndTotalLen(t *testing.T) {
	ip := datagram(t, "port unreachable")
	ip.SetECN(wire.ECNCE)
	if ip.ECN() != wire.ECNCE || ip.DSCP() != 48 || !ip.ChecksumOK() {
		t.Errorf("ECN %d, DSCP %d", ip.ECN(), ip.DSCP())
	}
	for n, want := range map[int]bool{19: false, 20: true, 63: true, 64: false, -1: false, 1 << 17: false} {
		ip := datagram(t, "port unreachable")
		if ok := ip.SetTotalLen(n); ok != want || !ip.ChecksumOK() || ok && len(ip.Payload()) != n-20 {
			t.Errorf("SetTotalLen(%d) = %v", n, ok)
		}
	}
	if ip.SetFrag(false, false, 4) || ip.SetFrag(false, false, -8) || ip.SetFrag(false, false, 65536) {
		t.Error("took an offset that cannot be written")
	}
}

func TestDecTTL(t *testing.T) {
	for ttl, want := range map[uint8]bool{0: false, 1: false, 2: true, 255: true} {
		ip := datagram(t, "udp")
		ip.SetTTL(ttl)
		before := bytes.Clone(ip)
		if ok := ip.DecTTL(); ok != want || !ip.ChecksumOK() {
			t.Errorf("TTL %d: %v", ttl, ok)
		} else if ok && ip.TTL() != ttl-1 || !ok && !bytes.Equal(ip, before) {
			t.Errorf("TTL %d became %d", ttl, ip.TTL())
		}
	}
	// From every checksum there can be.
	for id := range 1 << 16 {
		b := make([]byte, 20)
		ip, _ := wire.PutIPv4(b, wire.IPv4Fields{ID: uint16(id), TTL: 64})
		if ip.DecTTL(); !ip.ChecksumOK() {
			t.Fatalf("ID %#x: checksum %#x is wrong", id, ip.Checksum())
		}
	}
}

func TestPutIPv4Refuses(t *testing.T) {
	for _, c := range []struct {
		name string
		len  int
		f    wire.IPv4Fields
		ok   bool
	}{
		{"header alone", 20, wire.IPv4Fields{}, true},
		{"short", 19, wire.IPv4Fields{}, false},
		{"largest", 65535, wire.IPv4Fields{}, true},
		{"too large", 65536, wire.IPv4Fields{}, false},
		{"options do not fit", 23, wire.IPv4Fields{Options: []byte{1}}, false},
		{"most options", 60, wire.IPv4Fields{Options: make([]byte, 40)}, true},
		{"too many options", 90, wire.IPv4Fields{Options: make([]byte, 41)}, false},
		{"odd offset", 20, wire.IPv4Fields{FragOffset: 4}, false},
		{"largest offset", 20, wire.IPv4Fields{FragOffset: 65528}, true},
		{"offset too large", 20, wire.IPv4Fields{FragOffset: 65536}, false},
	} {
		b := make([]byte, c.len)
		if _, ok := wire.PutIPv4(b, c.f); ok != c.ok {
			t.Errorf("%s: %v, want %v", c.name, ok, c.ok)
		} else if !ok && !bytes.Equal(b, make([]byte, c.len)) {
			t.Errorf("%s: refused, but wrote", c.name)
		}
	}
}

func TestFragPayload(t *testing.T) {
	for _, c := range []struct{ mtu, hdr, want int }{
		{1500, 20, 1480}, {1499, 20, 1472}, {68, 60, 8}, {67, 60, 0}, {20, 20, 0}, {0, 20, 0}, {28, 20, 8},
	} {
		if got := wire.FragPayload(c.mtu, c.hdr); got != c.want {
			t.Errorf("FragPayload(%d, %d) = %d, want %d", c.mtu, c.hdr, got, c.want)
		}
	}
}
