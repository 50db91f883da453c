package ipv4_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/netns"
)

// oracle keeps addresses as dumbly as can be: in the order of their coming.
type oracle struct{ held []netip.Prefix }

func (o *oracle) primary(i int) int {
	for j := range o.held[:i] {
		if o.held[j].Masked() == o.held[i].Masked() {
			return j
		}
	}
	return i
}

// routes are those that the addresses stand for, each once.
func (o *oracle) routes() []string {
	set := map[string]bool{}
	for i, p := range o.held {
		src := o.held[o.primary(i)].Addr()
		set[fmt.Sprintf("local %v dev v0 table local proto kernel scope host src %v", p.Addr(), src)] = true
		if src != p.Addr() || p.Bits() == 32 {
			continue
		}
		set[fmt.Sprintf("%v dev v0 proto kernel scope link src %v", p.Masked(), src)] = true
		if p.Bits() < 31 {
			set[fmt.Sprintf("broadcast %v dev v0 table local proto kernel scope link src %v", last(p), src)] = true
		}
	}
	var all []string
	for s := range set {
		all = append(all, s)
	}
	sort.Strings(all)
	return all
}

func (o *oracle) del(i int, promote bool) {
	gone := o.held[i]
	first := o.primary(i) == i
	o.held = slices.Delete(o.held, i, i+1)
	if first && !promote {
		o.held = slices.DeleteFunc(o.held, func(p netip.Prefix) bool { return p.Masked() == gone.Masked() })
	}
}

// Whatever addresses come and go, the routes are those that the ones that are
// there stand for; and another Net with the same addresses sees nothing of it.
func TestAddressLaw(t *testing.T) {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		for _, promote := range []bool{false, true} {
			t.Run(fmt.Sprintf("place=%v/promote=%v", place, promote), func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) {
					h := newHouse(t, place, nsmodel.Config{Seed: 1, Collide: rapid.Bool().Draw(rt, "collide")})
					n, other := h.net("a"), h.net("b")
					for _, n := range []*nsNet{n, other} {
						h.veth(n, "v0", n, "v1")
						h.up(n, "v0", true)
						h.up(n, "v1", true)
					}
					h.addr(other, "v0", "10.0.0.1/24")
					want := h.routes(other)
					if promote {
						h.set(n, "net.ipv4.conf.v0.promote_secondaries", "1")
					}
					var o oracle
					for range rapid.IntRange(1, 25).Draw(rt, "steps") {
						// Hosts differ between the subnets, so that no address
						// comes twice with different lengths.
						sub, host := rapid.IntRange(0, 3).Draw(rt, "subnet"), rapid.IntRange(1, 6).Draw(rt, "host")
						p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(sub), byte(host)}), []int{24, 31, 32, 30}[sub])
						i := slices.Index(o.held, p)
						switch {
						case i < 0 && rapid.Bool().Draw(rt, "add"):
							h.addr(n, "v0", p.String())
							o.held = append(o.held, p)
						case i >= 0:
							h.delAddr(n, "v0", p.String())
							o.del(i, promote)
						case rapid.IntRange(0, 5).Draw(rt, "bounce") == 0:
							h.up(n, "v0", false)
							h.up(n, "v0", true)
						}
						got := h.routes(n)
						sort.Strings(got)
						if want := o.routes(); !slices.Equal(got, want) {
							rt.Fatalf("addresses %v:\n  %s\nwant\n  %s", o.held, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
						}
						for _, p := range o.held {
							if d := h.IPv4.LocalDevice(n, p.Addr().As4()); d == nil || d.Net() != n {
								rt.Fatalf("%v is nowhere", p)
							}
						}
					}
					if got := h.routes(other); !slices.Equal(got, want) {
						rt.Fatalf("the other Net's routes: %v", got)
					}
				})
			})
		}
	}
}

// Nothing of a dead Net remains, and what comes after it finds a clean house.
func TestNothingRemains(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		h.veth(n, "v0", n, "v1")
		for _, d := range []string{"lo", "v0", "v1"} {
			h.up(n, d, true)
		}
		h.addr(n, "v0", "10.0.0.1/24")
		h.set(n, "net.ipv4.ip_forward", "1")
		n.HoldMemory()
		defer n.PutMemory()
		if err := h.DeleteNet("a"); err != nil {
			t.Fatal(err)
		}
		if d := h.IPv4.LocalDevice(n, [4]byte{10, 0, 0, 1}); d != nil || len(h.routes(n)) != 0 || h.get(n, "net.ipv4.ip_forward") != "0" {
			t.Errorf("left: %v %v", d, h.routes(n))
		}
		again := h.net("a")
		if h.get(again, "net.ipv4.ip_forward") != "0" || len(h.routes(again)) != 0 {
			t.Error("the new one is not clean")
		}
	})
}

// What an idle Net costs, printed: `go test -run IdleCost -v ./ipv4`.
func TestIdleCost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes memory")
	}
	const nets = 10000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	h := newHouse(t, netns.Default, nsmodel.Config{})
	base := heap()
	for i := range nets {
		h.net(fmt.Sprint("n", i))
	}
	created := heap()
	h.Sys.Lock()
	for n := range h.Sys.Nets() {
		if err := h.Core.SetUp(h.Core.Device(n, "lo")); err != nil {
			t.Fatal(err)
		}
	}
	h.Sys.Unlock()
	up := heap()
	a, b := float64(created-base)/nets, float64(up-created)/nets
	t.Logf("a Net: %.0f bytes as created (all subsystems), %.0f more with loopback up", a, b)
	if b > 2048 {
		t.Errorf("loopback up costs %.0f bytes", b)
	}
	runtime.KeepAlive(h)
}

func BenchmarkCreateDestroy(b *testing.B) {
	h := newHouse(b, netns.Default, nsmodel.Config{})
	h.Sys.Lock()
	defer h.Sys.Unlock()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := h.Sys.NewNet("n"); err != nil {
			b.Fatal(err)
		}
		h.Sys.Delete("n")
		if i%64 == 0 {
			h.Sys.Reap()
		}
	}
}
