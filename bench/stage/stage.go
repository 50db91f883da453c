// Package stage sets machines up for measuring: a Net that forwards, a Net that
// receives, a crowd of Nets beside them. The packets are made in memory and go
// the whole way from a device's backlog to where they end.
//
//tagvet:outdoors it sets whole machines up, all their Nets at once
package stage

import (
	"fmt"
	"net/netip"
	"time"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// Port is the UDP port that every Net of a crowd has a socket on.
const Port = 7777

// Far is the Ethernet address of whoever sends to a Net that is measured.
func Far() wire.MAC { return wire.MAC{2, 0, 0, 0, 1, 1} }

// A Forwarder is a Net that routes from its device in to its device out. Their
// peers are in the initial Net, where the one behind out gives what arrives to
// a sink.
type Forwarder struct {
	M *nsmodel.Machine
	N *netns.Net

	w       *core.Worker
	in, out *core.Device
	now     time.Duration
	frame   []byte
	sunk    int
}

// NewForwarder makes the Net of that name with 10.1.0.1/24 at in, 10.2.0.1/24 at
// out and 10.9.0.0/16 behind a gateway there.
func NewForwarder(m *nsmodel.Machine, name string) (*Forwarder, error) {
	n, err := m.AddNet(name)
	if err != nil {
		return nil, err
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	f := &Forwarder{M: m, N: n, w: m.Core.Workers()[0], now: m.Sys.Now()}
	if f.in, _, err = Veth(m, n, "in", "10.1.0.1/24"); err != nil {
		return nil, err
	}
	var sink *core.Device
	if f.out, sink, err = Veth(m, n, "out", "10.2.0.1/24"); err != nil {
		return nil, err
	}
	if err := m.Sysctl.Set(n, "net.ipv4.ip_forward", "1"); err != nil {
		return nil, err
	}
	if err := f.Route(Behind()); err != nil {
		return nil, err
	}
	w := m.Core.Enter()
	defer w.Leave()
	f.frame = UDPFrame(f.in.Addr(), "10.1.0.2", "10.9.3.4", Port)
	f.sink(sink)
	return f, m.Core.SetNeighbour(w, f.out, Gateway(), core.NeighUpdate{State: core.NudPermanent, MAC: GatewayMAC()})
}

// sink lets d take what arrives, and counts what is as long as f's packets.
func (f *Forwarder) sink(d *core.Device) {
	size := len(f.frame)
	d.SetClaim(func(w *core.Worker, _ *core.Device, p *core.Packet) bool {
		if p.Len() == size {
			f.sunk++
		}
		w.Deliver(p)
		return true
	})
}

// Gateway is whom a Forwarder sends to, at the Ethernet address GatewayMAC, for
// what is Behind it.
func Gateway() netip.Addr { return netip.AddrFrom4([4]byte{10, 2, 0, 2}) }

// GatewayMAC is the gateway's Ethernet address.
func GatewayMAC() wire.MAC { return wire.MAC{2, 0, 0, 0, 9, 9} }

// Behind is what is behind the gateway.
func Behind() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 0, 0}), 16) }

// Route adds a route by the gateway; under rtnl.
func (f *Forwarder) Route(dst netip.Prefix) error { return AddRoute(f.M, f.out, dst, Gateway()) }

// AddRoute adds a route through a gateway behind d; under rtnl.
func AddRoute(m *nsmodel.Machine, d *core.Device, dst netip.Prefix, gw netip.Addr) error {
	return m.IPv4.FIB.Add(d.Net(), fib.Route{Dst: dst, Table: fib.TableMain, Type: fib.Unicast, Proto: fib.ProtoBoot,
		NextHops: []fib.NextHop{{Dev: d, Gw: gw, IfIndex: int32(d.Index())}}}, fib.AddRoute)
}

// Turn lets k packets, at most core.Budget, through the Net.
func (f *Forwarder) Turn(k int) {
	for range k {
		p := f.w.NewFrame(len(f.frame))
		copy(p.Bytes(), f.frame)
		f.in.Queue(f.w, p)
	}
	f.now += time.Microsecond
	for f.w.Pending() {
		f.w.Poll(f.now, core.Budget)
	}
}

// Forward lets k packets through and sees that all arrive.
func (f *Forwarder) Forward(k int) error {
	want := f.sunk + k
	for left := k; left > 0; left -= core.Budget {
		f.Turn(min(left, core.Budget))
	}
	if f.sunk != want {
		return fmt.Errorf("%d of %d packets were not forwarded; %v", want-f.sunk, k, f.M.Core.Ledger(f.N))
	}
	return nil
}

// A Receiver is a Net that takes datagrams from a veth, on one or more ports.
type Receiver struct {
	Forwarder
	ports   []port
	buf     []byte
	answers bool // Echo has made ready for it
}

type port struct {
	frame []byte
	conn  *udp.Conn
}

// NewReceiver makes the Net of that name with 10.1.0.1/24 at in and a socket on
// each of ports.
func NewReceiver(m *nsmodel.Machine, name string, ports ...uint16) (*Receiver, error) {
	n, err := m.AddNet(name)
	if err != nil {
		return nil, err
	}
	m.Sys.Lock()
	in, _, err := Veth(m, n, "in", "10.1.0.1/24")
	m.Sys.Unlock()
	if err != nil {
		return nil, err
	}
	r := &Receiver{Forwarder: Forwarder{M: m, N: n, w: m.Core.Workers()[0], in: in, now: m.Sys.Now()}, buf: make([]byte, 64)}
	for _, number := range ports {
		c, err := Listen(m, n, number)
		if err != nil {
			return nil, err
		}
		r.ports = append(r.ports, port{UDPFrame(in.Addr(), "10.1.0.2", "10.1.0.1", number), c})
	}
	return r, nil
}

// Receive lets k datagrams arrive and reads them, in turns of core.Budget, each
// turn on the next port.
func (r *Receiver) Receive(k int) error {
	at := 0
	for left := k; left > 0; left -= core.Budget {
		now := min(left, core.Budget)
		r.frame = r.ports[at].frame
		r.Turn(now)
		for range now {
			if _, _, err := r.ports[at].conn.TryReadFrom(r.buf); err != nil {
				return fmt.Errorf("%w; %v", err, r.M.Core.Ledger(r.N))
			}
		}
		at = (at + 1) % len(r.ports)
	}
	return nil
}

// Listen opens a socket on every address of n.
func Listen(m *nsmodel.Machine, n *netns.Net, port uint16) (*udp.Conn, error) {
	return m.UDP.Listen(n, netip.AddrPortFrom(netip.IPv4Unspecified(), port), udp.Options{})
}

// Settle lets w do all there is to do.
func Settle(m *nsmodel.Machine, w *core.Worker) {
	for w.Pending() {
		w.Poll(m.Sys.Now(), core.Budget)
	}
}

// Veth makes a pair with one end, that has the address, in n and the other in
// the initial Net; both up. Under rtnl.
func Veth(m *nsmodel.Machine, n *netns.Net, name, addr string) (near, peer *core.Device, err error) {
	if near, peer, err = veth(m, n, name); err != nil {
		return nil, nil, err
	}
	return near, peer, Up(m, near, addr, peer)
}

func veth(m *nsmodel.Machine, n *netns.Net, name string) (near, peer *core.Device, err error) {
	near, err = m.Core.Kind("veth").New(n, core.LinkSpec{Name: name, Peer: &core.LinkSpec{Name: "veth%d"}, PeerNet: m.Init()})
	if err != nil {
		return nil, nil, err
	}
	return near, near.LowerDevice(), nil
}

// Join puts a veth pair between two Nets.
func Join(m *nsmodel.Machine, a *netns.Net, addrA string, b *netns.Net, addrB string) error {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	d, err := m.Core.Kind("veth").New(a, core.LinkSpec{Name: "veth0", Peer: &core.LinkSpec{Name: "veth0"}, PeerNet: b})
	if err != nil {
		return err
	}
	if err := Up(m, d, addrA); err != nil {
		return err
	}
	return Up(m, d.LowerDevice(), addrB)
}

// Up gives d the address and brings it up, and others too; under rtnl.
func Up(m *nsmodel.Machine, d *core.Device, addr string, others ...*core.Device) error {
	p, err := netip.ParsePrefix(addr)
	if err != nil {
		return err
	}
	for _, d := range append(others, d) {
		if err := m.Core.SetUp(d); err != nil {
			return err
		}
	}
	return m.IPv4.AddAddr(d, ipv4.Addr{Local: p.Addr(), Prefix: p, Scope: fib.Global})
}

// UDPFrame returns an Ethernet frame of 60 bytes with a UDP datagram to dst.
func UDPFrame(to wire.MAC, src, dst string, port uint16) []byte {
	b := make([]byte, 60)
	a, z := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	wire.PutEthernet(b, to, Far(), wire.EtherTypeIPv4)
	ip, _ := wire.PutIPv4(b[wire.EthernetLen:], wire.IPv4Fields{Src: a, Dst: z, Proto: wire.ProtoUDP, TTL: 64})
	wire.PutUDP(ip.Payload(), 1234, port, a, z)
	return b
}
