package netlink

import (
	"net/netip"
	"time"
)

// A Route is an entry of a table, or the answer to "ip route get".
// Linux: struct rtmsg with RTA_*.
//
// Dst invalid or of length 0 is the default route; Linux leaves RTA_DST out of
// both. In a request it stands as written: to refuse bits behind the length is
// the handler's business. In the answer to a get it is the address asked for, as a full-length prefix.
type Route struct {
	Family   uint8        // unix.AF_INET or AF_INET6
	Dst      netip.Prefix // destination
	Src      netip.Prefix // source (IPv6 subtrees, and "ip route get ... from")
	TOS      uint8
	Table    uint32 // unix.RT_TABLE_*; 0 in a request: main (or local, for the types that live there)
	Proto    uint8  // unix.RTPROT_*
	Scope    uint8  // unix.RT_SCOPE_*
	Type     uint8  // unix.RTN_*
	Flags    uint32 // unix.RTNH_F_* (ONLINK, LINKDOWN, DEAD) and RTM_F_* (CLONED, LOOKUP_TABLE)
	Priority uint32 // RTA_PRIORITY, the metric
	Has      RouteAttr

	// The way, if there is one next hop.
	OIF     int        // RTA_OIF: interface, 0 if none
	Gateway netip.Addr // RTA_GATEWAY, or RTA_VIA if of the other family
	PrefSrc netip.Addr // RTA_PREFSRC: source address for what is sent from here

	Multipath []NextHop // RTA_MULTIPATH; if not empty OIF and Gateway stand there instead

	// RTA_METRICS; 0 is "not given".
	MTU, AdvMSS, HopLimit, Window, InitCwnd, InitRwnd uint32
	Locked                                            uint32 // bit unix.RTAX_x: metric x is locked

	// Of a get, its request and its answer.
	IIF  int    // RTA_IIF
	Mark uint32 // RTA_MARK
	UID  uint32 // RTA_UID, if RouteUID

	IPProto      uint8  // RTA_IP_PROTO
	SPort, DPort uint16 // RTA_SPORT, RTA_DPORT

	// RTA_CACHEINFO, if RouteCacheInfo.
	Expires time.Duration
	Error   int32 // an errno, of an IPv6 reject route
	Pref    uint8 // RTA_PREF, IPv6, if RoutePref
}

// RouteAttr is a set of attributes that a Route carries although they may be zero.
type RouteAttr uint8

// Attributes of a Route.
const (
	RouteUID       RouteAttr = 1 << iota // RTA_UID
	RouteCacheInfo                       // RTA_CACHEINFO
	RoutePref                            // RTA_PREF
	RouteTable                           // a dump request's Table is a filter, not a zero value
	RouteFIBMatch                        // a get's answer is to be the matching entry (RTM_F_FIB_MATCH)
)

// A NextHop is one of several ways of a route. Linux: struct rtnexthop with RTA_*.
type NextHop struct {
	Index   int        // interface; 0 if not given
	Gateway netip.Addr // invalid if none
	Weight  int        // from 1 (Linux: rtnh_hops + 1); 0 in a request: 1
	Flags   uint32     // unix.RTNH_F_*
}

// A Rule is one policy rule. Linux: struct fib_rule_hdr with FRA_*.
type Rule struct {
	Family   uint8
	From, To netip.Prefix // invalid: all
	TOS      uint8
	Table    uint32 // unix.RT_TABLE_*
	Action   uint8  // unix.FR_ACT_*; 0 in a request: to table
	Flags    uint32 // unix.FIB_RULE_* (INVERT is "not", ...)
	Has      RuleAttr

	Priority       uint32 // FRA_PRIORITY, if RulePriority
	IIF, OIF       string // FRA_IIFNAME, FRA_OIFNAME
	Mark, MarkMask uint32 // FRA_FWMARK, FRA_FWMASK, if RuleMark and RuleMask
	Goto           uint32 // FRA_GOTO, for FR_ACT_GOTO
	IPProto        uint8  // FRA_IP_PROTO
	SPort, DPort   PortRange
	SuppressPrefix int // FRA_SUPPRESS_PREFIXLEN, if RuleSuppressPrefix
	SuppressGroup  int // FRA_SUPPRESS_IFGROUP, if RuleSuppressGroup
	Proto          uint8
	UIDs           [2]uint32 // FRA_UID_RANGE, if RuleUIDs
	L3MDev         bool
}

// RuleAttr is a set of attributes that a Rule carries although they may be zero.
type RuleAttr uint8

// Attributes of a Rule.
const (
	RulePriority RuleAttr = 1 << iota
	RuleMark
	RuleMask
	RuleSuppressPrefix
	RuleSuppressGroup
	RuleUIDs
	RuleTable // FRA_TABLE was given (to delete by)
)

// A PortRange is the ports from First to Last; zero is every port.
type PortRange struct{ First, Last uint16 }

// Kind returns KindRoute.
func (*Route) Kind() Kind { return KindRoute }

// AF returns the route's family.
func (r *Route) AF() uint8 { return r.Family }

// Kind returns KindRule.
func (*Rule) Kind() Kind { return KindRule }

// AF returns the rule's family.
func (r *Rule) AF() uint8 { return r.Family }
