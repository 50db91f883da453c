package mutant

// lasting are mutants of how long addresses last: their timers, and whose tunables
// say whether they stay.
func lasting() []Mutant {
	return []Mutant{
		// Killed by the golden judge's addr-lifetimes.lab at the latest: what should be over is there.
		{Name: "addresses: the timer of IPv4's lifetimes is the initial namespace's", Kind: Lifecycle, Precedent: "of the kind of C58: check_lifetime_work was one for all nets until 6.15, and must not touch one that is gone",
			Edits: []Edit{{"ipv4/lifetime.go", "\tl.timer.Init(n, func(", "\tl.timer.Init(n.System().Init(), func("}}},
		{Name: "addresses: IPv4's lifetimes end on devices of that number everywhere", Kind: Tag, Precedent: "of the kind of C1: the device is looked up by its index, without its net",
			Edits: []Edit{{"ipv4/lifetime.go", "\t\ts.endAddrs(dev, now)\n",
				"\t\ts.endAddrs(dev, now)\n\t\tfor o := range l.net.System().Nets() {\n\t\t\tif e := s.Core.DeviceByIndex(o, d.Index()); e != nil && e != d && s.devs.Of(e) != nil && len(s.devs.Of(e).Addrs()) > 0 {\n\t\t\t\ts.removeAddr(s.devs.Of(e), 0)\n\t\t\t}\n\t\t}\n"}}},
		// Killed by solo, keep-addr.lab.
		{Name: "addresses: whether they stay the initial namespace says", Kind: Limit, Precedent: "of the kind of C38: init_net's devconf_all->keep_addr_on_down",
			Edits: []Edit{{"ipv6/keep.go", "\tv := s.conf.Of(dev.dev.Net()).all.", "\tv := s.conf.Of(s.Core.Sys.Init()).all."}}},
		// Killed by solo, accept-dad.lab.
		{Name: "addresses: whether IPv6 ends with a duplicate the initial namespace says", Kind: Limit, Precedent: "of the kind of C38: init_net's devconf_all->accept_dad",
			Edits: []Edit{{"ipv6/keep.go", "s.conf.Of(dev.dev.Net()).all.Load().v[confAcceptDAD]) < 2", "s.conf.Of(s.Core.Sys.Init()).all.Load().v[confAcceptDAD]) < 2"}}},
		{Name: "addresses: temporary ones are drawn from the initial namespace's stream", Kind: Information, Precedent: "of the kind of C38: a state of the generator that namespaces share",
			Edits: []Edit{{"ipv6/temporary.go", "PutUint64(b[8:], n.Uint64())", "PutUint64(b[8:], s.Core.Sys.Init().Uint64())"}}},
	}
}
