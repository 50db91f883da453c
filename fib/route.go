package fib

import (
	"net/netip"
	"strconv"
	"syscall"

	"nsmodel/core"
)

// A Type is what a route does with a packet. Linux: RTN_*.
type Type uint8

const (
	Unspec      Type = iota
	Unicast          // by a gateway or a device
	Local            // delivered here
	Broadcast        // delivered here and sent as a link broadcast
	Anycast          // delivered here as broadcast, sent as unicast
	Multicast        // multicast
	Blackhole        // dropped: EINVAL
	Unreachable      // EHOSTUNREACH
	Prohibit         // EACCES
	Throw            // go on with the next rule
	NAT              // refused, as in Linux
)

var typeNames = [...]string{"none", "unicast", "local", "broadcast", "anycast", "multicast",
	"blackhole", "unreachable", "prohibit", "throw", "nat"}

// String returns iproute2's word for t.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return strconv.Itoa(int(t))
}

// A Scope is a distance to a destination; the greater, the nearer.
// Linux: RT_SCOPE_*.
type Scope uint8

const (
	Global  Scope = 0 // RT_SCOPE_UNIVERSE: behind a gateway
	Site    Scope = 200
	Link    Scope = 253 // on an attached link
	Host    Scope = 254 // this host
	Nowhere Scope = 255 // does not exist; in Delete: any scope
)

// String returns iproute2's word for s.
func (s Scope) String() string {
	switch s {
	case Global:
		return "global"
	case Site:
		return "site"
	case Link:
		return "link"
	case Host:
		return "host"
	case Nowhere:
		return "nowhere"
	}
	return strconv.Itoa(int(s))
}

// Protos tell who made a route. Linux: RTPROT_*.
const (
	ProtoUnspec   = 0
	ProtoRedirect = 1
	ProtoKernel   = 2
	ProtoBoot     = 3 // what iproute2 gives
	ProtoStatic   = 4
	ProtoRA       = 9 // from a router's advertisement
)

// The tables that every Net has. Linux: RT_TABLE_*.
const (
	TableDefault uint32 = 253
	TableMain    uint32 = 254
	TableLocal   uint32 = 255
)

// HopFlags are the state of a next hop. Linux: RTNH_F_*.
type HopFlags uint8

const (
	HopDead     HopFlags = 1  // its device is down
	HopOnlink   HopFlags = 4  // its gateway is on the link, whatever the routes say
	HopLinkDown HopFlags = 16 // its device has no carrier
)

// A NextHop is one way out. Linux: struct fib_nh.
type NextHop struct {
	Dev     *core.Device
	Gw      netip.Addr // the zero Addr: the destination itself is on the link
	IfIndex int32      // Dev's index in the Net
	Weight  uint16     // 1 to 256; 0 means 1. Linux: rtnh_hops + 1
	Flags   HopFlags
	Scope   Scope // of the way to Gw; filled in by Add. Linux: nh_scope
}

// A Route is what a table holds for one prefix.
// Linux: struct fib_alias with its struct fib_info.
type Route struct {
	Dst      netip.Prefix
	Src      netip.Addr   // preferred source address; the zero Addr: none
	From     netip.Prefix // for what sources, IPv6's alone; the zero Prefix: for all
	NextHops []NextHop    // never written after it was given to Add
	Table    uint32
	Metric   uint32 // lower wins. Linux: fib_priority
	MTU      uint32 // RTAX_MTU; 0: the device's
	AdvMSS   uint32 // RTAX_ADVMSS; 0: from the MTU
	Metrics         // what is kept for those who ask
	Type     Type
	Scope    Scope
	Proto    uint8
	TOS      uint8 // IPv4's alone
	// Pref orders routes of one metric, IPv6's alone: 1 high, 0 medium, 3 low
	// (RFC 4191). Linux: RTA_PREF.
	Pref uint8
}

// Metrics are those of a route's metrics that nothing here acts on: they are
// kept, compared and shown. Linux: the rest of struct dst_metrics.
type Metrics struct {
	Window, HopLimit   uint32 // RTAX_WINDOW, RTAX_HOPLIMIT
	InitCwnd, InitRwnd uint32 // RTAX_INITCWND, RTAX_INITRWND
	Locked             uint32 // bit x: metric x is not to be changed by what is learned. RTAX_LOCK
}

// selects reports whether m has what want gives.
func (want Metrics) selects(m Metrics) bool {
	for _, p := range [...][2]uint32{{want.Window, m.Window}, {want.HopLimit, m.HopLimit}, {want.InitCwnd, m.InitCwnd},
		{want.InitRwnd, m.InitRwnd}, {want.Locked, m.Locked}} {
		if p[0] != 0 && p[0] != p[1] {
			return false
		}
	}
	return true
}

// Flags say what Add may do about routes that are there. Linux: NLM_F_*.
type Flags uint8

const (
	Create  Flags = 1 << iota // a new one may be made
	Excl                      // fail if there is one with this prefix, TOS and metric
	Replace                   // take the place of the first with this prefix, TOS and metric
	Append                    // come after those with this metric, not before
)

// What iproute2's verbs stand for.
const (
	AddRoute     = Create | Excl
	ReplaceRoute = Create | Replace
	ChangeRoute  = Replace
	AppendRoute  = Create | Append
	PrependRoute = Create
)

// An Error is a refusal with Linux's errno and, where Linux gives one, the text
// of its extended acknowledgement, which iproute2 prints in place of the errno.
type Error struct {
	Errno syscall.Errno
	Text  string // Linux's words, or empty
}

// Error returns Linux's sentence, or the errno's if there is none.
func (e *Error) Error() string {
	if e.Text == "" {
		return "fib: " + e.Errno.Error()
	}
	return "fib: " + e.Text + ": " + e.Errno.Error()
}

// Unwrap returns the errno, for errors.Is.
func (e *Error) Unwrap() error { return e.Errno }

func refuse(errno syscall.Errno, text string) error { return &Error{errno, text} }
