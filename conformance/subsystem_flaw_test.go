package conformance_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/netns"
)

// A flaw is a typical bug of a subsystem, and the check that must find it.
type flaw struct{ name, by, precedent string }

// flaws are what is planted into flawed, one at a time.
var flaws = []flaw{
	{"kept by the host", "strangers", "the key lacks the Net (mptcp, ea1300b9df7c)"},
	{"one entry point asks init", "strangers", "a helper calls with &init_net (a5c3a8005cb7)"},
	{"numbers are the host's", "strangers", "interface indexes until 3.7"},
	{"random from one stream", "strangers", "a neighbour's draw shifts mine"},
	{"differs by placement", "placement", "the tag mixed into what is seen"},
	{"limit is the host's", "limit", "neighbours until cda2962b6e2b"},
	{"dump unfiltered", "dump", "conntrack in /proc (e77e6ff502ea)"},
	{"dump in a hash's order", "dump", "an order that tells of the hash"},
	{"timer of another Net", "death", "dccp: tw_timer_handler (ec7cb62d18d8)"},
	{"value holds the Net", "death", "a link that outlives its Net"},
	{"purges any dead Net", "death", "tcp_sk_exit_batch (2024)"},
	{"packet kept", "death", "a get without a put"},
	{"reader not woken", "death", "pending requests at namespace exit (2026)"},
	{"brings the dead back", "death", "a socket that outlives its Net (ef7134c)"},
	{"list of Nets not undone", "birth", "registration error path (2023)"},
	{"exit missing", "rebirth", "a pointer per Net without an exit (437138485656)"},
	{"device not let go", "move", "ip_tunnel: fix namespaces move (2020)"},
	{"gate forgotten", "gate", "net/rds: restrict to init (2026)"},
	{"gate left over", "gate", "llc: don't drop packet from non-root netns (2023)"},
	{"looks, then adds", "race", "a limit that is checked outside the lock"},
	{"slot not freed", "leaks", "tcp_fastopen_key context leak (437138485656)"},
	{"goroutine left", "leaks", "a work item that nobody cancels"},
}

// Flawed is names with one flaw.
type flawed struct {
	names
	flaw string

	mu     sync.Mutex
	count  int                 // of the host
	held   map[netns.ID]int    // entries, for the purge
	taken  map[string]bool     // by name of the Net
	nets   map[*netns.Net]bool // that began to live
	kept   []*netns.Net
	memory [][]byte
}

func newFlawed(name string) func(*nsmodel.Machine, netns.Placement) (*flawed, error) {
	return func(m *nsmodel.Machine, place netns.Placement) (*flawed, error) {
		s := &flawed{flaw: name, held: map[netns.ID]int{}, taken: map[string]bool{}, nets: map[*netns.Net]bool{}}
		netns.Attend(m.Sys, "flaw", s.enter, nil, nil)
		gate, err := m.Core.Gate(core.LayerNetlink, "names")
		if err != nil {
			return nil, err
		}
		s.names = names{m, gate, netns.NewTable[string, *lease](m.Sys, "names", place, netns.Keyed[string]())}
		netns.Attend(m.Sys, "names-limit", func(n *netns.Net) error { s.all.SetCap(n, 8); return nil }, nil, nil)
		netns.Attend(m.Sys, "flaw-exit", nil, nil, s.exit)
		if s.has("differs by placement") && place == netns.Tagged {
			s.flaw = "dump backwards"
		}
		if s.has("device not let go") {
			return s, nil
		}
		return s, m.Core.HandleEvents("names", s.event)
	}
}

func (s *flawed) has(name string) bool { return s.flaw == name }

func (s *flawed) enter(n *netns.Net) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has("list of Nets not undone") {
		s.nets[n] = true
	}
	if s.has("slot not freed") {
		s.memory = append(s.memory, make([]byte, 64))
	}
	return nil
}

// exit belongs to a later registration than enter, whose failure it so misses.
func (s *flawed) exit(n *netns.Net) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.nets, n)
	if s.has("purges any dead Net") {
		for id := range s.held {
			if other, err := s.m.Sys.ByID(id); err == nil {
				other.Put()
				continue
			}
			if s.held[id]--; s.held[id] < 0 {
				panic("an entry released twice")
			}
		}
	}
}

// where is the Net whose entries an operation in n uses.
func (s *flawed) where(n *netns.Net) *netns.Net {
	if s.has("kept by the host") {
		return s.m.Init()
	}
	return n
}

func (s *flawed) add(n *netns.Net, name, dev string) error {
	if s.has("gate left over") && !n.IsInit() {
		return syscall.EOPNOTSUPP
	}
	if !s.gate.Admit(n) {
		return syscall.EOPNOTSUPP
	}
	if s.has("looks, then adds") {
		s.all.SetCap(n, 0)
		if s.all.Len(n) >= 8 {
			return syscall.ENOBUFS
		}
		runtime.Gosched()
		time.Sleep(10 * time.Microsecond)
	}
	s.m.Sys.Lock()
	defer s.m.Sys.Unlock()
	if dev != "" && s.m.Core.Device(n, dev) == nil {
		return syscall.ENODEV
	}
	if s.has("exit missing") {
		if s.taken[n.Name()+name] {
			return syscall.EEXIST
		}
		s.taken[n.Name()+name] = true
	}
	if s.has("limit is the host's") && s.count >= 12 {
		return syscall.ENOBUFS
	}
	draw, owner := n, n
	if s.has("random from one stream") {
		draw = s.m.Init()
	}
	if s.has("timer of another Net") {
		owner = s.m.Init()
	}
	l := &lease{addr: fmt.Sprintf("10.%d", draw.Uint64N(200)), dev: dev}
	if s.has("numbers are the host's") {
		l.addr = fmt.Sprint(s.count)
	}
	n = s.where(n)
	if err := s.all.Add(n, name, l); err != nil && !s.has("brings the dead back") {
		return err
	}
	s.count++
	s.keep(n)
	l.end.Init(owner, func(time.Duration) { s.all.Delete(n, name) })
	l.end.Reset(s.m.Sys.Now() + 5*time.Second)
	return nil
}

// keep holds what should not be held.
func (s *flawed) keep(n *netns.Net) {
	switch s.flaw {
	case "value holds the Net":
		s.kept = append(s.kept, n)
	case "brings the dead back":
		if !n.Alive() {
			s.kept = append(s.kept, n)
		}
	case "purges any dead Net":
		s.mu.Lock()
		s.held[n.ID()] = 1
		s.mu.Unlock()
	case "packet kept":
		w := s.m.Core.Enter()
		if n.Alive() {
			w.Hold(w.NewPacket(n, 1))
		}
		w.Leave()
	case "goroutine left":
		go func() { select {} }()
	}
}

func (s *flawed) del(c conformance.Call[*flawed], name string) error {
	n := s.where(c.N)
	if !s.gate.Admit(c.N) && !s.has("gate forgotten") {
		return syscall.EOPNOTSUPP
	}
	if s.has("one entry point asks init") {
		n = s.m.Init()
	}
	if s.has("reader not woken") {
		c.Go(func() { <-make(chan int) })
	}
	l, ok := s.all.Delete(n, name)
	if !ok {
		return syscall.EADDRNOTAVAIL
	}
	l.end.Stop()
	return nil
}

func (s *flawed) dump(n *netns.Net) string {
	if s.has("dump unfiltered") {
		var all string
		for n := range s.m.Sys.Nets() {
			all += s.names.dump(n)
		}
		return all
	}
	if s.has("dump in a hash's order") {
		lines := map[string]bool{}
		for _, line := range strings.Split(s.names.dump(n), "\n") {
			lines[line] = true
		}
		return strings.Join(slices.Collect(maps.Keys(lines)), "\n")
	}
	text := s.names.dump(s.where(n))
	if s.has("dump backwards") {
		lines := strings.Split(text, "\n")
		slices.Reverse(lines)
		return strings.Join(lines, "\n")
	}
	return text
}

func flawedSubsystem(name string) conformance.Subsystem[*flawed] {
	type call = conformance.Call[*flawed]
	plain := namesSubsystem()
	return conformance.Subsystem[*flawed]{
		Name: "flawed",
		New:  newFlawed(name),
		Op: func(t *rapid.T) conformance.Op[*flawed] {
			name, dev := rapid.SampledFrom([]string{"mail", "web"}).Draw(t, "name"), conformance.AnyDevice(t)
			return rapid.SampledFrom([]conformance.Op[*flawed]{
				{Text: "add " + name, Do: func(c call) (string, error) { return "", c.H.add(c.N, name, "") }},
				{Text: "add " + name + " dev " + dev, Do: func(c call) (string, error) { return "", c.H.add(c.N, name, dev) }},
				{Text: "del " + name, Do: func(c call) (string, error) { return "", c.H.del(c, name) }},
			}).Draw(t, "op")
		},
		Dump:  func(c call) string { return c.H.dump(c.N) },
		Fill:  func(c call, i int) error { return c.H.add(c.N, fmt.Sprint("host", i), "") },
		Gates: plain.Gates,
	}
}

// A battery that has never been seen to fail is none: each flaw is found by the
// check that is there for it, and each check finds one.
func TestFlaws(t *testing.T) {
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.shrinktime": "100ms"} {
		before := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		defer flag.Set(name, before)
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "FLAW\tFOUND BY\tAFTER STEPS\tPRECEDENT")
	found := map[string]bool{}
	for _, f := range flaws {
		story := conformance.StoryOf(flawedSubsystem(f.name), f.by)
		if story == "" {
			t.Errorf("%q is not found by %s", f.name, f.by)
		} else {
			found[f.by] = true
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", f.name, cmp.Or(map[bool]string{true: f.by}[story != ""], "nobody"), steps(story), f.precedent)
		if testing.Verbose() {
			t.Log(story)
		}
	}
	for _, name := range conformance.CheckNames() {
		if !found[name] {
			t.Errorf("no flaw is found by %s", name)
		}
	}
	if w.Flush(); testing.Verbose() {
		t.Log("\n" + table.String())
	}
}

// steps counts a story's numbered lines.
func steps(story string) (k int) {
	for _, line := range strings.Split(story, "\n") {
		var i int
		var word string
		if _, err := fmt.Sscanf(line, "%d  %s", &i, &word); err == nil && i == k+1 {
			k++
		}
	}
	return k
}
