package stage

import (
	"encoding/binary"

	"nsmodel/core/wire"
)

// FirstFragment6 returns the frame of a first IPv6 fragment of a UDP datagram that
// addr sends itself, with size bytes of the datagram, a multiple of 8.
func FirstFragment6(to wire.MAC, addr [16]byte, id uint32, size int) []byte {
	const header = 8
	b := make([]byte, wire.EthernetLen+wire.IPv6Len+header+size)
	wire.PutEthernet(b, to, Far(), wire.EtherTypeIPv6)
	ip, _ := wire.PutIPv6(b[wire.EthernetLen:], wire.IPv6Fields{Src: addr, Dst: addr, Next: wire.ProtoFragment, HopLimit: 64})
	f := ip.Payload()
	f[0], f[3] = wire.ProtoUDP, 1 // more fragments
	binary.BigEndian.PutUint32(f[4:], id)
	wire.PutUDPHeader(f[header:], 1234, Port)
	return b
}
