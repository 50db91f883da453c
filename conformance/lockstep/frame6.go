package lockstep

import (
	"fmt"
	"net/netip"

	"nsmodel/core/wire"
)

func as16(a string) [16]byte { return netip.MustParseAddr(a).As16() }

// describeIPv6 is describeIPv4 for IPv6. Flow labels are left out: Linux draws
// them.
func describeIPv6(b []byte, whole bool) string {
	if len(b) < wire.IPv6Len || b[0]>>4 != 6 {
		return "ipv6? " + content(b)
	}
	ip := wire.IPv6(b)
	s := fmt.Sprintf("%v to %v, hops %d, class %#x, length %d", ip.Src(), ip.Dst(), ip.HopLimit(), ip.Class(), ip.PayloadLen())
	data, next := b[wire.IPv6Len:], ip.Next()
	if n := ip.PayloadLen(); n < len(data) {
		data = data[:n]
	}
	if next == wire.ProtoFragment && len(data) >= 8 {
		at := int(data[2])<<8 | int(data[3])
		s += fmt.Sprintf(", fragment at %d, more %v", at&^7, at&1 != 0)
		if at&^7 > 0 {
			return fmt.Sprintf("%s, protocol %d, %d octets", s, data[0], len(data)-8)
		}
		next, data = data[0], data[8:]
	}
	switch {
	case next == wire.ProtoICMPv6 && len(data) >= wire.ICMPLen:
		m := wire.ICMPv6(data)
		s += fmt.Sprintf(", icmp6 %d/%d", m.Type(), m.Code())
		if m.Type() < 128 {
			return fmt.Sprintf("%s, %#x (%d octets of: %s)", s, data[4:8], len(data)-8, describeIPv6(data[8:], false))
		}
		if m.Type() <= 129 {
			return fmt.Sprintf("%s, seq %d, %d octets", s, m.Seq(), len(data)-8)
		}
		return s
	case next == wire.ProtoUDP && len(data) >= wire.UDPLen:
		u := wire.UDP(data)
		return fmt.Sprintf("%s, udp %s to %s, length %d, %s", s, port(u.SrcPort()), port(u.DstPort()), u.Length(), content(data[wire.UDPLen:]))
	}
	return fmt.Sprintf("%s, next %d, %s", s, next, content(data))
}
