package ipv6

import (
	"net/netip"

	"nsmodel/fib"
	"nsmodel/netns"
)

// routeFrom looks a flow up again that has no route and no source, with the source
// that it would get: rules and routes may be for that one alone. If there is none
// it returns why. Linux: ip6_dst_lookup_tail, which lets the SA-enabled version
// take over.
func (s *Inet) routeFrom(n *netns.Net, f *fib.Flow, why error) (fib.Result, netip.Addr, error) {
	src := s.SelectSource(n, nil, f.Dst)
	if !src.IsValid() {
		return fib.Result{}, src, why
	}
	f.Src = src
	res, err := s.FIB.Lookup(n, f)
	return res, src, err
}

// wish is for a flow whose device is no more than a wish: it chooses among the
// routes of one prefix and metric, and no other is taken for it. res and err are
// what a lookup said that left it no choice. Linux: rt6_check_dev in
// rt6_score_route without RT6_LOOKUP_F_IFACE.
func (s *Inet) wish(n *netns.Net, f *fib.Flow, res fib.Result, err error) (fib.Result, error) {
	f.Oif = 0
	free, why := s.FIB.Lookup(n, f)
	if why == nil && err == nil && res.Table == free.Table && res.Prefix() == free.Prefix() && res.From() == free.From() && res.Metric() == free.Metric() {
		return res, nil
	}
	return free, why
}
