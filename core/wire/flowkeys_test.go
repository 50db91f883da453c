package wire

import (
	"encoding/binary"
	"testing"
)

// packet6 is a UDP packet of IPv6 from host a to host b.
func packet6(a, b byte, sport, dport uint16, label uint32) []byte {
	p := make([]byte, IPv6Len+UDPLen)
	f := IPv6Fields{Next: ProtoUDP}
	f.Src[15], f.Dst[15] = a, b
	PutIPv6(p, f)
	p[1], p[2], p[3] = byte(label>>16), byte(label>>8), byte(label)
	binary.BigEndian.PutUint16(p[IPv6Len:], sport)
	binary.BigEndian.PutUint16(p[IPv6Len+2:], dport)
	return p
}

// within puts inner into a packet of IPv4 as protocol 41, behind GRE if so.
func within(inner []byte, gre bool) []byte {
	p := make([]byte, IPv4Len)
	p[0], p[9], p[15], p[19] = 0x45, 41, 1, 2
	if gre {
		p[9] = 47
		p = append(p, 0x20, 0, 0x86, 0xdd, 1, 2, 3, 4) // with a key
	}
	return append(p, inner...)
}

// What two packets differ in chooses another hop under the policies that look at
// it, and under no other; and a flow's way back is its way there.
func TestFlowKeys(t *testing.T) {
	one := packet6(1, 2, 10, 20, 7)
	ports, label, back := packet6(1, 2, 11, 20, 7), packet6(1, 2, 10, 20, 8), packet6(2, 1, 20, 10, 7)
	fragment := within(one, false)
	fragment[6] = 0x20
	for _, c := range []struct {
		name   string
		a, b   []byte
		policy int32
		fields uint32
		same   bool
	}{
		{"the way back", one, back, 1, 0, true},
		{"ports, five-tuple", one, ports, 1, 0, false},
		{"ports, layer 3", one, ports, 2, 0, true},
		{"ports, no such field", one, ports, 3, FieldSrc | FieldDst, true},
		{"ports, that field", one, ports, 3, FieldSPort, false},
		{"another port, that field", one, ports, 3, FieldDPort, true},
		{"label, five-tuple", one, label, 1, 0, true},
		{"label, that field", one, label, 3, FieldLabel, false},
		{"inner label, layer 3 of the inner", within(one, false), within(label, false), 2, 0, false},
		{"inner label behind GRE", within(one, true), within(label, true), 2, 0, false},
		{"inner ports, layer 3 of the inner", within(one, false), within(ports, false), 2, 0, true},
		{"inner ports, five-tuple", within(one, false), within(ports, false), 1, 0, true},
		{"inner ports, outer fields", within(one, false), within(ports, false), 3, FieldSPort, true},
		{"inner ports, inner fields", within(one, false), within(ports, false), 3, FieldSPort << FieldsInner, false},
		{"a fragment's inside is not looked at", fragment, fragment[:IPv4Len], 2, 0, true},
	} {
		a := Dissect(c.a, false).HashBy(c.policy, c.fields, 5, c.a)
		b := Dissect(c.b, false).HashBy(c.policy, c.fields, 5, c.b)
		if (a == b) != c.same {
			t.Errorf("%s: %08x and %08x", c.name, a, b)
		}
		if a == Dissect(c.a, false).HashBy(c.policy, c.fields, 6, c.a) {
			t.Errorf("%s: the seed makes no difference", c.name)
		}
	}
}

// No packet, however short or false, may be read beyond its end.
func FuzzDissect(f *testing.F) {
	f.Add(within(packet6(1, 2, 3, 4, 5), true))
	f.Add(within(packet6(1, 2, 3, 4, 5), false))
	f.Fuzz(func(t *testing.T, b []byte) {
		if payload(4, b) != nil || payload(41, b) != nil {
			Dissect(b, true)
		}
	})
}
