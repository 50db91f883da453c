package lockstep

import (
	"fmt"
	"hash/crc32"

	"nsmodel/conformance"
	"nsmodel/core/wire"
)

// ephemeral is the first port that a socket is given that asked for none;
// ip_local_port_range.
const ephemeral, lastEphemeral = 32768, 60999

// describe returns a frame as a line in which the model's and Linux's can be
// compared. What is left out of it is told in [NotCompared].
func describe(f conformance.Frame) string {
	way := "<"
	if f.Out {
		way = ">"
	}
	e, ok := wire.ParseEthernet(f.Data)
	if !ok {
		return fmt.Sprintf("%s %s %d octets", f.Dev, way, len(f.Data))
	}
	head := fmt.Sprintf("%s %s %v to %v", f.Dev, way, e.Src(), e.Dst())
	switch e.Type() {
	case wire.EtherTypeARP:
		return head + " " + describeARP(e.Payload())
	case wire.EtherTypeIPv4:
		return head + " " + describeIPv4(e.Payload(), true)
	case wire.EtherTypeIPv6:
		return head + " " + describeIPv6(e.Payload(), true)
	}
	return fmt.Sprintf("%s type %04x, %s", head, e.Type(), content(e.Payload()))
}

func describeARP(b []byte) string {
	a, ok := wire.ParseARP(b)
	if !ok {
		return "arp? " + content(b)
	}
	return fmt.Sprintf("arp %d, %v is at %v, to %v at %v", a.Op(), a.SenderIP(), a.SenderMAC(), a.TargetIP(), a.TargetMAC())
}

// describeIPv4 describes a packet; the one that an ICMP error carries back is
// mostly not whole.
func describeIPv4(b []byte, whole bool) string {
	if len(b) < wire.IPv4Len || b[0]>>4 != 4 || int(b[0]&15)*4 > len(b) || b[0]&15 < 5 {
		return "ipv4? " + content(b)
	}
	ip := wire.IPv4(b)
	s := fmt.Sprintf("%v to %v, ttl %d, tos %#x, length %d", ip.Src(), ip.Dst(), ip.TTL(), ip.TOS(), ip.TotalLen())
	if ip.DF() {
		s += ", DF"
	}
	if ip.IsFragment() {
		s += fmt.Sprintf(", fragment at %d, more %v", ip.FragOffset(), ip.MF())
	}
	if whole && !ip.ChecksumOK() {
		s += ", wrong checksum"
	}
	if ip.HasOptions() {
		s += fmt.Sprintf(", options %x", ip.Options())
	}
	data := b[ip.HeaderLen():]
	if n := ip.TotalLen() - ip.HeaderLen(); n >= 0 && n < len(data) {
		data = data[:n]
	}
	switch {
	case ip.FragOffset() > 0:
		return fmt.Sprintf("%s, protocol %d, %d octets", s, ip.Proto(), len(data))
	case ip.Proto() == wire.ProtoICMP && len(data) >= wire.ICMPLen:
		return s + ", " + describeICMP(wire.ICMP(data))
	case ip.Proto() == wire.ProtoUDP && len(data) >= wire.UDPLen:
		u := wire.UDP(data)
		return fmt.Sprintf("%s, udp %s to %s, length %d, %s", s, port(u.SrcPort()), port(u.DstPort()), u.Length(), content(u.Payload()))
	}
	return fmt.Sprintf("%s, protocol %d, %s", s, ip.Proto(), content(data))
}

func describeICMP(m wire.ICMP) string {
	s := fmt.Sprintf("icmp %d/%d", m.Type(), m.Code())
	if m.IsError() {
		return fmt.Sprintf("%s, %#x (%d octets of: %s)", s, m.Rest(), len(m.Payload()), describeIPv4(m.Payload(), false))
	}
	return fmt.Sprintf("%s, seq %d, %d octets", s, m.Seq(), len(m.Payload()))
}

func port(p uint16) string {
	if p >= ephemeral && p <= lastEphemeral {
		return "any"
	}
	return fmt.Sprint(p)
}

// content stands for octets that are compared by their sum.
func content(b []byte) string {
	if len(b) <= 16 {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%d octets %08x", len(b), crc32.ChecksumIEEE(b))
}
