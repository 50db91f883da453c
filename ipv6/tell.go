package ipv6

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
	"nsmodel/fib"
	"nsmodel/netns"
)

// What is told to those who listen; a message that nobody waits for is not made.

// tellAddr tells that an address has come, changed or gone. Linux: inet6_ifa_notify.
func (s *Inet) tellAddr(op netlink.Op, a *Addr) {
	n := a.Dev.Net()
	if s.Netlink.Listening(n, netlink.GroupIPv6IfAddr) {
		s.Netlink.Publish(n, netlink.GroupIPv6IfAddr, op, s.addrMessage(a))
	}
}

// tellRoute tells of a change to a route. What goes with its device goes with a
// word in IPv6. Linux: inet6_rt_notify.
func (s *Inet) tellRoute(n *netns.Net, op fib.Op, r fib.Route) {
	defer s.forgetExpiry(n, op, &r)
	if op != fib.Added {
		s.routeGone(n, &r)
	}
	if !s.Netlink.Listening(n, netlink.GroupIPv6Route) {
		return
	}
	what := netlink.New
	if op == fib.Deleted || op == fib.Flushed {
		what = netlink.Del
	}
	s.Netlink.Publish(n, netlink.GroupIPv6Route, what, s.routeMessage(n, &r))
}

// tellRule tells of a change to a rule. Linux: notify_rule_change.
func (s *Inet) tellRule(n *netns.Net, op fib.Op, r fib.Rule) {
	if !s.Netlink.Listening(n, netlink.GroupIPv6Rule) {
		return
	}
	what := netlink.New
	if op == fib.Deleted {
		what = netlink.Del
	}
	s.Netlink.Publish(n, netlink.GroupIPv6Rule, what, ruleMessage(&r))
}

// addrMessage returns an address as RTM_NEWADDR has it. Linux: inet6_fill_ifaddr.
func (s *Inet) addrMessage(a *Addr) *netlink.Addr {
	m := &netlink.Addr{Family: unix.AF_INET6, Prefix: a.Bits, Scope: uint8(a.Scope()), Flags: a.Flags, Index: a.Dev.Index(),
		Local: a.Local, Peer: a.Peer, Proto: a.Proto, Metric: a.Metric, Has: netlink.AddrCacheInfo}
	if a.Peer.IsValid() {
		m.Prefix = 128
	}
	age := (s.Core.Sys.Now() - a.since).Truncate(time.Second)
	left := func(d time.Duration) time.Duration {
		if d == netlink.Forever {
			return d
		}
		return max(0, d-age)
	}
	m.Valid, m.Preferred = left(a.Valid), left(a.Preferred)
	return m
}

// routeMessage returns a route as RTM_NEWROUTE has it. What refuses goes, says
// Linux, by lo. Linux: rt6_fill_node.
func (s *Inet) routeMessage(n *netns.Net, r *fib.Route) *netlink.Route {
	m := &netlink.Route{Family: unix.AF_INET6, Dst: r.Dst, Table: r.Table, Proto: r.Proto, Type: uint8(r.Type), Priority: r.Metric,
		PrefSrc: r.Src, MTU: r.MTU, AdvMSS: r.AdvMSS, Window: r.Window, HopLimit: r.HopLimit, InitCwnd: r.InitCwnd, InitRwnd: r.InitRwnd,
		Locked: r.Locked, Has: netlink.RoutePref | netlink.RouteCacheInfo}
	m.Pref, m.Expires, m.Src = r.Pref, s.expires(n, r), r.From
	switch len(r.NextHops) {
	case 0:
		m.OIF, m.Error = loopbackIndex, -int32(refusal(r.Type))
	case 1:
		h := &r.NextHops[0]
		m.OIF, m.Gateway, m.Flags = int(h.IfIndex), h.Gw, s.hopFlags(h)
	default:
		for i := range r.NextHops {
			h := &r.NextHops[i]
			m.Multipath = append(m.Multipath, netlink.NextHop{Index: int(h.IfIndex), Gateway: h.Gw, Weight: int(h.Weight), Flags: s.hopFlags(h)})
		}
	}
	return m
}

// refusal returns the errno of a route's type, 0 if it does not refuse.
// Linux: fib6_prop.
func refusal(t fib.Type) syscall.Errno {
	switch t {
	case fib.Blackhole:
		return syscall.EINVAL
	case fib.Prohibit:
		return syscall.EACCES
	case fib.Throw:
		return syscall.EAGAIN
	case fib.Unreachable:
		return syscall.EHOSTUNREACH
	}
	return 0
}

// hopFlags are a hop's flags as they are shown. Linux: fib_nexthop_info.
func (s *Inet) hopFlags(h *fib.NextHop) uint32 {
	f := h.Flags
	if f&fib.HopLinkDown != 0 && s.ignoreLinkDown(h.Dev) {
		f |= fib.HopDead
	}
	return uint32(f)
}

// Flags of a rule whose device or target is missing, and of one that inverts.
// Linux: FIB_RULE_*.
const (
	ruleInvert      = 0x2
	ruleUnresolved  = 0x4
	ruleIifDetached = 0x8
	ruleOifDetached = 0x10
)

// The actions of rules with Linux's values. Linux: FR_ACT_*.
var ruleActions = [...]uint8{fib.ToTable: 1, fib.Goto: 2, fib.Nop: 3, fib.RuleBlackhole: 6, fib.RuleUnreachable: 7, fib.RuleProhibit: 8}

// ruleMessage returns a rule as RTM_NEWRULE has it. Linux: fib_nl_fill_rule.
func ruleMessage(r *fib.Rule) *netlink.Rule {
	m := &netlink.Rule{Family: unix.AF_INET6, From: r.From, To: r.To, TOS: r.TOS, Action: ruleActions[r.Action], Table: r.Table,
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
