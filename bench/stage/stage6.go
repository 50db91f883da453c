package stage

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv6"
)

// NewForwarder6 is NewForwarder for IPv6: 2001:db8:1::1/64 at in, 2001:db8:2::1/64
// at out and 2001:db8:9::/48 behind a gateway there. Its devices have no
// link-local addresses, so that it says nothing by itself.
func NewForwarder6(m *nsmodel.Machine, name string) (*Forwarder, error) {
	n, err := m.AddNet(name)
	if err != nil {
		return nil, err
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	f := &Forwarder{M: m, N: n, w: m.Core.Workers()[0], now: m.Sys.Now()}
	for _, c := range []struct{ name, value string }{{"default.addr_gen_mode", "1"}, {"default.dad_transmits", "0"},
		{"all.disable_ipv6", "0"}, {"default.disable_ipv6", "0"}, {"all.forwarding", "1"}} {
		if err := m.Sysctl.Set(n, "net.ipv6.conf."+c.name, c.value); err != nil {
			return nil, err
		}
	}
	if f.in, _, err = f.veth6("in", "2001:db8:1::1/64"); err != nil {
		return nil, err
	}
	var sink *core.Device
	if f.out, sink, err = f.veth6("out", "2001:db8:2::1/64"); err != nil {
		return nil, err
	}
	gateway := netip.MustParseAddr("2001:db8:2::2")
	err = m.IPv6.FIB.Add(n, fib.Route{Dst: netip.MustParsePrefix("2001:db8:9::/48"), Type: fib.Unicast, Proto: fib.ProtoBoot, Metric: fib.DefaultMetric6,
		NextHops: []fib.NextHop{{Dev: f.out, Gw: gateway, IfIndex: int32(f.out.Index())}}}, fib.AddRoute)
	if err != nil {
		return nil, err
	}
	w := m.Core.Enter()
	defer w.Leave()
	f.frame = UDPFrame6(f.in.Addr(), "2001:db8:1::2", "2001:db8:9::9", Port)
	f.sink(sink)
	return f, m.Core.SetNeighbour(w, f.out, gateway, core.NeighUpdate{State: core.NudPermanent, MAC: GatewayMAC()})
}

// veth6 is Veth with an IPv6 address, which is ours at once.
func (f *Forwarder) veth6(name, addr string) (near, peer *core.Device, err error) {
	if near, peer, err = veth(f.M, f.N, name); err != nil {
		return nil, nil, err
	}
	for _, d := range []*core.Device{peer, near} {
		if err := f.M.Core.SetUp(d); err != nil {
			return nil, nil, err
		}
	}
	p := netip.MustParsePrefix(addr)
	return near, peer, f.M.IPv6.AddAddr(near, ipv6.Addr{Local: p.Addr(), Bits: p.Bits(), Flags: unix.IFA_F_NODAD | unix.IFA_F_PERMANENT,
		Valid: netlink.Forever, Preferred: netlink.Forever})
}

// UDPFrame6 is UDPFrame for IPv6, 80 bytes for its longer header.
func UDPFrame6(to wire.MAC, src, dst string, port uint16) []byte {
	b := make([]byte, 80)
	a, z := netip.MustParseAddr(src).As16(), netip.MustParseAddr(dst).As16()
	wire.PutEthernet(b, to, Far(), wire.EtherTypeIPv6)
	ip, _ := wire.PutIPv6(b[wire.EthernetLen:], wire.IPv6Fields{Src: a, Dst: z, Next: wire.ProtoUDP, HopLimit: 64})
	u, _ := wire.PutUDPHeader(ip[wire.IPv6Len:], 1234, port)
	u.FillChecksum6(a, z)
	return b
}
