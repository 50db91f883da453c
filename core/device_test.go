package core

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"nsmodel/core/wire"
)

func TestDeviceNames(t *testing.T) {
	m := newMachine(t, setup{})
	n := m.net("n")
	try := func(name string) (string, error) {
		d, err := m.s.Register(n, DeviceSpec{Name: name, Driver: new(sink)})
		if err != nil {
			return "", err
		}
		return d.Name(), nil
	}
	for _, test := range []struct {
		ask, want string
		err       syscall.Errno
	}{
		{"eth0", "eth0", 0},
		{"eth0", "", syscall.EEXIST},
		{"v%d", "v0", 0},
		{"v%d", "v1", 0},
		{"v3", "v3", 0},
		{"v%d", "v2", 0},
		{"v%d", "v4", 0},
		{"a%dz", "a0z", 0},
		{"", "", syscall.EINVAL},
		{".", "", syscall.EINVAL},
		{"..", "", syscall.EINVAL},
		{"a/b", "", syscall.EINVAL},
		{"a:b", "", syscall.EINVAL},
		{"a b", "", syscall.EINVAL},
		{"a\tb", "", syscall.EINVAL},
		{"%s", "", syscall.EINVAL},
		{"%", "", syscall.EINVAL},
		{"a%d%d", "", syscall.EINVAL},
		{"fifteen-letters", "fifteen-letters", 0},
		{"sixteen--letters", "", syscall.EINVAL},
		{"fourteen-le%d", "fourteen-le0", 0},
	} {
		got, err := try(test.ask)
		if test.err != 0 {
			m.fails(err, test.err)
		} else if m.ok(err); got != test.want {
			t.Errorf("%q became %q, want %q", test.ask, got, test.want)
		}
	}
}

func TestDeviceTemplateRunsOut(t *testing.T) {
	m := newMachine(t, setup{})
	spec := DeviceSpec{Name: "thirteen-abcd%d", Driver: new(sink)} // two digits fit into 15 letters
	for range 100 {
		m.add(m.sys.Init(), spec)
	}
	_, err := m.s.Register(m.sys.Init(), spec)
	m.fails(err, syscall.ENFILE)
}

// Seen on 6.18: an index that somebody chose, or that a device brought along,
// does not move the next one (xa_alloc_cyclic).
func TestDeviceIndexes(t *testing.T) {
	each(t, func(m *machine) {
		n, o := m.net("n"), m.net("o")
		index := func(spec DeviceSpec) int { return m.add(n, spec).Index() }
		lo := m.add(n, DeviceSpec{Name: "lo", Index: 1, Flags: FlagLoopback})
		if lo.Index() != 1 {
			m.Errorf("lo has %d", lo.Index())
		}
		for i, want := range []int{2, 3, 50, 4, 5} {
			spec := DeviceSpec{Name: "e%d"}
			if want == 50 {
				spec.Index = 50
			}
			if got := index(spec); got != want {
				m.Errorf("device %d has index %d, want %d", i, got, want)
			}
		}
		_, err := m.s.Register(n, DeviceSpec{Name: "x", Index: 50, Driver: new(sink)})
		m.fails(err, syscall.EBUSY)
		_, err = m.s.Register(n, DeviceSpec{Name: "x", Index: -1, Driver: new(sink)})
		m.fails(err, syscall.EINVAL)
		if m.s.Device(n, "x") != nil {
			m.Error("a refused device can be found")
		}
		m.ok(m.s.Unregister(m.s.DeviceByIndex(n, 5)))
		if got := index(DeviceSpec{Name: "e%d"}); got != 6 {
			m.Errorf("after a deletion the index is %d, want 6", got)
		}
		six := m.add(o, DeviceSpec{Name: "six", Index: 6})
		seven := m.add(o, DeviceSpec{Name: "seven", Index: 77})
		m.ok(m.s.Move(six, n, ""))
		m.ok(m.s.Move(seven, n, ""))
		if six.Index() != 7 || seven.Index() != 77 {
			m.Errorf("moved devices have %d and %d, want 7 and 77", six.Index(), seven.Index())
		}
		var order []int
		for _, d := range m.s.Devices(n) {
			order = append(order, d.Index())
		}
		if fmt.Sprint(order) != "[1 2 3 4 6 7 50 77]" {
			m.Errorf("devices in the order %v", order)
		}
		// What happens in one Net moves no number in another.
		if d := m.add(o, DeviceSpec{Name: "e%d"}); d.Index() != 1 {
			m.Errorf("the other Net's first index is %d", d.Index())
		}
	})
}

func TestDeviceRefusesBadSettings(t *testing.T) {
	m := newMachine(t, setup{})
	d := m.add(m.sys.Init(), DeviceSpec{Name: "d"})
	for mtu, ok := range map[int]bool{-1: false, 67: false, 68: true, 1500: true, 65535: true, 65536: false} {
		if err := m.s.SetMTU(d, mtu); (err == nil) != ok {
			t.Errorf("mtu %d: %v", mtu, err)
		} else if !ok {
			m.fails(err, syscall.EINVAL)
		}
		_, err := m.s.Register(m.sys.Init(), DeviceSpec{Name: "m%d", MTU: mtu, Driver: new(sink)})
		if (err == nil) != ok {
			t.Errorf("new device with mtu %d: %v", mtu, err)
		}
	}
	m.fails(m.s.SetAddr(d, wire.MAC{1, 2, 3, 4, 5, 6}), syscall.EADDRNOTAVAIL)
	m.fails(m.s.SetAddr(d, wire.MAC{}), syscall.EADDRNOTAVAIL)
	m.ok(m.s.SetAddr(d, wire.MAC{2, 2, 3, 4, 5, 6}))
	_, err := m.s.Register(m.sys.Init(), DeviceSpec{Name: "g", Addr: wire.MAC{1}, Driver: new(sink)})
	m.fails(err, syscall.EADDRNOTAVAIL)
	m.fails(m.s.SetTxQLen(d, -1), syscall.EINVAL)
	m.fails(m.s.SetMaster(d, d), syscall.EOPNOTSUPP)
}

// A drawn address is a unicast, locally administered one, from the Net's own
// stream: a neighbour's devices do not change mine.
func TestDeviceAddressIsTheNetsOwn(t *testing.T) {
	var got [2]wire.MAC
	for i := range got {
		m := newMachine(t, setup{net: netnsConfig(7)})
		if i == 1 {
			m.add(m.net("neighbour"), DeviceSpec{Name: "x"})
		}
		d := m.add(m.net("mine"), DeviceSpec{Name: "d"})
		got[i] = d.Addr()
		if got[i].IsMulticast() || got[i][0]&2 == 0 {
			t.Errorf("drew %v", got[i])
		}
	}
	if got[0] != got[1] {
		t.Errorf("with a neighbour %v, without %v", got[1], got[0])
	}
}

func TestDeviceRename(t *testing.T) {
	each(t, func(m *machine) {
		n := m.net("n")
		a, b := m.add(n, DeviceSpec{Name: "a"}), m.add(n, DeviceSpec{Name: "b"})
		m.tail()
		m.fails(m.s.Rename(a, "b"), syscall.EEXIST)
		m.fails(m.s.Rename(a, "x/y"), syscall.EINVAL)
		m.ok(m.s.Rename(a, "a"))
		m.want(m.tail())
		m.ok(m.s.SetUp(a))
		m.ok(m.s.Rename(a, "c")) // up: allowed since 6.2
		m.ok(m.s.Rename(b, "a"))
		m.want(m.tail(), "n/a NETDEV_UP", "n/c NETDEV_CHANGENAME", "n/a NETDEV_CHANGENAME")
		if m.s.Device(n, "c") != a || m.s.Device(n, "a") != b || m.s.Device(n, "b") != nil {
			m.Error("names lead to the wrong devices")
		}
		m.ok(m.s.Rename(a, "t%d"))
		if a.Name() != "t0" {
			m.Errorf("name %s", a.Name())
		}
	})
}

func TestDeviceEvents(t *testing.T) {
	each(t, func(m *machine) {
		n := m.net("n")
		d := m.add(n, DeviceSpec{Name: "d"})
		m.ok(m.s.SetUp(d))
		m.ok(m.s.SetUp(d))
		m.s.SetCarrier(d, true)
		if d.Flags()&(FlagUp|FlagRunning|FlagLowerUp) != FlagUp|FlagRunning|FlagLowerUp {
			m.Errorf("flags %#x", d.Flags())
		}
		m.ok(m.s.SetMTU(d, 1400))
		m.ok(m.s.SetMTU(d, 1400))
		m.ok(m.s.SetAddr(d, macA))
		m.s.SetDown(d)
		m.s.SetDown(d)
		if d.Flags()&(FlagUp|FlagRunning|FlagLowerUp) != 0 {
			m.Errorf("flags %#x", d.Flags())
		}
		m.s.SetCarrier(d, false) // down: nobody hears of it
		m.ok(m.s.SetUp(d))
		m.ok(m.s.Unregister(d))
		m.want(m.tail(), "n/d NETDEV_REGISTER", "n/d NETDEV_UP", "n/d NETDEV_CHANGE", "n/d NETDEV_CHANGEMTU", "n/d NETDEV_CHANGEADDR",
			"n/d NETDEV_GOING_DOWN", "n/d NETDEV_DOWN", "n/d NETDEV_UP",
			"n/d NETDEV_GOING_DOWN", "n/d NETDEV_DOWN", "n/d NETDEV_UNREGISTER")
		if d.Listed() || len(m.s.Devices(n)) != 0 {
			m.Error("the device can still be found")
		}
	})
}

func TestLoopbackStays(t *testing.T) {
	m := newMachine(t, setup{})
	n, o := m.net("n"), m.net("o")
	lo := m.add(n, DeviceSpec{Name: "lo", Index: 1, Flags: FlagLoopback, NetLocal: true, MTU: 65536, Driver: loopDriver{}})
	m.fails(m.s.Unregister(lo), syscall.EOPNOTSUPP)
	m.fails(m.s.Move(lo, o, ""), syscall.EINVAL)
	fixed := m.add(n, DeviceSpec{Name: "fixed", NetLocal: true})
	m.fails(m.s.Move(fixed, o, ""), syscall.EINVAL)
	if lo.Net() != n || !lo.Listed() || !lo.Addr().IsZero() {
		t.Error("a refused move changed lo")
	}
}

func TestTaps(t *testing.T) {
	each(t, func(m *machine) {
		n, o := m.net("n"), m.net("o")
		a, b := m.pair(n, "a", n, "b")
		var seen []string
		tap := func(_ *Worker, d *Device, p *Packet, out bool) {
			seen = append(seen, fmt.Sprintf("%s %v %s", d.Name(), out, strings.TrimSpace(string(wire.Ethernet(p.Bytes()).Payload()))))
		}
		endA, endB := a.AddTap(tap), b.AddTap(tap)
		m.send(a, "1")
		m.run()
		endA()
		m.send(a, "2")
		m.run()
		m.want(seen, "a true 1", "b false 1", "b false 2")
		// A tap is the old Net's: it does not follow the device into another.
		m.ok(m.s.Move(b, o, ""))
		m.ok(m.s.SetUp(b))
		m.send(a, "3")
		m.want(m.run(), "o/b 3")
		if len(seen) != 3 {
			m.Errorf("a tap of the old Net saw %q", seen[3:])
		}
		endB()
	})
}
