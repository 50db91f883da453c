package compare

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/internal/linux"
	"nsmodel/netns"
)

// The parts of a Net are the whole of it: hardly anything is left that the
// profile cannot name, and what nobody has used yet weighs nothing.
func TestPartsAddUp(t *testing.T) {
	shelves := map[string]float64{} // the pointers to own homes
	for _, v := range memVectors() {
		const nets = 200
		whole, err := weigh(v, nets, nil)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := weigh(v, nets, partNames())
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, bytes := range parts {
			sum += bytes
		}
		if rest := parts[restPart]; rest < -0.05*sum || rest > 0.05*sum {
			t.Errorf("%s: %.0f of %.0f bytes are nobody's", v.Name, rest, sum)
		}
		if w := whole[memUp]; sum < 0.95*w || sum > 1.05*w {
			t.Errorf("%s: the parts come to %.0f bytes, the whole is %.0f", v.Name, sum, w)
		}
		for _, used := range []string{"devices", "mib", "addrs", "fib", netPart} {
			if parts[used] <= 0 {
				t.Errorf("%s: %s weighs %.0f", v.Name, used, parts[used])
			}
		}
		for _, idle := range []string{"neigh", "fdb", "hooks", "rules", "frags", "udp"} {
			if parts[idle] > 1 {
				t.Errorf("%s: %s weighs %.0f in an idle Net", v.Name, idle, parts[idle])
			}
		}
		shelves[v.Name] = parts[shelvesPart]
	}
	if few, many := shelves["all-tagged"], shelves["all-replicated"]; few >= many {
		t.Errorf("shelves weigh %.0f where all is shared, %.0f where nothing is", few, many)
	}
}

// What a subsystem asks for is put down to that subsystem.
func TestPartIsWhoAsked(t *testing.T) {
	m, err := newMachine(nsmodel.Config{Place: nsmodel.AllPlaces(netns.Replicated)})
	if err != nil {
		t.Fatal(err)
	}
	var nets []*netns.Net
	if err := crowd(m, "n", 100, func(n *netns.Net) error {
		nets = append(nets, n)
		m.Sys.Lock()
		defer m.Sys.Unlock()
		_, _, err := stage.Veth(m, n, "in", "10.1.0.1/24")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	each := func(f func(*netns.Net) error) func() error {
		return func() error {
			for _, n := range nets {
				if err := f(n); err != nil {
					return err
				}
			}
			return nil
		}
	}
	defer func(rate int) { runtime.MemProfileRate = rate }(runtime.MemProfileRate)
	runtime.MemProfileRate = 1
	for _, c := range []struct {
		part string
		do   func() error
	}{
		{"udp", each(func(n *netns.Net) error { _, err := stage.Listen(m, n, stage.Port); return err })},
		{"neigh", each(func(n *netns.Net) error {
			w := m.Core.Enter()
			defer w.Leave()
			return m.Core.SetNeighbour(w, m.Core.Device(n, "in"), stage.Gateway(), core.NeighUpdate{State: core.NudPermanent, MAC: stage.GatewayMAC()})
		})},
		{"sysctls", each(func(n *netns.Net) error { return m.Sysctl.Set(n, "net.ipv4.ip_default_ttl", "7") })},
		{"fib", each(func(n *netns.Net) error {
			m.Sys.Lock()
			defer m.Sys.Unlock()
			return stage.AddRoute(m, m.Core.Device(n, "in"), stage.Behind(), netip.MustParseAddr("10.1.0.2"))
		})},
	} {
		before := heapByPart()
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		after := heapByPart()
		grown, all := int64(0), int64(0)
		for part, bytes := range after {
			// A sysctl's home may be the first on its shelf.
			if d := bytes - before[part]; part == c.part || c.part == "sysctls" && part == shelvesPart {
				grown += d
				all += max(d, -d)
			} else if part != shelvesPart {
				all += max(d, -d)
			}
		}
		if grown < 2000 || float64(grown) < 0.8*float64(all) {
			t.Errorf("%s grew by %d of %d bytes", c.part, grown, all)
		}
	}
	runtime.KeepAlive(m)
}

// A shot is taken once for all its values, and anew when one is asked for again.
func TestShot(t *testing.T) {
	taken := 0
	s := &shot{take: func() (map[string]float64, error) {
		taken++
		return map[string]float64{"a": float64(taken), "b": 10 * float64(taken)}, nil
	}}
	for i, c := range []struct {
		name string
		want float64
	}{{"a", 1}, {"b", 10}, {"b", 20}, {"a", 2}, {"a", 3}} {
		if got, err := s.value(c.name); got != c.want || err != nil {
			t.Errorf("%d: %s is %v, %v, want %v", i, c.name, got, err, c.want)
		}
	}
	if _, err := s.value("c"); err == nil {
		t.Error("a value that nobody measured")
	}
}

func TestSlabCaches(t *testing.T) {
	const text = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
net_namespace         12     14   4352    7    8 : tunables    0    0    0 : slabdata      2      3      0
dentry             90000  90000    192   21    1 : tunables    0    0    0 : slabdata   4285   4286      0
sock_inode_cache     100    100    832   19    4 : tunables    0    0    0 : slabdata      5      6      0
torn line
`
	got := slabCaches(text, 4096)
	if len(got) != 2 || got["net_namespace"] != 3*8*4096 || got["sock_inode_cache"] != 6*4*4096 {
		t.Errorf("read %v", got)
	}
}

// A machine without room is not filled up.
func TestRoomFor(t *testing.T) {
	if err := roomFor(1, 1000); err != nil {
		t.Errorf("for 1000 bytes: %v", err)
	}
	if err := roomFor(1<<20, 1<<40); !errors.Is(err, ErrNotHere) {
		t.Errorf("for an exabyte: %v", err)
	}
}

// Sizes for which there is no room together are left out, and that is said.
func TestRoomy(t *testing.T) {
	r := NewRun(Tiny, nil)
	if got := r.roomy("things", []int{0, 1, 1 << 50}, 1000); !slices.Equal(got, []int{0, 1}) || len(r.Notes()) != 1 {
		t.Errorf("of a few and too many %v, notes %q", got, r.Notes())
	}
	var free int // bytes for a third of which there is no room, but for a sixth
	for free = 1 << 20; roomFor(free/6, 1) == nil; free += free / 8 {
	}
	r = NewRun(Tiny, nil)
	if got := r.roomy("things", []int{free / 8, free / 8, free / 8}, 1); len(got) != 1 {
		t.Errorf("of three that are too much together %d are left", len(got))
	}
}

// What a family has of routes, rules and ways is that family's.
func TestSubsystemOf(t *testing.T) {
	for file, want := range map[[2]string]string{{"ipv4", "except.go"}: "exceptions", {"ipv6", "except.go"}: "exceptions6", {"ipv4", "ipmr.go"}: "mroutes", {"ipv6", "ip6mr.go"}: "mroutes6",
		{"ipv6", "reasm.go"}: "frags6", {"ipv6", "addr.go"}: "addrs6", {"transport/raw", "raw.go"}: "raw", {"fib", "rule.go"}: "rules", {"netlink", "x.go"}: "netlink"} {
		if got := subsystemOf(file[0], file[1]); got != want {
			t.Errorf("%s/%s is %s's, want %s's", file[0], file[1], got, want)
		}
	}
	for _, w := range []string{"exceptions", "mroutes6", "raw", "frags6"} {
		if !slices.Contains(partNames(), w) {
			t.Errorf("%s is no part", w)
		}
	}
}

// gVisor's arm is built and says what its stacks take.
func TestPeer(t *testing.T) {
	store, err := OpenStore("", false)
	if err != nil {
		t.Fatal(err)
	}
	program, err := NewRun(Quick, store).buildPeer()
	if errors.Is(err, ErrNotHere) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	const stacks = 50
	got, err := weighPeer(program, stacks)
	if err != nil {
		t.Fatal(err)
	}
	if got[memCreated] < 1000 || got[memUp] < got[memCreated] || got[memResident] < got[memUp]/2 {
		t.Errorf("a stack takes %v", got)
	}
}

// Outside a clone, and with no clone where this was built, the reason is told.
func TestPeerSource(t *testing.T) {
	dir, err := peerSource()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir + "/main.go"); err != nil {
		t.Error(err)
	}
	if _, err := peerSourceFrom(t.TempDir()); err == nil {
		t.Error("found in an empty directory")
	}
}

// boxed runs the calling test once more in a sandbox; inside, it returns true.
func boxed(t *testing.T) bool {
	if linux.Inside() {
		return true
	}
	if err := linux.Why(); err != nil {
		t.Skip(err)
	}
	out, err := linux.Command("-test.run=^"+t.Name()+"$", "-test.v").CombinedOutput()
	t.Logf("in a sandbox:\n%s", out)
	if err != nil {
		t.Error(err)
	}
	return false
}

// The kernel's arms measure something wherever there is a sandbox: all of them,
// and with parts that add up.
func TestMemoryKernel(t *testing.T) {
	if !boxed(t) {
		return
	}
	if err := linux.Settle(); err != nil {
		t.Fatal(err)
	}
	store, err := OpenStore("", false)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRun(Tiny, store)
	r.Boxed, r.e = true, memory()
	if err := r.memoryKernel(); err != nil {
		t.Fatal(err)
	}
	d := store.Of(r.e)
	for _, f := range []string{memCreated, memUp, memResident} {
		if _, ok := d.Largest(f, Kernel, kernelSeries); !ok {
			t.Errorf("nothing for %s; %v", f, r.Notes())
		}
	}
	const nets = 60
	caches, err := r.heavyCaches(nets)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.weighKernel(nets, caches)
	if err != nil {
		t.Fatal(err)
	}
	if caches == nil {
		t.Skip("no /proc/slabinfo")
	}
	sum := got[otherCaches] + got["percpu"] + got["vmalloc"]
	for _, c := range caches {
		sum += got[c]
	}
	if d := sum - got[memUp]; d < -1 || d > 1 {
		t.Errorf("the parts come to %.0f bytes, the whole is %.0f", sum, got[memUp])
	}
	// A namespace takes some 200 kB. Others on the computer may give as much back
	// meanwhile, if not each time.
	for try := 0; try < 10 && got[memUp] < 20e3; try++ {
		if got, err = r.weighKernel(nets, caches); err != nil {
			t.Fatal(err)
		}
	}
	if got[memUp] < 20e3 || !slices.ContainsFunc(caches, func(c string) bool { return len(c) > 8 && c[:8] == "kmalloc-" }) {
		t.Errorf("a namespace takes %.0f bytes, in %v", got[memUp], caches)
	}
	var shared, own float64
	for try := 0; try < 10 && own-shared < 16384*16; try++ {
		var err1, err2 error
		shared, err1 = r.weighKernelTable(0, 20)
		own, err2 = r.weighKernelTable(16384, 20)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
	}
	if own-shared < 16384*16 {
		t.Errorf("a namespace takes %.0f bytes with an own table of 16384 buckets, %.0f without", own, shared)
	}
	fmt.Printf("created %.0f, up %.0f, own table +%.0f\n", got[memCreated], got[memUp], own-shared)
}
