package link_test

import (
	"errors"
	"syscall"
	"testing"

	"nsmodel/core"
	"nsmodel/core/wire"
)

func TestLoopback(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		a, b := m.net("a"), m.net("b")
		lo := m.s.Device(a, "lo")
		if lo == nil || lo.Index() != 1 || lo.MTU() != 65536 || lo.Hardware() != 772 || lo.Up() {
			t.Fatalf("lo of a new Net: %+v", lo)
		}
		if lo == m.s.Device(b, "lo") || m.s.Device(m.sys.Init(), "lo") == nil {
			t.Error("a Net lacks a loopback device of its own")
		}
		if lo.Flags() != core.FlagLoopback {
			t.Errorf("flags %#x", lo.Flags())
		}
		m.send(lo, wire.MAC{}, "down")
		m.up(lo)
		m.send(lo, wire.MAC{}, "up")
		m.want(m.run(), "a/lo up")
		if err := m.s.Unregister(lo); !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Errorf("delete: %v", err)
		}
		if err := m.s.Move(lo, b, "lo1"); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("move: %v", err)
		}
		if got := m.s.Ledger(a).Reasons["DEV_READY"]; got != 1 {
			t.Errorf("%v", m.s.Ledger(a))
		}
		m.ok(m.sys.Delete("a"))
		m.sys.Reap()
		if lo.Up() || m.s.Device(a, "lo") != nil {
			t.Error("lo outlived its Net")
		}
	})
}
