package link_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/link/afpacket"
	"nsmodel/core/link/tun"
	"nsmodel/core/wire"
	"nsmodel/internal/rtnl"
	"nsmodel/netns"
)

// kernelTap is a model's tap device, and the kernel's interface at the other end of
// its wire, in the test's own namespace.
type kernelTap struct {
	m    *machine
	conn *rtnl.Conn
	name string
	d    *core.Device
	raw  *afpacket.Socket
}

func newKernelTap(m *machine, n *netns.Net) *kernelTap {
	m.t.Helper()
	if noNamespace != "" {
		m.t.Skip(noNamespace)
	}
	if _, err := os.Stat(tun.Device); err != nil {
		m.t.Skipf("no taps here: %v", err)
	}
	c := &kernelTap{m: m, name: fmt.Sprint("ktap", number.Add(1))}
	var err error
	c.conn, err = rtnl.Dial()
	m.ok(err)
	m.t.Cleanup(func() { c.conn.Close() })
	c.d, err = m.s.Kind("tap").New(n, core.LinkSpec{Name: "t0", Attrs: map[string]string{"dev": c.name}})
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		m.t.Skipf("no taps here: %v", err)
	}
	m.ok(err)
	m.t.Cleanup(func() {
		if c.d.Listed() {
			m.s.Unregister(c.d)
		}
	})
	m.up(c.d)
	m.ok(c.conn.SetUp(c.name))
	m.until("a carrier", c.d.Carrier)
	c.raw, err = afpacket.Open(afpacket.Config{Interface: c.name, Promisc: true})
	m.ok(err)
	m.t.Cleanup(func() { c.raw.Close() })
	return c
}

func TestTap(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n := m.net("n")
		c := newKernelTap(m, n)
		if !c.d.Real() || c.d.MTU() != 1500 || c.d.Kind().Show(c.d)[0] != [2]string{"dev", c.name} {
			t.Errorf("%s mtu %d real %v", c.d.Name(), c.d.MTU(), c.d.Real())
		}
		write(t, c.raw, frameOf(wire.BroadcastMAC(), wire.MAC{2, 9}, "in"), frameOf(c.d.Addr(), wire.MAC{2, 9}, "mine"))
		m.until("frames from the kernel", func() bool { return len(m.got) == 2 })
		if got := fmt.Sprint(m.tags()); got != "[n/t0 in n/t0 mine]" {
			t.Error(got)
		}
		var out []afpacket.Frame
		m.send(c.d, wire.BroadcastMAC(), "out")
		m.until("a frame to the kernel", farGot(c.raw, &out))
		if string(out[0].Data[14:17]) != "out" {
			t.Errorf("%x at the kernel's end", out[0].Data)
		}
		// A VLAN device over it: the tag is on the wire in both directions.
		v := m.add(m.net("v"), "vlan", core.LinkSpec{Name: "v", Lower: c.d, Attrs: map[string]string{"id": "10"}})
		m.up(v)
		out = nil
		m.send(v, wire.BroadcastMAC(), "tagged")
		m.until("a tagged frame to the kernel", farGot(c.raw, &out))
		if !out[0].Tagged || out[0].TCI != 10 || out[0].TPID != wire.EtherTypeVLAN || string(out[0].Data[14:20]) != "tagged" {
			t.Errorf("at the kernel's end: tagged %v, TCI %d, %x", out[0].Tagged, out[0].TCI, out[0].Data)
		}
		write(t, c.raw, tagged(frameOf(wire.BroadcastMAC(), wire.MAC{2, 9}, "back"), [2]uint16{wire.EtherTypeVLAN, 10}))
		m.until("a tagged frame from the kernel", func() bool { return len(m.got) == 1 })
		if got := fmt.Sprint(m.tags()); got != "[v/v back]" {
			t.Error(got)
		}
		m.ok(c.conn.SetDown(c.name))
		m.until("the carrier's end", func() bool { return !c.d.Carrier() })
		m.send(c.d, wire.BroadcastMAC(), "lost")
		m.ok(c.conn.SetUp(c.name))
		m.until("the carrier again", c.d.Carrier)
		m.s.SetDown(c.d)
		m.ok(m.s.Unregister(c.d))
		if _, err := c.conn.Index(c.name); !errors.Is(err, syscall.ENODEV) {
			t.Errorf("the kernel's interface has stayed: %v", err)
		}
		m.run()
	})
}

func TestTapGoesHome(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		c := newKernelTap(m, m.net("n"))
		m.ok(m.sys.Delete("n"))
		m.sys.Reap()
		if c.d.Net() != m.sys.Init() || c.d.Up() {
			t.Errorf("in %q, up %v", c.d.Net().Name(), c.d.Up())
		}
		m.up(c.d)
		m.until("a carrier", c.d.Carrier)
		write(t, c.raw, frameOf(wire.BroadcastMAC(), wire.MAC{2, 9}, "home"))
		m.until("a frame", func() bool { return len(m.got) == 1 })
		m.tags()
	})
}

func TestTapRefuses(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		n := m.net("n")
		c := newKernelTap(m, n)
		for _, x := range []struct {
			what  string
			attrs map[string]string
			want  error
		}{
			{"no dev", nil, syscall.EINVAL},
			{"colour", map[string]string{"dev": "ktapx", "colour": "1"}, syscall.EINVAL},
			{"a name too long", map[string]string{"dev": "a-name-that-is-too-long"}, syscall.EINVAL},
			{"not a tap", map[string]string{"dev": "lo"}, syscall.EINVAL},
			{"taken", map[string]string{"dev": c.name}, syscall.EBUSY},
		} {
			if _, err := m.s.Kind("tap").New(n, core.LinkSpec{Attrs: x.attrs}); !errors.Is(err, x.want) {
				t.Errorf("%s: %v, want %v", x.what, err, x.want)
			}
		}
		if _, err := m.s.Kind("tap").New(n, core.LinkSpec{Name: "t0", Attrs: map[string]string{"dev": "ktapy"}}); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("a taken name: %v", err)
		}
		if _, err := c.conn.Index("ktapy"); !errors.Is(err, syscall.ENODEV) {
			t.Error("what was refused has left the kernel's interface behind")
		}
	})
}
