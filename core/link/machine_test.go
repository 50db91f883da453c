package link_test

import (
	"fmt"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// testType is the EtherType of the frames that tests send.
const testType = wire.EtherTypeExp1

// seen is a test frame that reached the protocols of a Net.
type seen struct {
	net *netns.Net
	dev string
	src wire.MAC
	tag string
}

// machine is a stack with the kinds of device, one worker, and a protocol that
// notes what reaches it.
type machine struct {
	t    testing.TB
	sys  *netns.System
	s    *core.Stack
	l    *link.Links
	w    *core.Worker
	now  time.Duration
	got  []seen
	deaf bool // deliver only
}

// placements are the two that every test runs under.
var placements = []netns.Placement{netns.Tagged, netns.Replicated}

// bothPlacements runs f under each placement.
func bothPlacements(t *testing.T, f func(t *testing.T, m *machine)) {
	for _, place := range placements {
		t.Run(fmt.Sprintf("place=%v", place), func(t *testing.T) {
			m := newMachine(t, place)
			f(t, m)
			m.balance()
		})
	}
}

func newMachine(t testing.TB, place netns.Placement) *machine {
	return newMachineWith(t, place, netns.Config{Seed: 1}, nil)
}

func newMachineWith(t testing.TB, place netns.Placement, nc netns.Config, watch func(e core.Event, d *core.Device)) *machine {
	t.Helper()
	m := &machine{t: t, sys: netns.New(nc)}
	m.s = core.New(m.sys, core.Config{Devices: place, MIB: place, Neigh: place, Gates: []core.GateRow{
		{Layer: core.LayerProtocol, Entry: fmt.Sprintf("%#04x", testType), Open: true, Why: "test"},
		{Layer: core.LayerNotifier, Entry: "test", Open: true, Why: "test"},
	}})
	m.ok(link.Register(m.s, link.Config{FDB: place}))
	m.l = link.Of(m.s)
	m.ok(m.s.HandleProtocol(testType, m.receive))
	if watch != nil {
		m.ok(m.s.HandleEvents("test", watch))
	}
	m.ok(m.sys.Boot())
	m.w = m.s.NewWorker()
	m.sys.Lock() // tests are single-threaded unless they say otherwise
	t.Cleanup(m.sys.Unlock)
	return m
}

func (m *machine) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// receive is the test protocol. Frames not for the device are dropped as ip_rcv
// drops them.
func (m *machine) receive(w *core.Worker, p *core.Packet) {
	if m.deaf {
		w.Deliver(p)
		return
	}
	if p.Type == core.ToOther {
		w.Drop(p, core.OtherHost)
		return
	}
	p.Push(wire.EthernetLen)
	eth := wire.Ethernet(p.Bytes())
	m.got = append(m.got, seen{p.Net(), p.Dev.Name(), eth.Src(), string(eth.Payload())})
	w.Deliver(p)
}

// net makes a Net.
func (m *machine) net(name string) *netns.Net {
	m.t.Helper()
	n, err := m.sys.NewNet(name)
	m.ok(err)
	return n
}

// add makes a device of a kind.
func (m *machine) add(n *netns.Net, kind string, u core.LinkSpec) *core.Device {
	m.t.Helper()
	d, err := m.s.Kind(kind).New(n, u)
	m.ok(err)
	return d
}

// veth makes a pair with both ends up.
func (m *machine) veth(n *netns.Net, name string, in *netns.Net, peer string) (a, b *core.Device) {
	m.t.Helper()
	a = m.add(n, "veth", core.LinkSpec{Name: name, Peer: &core.LinkSpec{Name: peer}, PeerNet: in})
	b = a.LowerDevice()
	m.up(a, b)
	return a, b
}

func (m *machine) up(devs ...*core.Device) {
	m.t.Helper()
	for _, d := range devs {
		m.ok(m.s.SetUp(d))
	}
}

// send sends a test frame from d to dst.
func (m *machine) send(d *core.Device, dst wire.MAC, tag string) {
	w := m.s.Enter()
	p := w.NewPacket(d.Net(), len(tag))
	copy(p.Bytes(), tag)
	p.Protocol = testType
	d.SendTo(w, p, dst)
	w.Leave()
}

// frame sends raw bytes from d.
func (m *machine) frame(d *core.Device, b []byte) {
	w := m.s.Enter()
	p := w.NewPacket(d.Net(), len(b))
	copy(p.Bytes(), b)
	d.Xmit(w, p)
	w.Leave()
}

// run polls until nothing is left, and returns what arrived meanwhile.
func (m *machine) run() []seen {
	m.t.Helper()
	m.got = nil
	for range 100000 {
		if m.w.Poll(m.now, 64) == 0 && !m.w.Pending() {
			return m.got
		}
	}
	m.t.Fatal("the machine does not come to rest")
	return nil
}

// after lets time pass.
func (m *machine) after(d time.Duration) {
	m.now += d
	m.sys.Expire(m.now, -1)
	m.w.Poll(m.now, 0)
}

// balance checks the ledgers, and that no packet is out of the pools.
func (m *machine) balance() {
	m.t.Helper()
	m.run()
	if b := m.s.TotalLedger(); !b.Balanced() || b.Held != 0 {
		m.t.Errorf("total: %v", b)
	}
	for n := range m.sys.Nets() {
		if b := m.s.Ledger(n); !b.Balanced() || b.Held != 0 {
			m.t.Errorf("net %q: %v", n.Name(), b)
		}
	}
	if k := m.s.Outstanding(); k != 0 {
		m.t.Errorf("%d packets outstanding", k)
	}
}

// want compares what arrived with "net/dev tag" lines, in order.
func (m *machine) want(got []seen, lines ...string) {
	m.t.Helper()
	var have []string
	for _, g := range got {
		have = append(have, fmt.Sprintf("%s/%s %s", g.net.Name(), g.dev, g.tag))
	}
	if fmt.Sprint(have) != fmt.Sprint(lines) {
		m.t.Errorf("arrived:\n %q\nwant:\n %q", have, lines)
	}
}
