package ipv6

import (
	"time"

	"nsmodel/fib"
	"nsmodel/netns"
)

// A Net that does not forward leaves a gateway that was asked for in vain for another
// one, if there is one in the same table, even behind a shorter prefix (RFC 4861
// section 6.3.6, RFC 4191 section 3.2); once in a while it asks for it again.
// Linux: rt6_check_neigh, rt6_probe. What it should forward for one of its devices
// (forwarding=1 there, and 0 for all) stays with the first gateway here, and not in
// Linux.

// failed reports whether n passes over a gateway for now.
func (s *Inet) failed(n *netns.Net, h *fib.NextHop) bool {
	if s.conf.Of(n).all.Load().v[confForwarding] != 0 || h.Dev == nil {
		return false
	}
	nb := s.Core.Neighbour(h.Dev, h.Gw)
	return nb != nil && nb.Failed()
}

// routePast looks a flow up again whose gateway failed. Of several next hops the
// flow's hash has the choice, unless that one has failed, too.
// Linux: fib6_table_lookup, fib6_select_path.
func (s *Inet) routePast(n *netns.Net, f, fl *fib.Flow) (fib.Result, error) {
	now := s.Core.Sys.Now()
	f.Past = func(h *fib.NextHop) bool {
		if !s.failed(n, h) {
			return false
		}
		if dev := s.devs.Of(h.Dev); dev != nil {
			every := time.Duration(dev.own.Load().v[confRtrProbeInterval]) * time.Second
			s.Core.Neighbour(h.Dev, h.Gw).AskOnce(now, every)
		}
		return true
	}
	res, err := s.lookup(n, f, fl)
	f.Past = nil
	if err == nil && fl.Oif == 0 && res.Several() {
		hop := res.Hop
		if s.spreadOut(n, f, &res); s.failed(n, res.Hop) {
			res.Hop = hop
		}
	}
	return res, err
}
