package mutant

// solicited are mutants of neighbour discovery: who answers, who listens to
// routers, whose secret and whose lifetimes count.
func solicited() []Mutant {
	return []Mutant{
		{Name: "ND: a solicited node is matched without its device", Kind: Tag, Precedent: "of the kind of C8: the device is left out of ipv6_chk_mcast_addr and ipv6_get_ifaddr",
			Edits: []Edit{
				{"ipv6/inroute.go", "\t\tour := in.member(dst, [16]byte{}) // of whom it came is asked of the transport's part\n", "\t\tour := false\n\t\tfor _, d := range s.Core.Devices(p.Net()) {\n\t\t\tif o := s.devs.Of(d); o != nil && o.member(dst, [16]byte{}) {\n\t\t\t\tour = true\n\t\t\t}\n\t\t}\n"},
				{"ipv6/addr.go", "\t\tif own.Dev == d {\n\t\t\treturn own\n", "\t\tif own.Dev.Net() == d.Net() {\n\t\t\treturn own\n"}}},
		{Name: "ND: addresses are made of the initial namespace's secret", Kind: Information, Precedent: "of the kind of C38: ipv6_generate_stable_address with init_net's devconf_dflt",
			Edits: []Edit{{"ipv6/stable.go", "\treturn s.conf.Of(dev.dev.Net()).dflt.Load().secret\n", "\treturn s.conf.Of(s.Core.Sys.Init()).dflt.Load().secret\n"}}},
		// Killed by solo, slaac-strangers.lab.
		{Name: "ND: a router is heard by devices of that number everywhere", Kind: Tag, Precedent: "of the kind of C1: the device is looked up by its index, without its net",
			Edits: []Edit{{"ipv6/ndisc.go", "\t\tok = s.receiveRA(w, dev, ip, m)\n",
				"\t\tok = s.receiveRA(w, dev, ip, m)\n\t\tfor o := range dev.dev.Net().System().Nets() {\n\t\t\tif d := s.Core.DeviceByIndex(o, dev.dev.Index()); d != nil && d != dev.dev && s.devs.Of(d) != nil {\n\t\t\t\ts.receiveRA(w, s.devs.Of(d), ip, m)\n\t\t\t}\n\t\t}\n"}}},
		{Name: "ND: the lifetimes' timer is the initial namespace's", Kind: Lifecycle, Precedent: "C58 of that kind: addr_chk_work is not cancelled with its net",
			Edits: []Edit{{"ipv6/lifetime.go", "\t\tl.timer.Init(n, func(", "\t\tl.timer.Init(n.System().Init(), func("}}},
		{Name: "ND: routes end by the initial namespace's list", Kind: Tag, Precedent: "of the kind of C1: fib6_run_gc of another net",
			Edits: []Edit{{"ipv6/lifetime.go", "\tl := &s.path.nets.Of(n).lives\n\tl.mu.Lock()\n", "\tl := &s.path.nets.Of(n.System().Init()).lives\n\tl.mu.Lock()\n"}}},
	}
}
