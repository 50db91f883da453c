package ipv4

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"nsmodel/core"
	"nsmodel/fib"
)

// Of hundreds of devices, more than a table tells apart at a glance, each takes its
// own routes along and no other's when it goes down, moves or ends, and an address
// those that prefer it.
func TestRoutesOfManyDevices(t *testing.T) {
	for _, place := range placements {
		t.Run(place.String(), func(t *testing.T) {
			m := newMachine(t, place)
			n, other := m.net("n"), m.net("other")
			rng := rand.New(rand.NewPCG(1, 2))
			const count = 300
			var devs []*core.Device
			want := map[netip.Prefix]*core.Device{}
			for i := range count {
				own := fmt.Sprintf("10.%d.%d.1/24", 100+i/256, i%256)
				d := m.device(n, fmt.Sprint("d", i), &tapDriver{}, byte(i), own)
				devs = append(devs, d)
				for range 3 {
					dst := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(rng.Uint32() % 4), byte(rng.Uint32()), byte(rng.Uint32())}), 32)
					if want[dst] != nil {
						continue
					}
					r := fib.Route{Dst: dst, Scope: fib.Link, NextHops: []fib.NextHop{{Dev: d}}}
					if rng.IntN(2) == 0 {
						r.Src = netip.MustParsePrefix(own).Addr()
					}
					m.route(n, r)
					want[dst] = d
				}
			}
			there := func(step string) {
				t.Helper()
				got := 0
				for r := range m.in.FIB.Routes(n, fib.TableMain) {
					if r.Dst.Addr().As4()[0] != 20 {
						continue
					}
					if got++; want[r.Dst] != r.NextHops[0].Dev {
						t.Fatalf("%s: %v by %s is there", step, r.Dst, r.NextHops[0].Dev.Name())
					}
				}
				if got != len(want) {
					t.Fatalf("%s: %d routes are left, want %d", step, got, len(want))
				}
			}
			there("all")
			m.sys.Lock()
			defer m.sys.Unlock()
			for k, i := range rng.Perm(count)[:200] {
				d, step := devs[i], fmt.Sprint(k, ": ", devs[i].Name())
				gone := func(r fib.Route) bool { return true }
				switch k % 4 {
				case 0:
					m.check(m.core.Move(d, other, ""))
				case 1:
					m.core.SetDown(d)
				case 2:
					m.check(m.core.Unregister(d))
				case 3: // an address goes, of which another is left: no route over the device goes with it but by its source
					src := m.in.devs.Of(d).Addrs()[0].Local
					m.addr(d, "30.0.0.1/24")
					m.check(m.in.DelAddr(d, Gone{Local: src}))
					gone = func(r fib.Route) bool { return r.Src == src }
				}
				left := map[netip.Prefix]bool{}
				for r := range m.in.FIB.Routes(n, fib.TableMain) {
					if r.NextHops[0].Dev == d && gone(r) {
						t.Fatalf("%s: %v is left", step, r.Dst)
					}
					left[r.Dst] = true
				}
				for dst, by := range want {
					if by == d && !left[dst] {
						delete(want, dst)
					}
				}
				there(step)
			}
			if mine := len(m.core.Devices(other)); mine != 51 {
				t.Errorf("%d devices in the other Net, want its lo and 50", mine)
			}
		})
	}
}
