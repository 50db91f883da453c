// Package fib holds the routing tables of every Net and the policy rules that
// choose among them. A lookup takes no lock and allocates nothing; a change
// builds new nodes beside the old ones and swaps one pointer.
//
// The semantics are Linux's: fib_trie.c for tables, fib_semantics.c for what a
// route may say, fib_rules.c for rules. One FIB serves one address family.
package fib

import (
	"nsmodel/core"
	"nsmodel/netns"
)

// A Family is an address family of routes.
type Family uint8

const (
	IPv4 Family = iota // AF_INET
	IPv6               // AF_INET6
)

// String returns ipv4 or ipv6.
func (f Family) String() string {
	if f == IPv6 {
		return "ipv6"
	}
	return "ipv4"
}

// bits returns the width of the family's addresses.
func (f Family) bits() int {
	if f == IPv6 {
		return 128
	}
	return 32
}

// Config says where a FIB's state lives and what it asks of the floors above.
type Config struct {
	Family Family
	FIB    netns.Placement // the routing tables; Default is Replicated, as in Linux
	Rules  netns.Placement // the policy rules; Default is Replicated, as in Linux

	// Up and Carrier tell the state of a device (IFF_UP, IFF_LOWER_UP) when a
	// route is added through it; nil means that all are up.
	Up      func(*core.Device) bool
	Carrier func(*core.Device) bool
	// Index finds a device of n by name for rules; 0: there is none.
	Index func(n *netns.Net, name string) int32
	// IgnoreLinkDown tells whether lookups pass over next hops of a device
	// that has lost its carrier; nil means no.
	// Linux: sysctl net.ipv4.conf.*.ignore_routes_with_linkdown.
	IgnoreLinkDown func(*core.Device) bool

	// Disabled tells whether a device refuses routes, as one does where IPv6 is
	// disabled; nil means no.
	Disabled func(*core.Device) bool
}

// A FIB is the routing state of one family for all Nets of a System.
// Linux: net->ipv4.fib_table_hash and net->ipv4.rules_ops.
type FIB struct {
	// fixed
	conf  Config
	homes *netns.Cell[home]
	rules *netns.Cell[ruleHome]
	stock *ruleSet // the rules of a Net that never changed them

	// OnChange, if set before the first route, is told of each change to a
	// route, under rtnl and after readers can see it.
	OnChange func(n *netns.Net, op Op, r Route)
	// OnRuleChange is told of each change to a rule, likewise.
	OnRuleChange func(n *netns.Net, op Op, r Rule)
}

// An Op is what happened to a route or a rule.
type Op uint8

const (
	Added    Op = iota // RTM_NEWROUTE, RTM_NEWRULE
	Replaced           // RTM_NEWROUTE with NLM_F_REPLACE; told of the new route only
	Deleted            // RTM_DELROUTE, RTM_DELRULE
	Flushed            // gone with its device or address: Linux sends no message
)

// New registers the routing state of c.Family with s, before s.Boot.
func New(s *netns.System, c Config) *FIB {
	if c.FIB == netns.Default {
		c.FIB = netns.Replicated
	}
	if c.Rules == netns.Default {
		c.Rules = netns.Replicated
	}
	f := &FIB{conf: c, stock: stockRules(c.Family)}
	name := c.Family.String()
	f.homes = netns.NewCell(s, name+"-fib", c.FIB, func(*netns.Net) *home { return new(home) })
	f.rules = netns.NewCell(s, name+"-rules", c.Rules, func(*netns.Net) *ruleHome { return new(ruleHome) })
	return f
}

// String returns op's word.
func (op Op) String() string {
	return [...]string{"added", "replaced", "deleted", "flushed"}[op&3]
}
