package mutant

// raws are mutants of raw and ping sockets and of proxies.
func raws() []Mutant {
	return []Mutant{
		{Name: "raw sockets get the packets of every namespace", Kind: Tag, Precedent: "of the kind of C9: the way of many receivers, raw_v4_match without net_eq",
			Edits: []Edit{{"transport/raw/four.go", "\tlist, _ := r.sockets.Get(p.Net(), protoKey{proto: ip.Proto()})\n",
				"\tvar list []*Conn\n\tfor n := range p.Net().System().Nets() {\n\t\tl, _ := r.sockets.Get(n, protoKey{proto: ip.Proto()})\n\t\tlist = append(list, l...)\n\t}\n"}}},
		{Name: "raw IPv6 sockets get the packets of every namespace", Kind: Tag, Precedent: "the same in raw_v6_match",
			Edits: []Edit{{"transport/raw/six.go", "\tlist, _ := r.sockets.Get(p.Net(), protoKey{true, proto})\n\tif len(list)",
				"\tvar list []*Conn\n\tfor n := range p.Net().System().Nets() {\n\t\tl, _ := r.sockets.Get(n, protoKey{true, proto})\n\t\tlist = append(list, l...)\n\t}\n\tif len(list)"}}},
		{Name: "a raw socket anywhere takes a protocol from unreachable", Kind: Tag, Precedent: "of the kind of C17: what one namespace has changes what all answer",
			Edits: []Edit{{"ipv4/raw.go", "\treturn s.raw.gate.Admit(p.Net()) && s.raw.sock.Deliver(w, p, ip)\n",
				"\ts.raw.sock.Deliver(w, p, ip)\n\treturn true\n"}}},
		{Name: "ping sockets are found by identifier alone", Kind: Tag, Precedent: "of the kind of C8: ping_lookup without net_eq",
			Edits: []Edit{{"transport/raw/ping.go", "\tlist, _ := r.pings.Get(n, id)\n\tfor _, c := range list {\n",
				"\tvar list []*Conn\n\tfor o := range n.System().Nets() {\n\t\tl, _ := r.pings.Get(o, id)\n\t\tlist = append(list, l...)\n\t}\n\tfor _, c := range list {\n"}}},
		{Name: "identifiers of ping sockets are the host's", Kind: Information, Precedent: "ping_port_rover of net/ipv4/ping.c, still one for all",
			Edits: []Edit{{"transport/raw/ping.go", "\tv := r.rover.Own(n)\n", "\tv := r.rover.Own(n.System().Init())\n"}}},
		{Name: "ping_group_range is the host's", Kind: Authority, Precedent: "of the kind of C22: ping_group_range of the initial namespace is asked",
			Edits: []Edit{{"ipv4/pingsock.go", "\tv := s.conf.Of(n).pingGroups.Load()\n\treturn uint32(v>>32) <= group", "\tv := s.conf.Of(n.System().Init()).pingGroups.Load()\n\treturn uint32(v>>32) <= group"}}},
		{Name: "raw sockets outlive their namespace", Kind: Lifecycle, Precedent: "of the kind of C72: one exit of many is forgotten",
			Edits: []Edit{{"transport/raw/raw.go", "\tfor _, c := range r.Sockets(n) {\n\t\tc.shut(true)\n", "\tfor _, c := range r.Sockets(n) {\n\t\tif c.ping {\n\t\t\tc.shut(true)\n\t\t}\n"}}},
		{Name: "a proxy entry answers in every namespace", Kind: Tag, Precedent: "of the kind of C8: pneigh_lookup without the Net",
			Edits: []Edit{{"core/proxy.go", "\te, ok := s.proxies.Get(n, proxyKey(d, a))\n", "\te, ok := s.proxies.Get(n, proxyKey(d, a))\n\tfor o := range n.System().Nets() {\n\t\tif !ok {\n\t\t\te, ok = s.proxies.Get(o, proxyKey(d, a))\n\t\t}\n\t}\n"}}},
		{Name: "questions that wait for proxies are limited for the host", Kind: Limit, Precedent: "C28 of that kind: proxy_qlen of one queue, until 0ff4eb3d5ebb (2022) not even a device's",
			Edits: []Edit{{"core/proxydelay.go", "\t\tif o.dev == d && o.family == family {\n\t\t\twaiting++\n\t\t}\n\t}\n",
				"\t\tif o.dev == d && o.family == family {\n\t\t\twaiting++\n\t\t}\n\t}\n\tfor o := range n.System().Nets() {\n\t\tif o != n {\n\t\t\twaiting += len(s.neighs.Of(o).asked)\n\t\t}\n\t}\n"}}},
		{Name: "proxies draw their delays from the initial namespace's stream", Kind: Information, Precedent: "of the kind of C38: get_random_u32_below is the host's",
			Edits: []Edit{{"core/proxydelay.go", "time.Duration(n.Uint64N(", "time.Duration(n.System().Init().Uint64N("}}},
	}
}
