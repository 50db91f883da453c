package core

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

// testType is the EtherType of the frames that tests send: the first of IEEE's
// local experimental ones.
const testType = wire.EtherTypeExp1

var bothPlacements = []netns.Placement{netns.Tagged, netns.Replicated}

// machine is a stack with one or more workers, a driver of pairs, and a protocol
// that notes what reaches it.
type machine struct {
	testing.TB
	sys    *netns.System
	s      *Stack
	w      *Worker
	now    time.Duration
	got    []string // what reached the protocol: "net/dev payload"
	events []string
	handle func(w *Worker, p *Packet) // takes the place of the note
	neigh  neighLog
}

// setup is how a test's machine differs from the plain one.
type setup struct {
	place   netns.Placement
	net     netns.Config
	core    Config
	workers int
	before  func(m *machine) // registers more before the boot
}

func newMachine(t testing.TB, c setup) *machine {
	t.Helper()
	m := &machine{TB: t, sys: netns.New(c.net)}
	c.core.Devices, c.core.MIB, c.core.Neigh = c.place, c.place, c.place
	c.core.Gates = append(c.core.Gates,
		GateRow{Layer: LayerProtocol, Entry: fmt.Sprintf("%#04x", testType), Open: true, Why: "test"},
		GateRow{Layer: LayerNotifier, Entry: "test", Open: true, Why: "test"})
	m.s = New(m.sys, c.core)
	m.ok(m.s.HandleProtocol(testType, func(w *Worker, p *Packet) {
		if m.handle != nil {
			m.handle(w, p)
			return
		}
		m.got = append(m.got, fmt.Sprintf("%s/%s %s", p.Net().Name(), p.Dev.Name(), p.Bytes()))
		w.Deliver(p)
	}))
	m.ok(m.s.HandleEvents("test", func(e Event, d *Device) {
		m.events = append(m.events, fmt.Sprintf("%s/%s %v", d.Net().Name(), d.Name(), e))
	}))
	m.s.HandleNeigh(m.neigh.ops())
	if c.before != nil {
		c.before(m)
	}
	m.ok(m.sys.Boot())
	for range max(1, c.workers) {
		m.s.NewWorker()
	}
	m.w = m.s.Workers()[0]
	m.sys.Lock() // tests are single-threaded unless they say otherwise
	t.Cleanup(m.sys.Unlock)
	return m
}

// each runs f on a machine of each placement, and looks at the ledgers after it.
func each(t *testing.T, f func(m *machine)) { eachSetup(t, setup{}, f) }

func eachSetup(t *testing.T, c setup, f func(m *machine)) {
	for _, place := range bothPlacements {
		t.Run(fmt.Sprintf("place=%v", place), func(t *testing.T) {
			c.place = place
			m := newMachine(t, c)
			f(m)
			m.balance()
		})
	}
}

func (m *machine) ok(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// fails checks an errno.
func (m *machine) fails(err error, want syscall.Errno) {
	m.Helper()
	if !errors.Is(err, want) {
		m.Errorf("error %v, want %v", err, want)
	}
}

func (m *machine) net(name string) *netns.Net {
	m.Helper()
	n, err := m.sys.NewNet(name)
	m.ok(err)
	return n
}

// kill ends a named Net.
func (m *machine) kill(name string) {
	m.Helper()
	m.ok(m.sys.Delete(name))
	m.sys.Reap()
}

// pairEnd is the test's veth: what it sends is queued at its peer, and it dies
// with it. Down, its frames are lost.
type pairEnd struct {
	peer  atomic.Pointer[Device]
	moves []string
	stay  error
}

func (e *pairEnd) Xmit(w *Worker, _ *Device, p *Packet) {
	peer := e.peer.Load()
	if peer == nil {
		w.Release(p)
		return
	}
	peer.Queue(w, p)
}

func (e *pairEnd) Leave(*Device) []*Device {
	peer := e.peer.Swap(nil)
	if peer == nil {
		return nil
	}
	peer.driver.(*pairEnd).peer.Store(nil)
	return []*Device{peer}
}

func (e *pairEnd) Move(d *Device, to *netns.Net) error {
	e.moves = append(e.moves, d.Net().Name()+">"+to.Name())
	return e.stay
}

// pair makes two devices that are up and send to each other.
func (m *machine) pair(n *netns.Net, name string, in *netns.Net, peer string) (a, b *Device) {
	m.Helper()
	x, y := new(pairEnd), new(pairEnd)
	a = m.add(n, DeviceSpec{Name: name, Driver: x, Carrier: true})
	b = m.add(in, DeviceSpec{Name: peer, Driver: y, Carrier: true})
	x.peer.Store(b)
	y.peer.Store(a)
	m.ok(m.s.SetUp(a))
	m.ok(m.s.SetUp(b))
	return a, b
}

// sink is a driver that counts and forgets; it can be busy.
type sink struct {
	sent []string
	busy int // frames after which it stops the queue; 0 never
}

func (k *sink) Xmit(w *Worker, d *Device, p *Packet) {
	k.sent = append(k.sent, string(wire.Ethernet(p.Bytes()).Payload()))
	w.Release(p)
	if k.busy > 0 {
		if k.busy--; k.busy == 0 {
			d.StopQueue()
		}
	}
}

// add makes a device; without a driver it is a sink.
func (m *machine) add(n *netns.Net, spec DeviceSpec) *Device {
	m.Helper()
	if spec.Driver == nil {
		spec.Driver = new(sink)
	}
	d, err := m.s.Register(n, spec)
	m.ok(err)
	return d
}

// send sends a test frame with a payload from d to whoever is there.
func (m *machine) send(d *Device, text string) {
	w := m.s.Enter()
	defer w.Leave()
	m.sendBy(w, d, text)
}

func (m *machine) sendBy(w *Worker, d *Device, text string) {
	p := w.NewPacket(d.Net(), len(text))
	copy(p.Bytes(), text)
	p.Protocol = testType
	d.SendTo(w, p, wire.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
}

// arrives gives d a frame as a NIC would.
func (m *machine) arrives(d *Device, frame []byte) {
	w := m.s.Enter()
	defer w.Leave()
	p := w.NewFrame(len(frame))
	copy(p.Bytes(), frame)
	d.Receive(w, p)
}

// frame is an Ethernet frame for everybody.
func frame(typ uint16, text string) []byte {
	b := make([]byte, wire.EthernetLen+len(text))
	wire.PutEthernet(b, wire.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, wire.MAC{2, 0, 0, 0, 0, 9}, typ)
	copy(b[wire.EthernetLen:], text)
	return b
}

// run polls all workers until nothing is left, and returns what arrived.
func (m *machine) run() []string {
	m.Helper()
	for quiet := 0; quiet < len(m.s.workers); {
		quiet = 0
		for _, w := range m.s.workers {
			if w.Poll(m.now, 64) == 0 && !w.Pending() {
				quiet++
			}
		}
	}
	got := m.got
	m.got = nil
	return got
}

// after lets time pass in steps, so that each timer fires at its own time.
func (m *machine) after(d time.Duration) {
	end := m.now + d
	for {
		at, ok := m.sys.NextTimer()
		if !ok || at > end {
			break
		}
		m.now = max(at, m.now)
		m.sys.Expire(m.now, 1)
		m.run()
	}
	m.now = end
	m.sys.Expire(m.now, -1)
	m.run()
}

// want compares what arrived.
func (m *machine) want(got []string, want ...string) {
	m.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		m.Errorf("got  %q\nwant %q", got, want)
	}
}

// tail returns and forgets the events so far.
func (m *machine) tail() []string {
	e := m.events
	m.events = nil
	return e
}

// drops returns how many packets n lost for a reason.
func (m *machine) drops(n *netns.Net, r Reason) uint64 { return m.s.Ledger(n).Reasons[r.String()] }

// wantDrops checks that, and that nothing was dropped for another reason.
func (m *machine) wantDrops(n *netns.Net, r Reason, k uint64) {
	m.Helper()
	if b := m.s.Ledger(n); b.Reasons[r.String()] != k || b.Dropped != k {
		m.Errorf("net %q: %v, want %d %v", n.Name(), b, k, r)
	}
}

// balance checks the ledgers, and that no packet is out of the pools but those
// that queues hold.
func (m *machine) balance() {
	m.Helper()
	total := m.s.TotalLedger()
	if !total.Balanced() || m.s.Outstanding() != total.Held {
		m.Errorf("total: %v, %d packets outstanding", total, m.s.Outstanding())
	}
	for n := range m.sys.Nets() {
		if b := m.s.Ledger(n); !b.Balanced() || b.Held < 0 {
			m.Errorf("net %q: %v", n.Name(), b)
		}
	}
}

// neighLog is a family's resolution that notes what it is asked to do.
type neighLog struct {
	parms  NeighParms
	limits map[*netns.Net][3]int // of one Net; else Linux's
	lost   int

	mu  sync.Mutex // some tests write from several goroutines
	log []string
}

func (l *neighLog) ops() *NeighOps {
	l.parms = DefaultNeighParms()
	l.limits = map[*netns.Net][3]int{}
	return &NeighOps{
		Family: AFInet,
		Solicit: func(w *Worker, nb *Neighbour, to wire.MAC) {
			kind := "ask all"
			if !to.IsZero() {
				kind = "ask it"
			}
			l.note(w.Now(), kind)
		},
		Construct: func(d *Device, a netip.Addr) (wire.MAC, NeighState) {
			if a.IsMulticast() {
				return wire.MAC{1, 0, 0x5e, 0, 0, 1}, NudNoARP
			}
			return wire.MAC{}, NudNone
		},
		Unreachable: func(w *Worker, p *Packet) {
			l.note(w.Now(), "unreachable")
			l.lost++
			w.Drop(p, NeighbourFailed)
		},
		Parms: func(*Device) *NeighParms { return &l.parms },
		Limits: func(n *netns.Net) [3]int {
			if own, ok := l.limits[n]; ok {
				return own
			}
			return [3]int{128, 512, 1024}
		},
		Changed: func(nb *Neighbour, gone bool) {
			i := nb.Info()
			what := stateName(i.State)
			if gone {
				what = "deleted " + what
			}
			l.say(what)
		},
	}
}

func (l *neighLog) note(now time.Duration, what string) {
	l.say(fmt.Sprintf("%v %s", now, what))
}

func (l *neighLog) say(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = append(l.log, what)
}

func (l *neighLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.log
	l.log = nil
	return log
}

func stateName(s NeighState) string {
	return map[NeighState]string{NudNone: "NONE", NudIncomplete: "INCOMPLETE", NudReachable: "REACHABLE", NudStale: "STALE", NudDelay: "DELAY",
		NudProbe: "PROBE", NudFailed: "FAILED", NudNoARP: "NOARP", NudPermanent: "PERMANENT"}[s]
}

// addr4 is 10.0.0.x, or further on in 10/8.
func addr4(x int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(x >> 16), byte(x >> 8), byte(x)})
}

func addrOf(a [4]byte) netip.Addr { return netip.AddrFrom4(a) }

func netnsConfig(seed uint64) netns.Config { return netns.Config{Seed: seed} }
