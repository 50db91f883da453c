package wire_test

import (
	"fmt"

	"nsmodel/core/wire"
)

// A datagram is written from the inside out into one buffer, then read from
// the outside in, as a packet travels.
func Example() {
	src, dst := [4]byte{192, 0, 2, 1}, [4]byte{192, 0, 2, 2}
	b := make([]byte, wire.EthernetLen+wire.IPv4Len+wire.UDPLen+5)
	ipAt, udpAt := wire.EthernetLen, wire.EthernetLen+wire.IPv4Len
	copy(b[udpAt+wire.UDPLen:], "hello")
	wire.PutUDP(b[udpAt:], 4000, 7, src, dst)
	wire.PutIPv4(b[ipAt:], wire.IPv4Fields{TTL: 64, Proto: wire.ProtoUDP, Src: src, Dst: dst})
	wire.PutEthernet(b, wire.BroadcastMAC(), wire.MAC{2, 0, 0, 0, 0, 1}, wire.EtherTypeIPv4)

	e, ok := wire.ParseEthernet(b)
	if !ok || e.Type() != wire.EtherTypeIPv4 {
		return
	}
	ip, ok := wire.ParseIPv4(e.Payload())
	if !ok || !ip.ChecksumOK() || !ip.DecTTL() {
		return
	}
	if u, ok := wire.ParseUDP(ip.Payload()); ok && u.ChecksumOK4(ip.Src4(), ip.Dst4()) {
		fmt.Printf("%v > %v, %v:%d > %v:%d, ttl %d: %s\n",
			e.Src(), e.Dst(), ip.Src(), u.SrcPort(), ip.Dst(), u.DstPort(), ip.TTL(), u.Payload())
	}
	// Output:
	// 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, 192.0.2.1:4000 > 192.0.2.2:7, ttl 63: hello
}

// The options of a header, one by one.
func ExampleEachOption() {
	options := []byte{wire.OptNOP, wire.OptRA, 4, 0, 0, wire.OptEOL, 0, 0}
	for it := wire.EachOption(options); it.Next(); {
		fmt.Printf("kind %d at %d: %x\n", it.Kind(), it.Offset(), it.Bytes())
	}
	// Output:
	// kind 1 at 0: 01
	// kind 148 at 1: 94040000
}
