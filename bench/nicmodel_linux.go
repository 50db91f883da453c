package bench

import (
	"errors"
	"net/netip"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/core/link/afpacket"
	"nsmodel/live"
	"nsmodel/netns"
)

// bare swaps the two NICs until it is stopped.
func (nr *nicRig) bare() (stop func() error, err error) {
	a, err := afpacket.Open(afpacket.Config{Interface: nicIn, Promisc: true})
	if err != nil {
		return nil, err
	}
	b, err := afpacket.Open(afpacket.Config{Interface: nicOut, Promisc: true})
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	end, done := make(chan struct{}), make(chan error)
	go func() {
		_, err := afpacket.SwapLoop(a, b, func() bool {
			select {
			case <-end:
				return true
			default:
				return false
			}
		})
		done <- err
	}()
	return func() error {
		close(end)
		return errors.Join(<-done, a.Close(), b.Close())
	}, nil
}

// model lets a machine route between the NICs until it is stopped.
func (nr *nicRig) model(where netns.Placement, nets int) (stop func() error, err error) {
	m, err := machine(where, false)
	if err != nil {
		return nil, err
	}
	devices, err := wireUp(m, nets)
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

// wireUp puts the NICs into one Net, or into two with a veth pair between them,
// and routes 10.9.0.0/16 from the first to the second.
func wireUp(m *nsmodel.Machine, nets int) (nics [2]*core.Device, err error) {
	a, err := m.AddNet("a")
	if err != nil {
		return nics, err
	}
	b := a
	if nets > 1 {
		if b, err = m.AddNet("b"); err != nil {
			return nics, err
		}
		if err := stage.Join(m, a, "10.3.0.1/24", b, "10.3.0.2/24"); err != nil {
			return nics, err
		}
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	if nics[0], err = nic(m, a, nicIn, "10.1.0.1/24"); err != nil {
		return nics, err
	}
	if nics[1], err = nic(m, b, nicOut, "10.2.0.1/24"); err != nil {
		return nics, err
	}
	for _, n := range []*netns.Net{a, b} {
		if err := m.Sysctl.Set(n, "net.ipv4.ip_forward", "1"); err != nil {
			return nics, err
		}
	}
	if nets > 1 {
		if err := stage.AddRoute(m, m.Core.Device(a, "veth0"), stage.Behind(), netip.MustParseAddr("10.3.0.2")); err != nil {
			return nics, err
		}
	}
	if err := stage.AddRoute(m, nics[1], stage.Behind(), stage.Gateway()); err != nil {
		return nics, err
	}
	w := m.Core.Enter()
	defer w.Leave()
	return nics, m.Core.SetNeighbour(w, nics[1], stage.Gateway(), core.NeighUpdate{State: core.NudPermanent, MAC: stage.GatewayMAC()})
}

// nic gives n the kernel interface of that name, with an address, up; under rtnl.
func nic(m *nsmodel.Machine, n *netns.Net, name, addr string) (*core.Device, error) {
	d, err := m.Core.Kind("nic").New(n, core.LinkSpec{Name: name, Attrs: map[string]string{"dev": name}})
	if err != nil {
		return nil, err
	}
	return d, stage.Up(m, d, addr)
}
