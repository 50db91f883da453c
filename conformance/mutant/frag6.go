package mutant

// frag6s are mutants of IPv6's fragments and flow labels.
func frag6s() []Mutant {
	return []Mutant{
		{Name: "IPv6 fragments of all are one datagram's", Kind: Tag, Precedent: "of the kind of C7: the queue is looked up without its Net",
			Edits: []Edit{
				{"ipv6/frag.go", "\tif q, ok := s.path.frags.Get(n, key); ok {\n", "\tif q, ok := s.path.frags.Get(s.Core.Sys.Init(), key); ok {\n"},
				{"ipv6/frag.go", "\tif s.path.frags.Add(n, key, q) != nil {\n", "\tif s.path.frags.Add(s.Core.Sys.Init(), key, q) != nil {\n"},
				{"ipv6/frag.go", "\ts.path.frags.Delete(n, q.key)\n", "\ts.path.frags.Delete(s.Core.Sys.Init(), q.key)\n"}}},
		{Name: "IPv6 fragments share one memory", Kind: Limit, Precedent: "C28 of that kind: ip6frag_high_thresh for the host",
			Edits: []Edit{{"ipv6/frag.go", "\tst := s.path.nets.Own(n)\n\tif high", "\tst := s.path.nets.Own(s.Core.Sys.Init())\n\tif high"}}},
		{Name: "IPv6 fragments that overlap are believed", Kind: Crossing, Precedent: "of the kind of CVE-2012-4444 (RFC 5722): only what overlaps is dropped",
			Edits: []Edit{{"ipv6/frag.go", "\tcase fragOverlap:\n\t\treturn nil, s.killFrags(w, q, p)\n", "\tcase fragOverlap:\n\t\tw.Drop(p, core.FragmentBad)\n\t\treturn nil, nil\n"}}},
		{Name: "IPv6 fragments forget their link", Kind: Tag, Precedent: "of the kind of 264640fc2c5f: distinguish frag queues by device for multicast and link-local, 2012",
			Edits: []Edit{{"ipv6/frag.go", "\t\tkey.iif = int32(p.Dev.Index())\n", ""}}},
		{Name: "IPv6's identifications are drawn from the initial namespace's stream", Kind: Information, Precedent: "C38 of that kind: get_random_u32 is the host's",
			Edits: []Edit{{"ipv6/fragment.go", "1 + uint32(n.Uint64N(1<<32-1))", "1 + uint32(n.System().Init().Uint64N(1<<32-1))"}}},
		{Name: "flow labels are leased for the host", Kind: Limit, Precedent: "C17 of that kind: per-netns exclusive flowlabel checks, 0b0dff5b3b98, 2022",
			Edits: []Edit{
				{"ipv6/flowlabel.go", "\tst := g.inet.path.nets.Own(g.net)\n", "\tst := g.inet.path.nets.Own(g.net.System().Init())\n"},
				{"ipv6/ping.go", "\t\tg.inet.path.nets.Own(g.net).labels.release(", "\t\tg.inet.path.nets.Own(g.net.System().Init()).labels.release("}}},
		{Name: "IPv6 fragments outlive their Net", Kind: Lifecycle, Precedent: "C75 of that kind: hold netns during deferred reinjection, 2026: what is deferred is not ended",
			Edits: []Edit{{"ipv6/path.go", "netns.Attend(sys, \"ipv6-path-exit\", nil, s.pathPreExit, s.pathExit)", "netns.Attend(sys, \"ipv6-path-exit\", nil, nil, nil)"}}},
	}
}
