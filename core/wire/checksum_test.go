package wire_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/core/wire"
)

// dumbSum is RFC 1071 section 1, word by word.
func dumbSum(b []byte) uint16 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		s += uint32(b[i]) << 8
		if i+1 < len(b) {
			s += uint32(b[i+1])
		}
		if s > 0xffff {
			s -= 0xffff
		}
	}
	return uint16(s)
}

func TestSumRFC1071(t *testing.T) {
	// RFC 1071 section 3.
	b := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	if got := wire.Fold(wire.Sum(b, 0)); got != 0xddf2 {
		t.Errorf("sum = %#x, want 0xddf2", got)
	}
	if got := wire.Checksum(b); got != 0x220d {
		t.Errorf("checksum = %#x, want 0x220d", got)
	}
}

func TestSumEveryLength(t *testing.T) {
	buf := make([]byte, 300)
	for i := range buf {
		buf[i] = byte(i*37 + 11)
	}
	ones := bytes.Repeat([]byte{0xff}, 300)
	for _, src := range [][]byte{buf, ones, make([]byte, 300)} {
		for from := range 9 {
			for to := from; to <= len(src); to++ {
				b := src[from:to]
				if got, want := wire.Fold(wire.Sum(b, 0)), dumbSum(b); got != want {
					t.Fatalf("sum of [%d:%d] of %x.. = %#x, want %#x", from, to, src[:4], got, want)
				}
			}
		}
	}
}

func TestSumLarge(t *testing.T) {
	for _, fill := range []byte{0x00, 0x01, 0x80, 0xff} {
		b := bytes.Repeat([]byte{fill}, 65535)
		if got, want := wire.Fold(wire.Sum(b, 0)), dumbSum(b); got != want {
			t.Errorf("65535 octets of %#x: %#x, want %#x", fill, got, want)
		}
	}
}

func TestSumInitial(t *testing.T) {
	for _, c := range []struct {
		name    string
		initial uint32
		want    uint16
	}{
		{"zero", 0, 0x0102},
		{"wraps 16 bits", 0xffff, 0x0102},
		{"wraps 32 bits", 0xffffffff, 0x0102},
		{"just below", 0xfffffffe, 0x0101},
	} {
		if got := wire.Fold(wire.Sum([]byte{1, 2}, c.initial)); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

func TestSumOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "b")
		cut := rapid.IntRange(0, len(b)).Draw(t, "cut")
		want := dumbSum(b)
		if got := wire.Fold(wire.Sum(b, 0)); got != want {
			t.Fatalf("Sum: %#x, want %#x", got, want)
		}
		// In two parts, at any octet.
		parts := wire.Combine(wire.Sum(b[:cut], 0), wire.Sum(b[cut:], 0), cut)
		if got := wire.Fold(parts); got != want {
			t.Fatalf("Combine at %d: %#x, want %#x", cut, got, want)
		}
		// One after the other, at even octets.
		cut &^= 1
		if got := wire.Fold(wire.Sum(b[cut:], wire.Sum(b[:cut], 0))); got != want {
			t.Fatalf("Sum on Sum at %d: %#x, want %#x", cut, got, want)
		}
	})
}

func TestUpdateOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 8, 60).Draw(t, "b")
		b = append(b, 1) // not all zeros, as no header is
		at := 2 * rapid.IntRange(0, 2).Draw(t, "at")
		check := wire.Checksum(b)

		old := uint16(b[at])<<8 | uint16(b[at+1])
		now := rapid.Uint16().Draw(t, "new16")
		b[at], b[at+1] = byte(now>>8), byte(now)
		check = wire.Update16(check, old, now)
		if want := wire.Checksum(b); check != want {
			t.Fatalf("Update16: %#x, want %#x", check, want)
		}

		old32 := uint32(b[at])<<24 | uint32(b[at+1])<<16 | uint32(b[at+2])<<8 | uint32(b[at+3])
		now32 := rapid.Uint32().Draw(t, "new32")
		b[at], b[at+1], b[at+2], b[at+3] = byte(now32>>24), byte(now32>>16), byte(now32>>8), byte(now32)
		if got, want := wire.Update32(check, old32, now32), wire.Checksum(b); got != want {
			t.Fatalf("Update32: %#x, want %#x", got, want)
		}
	})
}

// RFC 1624 section 4 is the case that equation 2 of RFC 1141 gets wrong.
func TestUpdateRFC1624(t *testing.T) {
	if got := wire.Update16(0xdd2f, 0x5555, 0x3285); got != 0x0000 {
		t.Errorf("got %#x, want 0", got)
	}
}

func TestFinishPartial(t *testing.T) {
	sent, whole := datagram(t, "udp partial"), datagram(t, "udp")
	if !wire.FinishPartial(sent, 20, wire.UDPChecksumOffset) {
		t.Fatal("refused")
	}
	if got, want := sent.Payload(), whole.Payload(); !bytes.Equal(got, want) {
		t.Errorf("finished: %x, want %x", got, want)
	}
	// Where the checksum comes to 0, it is written as all ones.
	zero := []byte{0xff, 0xff, 0, 0}
	if !wire.FinishPartial(zero, 0, 2) || zero[2] != 0xff || zero[3] != 0xff {
		t.Errorf("checksum 0 became %x", zero[2:])
	}
}

func TestFinishPartialBounds(t *testing.T) {
	const maxInt = int(^uint(0) >> 1)
	for _, c := range []struct {
		name               string
		len, start, offset int
		want               bool
	}{
		{"last octets", 10, 4, 4, true},
		{"one too far", 10, 4, 5, false},
		{"start at end", 10, 10, 0, false},
		{"start past end", 10, 11, 0, false},
		{"negative start", 10, -1, 4, false},
		{"negative offset", 10, 4, -1, false},
		{"huge start", 10, maxInt, 4, false},
		{"huge offset", 10, 4, maxInt, false},
		{"both huge", 10, maxInt, maxInt, false},
		{"empty", 0, 0, 0, false},
	} {
		b := make([]byte, c.len)
		if got := wire.FinishPartial(b, c.start, c.offset); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		} else if !got && !bytes.Equal(b, make([]byte, c.len)) {
			t.Errorf("%s: refused, but wrote %x", c.name, b)
		}
	}
}

func TestFindChecksum(t *testing.T) {
	udp, six := frame(t, "udp partial"), sixFrame()
	tagged := append(make([]byte, 8), udp...)
	wire.PushVLAN(tagged, 8, wire.EtherTypeVLAN, wire.MakeTCI(0, false, 7))
	wire.PushVLAN(tagged, 4, wire.EtherTypeQinQ, wire.MakeTCI(0, false, 8))
	frag := frame(t, "udp partial")
	datagramOf(frag).SetFrag(false, true, 0)
	for _, c := range []struct {
		name               string
		e                  wire.Ethernet
		start, offset, end int
		ok                 bool
	}{
		{"udp", udp, 34, 6, 49, true},
		{"padded", append(frame(t, "udp partial"), make([]byte, 11)...), 34, 6, 49, true},
		{"two tags", tagged, 42, 6, 57, true},
		{"ipv6 tcp", six, 54, 16, 74, true},
		{"ipv6 cut", six[:73], 0, 0, 0, false},
		{"fragment", frag, 0, 0, 0, false},
		{"icmp", frame(t, "echo"), 0, 0, 0, false},
		{"arp", frame(t, "arp reply"), 0, 0, 0, false},
		{"tag cut", tagged[:16], 0, 0, 0, false},
	} {
		start, offset, end, ok := wire.FindChecksum(c.e)
		if start != c.start || offset != c.offset || end != c.end || ok != c.ok {
			t.Errorf("%s: %d %d %d %v, want %d %d %d %v", c.name,
				start, offset, end, ok, c.start, c.offset, c.end, c.ok)
		}
	}
}

// sixFrame is an empty TCP segment over IPv6.
func sixFrame() wire.Ethernet {
	b := make([]byte, 14+40+20)
	wire.PutEthernet(b, macB, macA, wire.EtherTypeIPv6)
	b[14], b[14+5], b[14+6] = 0x60, 20, wire.ProtoTCP
	return b
}

func datagramOf(e wire.Ethernet) wire.IPv4 {
	ip, _ := wire.ParseIPv4(e.Payload())
	return ip
}
