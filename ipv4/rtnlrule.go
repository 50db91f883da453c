package ipv4

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
	"nsmodel/fib"
	"nsmodel/netns"
)

// ruleOf turns a message into a rule. A selector by the group of a device is not
// modelled. Linux: fib_nl2rule.
func ruleOf(m *netlink.Rule) (fib.Rule, error) {
	if m.Has&netlink.RuleSuppressGroup != 0 || m.L3MDev {
		return fib.Rule{}, syscall.EOPNOTSUPP
	}
	r := fib.Rule{From: m.From, To: m.To, Iif: m.IIF, Oif: m.OIF, SPort: fib.PortRange(m.SPort), DPort: fib.PortRange(m.DPort),
		Priority: m.Priority, PrioritySet: m.Has&netlink.RulePriority != 0 || m.Priority != 0, Table: m.Table, Goto: m.Goto,
		Not: m.Flags&ruleInvert != 0, TOS: m.TOS, IPProto: m.IPProto, Proto: m.Proto}
	if m.Has&netlink.RuleUIDs != 0 {
		if m.UIDs[1] < m.UIDs[0] {
			return r, netlink.Extack(syscall.EINVAL, "Invalid uid range")
		}
		r.UIDs = fib.UIDRange{First: m.UIDs[0], Last: m.UIDs[1], Set: true}
	}
	if m.Has&netlink.RuleMark != 0 {
		r.Mark = m.Mark
	}
	if m.Has&netlink.RuleMask != 0 {
		r.Mask = m.MarkMask
	}
	if m.Has&netlink.RuleSuppressPrefix != 0 {
		r.Suppress, r.SuppressPrefixLen = true, uint8(m.SuppressPrefix)
	}
	if m.Action != 0 {
		at := slices.Index(ruleActions[:], m.Action)
		if at < 0 {
			return r, syscall.EINVAL
		}
		r.Action = fib.Action(at)
	}
	for _, p := range []struct {
		name string
		fib.PortRange
	}{{"sport", r.SPort}, {"dport", r.DPort}} {
		if p.PortRange != (fib.PortRange{}) && (p.First == 0 || p.Last < p.First) {
			return r, netlink.Extack(syscall.EINVAL, "Invalid %s range", p.name)
		}
	}
	return r, nil
}

// doNewRule is RTM_NEWRULE. Linux: fib_nl_newrule.
func (s *Inet) doNewRule(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	r, err := ruleOf(req.Msg.(*netlink.Rule))
	if err != nil {
		return nil, err
	}
	defer s.lock(n).Unlock()
	return nil, extack(s.FIB.AddRule(n, r))
}

// doDelRule is RTM_DELRULE. A message that asks for a table gives no action.
// Linux: fib_nl_delrule.
func (s *Inet) doDelRule(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	m := req.Msg.(*netlink.Rule)
	r, err := ruleOf(m)
	if err != nil {
		return nil, err
	}
	defer s.lock(n).Unlock()
	return nil, extack(s.FIB.DeleteRule(n, r))
}

// doDumpRule is RTM_GETRULE. Linux: fib_nl_dumprule.
func (s *Inet) doDumpRule(n *netns.Net, req *netlink.Request) (all []netlink.Message, err error) {
	if req.Flags&netlink.Dump == 0 {
		return nil, syscall.EOPNOTSUPP
	}
	for _, r := range s.FIB.Rules(n) {
		all = append(all, ruleMessage(&r))
	}
	return all, nil
}

// Flags of an answer about a route, with Linux's values.
// Linux: RTCF_*, include/uapi/linux/in_route.h.
const (
	routeCloned     = unix.RTM_F_CLONED
	routeRedirect   = 0x01000000 // Linux: RTCF_DOREDIRECT
	routeRedirected = 0x00040000 // Linux: RTCF_REDIRECTED
	routeBroadcast  = 0x10000000
	routeMulticast  = 0x20000000
	routeLocal      = 0x80000000
)
