package ipv4

import (
	"fmt"
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

// A machine is a wired stack with one worker and a clock that tests turn.
type machine struct {
	t    rapid.TB
	sys  *netns.System
	core *core.Stack
	in   *Inet
	ctl  *sysctl.Registry
	w    *core.Worker
	now  time.Duration
}

var placements = []netns.Placement{netns.Tagged, netns.Replicated}

func newMachine(t rapid.TB, place netns.Placement) *machine {
	t.Helper()
	return newMachineWith(t, place, Config{})
}

func newMachineWith(t rapid.TB, place netns.Placement, c Config) *machine {
	t.Helper()
	sys := netns.New(netns.Config{Seed: 1})
	m := &machine{t: t, sys: sys, now: time.Second}
	m.core = core.New(sys, core.Config{Devices: place, MIB: place, Neigh: place})
	nl := netlink.NewRtnetlink(sys, place)
	hooks := netfilter.New(m.core, place)
	m.ctl = sysctl.New(m.core)
	c.Addrs, c.FIB, c.Rules, c.Sysctls, c.Frags = place, place, place, place, place
	in, err := New(m.core, hooks, m.ctl, nl, c)
	if err != nil {
		t.Fatal(err)
	}
	m.in = in
	if err := in.Handle(Protocol{Number: 17, Receive: func(w *core.Worker, p *core.Packet, ip wire.IPv4) {
		in.SendICMP(w, p, 3, 3, 0)
		w.Drop(p, core.NoSocket)
	}}); err != nil {
		t.Fatal(err)
	}
	if err := sys.Boot(); err != nil {
		t.Fatal(err)
	}
	m.w = m.core.NewWorker()
	sys.Expire(m.now, -1)
	return m
}

// The drivers of tests: lo, one end of a pair, and one that keeps what is sent.
type (
	loDriver   struct{}
	pairDriver struct{ peer *core.Device }
	tapDriver  struct {
		frames [][]byte
		gso    []uint16
		keep   bool
	}
)

func (loDriver) Xmit(w *core.Worker, d *core.Device, p *core.Packet)      { d.Queue(w, p) }
func (v *pairDriver) Xmit(w *core.Worker, d *core.Device, p *core.Packet) { v.peer.Queue(w, p) }
func (v *tapDriver) Xmit(w *core.Worker, d *core.Device, p *core.Packet) {
	if v.keep {
		v.frames = append(v.frames, append([]byte(nil), p.Bytes()...))
		v.gso = append(v.gso, p.GSOSize)
	}
	w.Release(p)
}

func (m *machine) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// net makes a Net with its loopback up.
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

// device makes a device with an address, and brings it up.
func (m *machine) device(n *netns.Net, name string, drv core.Driver, mac byte, addrs ...string) *core.Device {
	m.t.Helper()
	m.sys.Lock()
	defer m.sys.Unlock()
	d, err := m.core.Register(n, core.DeviceSpec{Name: name, Driver: drv, Addr: wire.MAC{2, 0, 0, 0, 0, mac}, Carrier: true})
	m.check(err)
	m.check(m.core.SetUp(d))
	for _, a := range addrs {
		m.addr(d, a)
	}
	return d
}

func (m *machine) addr(d *core.Device, a string) {
	m.t.Helper()
	p := netip.MustParsePrefix(a)
	b := lastAddr(p.Masked())
	m.check(m.in.AddAddr(d, Addr{Local: p.Addr(), Prefix: p, Broadcast: b, Scope: fib.Global}))
}

// pair makes two devices that are wired to each other.
func (m *machine) pair(na *netns.Net, a, addrA string, nb *netns.Net, b, addrB string) (*core.Device, *core.Device) {
	m.t.Helper()
	va, vb := new(pairDriver), new(pairDriver)
	da := m.device(na, a, va, byte(len(m.core.Devices(na))*16+1), addrA)
	db := m.device(nb, b, vb, byte(len(m.core.Devices(nb))*16+2), addrB)
	va.peer, vb.peer = db, da
	return da, db
}

func (m *machine) route(n *netns.Net, r fib.Route) {
	m.t.Helper()
	m.sys.Lock()
	defer m.sys.Unlock()
	if r.Table == 0 {
		r.Table = fib.TableMain
	}
	if r.Type == 0 {
		r.Type = fib.Unicast
	}
	m.check(m.in.FIB.Add(n, r, fib.AddRoute))
}

func (m *machine) via(n *netns.Net, dst, gw string, d *core.Device) {
	m.t.Helper()
	h := fib.NextHop{Dev: d}
	r := fib.Route{Dst: netip.MustParsePrefix(dst), Scope: fib.Link}
	if gw != "" {
		h.Gw = netip.MustParseAddr(gw)
		r.Scope = fib.Global
	}
	r.NextHops = []fib.NextHop{h}
	m.route(n, r)
}

func (m *machine) sysctl(n *netns.Net, name, value string) {
	m.t.Helper()
	m.sys.Lock()
	defer m.sys.Unlock()
	m.check(m.ctl.Set(n, name, value))
}

// run lets everything happen that can without time going by.
func (m *machine) run() {
	for range 10000 {
		m.sys.Expire(m.now, -1)
		if m.w.Poll(m.now, 64) == 0 && !m.w.Pending() {
			return
		}
	}
	m.t.Fatal("the machine does not come to rest")
}

// sleep lets time go by, timer by timer.
func (m *machine) sleep(d time.Duration) {
	end := m.now + d
	for {
		m.run()
		at, ok := m.sys.NextTimer()
		if !ok || at > end {
			break
		}
		m.now = max(m.now, at)
	}
	m.now = end
	m.run()
}

// neighbour makes a permanent entry, so that no ARP is sent.
func (m *machine) neighbour(d *core.Device, a string, mac byte) {
	m.t.Helper()
	w := m.core.Enter()
	defer w.Leave()
	m.check(m.core.SetNeighbour(w, d, netip.MustParseAddr(a), core.NeighUpdate{State: core.NudPermanent, MAC: wire.MAC{2, 0, 0, 0, 0, mac}}))
}

// frame hands a frame to a device.
func (m *machine) frame(d *core.Device, dst wire.MAC, typ uint16, payload []byte) {
	w := m.core.Enter()
	p := w.NewFrame(wire.EthernetLen + len(payload))
	wire.PutEthernet(p.Bytes(), dst, wire.MAC{2, 0, 0, 0, 1, 1}, typ)
	copy(p.Bytes()[wire.EthernetLen:], payload)
	d.Queue(w, p)
	w.Leave()
	m.run()
}

// inject hands an IP packet to a device.
func (m *machine) inject(d *core.Device, ip []byte) { m.frame(d, d.Addr(), wire.EtherTypeIPv4, ip) }

// packet makes an IP packet; mod may change the header before the checksum.
func packet(src, dst string, proto uint8, payload []byte, mod func(*wire.IPv4Fields)) wire.IPv4 {
	f := wire.IPv4Fields{TTL: 64, Proto: proto, ID: 7, Src: netip.MustParseAddr(src).As4(), Dst: netip.MustParseAddr(dst).As4()}
	if mod != nil {
		mod(&f)
	}
	b := make([]byte, f.HeaderLen()+len(payload))
	copy(b[f.HeaderLen():], payload)
	ip, ok := wire.PutIPv4(b, f)
	if !ok {
		panic("bad packet")
	}
	return ip
}

func echo(id, seq uint16, size int) []byte {
	b := make([]byte, wire.ICMPLen+size)
	for i := range b {
		b[i] = byte(i)
	}
	wire.PutICMPEcho(b, wire.ICMPEcho, id, seq)
	return b
}

func datagram(src, dst string, size int) []byte {
	b := make([]byte, wire.UDPLen+size)
	wire.PutUDP(b, 1000, 2000, netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4())
	return b
}

// balance checks the ledger: everything ended, or is held.
func (m *machine) balance() {
	m.t.Helper()
	var held int64
	for n := range m.sys.Nets() {
		b := m.core.Ledger(n)
		if !b.Balanced() {
			m.t.Errorf("net %s: %v", n.Name(), b)
		}
		held += b.Held
	}
	if total := m.core.TotalLedger(); !total.Balanced() {
		m.t.Errorf("total: %v", total)
	}
	if out := m.core.Outstanding(); out != held {
		m.t.Errorf("%d packets outstanding, %d held", out, held)
	}
}

func (m *machine) drops(n *netns.Net, r core.Reason) uint64 {
	return m.core.Ledger(n).Reasons[r.String()]
}

// frames returns the IP packets that a tap kept, and forgets them.
func (v *tapDriver) take() (all []wire.IPv4) {
	for _, f := range v.frames {
		if e, _ := wire.ParseEthernet(f); e.Type() == wire.EtherTypeIPv4 {
			all = append(all, wire.IPv4(e.Payload()))
		}
	}
	v.frames, v.gso = nil, nil
	return all
}

// show describes an IP packet in one line.
func show(ip wire.IPv4) string {
	s := fmt.Sprintf("%v > %v ttl %d", ip.Src(), ip.Dst(), ip.TTL())
	if !ip.ChecksumOK() {
		s += " BAD CHECKSUM"
	}
	if ip.DF() {
		s += " df"
	}
	if ip.IsFragment() {
		s += fmt.Sprintf(" frag %d+%d mf %v", ip.FragOffset(), len(ip.Payload()), ip.MF())
		return s
	}
	if m, ok := wire.ParseICMP(ip.Payload()); ip.Proto() == wire.ProtoICMP && ok {
		s += fmt.Sprintf(" icmp %d/%d", m.Type(), m.Code())
		if !m.ChecksumOK() {
			s += " BAD ICMP"
		}
		if m.Type() == wire.ICMPEcho || m.Type() == wire.ICMPEchoReply {
			s += fmt.Sprintf(" id %d seq %d", m.ID(), m.Seq())
		} else {
			s += fmt.Sprintf(" %#x", m.Rest())
		}
	} else {
		s += fmt.Sprintf(" proto %d", ip.Proto())
	}
	return s
}

// eachPlace runs f under both placements.
func eachPlace(t *testing.T, f func(t *testing.T, m *machine)) {
	for _, place := range placements {
		t.Run("place="+place.String(), func(t *testing.T) {
			m := newMachine(t, place)
			f(t, m)
			m.balance()
		})
	}
}
