package law

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/ipv4"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// A scene is a Net x that will die, y that is linked to it, z with its partner
// q that are not, and the initial Net.
type scene struct {
	t       fataler
	b       *bench
	log     []string
	x, y    *netns.Net // held by name only
	readers []*reader
	nic     *core.Device
	pings   []*ipv4.Ping
	// of a listener in x
	listens bool
	told    atomic.Int32
	stuck   atomic.Bool
}

// A reader is a goroutine that waits for a datagram in x.
type reader struct {
	woken atomic.Bool
	err   error
	done  chan struct{}
}

func (s *scene) do(text string) string {
	s.log = append(s.log, text)
	return s.b.do(s.t, text)
}

func setScene(t fataler, b *bench) *scene {
	s := &scene{t: t, b: b}
	for _, n := range []string{"x", "y", "z", "q"} {
		s.do("ip netns add " + n)
	}
	for _, p := range [][2]string{{"x", "y"}, {"z", "q"}} {
		for _, text := range []string{
			"ip -n $1 link add v0 type veth peer name w0 netns $2", "ip -n $1 link add v1 type veth peer name w1 netns $2",
			"ip -n $1 addr add 10.0.0.1/24 dev v0", "ip -n $2 addr add 10.0.0.2/24 dev w0",
			"ip -n $1 link set v0 up", "ip -n $2 link set w0 up", "ip -n $1 link set v1 up", "ip -n $2 link set w1 up", "ip -n $1 link set lo up",
			"ip netns exec $1 ping -c 1 -W 0.1 10.0.0.2", "ip netns exec $1 sysctl -w net.ipv4.conf.v0.rp_filter=1",
			"ip -n $1 route add 10.9.0.0/16 via 10.0.0.2", "ip -n $1 rule add fwmark 1 table 7 pref 100", "ip netns exec $1 probe udp listen 0.0.0.0:7",
		} {
			s.do(strings.NewReplacer("$1", p[0], "$2", p[1]).Replace(text))
		}
	}
	s.x, s.y = b.net("x"), b.net("y")
	s.x.Put()
	s.y.Put()
	return s
}

func (s *scene) heldBy(n *netns.Net) func() bool {
	return func() bool { return s.b.m.Core.Ledger(n).Held > 0 }
}

// write sends datagrams from a socket in n without letting anything happen.
func (s *scene) write(n *netns.Net, to string) {
	c, err := s.b.m.UDP.Dial(n, netip.AddrPort{}, netip.MustParseAddrPort(to), udp.Options{})
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	for range 3 {
		if _, err := c.Write([]byte("on its way")); err != nil {
			s.t.Fatalf("%v", err)
		}
	}
	if !n.IsInit() && n != s.x {
		s.b.socks[nameOf(n)+"/w"+to] = &socket{n, c}
	}
}

// The ways to die.
const (
	byName      = iota // its name is deleted, and nobody holds it
	lastHeld           // somebody holds it, and lets go later
	readAfter          // somebody still looks at what is left of it
	inBatch            // with others, in any order
	movingFrom         // while a device leaves for another Net
	movingTo           // while a device arrives
	withMachine        // the machine is taken down
	numDeaths
)

// everyDeath is law 4 for each kind of death, while all sorts of things are
// under way: each is seen to be. Then nothing is left, all who waited are
// woken with an error, a stranger has not noticed, and on the machine whose Nets
// are all gone new ones see what they would see on a new machine.
func everyDeath(t *rapid.T, vs []conformance.Variant) {
	v := drawVariant(t, vs, everyVariant)
	b := newBench(t, v, drawEyes(t))
	defer b.close()
	s := setScene(t, b)
	all := pendings()
	var under []pending
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(all)-1), 0, 6, rapid.ID[int]).Draw(t, "pending") {
		under = append(under, all[i])
	}
	before := ""
	for quiet, stage := range [][]pending{loud(under, false), loud(under, true)} {
		if quiet == 1 {
			before = b.view("z") + b.view("q") // looking settles
		}
		var checks []func() bool
		for _, p := range stage {
			s.log = append(s.log, "# "+p.name)
			checks = append(checks, p.begin(s))
		}
		for i, ok := range checks {
			if !ok() {
				t.Fatalf("not under way: %s\n%s", stage[i].name, strings.Join(s.log, "\n"))
			}
		}
	}
	kind := rapid.IntRange(0, numDeaths-1).Draw(t, "death")
	g := &grip{}
	g.add(b.m, s.x)
	dead := s.die(t, kind)
	fail := func(f string, args ...interface{}) {
		t.Helper()
		t.Fatalf("under %q, death %d: %s\n%s", v.Name, kind, fmt.Sprintf(f, args...), strings.Join(s.log, "\n"))
	}
	if bad := s.after(dead, g); bad != "" {
		fail("%s", bad)
	}
	if !slices.Contains(dead, "z") && !slices.Contains(dead, "q") {
		if after := b.view("z") + b.view("q"); after != before {
			fail("a stranger has noticed:\n%s", difference("before", before, "after", after))
		}
	}
	if bad := s.reborn(t, v); bad != "" {
		fail("%s", bad)
	}
}

// loud returns those of under that are quiet, or that are not.
func loud(under []pending, quiet bool) (some []pending) {
	for _, p := range under {
		if p.quiet == quiet {
			some = append(some, p)
		}
	}
	return some
}

// die lets x die, and returns the names of all that died.
func (s *scene) die(t *rapid.T, kind int) []string {
	b := s.b
	switch kind {
	case lastHeld:
		s.x.Hold()
		b.m.Sys.Lock()
		err := b.m.Sys.Delete("x")
		b.m.Sys.Reap()
		b.m.Sys.Unlock()
		if err != nil || !s.x.Alive() || b.net("x") != nil {
			t.Fatalf("a Net that is held lost its name (%v), and is alive: %v", err, s.x.Alive())
		}
		s.x.Put()
		s.reap()
	case readAfter:
		s.x.HoldMemory()
		_ = b.m.DeleteNet("x")
		if bad := s.look(); bad != "" {
			t.Fatalf("of a Net that is gone: %s\n%s", bad, strings.Join(s.log, "\n"))
		}
		if c := b.m.Sys.Census(); c.Memory != c.Living+1 {
			t.Fatalf("with one Net still looked at: %+v", c)
		}
		s.x.PutMemory()
	case inBatch:
		dead := rapid.Permutation([]string{"x", "y", "z", "q"}).Draw(t, "batch")
		dead = dead[:rapid.IntRange(1, 4).Draw(t, "size")]
		if !slices.Contains(dead, "x") {
			dead = append(dead, "x")
		}
		b.m.Sys.Lock()
		for _, name := range dead {
			if err := b.m.Sys.Delete(name); err != nil {
				t.Fatalf("%v", err)
			}
		}
		if k := b.m.Sys.Reap(); k != len(dead) {
			t.Fatalf("%d of %d died", k, len(dead))
		}
		b.m.Sys.Unlock()
		s.forget()
		return dead
	case movingFrom, movingTo:
		s.move(t, kind)
	case withMachine:
		_ = b.m.Close()
		s.nic = nil // gone with the rest
		s.forget()
		return []string{"x", "y", "z", "q"}
	default:
		if err := b.m.DeleteNet("x"); err != nil {
			t.Fatalf("%v", err)
		}
	}
	s.forget()
	return []string{"x"}
}

func (s *scene) reap() {
	s.b.m.Sys.Lock()
	s.b.m.Sys.Reap()
	s.b.m.Sys.Unlock()
}

func (s *scene) forget() {
	s.b.settle()
	s.b.h.Forget()
}

// move moves a device, and lets x lose its last reference at one of the events
// on the way.
func (s *scene) move(t *rapid.T, kind int) {
	from, to, dev := s.x, s.y, "v0"
	if kind == movingTo {
		from, to, dev = s.y, s.x, "w1"
	}
	at, k := rapid.IntRange(1, 5).Draw(t, "event"), 0
	s.b.watch.onEvent = func(e core.Event, d *core.Device) {
		if k++; k == at {
			_ = s.b.m.Sys.Delete("x")
		}
	}
	s.b.m.Sys.Lock()
	d := s.b.m.Core.Device(from, dev)
	_ = s.b.m.Core.Move(d, to, "moved")
	s.b.watch.onEvent = nil
	_ = s.b.m.Sys.Delete("x") // if there were fewer events
	s.b.m.Sys.Reap()
	s.b.m.Sys.Unlock()
	if got := d.Net(); got != s.x && !d.Listed() {
		t.Fatalf("%s is in a Net that lives, but is not listed there", dev)
	}
}

// look reads what is left of x, and tries to use it.
func (s *scene) look() string {
	m, x := s.b.m, s.x
	if d := m.Core.Devices(x); len(d) != 0 {
		return fmt.Sprintf("%d devices", len(d))
	}
	if d := m.Core.Neighbours(x); len(d) != 0 {
		return fmt.Sprintf("%d neighbours", len(d))
	}
	if d := m.UDP.Sockets(x); len(d) != 0 {
		return fmt.Sprintf("%d sockets", len(d))
	}
	if d := m.Sys.Deadlines(x); len(d) != 0 {
		return fmt.Sprintf("%d timers", len(d))
	}
	if l := m.Core.Ledger(x); l.Held != 0 {
		return fmt.Sprintf("books %v", l)
	}
	_ = m.Sysctl.All(x)
	if _, err := m.ListenPacket(x, ":0"); !errors.Is(err, syscall.ENETDOWN) {
		return fmt.Sprintf("a socket could be opened: %v", err)
	}
	if _, err := m.IPv4.OpenPing(x, ipv4.PingOptions{}); !errors.Is(err, syscall.ENETDOWN) {
		return fmt.Sprintf("an echo client could be opened: %v", err)
	}
	if x.Hold() {
		return "it could be held"
	}
	return ""
}

// after says what is wrong once the Nets called dead are gone.
func (s *scene) after(dead []string, g *grip) string {
	for _, r := range s.readers {
		select {
		case <-r.done:
		case <-time.After(10 * time.Second): // for whoever waits for ever
			return "a reader was not woken"
		}
		if !errors.Is(r.err, syscall.ENETDOWN) || errors.Is(r.err, os.ErrDeadlineExceeded) {
			return fmt.Sprintf("a reader was woken with %v", r.err)
		}
	}
	if s.stuck.Load() {
		return "a listener that was told could not ask"
	}
	if s.listens && s.told.Load() == 0 {
		return "a listener was not told of the end"
	}
	for _, p := range s.pings {
		if _, err := p.Send(netip.MustParseAddr("10.0.0.2"), 2, 8, 0); err == nil {
			return "an echo client still sends"
		}
	}
	if s.nic != nil && (s.nic.Net() != s.b.m.Init() || !s.nic.Listed()) {
		return "the NIC did not go home"
	}
	s.readers, s.pings, s.nic, s.x, s.y = nil, nil, nil, nil, nil
	return remains(s.b, g)
}

// reborn kills the rest, and compares new Nets on this machine with those of a
// new one.
func (s *scene) reborn(t *rapid.T, v conformance.Variant) string {
	b := s.b
	g := grasp(b)
	killAll(b)
	if bad := remains(b, g); bad != "" {
		return "in the end " + bad
	}
	if !oneWorker(v) {
		return ""
	}
	fresh := newBench(t, v, eyes{})
	defer fresh.close()
	fresh.m.AdvanceTo(b.m.Sys.Now(), nil)
	b.watch.eyes, b.watch.of, b.files = eyes{}, map[string]*log{}, map[string]*file{}
	var views [2]string
	for i, b := range []*bench{b, fresh} {
		for _, c := range furniture(0, false) {
			b.do(t, c.text)
		}
		for _, n := range []string{"x", "y"} {
			b.do(t, "ip netns add "+n)
		}
		b.do(t, "ip netns exec a ping -c 1 -W 0.1 10.0.1.2")
		for _, n := range []string{"a", "b", "e", "x", "y"} {
			views[i] += b.lastWill(t, n)
		}
	}
	if views[0] != views[1] {
		return "where all had died, new Nets see:\n" + difference("here", views[0], "on a new machine", views[1])
	}
	return ""
}
