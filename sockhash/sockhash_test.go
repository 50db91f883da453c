package sockhash

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/netns"
)

// setups are what must not change what anybody sees.
var setups = []struct {
	name  string
	place netns.Placement
	c     netns.Config
}{
	{"place=tagged", netns.Tagged, netns.Config{}},
	{"place=replicated", netns.Replicated, netns.Config{}},
	{"place=tagged/collide", netns.Tagged, netns.Config{Collide: true}},
	{"place=replicated/collide", netns.Replicated, netns.Config{Collide: true}},
	{"place=tagged/buckets=1/walk", netns.Tagged, netns.Config{Buckets: 1, Walk: true}},
}

// boot is a table of sockets that are numbers, and some Nets.
func boot(t testing.TB, place netns.Placement, c netns.Config, nets int) (*netns.System, *Table[int], []*netns.Net) {
	t.Helper()
	s := netns.New(c)
	table := New[int](s, "test", place, 42)
	if err := s.Boot(); err != nil {
		t.Fatal(err)
	}
	s.Lock()
	defer s.Unlock()
	list := []*netns.Net{s.Init()}
	for i := 1; i < nets; i++ {
		n, err := s.NewNet(fmt.Sprint("n", i))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return s, table, list
}

func addr(x byte) Addr {
	if x == 0 {
		return Addr{}
	}
	return Addr4([4]byte{10, 0, 0, x})
}

// The oracle: every binding of every Net in one slice, in the order of filing.
type oracle struct {
	nets []*netns.Net
	all  []filed
}

type filed struct {
	net *netns.Net
	*Binding[int]
}

// conflict is what Linux answered for each pair of sockets; see TestConflicts.
func conflict(a, b *Binding[int]) bool {
	if a.ReuseAddr && b.ReuseAddr || a.Dev != 0 && b.Dev != 0 && a.Dev != b.Dev {
		return false
	}
	return a.Local == b.Local || a.Local == (Addr{}) || b.Local == (Addr{})
}

func (o *oracle) bind(n *netns.Net, b *Binding[int]) bool {
	for i := len(o.all) - 1; i >= 0; i-- {
		if f := o.all[i]; f.net == n && f.Port == b.Port && conflict(f.Binding, b) {
			if f.ReusePort && b.ReusePort && f.UID == b.UID {
				break
			}
			return false
		}
	}
	o.all = append(o.all, filed{n, b})
	return true
}

// fits scores a binding for a flow whose destination counts as local.
func (o *oracle) fits(f filed, n *netns.Net, fl *Flow, local Addr) int {
	if f.net != n || f.Port != fl.LocalPort || f.Local != local {
		return -1
	}
	score := 0
	if f.RemotePort != 0 {
		if f.Remote != fl.Remote || f.RemotePort != fl.RemotePort {
			return -1
		}
		score += 8
	}
	if f.Dev != 0 {
		if f.Dev != fl.Dev {
			return -1
		}
		score += 4
	}
	return score
}

// candidates are the sockets of which a lookup may return any; nil for none.
func (o *oracle) candidates(n *netns.Net, fl *Flow) []int {
	for _, local := range []Addr{fl.Local, {}} {
		best := -1
		var hit *Binding[int]
		for i := len(o.all) - 1; i >= 0; i-- {
			f := o.all[i]
			if s := o.fits(f, n, fl, local); s > best {
				best, hit = s, f.Binding
				if f.ReusePort && f.RemotePort == 0 && !o.connectedIn(n, f.Binding) {
					break
				}
			}
		}
		if hit == nil {
			continue
		}
		socks := []int{hit.Sock}
		if hit.ReusePort && hit.RemotePort == 0 {
			for _, f := range o.all {
				if f.net == n && f.Binding != hit && group(f.Binding, hit) && f.RemotePort == 0 {
					socks = append(socks, f.Sock)
				}
			}
		}
		return socks
	}
	return nil
}

func group(a, b *Binding[int]) bool {
	return a.ReusePort && b.ReusePort && a.Port == b.Port && a.Local == b.Local && a.Dev == b.Dev && a.UID == b.UID
}

func (o *oracle) connectedIn(n *netns.Net, b *Binding[int]) bool {
	return slices.ContainsFunc(o.all, func(f filed) bool { return f.net == n && f.RemotePort != 0 && group(f.Binding, b) })
}

func (o *oracle) each(n *netns.Net, fl *Flow) (socks []int) {
	for i := len(o.all) - 1; i >= 0; i-- {
		if f := o.all[i]; o.fits(f, n, fl, fl.Local) >= 0 || o.fits(f, n, fl, Addr{}) >= 0 {
			socks = append(socks, f.Sock)
		}
	}
	return socks
}

// Bind, connect, close and look up in several Nets; a dumb scan agrees, whatever
// the placement, with hashes that collide, and in tables that never grow.
func TestOracle(t *testing.T) {
	for _, setup := range setups {
		t.Run(setup.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := netns.New(setup.c)
				table := New[int](s, "test", setup.place, 42)
				if err := s.Boot(); err != nil {
					t.Fatal(err)
				}
				s.Lock()
				defer s.Unlock()
				o := &oracle{nets: []*netns.Net{s.Init()}}
				for _, name := range []string{"a", "b"} {
					n, err := s.NewNet(name)
					if err != nil {
						t.Fatal(err)
					}
					o.nets = append(o.nets, n)
				}
				for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
					o.step(t, table, i)
					o.check(t, table)
				}
			})
		})
	}
}

func (o *oracle) step(t *rapid.T, table *Table[int], i int) {
	n := rapid.SampledFrom(o.nets).Draw(t, "net")
	switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
	case op < 6:
		b := &Binding[int]{Sock: i, Local: addr(byte(rapid.IntRange(0, 2).Draw(t, "addr"))), Port: uint16(rapid.IntRange(1, 2).Draw(t, "port")),
			Dev: rapid.IntRange(0, 2).Draw(t, "dev"), UID: uint32(rapid.IntRange(0, 1).Draw(t, "uid")),
			ReuseAddr: rapid.Bool().Draw(t, "reuseaddr"), ReusePort: rapid.Bool().Draw(t, "reuseport")}
		err := table.Bind(n, b)
		if want := o.bind(n, b); (err == nil) != want || err != nil && err != syscall.EADDRINUSE {
			t.Fatalf("bind %+v: %v, want %v", b, err, want)
		}
	case len(o.all) == 0:
	case op < 8: // connect
		k := rapid.IntRange(0, len(o.all)-1).Draw(t, "who")
		f := o.all[k]
		next := *f.Binding
		if next.Local.Wild() {
			next.Local = addr(1)
		}
		next.Remote, next.RemotePort = addr(byte(rapid.IntRange(1, 2).Draw(t, "peer"))), 9
		if err := table.Rebind(f.net, f.Binding, &next); err != nil {
			t.Fatal(err)
		}
		o.all = append(slices.Delete(o.all, k, k+1), filed{f.net, &next})
	default:
		k := rapid.IntRange(0, len(o.all)-1).Draw(t, "who")
		f := o.all[k]
		if !table.Unbind(f.net, f.Binding) || table.Unbind(f.net, f.Binding) {
			t.Fatal("unbind does not know what was bound")
		}
		o.all = slices.Delete(o.all, k, k+1)
	}
}

func (o *oracle) check(t *rapid.T, table *Table[int]) {
	for _, n := range o.nets {
		for port := uint16(1); port <= 2; port++ {
			for dst := byte(1); dst <= 2; dst++ {
				for peer := byte(1); peer <= 2; peer++ {
					for dev := 0; dev <= 2; dev++ {
						f := &Flow{Local: addr(dst), Remote: addr(peer), LocalPort: port, RemotePort: 9, Dev: dev}
						want := o.candidates(n, f)
						got, ok := table.Lookup(n, f)
						if ok != (want != nil) || ok && !slices.Contains(want, got) {
							t.Fatalf("lookup %+v in %q: %d %v, want one of %v", *f, n.Name(), got, ok, want)
						}
						var all []int
						table.Each(n, f, func(s int) bool { all = append(all, s); return true })
						if !slices.Equal(all, o.each(n, f)) {
							t.Fatalf("each %+v in %q: %v, want %v", *f, n.Name(), all, o.each(n, f))
						}
					}
				}
			}
		}
		mine := 0
		for _, f := range o.all {
			if f.net == n {
				mine++
			}
		}
		if got := len(table.All(n)); got != mine {
			t.Fatalf("%q lists %d bindings, want %d", n.Name(), got, mine)
		}
	}
}

func TestEphemeralPorts(t *testing.T) {
	for _, setup := range setups {
		t.Run(setup.name, func(t *testing.T) {
			_, table, nets := boot(t, setup.place, setup.c, 2)
			n, o := nets[0], nets[1]
			draw := func(k uint64) uint64 { return 5 % k }
			used := map[uint16]bool{}
			for i := range 10 {
				b := &Binding[int]{Sock: i}
				if err := table.BindAny(n, b, 100, 109, draw); err != nil || used[b.Port] || b.Port < 100 || b.Port > 109 {
					t.Fatalf("socket %d: port %d, %v", i, b.Port, err)
				}
				used[b.Port] = true
			}
			b := &Binding[int]{Sock: 10}
			if err := table.BindAny(n, b, 100, 109, draw); err != syscall.EADDRINUSE || b.Port != 0 {
				t.Errorf("no port is free: %v, port %d", err, b.Port)
			}
			b = &Binding[int]{Sock: 10, Local: addr(1)}
			if err := table.BindAny(n, b, 100, 109, draw); err != syscall.EADDRINUSE {
				t.Errorf("an address does not make room beside the wildcard: %v", err)
			}
			if err := table.BindAny(n, b, 110, 109, draw); err != syscall.EADDRINUSE {
				t.Errorf("an empty range: %v", err)
			}
			if err := table.BindAny(o, &Binding[int]{}, 100, 109, draw); err != nil {
				t.Errorf("the other Net has no port: %v", err)
			}
			for _, b := range table.All(n)[:1] {
				table.Unbind(n, b)
			}
			if err := table.BindAny(n, &Binding[int]{}, 100, 109, draw); err != nil {
				t.Errorf("a port that was given back: %v", err)
			}
		})
	}
}

// A flow stays with its socket of a group, flows spread over it, and a dead Net
// leaves nothing.
func TestReusePortGroup(t *testing.T) {
	s, table, nets := boot(t, netns.Tagged, netns.Config{}, 2)
	n := nets[1]
	for i := range 4 {
		if err := table.Bind(n, &Binding[int]{Sock: i, Port: 7, ReusePort: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Bind(n, &Binding[int]{Sock: 9, Port: 7, ReusePort: true, UID: 1}); err != syscall.EADDRINUSE {
		t.Errorf("another user joined the group: %v", err)
	}
	count := [4]int{}
	for port := range 4000 {
		f := &Flow{Local: addr(1), Remote: addr(2), LocalPort: 7, RemotePort: uint16(port + 1)}
		a, _ := table.Lookup(n, f)
		if b, _ := table.Lookup(n, f); a != b {
			t.Fatal("a flow changed its socket")
		}
		count[a]++
	}
	for _, k := range count {
		if k < 700 {
			t.Errorf("flows spread %v", count)
		}
	}
	s.Lock()
	defer s.Unlock()
	if err := s.Delete("n1"); err != nil {
		t.Fatal(err)
	}
	s.Reap()
	if _, ok := table.Lookup(n, &Flow{Local: addr(1), LocalPort: 7}); ok || table.Len(n) != 0 {
		t.Error("a socket outlived its Net")
	}
	if err := table.Bind(n, &Binding[int]{Port: 7}); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("bind in a dead Net: %v", err)
	}
}

func TestAddr(t *testing.T) {
	for text, same := range map[string]Addr{
		"0.0.0.0": {}, "::": {}, "10.0.0.1": addr(1), "::ffff:10.0.0.1": addr(1), "::1": {lo: 1}, "fe80::2": {0xfe80 << 48, 2},
	} {
		if got := AddrOf(netip.MustParseAddr(text)); got != same {
			t.Errorf("%s is %x, want %x", text, got, same)
		}
	}
	if !AddrOf(netip.Addr{}).Wild() || addr(1).Wild() {
		t.Error("the wildcard is another")
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	for _, setup := range setups {
		_, table, nets := boot(t, setup.place, setup.c, 1)
		for i := range 3 {
			table.Bind(nets[0], &Binding[int]{Sock: i, Port: 7, ReusePort: true})
		}
		f := &Flow{Local: addr(1), Remote: addr(2), LocalPort: 7, RemotePort: 9}
		if k := testing.AllocsPerRun(100, func() { table.Lookup(nets[0], f) }); k != 0 {
			t.Errorf("%s: %v allocations", setup.name, k)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		for _, count := range []int{1, 1000, 100_000} {
			b.Run(fmt.Sprintf("place=%v/nets=%d", place, count), func(b *testing.B) {
				_, table, nets := boot(b, place, netns.Config{}, count)
				for _, n := range nets { // the same port in every Net
					if err := table.Bind(n, &Binding[int]{Sock: 1, Port: 53}); err != nil {
						b.Fatal(err)
					}
				}
				n := nets[count/2]
				f := &Flow{Local: addr(1), Remote: addr(2), LocalPort: 53, RemotePort: 9}
				b.ReportAllocs()
				for b.Loop() {
					if _, ok := table.Lookup(n, f); !ok {
						b.Fatal("lost")
					}
				}
			})
		}
	}
}
