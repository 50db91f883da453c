package mutant

// crossings are mutants that carry across what must not cross, or do not
// account for what does.
func crossings() []Mutant {
	return []Mutant{
		{Name: "a mark crosses", Kind: Crossing, Precedent: "C41 openvswitch: scrub skb between namespaces, 740dbc289155",
			Edits: []Edit{{"core/packet.go", "\tif cross {\n\t\tp.Mark = 0\n\t}\n", "\t_ = cross\n"}}},
		{Name: "connection tracking crosses", Kind: Crossing, Precedent: "C41 of that kind: nf_reset_ct is missing",
			Edits: []Edit{{"core/packet.go", "\tp.Conntrack = nil\n\tp.Opts = [4]uint16{}\n", "\tp.Opts = [4]uint16{}\n"}}},
		{Name: "a second door does not scrub", Kind: Crossing, Precedent: "C41 openvswitch: scrub skb between namespaces, 740dbc289155: an internal port's own path",
			Edits: []Edit{{"core/receive.go", "\tif p.Dev != d || p.net != books.net { // else it is a loopback, and did not leave\n\t\tp.scrub(p.net != books.net)\n\t}\n", "\tif p.net == books.net && p.Dev != d {\n\t\tp.scrub(false)\n\t}\n"}}},
		{Name: "the scrub clears what stays in the namespace", Kind: Isolation, Precedent: "of the kind of C42 Revert \"Reset secmark when scrubbing\", 4c0ee414e877: more is cleared than the crossing asks for",
			Edits: []Edit{{"core/packet.go", "\tif cross {\n\t\tp.Mark = 0\n\t}\n", "\tp.Mark = 0\n"}}},
		{Name: "the scrub forgets an unfinished checksum", Kind: Isolation, Precedent: "C42 of that kind, 4c0ee414e877: the scrub clears what describes the bytes",
			Edits: []Edit{{"core/packet.go", "\tif cross {\n\t\tp.Mark = 0\n\t}\n", "\tif cross {\n\t\tp.Mark, p.Checksum = 0, ChecksumNone\n\t}\n"}}},
		{Name: "a packet keeps its tag through the door", Kind: Crossing, Precedent: "of the kind of C12: the receive path asks the sender's Net",
			Edits: []Edit{{"core/receive.go", "\tp.net, p.books, p.Dev = books.net, books, d\n", "\tif p.books == nil {\n\t\tp.net, p.books = books.net, books\n\t}\n\tp.Dev = d\n"}}},
		{Name: "a packet stays in its sender's books", Kind: Crossing, Precedent: "of the kind of C21: the container moves, what hangs on it does not",
			Edits: []Edit{{"core/receive.go", "\tp.net, p.books, p.Dev = books.net, books, d\n", "\tif p.books == nil {\n\t\tp.books = books\n\t}\n\tp.net, p.Dev = books.net, d\n"}}},
		{Name: "a datagram without a socket is forgotten", Kind: Crossing, Precedent: "C72 of that kind: a get without a put on an error branch",
			Edits: []Edit{{"transport/udp/udp.go", "\t\tu.ip.SendICMP(w, p, wire.ICMPDestUnreach, wire.ICMPPortUnreach, 0)\n\t\tw.Drop(p, core.NoSocket)\n",
				"\t\tu.ip.SendICMP(w, p, wire.ICMPDestUnreach, wire.ICMPPortUnreach, 0)\n"}}},
		{Name: "what waited for a dead neighbour stays held", Kind: Crossing, Precedent: "C72 devlink reload, cls_u32: reference imbalance on an error branch",
			Edits: []Edit{{"core/neigh_gc.go", "\t\tp.books.held.Add(-1)\n", "\t\t_ = p\n"}}},
		{Name: "frames for a device that is down are forgotten", Kind: Crossing, Precedent: "C72 of that kind: kfree_skb is missing on one branch",
			Edits: []Edit{{"core/receive.go", "\tbooks.in.Add(1)\n\tif !live {\n\t\td.stats.rxDropped.Add(1)\n\t\tw.Drop(p, DeviceDown)\n", "\tbooks.in.Add(1)\n\tif !live {\n\t\td.stats.rxDropped.Add(1)\n"}}},
		{Name: "too old fragments are not let go", Kind: Crossing, Precedent: "C72 of that kind: a leak on the timer's branch",
			Edits: []Edit{{"ipv4/reasm.go", "\t\ts.unhold(w, q.state, p)\n\t\tif i == 0 && first {", "\t\tif i == 0 && first {"}}},
	}
}
