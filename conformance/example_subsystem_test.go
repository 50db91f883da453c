package conformance_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/netns"
)

// Names is a small subsystem: in each Net, names lead to addresses. A name may
// stand for a device and goes with it, is leased for a time, and there are at
// most eight in a Net.
type names struct {
	m    *nsmodel.Machine
	gate *netns.Gate
	all  *netns.Table[string, *lease]
}

type lease struct {
	addr, dev string
	end       netns.Timer
}

// newNames registers it, as register_pernet_subsys and its kin would in Linux.
func newNames(m *nsmodel.Machine, place netns.Placement) (*names, error) {
	gate, err := m.Core.Gate(core.LayerNetlink, "names")
	if err != nil {
		return nil, err
	}
	s := &names{m, gate, netns.NewTable[string, *lease](m.Sys, "names", place, netns.Keyed[string]())}
	netns.Attend(m.Sys, "names-limit", func(n *netns.Net) error { s.all.SetCap(n, 8); return nil }, nil, nil)
	return s, m.Core.HandleEvents("names", s.event)
}

func (s *names) add(n *netns.Net, name, dev string) error {
	if !s.gate.Admit(n) {
		return syscall.EOPNOTSUPP
	}
	s.m.Sys.Lock()
	defer s.m.Sys.Unlock()
	if dev != "" && s.m.Core.Device(n, dev) == nil {
		return syscall.ENODEV
	}
	l := &lease{addr: fmt.Sprintf("10.%d", n.Uint64N(200)), dev: dev}
	if err := s.all.Add(n, name, l); err != nil {
		return err
	}
	l.end.Init(n, func(time.Duration) { s.all.Delete(n, name) })
	l.end.Reset(s.m.Sys.Now() + 5*time.Second)
	return nil
}

func (s *names) del(n *netns.Net, name string) error {
	if !s.gate.Admit(n) {
		return syscall.EOPNOTSUPP
	}
	l, ok := s.all.Delete(n, name)
	if !ok {
		return syscall.EADDRNOTAVAIL
	}
	l.end.Stop()
	return nil
}

func (s *names) dump(n *netns.Net) string {
	var b strings.Builder
	for name, l := range s.all.All(n) {
		fmt.Fprintln(&b, name, l.addr, l.dev)
	}
	return b.String()
}

// event lets go of a device that leaves its Net.
func (s *names) event(e core.Event, d *core.Device) {
	for name, l := range s.all.All(d.Net()) {
		if e == core.EventUnregister && l.dev == d.Name() {
			s.all.Delete(d.Net(), name)
			l.end.Stop()
		}
	}
}

// What the battery gets to know: how it is made, what can be done to it, what can
// be seen of it, how its limit is reached, and its rows in the table of gates.
func namesSubsystem() conformance.Subsystem[*names] {
	type call = conformance.Call[*names]
	return conformance.Subsystem[*names]{
		Name: "names",
		New:  newNames,
		Op: func(t *rapid.T) conformance.Op[*names] {
			name, dev := rapid.SampledFrom([]string{"mail", "web"}).Draw(t, "name"), conformance.AnyDevice(t)
			return rapid.SampledFrom([]conformance.Op[*names]{
				{Text: "add " + name, Do: func(c call) (string, error) { return "", c.H.add(c.N, name, "") }},
				{Text: "add " + name + " dev " + dev, Do: func(c call) (string, error) { return "", c.H.add(c.N, name, dev) }},
				{Text: "del " + name, Do: func(c call) (string, error) { return "", c.H.del(c.N, name) }},
			}).Draw(t, "op")
		},
		Dump: func(c call) string { return c.H.dump(c.N) },
		Fill: func(c call, i int) error { return c.H.add(c.N, fmt.Sprint("host", i), "") },
		Gates: []core.GateRow{
			{Layer: core.LayerNetlink, Entry: "names", Why: "names are keyed by Net"},
			{Layer: core.LayerNotifier, Entry: "names", Why: "a name goes with a device of its own Net"},
		},
	}
}

// A new subsystem is run through the battery by one call.
func ExampleTestSubsystem() {
	t := new(testing.T) // that of func TestNames(t *testing.T)
	conformance.TestSubsystem(t, namesSubsystem())
}
