package lab

import (
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

const ruleHelp = `Usage: ip rule { add | del } SELECTOR ACTION
       ip rule { list | flush } [ SELECTOR ] [ table TABLE ]
SELECTOR := [ not ] [ from PREFIX ] [ to PREFIX ] [ tos TOS ] [ fwmark MARK[/MASK] ]
            [ iif DEV ] [ oif DEV ] [ pref N ] [ ipproto PROTO ] [ sport N[-N] ] [ dport N[-N] ]
            [ uidrange N-N ]
ACTION := [ table TABLE ] [ proto PROTO ] [ goto N ] [ TYPE ]
          [ suppress_prefixlength N ] [ suppress_ifgroup N ]
TYPE := { blackhole | prohibit | unreachable | nop }
`

// A RuleShow is "ip rule list".
type RuleShow struct{ Filter RuleFilter }

// A RuleFlush is "ip rule flush".
type RuleFlush struct{ Filter RuleFilter }

// A RuleFilter says which rules a command means.
type RuleFilter struct {
	Family   uint8
	Table    int64 // -1: any
	Priority int64
	From, To netip.Prefix
	IIF, OIF string
	Not      bool
}

func parseRule(a *args, c *Command) Action {
	switch a.verb("rule", "list", ruleHelp, "list", "lst", "show", "add", "delete", "flush") {
	case "add":
		if !a.more() {
			panic(usage(1, "\"ip rule add\" requires arguments.\n"))
		}
		return parseRuleChange(a, c, netlink.New, netlink.Create|netlink.Excl)
	case "delete":
		if !a.more() {
			panic(usage(1, "\"ip rule del\" requires arguments.\n"))
		}
		return parseRuleChange(a, c, netlink.Del, 0)
	case "flush":
		return &RuleFlush{parseRuleFilter(a, c)}
	}
	return &RuleShow{parseRuleFilter(a, c)}
}

func parseRuleChange(a *args, c *Command, op netlink.Op, flags netlink.Flags) Action {
	r := &netlink.Rule{Family: c.Opts.Family}
	for a.more() {
		if !ruleSelector(a, r) {
			ruleAction(a, r)
		}
	}
	if r.Family == unix.AF_UNSPEC {
		r.Family = unix.AF_INET
	}
	if op == netlink.New {
		if r.Action == unix.FR_ACT_UNSPEC {
			r.Action = unix.FR_ACT_TO_TBL
		}
		if r.Action == unix.FR_ACT_TO_TBL && r.Has&netlink.RuleTable == 0 {
			r.Table, r.Has = unix.RT_TABLE_MAIN, r.Has|netlink.RuleTable
		}
	}
	return &Change{Req: netlink.Request{Op: op, Flags: flags, Msg: r}}
}

// ruleSelector reads one keyword that says which packets a rule is for.
func ruleSelector(a *args, r *netlink.Rule) bool {
	switch w := a.peek(); {
	case w == "not":
		a.next()
		r.Flags |= unix.FIB_RULE_INVERT
	case w == "from":
		a.next()
		r.From = hostPrefix(a.next(), &r.Family)
	case w == "to":
		a.next()
		r.To = hostPrefix(a.next(), &r.Family)
	case abbrev(w, "preference") || abbrev(w, "order") || abbrev(w, "priority"):
		a.next()
		r.Priority, r.Has = uint32(a.number(32, "preference value is invalid\n")), r.Has|netlink.RulePriority
	case w == "tos" || abbrev(w, "dsfield"):
		a.next()
		v := a.next()
		n, ok := tos(v)
		if !ok {
			panic(invalid(v, "TOS value is invalid\n"))
		}
		r.TOS = n
	case w == "fwmark":
		a.next()
		ruleMark(a.next(), r)
	case w == "dev" || w == "iif":
		a.next()
		r.IIF = ruleDevice(a, "iif")
	case w == "oif":
		a.next()
		r.OIF = ruleDevice(a, "oif")
	case w == "ipproto":
		a.next()
		r.IPProto = uint8(named(a, ipprotoWords, 8, "Invalid \"ipproto\" value\n"))
	case w == "sport":
		a.next()
		r.SPort = ports(a.next(), "sport")
	case w == "dport":
		a.next()
		r.DPort = ports(a.next(), "dport")
	case w == "uidrange":
		a.next()
		ruleUIDs(a.next(), r)
	default:
		return false
	}
	return true
}

func ruleDevice(a *args, key string) string {
	w := a.next()
	if !validName(w) {
		panic(invalid(w, "\""+key+"\" not a valid ifname"))
	}
	return w
}

func ruleMark(w string, r *netlink.Rule) {
	mark, mask, masked := strings.Cut(w, "/")
	v, ok := number(mark, 32)
	if !ok {
		panic(invalid(mark, "fwmark value is invalid\n"))
	}
	r.Mark, r.Has = uint32(v), r.Has|netlink.RuleMark
	if masked {
		v, ok := number(mask, 32)
		if !ok {
			panic(invalid(mask, "fwmask value is invalid\n"))
		}
		r.MarkMask, r.Has = uint32(v), r.Has|netlink.RuleMask
	}
}

func ruleUIDs(w string, r *netlink.Rule) {
	lo, hi, ok := strings.Cut(w, "-")
	x, ok1 := number(lo, 32)
	y, ok2 := number(hi, 32)
	if !ok || !ok1 || !ok2 {
		panic(invalid(w, "invalid UID range\n"))
	}
	r.UIDs, r.Has = [2]uint32{uint32(x), uint32(y)}, r.Has|netlink.RuleUIDs
}

func ports(w, key string) netlink.PortRange {
	lo, hi, ranged := strings.Cut(w, "-")
	x, ok := number(lo, 16)
	y := x
	if ranged && ok {
		y, ok = number(hi, 16)
	}
	if !ok || y < x {
		panic(invalid(w, "invalid port range\n"))
	}
	return netlink.PortRange{First: uint16(x), Last: uint16(y)}
}

// ruleAction reads one keyword that says what a rule does.
func ruleAction(a *args, r *netlink.Rule) {
	switch w := a.next(); {
	case abbrev(w, "table") || abbrev(w, "lookup"):
		r.Table, r.Has = named(a, tableWords, 32, "invalid table ID\n"), r.Has|netlink.RuleTable
	case abbrev(w, "protocol"):
		r.Proto = uint8(named(a, protoWords, 8, "\"protocol\" value is invalid\n"))
	case w == "suppress_prefixlength" || w == "sup_pl":
		r.SuppressPrefix, r.Has = int(a.number(31, "suppress_prefixlength value is invalid\n")), r.Has|netlink.RuleSuppressPrefix
	case w == "suppress_ifgroup" || w == "sup_group":
		r.SuppressGroup, r.Has = int(a.number(31, "Invalid \"suppress_ifgroup\" value\n")), r.Has|netlink.RuleSuppressGroup
	case w == "goto":
		r.Goto, r.Action = uint32(a.number(32, "invalid target\n")), unix.FR_ACT_GOTO
	case abbrev(w, "nat") || abbrev(w, "map-to") || abbrev(w, "realms") || w == "l3mdev" || w == "tun_id":
		panic(notModelled("ip rule " + w))
	default:
		if w == "type" {
			w = a.next()
		} else if abbrev(w, "help") {
			panic(usage(255, "%s", ruleHelp))
		}
		ruleType(w, r)
	}
}

func ruleType(w string, r *netlink.Rule) {
	switch w {
	case "blackhole":
		r.Action = unix.FR_ACT_BLACKHOLE
	case "prohibit":
		r.Action = unix.FR_ACT_PROHIBIT
	case "unreachable":
		r.Action = unix.FR_ACT_UNREACHABLE
	case "nop":
		r.Action = unix.FR_ACT_NOP
	case "unicast":
		r.Action = unix.FR_ACT_TO_TBL
	default:
		panic(invalid(w, "Failed to parse rule type"))
	}
}

func parseRuleFilter(a *args, c *Command) RuleFilter {
	f := RuleFilter{Family: c.Opts.Family, Table: -1, Priority: -1}
	for a.more() {
		switch w := a.next(); {
		case abbrev(w, "preference") || abbrev(w, "order") || abbrev(w, "priority"):
			f.Priority = int64(a.number(32, "preference value is invalid\n"))
		case w == "not":
			f.Not = true
		case w == "from":
			f.From = hostPrefix(a.next(), &f.Family)
		case w == "to":
			f.To = hostPrefix(a.next(), &f.Family)
		case w == "dev" || w == "iif":
			f.IIF = ruleDevice(a, "iif")
		case w == "oif":
			f.OIF = ruleDevice(a, "oif")
		case abbrev(w, "table") || abbrev(w, "lookup"):
			if f.Table = -1; !a.take("all") {
				f.Table = int64(named(a, tableWords, 32, "table id value is invalid\n"))
			}
		case abbrev(w, "help"):
			panic(usage(255, "%s", ruleHelp))
		default:
			panic(garbage("to", w))
		}
	}
	if f.Family == unix.AF_UNSPEC {
		f.Family = unix.AF_INET
	}
	return f
}
