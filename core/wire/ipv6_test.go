package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"net/netip"
	"testing"

	"nsmodel/core/wire"
)

// six returns one of sixFrames.
func six(t testing.TB, name string) []byte {
	b, err := hex.DecodeString(sixFrames[name])
	if err != nil || len(b) == 0 {
		t.Fatalf("no datagram %q: %v", name, err)
	}
	return b
}

// sixOf parses one of them; the one that was cut gets the length that is left.
func sixOf(t testing.TB, name string) wire.IPv6 {
	b := six(t, name)
	if name == "last fragment" {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-wire.IPv6Len))
	}
	ip, ok := wire.ParseIPv6(b)
	if !ok {
		t.Fatalf("%s is refused", name)
	}
	return ip
}

// naiveSum6 is the checksum of RFC 8200 section 8.1, word by word over a pseudo
// header that is written out.
func naiveSum6(ip wire.IPv6, proto uint8, upper []byte) uint16 {
	b := append(append([]byte{}, ip[8:24]...), ip[24:40]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(upper)))
	b = append(b, 0, 0, 0, proto)
	b = append(b, upper...)
	if len(b)%2 != 0 {
		b = append(b, 0)
	}
	sum := uint64(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint64(b[i])<<8 | uint64(b[i+1])
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// What Linux sent is read, its checksums are right, and written again from what
// was read it is the same to the octet.
func TestIPv6LinuxDatagrams(t *testing.T) {
	for name, want := range map[string]struct {
		proto uint8
		off   int
		typ   uint8
		src   string
	}{
		"mld2":           {wire.ProtoICMPv6, 48, wire.ICMP6MLD2Report, "::"},
		"dad":            {wire.ProtoICMPv6, 40, wire.ICMP6NeighSolicit, "::"},
		"solicit":        {wire.ProtoICMPv6, 40, wire.ICMP6NeighSolicit, "2001:db8::a"},
		"advert":         {wire.ProtoICMPv6, 40, wire.ICMP6NeighAdvert, "2001:db8::b"},
		"echo":           {wire.ProtoICMPv6, 40, wire.ICMP6Echo, "2001:db8::a"},
		"reply":          {wire.ProtoICMPv6, 40, wire.ICMP6EchoReply, "2001:db8::b"},
		"router solicit": {wire.ProtoICMPv6, 40, wire.ICMP6RouterSolicit, "fe80::ff:fe00:b"},
		"port unreach":   {wire.ProtoICMPv6, 40, wire.ICMP6DestUnreach, "2001:db8::b"},
	} {
		ip := sixOf(t, name)
		proto, off, ok := ip.Transport()
		if !ok || proto != want.proto || off != want.off || ip.Src() != netip.MustParseAddr(want.src) {
			t.Errorf("%s: transport %d at %d, %v, from %v", name, proto, off, ok, ip.Src())
			continue
		}
		m, ok := wire.ParseICMPv6(ip[off:])
		if !ok || m.Type() != want.typ || !m.ChecksumOK(ip.Src16(), ip.Dst16()) {
			t.Errorf("%s: type %d, checksum %v", name, m.Type(), m.ChecksumOK(ip.Src16(), ip.Dst16()))
		}
		if got := naiveSum6(ip, proto, m); got != 0xffff {
			t.Errorf("%s: the naive sum is %#x", name, got)
		}
		again := bytes.Clone(ip)
		clear(again[:wire.IPv6Len])
		wire.PutIPv6(again, wire.IPv6Fields{Class: ip.Class(), FlowLabel: ip.FlowLabel(), Next: ip.Next(), HopLimit: ip.HopLimit(),
			Src: ip.Src16(), Dst: ip.Dst16()})
		wire.PutICMPv6(again[off:], m.Type(), m.Code(), m.Rest(), ip.Src16(), ip.Dst16())
		if !bytes.Equal(again, ip) {
			t.Errorf("%s: %x came back as %x", name, []byte(ip), again)
		}
		m[len(m)-1] ^= 1
		if m.ChecksumOK(ip.Src16(), ip.Dst16()) {
			t.Errorf("%s: a changed octet is not noticed", name)
		}
	}
}

func TestIPv6Parse(t *testing.T) {
	good := six(t, "echo")
	for name, change := range map[string]func(b []byte) []byte{
		"short":   func(b []byte) []byte { return b[:39] },
		"version": func(b []byte) []byte { b[0] = 0x45; return b },
		"cut":     func(b []byte) []byte { return b[:len(b)-1] },
	} {
		if _, ok := wire.ParseIPv6(change(bytes.Clone(good))); ok {
			t.Errorf("%s is taken", name)
		}
	}
	if ip, ok := wire.ParseIPv6(append(bytes.Clone(good), 1, 2, 3)); !ok || len(ip) != len(good) {
		t.Error("padding is not cut off")
	}
	ip := wire.IPv6(bytes.Clone(good))
	ip.SetClass(0xb9)
	if ip.Class() != 0xb9 || ip.ECN() != 1 || ip.FlowLabel() != wire.IPv6(good).FlowLabel() || ip[0]>>4 != 6 {
		t.Errorf("class %#x, label %#x", ip.Class(), ip.FlowLabel())
	}
	ip.SetHopLimit(2)
	if !ip.DecHopLimit() || ip.DecHopLimit() || ip.HopLimit() != 1 {
		t.Error("the last hop is taken off, or none")
	}
}

// A neighbour message that PutND writes is Linux's to the octet.
func TestNeighbourDiscoveryMessages(t *testing.T) {
	for name, c := range map[string]struct {
		typ, kind uint8
		rest      uint32
		mac       wire.MAC
	}{
		"solicit": {wire.ICMP6NeighSolicit, wire.NDSourceLL, 0, wire.MAC{2, 0, 0, 0, 0, 0xa}},
		"advert":  {wire.ICMP6NeighAdvert, wire.NDTargetLL, wire.NAFlags{Solicited: true, Override: true}.Rest(), wire.MAC{2, 0, 0, 0, 0, 0xb}},
	} {
		ip := sixOf(t, name)
		m := wire.ICMPv6(ip.Payload())
		target, ok := m.Target()
		o, fine := wire.ParseNDOptions(m.Options())
		got := o.SourceLL
		if c.kind == wire.NDTargetLL {
			got = o.TargetLL
		}
		if !ok || !fine || got != c.mac || target != netip.MustParseAddr("2001:db8::b").As16() {
			t.Errorf("%s: target %x, options %+v, %v", name, target, o, fine)
		}
		b := make([]byte, wire.NDMessageLen(true))
		if !wire.PutND(b, c.typ, c.rest, target, c.kind, c.mac, ip.Src16(), ip.Dst16()) || !bytes.Equal(b, m) {
			t.Errorf("%s: %x, want %x", name, b, []byte(m))
		}
	}
	a := wire.ICMPv6(sixOf(t, "advert").Payload())
	if f := a.NAFlags(); f != (wire.NAFlags{Solicited: true, Override: true}) {
		t.Errorf("flags %+v", f)
	}
	if d := sixOf(t, "dad"); d.Dst16() != wire.SolicitedNode(netip.MustParseAddr("2001:db8::a").As16()) {
		t.Errorf("dad goes to %v", d.Dst())
	}
	o, ok := wire.ParseNDOptions(wire.ICMPv6(sixOf(t, "dad").Payload()).Options())
	if !ok || len(o.Nonce) != 6 || o.HasSource {
		t.Errorf("dad's options are %+v, %v", o, ok)
	}
	if got := (wire.MAC{2, 0, 0, 0, 0, 0xb}).EUI64(); netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: got[0], 9: got[1], 10: got[2],
		11: got[3], 12: got[4], 13: got[5], 14: got[6], 15: got[7]}) != netip.MustParseAddr("fe80::ff:fe00:b") {
		t.Errorf("identifier %x", got)
	}
}

// RFC 4861 section 4.6: an option of length zero ends the whole message.
func TestNDOptionsRefused(t *testing.T) {
	ll := []byte{1, 1, 2, 0, 0, 0, 0, 5}
	for name, b := range map[string][]byte{
		"zero length":           {1, 0, 2, 0, 0, 0, 0, 5},
		"zero behind good":      append(bytes.Clone(ll), 9, 0, 0, 0, 0, 0, 0, 0),
		"beyond the end":        {1, 2, 2, 0, 0, 0, 0, 5},
		"one octet":             {1},
		"no room for a length":  append(bytes.Clone(ll), 2),
		"address of ten octets": append([]byte{1, 2}, make([]byte, 14)...),
	} {
		if _, ok := wire.ParseNDOptions(b); ok {
			t.Errorf("%s is taken", name)
		}
	}
	two := append(bytes.Clone(ll), 1, 1, 2, 0, 0, 0, 0, 6)
	if o, ok := wire.ParseNDOptions(two); !ok || o.SourceLL != (wire.MAC{2, 0, 0, 0, 0, 5}) {
		t.Errorf("of two addresses %v counts", o.SourceLL)
	}
	if o, ok := wire.ParseNDOptions(append([]byte{200, 1, 0, 0, 0, 0, 0, 0}, ll...)); !ok || !o.HasSource {
		t.Error("an unknown option is in the way")
	}
}

// naiveChain is Transport by recursion on slices.
func naiveChain(next uint8, b []byte) (proto uint8, rest []byte, ok bool) {
	size := 0
	switch next {
	case 0, 43, 60:
		if len(b) >= 8 {
			size = 8 * (1 + int(b[1]))
		}
	case 51:
		if len(b) >= 8 {
			size = 4 * (2 + int(b[1]))
		}
		if size < 8 {
			return next, b, false
		}
	case 44:
		if len(b) >= 8 {
			if binary.BigEndian.Uint16(b[2:])>>3 != 0 {
				return b[0], b[8:], false
			}
			size = 8
		}
	default:
		return next, b, true
	}
	if size == 0 || size > len(b) {
		return next, b, false
	}
	return naiveChain(b[0], b[size:])
}

func chainSeeds(f *testing.F) {
	for name := range sixFrames {
		f.Add(six(f, name))
	}
	h := make([]byte, 40, 80)
	h[0], h[5], h[6] = 0x60, 24, 0
	f.Add(append(h, 43, 0, 1, 4, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 58, 0, 5, 2, 0, 0, 1, 0))
}

func FuzzIPv6(f *testing.F) {
	chainSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		ip, ok := wire.ParseIPv6(b)
		if !ok {
			return
		}
		again := bytes.Clone(ip)
		clear(again[:wire.IPv6Len])
		wire.PutIPv6(again, wire.IPv6Fields{Class: ip.Class(), FlowLabel: ip.FlowLabel(), Next: ip.Next(), HopLimit: ip.HopLimit(),
			Src: ip.Src16(), Dst: ip.Dst16()})
		if !bytes.Equal(again, ip) {
			t.Fatalf("%x came back as %x", []byte(ip), again)
		}
		proto, off, ok := ip.Transport()
		want, rest, fine := naiveChain(ip.Next(), ip.Payload())
		if ok != fine || ok && (proto != want || !bytes.Equal(ip[off:], rest)) {
			t.Fatalf("transport %d at %d, %v; naive %d with %x, %v", proto, off, ok, want, rest, fine)
		}
		for e := ip.EachExt(); e.Next(); {
			for o := wire.EachTLV(e.Bytes()); o.Next(); {
				_ = o.Data()
			}
		}
		sum := wire.Fold(wire.Sum(ip.Payload(), ip.PseudoSum(17, len(ip.Payload()))))
		if got := naiveSum6(ip, 17, ip.Payload()); got != sum {
			t.Fatalf("sum %#x, naive %#x", sum, got)
		}
	})
}

func FuzzND(f *testing.F) {
	for _, name := range []string{"solicit", "advert", "dad"} {
		f.Add([]byte(wire.ICMPv6(sixOf(f, name).Payload()).Options()))
	}
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		o, ok := wire.ParseNDOptions(b)
		// The oracle cuts option by option.
		fine, source := true, false
		for rest := b; len(rest) > 0 && fine; {
			if fine = len(rest) >= 2 && rest[1] > 0 && 8*int(rest[1]) <= len(rest); fine {
				fine = rest[0] != 1 && rest[0] != 2 || rest[1] == 1
				source = source || rest[0] == 1
				rest = rest[8*int(rest[1]):]
			}
		}
		if ok != fine || ok && o.HasSource != source {
			t.Fatalf("%x: %v, want %v (source %v, want %v)", b, ok, fine, o.HasSource, source)
		}
		m, ok := wire.ParseICMPv6(b)
		if ok {
			_, _ = m.Target()
			_, _ = m.Options(), m.Payload()
		}
	})
}

func TestFlowHash6(t *testing.T) {
	a, b := netip.MustParseAddr("2001:db8::a").As16(), netip.MustParseAddr("2001:db8::b").As16()
	base := wire.FlowHash6(1, 17, a, b, 5, 6)
	if base == wire.FlowHash6(1, 17, b, a, 6, 5) {
		t.Error("both directions are alike")
	}
	flips := 0
	for i := range 256 {
		x, y := a, b
		if i < 128 {
			x[i/8] ^= 1 << (i % 8)
		} else {
			y[i/8-16] ^= 1 << (i % 8)
		}
		flips += bits.OnesCount32(base ^ wire.FlowHash6(1, 17, x, y, 5, 6))
	}
	if flips < 256*13 || flips > 256*19 {
		t.Errorf("one bit of an address flips %d of 32 bits on average", flips/256)
	}
}

// Nothing on the way of a packet allocates.
func TestIPv6NoAllocation(t *testing.T) {
	b, buf := six(t, "mld2"), make([]byte, 200)
	if k := testing.AllocsPerRun(100, func() {
		ip, _ := wire.ParseIPv6(b)
		_, off, _ := ip.Transport()
		wire.ICMPv6(ip[off:]).ChecksumOK(ip.Src16(), ip.Dst16())
		wire.ParseNDOptions(ip[off+8:])
		wire.PutIPv6(buf, wire.IPv6Fields{})
		wire.PutND(buf[:wire.NDMessageLen(true)], 135, 0, ip.Src16(), 1, wire.MAC{}, ip.Src16(), ip.Dst16())
		wire.FlowHash6(0, 17, ip.Src16(), ip.Dst16(), 1, 2)
	}); k != 0 {
		t.Errorf("%v allocations", k)
	}
}
