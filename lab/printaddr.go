package lab

import (
	"math"
	"net/netip"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

// An AddrShow is "ip address show".
type AddrShow struct{ Filter AddrFilter }

// An AddrFlush is "ip address flush".
type AddrFlush struct{ Filter AddrFilter }

// matches reports whether an address of the filter's family is meant.
func (f *AddrFilter) matches(m *netlink.Addr) bool {
	switch {
	case f.Scoped && f.Scope != m.Scope,
		m.Flags&f.NeedFlags != f.NeedFlags,
		m.Flags&f.NotFlags != 0,
		f.To.IsValid() && !f.To.Masked().Contains(m.Local):
		return false
	case f.Label != "":
		ok, _ := path.Match(f.Label, m.Label)
		return ok
	}
	return true
}

func (f *AddrFilter) ofFamily(m *netlink.Addr) bool {
	return f.Family == unix.AF_UNSPEC || f.Family == m.Family
}

// addrs asks for all addresses, by interface.
func (t *tool) addrs(f *AddrFilter) (map[int][]*netlink.Addr, error) {
	msgs, err := t.dump(&netlink.Addr{Family: f.Family})
	if err != nil {
		return nil, err
	}
	by := make(map[int][]*netlink.Addr)
	for _, m := range msgs {
		if a, ok := m.(*netlink.Addr); ok && f.ofFamily(a) {
			by[a.Index] = append(by[a.Index], a)
		}
	}
	return by, nil
}

// shows reports whether ip lists a link with these addresses of its family.
func (f *AddrFilter) shows(all []*netlink.Addr) bool {
	if len(all) == 0 {
		return f.Family == unix.AF_UNSPEC || f.Family == unix.AF_PACKET
	}
	for _, a := range all {
		if f.matches(a) {
			return true
		}
	}
	return false
}

func (s *AddrShow) run(t *tool) int {
	f := &s.Filter
	links, status := t.selectLinks(f)
	if status != 0 {
		return status
	}
	by, err := t.addrs(f)
	if err != nil {
		return t.dumped(err, "Dump")
	}
	o := t.c.Opts
	p := t.printer()
	p.openList()
	for _, l := range links {
		addrs := by[l.Index]
		if !f.shows(addrs) {
			continue
		}
		if f.Family == unix.AF_INET6 && f.Dev == "" {
			l = sixLink(l)
		}
		p.openObject()
		switch {
		case o.Brief:
			t.printBrief(p, l)
		case !o.Oneline && f.Label == "":
			t.printLink(p, l, false, f.Family)
			p.nl()
		}
		p.openArray("addr_info")
		for _, a := range addrs {
			p.openObject()
			if f.matches(a) {
				t.printAddr(p, l, a)
			}
			p.closeObject()
		}
		p.closeArray()
		if o.Brief {
			p.text("\n")
		} else if o.Stats > 0 && !o.Oneline {
			t.printAddrStats(p, l)
		}
		p.closeObject()
	}
	return t.flush(p)
}

// sixLink is a link as IPv6 lists it: without what IPv6 does not know.
// Linux: inet6_fill_ifinfo.
func sixLink(l *netlink.Link) *netlink.Link {
	own := *l
	own.Qdisc, own.Master = "", 0
	own.Has &^= netlink.LinkGroup | netlink.LinkLinkNetns
	if own.Link == own.Index {
		own.Has &^= netlink.LinkLink
	}
	return &own
}

// printAddrStats is printStats behind addresses: a line's end is there already.
func (t *tool) printAddrStats(p *printer, l *netlink.Link) {
	if p.json {
		t.printStats(p, l)
		return
	}
	sub := &printer{oneline: p.oneline}
	t.printStats(sub, l)
	if s := sub.b.String(); s != "" {
		p.text("%s", s[1:]+"\n")
	}
}

func (t *tool) printAddr(p *printer, l *netlink.Link, a *netlink.Addr) {
	o := t.c.Opts
	if o.Brief {
		t.printLocal(p, a, "%s")
		p.num("prefixlen", "/%d ", int64(a.Prefix))
		printAddrMetric(p, a)
		return
	}
	if o.Oneline {
		p.num("index", "%d: ", int64(a.Index))
		p.str("dev", "%s", l.Name)
	}
	family := "inet"
	if a.Family == unix.AF_INET6 {
		family = "inet6"
	}
	p.str("family", "    %s ", family)
	t.printLocal(p, a, "%s")
	p.num("prefixlen", "/%d ", int64(a.Prefix))
	printAddrMetric(p, a)
	if a.Broadcast.IsValid() {
		p.str("broadcast", "brd %s ", a.Broadcast.String())
	}
	p.str("scope", "scope %s ", nameOf(scopeWords, uint32(a.Scope)))
	printAddrFlags(p, a)
	if a.Label != "" {
		p.str("label", "%s", a.Label)
	}
	if a.Has&netlink.AddrCacheInfo != 0 {
		p.nl()
		printLifetime(p, "valid_life_time", "       valid_lft ", a.Valid)
		printLifetime(p, "preferred_life_time", " preferred_lft ", a.Preferred)
	}
	p.text("\n")
}

func printAddrMetric(p *printer, a *netlink.Addr) {
	if a.Metric != 0 {
		p.num("metric", "metric %d ", int64(a.Metric))
	}
}

// printLocal writes an address and its peer.
func (t *tool) printLocal(p *printer, a *netlink.Addr, format string) {
	p.str("local", format, a.Local.String())
	if a.Peer.IsValid() && a.Peer != a.Local {
		p.str("address", " peer %s", a.Peer.String())
	}
}

var addrFlagNames = []word{
	{unix.IFA_F_SECONDARY, "secondary"}, {unix.IFA_F_NODAD, "nodad"}, {unix.IFA_F_OPTIMISTIC, "optimistic"},
	{unix.IFA_F_DADFAILED, "dadfailed"}, {unix.IFA_F_HOMEADDRESS, "home"}, {unix.IFA_F_DEPRECATED, "deprecated"},
	{unix.IFA_F_TENTATIVE, "tentative"}, {unix.IFA_F_PERMANENT, "dynamic"}, {unix.IFA_F_MANAGETEMPADDR, "mngtmpaddr"},
	{unix.IFA_F_NOPREFIXROUTE, "noprefixroute"}, {unix.IFA_F_MCAUTOJOIN, "autojoin"}, {unix.IFA_F_STABLE_PRIVACY, "stable-privacy"},
}

func printAddrFlags(p *printer, a *netlink.Addr) {
	for _, w := range addrFlagNames {
		name := w.name
		if w.n == unix.IFA_F_SECONDARY && a.Family == unix.AF_INET6 {
			name = "temporary"
		}
		if (a.Flags&w.n != 0) != (w.n == unix.IFA_F_PERMANENT) {
			p.flag(name, "true", name+" ")
		}
	}
}

func printLifetime(p *printer, key, text string, d time.Duration) {
	seconds := int64(math.MaxUint32)
	if d != netlink.Forever {
		seconds = int64(d / time.Second)
	}
	switch {
	case p.json:
		p.num(key, "", seconds)
	case d == netlink.Forever:
		p.text("%sforever", text)
	default:
		p.text("%s%dsec", text, seconds)
	}
}

func (s *AddrFlush) run(t *tool) int {
	f := &s.Filter
	links, status := t.selectLinks(f)
	if status != 0 {
		return status
	}
	by, err := t.addrs(f)
	if err != nil {
		return t.dumped(err, "Flush")
	}
	count := 0
	for _, l := range links {
		gone := make(map[netip.Addr]bool)
		for _, a := range by[l.Index] {
			if !f.matches(a) || gone[a.Local] {
				continue
			}
			_, err := t.netlink(&netlink.Request{Op: netlink.Del, Msg: a})
			if errnoOf(err) == unix.EADDRNOTAVAIL {
				continue // a secondary goes with its primary
			}
			if err != nil {
				return t.kernel(err)
			}
			count++
		}
	}
	return t.flushed(count, "addresses")
}

// flushed says how much went, if the user has asked for statistics.
func (t *tool) flushed(count int, what string) int {
	if t.c.Opts.Stats == 0 {
		return 0
	}
	if count == 0 {
		t.outf("Nothing to flush.\n")
		return 0
	}
	t.outf("\n*** Round 1, deleting %d %s ***\n*** Flush is complete after 1 round ***\n", count, what)
	return 0
}
