package mutant

// asking are mutants of bridges that ask for members.
func asking() []Mutant {
	return []Mutant{
		{Name: "a querier heard by one bridge silences all", Kind: Tag, Precedent: "of the kind of C8: the querier's state is the host's instead of the bridge's; mcast-apart.lab tells",
			Edits: []Edit{{"core/link/snoop.go", "\ta.until.Store(int64(now + s.other))\n", "\ta.until.Store(int64(now + s.other))\n\tfor o := range b.net.System().Nets() {\n\t\tfor _, d := range b.l.stack.Devices(o) {\n\t\t\tif ob, ok := d.Driver().(*bridge); ok {\n\t\t\t\tob.mc.family[family].until.Store(int64(now + s.other))\n\t\t\t}\n\t\t}\n\t}\n"}}},
		{Name: "a bridge goes on asking beside a better querier", Kind: Isolation, Precedent: "of the kind of Linux before 2014, which held no election; igmp-querier.lab and TestElection tell",
			Edits: []Edit{{"core/link/querier.go", " || a.until.Load() > int64(now) {\n\t\tb.mc.mu.Unlock()\n\t\treturn\n\t}\n\tnext := s.query\n", " || a == nil {\n\t\tb.mc.mu.Unlock()\n\t\treturn\n\t}\n\tnext := s.query\n"}}},
		{Name: "a group that was left lives on as long as any", Kind: Lifecycle, Precedent: "the last member time is not set; snoop-leave.lab, igmp-querier.lab and TestLastMember tell",
			Edits: []Edit{{"core/link/mdb.go", "\tend := now + b.mc.ask.lastMemberTime()\n", "\tend := now + b.mc.ask.lastMemberTime()\n\tend += b.mc.ask.membership\n"}}},
		{Name: "a bridge asks from the address of another namespace's", Kind: Tag, Precedent: "of the kind of C3: inet_select_addr is asked in the initial namespace; mcast-apart.lab tells",
			Edits: []Edit{{"bridgemcast.go", "\t\t\treturn m.IPv4.SelectSource(d.Net(), d, netip.Addr{}, fib.Link)\n", "\t\t\treturn m.IPv4.SelectSource(m.Sys.Init(), nil, netip.Addr{}, fib.Link)\n"}}},
		{Name: "what a bridge is told about questions is told to all", Kind: Limit, Precedent: "C28 of that kind: tunables that are the host's; mcast-settings.lab tells",
			Edits: []Edit{{"core/link/bridge_mcast.go", "\t\t\t*to = min(max(centi(v), minQueryInterval), maxQueryInterval)\n", "\t\t\t*to = min(max(centi(v), minQueryInterval), maxQueryInterval)\n\t\t\tfor o := range b.net.System().Nets() {\n\t\t\t\tfor _, d := range b.l.stack.Devices(o) {\n\t\t\t\t\tif ob, ok := d.Driver().(*bridge); ok && name == \"mcast_query_interval\" {\n\t\t\t\t\t\tob.mc.ask.query = *to\n\t\t\t\t\t}\n\t\t\t\t}\n\t\t\t}\n"}}},
	}
}
