package ipv4

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/fib"
	"nsmodel/netns"
)

// SelectSource returns the address that n sends from to dst (the zero Addr: to
// anybody) by d (nil: by any device), not nearer than scope: the primary one
// in whose subnet dst is, else d's first, else that of another device; the
// zero Addr if there is none. Linux: inet_select_addr.
func (s *Inet) SelectSource(n *netns.Net, d *core.Device, dst netip.Addr, scope fib.Scope) netip.Addr {
	if d != nil {
		if a := s.sourceOf(d, dst, scope); a.IsValid() {
			return a
		}
	}
	// lo is the first: an address that is not loopback's own, put there, is
	// the host's whatever happens to its links.
	for _, other := range s.Core.Devices(n) {
		for _, a := range s.Addrs(other) {
			if !a.Secondary() && a.Scope != fib.Link && a.Scope <= scope {
				return a.Local
			}
		}
	}
	return netip.Addr{}
}

// sourceOf is SelectSource among d's own addresses.
func (s *Inet) sourceOf(d *core.Device, dst netip.Addr, scope fib.Scope) (first netip.Addr) {
	dev := s.devs.Of(d)
	if dev == nil {
		return first
	}
	nearest := fib.Host
	if dev.RouteLocalnet() {
		nearest = fib.Link
	}
	for _, a := range dev.Addrs() {
		if a.Secondary() || min(a.Scope, nearest) > scope {
			continue
		}
		if !dst.IsValid() || dst.IsUnspecified() || a.Prefix.Contains(dst) {
			return a.Local
		}
		if !first.IsValid() {
			first = a.Local
		}
	}
	return first
}
