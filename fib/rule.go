package fib

import (
	"net/netip"
	"sync/atomic"
)

// An Action is what a rule does with a flow that it selects. Linux: FR_ACT_*.
type Action uint8

const (
	ToTable         Action = iota // look the flow up in Rule.Table
	Goto                          // go on with the first rule of priority Rule.Goto
	Nop                           // go on with the next rule
	RuleBlackhole                 // EINVAL
	RuleUnreachable               // ENETUNREACH
	RuleProhibit                  // EACCES
)

// A PortRange is a range of ports, both ends included; the zero value is any.
type PortRange struct{ First, Last uint16 }

// A Rule chooses a table for the flows that it selects; a zero selector selects
// all. Linux: struct fib4_rule.
type Rule struct {
	From, To    netip.Prefix // host bits are kept for show and masked for matching
	Iif, Oif    string       // device names; a rule whose device is absent is detached
	Priority    uint32
	PrioritySet bool // Priority was given; else Linux's default: one below the second rule's
	Action      Action
	Not         bool // select what the selectors from, to, tos, proto, ports, iif, oif, mark do not
	TOS         uint8
	IPProto     uint8
	Proto       uint8 // who made the rule (RTPROT_*)
	Table       uint32
	Mark, Mask  uint32 // fwmark; Mask 0 with a Mark means all bits
	SPort       PortRange
	DPort       PortRange
	Goto        uint32
	// Suppress makes a result with a prefix of SuppressPrefixLen bits or
	// fewer count as none.
	Suppress          bool
	SuppressPrefixLen uint8

	// As of the dump, filled in by Rules; not compared.
	IifDetached, OifDetached bool // the device does not exist
	Unresolved               bool // Goto has no target
}

// ruleHome is one Net's rules; nil stands for the stock rules.
type ruleHome struct {
	set atomic.Pointer[ruleSet]
}
