package mutant

// information are mutants by which others can be told from what is shown.
func information() []Mutant {
	return []Mutant{
		{Name: "one random stream, by order of birth", Kind: Information, Precedent: "of the kind of C38: a neighbour's draw shifts mine",
			Edits: []Edit{{"netns/chance.go", "if n.name == \"\" {", "if true {"}}},
		{Name: "one random stream for all", Kind: Information, Precedent: "of the kind of C38: get_random_u32 is the host's",
			Edits: []Edit{
				{"netns/chance.go", "\tif !n.stream.seeded {\n", "\tif first := n.sys.Init(); n != first && first != nil {\n\t\treturn first.draw()\n\t}\n\tif !n.stream.seeded {\n"}}},
		{Name: "ports are drawn from the initial namespace's stream", Kind: Information, Precedent: "of the kind of C38: secure_ipv4_port_ephemeral with one table",
			Edits: []Edit{{"transport/udp/conn.go", "low, high, c.n.Uint64N)", "low, high, c.n.System().Init().Uint64N)"}}},
		{Name: "identifications are counted for the host", Kind: Information, Precedent: "C38 IP ID generator, df453700e8d8, aa6dd211e4b1, CVE-2019-10638",
			Edits: []Edit{{"ipv4/output.go", "s.path.nets.Own(n).ids.next(n, f.Dst, f.Proto)", "s.path.nets.Own(s.Core.Sys.Init()).ids.next(s.Core.Sys.Init(), f.Dst, f.Proto)"}}},
		{Name: "identifications tell the tag", Kind: Information, Precedent: "C36 net_hash_mix pointer, 355b98553789, CVE-2019-10639",
			Edits: []Edit{{"ipv4/limits.go", "\t\tv := n.Uint64()\n", "\t\tv := uint64(n.ID()) * 0x9e3779b97f4a7c15\n"}}},
		{Name: "hardware addresses tell the tag", Kind: Information, Precedent: "of the kind of C36: a number of the kernel's own in what is sent",
			Edits: []Edit{{"core/register.go", "return unpackMAC(n.Uint64()&0xfeff_ffff_ffff | 0x0200_0000_0000)", "return unpackMAC(n.Uint64()&0xfeff_ffff_0000 | 0x0200_0000_0000 | uint64(n.ID())&0xffff)"}}},
		{Name: "books are shown for the host", Kind: Information, Precedent: "C39 RDMA/core: don't expose hw_counters outside init netns, 2025",
			Edits: []Edit{{"core/ledger.go", "return s.ledger.Of(n).Read() }", "return s.TotalLedger() }"}}},
		{Name: "proxy entries of all are listed", Kind: Information, Precedent: "C10 rds: filter RDS_INFO_* by caller's netns, 2026",
			Edits: []Edit{{"core/proxy.go", "\tfor k, x := range s.proxies.All(n) {\n\t\tall = append(all, Proxy{k.addr, x.dev, x.router})\n\t}\n", "\tfor o := range n.System().Nets() {\n\t\tfor k, x := range s.proxies.All(o) {\n\t\t\tall = append(all, Proxy{k.addr, x.dev, x.router})\n\t\t}\n\t}\n"}}},
		{Name: "tunables of others' devices are listed", Kind: Information, Precedent: "C10 of that kind, below /proc/sys/net",
			Edits: []Edit{{"ipv4/sysctl.go", "\tfor _, d := range s.Core.Devices(n) {\n\t\tif s.devs.Of(d) != nil {\n\t\t\tall = append(all, d.Name())\n\t\t}\n\t}\n", "\tfor o := range n.System().Nets() {\n\t\tfor _, d := range s.Core.Devices(o) {\n\t\t\tif s.devs.Of(d) != nil && s.Core.Device(n, d.Name()) != nil {\n\t\t\t\tall = append(all, d.Name())\n\t\t\t}\n\t\t}\n\t}\n"}}},
		{Name: "a device is found by name in any namespace", Kind: Information, Precedent: "C11 netdev: prevent accessing NAPI instances from another namespace, 2025",
			Edits: []Edit{{"core/name.go", "\td, _ := s.devices.Get(n, nameKey(name))\n\treturn d", "\td, _ := s.devices.Get(n, nameKey(name))\n\tif d == nil {\n\t\tfor o := range n.System().Nets() {\n\t\t\tif e, ok := s.devices.Get(o, nameKey(name)); ok {\n\t\t\t\treturn e\n\t\t\t}\n\t\t}\n\t}\n\treturn d"}}},
		{Name: "a device is found by number in any namespace", Kind: Information, Precedent: "C11 of that kind: by ifindex",
			Edits: []Edit{{"core/name.go", "\td, _ := s.devices.Get(n, indexKey(index))\n\treturn d", "\td, _ := s.devices.Get(n, indexKey(index))\n\tif d == nil {\n\t\tfor o := range n.System().Nets() {\n\t\t\tif e, ok := s.devices.Get(o, indexKey(index)); ok {\n\t\t\t\treturn e\n\t\t\t}\n\t\t}\n\t}\n\treturn d"}}},
		{Name: "errors are accounted to another's budget by chance", Kind: Information, Precedent: "CVE-2020-25705, of the kind of C38: what others got is seen in one's own rate",
			Edits: []Edit{{"core/icmp.go", "\tk := int64(n.Uint64N(3))\n", "\tk := int64(n.System().Init().Uint64N(3))\n"}}},
		{Name: "reachable times are drawn from the initial namespace's stream", Kind: Information, Precedent: "of the kind of C38: neigh_rand_reach_time",
			Edits: []Edit{{"core/neigh.go", "p.Reachable = p.BaseReachable/2 + time.Duration(n.Uint64N(", "p.Reachable = p.BaseReachable/2 + time.Duration(n.System().Init().Uint64N("}}},
	}
}
