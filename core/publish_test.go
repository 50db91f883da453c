package core

import (
	"sync/atomic"
	"testing"

	"nsmodel/netns"
)

// Whoever finds a device of a Net without a lock finds it whole, and in that Net,
// while others make, move and delete it.
func TestDeviceIsFoundWhole(t *testing.T) {
	m := newMachine(t, setup{}) // holds the configuration lock
	a, err := m.sys.NewNet("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.sys.NewNet("b")
	if err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	done := make(chan int)
	go func() {
		found := 0
		defer func() { done <- found }()
		for !over.Load() {
			w := m.s.Enter()
			for _, n := range []*netns.Net{a, b} {
				for _, d := range append(m.s.Devices(n), m.s.Device(n, "x"), m.s.Device(n, "y")) {
					if d == nil {
						continue
					}
					found++
					if p := d.place(); p.name == nil || p.books == nil || p.index == 0 || p.net != n {
						t.Errorf("a device of %s is %+v", n.Name(), p)
						over.Store(true)
					}
				}
			}
			w.Leave()
		}
	}()
	for range 1000 {
		d, err := m.s.Register(a, DeviceSpec{Name: "x"})
		if err == nil {
			err = m.s.Move(d, b, "")
		}
		if err == nil {
			err = m.s.Move(d, a, "y")
		}
		if err == nil {
			err = m.s.Unregister(d)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	over.Store(true)
	t.Logf("%d devices found", <-done)
}
