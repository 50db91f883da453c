package lab

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

func (f *RuleFilter) matches(r *netlink.Rule) bool {
	switch {
	case r.Family != f.Family,
		f.Table >= 0 && (r.Action != unix.FR_ACT_TO_TBL || f.Table != int64(r.Table)),
		f.Priority >= 0 && f.Priority != int64(r.Priority),
		f.From.IsValid() && !within(f.From, r.From),
		f.To.IsValid() && !within(f.To, r.To),
		f.IIF != "" && f.IIF != r.IIF,
		f.OIF != "" && f.OIF != r.OIF,
		f.Not && r.Flags&unix.FIB_RULE_INVERT == 0:
		return false
	}
	return true
}

// within reports whether a rule's prefix, of whatever length, begins as the
// filter's does. iproute2: filter_nlmsg, inet_addr_match_rta.
func within(f, x netip.Prefix) bool { return x.IsValid() && f.Contains(x.Addr()) }

func (t *tool) rules(f *RuleFilter, what string) ([]*netlink.Rule, int) {
	msgs, err := t.dump(&netlink.Rule{Family: f.Family})
	if err != nil {
		return nil, t.dumped(err, what)
	}
	var rs []*netlink.Rule
	for _, m := range msgs {
		if r, ok := m.(*netlink.Rule); ok && f.matches(r) {
			rs = append(rs, r)
		}
	}
	return rs, 0
}

func (s *RuleShow) run(t *tool) int {
	rs, status := t.rules(&s.Filter, "Dump")
	if status != 0 {
		return status
	}
	p := t.printer()
	p.openList()
	for _, r := range rs {
		p.openObject()
		t.printRule(p, r)
		p.closeObject()
	}
	return t.flush(p)
}

// run deletes all but the rule of priority 0, as the tool does.
func (s *RuleFlush) run(t *tool) int {
	rs, status := t.rules(&s.Filter, "Flush")
	if status != 0 {
		return status
	}
	for _, r := range rs {
		if r.Priority == 0 {
			continue
		}
		if _, err := t.netlink(&netlink.Request{Op: netlink.Del, Msg: r}); err != nil {
			return t.kernel(err)
		}
	}
	return 0
}

func (t *tool) printRule(p *printer, r *netlink.Rule) {
	p.num("priority", "%d:\t", int64(r.Priority))
	if r.Flags&unix.FIB_RULE_INVERT != 0 {
		p.flag("not", "null", "not ")
	}
	printRulePrefix(p, "from ", "src", r.From, true)
	if r.To.IsValid() {
		printRulePrefix(p, " to ", "dst", r.To, false)
	}
	if r.TOS != 0 {
		p.str("tos", " tos %s", fmt.Sprintf("0x%02x", r.TOS))
	}
	if r.Mark != 0 || r.MarkMask != 0 && r.Has&netlink.RuleMask != 0 {
		p.str("fwmark", " fwmark %s", fmt.Sprintf("0x%x", r.Mark))
		if r.MarkMask != 0xffffffff && r.Has&netlink.RuleMask != 0 {
			p.str("fwmask", "/%s", fmt.Sprintf("0x%x", r.MarkMask))
		}
	}
	if r.IIF != "" {
		p.str("iif", " iif %s", r.IIF)
		if r.Flags&unix.FIB_RULE_IIF_DETACHED != 0 {
			p.flag("iif_detached", "null", " [detached]")
		}
	}
	if r.OIF != "" {
		p.str("oif", " oif %s", r.OIF)
		if r.Flags&unix.FIB_RULE_OIF_DETACHED != 0 {
			p.flag("oif_detached", "null", " [detached]")
		}
	}
	if r.Has&netlink.RuleUIDs != 0 {
		p.num("uid_start", " uidrange %d", int64(r.UIDs[0]))
		p.num("uid_end", "-%d", int64(r.UIDs[1]))
	}
	if r.IPProto != 0 {
		p.str("ipproto", " ipproto %s", nameOf(ipprotoWords, uint32(r.IPProto)))
	}
	printPorts(p, "sport", r.SPort)
	printPorts(p, "dport", r.DPort)
	t.printRuleAction(p, r)
}

func (t *tool) printRuleAction(p *printer, r *netlink.Rule) {
	if r.Table != 0 { // also one that says to go on elsewhere may name a table
		p.str("table", " lookup %s", nameOf(tableWords, r.Table))
		if r.Has&netlink.RuleSuppressPrefix != 0 && r.SuppressPrefix != -1 {
			p.num("suppress_prefixlen", " suppress_prefixlength %d", int64(r.SuppressPrefix))
		}
		if r.Has&netlink.RuleSuppressGroup != 0 && r.SuppressGroup != -1 {
			p.str("suppress_ifgroup", " suppress_ifgroup %s", nameOf([]word{{0, "default"}}, uint32(r.SuppressGroup)))
		}
	}
	switch r.Action {
	case unix.FR_ACT_TO_TBL:
	case unix.FR_ACT_GOTO:
		p.num("goto", " goto %d", int64(r.Goto))
		if r.Flags&unix.FIB_RULE_UNRESOLVED != 0 {
			p.flag("unresolved", "null", " [unresolved]")
		}
	case unix.FR_ACT_NOP:
		p.flag("nop", "null", " nop")
	case unix.FR_ACT_BLACKHOLE:
		p.str("action", " %s", "blackhole")
	case unix.FR_ACT_UNREACHABLE:
		p.str("action", " %s", "unreachable")
	case unix.FR_ACT_PROHIBIT:
		p.str("action", " %s", "prohibit")
	}
	if t.c.Opts.Details || r.Proto != unix.RTPROT_UNSPEC && r.Proto != unix.RTPROT_KERNEL {
		p.str("protocol", " proto %s", nameOf(protoWords, uint32(r.Proto)))
	}
	p.text("\n")
}

// printRulePrefix writes from all, from 10.0.0.1 or from 10.0.0.0/8; JSON has
// the length apart.
func printRulePrefix(p *printer, text, key string, x netip.Prefix, all bool) {
	switch {
	case !x.IsValid() && all:
		p.str(key, text+"%s", "all")
	case !x.IsValid():
	case x.IsSingleIP():
		p.str(key, text+"%s", x.Addr().String())
	default:
		p.str(key, text+"%s", x.Addr().String())
		p.num(key+"len", "/%d", int64(x.Bits()))
	}
}

func printPorts(p *printer, key string, r netlink.PortRange) {
	switch {
	case r.First == 0 && r.Last == 0:
	case r.First == r.Last:
		p.num(key, " "+key+" %d", int64(r.First))
	default:
		p.num(key+"_start", " "+key+" %d", int64(r.First))
		p.num(key+"_end", "-%d", int64(r.Last))
	}
}
