package fib

import (
	"slices"
	"syscall"

	"nsmodel/netns"
)

// AddRule adds a rule after those of its priority; under rtnl. Without a
// priority it gets the one below the second rule's, and Table 0 means the first
// unused table, both as in Linux. The first change to a Net's rules ends the
// union of its tables local and main for good, as in Linux.
//
// Errors, of type *Error: EEXIST for an equal rule (Not and Goto aside),
// EINVAL. Linux: fib_nl_newrule.
func (f *FIB) AddRule(n *netns.Net, r Rule) error {
	old := f.ruleSet(n).rules
	if !r.PrioritySet {
		r.Priority, r.PrioritySet = defaultPriority(old), true
	}
	c, err := f.compile(n, r)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(old, func(o rule) bool { return o.equal(c) }) {
		return refuse(syscall.EEXIST, "")
	}
	i := slices.IndexFunc(old, func(o rule) bool { return o.Priority > c.Priority })
	if i < 0 {
		i = len(old)
	}
	f.store(n, put(old, i, *c, false))
	f.tellRule(n, Added, c.Rule)
	return nil
}

// defaultPriority is the priority of a rule that gives none.
// Linux: fib_default_rule_pref.
func defaultPriority(rules []rule) uint32 {
	if len(rules) > 1 && rules[1].Priority > 0 {
		return rules[1].Priority - 1
	}
	return 0
}

// compile checks r and makes it ready. Linux: fib_nl2rule, fib4_rule_configure.
func (f *FIB) compile(n *netns.Net, r Rule) (*rule, error) {
	switch {
	case r.Action == RuleUnspec:
		r.Action = ToTable
	case r.Action > RuleProhibit:
		return nil, refuse(syscall.EINVAL, "")
	case r.Action == Goto && r.Goto <= r.Priority:
		return nil, refuse(syscall.EINVAL, "Backward goto not supported")
	}
	if r.TOS&3 != 0 {
		return nil, refuse(syscall.EINVAL, "Invalid dsfield (tos): ECN bits must be 0")
	}
	if r.SPort.Last < r.SPort.First || r.DPort.Last < r.DPort.First {
		return nil, refuse(syscall.EINVAL, "")
	}
	if r.Mark != 0 && r.Mask == 0 {
		r.Mask = ^uint32(0)
	}
	if r.Action == ToTable && r.Table == 0 {
		t := f.snapshot(n)
		for r.Table = 1; t.get(r.Table) != nil; r.Table++ {
		}
	}
	c := &rule{Rule: r, target: -1}
	for _, p := range []struct {
		k *key
		p int
	}{{&c.from, r.From.Bits()}, {&c.to, r.To.Bits()}} {
		ok, a := true, r.From.Addr()
		if p.k == &c.to {
			a = r.To.Addr()
		}
		if p.p >= 0 && a.IsValid() {
			*p.k, ok = keyOf(f.conf.Family, a)
		}
		if !ok {
			return nil, refuse(syscall.EINVAL, "")
		}
	}
	c.iif, c.oif = f.index(n, r.Iif), f.index(n, r.Oif)
	return c, nil
}

// index returns the index of the device a rule names; 0 for no name, -1 for no
// device.
func (f *FIB) index(n *netns.Net, name string) int32 {
	if name == "" {
		return 0
	}
	if f.conf.Index != nil {
		if i := f.conf.Index(n, name); i > 0 {
			return i
		}
	}
	return -1
}

// store makes rules those of n. The tables are split first: a reader that finds
// them whole need not ask for rules.
func (f *FIB) store(n *netns.Net, rules []rule) {
	f.homes.Own(n).tables.Store(f.snapshot(n).unmerge())
	f.rules.Own(n).set.Store(arrange(rules))
}

// DeleteRule takes away the first rule that has all that r gives: Action unless
// RuleUnspec, Priority if PrioritySet, and each field that is not zero. Errors,
// of type *Error: ENOENT. Under rtnl. Linux: fib_nl_delrule, rule_find.
func (f *FIB) DeleteRule(n *netns.Net, r Rule) error {
	old := f.ruleSet(n).rules
	pref := r.Priority
	if !r.PrioritySet {
		pref = defaultPriority(old)
	}
	if r.Action == Goto && r.Goto <= pref { // fib_nl2rule does not ask what for
		return refuse(syscall.EINVAL, "Backward goto not supported")
	}
	i := slices.IndexFunc(old, func(o rule) bool { return r.selectsRule(&o.Rule) })
	if i < 0 {
		return refuse(syscall.ENOENT, "")
	}
	gone := old[i].Rule
	f.store(n, cut(old, i))
	f.tellRule(n, Deleted, gone)
	return nil
}

// selectsRule reports whether o is what a DeleteRule with r means.
func (r *Rule) selectsRule(o *Rule) bool {
	given := func(yes, equal bool) bool { return !yes || equal }
	return given(r.Action != RuleUnspec, r.Action == o.Action) &&
		given(r.Table != 0, r.Table == o.Table) &&
		given(r.PrioritySet, r.Priority == o.Priority) &&
		given(r.Iif != "", r.Iif == o.Iif) && given(r.Oif != "", r.Oif == o.Oif) &&
		given(r.Mark != 0, r.Mark == o.Mark) && given(r.Mask != 0, r.Mask == o.Mask) &&
		given(r.TOS != 0, r.TOS == o.TOS) && given(r.IPProto != 0, r.IPProto == o.IPProto) &&
		given(r.SPort != PortRange{}, r.SPort == o.SPort) && given(r.DPort != PortRange{}, r.DPort == o.DPort) &&
		given(r.UIDs.Set, r.UIDs == o.UIDs) &&
		given(r.Suppress, o.Suppress && r.SuppressPrefixLen == o.SuppressPrefixLen) &&
		given(r.From.Bits() > 0, r.From == o.From) && given(r.To.Bits() > 0, r.To == o.To)
}

// DevicesChanged is told that a device of n has come, gone, or changed its name
// or index: rules that name devices are attached and detached anew. Under rtnl.
// Linux: attach_rules, detach_rules.
func (f *FIB) DevicesChanged(n *netns.Net) {
	h := f.rules.Of(n)
	set := h.set.Load()
	if set == nil {
		return
	}
	rules := slices.Clone(set.rules)
	for i := range rules {
		rules[i].iif, rules[i].oif = f.index(n, rules[i].Iif), f.index(n, rules[i].Oif)
	}
	h.set.Store(arrange(rules))
}

func (f *FIB) tellRule(n *netns.Net, op Op, r Rule) {
	if f.OnRuleChange != nil {
		f.OnRuleChange(n, op, r)
	}
}
