package core

import (
	"fmt"
	"syscall"
	"testing"

	"nsmodel/core/wire"
)

// filterEnd is a driver that filters.
type filterEnd struct {
	pairEnd
	told string
}

func (f *filterEnd) SetGroups(_ *Device, list []HardwareGroup, all bool) {
	f.told = fmt.Sprint(len(list), all)
}

func TestGroups(t *testing.T) {
	each(t, func(m *machine) {
		n, o := m.net("n"), m.net("o")
		f, g := new(filterEnd), new(filterEnd)
		d := m.add(n, DeviceSpec{Name: "d", Driver: f})
		e := m.add(o, DeviceSpec{Name: "e", Driver: g})
		a, b := wire.MulticastMAC([4]byte{224, 0, 0, 1}), wire.MulticastMAC([4]byte{239, 1, 1, 1})
		show := func(d *Device, want string) {
			m.Helper()
			if got := fmt.Sprint(d.Groups()); got != want {
				m.Errorf("%s listens to %s, want %s", d.Name(), got, want)
			}
		}
		d.AddGroup(a)
		if f.told != "" {
			m.Error("a driver whose device is down was told")
		}
		m.ok(m.s.SetUp(d))
		if f.told != "1 false" {
			m.Errorf("at up the driver was told %q", f.told)
		}
		m.ok(m.s.SetUp(e))
		e.AddGroup(a)
		d.AddGroup(a)
		d.AddGroup(b)
		show(d, "[{01:00:5e:00:00:01 2 false} {01:00:5e:01:01:01 1 false}]")
		show(e, "[{01:00:5e:00:00:01 1 false}]")
		if f.told != "2 false" || g.told != "1 false" {
			m.Errorf("told %q and %q", f.told, g.told)
		}
		m.s.SetFlag(d, FlagAllMulti, true)
		if f.told != "2 true" {
			m.Errorf("with allmulti: %q", f.told)
		}
		m.ok(d.DelGroup(a))
		m.ok(d.DelGroup(b))
		m.fails(d.DelGroup(b), syscall.ENOENT)
		m.ok(d.SetGroup(b, true))
		m.ok(d.SetGroup(b, true))
		m.ok(d.SetGroup(a, true))
		show(d, "[{01:00:5e:00:00:01 2 true} {01:00:5e:01:01:01 1 true}]")
		m.ok(d.SetGroup(a, false))
		m.fails(d.SetGroup(a, false), syscall.ENOENT)
		m.ok(d.SetGroup(b, false))
		m.fails(d.SetGroup(b, false), syscall.ENOENT)
		show(d, "[{01:00:5e:00:00:01 1 false}]")
		m.ok(d.SetGroup(b, true))
		m.ok(m.s.Move(d, o, ""))
		show(d, "[]")
		show(e, "[{01:00:5e:00:00:01 1 false}]")
	})
}
