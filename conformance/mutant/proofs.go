package mutant

// orders are mutants of who moves a packet and when, and of what a seed may show.
// Killed by law 1 (schedule), law 5 and law 5 (another seed), the listing by nearly all.
func orders() []Mutant {
	return []Mutant{
		{Name: "what arrives while a batch is processed waits for the next", Kind: Isolation, Precedent: "of the kind of C84: napi_complete_done before the last look at the ring, so that nobody wakes",
			Edits: []Edit{{"core/receive.go", "\tagain := b.packets.n > 0 && d.live.Load()\n", "\tagain := b.packets.n > 0 && d.live.Load() && done == budget\n"}}},
		{Name: "a batch is processed from its end", Kind: Isolation, Precedent: "of the kind of the list of GRO, whose packets came out last first",
			Edits: []Edit{{"core/receive.go", "\tb.mu.Unlock()\n\tfor p := batch.pop(); p != nil; p = batch.pop() {\n\t\tdone++\n", "\tb.mu.Unlock()\n\tvar turned packetList\n\tvar all []*Packet\n\tfor p := batch.pop(); p != nil; p = batch.pop() {\n\t\tall = append(all, p)\n\t}\n\tfor i := range all {\n\t\tturned.push(all[len(all)-1-i])\n\t}\n\tbatch = turned\n\tfor p := batch.pop(); p != nil; p = batch.pop() {\n\t\tdone++\n"}}},
		{Name: "identifications are drawn by each processor", Kind: Information, Precedent: "of the kind of C38: prandom_u32 had a state for each CPU",
			Edits: []Edit{{"ipv4/output.go", "s.path.nets.Own(n).ids.next(n, f.Dst, f.Proto)", "s.path.nets.Own(n).ids.next(n, f.Dst, f.Proto^uint8(w.CPU()<<7))"}}},
		{Name: "who moves a process's packets is the clock's choice", Kind: Information, Precedent: "of the kind of C38: what happens depends on what no namespace has, so that no run can be replayed",
			Edits: []Edit{{"core/worker.go", "\treturn s.workers[int(s.seats.Add(1))%len(s.workers)]\n", "\treturn s.workers[int(time.Now().UnixNano()/7)%len(s.workers)]\n"}}},
		{Name: "devices are listed as a map has them", Kind: Information, Precedent: "of the kind of C36: the order of what is listed tells of addresses in memory",
			Edits: []Edit{{"core/name.go", "\tslices.SortFunc(all, func(a, b *Device) int { return a.Index() - b.Index() })\n", "\tm := map[*Device]bool{}\n\tfor _, d := range all {\n\t\tm[d] = true\n\t}\n\tall = all[:0]\n\tfor d := range m {\n\t\tall = append(all, d)\n\t}\n"}}},
		{Name: "a path is chosen by a number that the host has drawn", Kind: Information, Precedent: "fib_multipath_hash_seed of 0 is that in Linux; a run must replay",
			Edits: []Edit{{"netns/chance.go", "// digest turns (seed, name)", "// HostSeed is the mutant's.\nfunc (s *System) HostSeed() uint64 { return s.config.Seed }\n\n// digest turns (seed, name)"},
				{"ipv4/multipath.go", "\tres.Pick(k.HashBy(policy, uint32(c.HashFields.Load()), c.HashSeed.Load(), nil))\n", "\tres.Pick(k.HashBy(policy, uint32(c.HashFields.Load()), c.HashSeed.Load()^uint32(n.System().HostSeed()), nil))\n"}}},
	}
}

// froms are mutants of IPv6's routes for some sources. The golden judge alone (ipv6-from.lab)
// kills those of the order of keys, beside fib's TestFromAgreesWithSlice; solo kills the
// one that asks another namespace.
func froms() []Mutant {
	return []Mutant{
		{Name: "the source of a route is not asked", Kind: Tag, Precedent: "of the kind of C8: half of the key is compared. fib6_node_lookup without fn_subtree",
			Edits: []Edit{{"fib/from.go", "\t\tif a.tos == 0 || src.IsValid() && a.info.from.Contains(src) {\n", "\t\tif a.tos == 0 || src.IsValid() {\n"}}},
		{Name: "the longest source goes before the longest destination", Kind: Isolation, Precedent: "of the kind of C12: the other order of two keys, which a draft of dst-src-routing had",
			Edits: []Edit{{"fib/from.go", "\tchosen := false\n", "\tchosen := false\n\tvar best *alias\n\tfor a, plen := tr.lookup(k); a != nil; a, plen = tr.below(k, plen-1) {\n\t\tif c := a.fits(fl.Src); c != nil && (best == nil || c.tos > best.tos) && typeErrno[c.typ] == 0 {\n\t\t\tif hop := f.choose(c.info, fl); hop != nil {\n\t\t\t\tbest = c\n\t\t\t\tres.Hop, res.Type, res.Scope, res.Table = hop, c.typ, c.scope, id\n\t\t\t\tres.plen, res.dst, res.alias = plen, k, c\n\t\t\t}\n\t\t}\n\t\tif plen == 0 {\n\t\t\tbreak\n\t\t}\n\t}\n\tif best != nil && best.tos != 0 {\n\t\treturn 0\n\t}\n"}}},
		{Name: "what a destination has for all sources is taken beside those for some", Kind: Isolation, Precedent: "of the kind of C12: what RFC 8028 would have, and Linux has not",
			Edits: []Edit{{"fib/from.go", "\tchosen := false\n", "\tchosen := true\n"}}},
		{Name: "routes for some sources are the initial namespace's", Kind: Tag, Precedent: "of the kind of C3: fib6_node_lookup below init_net's subtree",
			Edits: []Edit{{"fib/lookup.go", "\tif errno = f.find(t.local, TableLocal, k, fl, &res); errno == syscall.EAGAIN {\n\t\t\t\terrno = f.find(t.main, TableMain, k, fl, &res)\n", "\tif errno = f.find(t.local, TableLocal, k, fl, &res); errno == syscall.EAGAIN {\n\t\t\t\tif i := f.homes.Of(n.System().Init()).tables.Load(); i != nil && i.main != nil && i.main != t.main && f.find(i.main, TableMain, k, fl, &res) == 0 && res.alias.tos != 0 {\n\t\t\t\t\treturn res, nil\n\t\t\t\t}\n\t\t\t\terrno = f.find(t.main, TableMain, k, fl, &res)\n"}}},
		{Name: "a source for the second look is chosen in the initial namespace", Kind: Tag, Precedent: "of the kind of C3: ip6_dst_lookup_tail with &init_net",
			Edits: []Edit{{"ipv6/routefrom.go", "\tsrc := s.SelectSource(n, nil, f.Dst)\n", "\tsrc := s.SelectSource(n.System().Init(), nil, f.Dst)\n"}}},
		{Name: "routes for some sources are one with those for all", Kind: Tag, Precedent: "of the kind of C8: EEXIST though the other half of the key differs",
			Edits: []Edit{{"fib/from.go", "\ta.tos, a.info.from = uint8(from.Bits()), &from\n", "\ta.tos, a.info.from = 64, &from\n"}}},
	}
}

// ways are mutants of what a flow's hash chooses. Killed by law 2 (ways).
func ways() []Mutant {
	return []Mutant{
		{Name: "the initial namespace's hash policy is everybody's", Kind: Limit, Precedent: "C22 of that kind: sysctl_fib_multipath_hash_policy was not yet a net's",
			Edits: []Edit{{"ipv4/multipath.go", "\tc := s.conf.Of(n)\n\tpolicy := c.HashPolicy.Load()\n\tif policy == 0 {\n\t\tpolicy = 2\n", "\tc := s.conf.Of(n)\n\tpolicy := s.conf.Of(n.System().Init()).HashPolicy.Load()\n\tif policy == 0 {\n\t\tpolicy = 2\n"}}},
		{Name: "the initial namespace's hash policy is for all that is forwarded", Kind: Limit, Precedent: "the same where a packet came in",
			Edits: []Edit{{"ipv4/multipath.go", "\tc := s.conf.Of(n)\n\tpolicy := c.HashPolicy.Load()\n\tif policy == 0 {\n\t\tres.Pick", "\tc := s.conf.Of(n)\n\tpolicy := s.conf.Of(n.System().Init()).HashPolicy.Load()\n\tif policy == 0 {\n\t\tres.Pick"}}},
		{Name: "one seed chooses the paths of all namespaces", Kind: Information, Precedent: "of the kind of C38: the siphash key of fib_multipath_hash is the host's until it is set",
			Edits: []Edit{{"ipv4/multipath.go", "\t\t\t\ts.conf.Own(n).HashSeed.Store(uint32(v))\n", "\t\t\t\tfor o := range n.System().Nets() {\n\t\t\t\t\ts.conf.Own(o).HashSeed.Store(uint32(v))\n\t\t\t\t}\n"}}},
		{Name: "IPv6: the seed of paths is the initial namespace's", Kind: Limit, Precedent: "C22 of that kind: a tunable of the other family, asked of init_net",
			Edits: []Edit{{"ipv6/multipath.go", "\treturn s.seed(n)\n", "\treturn s.seed(n.System().Init())\n"}}},
		{Name: "IPv6: the initial namespace's hash policy is everybody's", Kind: Limit, Precedent: "C22 of that kind, in rt6_multipath_hash",
			Edits: []Edit{{"ipv6/multipath.go", "\tswitch policy := c.HashPolicy.Load(); policy {\n", "\tswitch policy := s.conf.Of(n.System().Init()).HashPolicy.Load(); policy {\n"}}},
		{Name: "a path is chosen by the tag too", Kind: Information, Precedent: "of the kind of C36: net_hash_mix in what strangers can see",
			Edits: []Edit{{"ipv4/multipath.go", "\tres.Pick(k.HashBy(policy, uint32(c.HashFields.Load()), c.HashSeed.Load(), nil))\n", "\tres.Pick(k.HashBy(policy, uint32(c.HashFields.Load()), c.HashSeed.Load()^uint32(n.ID()), nil))\n"}}},
		{Name: "the weight of a next hop is not asked", Kind: Isolation, Precedent: "of the kind of C12: fib_rebalance that counts hops",
			Edits: []Edit{{"fib/alias.go", "\t\t\ttotal += uint64(hops[i].Weight)\n", "\t\t\ttotal++\n"}, {"fib/alias.go", "\t\t\tsum += uint64(hops[i].Weight)\n", "\t\t\tsum++\n"}}},
		{Name: "the fields of a path's hash are not asked", Kind: Limit, Precedent: "C22 of that kind: fib_multipath_hash_fields is read, and its default used",
			Edits: []Edit{{"core/wire/flowkeys.go", "\tif !k.V6 {\n\t\tfields &^= FieldLabel\n", "\tif fields = FieldSrc | FieldDst | FieldProto; !k.V6 {\n\t\tfields &^= FieldLabel\n"}}},
		{Name: "a path is chosen by addresses, whatever the policy", Kind: Limit, Precedent: "C22 of that kind: one of the policies falls through",
			Edits: []Edit{{"core/wire/flowkeys.go", "\tcase 1:\n\t\treturn k.Only(FieldSrc | FieldDst | FieldProto | FieldSPort | FieldDPort).Hash(seed)\n", "\tcase 1:\n\t\treturn k.Only(FieldSrc | FieldDst).Hash(seed)\n"}}},
	}
}
