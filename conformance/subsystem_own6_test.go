package conformance_test

import (
	"errors"
	"fmt"
	"syscall"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// newOwn6 is newOwn with IPv6 on in every Net.
func newOwn6(m *nsmodel.Machine, place netns.Placement) (*own, error) {
	netns.Attend(m.Sys, "ipv6-on", func(n *netns.Net) error {
		if err := m.Sysctl.Set(n, "net.ipv6.conf.all.disable_ipv6", "0"); !errors.Is(err, syscall.ENOENT) { // a closed gate
			return err
		}
		return nil
	}, nil, nil)
	return newOwn(m, place)
}

func ownAddrs6() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "addrs6",
		New: func(m *nsmodel.Machine, place netns.Placement) (*own, error) {
			netns.Attend(m.Sys, "addrs6-limit", func(n *netns.Net) error { m.IPv6.SetAddrCap(n, 16); return nil }, nil, nil)
			return newOwn6(m, place)
		},
		Op: commands("ip addr add 2001:db8::$I/64 dev $D", "ip addr add 2001:db8::$I/64 dev $D nodad", "ip addr del 2001:db8::$I/64 dev $D", "ip -6 addr flush dev $D",
			"ping -c 1 -W 0.1 2001:db8::$I"),
		Dump: shown("ip -6 addr"), Sorted: "by device",
		Fill: func(c ownCall, i int) error {
			said, err := c.H.run(c.N, c.Live, fmt.Sprintf("ip addr add 2001:db8:8::%x/128 dev lo", i+1))
			if err == nil && said != "" {
				err = syscall.ENOBUFS
			}
			return err
		},
		Gates: []core.GateRow{row(core.LayerNetlink, "addr6")},
	}
}

func ownFIB6() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "fib6", New: newOwn6,
		Op: commands("ip -6 route add 2001:db8:$I::/48 dev $D", "ip -6 route add 2001:db8:$I::/48 via fe80::$I dev $D", "ip -6 route append 2001:db8:$I::/48 via fe80::9 dev $D metric $I",
			"ip -6 route replace default via fe80::$I dev $D", "ip -6 route del 2001:db8:$I::/48", "ip -6 route add blackhole 2001:db8::/32 table $I", "ip -6 route get 2001:db8:$I::1"),
		Dump: shown("ip -6 route show table all"), Sorted: "by table and prefix",
		Gates: []core.GateRow{row(core.LayerNetlink, "route6")},
	}
}

func ownRules6() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "rules6", New: newOwn6,
		Op: commands("ip -6 rule add from 2001:db8::$I table 7 pref 10$I", "ip -6 rule add fwmark $I table 8", "ip -6 rule add iif lo table $I", "ip -6 rule del pref 10$I",
			"ip -6 rule del fwmark $I", "ip -6 rule add to 2001:db8::$I prohibit"),
		Dump: shown("ip -6 rule"), Sorted: "by preference",
		Gates: []core.GateRow{row(core.LayerNetlink, "rule6")},
	}
}

func ownSysctls6() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "sysctls6", New: newOwn6,
		Op: commands("sysctl -w net.ipv6.conf.all.forwarding=$I", "sysctl -w net.ipv6.conf.$D.hop_limit=1$I", "sysctl -w net.ipv6.conf.default.dad_transmits=$I",
			"sysctl -w net.ipv6.conf.$D.disable_ipv6=1", "sysctl -w net.ipv6.conf.all.disable_ipv6=0", "sysctl -w net.ipv6.icmp.ratelimit=$I", "sysctl net.ipv6.conf.$D.forwarding"),
		Dump: shown("sysctl net.ipv6"), Sorted: "by name",
		Gates: []core.GateRow{row(core.LayerSysctl, "net.ipv6")},
	}
}

// fragment6 sends n, by one of its devices, the first part of a datagram of which
// nothing more comes.
func fragment6(c ownCall, dev string, id int) error {
	d := c.Device(dev)
	if d == nil {
		return syscall.ENODEV
	}
	w := c.M.Core.Enter()
	defer w.Leave()
	const head = wire.IPv6Len + 8
	p := w.NewFrame(wire.EthernetLen + head + 1400)
	clear(p.Bytes())
	wire.PutEthernet(p.Bytes(), d.Addr(), wire.MAC{2, 0, 0, 0, 0, 1}, wire.EtherTypeIPv6)
	b := p.Bytes()[wire.EthernetLen:]
	wire.PutIPv6(b, wire.IPv6Fields{Next: wire.ProtoFragment, HopLimit: 9, Src: [16]byte{0x20, 1, 0xd, 0xb8, 15: 0x63}, Dst: [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}})
	wire.PutFrag6(b[wire.IPv6Len:], wire.ProtoUDP, 0, true, uint32(id))
	d.Queue(w, p)
	return nil
}

func ownFrags6() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "frags6", New: newOwn6,
		Op: func(t *rapid.T) ownOp {
			dev, id := conformance.AnyDevice(t), rapid.IntRange(1, 3).Draw(t, "id")
			return rapid.SampledFrom([]ownOp{
				{Text: fmt.Sprintf("fragment %d by %s", id, dev), Do: func(c ownCall) (string, error) { return "", fragment6(c, dev, id) }},
				command(t, "ip addr add 2001:db8::1/64 dev "+dev+" nodad"),
				command(t, "ping -6 -c 1 -s 3000 -W 0.1 2001:db8::1"),
			}).Draw(t, "op")
		},
		Dump:  func(c ownCall) string { return fmt.Sprint(c.M.Core.Ledger(c.N).Held, " packets held") },
		Gates: []core.GateRow{row(core.LayerProtocol, "0x86dd")},
	}
}
