package mutant

// learnt are mutants of what a Net learns of ways, and of who has an address.
// Killed by golden and solo: pmtu-learn.lab, ipv6-redirects.lab, ipv6-neigh-limits.lab,
// ipv6-router-fails.lab,
// and the labs of duplicate address detection.
func learnt() []Mutant {
	return []Mutant{
		{Name: "IPv6: the MTU of a path is known to every namespace", Kind: Tag, Precedent: "of the kind of C1: rt6_exception found by its destination alone",
			Edits: []Edit{
				{"ipv6/except.go", "\tif st.except.count.Load() == 0 || res.Hop == nil {\n", "\tif res.Hop == nil {\n"},
				{"ipv6/except.go", "\te, ok := s.path.exceptions.Get(n, k)\n\tswitch {", "\te, ok := s.path.exceptions.Get(n, k)\n\tfor o := range n.System().Nets() {\n\t\tfor x, of := range s.path.exceptions.All(o) {\n\t\t\tif x.dst == k.dst {\n\t\t\t\te, ok = of, true\n\t\t\t}\n\t\t}\n\t}\n\tswitch {"}}},
		{Name: "IPv6: the MTU of a path outlives its time", Kind: Lifecycle, Precedent: "of the kind of C58: rt6_check_expired is not asked",
			Edits: []Edit{{"ipv6/except.go", "\tcase s.Core.Sys.Now() >= e.expires:\n", "\tcase s.Core.Sys.Now() < 0:\n"}}},
		{Name: "IPv6: the MTU of a path ends as the initial namespace says", Kind: Limit, Precedent: "C22 of that kind: ip6_rt_mtu_expires was the host's",
			Edits: []Edit{{"ipv6/learn.go", "time.Duration(s.conf.Of(n).MTUExpires.Load())", "time.Duration(s.conf.Of(n.System().Init()).MTUExpires.Load())"}}},
		{Name: "IPv6: a neighbour's question is answered for an address of any namespace", Kind: Tag, Precedent: "of the kind of C12: ipv6_get_ifaddr without its net",
			Edits: []Edit{
				{"ipv6/inroute.go", "\t\tour := in.member(dst, [16]byte{}) ", "\t\tour := in.member(dst, [16]byte{}) || dst[11] == 1 && dst[12] == 0xff "},
				{"ipv6/ndisc.go", "\town := s.addrAt(dev.dev, netip.AddrFrom16(target))\n\tswitch {", "\town := s.addrAt(dev.dev, netip.AddrFrom16(target))\n\tfor o := range dev.dev.Net().System().Nets() {\n\t\tfor _, d := range s.Core.Devices(o) {\n\t\t\tif a := s.addrAt(d, netip.AddrFrom16(target)); own == nil && a != nil && !a.Tentative() {\n\t\t\t\town = a\n\t\t\t}\n\t\t}\n\t}\n\tswitch {"}}},
		{Name: "IPv6: neighbours are limited as the initial namespace says", Kind: Limit, Precedent: "C28 neighbour gc_thresh, host-wide until cda2962b6e2b",
			Edits: []Edit{{"ipv6/resolve.go", "\t\t\tc := s.conf.Of(n)\n", "\t\t\tc := s.conf.Of(n.System().Init())\n"}}},
		{Name: "IPv6: whether a failed gateway is left is asked of the initial namespace", Kind: Limit, Precedent: "of the kind of C22: devconf_all of init_net",
			Edits: []Edit{{"ipv6/routepast.go", "s.conf.Of(n).all.Load().v[confForwarding] != 0", "s.conf.Of(n.System().Init()).all.Load().v[confForwarding] != 0"}}},
		{Name: "IPv6: a gateway that failed is never asked for again", Kind: Lifecycle, Precedent: "rt6_probe not called",
			Edits: []Edit{{"core/neigh_ask.go", "now <= nb.updated+every {", "now >= 0 {"}}},
	}
}
