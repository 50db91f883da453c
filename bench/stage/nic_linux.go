package stage

import (
	"errors"
	"net"
	"net/netip"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/core/link/afpacket"
	"nsmodel/internal/rtnl"
	"nsmodel/netns"
)

// Cables are two veth pairs of the kernel. The near ends are the NICs of whoever
// forwards or answers, the far ends are in a kernel namespace without anybody:
// who sends and counts opens AF_PACKET sockets there.
type Cables struct {
	Near, Far *rtnl.Namespace // Near is nil if it is the process's own

	near *rtnl.Conn
}

// The NICs, and the far ends of their cables. NICIn has the Ethernet address Far.
const (
	NICIn, NICOut = "bench-in", "bench-out"
	FarIn, FarOut = "far-in", "far-out"
)

// LayCables makes them, all ends up, with the near ends in a namespace of the
// kernel; nil is the calling thread's.
func LayCables(near *rtnl.Namespace) (c *Cables, err error) {
	c = &Cables{Near: near}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.Far, err = rtnl.NewNamespace(); err != nil {
		return nil, err
	}
	dial := rtnl.Dial
	if near != nil {
		dial = near.Dial
	}
	if c.near, err = dial(); err != nil {
		return nil, err
	}
	far, err := c.Far.Dial()
	if err != nil {
		return nil, err
	}
	defer far.Close()
	for i, ends := range [][2]string{{NICIn, FarIn}, {NICOut, FarOut}} {
		if err := errors.Join(
			c.near.AddVeth(ends[0], ends[1], c.Far),
			c.near.SetMAC(ends[0], net.HardwareAddr{2, 0, 0, 0, byte(i + 1), 1}),
			c.near.SetUp(ends[0]), far.SetUp(ends[1])); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Close takes them away. They go with the namespaces at the latest.
func (c *Cables) Close() {
	if c.near != nil {
		c.near.DelLink(NICIn)
		c.near.DelLink(NICOut)
		c.near.Close()
	}
	if c.Far != nil {
		c.Far.Close()
	}
}

// NIC gives n the kernel interface of that name, with an address, up; under rtnl.
func NIC(m *nsmodel.Machine, n *netns.Net, name, addr string) (*core.Device, error) {
	d, err := m.Core.Kind("nic").New(n, core.LinkSpec{Name: name, Attrs: map[string]string{"dev": name}})
	if err != nil {
		return nil, err
	}
	return d, Up(m, d, addr)
}

// RouteNICs puts NICIn into a and NICOut into b, which may be the same Net or
// else have been joined by Join with 10.3.0.1 and 10.3.0.2, and routes what is
// Behind the gateway from the first to the second.
func RouteNICs(m *nsmodel.Machine, a, b *netns.Net) (nics [2]*core.Device, err error) {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	if nics[0], err = NIC(m, a, NICIn, "10.1.0.1/24"); err != nil {
		return nics, err
	}
	if nics[1], err = NIC(m, b, NICOut, "10.2.0.1/24"); err != nil {
		return nics, err
	}
	for _, n := range []*netns.Net{a, b} {
		if err := m.Sysctl.Set(n, "net.ipv4.ip_forward", "1"); err != nil {
			return nics, err
		}
	}
	if a != b {
		if err := AddRoute(m, m.Core.Device(a, "veth0"), Behind(), netip.MustParseAddr("10.3.0.2")); err != nil {
			return nics, err
		}
	}
	if err := AddRoute(m, nics[1], Behind(), Gateway()); err != nil {
		return nics, err
	}
	w := m.Core.Enter()
	defer w.Leave()
	return nics, m.Core.SetNeighbour(w, nics[1], Gateway(), core.NeighUpdate{State: core.NudPermanent, MAC: GatewayMAC()})
}

// SwapNICs swaps the two NICs' frames without looking at them, the leanest there
// is over raw sockets, until it is stopped. The NICs are in the calling thread's
// kernel namespace.
func SwapNICs() (stop func() error, err error) {
	a, err := afpacket.Open(afpacket.Config{Interface: NICIn, Promisc: true})
	if err != nil {
		return nil, err
	}
	b, err := afpacket.Open(afpacket.Config{Interface: NICOut, Promisc: true})
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
