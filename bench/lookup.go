package bench

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"nsmodel/bench/stage"
	"nsmodel/fib"
	"nsmodel/netns"
	"nsmodel/sockhash"
)

// draws is how many random keys a lookup goes through, over and over.
const draws = 1 << 12

// tableCases measure lookups.
func tableCases(s Sizes, where netns.Placement) []Case {
	place := where.String()
	c := []Case{
		{Name: "table_get_ns", Place: place, Nets: 1, Unit: "ns", Better: Lower, Target: target(20),
			What: "netns.Table.Get of a random one of 1,000 keys of 16 bytes",
			open: func(*Rig) (*stand, error) { return tableStand(where, 1, 1000) }},
		{Name: "table_get_ns", Place: place, Nets: s.TableNets, Unit: "ns", Better: Lower,
			What: "the same key in a random one of as many Nets, 100 keys each",
			open: func(*Rig) (*stand, error) { return tableStand(where, s.TableNets, 100) }},
		{Name: "socket_lookup_ns", Place: place, Nets: 1, Unit: "ns", Better: Lower,
			What: "sockhash.Table.Lookup of a datagram for a random one of 1,000 sockets bound to the wildcard: two probes of the table",
			open: func(*Rig) (*stand, error) { return socketStand(where, 1) }},
		{Name: "socket_lookup_ns", Place: place, Nets: s.SocketNets, Unit: "ns", Better: Lower,
			What: "the same, each other Net with a socket on one of these ports",
			open: func(*Rig) (*stand, error) { return socketStand(where, s.SocketNets) }},
	}
	return append(c, Case{Name: "fib_lookup_ns", Place: place, Nets: 1, Unit: "ns", Better: Lower,
		What: fmt.Sprintf("fib.Lookup of a random destination behind one of %d routes of length 24 through one gateway", s.Routes),
		open: func(r *Rig) (*stand, error) { return fibStand(r, where) }})
}

type tableKey struct{ a, b uint64 }

func (k tableKey) sum() uint64 {
	h := (k.a ^ 0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd
	return (h ^ h>>32 ^ k.b) * 0xc4ceb9fe1a85ec53
}

func tableStand(where netns.Placement, nets, keys int) (*stand, error) {
	sys := netns.New(netns.Config{})
	t := netns.NewTable[tableKey, *int](sys, "bench", where, tableKey.sum)
	if err := sys.Boot(); err != nil {
		return nil, err
	}
	list, err := addNets(sys, nets)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	v := new(int)
	for _, n := range list {
		for i := range keys {
			if err := t.Add(n, tableKey{uint64(i), uint64(i) << 20}, v); err != nil {
				return nil, err
			}
		}
	}
	type draw struct {
		n *netns.Net
		k tableKey
	}
	order := make([]draw, draws)
	for i := range order {
		k := rng.Uint64N(uint64(keys))
		order[i] = draw{list[rng.IntN(nets)], tableKey{k, k << 20}}
	}
	return &stand{run: func(k int) error {
		for i := range k {
			d := &order[i%draws]
			if _, ok := t.Get(d.n, d.k); !ok {
				return fmt.Errorf("bench: key %v not found", d.k)
			}
		}
		return nil
	}}, nil
}

// addNets makes anonymous Nets.
func addNets(sys *netns.System, k int) ([]*netns.Net, error) {
	sys.Lock()
	defer sys.Unlock()
	list := make([]*netns.Net, k)
	for i := range list {
		var err error
		if list[i], err = sys.NewNet(""); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func socketStand(where netns.Placement, nets int) (*stand, error) {
	const ports, first = 1000, 10_000
	sys := netns.New(netns.Config{})
	t := sockhash.New[int](sys, "bench", where, 1)
	if err := sys.Boot(); err != nil {
		return nil, err
	}
	list, err := addNets(sys, nets)
	if err != nil {
		return nil, err
	}
	bind := func(n *netns.Net, i int) error {
		return t.Bind(n, &sockhash.Binding[int]{Sock: i, Port: uint16(first + i)})
	}
	for i := range ports {
		if err := bind(list[0], i); err != nil {
			return nil, err
		}
	}
	for i, n := range list[1:] {
		if err := bind(n, i%ports); err != nil {
			return nil, err
		}
	}
	n, rng := list[0], rand.New(rand.NewPCG(1, 2))
	flows := make([]sockhash.Flow, draws)
	for i := range flows {
		flows[i] = sockhash.Flow{Local: sockhash.Addr4([4]byte{10, 0, 0, 1}), LocalPort: uint16(first + rng.IntN(ports)),
			Remote: sockhash.Addr4([4]byte{10, 0, 0, 2}), RemotePort: uint16(1024 + i), Dev: 2}
	}
	return &stand{run: func(k int) error {
		for i := range k {
			if _, ok := t.Lookup(n, &flows[i%draws]); !ok {
				return fmt.Errorf("bench: socket of port %d not found", flows[i%draws].LocalPort)
			}
		}
		return nil
	}}, nil
}

func fibStand(r *Rig, where netns.Placement) (*stand, error) {
	m, err := machine(where, false)
	if err != nil {
		return nil, err
	}
	f, err := stage.NewForwarder(m, "router")
	if err != nil {
		return nil, err
	}
	m.Sys.Lock()
	defer m.Sys.Unlock()
	for i := range r.Routes {
		dst := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24)
		if err := f.Route(dst); err != nil {
			return nil, err
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	flows := make([]fib.Flow, draws)
	for i := range flows {
		j := rng.IntN(r.Routes)
		flows[i] = fib.Flow{Dst: netip.AddrFrom4([4]byte{20, byte(j >> 8), byte(j), byte(i)}), Src: netip.AddrFrom4([4]byte{10, 1, 0, 2}), Iif: 2}
	}
	return &stand{run: func(k int) error {
		for i := range k {
			if _, err := m.IPv4.FIB.Lookup(f.N, &flows[i%draws]); err != nil {
				return fmt.Errorf("bench: route to %v: %w", flows[i%draws].Dst, err)
			}
		}
		return nil
	}}, nil
}
