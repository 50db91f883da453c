package ipv4

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
	"nsmodel/fib"
	"nsmodel/netns"
)

// What is told to those who listen; a message that nobody waits for is not made.

// tellAddr tells that an address has come or gone. Linux: rtmsg_ifa.
func (s *Inet) tellAddr(op netlink.Op, a *Addr) {
	n := a.Dev.Net()
	if s.Netlink.Listening(n, netlink.GroupIPv4IfAddr) {
		s.Netlink.Publish(n, netlink.GroupIPv4IfAddr, op, s.addrMessage(a))
	}
}

// tellRoute tells of a change to a route. What goes with a device or an address
// goes without a word, as in Linux. Linux: rtmsg_fib.
func (s *Inet) tellRoute(n *netns.Net, op fib.Op, r fib.Route) {
	if op != fib.Added {
		s.routeGone(n, op, &r)
	}
	if op == fib.Flushed || !s.Netlink.Listening(n, netlink.GroupIPv4Route) {
		return
	}
	what := netlink.New
	if op == fib.Deleted {
		what = netlink.Del
	}
	s.Netlink.Publish(n, netlink.GroupIPv4Route, what, s.routeMessage(&r))
}

// tellRule tells of a change to a rule. Linux: notify_rule_change.
func (s *Inet) tellRule(n *netns.Net, op fib.Op, r fib.Rule) {
	if !s.Netlink.Listening(n, netlink.GroupIPv4Rule) {
		return
	}
	what := netlink.New
	if op == fib.Deleted {
		what = netlink.Del
	}
	s.Netlink.Publish(n, netlink.GroupIPv4Rule, what, ruleMessage(&r))
}

// peerTold is the peer as it is told: 0.0.0.0 is no attribute.
// Linux: inet_fill_ifaddr.
func (a *Addr) peerTold() netip.Addr {
	if a.Peer.IsUnspecified() {
		return netip.Addr{}
	}
	return a.Peer
}

// addrMessage returns an address as RTM_NEWADDR has it. Linux: inet_fill_ifaddr.
func (s *Inet) addrMessage(a *Addr) *netlink.Addr {
	valid, preferred := a.left(s.Core.Sys.Now())
	return &netlink.Addr{Family: unix.AF_INET, Prefix: a.Prefix.Bits(), Scope: uint8(a.Scope), Flags: a.Flags, Index: a.Dev.Index(),
		Local: a.Local, Peer: a.peerTold(), Broadcast: a.Broadcast, Label: a.Label, Proto: a.Proto, Metric: a.Metric,
		Has: netlink.AddrCacheInfo, Valid: valid, Preferred: preferred}
}

// routeMessage returns a route as RTM_NEWROUTE has it. Linux: fib_dump_info.
func (s *Inet) routeMessage(r *fib.Route) *netlink.Route {
	m := &netlink.Route{Family: unix.AF_INET, Dst: r.Dst, TOS: r.TOS, Table: r.Table, Proto: r.Proto, Scope: uint8(r.Scope),
		Type: uint8(r.Type), Priority: r.Metric, PrefSrc: r.Src, MTU: r.MTU, AdvMSS: r.AdvMSS,
		Window: r.Window, HopLimit: r.HopLimit, InitCwnd: r.InitCwnd, InitRwnd: r.InitRwnd, Locked: r.Locked}
	if len(r.NextHops) == 1 {
		h := &r.NextHops[0]
		m.OIF, m.Gateway, m.Flags = int(h.IfIndex), h.Gw, s.hopFlags(h)
		return m
	}
	all := fib.HopDead | fib.HopLinkDown // what all of them are, the route is (fib_flags)
	if len(r.NextHops) == 0 {
		all = 0
	}
	for i := range r.NextHops {
		h := &r.NextHops[i]
		all &= h.Flags
		m.Flags = uint32(all)
		m.Multipath = append(m.Multipath, netlink.NextHop{Index: int(h.IfIndex), Gateway: h.Gw, Weight: int(h.Weight), Flags: s.hopFlags(h)})
	}
	return m
}

// hopFlags are a hop's flags as they are shown: one without carrier is dead
// where nobody would choose it. Linux: fib_nexthop_info.
func (s *Inet) hopFlags(h *fib.NextHop) uint32 {
	f := h.Flags
	if f&fib.HopLinkDown != 0 {
		if dev := s.devs.Of(h.Dev); dev != nil && dev.IgnoreRoutesWithLinkdown() {
			f |= fib.HopDead
		}
	}
	return uint32(f)
}

// Flags of a rule whose device or target is missing, and of one that inverts.
// Linux: FIB_RULE_*.
const (
	rulePermanent   = 0x1
	ruleInvert      = 0x2
	ruleUnresolved  = 0x4
	ruleIifDetached = 0x8
	ruleOifDetached = 0x10
)

// The actions of rules with Linux's values. Linux: FR_ACT_*.
var ruleActions = [...]uint8{fib.ToTable: 1, fib.Goto: 2, fib.Nop: 3, fib.RuleBlackhole: 6, fib.RuleUnreachable: 7, fib.RuleProhibit: 8}

// ruleMessage returns a rule as RTM_NEWRULE has it. Linux: fib_nl_fill_rule.
func ruleMessage(r *fib.Rule) *netlink.Rule {
	m := &netlink.Rule{Family: unix.AF_INET, From: r.From, To: r.To, TOS: r.TOS, Action: ruleActions[r.Action], Table: r.Table,
		Priority: r.Priority, IIF: r.Iif, OIF: r.Oif, Goto: r.Goto, IPProto: r.IPProto, Proto: r.Proto,
		SPort: netlink.PortRange(r.SPort), DPort: netlink.PortRange(r.DPort)}
	if r.Priority != 0 {
		m.Has |= netlink.RulePriority
	}
	if r.Mark != 0 || r.Mask != 0 {
		m.Mark, m.MarkMask = r.Mark, r.Mask
		m.Has |= netlink.RuleMark | netlink.RuleMask
	}
	if r.UIDs.Set {
		m.UIDs, m.Has = [2]uint32{r.UIDs.First, r.UIDs.Last}, m.Has|netlink.RuleUIDs
	}
	if r.Suppress {
		m.SuppressPrefix = int(r.SuppressPrefixLen)
		m.Has |= netlink.RuleSuppressPrefix
	}
	for _, f := range []struct {
		on   bool
		flag uint32
	}{{r.Not, ruleInvert}, {r.Unresolved, ruleUnresolved}, {r.IifDetached, ruleIifDetached}, {r.OifDetached, ruleOifDetached}} {
		if f.on {
			m.Flags |= f.flag
		}
	}
	return m
}
