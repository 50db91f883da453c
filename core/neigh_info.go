package core

import (
	"fmt"
	"net/netip"
	"time"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A NeighInfo is a neighbour as a dump shows it.
type NeighInfo struct {
	Dev    *Device
	Addr   netip.Addr
	MAC    wire.MAC
	State  NeighState
	Router bool
	Probes int
	Used, Confirmed,
	Updated time.Duration
}

// Info returns the neighbour's state at this moment.
func (nb *Neighbour) Info() NeighInfo {
	nb.mu.Lock()
	defer nb.mu.Unlock()
	return NeighInfo{Dev: nb.dev, Addr: nb.addr, MAC: nb.mac, State: nb.state, Router: nb.router, Probes: nb.probes,
		Used: time.Duration(nb.used.Load()), Confirmed: nb.confirmed, Updated: nb.updated}
}

// Valid reports whether the neighbour's hardware address is known, however long
// ago. Linux: NUD_VALID.
func (nb *Neighbour) Valid() bool { return nb.Info().State&nudValid != 0 }

// Neighbours returns n's neighbours in the order in which they came.
func (s *Stack) Neighbours(n *netns.Net) []*Neighbour {
	var all []*Neighbour
	for _, nb := range s.neigh.All(n) {
		all = append(all, nb)
	}
	return all
}

// String returns the neighbour as `ip neigh` names it.
func (nb *Neighbour) String() string { return fmt.Sprintf("%v dev %s", nb.addr, nb.dev.Name()) }
