package law

import (
	"encoding/hex"

	"nsmodel/core/wire"
)

// ethernet puts a header before a payload.
func ethernet(dst, src wire.MAC, typ uint16, payload []byte) []byte {
	b := make([]byte, wire.EthernetLen+len(payload))
	wire.PutEthernet(b, dst, src, typ)
	copy(b[wire.EthernetLen:], payload)
	return b
}

// ipPacket puts an IPv4 header before a payload. flags is the word of Don't
// Fragment, More Fragments and the offset in units of eight bytes.
func ipPacket(src, dst [4]byte, proto, ttl uint8, id, flags uint16, payload []byte) []byte {
	b := make([]byte, wire.IPv4Len+len(payload))
	total := len(b)
	copy(b, []byte{0x45, 0, byte(total >> 8), byte(total), byte(id >> 8), byte(id), byte(flags >> 8), byte(flags), ttl, proto})
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	wire.IPv4(b[:wire.IPv4Len]).FillChecksum()
	copy(b[wire.IPv4Len:], payload)
	return b
}

func udpPacket(src, dst [4]byte, sport, dport uint16, text string) []byte {
	b := make([]byte, wire.UDPLen+len(text))
	copy(b[wire.UDPLen:], text)
	wire.PutUDP(b, sport, dport, src, dst)
	return b
}

func udpFrame(to, from wire.MAC, src, dst [4]byte, sport, dport uint16, text string) []byte {
	return ethernet(to, from, wire.EtherTypeIPv4, ipPacket(src, dst, 17, 64, 1, 0, udpPacket(src, dst, sport, dport, text)))
}

// icmpPacket is an ICMP message with its checksum; rest is the second word.
func icmpPacket(typ, code uint8, rest uint32, payload []byte) []byte {
	b := make([]byte, 8+len(payload))
	copy(b[8:], payload)
	b[0], b[1] = typ, code
	b[4], b[5], b[6], b[7] = byte(rest>>24), byte(rest>>16), byte(rest>>8), byte(rest)
	c := wire.Checksum(b)
	b[2], b[3] = byte(c>>8), byte(c)
	return b
}

func arpFrame(to, from wire.MAC, op uint16, sender wire.MAC, senderIP [4]byte, target wire.MAC, targetIP [4]byte) []byte {
	b := []byte{0, 1, 8, 0, 6, 4, byte(op >> 8), byte(op)}
	b = append(b, sender[:]...)
	b = append(b, senderIP[:]...)
	b = append(b, target[:]...)
	b = append(b, targetIP[:]...)
	return ethernet(to, from, wire.EtherTypeARP, b)
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
