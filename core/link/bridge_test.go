package link_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/wire"
)

// bridged makes a Net "br" with bridge br0 and k ports p0.., whose far ends e0
// are in Nets h0...
func bridged(m *machine, k int) (br *core.Device, ports, ends []*core.Device) {
	m.t.Helper()
	n := m.net("br")
	br = m.add(n, "bridge", core.LinkSpec{Name: "br0"})
	for i := range k {
		p, e := m.veth(n, fmt.Sprintf("p%d", i), m.net(fmt.Sprintf("h%d", i)), "e0")
		m.ok(m.s.SetMaster(p, br))
		ports, ends = append(ports, p), append(ends, e)
	}
	m.up(br)
	return br, ports, ends
}

// frameOf builds a test frame.
func frameOf(dst, src wire.MAC, tag string) []byte {
	b := make([]byte, wire.EthernetLen+len(tag))
	wire.PutEthernet(b, dst, src, testType)
	copy(b[wire.EthernetLen:], tag)
	return b
}

func TestBridgeLearnsAndFloods(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		br, _, e := bridged(m, 3)
		if br.Name() != "br0" || br.Flags()&core.FlagRunning == 0 {
			t.Fatalf("bridge flags %#x", br.Flags())
		}
		m.send(e[0], e[1].Addr(), "unknown")
		m.want(m.run(), "h1/e0 unknown")
		if got := m.s.Ledger(e[2].Net()).Reasons["OTHERHOST"]; got != 1 {
			t.Errorf("unknown unicast reached h2 %d times", got)
		}
		m.send(e[1], e[0].Addr(), "learned")
		m.want(m.run(), "h0/e0 learned")
		if got := m.s.Ledger(e[2].Net()).In; got != 1 {
			t.Errorf("known unicast was flooded: %d", got)
		}
		m.send(e[2], wire.BroadcastMAC(), "all")
		m.want(m.run(), "br/br0 all", "h0/e0 all", "h1/e0 all")
		m.send(e[2], wire.MAC{1, 0, 0x5e, 0, 0, 1}, "group")
		m.want(m.run(), "br/br0 group", "h0/e0 group", "h1/e0 group")
		m.send(e[0], br.Addr(), "bridge")
		m.want(m.run(), "br/br0 bridge")
		m.send(br, e[2].Addr(), "down")
		m.want(m.run(), "h2/e0 down")
		m.send(br, wire.BroadcastMAC(), "down all")
		m.want(m.run(), "h0/e0 down all", "h1/e0 down all", "h2/e0 down all")
		m.frame(e[0], frameOf(e[0].Addr(), wire.MAC{2, 7, 7, 7, 7, 7}, "to its own port"))
		m.want(m.run())
		if got := m.s.Ledger(br.Net()).Reasons["BRIDGE_INGRESS_PORT"]; got != 1 {
			t.Errorf("hairpin: %v", m.s.Ledger(br.Net()))
		}
	})
}

func TestBridgeReservedAddresses(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		_, _, e := bridged(m, 2)
		for i := range byte(16) {
			m.send(e[0], wire.MAC{0x01, 0x80, 0xc2, 0, 0, i}, fmt.Sprint(i))
		}
		got := m.run()
		var lines []string
		for i := 2; i < 16; i++ {
			lines = append(lines, fmt.Sprintf("br/p0 %d", i))
		}
		// 0 passes while no STP is spoken, as in Linux; 1 dies; the rest is the port's.
		var ports []seen
		for _, g := range got {
			if g.tag == "0" {
				if g.dev == "p0" {
					t.Error("BPDU was the port's")
				}
				continue
			}
			ports = append(ports, g)
		}
		m.want(ports, lines...)
	})
}

func TestBridgeAgeing(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		br, p, e := bridged(m, 3)
		dump := func() (out []string) {
			list, err := m.l.FDB(br)
			m.ok(err)
			for _, f := range list {
				if f.State != link.FDBPermanent {
					out = append(out, fmt.Sprint(f.Addr, " ", f.Dev.Name(), " ", f.State, " ", f.Age))
				}
			}
			return out
		}
		same := func(want ...string) {
			t.Helper()
			if got := dump(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("fdb %q, want %q", got, want)
			}
		}
		a := e[0].Addr().String()
		m.send(e[0], br.Addr(), "x")
		m.run()
		m.after(299 * time.Second)
		same(a + " p0  4m59s")
		m.send(e[0], br.Addr(), "x")
		m.run()
		m.after(299 * time.Second)
		same(a + " p0  4m59s")
		m.after(time.Second)
		same()
		if _, ok := m.sys.NextTimer(); ok {
			t.Error("a timer runs for an empty table")
		}
		static := wire.MAC{2, 5, 5, 5, 5, 5}
		m.ok(m.l.AddFDB(p[1], static, link.FDBStatic, false))
		if err := m.l.AddFDB(p[2], static, link.FDBStatic, false); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("add twice: %v", err)
		}
		m.after(time.Hour)
		same(static.String() + " p1 static 1h0m0s")
		m.frame(e[0], frameOf(static, e[0].Addr(), "static"))
		m.run()
		if in := m.s.Ledger(e[2].Net()).In; in != 0 {
			t.Errorf("a frame for a static entry was flooded: %d", in)
		}
		m.ok(br.Kind().Change(br, map[string]string{"ageing_time": "100"}))
		m.after(time.Second)
		same(static.String() + " p1 static 1h0m1s")
		m.ok(br.Kind().Change(br, map[string]string{"ageing_time": "0"}))
		m.send(e[0], br.Addr(), "x")
		m.run()
		same(static.String() + " p1 static 1h0m1s")
		if err := m.l.DelFDB(p[2], static); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("delete from the wrong port: %v", err)
		}
		m.ok(m.l.DelFDB(p[1], static))
		same()
	})
}

func TestBridgeLimitIsItsOwn(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		br, _, e := bridged(m, 2)
		m.ok(br.Kind().Change(br, map[string]string{"fdb_max_learned": "3"}))
		for i := range byte(10) {
			m.frame(e[0], frameOf(br.Addr(), wire.MAC{2, 1, 1, 1, 1, i}, "x"))
		}
		m.run()
		learned := func() string {
			for _, kv := range br.Kind().Show(br) {
				if kv[0] == "fdb_n_learned" {
					return kv[1]
				}
			}
			return "?"
		}
		if learned() != "3" {
			t.Errorf("%s learned", learned())
		}
		m.after(300 * time.Second)
		if learned() != "0" {
			t.Errorf("%s learned after ageing", learned())
		}
		m.send(e[0], br.Addr(), "x")
		m.run()
		if learned() != "1" {
			t.Errorf("%s learned", learned())
		}
		m.s.SetDown(e[0]) // the port loses its carrier
		if learned() != "0" {
			t.Errorf("%s learned behind a port without carrier", learned())
		}
	})
}

func TestBridgeFollowsPorts(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n := m.net("n")
		br := m.add(n, "bridge", core.LinkSpec{Name: "br0"})
		m.up(br)
		if !br.Carrier() { // as in Linux: nothing has asked for the ports' state yet
			t.Error("no carrier before there were ports")
		}
		hi, _ := m.veth(n, "hi", n, "hi1")
		lo, _ := m.veth(n, "low", n, "low1")
		m.ok(m.s.SetAddr(hi, wire.MAC{0x0a, 0, 0, 0, 0, 9}))
		m.ok(m.s.SetAddr(lo, wire.MAC{0x02, 0, 0, 0, 0, 1}))
		m.ok(m.s.SetMaster(hi, br))
		if !br.Carrier() || br.Addr() != hi.Addr() {
			t.Errorf("carrier %v, address %v", br.Carrier(), br.Addr())
		}
		m.ok(m.s.SetMaster(lo, br))
		if br.Addr() != lo.Addr() {
			t.Errorf("address %v, lowest is %v", br.Addr(), lo.Addr())
		}
		m.ok(m.s.SetMTU(hi, 1200))
		m.ok(m.s.SetMTU(lo, 9000))
		if br.MTU() != 1200 {
			t.Errorf("mtu %d", br.MTU())
		}
		m.ok(m.s.SetMaster(hi, nil))
		if br.MTU() != 9000 {
			t.Errorf("mtu %d", br.MTU())
		}
		m.ok(m.s.SetMTU(br, 1000))
		m.ok(m.s.SetMTU(lo, 8000))
		if br.MTU() != 1000 {
			t.Errorf("a chosen mtu became %d", br.MTU())
		}
		m.ok(m.s.SetAddr(br, wire.MAC{0x06, 0, 0, 0, 0, 6}))
		m.ok(m.s.SetMaster(hi, br))
		if br.Addr() != (wire.MAC{0x06, 0, 0, 0, 0, 6}) {
			t.Errorf("a chosen address became %v", br.Addr())
		}
		m.s.SetDown(lo)
		m.s.SetDown(hi)
		if br.Carrier() {
			t.Error("carrier with all ports down")
		}
	})
}

func TestBridgeRefuses(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n, other := m.net("n"), m.net("other")
		br := m.add(n, "bridge", core.LinkSpec{Name: "br0"})
		br1 := m.add(n, "bridge", core.LinkSpec{Name: "br1"})
		a, b := m.veth(n, "a", other, "b")
		pt := m.add(n, "passthrough", core.LinkSpec{Name: "pt0", Lower: br})
		pt2 := m.add(n, "passthrough", core.LinkSpec{Name: "pt1", Lower: a})
		for _, c := range []struct {
			what      string
			d, master *core.Device
			want      error
		}{
			{"loopback", m.s.Device(n, "lo"), br, syscall.EINVAL},
			{"bridge", br1, br, syscall.ELOOP},
			{"itself", br, br, syscall.ELOOP},
			{"another Net", b, br, syscall.EINVAL},
			{"no master", a, b, syscall.EOPNOTSUPP},
			{"what stands on it", pt, br, syscall.EBUSY},
			{"a lower device", a, br, syscall.EBUSY},
		} {
			if err := m.s.SetMaster(c.d, c.master); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.what, err, c.want)
			}
		}
		m.ok(m.s.Unregister(pt2))
		m.ok(m.s.SetMaster(a, br))
		if _, err := m.s.Kind("passthrough").New(n, core.LinkSpec{Lower: a}); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("passthrough on a port: %v", err)
		}
		m.ok(m.s.SetMaster(pt, br1)) // frames then go br1 -> pt -> br0 -> a
		pt3 := m.add(n, "passthrough", core.LinkSpec{Name: "pt3", Lower: br1})
		if err := m.s.SetMaster(pt3, br); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("a ring of bridges: %v", err)
		}
		if err := m.s.Move(br, other, ""); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("move a bridge: %v", err)
		}
		for _, attrs := range []map[string]string{{"stp_state": "1"}, {"ageing_time": "x"}, {"colour": "3"}} {
			if err := br.Kind().Change(br, attrs); err == nil {
				t.Errorf("%v was taken", attrs)
			}
		}
		// Of two mistakes the same one is told each time, or a seed would not repeat.
		for range 64 {
			err := br.Kind().Change(br, map[string]string{"ageing_time": "x", "stp_state": "1"})
			if !errors.Is(err, syscall.EINVAL) {
				t.Fatalf("two mistakes: %v, want that of ageing_time", err)
			}
		}
	})
}
