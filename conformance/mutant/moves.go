package mutant

// moves are mutants of devices that change their Net.
func moves() []Mutant {
	return []Mutant{
		{Name: "a device that moved is found under its old name", Kind: Move, Precedent: "C47 ip_tunnel, ip6_tunnel, ip6gre: fix namespaces move, 2020",
			Edits: []Edit{{"core/register.go", "\ts.devices.Delete(from, nameKey(d.Name()))\n", ""}}},
		{Name: "a device that moved is found under its old number", Kind: Move, Precedent: "C47 of that kind: the entry by index stays",
			Edits: []Edit{{"core/register.go", "\ts.devices.Delete(from, indexKey(d.Index()))\n", ""}}},
		{Name: "neighbours stay behind a device that moved", Kind: Move, Precedent: "C47 of that kind: entries are left in the old Net's table",
			Edits: []Edit{
				{"core/register.go", "\ts.flushNeigh(d)\n", ""},
				{"ipv4/event.go", "\ts.FIB.DeviceGone(n, d)\n\ts.Core.FlushNeighbours(core.AFInet, d, true)\n\ts.FIB.DevicesChanged(n)\n", "\ts.FIB.DeviceGone(n, d)\n\ts.FIB.DevicesChanged(n)\n"},
				{"ipv4/event.go", "\t\t\ts.FIB.DeviceDown(n, d)\n\t\t\ts.Core.FlushNeighbours(core.AFInet, d, true)\n", "\t\t\ts.FIB.DeviceDown(n, d)\n"},
				{"ipv4/addr.go", "\t\ts.Core.FlushNeighbours(core.AFInet, dev.dev, true)\n", ""},
				{"ipv4/event.go", "\t\t\ts.Core.FlushNeighbours(core.AFInet, d, false)\n", "\t\t\t_ = d\n"}}},
		{Name: "addresses go along with a device that moves", Kind: Move, Precedent: "C47 of that kind: what the old Net gave is kept",
			Edits: []Edit{{"ipv4/event.go", "\tcase core.EventUnregister:\n\t\ts.detach(dev)\n", "\tcase core.EventUnregister:\n\t\tif !n.Alive() {\n\t\t\ts.detach(dev)\n\t\t}\n"}}},
		{Name: "routes stay when their device has gone", Kind: Move, Precedent: "C1 of that kind, 7462bd744e88: fib_sync_down is not told",
			Edits: []Edit{{"ipv4/event.go", "\ts.FIB.DeviceGone(n, d)\n\ts.Core", "\ts.Core"}}},
		{Name: "a port stays in its bridge when it moves", Kind: Move, Precedent: "C51 hv_netvsc: VF namespace follows synthetic NIC, 2024: half of a pair moves",
			Edits: []Edit{{"core/register.go", "\tif d.master != nil {\n\t\ts.dropMaster(d)\n\t}\n\ts.notify(EventUnregister, d)", "\ts.notify(EventUnregister, d)"}}},
		{Name: "what stands on a device stays when it moves", Kind: Move, Precedent: "C21 devlink instance and port in same netns, 2020: container moved, child not",
			Edits: []Edit{{"core/register.go", "\tgone := s.unlistUppers(d, nil, true)\n\ts.down(d)\n", "\tvar gone []*Device\n\ts.down(d)\n"}}},
		{Name: "a capture goes along with a device that moves", Kind: Move, Precedent: "C47 of that kind: packet_notifier is not told",
			Edits: []Edit{{"core/register.go", "\tif h := d.hooks.Load(); h != nil && h.taps != nil {\n\t\td.editHooks(func(h *hooks) { h.taps = nil })\n\t}\n", ""}}},
		{Name: "a bridge can be moved", Kind: Move, Precedent: "C52 amt: no cross-netns, CVE-2026-90232: the immovable flag is missing",
			Edits: []Edit{{"core/link/bridge.go", "spec.NetLocal, spec.Stacked = true, true", "spec.NetLocal, spec.Stacked = false, true"}}},
		{Name: "a device is freed by its move", Kind: Move, Precedent: "C48 cfg80211: double free after changing netns, 2020",
			Edits: []Edit{{"core/register.go", "\ts.finish(d)\n\tindex := d.Index()\n", "\ts.finish(d)\n\ts.free(d)\n\tindex := d.Index()\n"}}},
		{Name: "a move loses what was said of the device", Kind: Move, Precedent: "C44 Fix device renaming for sysfs, aaf8cdc34ddb, reverted by a1b3f594dc5f: move as delete and create",
			Edits: []Edit{{"core/netlink/handlers.go", "\t\th.mark(d, func(x linkExtra) linkExtra { x.wasUp = false; return x })\n", "\t\th.mark(d, func(x linkExtra) linkExtra { return linkExtra{} })\n"}}},
		{Name: "the number of a device that moves is looked up where it was", Kind: Move, Precedent: "C53 ipv6: Init tunnel link-netns before registering dev, 2025: the Net of the wrong side",
			Edits: []Edit{{"core/register.go", "\tif _, taken := s.devices.Get(to, indexKey(index)); taken {\n\t\tindex = 0\n\t}\n\tif err := s.list(to, d, want, index); err != nil {", "\tif _, taken := s.devices.Get(from, indexKey(index)); taken {\n\t\tindex = 0\n\t}\n\tif err := s.list(to, d, want, index); err != nil {"}}},
		{Name: "a veth's peer is born on the wrong side", Kind: Move, Precedent: "C53 ipv6: Init tunnel link-netns before registering dev, 2025",
			Edits: []Edit{{"core/link/veth.go", "peer, err := s.Register(in, spec(k, far, b))", "peer, err := s.Register(n, spec(k, far, b))"}}},
		{Name: "a NIC ends with its namespace", Kind: Move, Precedent: "C50 can: dev: move device back to init netns on owning netns delete, 2021",
			Edits: []Edit{{"core/register.go", "\t\tif d.real && d.Net() == n {\n", "\t\tif d.real && d.Net() == n && d.driver == nil {\n"}}},
		{Name: "a NIC that comes home takes a name that is taken", Kind: Move, Rare: "two NICs of one name must have been handed out", Precedent: "of the kind of C50: default_device_exit_net does not look for the name",
			Edits: []Edit{{"core/register.go", "\t\tname = fmt.Sprintf(\"dev%d\", index)\n", "\t\tname = d.Name()\n"}, {"core/register.go", "\t\tname = \"dev%d\"\n", "\t\tname = d.Name()\n"}}},
		{Name: "what is captured by name is another's device", Kind: Move, Precedent: "of the kind of C66: user space keeps what has moved",
			Edits: []Edit{{"host/capture.go", "k := captureKey{n.ID(), p.Dev}\n\th.mu.Lock()\n\tdefer", "k := captureKey{0, p.Dev}\n\th.mu.Lock()\n\tdefer"}}},
	}
}
