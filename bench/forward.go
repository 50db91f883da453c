package bench

import (
	"fmt"
	"runtime"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/core"
	"nsmodel/netns"
)

const forwardWhat = "a UDP frame of 60 bytes: a packet made of it, put into the backlog of a veth's peer, received, header and checksum verified, " +
	"routed, source validated, TTL taken, hooks passed, neighbour found, sent by another veth, received from the backlog of that one's peer and taken there by a sink; " +
	"one worker, turns of 64 packets"

// forwardCases measure the way of a packet through a router in memory.
func forwardCases(s Sizes, where netns.Placement) []Case {
	place := where.String()
	return []Case{
		{Name: "veth_forward_ns", Place: place, Nets: 1, Unit: "ns", Better: Lower, Target: target(400), What: forwardWhat,
			open: func(*Rig) (*stand, error) {
				m, err := machine(where, false)
				if err != nil {
					return nil, err
				}
				return forwardStand(stage.NewForwarder(m, "router"))
			}},
		{Name: "veth_forward6_ns", Place: place, Nets: 1, Unit: "ns", Better: Lower, What: "the same, IPv6: 80 bytes, for the header is 20 bytes longer",
			group: "veth_forward_ns",
			open: func(*Rig) (*stand, error) {
				m, err := machine(where, false)
				if err != nil {
					return nil, err
				}
				return forwardStand(stage.NewForwarder6(m, "router"))
			}},
		{Name: "veth_forward_ns", Place: place, Nets: s.CrowdNets, Unit: "ns", Better: Lower, Target: target(400),
			What: "the same among Nets with loopback up and a UDP socket",
			open: func(r *Rig) (*stand, error) {
				c, err := r.crowd(where)
				if err != nil {
					return nil, err
				}
				st, err := forwardStand(stage.NewForwarder(c.m, "router"))
				if err != nil {
					return nil, err
				}
				c.nets++
				return st, c.fill(s.CrowdNets)
			}},
		{Name: "veth_forward_allocs", Place: place, Nets: 1, Unit: "allocs", Better: Lower, Target: target(0), What: "allocations a packet of the same",
			open: func(*Rig) (*stand, error) {
				m, err := machine(where, false)
				if err != nil {
					return nil, err
				}
				return allocStand(stage.NewForwarder(m, "router"))
			}},
		{Name: "veth_forward6_allocs", Place: place, Nets: 1, Unit: "allocs", Better: Lower, Target: target(0), What: "the same, IPv6",
			open: func(*Rig) (*stand, error) {
				m, err := machine(where, false)
				if err != nil {
					return nil, err
				}
				return allocStand(stage.NewForwarder6(m, "router"))
			}},
	}
}

// A crowd is a machine with many Nets that do nothing but be there, each with
// its loopback up and a socket on the same port.
type crowd struct {
	m    *nsmodel.Machine
	nets int // beside the initial one
}

// crowd returns the machine of that placement, which grows as it is needed.
func (r *Rig) crowd(where netns.Placement) (*crowd, error) {
	if c := r.crowds[where]; c != nil {
		return c, nil
	}
	m, err := machine(where, false)
	if err != nil {
		return nil, err
	}
	r.crowds[where] = &crowd{m: m}
	return r.crowds[where], nil
}

// fill makes Nets until there are as many.
func (c *crowd) fill(nets int) error {
	for ; c.nets < nets; c.nets++ {
		n, err := c.m.AddNet(fmt.Sprintf("other%d", c.nets))
		if err != nil {
			return err
		}
		c.m.Sys.Lock()
		err = c.m.Core.SetUp(c.m.Core.Device(n, "lo"))
		c.m.Sys.Unlock()
		if err != nil {
			return err
		}
		if _, err := c.m.ListenPacket(n, fmt.Sprintf(":%d", stage.Port)); err != nil {
			return err
		}
	}
	return nil
}

func forwardStand(f *stage.Forwarder, err error) (*stand, error) {
	if err != nil {
		return nil, err
	}
	return &stand{run: f.Forward}, nil
}

func allocStand(f *stage.Forwarder, err error) (*stand, error) {
	if err != nil {
		return nil, err
	}
	const packets = 64 * core.Budget
	return &stand{sample: func() (float64, error) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := f.Forward(packets)
		runtime.ReadMemStats(&after)
		return float64((after.Mallocs - before.Mallocs) / packets), err // as testing.AllocsPerRun rounds
	}}, nil
}
