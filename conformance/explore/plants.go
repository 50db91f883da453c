package explore

// A Plant is a race that is planted into the model's code, for the explorer to find.
type Plant struct {
	Name      string
	Tells     string // what was broken, in a sentence
	Precedent string // where the like of it has happened
	Edits     []Edit
	Scenes    []string // that must find it, each of them
}

// Plants are the races that the explorer must find.
func Plants() []Plant {
	return append(lifePlants(), packetPlants()...)
}

// one is a Plant of a single edit.
func one(name, tells, precedent, file, from, to string, scenes ...string) Plant {
	return Plant{name, tells, precedent, []Edit{{file, from, to}}, scenes}
}

func lifePlants() []Plant {
	return []Plant{
		one("by-name", "a lookup by name returns a Net whether or not it can still be held", "GHSA-9324-w9gg-mxf6, by name",
			"netns/directory.go", "n := s.dir.byName[name]; n != nil && n.Hold()", "n := s.dir.byName[name]; n != nil && (n.Hold() || true)", "name-put"),
		one("by-id", "a lookup by ID returns a Net whether or not it can still be held", "get_net_ns_by_id without a look at the count (GHSA-9324-w9gg-mxf6)",
			"netns/directory.go", "n := s.dir.byID[id]; n != nil && n.Hold()", "n := s.dir.byID[id]; n != nil && (n.Hold() || true)", "id-delete"),
		one("hold-adds", "Hold looks at the count and then adds to it, in two steps", "of the same kind",
			"netns/net.go", "if n.alive.CompareAndSwap(c, c+1) {", "if n.alive.Add(1) > 0 {", "hold-delete"),
		one("no-grace", "an exit does not wait for a grace period", "xfrm: policy_bydst sync moved from exit to pre_exit (2026)",
			"netns/life.go", "	s.timers.stopAll(batch)\n	s.Synchronize()\n", "	s.timers.stopAll(batch)\n", "reader-delete-tagged", "timer-exit", "receive-delete"),
		{"purge-any-dead", "exits run side by side, and a sweep takes the entries of any dead Net", "tcp: prevent concurrent execution of tcp_sk_exit_batch (2024)", []Edit{
			{"netns/life.go", "batch := s.dir.exhume(s.batch[:0])", "batch := s.dir.exhume(nil)"},
			{"netns/life.go", "	s.exit(batch, len(s.subs))\n	clear(batch)", "	s.Unlock()\n	s.exit(batch, len(s.subs))\n	s.Lock()\n	clear(batch)"},
			{"netns/hash.go", "	if walk {\n		h.sweepWalking(n)", "	if own != nil || walk {\n		h.sweepWalking(n)"},
			{"netns/hash.go", "			if e.net == n.id {\n				h.unlink", "			if n.sys.dir.byID[e.net] == nil {\n				h.unlink"},
		}, []string{"two-exits"}},
		one("free-at-dying", "a Net lets go of its homes when it begins to die, not when nobody looks any more", "net: defer final struct net free (2024)",
			"netns/net.go", "	case c == 0:\n		n.sys.dir.bury(n)", "	case c == 0:\n		n.bare()\n		n.sys.dir.bury(n)", "reader-delete-replicated"),
		one("unname-any", "the end of a Net takes its name away, whoever has it by now", "nsid cleared too early (6d458f5b4ece)",
			"netns/directory.go", "if n.named.Load() { // its holder", "if n.name != \"\" { // its holder", "rename-reuse"),
		one("walk-unlocked", "a walk over all Nets takes no lock", "for_each_net without lock (f4618d39a34d)",
			"netns/directory.go", "	d.mu.Lock()\n	defer d.mu.Unlock()\n	list := make", "	list := make", "walk-delete"),
		one("timer-rearm", "a timer can be set for a Net that dies", "dccp: use after free in tw_timer_handler (ec7cb62d18d8)",
			"netns/timer.go", "if t.net.stopped || !t.net.Alive() {", "if false {", "timer-reset"),
		one("timer-late", "a timer is taken from the heap before the section begins that a grace period waits for", "tcp: properly terminate timers for kernel sockets (CVE-2024-35910)",
			"netns/timer.go", "	ts.reader.Enter()\n	defer ts.reader.Exit()\n	t := ts.take(now)", "	t := ts.take(now)\n	ts.reader.Enter()\n	defer ts.reader.Exit()", "timer-exit"),
		{"add-after-exit", "a table takes entries of a Net that has exited", "of the same kind", []Edit{
			{"netns/table.go", "if n.exited.Load() { // under mu", "if false { // under mu"},
			{"netns/table.go", "if n.exited.Load() { // again", "if false { // again"},
		}, []string{"add-sweep-tagged"}},
		one("sweep-no-account", "a table asks once whether a Net has exited, before it opens its account", "a bug of this model that the explorer found",
			"netns/table.go", "if n.exited.Load() { // again", "if false { // again", "cell-exit-tagged", "memory-delete"),
	}
}

func packetPlants() []Plant {
	return []Plant{
		{"purge-early", "a dying Net's devices are purged before the grace period: a packet is received in between", "of the kind of xfrm's deferred reinjection (2026)", []Edit{
			{"core/register.go", "			s.leaving = append(s.leaving, leaver{n, d})", "			s.finish(d)\n			s.leaving = append(s.leaving, leaver{n, d})"},
			{"core/register.go", "		s.finish(d)\n		if d.real && d.Net() == n {", "		if d.real && d.Net() == n {"},
		}, []string{"send-delete"}},
		{"move-unlocked", "a move waits for its grace period without the configuration lock, and holds neither Net", "of the kind of gtp: destroy device along with udp socket's netns dismantle (2025)", []Edit{
			{"core/register.go", "	if !to.Hold() {\n		return fmt.Errorf(\"core: move %s: namespace is gone: %w\", d.Name(), syscall.EINVAL)\n	}\n	defer to.Put()\n", ""},
			{"core/register.go", "	s.devices.Delete(from, indexKey(d.Index()))\n	s.Sys.Synchronize()\n", "	s.devices.Delete(from, indexKey(d.Index()))\n	s.Sys.Unlock()\n	s.Sys.Synchronize()\n	s.Sys.Lock()\n"},
		}, []string{"nic-both"}},
		one("drain-late", "a worker takes packets from the backlog of a device that is down", "a bug of this model that the explorer found",
			"core/receive.go", "for live && batch.n", "for (live || true) && batch.n", "receive-delete"),
		one("drain-stale", "after a drain the worker trusts what it saw of the device before", "a bug that the explorer found in the first mending of the one above",
			"core/receive.go", "again := b.packets.n > 0 && d.live.Load()", "again := b.packets.n > 0 && live", "flap"),
		{"wake-early", "a sleeping worker is woken before the packet is queued for it", "of the kind of net/handshake: drain pending requests at exit (2026)", []Edit{
			{"core/worker.go", "	t := w.polled\n	t.mu.Lock()\n", "	t := w.polled\n	if f := w.Stack.wake.Load(); f != nil && t != w {\n		(*f)(t)\n	}\n	t.mu.Lock()\n"},
			{"core/worker.go", "	t.mu.Unlock()\n	if f := w.Stack.wake.Load(); f != nil && t != w {\n		(*f)(t)\n	}\n", "	t.mu.Unlock()\n"},
		}, []string{"sleep-wake"}},
		one("wake-one", "the end of a socket wakes one of those who wait", "net/handshake: drain pending requests at exit (2026)",
			"transport/udp/conn.go", "	c.ready.Broadcast()\n	c.mu.Unlock()\n	c.bindMu.Lock()", "	c.ready.Signal()\n	c.mu.Unlock()\n	c.bindMu.Lock()", "read-delete"),
		one("bind-late", "sockets are looked for once, before the grace period, and not for a bind that is under way", "smc, nvme-tcp: sockets that outlive their namespace (2022-25)",
			"transport/udp/udp.go", "\"udp-exit\", nil, u.preExit, u.preExit)", "\"udp-exit\", nil, u.preExit, nil)", "first-bind"),
		one("no-farewell", "a subscription ends with its Net, and nobody tells who waits on it", "net/handshake: drain pending requests at exit (2026)",
			"core/netlink/group.go", "	if !was && s.notify != nil {", "	if !was && false {", "subscribe-delete"),
	}
}
