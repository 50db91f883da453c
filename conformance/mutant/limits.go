package mutant

// limits are mutants whose limit, number, tunable or flag is the host's.
func limits() []Mutant {
	return []Mutant{
		{Name: "neighbours count for the host", Kind: Limit, Precedent: "C28 neighbour gc_thresh, host-wide until cda2962b6e2b",
			Edits: []Edit{{"core/neigh.go", "s.neighOps[f], s.neighs.Own(n)", "s.neighOps[f], s.neighs.Own(s.Sys.Init())"}}},
		{Name: "forced collection takes others' neighbours", Kind: Limit, Precedent: "C28 of that kind: neigh_forced_gc evicts another's entries",
			Edits: []Edit{{"core/neigh_gc.go", "\tfor k, nb := range s.neigh.All(n) {\n\t\tif nb.ops != ops {\n\t\t\tcontinue\n\t\t}\n", "\tfor o := range n.System().Nets() {\n\t\tif s.neigh.Len(o) > 0 {\n\t\t\tn = o\n\t\t}\n\t}\n\tfor k, nb := range s.neigh.All(n) {\n\t\tif nb.ops != ops {\n\t\t\tcontinue\n\t\t}\n"}}},
		{Name: "ICMP errors are limited for the host", Kind: Limit, Precedent: "C28 of that kind: icmp_global_allow was the host's",
			Edits: []Edit{{"ipv4/icmpsend.go", "rates := &s.path.nets.Own(n).rates", "rates := &s.path.nets.Own(s.Core.Sys.Init()).rates"}}},
		{Name: "ICMP replies are limited for the host", Kind: Limit, Precedent: "C28 of that kind, in icmp_reply",
			Edits: []Edit{{"ipv4/icmp.go", "rates := &s.path.nets.Own(n).rates", "rates := &s.path.nets.Own(s.Core.Sys.Init()).rates"}}},
		{Name: "redirects are limited for the host", Kind: Limit, Precedent: "C28 of that kind: inet_getpeer without a net",
			Edits: []Edit{{"ipv4/forward.go", "rates := &s.path.nets.Own(p.Net()).rates", "rates := &s.path.nets.Own(s.Core.Sys.Init()).rates"}}},
		{Name: "fragments share one memory", Kind: Limit, Precedent: "C28 of that kind: ipfrag_high_thresh for the host",
			Edits: []Edit{{"ipv4/frag.go", "\tst := s.path.nets.Own(n)\n\tif high", "\tst := s.path.nets.Own(s.Core.Sys.Init())\n\tif high"}}},
		{Name: "a table's cap counts everybody's entries", Kind: Limit, Precedent: "C28 of that kind: a limit on a shared table",
			Edits: []Edit{{"netns/table.go", "own.count.Load() >= limit {", "int32(h.size) >= limit {"}},
			Only:  "tagged", Why: "a home of one's own counts nobody else"},
		{Name: "interface indexes are the host's", Kind: Limit, Precedent: "of the kind of C30, the other way round: ifindex was the host's until 3.7",
			Edits: []Edit{
				{"core/register.go", "\tindex := s.nets.Own(n).lastIndex\n", "\tindex := s.nets.Own(s.Sys.Init()).lastIndex\n"},
				{"core/register.go", "\t\ts.nets.Own(n).lastIndex = index\n", "\t\ts.nets.Own(s.Sys.Init()).lastIndex = index\n"}}},
		{Name: "namespaces' numbers are the host's", Kind: Limit, Precedent: "of the kind of C65: peernet2id by one idr",
			Edits: []Edit{{"core/netlink/handlers_netns.go", "\tfree := 0\n\tfor _, id := range used {", "\tfree := len(h.ids.Of(h.core.Sys.Init()).of)\n\tfor o := range n.System().Nets() {\n\t\tfree = max(free, len(h.ids.Of(o).of))\n\t}\n\tfor _, id := range used {"}}},
		{Name: "numbers of echo clients are the host's", Kind: Limit, Precedent: "of the kind of C17: a host-wide static counter",
			Edits: []Edit{{"ipv4/ping.go", "\tfor t.last++; t.byID[t.last] != nil || t.last == 0; t.last++ {\n\t}\n", "\tfirst := &s.path.nets.Own(s.Core.Sys.Init()).pings\n\tfor first.last++; t.byID[first.last] != nil || first.last == 0; first.last++ {\n\t}\n\tt.last = first.last\n"}}},
		{Name: "a rule anywhere splits everybody's tables", Kind: Limit, Precedent: "C17 ipv6: per-netns exclusive flowlabel checks, 2022: a feature's flag is the host's",
			Edits: []Edit{
				{"fib/fib.go", "\tstock *ruleSet // the rules of a Net that never changed them\n", "\tstock *ruleSet // the rules of a Net that never changed them\n\tanySplit bool\n"},
				{"fib/rulealter.go", "\tf.rules.Own(n).set.Store(arrange(rules))\n", "\tf.rules.Own(n).set.Store(arrange(rules))\n\tf.anySplit = true\n"},
				{"fib/lookup.go", "\tif t.split {\n", "\tif t.split || f.anySplit {\n"}}},
		{Name: "a tunable is written in the initial namespace", Kind: Limit, Precedent: "C22 conntrack: make sysctls per-namespace again, 2019: the data pointer is init's",
			Edits: []Edit{{"ipv4/sysctl.go", "k.at(s.conf.Own(n)).Store(int32(v))", "k.at(s.conf.Own(n.System().Init())).Store(int32(v))"}}},
		{Name: "one tunable of many is written in the initial namespace", Kind: Limit, Precedent: "C22 of that kind: one of the table's data pointers",
			Edits: []Edit{{"ipv4/sysctl.go", "\t\tif c = s.conf.Own(n); high {\n", "\t\tif c = s.conf.Own(n.System().Init()); high {\n"}}},
		{Name: "conf.all is patched, not published", Kind: Limit, Precedent: "C22 of that kind: the shared default is written",
			Edits: []Edit{
				{"ipv4/sysctlconf.go", "\tall := *old\n\tall.v[k] = v\n", "\tall := old\n\tall.v[k] = v\n"},
				{"ipv4/sysctlconf.go", "\tc.all.Store(&all)\n", "\tc.all.Store(all)\n"},
				{"ipv4/sysctlconf.go", "\t\tdev.eff.Store(s.merged(&all, dev.own.Load()))\n", "\t\tdev.eff.Store(s.merged(all, dev.own.Load()))\n"}}},
		{Name: "neigh.default is one for all", Kind: Limit, Precedent: "C22 of that kind: arp_tbl.parms",
			Edits: []Edit{{"ipv4/sysctlneigh.go", "\ts.conf.Own(n).parms.Store(&own)\n", "\ts.parms = own\n"}}},
		{Name: "a read-only tunable of the host can be written by a child", Kind: Authority, Precedent: "C23 conntrack: make global sysctls readonly in non-init, 2021",
			Edits: []Edit{{"ipv4/sysctl.go", "\t\t\tGet: func(*netns.Net, string) (string, error) { return text, nil }}); err != nil {", "\t\t\tGet: func(*netns.Net, string) (string, error) { return text, nil },\n\t\t\tSet: func(_ *netns.Net, _, v string) error { text = v; return nil }}); err != nil {"}}},
		{Name: "a child sees the host's tunables", Kind: Information, Precedent: "C24 tcp_allowed_congestion_control readonly in non-init, 2021, and C39: a view that is not filtered",
			Edits: []Edit{{"core/sysctl/sysctl.go", "\t\tif !ok || !e.gate.Admit(n) || e.InitOnly && !n.IsInit() {\n\t\t\tcontinue\n\t\t}\n\t\tif e.Instances", "\t\tif !ok || !e.gate.Admit(n) {\n\t\t\tcontinue\n\t\t}\n\t\tif e.Instances"}}},
		{Name: "TTL is the initial namespace's", Kind: Limit, Precedent: "C22 of that kind: sysctl_ip_default_ttl was the host's",
			Edits: []Edit{{"ipv4/output.go", "f.TTL = uint8(s.conf.Of(n).DefaultTTL.Load())", "f.TTL = uint8(s.conf.Of(s.Core.Sys.Init()).DefaultTTL.Load())"}}},
		{Name: "echo is ignored where the initial namespace says so", Kind: Limit, Precedent: "C22 of that kind: sysctl_icmp_echo_ignore_all was the host's",
			Edits: []Edit{{"ipv4/icmp.go", "if s.conf.Of(p.Net()).EchoIgnoreAll.Load() != 0 {", "if s.conf.Of(s.Core.Sys.Init()).EchoIgnoreAll.Load() != 0 {"}}},
	}
}
