package mutant

// gates are mutants of gates that are missing or were left.
func gates() []Mutant {
	return []Mutant{
		{Name: "a gate lets everybody pass", Kind: GateKind, Precedent: "C56 net/rds: restrict RDS/IB to init; qrtr, 2026: never gated though not ready",
			Edits: []Edit{{"netns/gate.go", "return !g.closed.Load() || n.init }", "return !g.closed.Load() || n.name != \"\" || n.init }"}}},
		{Name: "a gate keeps the initial namespace out, too", Kind: GateKind, Precedent: "of the kind of C13: a gate that was put wrongly",
			Edits: []Edit{{"netns/gate.go", "return !g.closed.Load() || n.init }", "return !g.closed.Load() }"}}},
		{Name: "a family's sockets pass by its gate", Kind: GateKind, Precedent: "C56 of that kind: a check is missing at one entry point",
			Edits: []Edit{{"core/protocol.go", "if f.af == af && f.gate.Admit(n) {", "if f.af == af {"}}},
		{Name: "a protocol's packets pass by its gate", Kind: GateKind, Precedent: "C56 of that kind: the receive path is not gated",
			Edits: []Edit{{"core/protocol.go", "\t\tif !h.gate.Admit(p.net) {\n\t\t\tw.Drop(p, GateClosed)\n\t\t\treturn\n\t\t}\n", ""}}},
		{Name: "device events pass by their gate", Kind: GateKind, Precedent: "C20 ksmbd: ignore network devices of other namespaces, 2026: a notifier without a gate",
			Edits: []Edit{{"core/protocol.go", "if h := &s.notifiers[i]; h.gate.Admit(n) {", "if h := &s.notifiers[i]; h.gate.Admit(n) || e == EventRegister {"}}},
		{Name: "a dump passes by its gate", Kind: GateKind, Precedent: "C10 of that kind: get is gated, the walk is not",
			Edits: []Edit{{"core/netlink/rtnetlink.go", "if f == unix.AF_BRIDGE || !h.Gate.Admit(n) {", "if f == unix.AF_BRIDGE {"}}},
		{Name: "tunables are written past their gate", Kind: GateKind, Precedent: "C23 of that kind: a table without a check",
			Edits: []Edit{{"core/sysctl/sysctl.go", "\t\tif !ok || !e.gate.Admit(n) || e.InitOnly", "\t\tif !ok || e.InitOnly"}}},
		{Name: "a left-over gate drops a lifted family's packets", Kind: Isolation, Precedent: "C13 llc: don't drop packet from non-root netns, 2023",
			Edits: []Edit{{"core/gates.go", "{Layer: LayerTransport, Entry: \"17\", Open: true,", "{Layer: LayerTransport, Entry: \"17\", Open: false,"}}},
		{Name: "a left-over gate hides messages", Kind: Isolation, Precedent: "C13 of that kind: rtnetlink refused all but init until 2008",
			Edits: []Edit{{"core/gates.go", "{Layer: LayerNetlink, Entry: \"rule\", Open: true,", "{Layer: LayerNetlink, Entry: \"rule\", Open: false,"}}},
		{Name: "a left-over gate keeps device events back", Kind: Isolation, Precedent: "C13 of that kind: notifiers saw init_net only",
			Edits: []Edit{{"core/gates.go", "{Layer: LayerNotifier, Entry: \"link\", Open: true,", "{Layer: LayerNotifier, Entry: \"link\", Open: false,"}}},
	}
}

// isolations are further mutants by which what should be shared, or should work
// in every Net, is cut off.
func isolations() []Mutant {
	return []Mutant{
		{Name: "echo replies are for the initial namespace only", Kind: Isolation, Precedent: "C12 l2tp: make l2tp_ip6 namespace aware, 0e6b5259824e: one path is hard-wired to init",
			Edits: []Edit{{"ipv4/ping.go", "g := s.path.nets.Of(p.Net()).pings.get(m.ID())", "g := s.path.nets.Of(s.Core.Sys.Init()).pings.get(m.ID())"}}},
		{Name: "sockets bind to the initial namespace's addresses", Kind: Isolation, Precedent: "C12 of that kind: inet_addr_type(&init_net, ...)",
			Edits: []Edit{{"transport/udp/conn.go", "switch c.u.ip.AddrType(c.n, a.As4()) {", "switch c.u.ip.AddrType(c.n.System().Init(), a.As4()) {"}}},
		{Name: "a child cannot name another namespace", Kind: Isolation, Precedent: "C14 af_unix: put pathname sockets in the global hash, 51bae889fe11: what is named outside net is replicated",
			Edits: []Edit{{"core/netlink/handlers_link.go", "\tif m.Has&LinkNewNet != 0 {\n\t\tto, err := h.netOf(m.NewNet)\n\t\tif err != nil {", "\tif m.Has&LinkNewNet != 0 {\n\t\tto, err := h.netOf(m.NewNet)\n\t\tif err == nil && !n.IsInit() {\n\t\t\tto.Put()\n\t\t\terr = syscall.EINVAL\n\t\t}\n\t\tif err != nil {"}}},
		{Name: "entries are lost when a table grows", Kind: Isolation, Precedent: "of the kind of C12: the new chains are found by another mix than the old",
			Edits: []Edit{{"netns/hash.go", "push(chain(chains, c.sum, salt(c.net)), c)", "push(chain(chains, c.sum, salt(1)), c)"}}},
		{Name: "a veth reaches its own namespace only", Kind: Isolation, Precedent: "of the kind of C12: net_eq where none belongs",
			Edits: []Edit{{"core/link/veth.go", "\tif peer == nil { // the pair is being deleted\n", "\tif peer == nil || peer.Net() != d.Net() && p.Type == core.ToBroadcast {\n"}}},
		{Name: "a broadcast is not for children of another namespace", Kind: Isolation, Precedent: "of the kind of C12, in macvlan_broadcast",
			Edits: []Edit{{"core/link/passthrough.go", "\t\tif kid != from && kid.Up() {\n", "\t\tif kid != from && kid.Up() && kid.Net() == sh.lower.Net() {\n"}}},
		{Name: "ARP answers in the initial namespace only", Kind: Isolation, Precedent: "C12 of that kind: arp_rcv refused all but init_net until 2008",
			Edits: []Edit{{"ipv4/arp.go", "\tcase dev == nil || d.Flags()&core.FlagNoARP != 0:\n", "\tcase dev == nil || d.Flags()&core.FlagNoARP != 0 || !p.Net().IsInit():\n"}}},
	}
}
