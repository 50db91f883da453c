package conformance_test

import (
	"fmt"
	"net/netip"
	"syscall"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/core/wire"
)

// arrives lets an IP packet come in by one of a Net's devices.
func arrives(c ownCall, dev string, etherType uint16, ip []byte) error {
	d := c.Device(dev)
	if d == nil {
		return syscall.ENODEV
	}
	w := c.M.Core.Enter()
	defer w.Leave()
	p := w.NewFrame(wire.EthernetLen + len(ip))
	b := p.Bytes()
	wire.PutEthernet(b, d.Addr(), wire.MAC{2, 0, 0, 0, 0, 1}, etherType)
	copy(b[wire.EthernetLen:], ip)
	d.Receive(w, p) // not queued: what was learnt is there when the operation is over
	return nil
}

// tooBig is the word of a router that an answer of 10.0.0.1 to a host was too
// large.
func tooBig(host, mtu int) []byte {
	me, far, router := [4]byte{10, 0, 0, 1}, [4]byte{10, 0, 0, byte(host)}, [4]byte{10, 0, 0, 99}
	b := make([]byte, wire.IPv4Len+wire.ICMPLen+wire.IPv4Len+wire.ICMPLen)
	wire.PutIPv4(b[28:], wire.IPv4Fields{TTL: 64, Proto: wire.ProtoICMP, Src: me, Dst: far})
	wire.PutICMP(b[48:], wire.ICMPEchoReply, 0, 0)
	wire.PutICMP(b[20:], wire.ICMPDestUnreach, wire.ICMPFragNeeded, uint32(mtu))
	wire.PutIPv4(b, wire.IPv4Fields{TTL: 64, Proto: wire.ProtoICMP, Src: router, Dst: me})
	return b
}

// tooBig6 is the same of 2001:db8::1.
func tooBig6(host, mtu int) []byte {
	at := func(k int) [16]byte { return netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", k)).As16() }
	b := make([]byte, wire.IPv6Len+wire.ICMPLen+wire.IPv6Len+wire.ICMPLen)
	wire.PutIPv6(b[48:], wire.IPv6Fields{Next: wire.ProtoICMPv6, HopLimit: 64, Src: at(1), Dst: at(host)})
	wire.PutICMPv6(b[88:], wire.ICMP6EchoReply, 0, 0, at(1), at(host))
	wire.PutICMPv6(b[40:], wire.ICMP6PacketTooBig, 0, uint32(mtu), at(99), at(1))
	wire.PutIPv6(b, wire.IPv6Fields{Next: wire.ProtoICMPv6, HopLimit: 64, Src: at(99), Dst: at(1)})
	return b
}

// learns draws an error that arrives, or one of the commands.
func learns(etherType uint16, message func(host, mtu int) []byte, texts ...string) func(*rapid.T) ownOp {
	return func(t *rapid.T) ownOp {
		dev, host, mtu := conformance.AnyDevice(t), rapid.IntRange(3, 6).Draw(t, "host"), 1300+rapid.IntRange(1, 4).Draw(t, "mtu")
		if rapid.Bool().Draw(t, "error") {
			return ownOp{Text: fmt.Sprintf("by %s: to host %d %d bytes", dev, host, mtu),
				Do: func(c ownCall) (string, error) { return "", arrives(c, dev, etherType, message(host, mtu)) }}
		}
		return commands(texts...)(t)
	}
}

func ownExceptions() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "exceptions", New: newOwn,
		Op:    learns(wire.EtherTypeIPv4, tooBig, "ip addr add 10.0.0.1/24 dev $D", "ip addr del 10.0.0.1/24 dev $D", "ip link set $D mtu 130$I"),
		Dump:  shown("ip route show cache"),
		Gates: []core.GateRow{row(core.LayerProtocol, "0x0800")},
	}
}

func ownExceptions6() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "exceptions6", New: newOwn6,
		Op:    learns(wire.EtherTypeIPv6, tooBig6, "ip addr add 2001:db8::1/64 dev $D nodad", "ip addr del 2001:db8::1/64 dev $D", "ip link set $D mtu 130$I"),
		Dump:  shown("ip -6 route show cache"),
		Gates: []core.GateRow{row(core.LayerProtocol, "0x86dd")},
	}
}
