package fib

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"

	"nsmodel/netns"
)

// An Action is what a rule does with a flow that it selects. Linux: FR_ACT_*.
type Action uint8

const (
	RuleUnspec      Action = iota // in DeleteRule: any
	ToTable                       // look the flow up in Rule.Table
	Goto                          // go on with the first rule of priority Rule.Goto
	Nop                           // go on with the next rule
	RuleBlackhole                 // EINVAL
	RuleUnreachable               // ENETUNREACH
	RuleProhibit                  // EACCES
)

// A PortRange is a range of ports, both ends included; the zero value is any.
type PortRange struct{ First, Last uint16 }

// A UIDRange is a range of users, both ends included; unset it is any.
type UIDRange struct {
	First, Last uint32
	Set         bool
}

func (u UIDRange) has(uid uint32) bool { return !u.Set || u.First <= uid && uid <= u.Last }

// A Rule chooses a table for the flows that it selects; a zero selector selects
// all. Linux: struct fib_rule and struct fib4_rule.
type Rule struct {
	From, To    netip.Prefix // host bits are shown and do not count
	Iif, Oif    string       // device names; while there is no such device the rule is detached
	SPort       PortRange
	DPort       PortRange
	Priority    uint32
	PrioritySet bool   // Priority is given; else AddRule takes Linux's default, DeleteRule any
	Table       uint32 // of ToTable
	Goto        uint32 // of Goto: the priority to go on with
	Mark, Mask  uint32 // fwmark; Mask 0 with a Mark stands for all bits
	Action      Action
	Not         bool // select what all the selectors do not
	TOS         uint8
	IPProto     uint8
	Proto       uint8 // who made the rule (RTPROT_*)
	UIDs        UIDRange

	// Suppress makes a result with a prefix of SuppressPrefixLen bits or
	// fewer count as none.
	Suppress          bool
	SuppressPrefixLen uint8

	// Filled in by Rules; not compared.
	IifDetached, OifDetached bool // the device does not exist
	Unresolved               bool // no rule has the priority Goto
}

// ruleHome is one Net's rules.
type ruleHome struct {
	set atomic.Pointer[ruleSet] // nil: the stock rules
}

// A ruleSet is a Net's rules in order; immutable.
type ruleSet struct{ rules []rule }

// A rule is a Rule made ready for matching.
type rule struct {
	Rule
	from, to key
	iif, oif int32 // interface indexes; 0 any, -1 detached
	target   int   // of Goto: where to go on; -1 unresolved
}

// stockRules are what every Net begins with; IPv6 has no table default. Linux:
// fib_default_rules_init, fib6_rules_net_init.
func stockRules(f Family) *ruleSet {
	s := &ruleSet{}
	names := []uint32{TableLocal, TableMain, TableDefault}
	if f == IPv6 {
		names = names[:2]
	}
	for i, table := range names {
		priority := []uint32{0, 0x7ffe, 0x7fff}[i]
		s.rules = append(s.rules, rule{Rule: Rule{
			Priority: priority, PrioritySet: true, Action: ToTable, Table: table, Proto: ProtoKernel,
		}})
	}
	return s
}

// lookupRules walks n's rules. Linux: fib_rules_lookup, fib4_rule_action.
func (f *FIB) lookupRules(n *netns.Net, t *tables, k key, fl *Flow, res *Result) syscall.Errno {
	set := f.rules.Of(n).set.Load()
	if set == nil {
		set = f.stock
	}
	src, _ := keyOf(f.conf.Family, fl.Src)
	for i := 0; i < len(set.rules); i++ {
		r := &set.rules[i]
		if r.match(k, src, fl) == r.Not {
			continue
		}
		switch r.Action {
		case Goto:
			if r.target >= 0 {
				i = r.target - 1
			}
		case ToTable:
			errno := f.find(t.get(r.Table), r.Table, k, fl, res)
			if errno == syscall.EAGAIN || errno == 0 && r.Suppress && res.plen <= r.SuppressPrefixLen {
				continue
			}
			return errno
		case RuleUnreachable:
			return syscall.ENETUNREACH
		case RuleProhibit:
			return syscall.EACCES
		case RuleBlackhole:
			return syscall.EINVAL
		}
	}
	return syscall.ENETUNREACH
}

// match reports whether all of r's selectors fit; k and src are fl's addresses.
// Linux: fib_rule_match, fib4_rule_match.
func (r *rule) match(k, src key, fl *Flow) bool {
	return (r.iif == 0 || r.iif == fl.Iif) && (r.oif == 0 || r.oif == fl.Oif) &&
		(r.Mark^fl.Mark)&r.Mask == 0 &&
		(r.From.Bits() <= 0 || src.agree(r.from, uint8(r.From.Bits()))) &&
		(r.To.Bits() <= 0 || k.agree(r.to, uint8(r.To.Bits()))) &&
		(r.TOS == 0 || r.TOS == fl.TOS&^3) && (r.IPProto == 0 || r.IPProto == fl.Proto) &&
		r.SPort.has(fl.SPort) && r.DPort.has(fl.DPort) && r.UIDs.has(fl.UID)
}

func (p PortRange) has(port uint16) bool {
	return p == PortRange{} || p.First <= port && port <= p.Last
}

// Rules returns n's rules in the order in which a lookup asks them.
func (f *FIB) Rules(n *netns.Net) []Rule {
	var out []Rule
	for _, r := range f.ruleSet(n).rules {
		r.IifDetached, r.OifDetached = r.iif < 0, r.oif < 0
		r.Unresolved = r.Action == Goto && r.target < 0
		out = append(out, r.Rule)
	}
	return out
}

func (f *FIB) ruleSet(n *netns.Net) *ruleSet {
	if s := f.rules.Of(n).set.Load(); s != nil {
		return s
	}
	return f.stock
}

// arrange returns rules as a set, with the targets of Goto found.
func arrange(rules []rule) *ruleSet {
	for i := range rules {
		r := &rules[i]
		r.target = -1
		if r.Action == Goto {
			r.target = slices.IndexFunc(rules, func(o rule) bool { return o.Priority == r.Goto })
		}
	}
	return &ruleSet{rules}
}

// compare is rule_exists's notion of equal: what Not, Goto and Proto say does
// not count.
func (r *rule) equal(o *rule) bool {
	a, b := r.Rule, o.Rule
	for _, p := range []*Rule{&a, &b} {
		p.Not, p.Goto, p.PrioritySet = false, 0, false
	}
	return a == b
}
