package ipv4

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/fib"
	"nsmodel/netns"
)

// SelectSource returns the address that n sends from to dst by d (nil: any
// device), not nearer than scope; the zero Addr if there is none.
// Linux: inet_select_addr.
func (s *Inet) SelectSource(n *netns.Net, d *core.Device, dst netip.Addr, scope fib.Scope) netip.Addr {
	return netip.Addr{}
}

// IsLocal reports whether n takes packets for a as its own.
func (s *Inet) IsLocal(n *netns.Net, a [4]byte) bool { return s.AddrType(n, a) == fib.Local }

// LocalDevice returns a device of n that has the address a, or nil.
// Linux: __ip_dev_find.
func (s *Inet) LocalDevice(n *netns.Net, a [4]byte) *core.Device { return nil }

// AddrType tells what the table local of n says of a. Linux: inet_addr_type.
func (s *Inet) AddrType(n *netns.Net, a [4]byte) fib.Type {
	return s.FIB.AddrType(n, netip.AddrFrom4(a))
}

// HandleARP takes an ARP packet. Linux: arp_rcv.
func (s *Inet) HandleARP(w *core.Worker, p *core.Packet) { w.Drop(p, core.NoProtocol) }
