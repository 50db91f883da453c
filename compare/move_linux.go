package compare

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/internal/rtnl"
)

// moveKernel is moveModel with the kernel's own namespaces.
func moveKernel(r *Run, where string, entries int) (take func() ([]float64, error), end func() error, err error) {
	b, err := r.newBox()
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	var spaces [4]*rtnl.Namespace // from, to, the stranger's, the peers'
	var conns [4]*rtnl.Conn
	end = func() error {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
		return b.Close()
	}
	for i := range spaces {
		if spaces[i], err = b.space(); err != nil {
			return nil, nil, err
		}
		if conns[i], err = spaces[i].Dial(); err != nil {
			return nil, nil, err
		}
	}
	for i, in := range []int{0, 0, 2} {
		name := fmt.Sprint("v", i)
		if err = conns[in].AddVeth(name, name, spaces[3]); err != nil {
			return nil, nil, err
		}
		if err = conns[3].SetUp(name); err != nil {
			return nil, nil, err
		}
		if err = deviceUp(conns[in], i); err != nil {
			return nil, nil, err
		}
	}
	at := map[string]int{onDevice: 0, onOther: 1, atStrangers: 2}[where]
	home := conns[[]int{0, 0, 2}[at]]
	if at == 1 {
		if err = fillDevice(home, at, entries); err != nil {
			return nil, nil, err
		}
	}
	// Neighbours of all namespaces stand in one table: a stranger has his for the
	// time of one sample only.
	return func() ([]float64, error) {
		if at != 1 {
			if err := fillDevice(home, at, entries); err != nil {
				return nil, err
			}
		}
		took := make([]float64, 2)
		if err := timed(took, func() error { return conns[0].SetNamespace("v0", spaces[1]) }); err != nil {
			return nil, err
		}
		if err := conns[1].SetNamespace("v0", spaces[0]); err != nil {
			return nil, err
		}
		if at == 2 {
			if err := home.SetDown("v2"); err != nil {
				return nil, err
			}
			if err := home.SetUp("v2"); err != nil {
				return nil, err
			}
		}
		return took, deviceUp(conns[0], 0)
	}, end, nil
}

// deviceUp brings vI up with its address.
func deviceUp(c *rtnl.Conn, i int) error {
	name := fmt.Sprint("v", i)
	if err := c.SetUp(name); err != nil {
		return err
	}
	return c.AddAddr(name, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), 24))
}

// fillDevice gives vI as many entries, as moveFill does.
func fillDevice(c *rtnl.Conn, i, entries int) error {
	name := fmt.Sprint("v", i)
	index, err := c.Index(name)
	if err != nil {
		return err
	}
	for k := range entries / 2 {
		neigh, route := entryAt(k)
		if err := c.SetNeighbour(index, neigh, []byte{2, 0, 0, 0, 9, 9}, unix.NUD_PERMANENT); err != nil {
			return err
		}
		if err := c.AddRoute(route, netip.Addr{}, name); err != nil {
			return err
		}
	}
	return nil
}
