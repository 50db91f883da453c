package lab

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

// neighs asks for the neighbours of a filter; with a status the command ends.
func (t *tool) neighs(f *NeighFilter, what string) ([]*netlink.Neigh, int) {
	dev, master := 0, 0
	for _, x := range []struct {
		name string
		to   *int
	}{{f.Dev, &dev}, {f.Master, &master}} {
		if x.name == "" {
			continue
		}
		var ok bool
		if *x.to, ok = t.index(x.name); !ok {
			return nil, t.failf(1, "Cannot find device \"%s\"\n", x.name)
		}
	}
	ask := &netlink.Neigh{Family: f.Family, Index: dev}
	if f.Proxy {
		ask.Flags = unix.NTF_PROXY
	}
	msgs, err := t.dump(ask)
	if err != nil {
		return nil, t.dumped(err, what)
	}
	var ns []*netlink.Neigh
	for _, m := range msgs {
		n, ok := m.(*netlink.Neigh)
		if ok && f.matches(n) && (dev == 0 || n.Index == dev) && (master == 0 || t.masterOf(n.Index) == master) {
			ns = append(ns, n)
		}
	}
	return ns, 0
}

func (t *tool) masterOf(index int) int {
	if l := t.known(index); l != nil {
		return l.Master
	}
	return 0
}

func (f *NeighFilter) matches(n *netlink.Neigh) bool {
	proxy := n.Flags&unix.NTF_PROXY != 0
	state := n.State
	if state == unix.NUD_NONE {
		state = nudNone
	}
	switch {
	case f.Family != unix.AF_UNSPEC && f.Family != n.Family,
		n.Family == unix.AF_BRIDGE,
		proxy != f.Proxy,
		!proxy && state&f.States == 0,
		f.To.IsValid() && !f.To.Masked().Contains(n.Dst):
		return false
	}
	return true
}

func (s *NeighShow) run(t *tool) int {
	ns, status := t.neighs(&s.Filter, "Dump")
	if status != 0 {
		return status
	}
	p := t.printer()
	p.openList()
	for _, n := range ns {
		t.printNeigh(p, n, s.Filter.Dev == "")
	}
	return t.flush(p)
}

func (s *NeighFlush) run(t *tool) int {
	ns, status := t.neighs(&s.Filter, "Flush")
	if status != 0 {
		return status
	}
	for _, n := range ns {
		if _, err := t.netlink(&netlink.Request{Op: netlink.Del, Msg: n}); err != nil && errnoOf(err) != unix.ENOENT {
			return t.kernel(err)
		}
	}
	return t.flushed(len(ns), "entries")
}

func (s *NeighGet) run(t *tool) int {
	if s.Dev != "" {
		index, ok := t.index(s.Dev)
		if !ok {
			return t.failf(1, "Cannot find device \"%s\"\n", s.Dev)
		}
		setIndex(s.Req.Msg, Dev{}, index)
	}
	msgs, err := t.netlink(&s.Req)
	if err != nil {
		return t.kernel(err)
	}
	p := t.printer()
	p.json = false // iproute2's get does not know -j
	for _, m := range msgs {
		if n, ok := m.(*netlink.Neigh); ok {
			t.printNeigh(p, n, true)
		}
	}
	return t.flush(p)
}

func (t *tool) printNeigh(p *printer, n *netlink.Neigh, dev bool) {
	p.openObject()
	p.str("dst", "%s ", n.Dst.String())
	if dev {
		p.str("dev", "dev %s ", t.name(n.Index))
	}
	if n.Has&netlink.NeighLLAddr != 0 {
		p.str("lladdr", "lladdr %s ", n.LLAddr.String())
	}
	if n.Flags&unix.NTF_ROUTER != 0 {
		p.flag("router", "null", "router ")
	}
	if n.Flags&unix.NTF_PROXY != 0 {
		p.flag("proxy", "null", "proxy ")
	}
	if n.Flags&unix.NTF_EXT_LEARNED != 0 {
		p.flag("extern_learn", "null", "extern_learn ")
	}
	if t.c.Opts.Stats > 0 {
		printNeighStats(p, n)
	}
	if n.State != unix.NUD_NONE {
		p.openArray("state")
		for _, w := range nudWords {
			if uint32(n.State)&w.n != 0 {
				p.str("", "%s ", strings.ToUpper(w.name))
			}
		}
		p.closeArray()
	}
	if n.Proto != 0 {
		p.str("protocol", "proto %s ", nameOf(protoWords, uint32(n.Proto)))
	}
	p.text("\n")
	p.closeObject()
}

func printNeighStats(p *printer, n *netlink.Neigh) {
	if n.Has&netlink.NeighCacheInfo != 0 {
		if n.Refs != 0 {
			p.num("refcnt", " ref %d", int64(n.Refs))
		}
		p.num("used", " used %d", int64(n.Used/time.Second))
		p.num("confirmed", "/%d", int64(n.Confirmed/time.Second))
		p.num("updated", "/%d", int64(n.Updated/time.Second))
	}
	if n.Has&netlink.NeighProbes != 0 {
		p.num("probes", "probes %d ", int64(n.Probes))
	}
}

func (s *FDBShow) run(t *tool) int {
	bridge, port := 0, 0
	for _, x := range []struct {
		name string
		to   *int
	}{{s.Bridge, &bridge}, {s.Port, &port}} {
		if x.name == "" {
			continue
		}
		var ok bool
		if *x.to, ok = t.index(x.name); !ok {
			return t.failf(1, "Cannot find device \"%s\"\n", x.name)
		}
	}
	msgs, err := t.dump(&netlink.Neigh{Family: unix.AF_BRIDGE, Index: port, Master: bridge})
	if err != nil {
		return t.dumped(err, "Dump")
	}
	p := t.printer()
	p.openList()
	for _, m := range msgs {
		n, ok := m.(*netlink.Neigh)
		if !ok || n.Family != unix.AF_BRIDGE || port != 0 && n.Index != port ||
			bridge != 0 && n.Master != bridge && n.Index != bridge && t.masterOf(n.Index) != bridge ||
			s.VLAN != 0 && s.VLAN != n.VLAN || s.State >= 0 && n.State&uint16(s.State) == 0 ||
			s.Dynamic && n.State&unix.NUD_PERMANENT != 0 {
			continue
		}
		t.printFDB(p, n, port == 0)
	}
	return t.flush(p)
}

func (t *tool) printFDB(p *printer, n *netlink.Neigh, dev bool) {
	p.openObject()
	p.str("mac", "%s ", n.LLAddr.String())
	if dev {
		p.str("ifname", "dev %s ", t.name(n.Index))
	}
	if n.VLAN != 0 {
		p.num("vlan", "vlan %d ", int64(n.VLAN))
	}
	if t.c.Opts.Stats > 0 && n.Has&netlink.NeighCacheInfo != 0 {
		p.num("used", "used %d", int64(n.Used/time.Second))
		p.num("updated", "/%d ", int64(n.Updated/time.Second))
	}
	p.openArray("flags")
	for _, w := range []word{{unix.NTF_SELF, "self"}, {unix.NTF_ROUTER, "router"}, {unix.NTF_EXT_LEARNED, "extern_learn"}, {unix.NTF_OFFLOADED, "offload"}} {
		if uint32(n.Flags)&w.n != 0 {
			p.str("", "%s ", w.name)
		}
	}
	p.closeArray()
	if n.Master != 0 {
		p.str("master", "master %s ", t.name(n.Master))
	}
	state := ""
	switch {
	case n.State&unix.NUD_PERMANENT != 0:
		state = "permanent"
	case n.State&unix.NUD_NOARP != 0:
		state = "static"
	case n.State&unix.NUD_STALE != 0:
		state = "stale"
	}
	p.str("state", "%s", state)
	p.text("\n")
	p.closeObject()
}

var portStates = [...]string{"disabled", "listening", "learning", "forwarding", "blocking"}

func (s *BridgeLink) run(t *tool) int {
	dev := 0
	if s.Dev != "" {
		var ok bool
		if dev, ok = t.index(s.Dev); !ok {
			return t.failf(1, "Cannot find device \"%s\"\n", s.Dev)
		}
	}
	msgs, err := t.dump(&netlink.Link{Family: unix.AF_BRIDGE})
	if err != nil {
		return t.dumped(err, "Dump")
	}
	p := t.printer()
	p.openList()
	for _, m := range msgs {
		l, ok := m.(*netlink.Link)
		if !ok || l.BridgePort == nil || dev != 0 && l.Index != dev {
			continue
		}
		p.openObject()
		p.num("ifindex", "%d: ", int64(l.Index))
		inOwn := *l
		inOwn.Has &^= netlink.LinkLinkNetns // Linux does not say in whose Net the peer is, and ip asks its own
		t.linkName(p, &inOwn, "%s: ")
		t.printLinkFlags(p, l)
		p.num("mtu", "mtu %d ", int64(l.MTU))
		p.str("master", "master %s ", t.name(l.Master))
		p.str("state", "state %s ", portStates[l.BridgePort.State%5])
		p.num("priority", "priority %d ", int64(l.BridgePort.Priority))
		p.num("cost", "cost %d ", int64(l.BridgePort.Cost))
		p.text("\n")
		if t.c.Opts.Details {
			printBridgePort(p, l.BridgePort)
		}
		p.closeObject()
	}
	return t.flush(p)
}
