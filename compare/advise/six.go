package advise

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv6"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

func addr6(i int) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfd, 64, 12: byte(i >> 24), 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
}

// sixSubsystems are those of IPv6, in Nets that speak it.
func sixSubsystems() []*subsystem {
	return []*subsystem{
		{word: "addrs6", six: true, kind: Table, entry: "an address", most: 64,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				return withBridge(m, n, func(d *core.Device) error {
					return m.IPv6.AddAddr(d, ipv6.Addr{Local: addr6(i), Bits: 128, Flags: unix.IFA_F_NODAD})
				})
			},
			look:      func(m *nsmodel.Machine, n *netns.Net, i int) bool { return m.IPv6.LocalAddr(n, nil, addr6(i)) != nil },
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.IPv6.LocalAddr(n, nil, addr6(1<<20)) },
			probeAt:   PathReceive6,
			isolation: "the walk for addresses that expire held a CPU for 10 ms when all Nets shared the table (21a216a8fc63, 2022)"},
		{word: "fib6", six: true, kind: Cell, entry: "a route", most: 64,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				return m.IPv6.FIB.Add(n, fib.Route{Dst: netip.PrefixFrom(addr6(i), 128), Table: fib.TableMain, Type: fib.Blackhole}, fib.AddRoute)
			},
			look:      func(m *nsmodel.Machine, n *netns.Net, _ int) bool { m.IPv6.FIB.Table(n, fib.TableMain); return true },
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.IPv6.FIB.Table(n, fib.TableMain) },
			probeAt:   PathReceive6,
			isolation: "as fib: a trie has nothing to tag but its root"},
		{word: "rules6", six: true, kind: Cell, entry: "a rule", most: 16,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				return m.IPv6.FIB.AddRule(n, fib.Rule{From: netip.PrefixFrom(addr6(i), 128), Priority: uint32(1000 + i), PrioritySet: true, Table: fib.TableMain})
			},
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.IPv6.FIB.Rules(n) },
			probeAt:   PathReceive6,
			isolation: "as rules: a list that is walked for every packet"},
		{word: "sysctls6", six: true, kind: Cell, entry: "a tunable set", most: 8, once: true,
			add: func(m *nsmodel.Machine, n *netns.Net, i int) error {
				return m.Sysctl.Set(n, "net.ipv6.bindv6only", fmt.Sprint(i%2+1))
			},
			look:      func(m *nsmodel.Machine, n *netns.Net, _ int) bool { return m.IPv6.Conf(n) != nil },
			probe:     func(m *nsmodel.Machine, n *netns.Net) { m.IPv6.Conf(n) },
			probeAt:   PathReceive6,
			isolation: "as sysctls: a small set of variables"},
		{word: "frags6", six: true, kind: Table, entry: "a first fragment", most: 64,
			add:       addFragment6,
			isolation: "as frags: a shared budget lets one sender starve all"},
		exceptions6(), mroutes6(),
	}
}

// speak6 has n's devices, those to come too, speak IPv6.
func speak6(m *nsmodel.Machine, n *netns.Net) error {
	for _, conf := range []string{"default", "all"} {
		if err := m.Sysctl.Set(n, "net.ipv6.conf."+conf+".disable_ipv6", "0"); err != nil {
			return err
		}
	}
	return nil
}

// A six is a Net that IPv6 packets reach at a veth.
type six struct {
	m       *nsmodel.Machine
	n       *netns.Net
	w       *core.Worker
	in      *core.Device
	now     time.Duration
	frame   []byte
	arrived func(some int) error // after each turn
}

// newSix makes one whose packets go to a socket, or are routed to a gateway's
// network.
func newSix(m *nsmodel.Machine, name string) (path, error) {
	n, err := m.AddNet(name)
	if err != nil {
		return nil, err
	}
	if err := speak6(m, n); err != nil {
		return nil, err
	}
	s := &six{m: m, n: n, w: m.Core.Workers()[0], now: m.Sys.Now()}
	if s.in, _, err = s.veth("in", "fd00:1::1/64"); err != nil {
		return nil, err
	}
	if name == PathForward6 {
		err = s.route()
	} else {
		err = s.listen()
	}
	if err != nil {
		return nil, err
	}
	stage.Settle(m, s.w)
	return s.run, nil
}

// veth makes a pair with one end, that has the address, in the Net and the other
// in the initial one.
func (s *six) veth(name, addr string) (near, peer *core.Device, err error) {
	s.m.Sys.Lock()
	defer s.m.Sys.Unlock()
	p := netip.MustParsePrefix(addr)
	near, err = s.m.Core.Kind("veth").New(s.n, core.LinkSpec{Name: name, Peer: &core.LinkSpec{Name: "veth%d"}, PeerNet: s.m.Init()})
	if err != nil {
		return nil, nil, err
	}
	peer = near.LowerDevice()
	for _, d := range []*core.Device{peer, near} {
		if err := s.m.Core.SetUp(d); err != nil {
			return nil, nil, err
		}
	}
	return near, peer, s.m.IPv6.AddAddr(near, ipv6.Addr{Local: p.Addr(), Bits: p.Bits(), Flags: unix.IFA_F_NODAD})
}

func (s *six) listen() error {
	c, err := s.m.UDP.Listen(s.n, netip.AddrPortFrom(netip.IPv6Unspecified(), stage.Port), udp.Options{})
	if err != nil {
		return err
	}
	s.frame = udpFrame6(s.in.Addr(), "fd00:1::2", "fd00:1::1")
	buf := make([]byte, 64)
	s.arrived = func(some int) error {
		for range some {
			if _, _, err := c.TryReadFrom(buf); err != nil {
				return fmt.Errorf("%w; %v", err, s.m.Core.Ledger(s.n))
			}
		}
		return nil
	}
	return nil
}

func (s *six) route() error {
	out, sink, err := s.veth("out", "fd00:2::1/64")
	if err != nil {
		return err
	}
	s.frame = udpFrame6(s.in.Addr(), "fd00:1::2", "fd00:9::1")
	sunk := 0
	sink.SetClaim(func(w *core.Worker, _ *core.Device, p *core.Packet) bool {
		sunk++
		w.Deliver(p)
		return true
	})
	s.arrived = func(some int) error {
		if sunk != some {
			return fmt.Errorf("advise: %d packets were forwarded, not %d; %v", sunk, some, s.m.Core.Ledger(s.n))
		}
		sunk = 0
		return nil
	}
	if err := s.m.Sysctl.Set(s.n, "net.ipv6.conf.all.forwarding", "1"); err != nil {
		return err
	}
	s.m.Sys.Lock()
	defer s.m.Sys.Unlock()
	w := s.m.Core.Enter()
	defer w.Leave()
	gw := netip.MustParseAddr("fd00:2::2")
	if err := s.m.Core.SetNeighbour(w, out, gw, core.NeighUpdate{State: core.NudPermanent, MAC: stage.GatewayMAC()}); err != nil {
		return err
	}
	stage.Settle(s.m, s.w)
	sunk = 0 // what IPv6 had to say when it came up
	return s.m.IPv6.FIB.Add(s.n, fib.Route{Dst: netip.MustParsePrefix("fd00:9::/64"), Table: fib.TableMain, Type: fib.Unicast, Proto: fib.ProtoBoot,
		NextHops: []fib.NextHop{{Dev: out, Gw: gw, IfIndex: int32(out.Index())}}}, fib.AddRoute)
}

// run lets k packets arrive.
func (s *six) run(k int) error {
	for left := k; left > 0; left -= core.Budget {
		some := min(left, core.Budget)
		for range some {
			p := s.w.NewFrame(len(s.frame))
			copy(p.Bytes(), s.frame)
			s.in.Queue(s.w, p)
		}
		s.now += time.Microsecond
		for s.w.Pending() {
			s.w.Poll(s.now, core.Budget)
		}
		if err := s.arrived(some); err != nil {
			return err
		}
	}
	return nil
}

// addFragment6 lets a first fragment arrive at n's lo, whose rest never comes.
func addFragment6(m *nsmodel.Machine, n *netns.Net, i int) error {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	w, lo := m.Core.Workers()[0], m.Core.Device(n, "lo")
	frame := stage.FirstFragment6(lo.Addr(), netip.IPv6Loopback().As16(), uint32(i), 16)
	p := w.NewFrame(len(frame))
	copy(p.Bytes(), frame)
	lo.Queue(w, p)
	stage.Settle(m, w)
	return nil
}

// udpFrame6 returns an Ethernet frame with a UDP datagram of 18 bytes.
func udpFrame6(to wire.MAC, src, dst string) []byte {
	b := make([]byte, wire.EthernetLen+wire.IPv6Len+wire.UDPLen+18)
	a, z := netip.MustParseAddr(src).As16(), netip.MustParseAddr(dst).As16()
	wire.PutEthernet(b, to, stage.Far(), wire.EtherTypeIPv6)
	ip, _ := wire.PutIPv6(b[wire.EthernetLen:], wire.IPv6Fields{Src: a, Dst: z, Next: wire.ProtoUDP, HopLimit: 64})
	u, _ := wire.PutUDPHeader(ip.Payload(), 1234, stage.Port)
	u.FillChecksum6(a, z)
	return b
}
