package conformance_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/netlink"
	"nsmodel/core/sysctl"
	"nsmodel/core/wire"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// What an old protocol brings along: a family number, an EtherType for local
// experiments (IEEE 802), and a message family.
const (
	afOld   = 63
	oldType = 0x88b5
)

// Old is a small datagram protocol as a subsystem of 2006 was written: one
// instance, whose state knows of no namespace. A datagram is a port and bytes.
// Nothing in it changes when namespaces come: its gates keep them out.
type old struct {
	core    *core.Stack
	sockets map[byte]*oldSocket
	devices []string // it has heard of
	hops    int      // net.old.hops
}

type oldSocket struct {
	o     *old
	queue []string
}

// bind gives the socket a port of the one and only port space.
func (s *oldSocket) bind(port byte) error {
	if s.o.sockets[port] != nil {
		return syscall.EADDRINUSE
	}
	s.o.sockets[port] = s
	return nil
}

func (o *old) receive(w *core.Worker, p *core.Packet) {
	b := p.Bytes()
	if len(b) < 1 || o.sockets[b[0]] == nil {
		w.Drop(p, core.NoSocket)
		return
	}
	s := o.sockets[b[0]]
	s.queue = append(s.queue, string(b[1:]))
	w.Deliver(p)
}

func (o *old) event(e core.Event, d *core.Device) {
	switch e {
	case core.EventRegister:
		o.devices = append(o.devices, d.Name())
	case core.EventUnregister:
		o.devices = slices.DeleteFunc(o.devices, func(name string) bool { return name == d.Name() })
	}
}

// rows are its lines in the table of gates.
func rows(open bool) []core.GateRow {
	why := "one instance, not ready for namespaces"
	return []core.GateRow{
		{Layer: core.LayerProtocol, Entry: fmt.Sprintf("%#04x", oldType), Open: open, Why: why},
		{Layer: core.LayerNotifier, Entry: "old", Open: open, Why: why},
		{Layer: core.LayerFamily, Entry: strconv.Itoa(afOld), Open: open, Why: why},
		{Layer: core.LayerNetlink, Entry: "old", Open: open, Why: why},
		{Layer: core.LayerSysctl, Entry: "net.old", Open: open, Why: why},
		{Layer: core.LayerNetfilter, Entry: "ipv6", Open: open, Why: why},
	}
}

// oldMachine is a machine with the old protocol and a child namespace that has a
// wire to the initial one.
type oldMachine struct {
	*testing.T
	o     *old
	sys   *netns.System
	core  *core.Stack
	ctl   *sysctl.Registry
	nl    *netlink.Rtnetlink
	hooks *netfilter.Hooks
	w     *core.Worker
	init  *netns.Net
	child *netns.Net
	home  *core.Device // in the initial Net
	away  *core.Device // in the child
}

func newOld(t *testing.T, open bool) *oldMachine {
	m := &oldMachine{T: t, sys: netns.New(netns.Config{})}
	m.core = core.New(m.sys, core.Config{Gates: rows(open)})
	m.ctl = sysctl.New(m.core)
	m.nl = netlink.NewRtnetlink(m.sys, netns.Default)
	m.hooks = netfilter.New(m.core, netns.Default)
	m.o = &old{core: m.core, sockets: map[byte]*oldSocket{}, hops: 8}
	m.ok(m.o.register(m))
	m.ok(link.Register(m.core, link.Config{}))
	m.ok(m.sys.Boot())
	m.w = m.core.NewWorker()
	m.sys.Lock()
	t.Cleanup(m.sys.Unlock)
	m.init = m.sys.Init()
	var err error
	m.child, err = m.sys.NewNet("child")
	m.ok(err)
	m.home, err = m.core.Kind("veth").New(m.init, core.LinkSpec{Name: "home", Peer: &core.LinkSpec{Name: "away"}, PeerNet: m.child})
	m.ok(err)
	m.away = m.home.LowerDevice()
	m.ok(m.core.SetUp(m.home))
	m.ok(m.core.SetUp(m.away))
	return m
}

// register enters the protocol at every layer.
func (o *old) register(m *oldMachine) error {
	gate, err := m.core.Gate(core.LayerNetlink, "old")
	if err != nil {
		return err
	}
	m.nl.Handle(netlink.Handler{Op: netlink.Get, Kind: netlink.KindAddr, Family: afOld, Row: "old", Gate: gate,
		Do: func(*netns.Net, *netlink.Request) ([]netlink.Message, error) {
			return []netlink.Message{&netlink.Addr{Family: afOld, Label: "old"}}, nil
		}})
	return errors.Join(
		m.core.HandleProtocol(oldType, o.receive),
		m.core.HandleEvents("old", o.event),
		m.core.HandleFamily(afOld, func(*netns.Net, int, int) (any, error) { return &oldSocket{o: o}, nil }),
		m.ctl.Register(sysctl.Entry{Name: "net.old.hops", Row: "net.old",
			Get: func(*netns.Net, string) (string, error) { return strconv.Itoa(o.hops), nil },
			Set: func(_ *netns.Net, _, v string) (err error) { o.hops, err = strconv.Atoi(v); return err }}))
}

func (m *oldMachine) ok(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *oldMachine) want(what string, err error, want syscall.Errno) {
	m.Helper()
	if want == 0 && err != nil || want != 0 && !errors.Is(err, want) {
		m.Errorf("%s: %v, want %v", what, err, want)
	}
}

// send sends a datagram by d.
func (m *oldMachine) send(d *core.Device, port byte, text string) {
	w := m.core.Enter()
	p := w.NewPacket(d.Net(), 1+len(text))
	copy(p.Bytes(), string(port)+text)
	p.Protocol = oldType
	d.SendTo(w, p, wire.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	w.Leave()
	for m.w.Poll(0, 64) > 0 {
	}
}

// visit tries every entry point in n and says what each must answer.
func (m *oldMachine) visit(n *netns.Net, closed bool) {
	m.Helper()
	no := func(e syscall.Errno) syscall.Errno {
		if closed {
			return e
		}
		return 0
	}
	s, err := m.core.Socket(n, afOld, 2, 0)
	m.want("socket", err, no(syscall.EAFNOSUPPORT))
	if !closed {
		m.want("bind", s.(*oldSocket).bind(byte(len(m.o.sockets)+100)), 0)
	}
	_, err = m.nl.Do(n, &netlink.Request{Op: netlink.Get, Flags: netlink.Dump, Msg: &netlink.Addr{Family: afOld}})
	m.want("message", err, no(syscall.EOPNOTSUPP))
	_, err = m.ctl.Get(n, "net.old.hops")
	m.want("sysctl", err, no(syscall.ENOENT))
	m.want("sysctl -w", m.ctl.Set(n, "net.old.hops", "9"), no(syscall.ENOENT))
	if all := m.ctl.All(n); (len(all) == 0) != closed {
		m.Errorf("sysctl -a shows %v", all)
	}
	_, err = m.hooks.Register(n, netfilter.Entry{Family: core.AFInet6, Hook: netfilter.LocalIn,
		Func: func(*core.Worker, *core.Packet, *netfilter.State) netfilter.Verdict { return netfilter.Accept }})
	m.want("hook", err, no(syscall.EOPNOTSUPP))
}

// With its gates closed the protocol works in the initial namespace, and is
// refused everywhere else as Linux refused: each layer in its own way.
func TestOldProtocolBehindGates(t *testing.T) {
	m := newOld(t, false)
	m.visit(m.child, true)
	m.visit(m.init, false)
	if m.o.hops != 9 {
		t.Error("the child wrote the initial namespace's value, or init could not")
	}
	if got := fmt.Sprint(m.o.devices); got != "[lo home]" {
		t.Errorf("it has heard of %s: a child's device is none of its business", got)
	}
	// Reception: the port is bound in the one port space, but what comes in
	// another namespace never gets there.
	s, err := m.core.Socket(m.init, afOld, 2, 0)
	m.ok(err)
	m.ok(s.(*oldSocket).bind(7))
	m.send(m.home, 7, "to the child")
	m.send(m.away, 7, "to init")
	if got := fmt.Sprint(s.(*oldSocket).queue); got != "[to init]" {
		t.Errorf("received %s", got)
	}
	if b := m.core.Ledger(m.child); b.Reasons[core.GateClosed.String()] != 1 || !b.Balanced() {
		t.Errorf("the child's ledger: %v", b)
	}
	if b := m.core.Ledger(m.init); b.Dropped != 0 || b.Delivered != 1 {
		t.Errorf("init's ledger: %v", b)
	}
	// A device that comes home is announced, one that leaves is taken back.
	m.ok(m.core.Move(m.away, m.init, ""))
	if got := fmt.Sprint(m.o.devices); got != "[lo home away]" {
		t.Errorf("after the move it knows %s", got)
	}
	m.ok(m.core.Move(m.away, m.child, ""))
	if got := fmt.Sprint(m.o.devices); got != "[lo home]" {
		t.Errorf("after the move back it knows %s", got)
	}
}

// With the rows opened before the protocol was ported, the namespaces share it:
// what the gates are there against.
func TestOldProtocolWithoutGatesLeaks(t *testing.T) {
	m := newOld(t, true)
	m.visit(m.child, false)
	s, err := m.core.Socket(m.init, afOld, 2, 0)
	m.ok(err)
	m.ok(s.(*oldSocket).bind(7))
	m.send(m.home, 7, "sent to the child")
	if got := fmt.Sprint(s.(*oldSocket).queue); got != "[sent to the child]" {
		t.Errorf("received %s: if the child got it, the demonstration has lost its point", got)
	}
}

// An entry point that the table does not know cannot be registered, one that
// nobody has built is absent everywhere, and none can be taken twice.
func TestGateTable(t *testing.T) {
	m := newOld(t, false)
	none := func(*core.Worker, *core.Packet) {}
	m.want("protocol without a row", m.core.HandleProtocol(0x1234, none), syscall.ENOENT)
	m.want("family without a row", m.core.HandleFamily(44, nil), syscall.ENOENT)
	m.want("notifier without a row", m.core.HandleEvents("nobody", nil), syscall.ENOENT)
	m.want("sysctl without a row", m.ctl.Register(sysctl.Entry{Name: "net.x.y", Row: "net.x"}), syscall.ENOENT)
	m.want("protocol twice", m.core.HandleProtocol(oldType, none), syscall.EEXIST)
	m.want("family twice", m.core.HandleFamily(afOld, nil), syscall.EEXIST)
	m.want("sysctl twice", m.ctl.Register(sysctl.Entry{Name: "net.old.hops", Row: "net.old"}), syscall.EEXIST)
	for _, n := range []*netns.Net{m.init, m.child} {
		_, err := m.core.Socket(n, unix.AF_INET6, 2, 0)
		m.want("a family that nobody has built", err, syscall.EAFNOSUPPORT)
		_, err = m.nl.Do(n, &netlink.Request{Op: netlink.Get, Msg: &netlink.Addr{Family: 77}})
		m.want("a message that nobody handles", err, syscall.EOPNOTSUPP)
		_, err = m.hooks.Register(n, netfilter.Entry{Family: 7, Hook: netfilter.LocalIn, Func: func(*core.Worker, *core.Packet, *netfilter.State) netfilter.Verdict {
			return netfilter.Accept
		}})
		m.want("hooks of a family without any", err, syscall.EOPNOTSUPP)
	}
	seen := map[string]bool{}
	for _, row := range m.core.Gates() {
		key := string(row.Layer) + " " + row.Entry
		if seen[key] || row.Why == "" {
			t.Errorf("row %q is there twice, or gives no reason", key)
		}
		seen[key] = true
	}
}
