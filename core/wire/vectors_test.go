package wire_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"nsmodel/core/wire"
)

// Frames that Linux 6.18 sent between two namespaces, captured at one end of
// a veth, with its checksum offload off unless the name says otherwise.
var frames = map[string]string{
	"arp request": "ffffffffffff02000000000a0806 0001080006040001 02000000000ac0000201 000000000000c0000202",
	"arp reply":   "02000000000a02000000000b0806 0001080006040002 02000000000bc0000202 02000000000ac0000201",
	"echo": "02000000000b02000000000a0800 4500002463d5400040015300c0000201c0000202" +
		"0800cc961f5800010001020304050607",
	"echo reply": "02000000000a02000000000b0800 45000024ed060000400109cfc0000202c0000201" +
		"0000d4961f5800010001020304050607",
	"echo rr": "02000000000b02000000000a0800 4f00004c63d6400040015ec6c0000201c0000202" +
		"01072708c00002010000000000000000000000000000000000000000000000000000000000000000" +
		"0800cc951f5900010001020304050607",
	"echo ts": "02000000000b02000000000a0800 4e00004863d740004001c40ec0000201c0000202" +
		"44240d01c000020102b26ff2000000000000000000000000000000000000000000000000" +
		"0800cc941f5a00010001020304050607",
	"udp partial": "02000000000b02000000000a0800 4500002380ea4000401135dcc0000201c0000202" +
		"0fa01388000f84247061727469616c",
	"udp": "02000000000b02000000000a0800 45000023810a4000401135bcc0000201c0000202" +
		"0fa01388000fa06c7061727469616c",
	"udp no checksum": "02000000000b02000000000a0800 45000023810b4000401135bbc0000201c0000202" +
		"0fa01388000f00006e6f636865636b",
	"port unreachable": "02000000000a02000000000b0800 45c0003f884500004001" + "6db5c0000202c0000201" +
		"0303378a00000000" + "45000023810b4000401135bbc0000201c0000202" + "0fa01388000f00006e6f636865636b",
}

var (
	macA, macB = wire.MAC{2, 0, 0, 0, 0, 0xa}, wire.MAC{2, 0, 0, 0, 0, 0xb}
	ipA, ipB   = [4]byte{192, 0, 2, 1}, [4]byte{192, 0, 2, 2}
)

// frame returns the octets of a frame by name.
func frame(tb testing.TB, name string) wire.Ethernet {
	tb.Helper()
	e, ok := wire.ParseEthernet(unhex(tb, frames[name]))
	if !ok {
		tb.Fatalf("no frame %q", name)
	}
	return e
}

// datagram returns the IPv4 datagram of a frame by name.
func datagram(tb testing.TB, name string) wire.IPv4 {
	tb.Helper()
	ip, ok := wire.ParseIPv4(frame(tb, name).Payload())
	if !ok {
		tb.Fatalf("frame %q is not IPv4", name)
	}
	return ip
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
