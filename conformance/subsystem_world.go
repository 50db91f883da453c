package conformance

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"weak"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/ipv4"
	"nsmodel/netns"
)

// initial is what stories call the initial Net, whose name is "".
const initial = "init"

// partners are the Nets of the battery that are linked. The initial Net is
// linked with nobody.
var partners = map[string]string{"a": "b", "b": "a", "c": "d", "d": "c"}

// A shape is how one machine of the battery is built.
type shape struct {
	Variant
	place  netns.Placement
	closed bool // the subsystem's gates
}

func (s shape) String() string {
	text := s.place.String()
	if s.Name != "default" {
		text += ", " + s.Name
	}
	if s.closed {
		text += ", gates closed"
	}
	return text
}

// A world is a machine with the subsystem, in which steps are carried out.
type world[H any] struct {
	b    *battery[H]
	name string
	m    *nsmodel.Machine
	h    H
	pick func(int) int
	live bool

	base    string // what there was before any Net but the initial one
	readers readers
	mu      sync.Mutex
	born    []weak.Pointer[netns.Net] // under mu; all that ever began to live but the initial one
}

// open builds a machine of the given shape and the named Nets in it.
func (b *battery[H]) open(t *rapid.T, name string, sh shape, nets ...string) *world[H] {
	w := &world[H]{b: b, name: name}
	c := sh.Config
	c.Seed, c.DevconfInheritInitNet = 1, core.DevconfCompiledIn
	_ = c.Place.Set(b.Name + "=" + sh.place.String()) // an error says that it is no word of its own
	for _, row := range b.Gates {
		if !hasRow(core.DefaultGates(), row) {
			row.Open = true
			c.Gates = append(c.Gates, row)
		}
	}
	c.Extend = func(m *nsmodel.Machine) (err error) {
		netns.Attend(m.Sys, "battery", func(n *netns.Net) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if !n.IsInit() {
				w.born = append(w.born, weak.Make(n))
			}
			return nil
		}, nil, nil)
		for _, row := range b.Gates {
			gate, err := m.Core.Gate(row.Layer, row.Entry)
			if err != nil {
				return err
			}
			if sh.closed {
				gate.Close()
			}
		}
		w.h, err = b.New(m, sh.place)
		return err
	}
	var err error
	if w.m, err = nsmodel.New(c); err != nil {
		t.Fatalf("the machine could not be built: %v", err)
	}
	if sh.Schedule != 0 {
		w.pick = rand.New(rand.NewPCG(sh.Schedule, 0)).IntN
	}
	w.base = w.figures()
	for _, net := range nets {
		if said := w.birth(net); said != "ok" {
			t.Fatalf("the world could not be built: %s: %s", net, said)
		}
	}
	b.worlds = append(b.worlds, w)
	return w
}

func hasRow(rows []core.GateRow, row core.GateRow) bool {
	return slices.ContainsFunc(rows, func(r core.GateRow) bool { return r.Layer == row.Layer && r.Entry == row.Entry })
}

// figures are what the machine holds beside its Nets' own homes.
func (w *world[H]) figures() string {
	var s strings.Builder
	for _, sub := range w.m.Sys.Subsystems() {
		if sub.Entries != 0 {
			fmt.Fprintf(&s, "%s=%d ", sub.Name, sub.Entries)
		}
	}
	c := w.m.Sys.Census()
	fmt.Fprintf(&s, "nets=%d,%d,%d", c.Living, c.Dying, c.Memory)
	return s.String()
}

// net returns the Net of that name, held, or nil.
func (w *world[H]) net(name string) *netns.Net {
	if name == initial {
		name = ""
	}
	n, err := w.m.Net(name)
	if err != nil {
		return nil
	}
	return n
}

// call is where an operation in n is carried out.
func (w *world[H]) call(n *netns.Net) Call[H] {
	return Call[H]{H: w.h, M: w.m, N: n, Live: w.live, readers: &w.readers}
}

// birth makes a Net with its devices, or furnishes the initial one.
func (w *world[H]) birth(name string) string {
	if name != initial {
		if _, err := w.m.AddNet(name); err != nil {
			return say("", err)
		}
	}
	n := w.net(name)
	defer n.Put()
	w.m.Sys.Lock()
	defer w.m.Sys.Unlock()
	err := w.m.Core.SetUp(w.m.Core.Device(n, "lo"))
	if err == nil && name != "b" && name != "d" {
		_, err = w.nic(n, core.DeviceSpec{Addr: wire.MAC{2, 0, 0, 0, 0, 9}})
	}
	if err == nil {
		err = w.wire(n, name)
	}
	return say("", err)
}

// nic gives n the device that moves; under rtnl.
func (w *world[H]) nic(n *netns.Net, spec core.DeviceSpec) (*core.Device, error) {
	spec.Name, spec.Driver, spec.Carrier = "nic0", sink{}, true
	d, err := w.m.Core.Register(n, spec)
	if err != nil {
		return nil, err
	}
	return d, w.m.Core.SetUp(d)
}

// A sink is the driver of a device whose frames nobody gets.
type sink struct{}

// Xmit implements [core.Driver].
func (sink) Xmit(w *core.Worker, _ *core.Device, p *core.Packet) { w.Release(p) }

// wire joins n with its partner, if that lives; under rtnl.
func (w *world[H]) wire(n *netns.Net, name string) error {
	other, far := n, "eth1"
	if name != initial {
		partner, ok := partners[name]
		if !ok {
			return nil
		}
		if other = w.net(partner); other == nil {
			return nil
		}
		defer other.Put()
		far = "eth0"
		if w.m.Core.Device(other, far) != nil {
			return nil
		}
	}
	d, err := w.m.Core.Kind("veth").New(n, core.LinkSpec{Name: "eth0", Peer: &core.LinkSpec{Name: far}, PeerNet: other})
	if err != nil {
		return err
	}
	ends := []*core.Device{d, w.m.Core.Device(other, far)}
	if name == "b" || name == "d" {
		slices.Reverse(ends)
	}
	for i, d := range ends {
		local := netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i)})
		net := netip.PrefixFrom(local, 24)
		if name != initial || i == 0 {
			if err := w.m.IPv4.AddAddr(d, ipv4.Addr{Local: local, Peer: local, Prefix: net.Masked(), Label: d.Name()}); err != nil {
				return err
			}
		}
		if err := w.m.Core.SetUp(d); err != nil {
			return err
		}
	}
	return nil
}

// kill ends Nets, as one batch.
func (w *world[H]) kill(names ...string) string {
	w.m.Sys.Lock()
	defer w.m.Sys.Unlock()
	for _, name := range names {
		if err := w.m.Sys.Delete(name); err != nil {
			return say("", err)
		}
	}
	w.m.Sys.Reap()
	return "ok"
}

// settle lets the machine do what is to be done now.
func (w *world[H]) settle() {
	if !w.live {
		w.m.SettleOrder(w.pick)
	}
}

// see returns what a Net can see of the subsystem.
func (w *world[H]) see(name string) string {
	n := w.net(name)
	if n == nil {
		return "no such namespace"
	}
	defer n.Put()
	return w.b.Dump(w.call(n))
}

// numbers returns what a Net is given next: a random number, and the index of a
// device. Neither may tell of strangers. It changes the Net.
func (w *world[H]) numbers(name string) string {
	n := w.net(name)
	if n == nil {
		return "no such namespace"
	}
	defer n.Put()
	w.m.Sys.Lock()
	defer w.m.Sys.Unlock()
	d, err := w.m.Core.Register(n, core.DeviceSpec{Name: "next%d", Driver: sink{}})
	if err != nil {
		return say("", err)
	}
	index := d.Index()
	_ = w.m.Core.Unregister(d) // it can be deleted
	return fmt.Sprintf("the next random number is %x, the next device has index %d", n.Uint64(), index)
}

// most bounds how many things a limit is looked for with.
const most = 20000

// fill brings a Net to its limit and says where that was.
func (w *world[H]) fill(name string, from, step int) (count int, err error) {
	n := w.net(name)
	if n == nil {
		return 0, syscall.ENOENT
	}
	defer n.Put()
	for count < most {
		if err := w.b.Fill(w.call(n), from+count*step); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

// say puts what an operation returned into one text.
func say(text string, err error) string {
	switch {
	case err != nil && text != "":
		return text + ": " + err.Error()
	case err != nil:
		return err.Error()
	case text == "":
		return "ok"
	}
	return text
}

// A readers counts the operations that wait beside the others.
type readers struct {
	mu      sync.Mutex
	waiting int
}

func (r *readers) begin(f func()) {
	r.add(1)
	go func() {
		defer r.add(-1)
		f()
	}()
}

func (r *readers) add(k int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting += k
	return r.waiting
}

// gone waits until all have come back, for as long as patience lasts, and says how
// many have not.
func (r *readers) gone(patience time.Duration) int {
	wait(patience, func() bool { return r.add(0) == 0 })
	return r.add(0)
}

// wait waits for what should come true at once, and reports whether it did.
func wait(patience time.Duration, done func() bool) bool {
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
