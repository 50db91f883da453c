package ipv6

import (
	"sync"
	"sync/atomic"

	"nsmodel/netns"
)

// Flags of a packet on its way, in Packet.Opts[0]. Linux: rt6i_flags and the
// flags of struct inet6_skb_parm.
const (
	flagLocal       = 1 << iota // delivered here
	flagMulticast               // to a group
	flagAnycast                 // to an address of the subnet's routers
	flagOutput                  // routed as something that this Net sends
	flagForwarded               // Linux: IP6SKB_FORWARDED
	flagAgain                   // came in by lo, and is routed as if by another device
	flagRouterAlert             // routers are to look at it (RFC 2711)
)

// What Packet.Opts holds: flags, where the header stands that names the
// transport (Linux: nhoff), and how long the extension headers are.
const (
	optFlags = iota
	optNext
	optHeaders
)

// pathState is what the packet's way keeps.
type pathState struct {
	nets *netns.Cell[pathNet]

	exceptions *netns.Table[exceptKey, *exception]
}

// pathNet is one Net's part of it. All limits are its own (a limit that Nets
// share would tell them of each other).
type pathNet struct {
	own    bool       // fixed: it is a Net's, and not what all share that have none
	config sync.Mutex // see the package's comment
	rates  rates
	except exceptions
	pings  pings
	dead   atomic.Bool // pre-exit has begun: nothing is queued any more
}

// initPath registers what the packet's way needs; called by New before it
// registers [Inet.Receive].
func (s *Inet) initPath(c Config) error {
	sys := s.Core.Sys
	s.path.nets = netns.NewCell(sys, "ipv6-path", netns.Replicated, func(n *netns.Net) *pathNet { return &pathNet{own: n != nil} })
	s.path.exceptions = netns.NewTable[exceptKey, *exception](sys, "ipv6-exceptions", c.Exceptions, netns.Keyed[exceptKey]())
	netns.Attend(sys, "ipv6-path-exit", nil, s.pathPreExit, nil)
	return s.Handle(Protocol{Number: ProtoICMPv6, Receive: s.icmpReceive, Error: s.pingError})
}

// pathPreExit ends what waits in n.
func (s *Inet) pathPreExit(n *netns.Net) {
	st := s.path.nets.Of(n)
	if !st.own {
		return // what Nets share that have nothing
	}
	st.dead.Store(true)
	st.pings.closeAll()
}
