package ipv6

import (
	"sync"
	"sync/atomic"

	"nsmodel/core"
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
	flagFragmented              // had a fragment header. Linux: IP6SKB_FRAGMENTED
)

// What Packet.Opts holds: flags, where the header stands that names the
// transport (Linux: nhoff), and of a fragment where its fragment header is.
const (
	optFlags = iota
	optNext
	optHeaders
)

// pathState is what the packet's way keeps.
type pathState struct {
	nets       *netns.Cell[pathNet]
	frags      *netns.Table[fragKey, *fragQueue]
	exceptions *netns.Table[exceptKey, *exception]

	hostFragMem atomic.Int64 // bytes that all Nets' fragments hold, if that is limited
}

// pathNet is one Net's part of it. All limits are its own (a limit that Nets
// share would tell them of each other).
type pathNet struct {
	net     *netns.Net // fixed; nil: it is what all share that have none
	config  sync.Mutex // see the package's comment
	rates   rates
	except  exceptions
	pings   pings
	labels  labels
	lives   lifetimes
	fragMem *atomic.Int64 // bytes that fragments hold: own, or the host's
	ownMem  atomic.Int64
	dead    atomic.Bool // pre-exit has begun: nothing is queued any more
}

// initPath registers what the packet's way needs; called by New before it
// registers [Inet.Receive]. The placements in c are not Default any more.
func (s *Inet) initPath(c Config) error {
	sys := s.Core.Sys
	s.path.nets = netns.NewCell(sys, "ipv6-path", netns.Replicated, func(n *netns.Net) *pathNet {
		st := &pathNet{net: n}
		st.fragMem = &st.ownMem
		if c.HostLimits {
			st.fragMem = &s.path.hostFragMem
		}
		return st
	})
	s.path.frags = netns.NewTable[fragKey, *fragQueue](sys, "ipv6-frag", c.Frags, netns.Keyed[fragKey]())
	s.path.exceptions = netns.NewTable[exceptKey, *exception](sys, "ipv6-exceptions", c.Exceptions, netns.Keyed[exceptKey]())
	netns.Attend(sys, "ipv6-path-exit", nil, s.pathPreExit, s.pathExit)
	return s.Handle(Protocol{Number: ProtoICMPv6, Receive: s.icmpReceive, Error: s.pingError})
}

// pathPreExit ends what waits in n. Linux: ipv6_frags_pre_exit_net.
func (s *Inet) pathPreExit(n *netns.Net) {
	st := s.path.nets.Of(n)
	if st.net == nil {
		return // what Nets share that have nothing
	}
	st.dead.Store(true)
	s.purgeFrags(n, core.NetDying)
	st.pings.closeAll()
}

// pathExit ends what a packet on its way put there in the meantime.
func (s *Inet) pathExit(n *netns.Net) {
	s.purgeFrags(n, core.NetDying)
}
