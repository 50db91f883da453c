package bench

import (
	"fmt"
	"net/netip"

	"nsmodel"
	"nsmodel/bench/stage"
	"nsmodel/netns"
	"nsmodel/transport/udp"
)

// socketCases measure the way of a datagram to a socket, and there and back.
func socketCases(s Sizes, where netns.Placement) []Case {
	place := where.String()
	what := "a UDP frame of 60 bytes: a packet made of it, put into the backlog of a veth's peer, received, routed to this Net, given to the one socket of its port among as many as there are Nets, and read; turns of 64"
	return []Case{
		{Name: "udp_receive_ns", Place: place, Nets: 1, Unit: "ns", Better: Lower, What: what,
			open: func(*Rig) (*stand, error) {
				m, err := machine(where, false)
				if err != nil {
					return nil, err
				}
				return receiveStand(m)
			}},
		{Name: "udp_receive_ns", Place: place, Nets: s.CrowdNets + 1, Unit: "ns", Better: Lower, What: what,
			open: func(r *Rig) (*stand, error) {
				c, err := r.crowd(where)
				if err != nil {
					return nil, err
				}
				st, err := receiveStand(c.m)
				if err != nil {
					return nil, err
				}
				c.nets++
				return st, c.fill(s.CrowdNets + 1)
			}},
		{Name: "udp_echo_ns", Place: place, Nets: 2, Unit: "ns", Better: Lower,
			What: "32 bytes from a socket to one in another Net, by veth, and back: two writes, two reads, both turns of the worker in the same thread",
			open: func(*Rig) (*stand, error) { return echoStand(where) }},
	}
}

func receiveStand(m *nsmodel.Machine) (*stand, error) {
	r, err := stage.NewReceiver(m, "receiver", stage.Port)
	if err != nil {
		return nil, err
	}
	return &stand{run: r.Receive}, nil
}

func echoStand(where netns.Placement) (*stand, error) {
	m, err := machine(where, false)
	if err != nil {
		return nil, err
	}
	a, err := m.AddNet("client")
	if err != nil {
		return nil, err
	}
	b, err := m.AddNet("server")
	if err != nil {
		return nil, err
	}
	if err := stage.Join(m, a, "10.1.0.1/24", b, "10.1.0.2/24"); err != nil {
		return nil, err
	}
	server, err := stage.Listen(m, b, stage.Port)
	if err != nil {
		return nil, err
	}
	client, err := m.UDP.Dial(a, netip.AddrPort{}, netip.AddrPortFrom(netip.MustParseAddr("10.1.0.2"), stage.Port), udp.Options{})
	if err != nil {
		return nil, err
	}
	w, buf := m.Core.Workers()[0], make([]byte, 32)
	once := func() error {
		if _, err := client.Write(buf); err != nil {
			return err
		}
		stage.Settle(m, w)
		k, from, err := server.TryReadFrom(buf)
		if err != nil {
			return err
		}
		if _, err := server.WriteToAddrPort(buf[:k], from); err != nil {
			return err
		}
		stage.Settle(m, w)
		_, _, err = client.TryReadFrom(buf)
		return err
	}
	return &stand{run: func(k int) error {
		for range k {
			if err := once(); err != nil {
				return fmt.Errorf("bench: echo: %w", err)
			}
		}
		return nil
	}}, nil
}
