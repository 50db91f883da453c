package mutant

// listeners are mutants of IPv6's groups and of what is told of them.
func listeners() []Mutant {
	return []Mutant{
		{Name: "IPv6 groups are joined for every namespace", Kind: Tag, Precedent: "of the kind of C9: membership kept by (group), without the device whose Net it would say",
			Edits: []Edit{
				{"ipv6/ipv6.go", "\tpath  pathState                       // of the packet's way\n", "\tpath  pathState                       // of the packet's way\n\tjoined6 sync.Map\n"},
				{"ipv6/mldgroup.go", "\tst.groups = slices.Insert(st.groups, 0, own)\n", "\tst.groups = slices.Insert(st.groups, 0, own)\n\tst.inet.joined6.Store(g, true)\n"},
				{"ipv6/inroute.go", "\t\tour := in.member(dst, [16]byte{})", "\t\t_, joined := s.joined6.Load(dst)\n\t\tour := joined || in.member(dst, [16]byte{})"},
				{"ipv6/mld.go", "\tif dev.member(ip.Dst16(), ip.Src16()) {\n", "\tif _, ok := s.joined6.Load(ip.Dst16()); ok || dev.member(ip.Dst16(), ip.Src16()) {\n"},
			}},
		{Name: "datagrams to IPv6 groups are delivered in every namespace", Kind: Tag, Precedent: "C9 of the kind of rds, 5521ae7: the way of many receivers",
			Edits: []Edit{{"transport/udp/six.go", "\tif ipv6.Multicast(p) {\n",
				"\tif ipv6.Multicast(p) {\n\t\tfor n := range u.stack.Sys.Nets() {\n\t\t\tif n != p.Net() {\n\t\t\t\tu.table.Each(n, &f, func(c *Conn) bool {\n\t\t\t\t\tif c.takes6(ip) {\n\t\t\t\t\t\t_ = c.enqueue(p, src, h)\n\t\t\t\t\t}\n\t\t\t\t\treturn true\n\t\t\t\t})\n\t\t\t}\n\t\t}\n"}}},
		{Name: "the delay of a listener's report is drawn from the host's stream", Kind: Information, Precedent: "of the kind of C38: a draw from what namespaces share",
			Edits: []Edit{{"ipv6/mld.go", "\treturn time.Duration(st.net.Uint64N(uint64(limit)))\n", "\treturn time.Duration(st.inet.Core.Sys.Init().Uint64N(uint64(limit)))\n"}}},
		{Name: "sources of an IPv6 group are limited for the host", Kind: Limit, Precedent: "C28 of that kind: mld_max_msf is the host's to this day",
			Edits: []Edit{{"ipv6/mldsock.go", "\tcase own.had && len(own.sources) >= int(s.conf.Of(n).MLDMaxMSF.Load()):\n", "\tcase own.had && len(own.sources) >= int(s.conf.Of(s.Core.Sys.Init()).MLDMaxMSF.Load()):\n"}}},
		{Name: "an IPv6 group outlives its device's move", Kind: Move, Precedent: "of the kind of C51: what the device was in the old Net is taken along",
			Edits: []Edit{
				{"ipv6/ipv6.go", "\tconf  *netns.Cell[Conf]               // net.ipv6.*\n", "\tconf  *netns.Cell[Conf]               // net.ipv6.*\n\tkept6 sync.Map\n"},
				{"ipv6/mldgroup.go", "\tmc.view.Store(nil)\n\tif st = mc.st; st != nil {\n", "\ts.kept6.Store(dev.dev, mc.view.Load())\n\tmc.view.Store(nil)\n\tif st = mc.st; st != nil {\n"},
				{"ipv6/mldgroup.go", "\tdev.mc.view.Store(&nodesView)\n", "\tdev.mc.view.Store(&nodesView)\n\tif old, ok := s.kept6.Load(dev.dev); ok {\n\t\tdev.mc.view.Store(old.(*[]groupView))\n\t}\n"},
			}},
	}
}
