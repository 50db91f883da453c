package ipv6

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/sysctl"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// A machine is a wired stack with one worker and IPv6 on.
type machine struct {
	t    rapid.TB
	sys  *netns.System
	core *core.Stack
	in   *Inet
	ctl  *sysctl.Registry
}

func newMachine(t rapid.TB, place netns.Placement) *machine {
	t.Helper()
	return newMachineWith(t, place, Config{})
}

func newMachineWith(t rapid.TB, place netns.Placement, c Config) *machine {
	t.Helper()
	c.Addrs, c.FIB, c.Rules, c.Sysctls, c.Frags, c.Enabled = place, place, place, place, place, true
	sys := netns.New(netns.Config{Seed: 1})
	m := &machine{t: t, sys: sys}
	m.core = core.New(sys, core.Config{Devices: place, MIB: place, Neigh: place})
	nl := netlink.NewRtnetlink(sys, place)
	m.ctl = sysctl.New(m.core)
	c.Errors = budget{netns.NewCell(sys, "icmp-budget", place, func(*netns.Net) *core.ICMPBudget { return new(core.ICMPBudget) })}
	in, err := New(m.core, netfilter.New(m.core, place), m.ctl, nl, c)
	m.check(err)
	m.in = in
	m.check(in.Handle(Protocol{Number: 17, Receive: func(w *core.Worker, p *core.Packet, _ wire.IPv6) { w.Deliver(p) }}))
	m.check(sys.Boot())
	m.core.NewWorker()
	sys.Expire(time.Second, -1)
	return m
}

func (m *machine) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// A budget is what IPv4 is elsewhere, with the defaults of its tunables.
type budget struct {
	*netns.Cell[core.ICMPBudget]
}

func (b budget) AllowICMP(n *netns.Net, now time.Duration) bool {
	return b.Own(n).Allow(1000, 50, now)
}
func (b budget) CountICMP(n *netns.Net) { b.Own(n).Consume(n) }

type loDriver struct{}

func (loDriver) Xmit(w *core.Worker, d *core.Device, p *core.Packet) { d.Queue(w, p) }

// A tapDriver keeps what is sent, if it is told to.
type tapDriver struct {
	sent [][]byte
	keep bool
}

func (v *tapDriver) Xmit(w *core.Worker, _ *core.Device, p *core.Packet) {
	if v.keep {
		v.sent = append(v.sent, append([]byte(nil), p.Bytes()[wire.EthernetLen:]...))
	}
	w.Release(p)
}

func (m *machine) net(name string) *netns.Net {
	m.t.Helper()
	m.sys.Lock()
	defer m.sys.Unlock()
	n, err := m.sys.NewNet(name)
	m.check(err)
	lo, err := m.core.Register(n, core.DeviceSpec{Name: "lo", Index: 1, Driver: loDriver{}, MTU: 65536, Hardware: 772,
		Flags: core.FlagLoopback, Carrier: true, NetLocal: true})
	m.check(err)
	m.check(m.core.SetUp(lo))
	return n
}

// device makes a device that is up, with addresses for which nobody is asked.
func (m *machine) device(n *netns.Net, name string, drv core.Driver, mac byte, addrs ...string) *core.Device {
	m.t.Helper()
	m.sys.Lock()
	defer m.sys.Unlock()
	d, err := m.core.Register(n, core.DeviceSpec{Name: name, Driver: drv, Addr: wire.MAC{2, 0, 0, 0, 0, mac}, Carrier: true})
	m.check(err)
	m.check(m.core.SetUp(d))
	for _, a := range addrs {
		p := netip.MustParsePrefix(a)
		m.check(m.in.AddAddr(d, Addr{Local: p.Addr(), Bits: p.Bits(), Flags: 0x02})) // IFA_F_NODAD
	}
	return d
}

func (m *machine) sysctl(n *netns.Net, key, value string) {
	m.t.Helper()
	m.sys.Lock()
	defer m.sys.Unlock()
	m.check(m.ctl.Set(n, key, value))
}

func (m *machine) neighbour(d *core.Device, a string, mac byte) {
	m.t.Helper()
	w := m.core.Enter()
	defer w.Leave()
	m.check(m.core.SetNeighbour(w, d, netip.MustParseAddr(a), core.NeighUpdate{State: core.NudPermanent, MAC: wire.MAC{2, 0, 0, 0, 1, mac}}))
}

// settle moves what waits, and lets time pass timer by timer.
func (m *machine) advance(d time.Duration) {
	end := m.sys.Now() + d
	for {
		for _, w := range m.core.Workers() {
			for w.Poll(m.sys.Now(), 64) > 0 {
			}
		}
		at, ok := m.sys.NextTimer()
		if !ok || at > end {
			break
		}
		m.sys.Expire(max(at, m.sys.Now()), 1)
	}
	m.sys.Expire(end, -1)
}

// datagram makes one with extension headers: each is written with the kind of
// what follows it.
func datagram(src, dst string, hops uint8, next uint8, body ...[]byte) []byte {
	b := make([]byte, wire.IPv6Len)
	for _, part := range body {
		b = append(b, part...)
	}
	wire.PutIPv6(b, wire.IPv6Fields{Next: next, HopLimit: hops, Src: netip.MustParseAddr(src).As16(), Dst: netip.MustParseAddr(dst).As16()})
	return b
}

// udp is a UDP header with a right checksum between two addresses.
func udp(src, dst string) []byte {
	b := make([]byte, wire.UDPLen+4)
	u, _ := wire.PutUDPHeader(b, 5, 6)
	u.FillChecksum6(netip.MustParseAddr(src).As16(), netip.MustParseAddr(dst).As16())
	return b
}

// receive gives d a datagram in a frame for its own address.
func (m *machine) receive(d *core.Device, b []byte) {
	w := m.core.Enter()
	defer w.Leave()
	p := w.NewFrame(wire.EthernetLen + len(b))
	dst := d.Addr()
	if b[24] == 0xff {
		dst = wire.MulticastMAC6([16]byte(b[24:40]))
	}
	wire.PutEthernet(p.Bytes(), dst, wire.MAC{2, 0, 0, 0, 1, 1}, wire.EtherTypeIPv6)
	copy(p.Bytes()[wire.EthernetLen:], b)
	d.Receive(w, p)
}

// router makes a Net that forwards from in to out, behind which 2001:db8:9::/48 is.
func (m *machine) router(name string) (n *netns.Net, in *core.Device, back, tap *tapDriver) {
	n = m.net(name)
	back, tap = &tapDriver{}, &tapDriver{}
	in = m.device(n, "in", back, 1, "2001:db8:1::1/64")
	out := m.device(n, "out", tap, 2, "2001:db8:2::1/64")
	m.sysctl(n, "net.ipv6.conf.all.forwarding", "1")
	m.sys.Lock()
	m.check(m.in.FIB.Add(n, fib.Route{Dst: netip.MustParsePrefix("2001:db8:9::/48"), Type: fib.Unicast, Metric: 1024,
		NextHops: []fib.NextHop{{Dev: out, IfIndex: int32(out.Index()), Gw: netip.MustParseAddr("2001:db8:2::2")}}}, fib.AddRoute))
	m.sys.Unlock()
	m.neighbour(out, "2001:db8:2::2", 9)
	m.neighbour(in, "2001:db8:1::2", 8)
	m.advance(5 * time.Second) // link-local addresses are ready
	back.keep, tap.keep = true, true
	return
}

func eachPlace(t *testing.T, f func(t *testing.T, m *machine)) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		t.Run("place="+place.String(), func(t *testing.T) { f(t, newMachine(t, place)) })
	}
}
