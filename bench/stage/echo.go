package stage

import (
	"fmt"
	"net/netip"

	"nsmodel/core"
)

// Sender is the address from which datagrams to a Receiver come, and from before
// a Forwarder.
func Sender() netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 0, 2}) }

// KnowSender gives d a neighbour for Sender, who answers nobody.
func KnowSender(d *core.Device) error {
	s := d.Stack()
	w := s.Enter()
	defer w.Leave()
	return s.SetNeighbour(w, d, Sender(), core.NeighUpdate{State: core.NudPermanent, MAC: GatewayMAC()})
}

// Echo lets k datagrams arrive, answers each from its socket, and sees that all
// answers arrive at the device's peer. Turns are as Receive's.
func (r *Receiver) Echo(k int) error {
	if !r.answers {
		if err := KnowSender(r.in); err != nil {
			return err
		}
		r.in.LowerDevice().SetClaim(func(w *core.Worker, _ *core.Device, p *core.Packet) bool {
			r.sunk++
			w.Deliver(p)
			return true
		})
		r.answers = true
	}
	at, want := 0, r.sunk+k
	for left := k; left > 0; left -= core.Budget {
		now := min(left, core.Budget)
		r.frame = r.ports[at].frame
		r.Turn(now)
		for range now {
			n, from, err := r.ports[at].conn.TryReadFrom(r.buf)
			if err != nil {
				return fmt.Errorf("%w; %v", err, r.M.Core.Ledger(r.N))
			}
			if _, err := r.ports[at].conn.WriteToAddrPort(r.buf[:n], from); err != nil {
				return err
			}
		}
		Settle(r.M, r.w)
		at = (at + 1) % len(r.ports)
	}
	if r.sunk != want {
		return fmt.Errorf("%d of %d answers did not arrive; %v", want-r.sunk, k, r.M.Core.Ledger(r.N))
	}
	return nil
}
