package link_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// trunk is a wire to the outside with VLAN 10 in one Net, VLAN 20 in another and
// VLAN 10 of 802.1ad in a third.
type trunk struct {
	m       *machine
	outside *link.Wire
	out     [][]byte
	low     *core.Device
	ten     *core.Device // in red
	twenty  *core.Device // in blue
	ad      *core.Device // in green
}

func newTrunk(m *machine) *trunk {
	m.t.Helper()
	x := &trunk{m: m}
	var err error
	n := m.net("low")
	x.outside, err = m.l.NewWire(n, core.LinkSpec{Name: "eth0"}, func(w *core.Worker, f []byte) {
		x.out = append(x.out, append([]byte(nil), f...))
	})
	m.ok(err)
	x.low = x.outside.Device()
	m.up(x.low)
	add := func(net string, attrs map[string]string) *core.Device {
		d := m.add(m.net(net), "vlan", core.LinkSpec{Name: "v", Lower: x.low, Attrs: attrs})
		m.up(d)
		return d
	}
	x.ten = add("red", map[string]string{"id": "10"})
	x.twenty = add("blue", map[string]string{"id": "20"})
	x.ad = add("green", map[string]string{"id": "10", "protocol": "0x88a8"})
	return x
}

// tagged puts tags in front of a frame's type, the outermost first.
func tagged(frame []byte, tags ...[2]uint16) []byte {
	b := append([]byte(nil), frame[:12]...)
	for _, t := range tags {
		b = append(b, byte(t[0]>>8), byte(t[0]), byte(t[1]>>8), byte(t[1]))
	}
	return append(b, frame[12:]...)
}

func (x *trunk) inject(b []byte) {
	w := x.m.s.Enter()
	x.outside.Inject(w, b)
	w.Leave()
}

func TestVLAN(t *testing.T) {
	const q, ad = wire.EtherTypeVLAN, wire.EtherTypeQinQ
	src := wire.MAC{2, 0xff, 0, 0, 0, 1}
	bothPlacements(t, func(t *testing.T, m *machine) {
		x := newTrunk(m)
		inner := m.add(m.net("inner"), "vlan", core.LinkSpec{Name: "v", Lower: x.ten, Attrs: map[string]string{"id": "7"}})
		m.up(inner)
		for _, c := range []struct {
			what string
			tags [][2]uint16
			want []string
		}{
			{"none", nil, []string{"low/eth0 x"}},
			{"priority", [][2]uint16{{q, 0xe000}}, []string{"low/eth0 x"}},
			{"10", [][2]uint16{{q, 10}}, []string{"red/v x"}},
			{"10 with priority", [][2]uint16{{q, 0xf00a}}, []string{"red/v x"}},
			{"20", [][2]uint16{{q, 20}}, []string{"blue/v x"}},
			{"10 of 802.1ad", [][2]uint16{{ad, 10}}, []string{"green/v x"}},
			{"20 of 802.1ad", [][2]uint16{{ad, 20}}, nil},
			{"30", [][2]uint16{{q, 30}}, nil},
			{"4095", [][2]uint16{{q, 0xfff}}, nil},
			{"10 behind priority", [][2]uint16{{q, 0}, {q, 10}}, []string{"red/v x"}},
			{"30 behind priority", [][2]uint16{{ad, 0}, {q, 30}}, nil},
			{"7 in 10", [][2]uint16{{q, 10}, {q, 7}}, []string{"inner/v x"}},
			{"8 in 10", [][2]uint16{{q, 10}, {q, 8}}, nil},
			{"7 in 20", [][2]uint16{{q, 20}, {q, 7}}, nil},
		} {
			x.inject(tagged(frameOf(wire.BroadcastMAC(), src, "x"), c.tags...))
			m.want(m.run(), c.want...)
		}
		nowhere := x.m.s.Ledger(x.low.Net()).Reasons["VLAN_UNKNOWN"]
		if nowhere != 4 {
			t.Errorf("%d frames were for no VLAN of eth0, want 4", nowhere)
		}
		x.inject(tagged(frameOf(wire.BroadcastMAC(), src, ""), [2]uint16{q, 10})[:16])
		m.want(m.run())
		// What they send has the tag, with the inner one inside.
		for _, c := range []struct {
			d    *core.Device
			tags [][2]uint16
		}{{x.ten, [][2]uint16{{q, 10}}}, {x.ad, [][2]uint16{{ad, 10}}}, {inner, [][2]uint16{{q, 10}, {q, 7}}}} {
			x.out = nil
			m.send(c.d, src, "y")
			want := fmt.Sprint([][]byte{tagged(frameOf(src, c.d.Addr(), "y"), c.tags...)})
			if got := fmt.Sprint(x.out); got != want {
				t.Errorf("sent\n%v, want\n%v", got, want)
			}
		}
	})
}

func TestVLANEnds(t *testing.T) {
	for _, how := range []string{"delete", "move", "net", "own net"} {
		bothPlacements(t, func(t *testing.T, m *machine) {
			x := newTrunk(m)
			m.send(x.ten, wire.BroadcastMAC(), "pending")
			x.inject(tagged(frameOf(wire.BroadcastMAC(), wire.MAC{2, 9}, "pending"), [2]uint16{wire.EtherTypeVLAN, 10}))
			low := x.low.Net()
			switch how {
			case "delete":
				m.ok(m.s.Unregister(x.low))
			case "move":
				m.ok(m.s.Move(x.low, m.sys.Init(), ""))
			case "net":
				m.ok(m.sys.Delete("low"))
				m.sys.Reap()
			case "own net":
				m.ok(m.sys.Delete("red"))
				m.sys.Reap()
			}
			red := 1
			if how == "move" || how == "net" { // the NIC goes home, and they stay with it
				red = 2
				if x.ten.Up() || x.ten.LowerDevice() != x.low || x.low.Net() == low {
					t.Errorf("%s: up %v on %s in %q", how, x.ten.Up(), x.ten.LowerDevice().Name(), x.low.Net().Name())
				}
				m.up(x.low)
				if !x.ten.Up() || !x.ten.Carrier() {
					t.Errorf("%s: it did not come up with the lower device", how)
				}
				x.inject(tagged(frameOf(x.ten.Addr(), wire.MAC{2, 9}, "here"), [2]uint16{wire.EtherTypeVLAN, 10}))
				m.want(m.run(), "red/v here")
			}
			if how != "own net" {
				if k := len(m.s.Devices(x.ten.Net())); k != red {
					t.Errorf("%s: red has %d devices, want %d", how, k, red)
				}
				return
			}
			if k := len(x.low.Uppers()); k != 2 {
				t.Errorf("%d devices stand on eth0, want 2", k)
			}
			m.run()
			x.inject(tagged(frameOf(wire.BroadcastMAC(), wire.MAC{2, 9}, "gone"), [2]uint16{wire.EtherTypeVLAN, 10}))
			m.want(m.run())
			again := m.add(m.net("red2"), "vlan", core.LinkSpec{Name: "v", Lower: x.low, Attrs: map[string]string{"id": "10"}})
			m.up(again)
			x.inject(tagged(frameOf(wire.BroadcastMAC(), wire.MAC{2, 9}, "again"), [2]uint16{wire.EtherTypeVLAN, 10}))
			m.want(m.run(), "red2/v again")
		})
	}
}

func TestVLANRefuses(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		x := newTrunk(m)
		n := x.low.Net()
		id := func(s string) map[string]string { return map[string]string{"id": s} }
		for _, c := range []struct {
			what string
			u    core.LinkSpec
			want error
		}{
			{"nothing", core.LinkSpec{Lower: x.low}, syscall.EINVAL},
			{"no id", core.LinkSpec{Lower: x.low, Attrs: map[string]string{"protocol": "0x8100"}}, syscall.EINVAL},
			{"no lower device", core.LinkSpec{Attrs: id("3")}, syscall.EINVAL},
			{"a bad id", core.LinkSpec{Lower: x.low, Attrs: id("4095")}, syscall.ERANGE},
			{"a bad protocol", core.LinkSpec{Lower: x.low, Attrs: map[string]string{"id": "3", "protocol": "0x86dd"}}, syscall.EPROTONOSUPPORT},
			{"loopback", core.LinkSpec{Lower: m.s.Device(n, "lo"), Attrs: id("3")}, syscall.EOPNOTSUPP},
			{"the same", core.LinkSpec{Lower: x.low, Attrs: id("10")}, syscall.EEXIST},
			{"mtu", core.LinkSpec{Lower: x.low, Attrs: id("3"), MTU: 1501}, syscall.EINVAL},
			{"a taken name", core.LinkSpec{Lower: x.low, Attrs: id("3"), Name: "eth0"}, syscall.EEXIST},
		} {
			if _, err := m.s.Kind("vlan").New(n, c.u); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.what, err, c.want)
			}
		}
		if len(m.s.Devices(n)) != 2 || len(x.low.Uppers()) != 3 {
			t.Error("something was left behind")
		}
		m.s.SetDown(x.low)
		if err := m.s.SetUp(x.ten); !errors.Is(err, syscall.ENETDOWN) {
			t.Errorf("up on a device that is down: %v", err)
		}
	})
}

// VLANs of one number on two devices are two VLANs.
func TestVLANKnowsItsLower(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		x := newTrunk(m)
		a, b := m.veth(m.net("a"), "a", m.net("b"), "b")
		for _, d := range []*core.Device{a, b} {
			v := m.add(d.Net(), "vlan", core.LinkSpec{Name: "v", Lower: d, Attrs: map[string]string{"id": "10"}})
			m.up(v)
		}
		m.send(m.s.Device(a.Net(), "v"), wire.BroadcastMAC(), "a to b")
		m.want(m.run(), "b/v a to b")
		x.inject(tagged(frameOf(wire.BroadcastMAC(), wire.MAC{2, 9}, "to red"), [2]uint16{wire.EtherTypeVLAN, 10}))
		m.want(m.run(), "red/v to red")
	})
}

// What stands on a device must not make a bridge promiscuous for good.
func TestPromiscuityEnds(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n := m.net("n")
		br := m.add(n, "bridge", core.LinkSpec{Name: "br0"})
		m.up(br)
		check := func(what string, want int) {
			t.Helper()
			if k := br.Promiscuity(); k != want {
				t.Errorf("%s: promiscuity %d, want %d", what, k, want)
			}
		}
		v := m.add(n, "vlan", core.LinkSpec{Name: "v", Lower: br, Attrs: map[string]string{"id": "1"}})
		m.up(v)
		check("a VLAN with the bridge's address", 0)
		m.ok(m.s.SetAddr(v, wire.MAC{2, 1}))
		check("its own address", 1)
		a := m.add(n, "macvlan", core.LinkSpec{Name: "a", Lower: v})
		b := m.add(n, "macvlan", core.LinkSpec{Name: "b", Lower: br})
		m.up(a, b)
		check("three addresses", 1)
		m.s.SetFlag(br, core.FlagPromisc, true)
		m.s.SetFlag(br, core.FlagPromisc, true)
		check("and asked for", 2)
		m.s.SetFlag(br, core.FlagPromisc, false)
		m.s.SetDown(b)
		check("one less", 1)
		m.ok(m.s.Unregister(v))
		check("all gone but one that is down", 0)
		m.ok(m.s.Unregister(b))
		if br.Claimed() || len(br.Uppers()) != 0 {
			t.Error("the bridge is still claimed")
		}
		p := m.add(n, "macvlan", core.LinkSpec{Name: "p", Lower: br, Attrs: map[string]string{"mode": "passthru"}})
		m.up(p)
		check("passthru", 1)
		m.ok(m.s.Unregister(p))
		check("without", 0)
	})
}

// FuzzVLANFrame lets any frame arrive at a device with VLANs: none is lost, and
// none reaches a VLAN that its tags do not name.
func FuzzVLANFrame(f *testing.F) {
	plain := frameOf(wire.BroadcastMAC(), wire.MAC{2, 9}, "x")
	f.Add(plain)
	f.Add(tagged(plain, [2]uint16{0x8100, 10}))
	f.Add(tagged(plain, [2]uint16{0x8100, 0}, [2]uint16{0x88a8, 10}))
	f.Add(tagged(plain, [2]uint16{0x8100, 20}, [2]uint16{0x8100, 10})[:16])
	f.Fuzz(func(t *testing.T, b []byte) {
		m := newMachineWith(t, netns.Tagged, netns.Config{Seed: 1}, nil)
		x := newTrunk(m)
		x.inject(b)
		got := m.run()
		want := vlanOracle(b)
		if len(got) > 1 || len(got) == 1 && got[0].net.Name() != want {
			t.Fatalf("%x reached %v, want only %q", b, got, want)
		}
		m.balance()
	})
}

// vlanOracle says in which Net of a trunk a frame may come up.
func vlanOracle(b []byte) string {
	for at := 12; at+4 <= len(b); at += 4 {
		proto, id := int(b[at])<<8|int(b[at+1]), int(b[at+2]&15)<<8|int(b[at+3])
		switch {
		case proto != 0x8100 && proto != 0x88a8:
			return "low"
		case id == 0:
		case proto == 0x8100 && id == 10:
			return "red"
		case proto == 0x8100 && id == 20:
			return "blue"
		case proto == 0x88a8 && id == 10:
			return "green"
		default:
			return ""
		}
	}
	return "low"
}
