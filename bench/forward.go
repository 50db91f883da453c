package bench

import (
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/netns"
)

// port is the UDP port that every Net of a crowd has a socket on.
const port = 7777

const forwardWhat = "a UDP frame of 60 bytes: a packet made of it, put into the backlog of a veth's peer, received, header and checksum verified, " +
	"routed, source validated, TTL taken, hooks passed, neighbour found, sent by another veth, received from the backlog of that one's peer and taken there by a sink; " +
	"one worker, turns of 64 packets"

// forwardCases measure the way of a packet through a router in memory.
func forwardCases(s Sizes, where netns.Placement) []Case {
	place := where.String()
	return []Case{
		{Name: "veth_forward_ns", Place: place, Nets: 1, Unit: "ns", Better: Lower, Target: target(400), What: forwardWhat,
			open: func(*Rig) (*stand, error) {
				m, err := machine(where, false)
				if err != nil {
					return nil, err
				}
				return forwardStand(m)
			}},
		{Name: "veth_forward_ns", Place: place, Nets: s.CrowdNets, Unit: "ns", Better: Lower, Target: target(400),
			What: "the same among Nets with loopback up and a UDP socket",
			open: func(r *Rig) (*stand, error) {
				c, err := r.crowd(where)
				if err != nil {
					return nil, err
				}
				st, err := forwardStand(c.m)
				if err != nil {
					return nil, err
				}
				c.nets++
				return st, c.fill(s.CrowdNets)
			}},
		{Name: "veth_forward_allocs", Place: place, Nets: 1, Unit: "allocs", Better: Lower, Target: target(0), What: "allocations a packet of the same",
			open: func(*Rig) (*stand, error) {
				m, err := machine(where, false)
				if err != nil {
					return nil, err
				}
				return allocStand(m)
			}},
	}
}

// A crowd is a machine with many Nets that do nothing but be there, each with
// its loopback up and a socket on the same port.
type crowd struct {
	m    *nsmodel.Machine
	nets int // beside the initial one
}

// crowd returns the machine of that placement, which grows as it is needed.
func (r *Rig) crowd(where netns.Placement) (*crowd, error) {
	if c := r.crowds[where]; c != nil {
		return c, nil
	}
	m, err := machine(where, false)
	if err != nil {
		return nil, err
	}
	r.crowds[where] = &crowd{m: m}
	return r.crowds[where], nil
}

// fill makes Nets until there are as many.
func (c *crowd) fill(nets int) error {
	for ; c.nets < nets; c.nets++ {
		n, err := c.m.AddNet(fmt.Sprintf("other%d", c.nets))
		if err != nil {
			return err
		}
		c.m.Sys.Lock()
		err = c.m.Core.SetUp(c.m.Core.Device(n, "lo"))
		c.m.Sys.Unlock()
		if err != nil {
			return err
		}
		if _, err := c.m.ListenPacket(n, fmt.Sprintf(":%d", port)); err != nil {
			return err
		}
	}
	return nil
}

// A forwarder is a Net that routes from its device in to its device out. Their
// peers are in the initial Net, where the one behind out gives what arrives to
// a sink.
type forwarder struct {
	m       *nsmodel.Machine
	n       *netns.Net
	w       *core.Worker
	in, out *core.Device
	now     time.Duration
	frame   []byte
	sunk    int
}

// gateway is whom a router sends to, at address far, for what is behind it.
var (
	behind  = netip.MustParsePrefix("10.9.0.0/16")
	gateway = netip.MustParseAddr("10.2.0.2")
	far     = wire.MAC{2, 0, 0, 0, 9, 9}
)

// newForwarder makes the Net of that name with 10.1.0.1/24 at in, 10.2.0.1/24 at
// out and 10.9.0.0/16 behind it.
func newForwarder(m *nsmodel.Machine, name string) (*forwarder, error) {
	n, err := m.AddNet(name)
	if err != nil {
		return nil, err
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	f := &forwarder{m: m, n: n, w: m.Core.Workers()[0], now: m.Sys.Now()}
	if f.in, _, err = veth(m, n, "in", "10.1.0.1/24"); err != nil {
		return nil, err
	}
	var sink *core.Device
	if f.out, sink, err = veth(m, n, "out", "10.2.0.1/24"); err != nil {
		return nil, err
	}
	sink.SetClaim(func(w *core.Worker, _ *core.Device, p *core.Packet) bool {
		f.sunk++
		w.Deliver(p)
		return true
	})
	if err := m.Sysctl.Set(n, "net.ipv4.ip_forward", "1"); err != nil {
		return nil, err
	}
	if err := f.route(behind); err != nil {
		return nil, err
	}
	w := m.Core.Enter()
	defer w.Leave()
	f.frame = udpFrame(f.in.Addr(), "10.1.0.2", "10.9.3.4", port)
	return f, m.Core.SetNeighbour(w, f.out, gateway, core.NeighUpdate{State: core.NudPermanent, MAC: far})
}

// route adds a route by the gateway; under rtnl.
func (f *forwarder) route(dst netip.Prefix) error {
	return addRoute(f.m, f.out, dst, gateway)
}

// veth makes a pair with one end, that has the address, in n and the other in
// the initial Net; both up. Under rtnl.
func veth(m *nsmodel.Machine, n *netns.Net, name, addr string) (near, peer *core.Device, err error) {
	near, err = m.Core.Kind("veth").New(n, core.LinkSpec{Name: name, Peer: &core.LinkSpec{Name: "veth%d"}, PeerNet: m.Init()})
	if err != nil {
		return nil, nil, err
	}
	peer = near.LowerDevice()
	return near, peer, up(m, near, addr, peer)
}

// up gives d the address and brings it up, and others too; under rtnl.
func up(m *nsmodel.Machine, d *core.Device, addr string, others ...*core.Device) error {
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

// udpFrame returns an Ethernet frame of 60 bytes with a UDP datagram to dst.
func udpFrame(to wire.MAC, src, dst string, port uint16) []byte {
	b := make([]byte, 60)
	a, z := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	wire.PutEthernet(b, to, wire.MAC{2, 0, 0, 0, 1, 1}, wire.EtherTypeIPv4)
	ip, _ := wire.PutIPv4(b[wire.EthernetLen:], wire.IPv4Fields{Src: a, Dst: z, Proto: wire.ProtoUDP, TTL: 64})
	wire.PutUDP(ip.Payload(), 1234, port, a, z)
	return b
}

// turn lets k packets, at most core.Budget, through the router.
func (f *forwarder) turn(k int) {
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

// forward lets k packets through and sees that all arrive.
func (f *forwarder) forward(k int) error {
	want := f.sunk + k
	for left := k; left > 0; left -= core.Budget {
		f.turn(min(left, core.Budget))
	}
	if f.sunk != want {
		return fmt.Errorf("bench: %d of %d packets were not forwarded; %v", want-f.sunk, k, f.m.Core.Ledger(f.n))
	}
	return nil
}

func forwardStand(m *nsmodel.Machine) (*stand, error) {
	f, err := newForwarder(m, "router")
	if err != nil {
		return nil, err
	}
	return &stand{run: f.forward}, nil
}

func allocStand(m *nsmodel.Machine) (*stand, error) {
	f, err := newForwarder(m, "router")
	if err != nil {
		return nil, err
	}
	const packets = 64 * core.Budget
	return &stand{sample: func() (float64, error) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := f.forward(packets)
		runtime.ReadMemStats(&after)
		return float64((after.Mallocs - before.Mallocs) / packets), err // as testing.AllocsPerRun rounds
	}}, nil
}

// addRoute adds a route through a gateway behind d; under rtnl.
func addRoute(m *nsmodel.Machine, d *core.Device, dst netip.Prefix, gw netip.Addr) error {
	return m.IPv4.FIB.Add(d.Net(), fib.Route{Dst: dst, Table: fib.TableMain, Type: fib.Unicast, Proto: fib.ProtoBoot,
		NextHops: []fib.NextHop{{Dev: d, Gw: gw, IfIndex: int32(d.Index())}}}, fib.AddRoute)
}
