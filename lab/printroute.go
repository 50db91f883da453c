package lab

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

// A RouteShow is "ip route list".
type RouteShow struct{ Filter RouteFilter }

// A RouteFlush is "ip route flush".
type RouteFlush struct{ Filter RouteFilter }

// matches reports whether a route of the right family is meant.
func (f *RouteFilter) matches(r *netlink.Route) bool {
	dst := r.Dst
	if !dst.IsValid() {
		dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.Family == unix.AF_INET6 {
			dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	switch {
	case f.Family != unix.AF_UNSPEC && f.Family != r.Family,
		f.Table != 0 && f.Table != r.Table,
		f.Cached != (r.Flags&unix.RTM_F_CLONED != 0),
		f.Proto >= 0 && f.Proto != int(r.Proto),
		f.Scope >= 0 && f.Scope != int(r.Scope),
		f.Type != 0 && f.Type != r.Type,
		f.Metric >= 0 && f.Metric != int64(r.Priority),
		f.TOS >= 0 && f.TOS != int(r.TOS),
		!f.From.matches(r.Src),
		f.Via.IsValid() && f.Via != r.Gateway,
		f.PrefSrc.IsValid() && f.PrefSrc != r.PrefSrc,
		f.IDev != 0 && f.IDev != r.OIF: // a route of several hops is in no device's list
		return false
	}
	return f.within(dst)
}

// within applies root, match and exact to a destination.
func (f *RouteFilter) within(dst netip.Prefix) bool {
	if f.hasExct && !f.Root.IsValid() {
		return dst.Bits() == 0
	}
	if f.Root.IsValid() && (dst.Bits() < f.Root.Bits() || !f.Root.Masked().Contains(dst.Addr())) {
		return false
	}
	return !f.Match.IsValid() || dst.Bits() <= f.Match.Bits() && dst.Contains(f.Match.Addr())
}

// routes asks for the routes of a filter; with a status the command ends.
func (t *tool) routes(f *RouteFilter, what string) ([]*netlink.Route, int) {
	if f.Dev != "" {
		var ok bool
		if f.IDev, ok = t.index(f.Dev); !ok {
			return nil, t.failf(1, "Cannot find device \"%s\"\n", f.Dev)
		}
	}
	ask := &netlink.Route{Family: f.Family, Table: f.Table}
	if f.Cached {
		ask.Flags |= unix.RTM_F_CLONED
	}
	if f.Table != 0 && (f.Table != unix.RT_TABLE_MAIN || what == "Flush") { // main is taken from all, so that it is never missed
		ask.Has = netlink.RouteTable
	}
	msgs, err := t.dump(ask)
	if err != nil {
		return nil, t.dumped(err, what)
	}
	var rs []*netlink.Route
	for _, m := range msgs {
		if r, ok := m.(*netlink.Route); ok && f.matches(r) {
			rs = append(rs, r)
		}
	}
	return rs, 0
}

func (s *RouteShow) run(t *tool) int {
	f := s.Filter
	rs, status := t.routes(&f, "Dump")
	if status != 0 {
		return status
	}
	p := t.printer()
	p.openList()
	for _, r := range rs {
		t.printRoute(p, r, &f)
	}
	return t.flush(p)
}

func (s *RouteFlush) run(t *tool) int {
	f := s.Filter
	if f.Family == unix.AF_UNSPEC && f.Table != 0 { // a table is one family's, and missed if it is not there
		f.Family = unix.AF_INET
	}
	if f.Cached && f.Family == unix.AF_INET {
		return t.flushCache()
	}
	rs, status := t.routes(&f, "Flush")
	if status != 0 {
		return status
	}
	for _, r := range rs {
		if _, err := t.netlink(&netlink.Request{Op: netlink.Del, Msg: r}); err != nil && errnoOf(err) != unix.ESRCH {
			return t.kernel(err)
		}
	}
	return t.flushed(len(rs), "entries")
}

// flushCache has IPv4 forget what it has learnt of ways. iproute2:
// iproute_flush_cache.
func (t *tool) flushCache() int {
	all := "-1"
	if _, err := t.m.Sysctl(t.c.Net, "net.ipv4.route.flush", &all); err != nil {
		return t.failf(1, "Cannot flush routing cache: %s\n", errText(err))
	}
	return 0
}

// printRoute writes one route; what the filter has fixed is left out.
func (t *tool) printRoute(p *printer, r *netlink.Route, f *RouteFilter) {
	details := t.c.Opts.Details
	get := *f == RouteFilter{}
	p.openObject()
	if r.Type != unix.RTN_UNICAST || details {
		p.str("type", "%s ", nameOf(typeWords, uint32(r.Type)))
	}
	p.str("dst", "%s ", prefixText(r.Dst))
	if r.Src.IsValid() {
		p.str("from", "from %s ", prefixText(r.Src))
	}
	if r.TOS != 0 && (get || f.TOS < 0) {
		p.str("tos", "tos %s ", fmt.Sprintf("0x%02x", r.TOS))
	}
	if r.Gateway.IsValid() && !f.Via.IsValid() {
		printGateway(p, r.Family, r.Gateway)
	}
	if r.OIF != 0 && f.Dev == "" {
		p.str("dev", "dev %s ", t.name(r.OIF))
	}
	if (r.Table != unix.RT_TABLE_MAIN || details) && f.Table == 0 && r.Table != 0 {
		p.str("table", "table %s ", nameOf(tableWords, r.Table))
	}
	if r.Flags&unix.RTM_F_CLONED == 0 {
		if (r.Proto != unix.RTPROT_BOOT || details) && (get || f.Proto < 0) {
			p.str("protocol", "proto %s ", nameOf(protoWords, uint32(r.Proto)))
		}
		if (r.Scope != unix.RT_SCOPE_UNIVERSE || details) && (get || f.Scope < 0) {
			p.str("scope", "scope %s ", nameOf(scopeWords, uint32(r.Scope)))
		}
	}
	if r.PrefSrc.IsValid() && !f.PrefSrc.IsValid() {
		p.str("prefsrc", "src %s ", r.PrefSrc.String())
	}
	if (r.Priority != 0 || r.Family == unix.AF_INET6) && (get || f.Metric < 0) {
		p.num("metric", "metric %d ", int64(r.Priority))
	}
	flags := r.Flags
	if r.Type == unix.RTN_MULTICAST && flags&unix.RTM_F_CLONED != 0 {
		flags |= unix.RTM_F_OFFLOAD_FAILED // the kernel's RTCF_MULTICAST is the same bit
	}
	printHopFlags(p, flags)
	t.printRouteRest(p, r)
	p.text("\n")
	p.closeObject()
}

// printRouteRest writes what stands behind a route's flags.
func (t *tool) printRouteRest(p *printer, r *netlink.Route) {
	if r.Mark != 0 {
		if r.Mark >= 16 {
			p.num("mark", "mark 0x%x ", int64(r.Mark))
		} else {
			p.num("mark", "mark %d ", int64(r.Mark))
		}
	}
	if r.Has&netlink.RouteUID != 0 {
		p.num("uid", "uid %d ", int64(r.UID))
	}
	if r.Flags&unix.RTM_F_CLONED != 0 && r.Family == unix.AF_INET {
		p.nl()
		p.text("    cache ")
		printCacheFlags(p, r)
	}
	if r.Has&netlink.RouteCacheInfo != 0 && r.Expires != 0 {
		p.num("expires", "expires %dsec ", int64(r.Expires/time.Second))
	}
	printMetrics(p, r)
	if r.IIF != 0 {
		p.str("iif", "iif %s ", t.name(r.IIF))
	}
	if r.Has&netlink.RoutePref != 0 {
		p.str("pref", "pref %s", [...]string{"medium", "high", "low", "low"}[r.Pref&3])
	}
	if len(r.Multipath) == 0 {
		return
	}
	p.openArray("nexthops")
	for _, h := range r.Multipath {
		p.openObject()
		p.nl()
		p.text("\tnexthop ")
		if h.Gateway.IsValid() {
			printGateway(p, r.Family, h.Gateway)
		}
		if h.Index != 0 {
			p.str("dev", "dev %s ", t.name(h.Index))
		}
		p.num("weight", "weight %d ", int64(h.Weight))
		printHopFlags(p, h.Flags)
		p.closeObject()
	}
	p.closeArray()
}

// prefixText writes a destination: no length if it is the whole address.
func prefixText(d netip.Prefix) string {
	switch {
	case !d.IsValid() || d.Bits() == 0:
		return "default"
	case d.IsSingleIP():
		return d.Addr().String()
	}
	return d.String()
}

// printGateway writes via ADDR, or via inet6 ADDR if it is of the other family.
func printGateway(p *printer, family uint8, gw netip.Addr) {
	if familyOf(gw) == family {
		p.str("gateway", "via %s ", gw.String())
		return
	}
	p.openNamed("via")
	p.str("family", "via %s ", familyName(familyOf(gw)))
	p.str("host", "%s ", gw.String())
	p.closeObject()
}

var hopFlagNames = []word{
	{unix.RTNH_F_DEAD, "dead"}, {unix.RTNH_F_ONLINK, "onlink"}, {unix.RTNH_F_PERVASIVE, "pervasive"},
	{unix.RTNH_F_OFFLOAD, "offload"}, {unix.RTNH_F_TRAP, "trap"}, {unix.RTM_F_NOTIFY, "notify"},
	{unix.RTNH_F_LINKDOWN, "linkdown"}, {unix.RTNH_F_UNRESOLVED, "unresolved"},
	{unix.RTM_F_OFFLOAD, "rt_offload"}, {unix.RTM_F_TRAP, "rt_trap"}, {unix.RTM_F_OFFLOAD_FAILED, "rt_offload_failed"},
}

func printHopFlags(p *printer, flags uint32) {
	p.openArray("flags")
	for _, w := range hopFlagNames {
		if flags&w.n != 0 {
			p.str("", "%s ", w.name)
		}
	}
	p.closeArray()
}

// printCacheFlags writes <local,brd>: Linux derives them from its RTCF_* bits,
// which repeat the type of a route that is no plain unicast.
func printCacheFlags(p *printer, r *netlink.Route) {
	var flags []string
	switch r.Type {
	case unix.RTN_LOCAL:
		flags = []string{"local"}
	case unix.RTN_BROADCAST:
		if r.IIF == 0 || r.Flags&0x10000000 != 0 { // RTCF_BROADCAST, which one that passes through has not
			flags = []string{"local", "brd"}
		}
	case unix.RTN_MULTICAST:
		if r.Flags&0x80000000 != 0 { // RTCF_LOCAL: somebody here has joined
			flags = []string{"local"}
		}
		flags = append(flags, "mc")
	case unix.RTN_UNICAST:
		if r.Flags&0x80000000 != 0 { // RTCF_LOCAL: it goes by lo
			flags = []string{"local"}
		}
	}
	if r.Flags&0x00040000 != 0 { // RTCF_REDIRECTED
		flags = append(flags, "redirected")
	}
	if r.Flags&0x01000000 != 0 { // RTCF_DOREDIRECT
		flags = append(flags, "redirect")
	}
	p.openArray("cache")
	for i, f := range flags {
		switch {
		case p.json:
			p.str("", "", f)
		case i == 0:
			p.text("<%s", f)
		default:
			p.text(",%s", f)
		}
	}
	p.closeArray()
	if len(flags) > 0 {
		p.text("> ")
	}
}

func printMetrics(p *printer, r *netlink.Route) {
	ms := []struct {
		bit int
		key string
		v   uint32
	}{
		{unix.RTAX_MTU, "mtu", r.MTU}, {unix.RTAX_WINDOW, "window", r.Window}, {unix.RTAX_ADVMSS, "advmss", r.AdvMSS},
		{unix.RTAX_HOPLIMIT, "hoplimit", r.HopLimit}, {unix.RTAX_INITCWND, "initcwnd", r.InitCwnd}, {unix.RTAX_INITRWND, "initrwnd", r.InitRwnd},
	}
	open := false
	for _, m := range ms {
		if m.v == 0 {
			continue
		}
		if !open {
			p.openArray("metrics")
			p.openObject()
			open = true
		}
		p.text("%s ", m.key)
		if r.Locked&(1<<m.bit) != 0 {
			p.text("lock ")
		}
		p.num(m.key, "%d ", int64(m.v))
	}
	if open {
		p.closeObject()
		p.closeArray()
	}
}
