package bench

import (
	"errors"

	"nsmodel/bench/stage"
	"nsmodel/live"
	"nsmodel/netns"
)

// bare swaps the two NICs until it is stopped.
func (nr *nicRig) bare() (stop func() error, err error) { return stage.SwapNICs() }

// model lets a machine route between the NICs, in one Net or in two with a veth
// pair between them, until it is stopped.
func (nr *nicRig) model(where netns.Placement, nets int) (stop func() error, err error) {
	m, err := machine(where, false)
	if err != nil {
		return nil, err
	}
	a, err := m.AddNet("a")
	if err != nil {
		return nil, err
	}
	b := a
	if nets > 1 {
		if b, err = m.AddNet("b"); err != nil {
			return nil, err
		}
		if err := stage.Join(m, a, "10.3.0.1/24", b, "10.3.0.2/24"); err != nil {
			return nil, err
		}
	}
	devices, err := stage.RouteNICs(m, a, b)
	if err != nil {
		return nil, err
	}
	r, err := live.Start(m)
	if err != nil {
		return nil, err
	}
	return func() error {
		r.Stop()
		m.Sys.Lock()
		defer m.Sys.Unlock()
		return errors.Join(m.Core.Unregister(devices[0]), m.Core.Unregister(devices[1]))
	}, nil
}
