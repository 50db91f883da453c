package ipv4

import (
	"sync/atomic"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// Flags of a packet on its way, in Packet.Opts[0]. Linux: rt_flags, rt_type and
// the flags of struct inet_skb_parm.
const (
	flagLocal     = 1 << iota // delivered here. Linux: RTCF_LOCAL
	flagBroadcast             // Linux: RTCF_BROADCAST
	flagMulticast             // Linux: RTCF_MULTICAST
	flagOutput                // routed as something that this Net sends
	flagForwarded             // Linux: IPSKB_FORWARDED
	flagSourceHit             // the source route names the next hop. Linux: srr_is_hit
	flagAddrRR                // our address belongs at the end of RR. Linux: rr_needaddr
	flagAddrTS                // and in TS. Linux: ts_needaddr
	flagReasm                 // was put together here
	flagAgain                 // came in by lo, and is routed as if by another device
)

// Offsets of options in the header, 0 without: optSRR and optRR are the halves
// of Packet.Opts[1], optTS is Opts[2]. Opts[3] is the size of the largest
// fragment, for a datagram that was put together. Linux: struct ip_options,
// frag_max_size.
const (
	optFlags = iota
	optSRRRR
	optTS
	optMaxFrag
)

// pathState is what the packet's way keeps.
type pathState struct {
	nets  *netns.Cell[pathNet]
	frags *netns.Table[fragKey, *fragQueue]

	exceptions *netns.Table[exceptKey, *exception]

	hostFragMem atomic.Int64 // bytes that all Nets' fragments hold, if that is limited
}

// pathNet is one Net's part of it. All limits are its own (a limit that Nets
// share would tell them of each other).
type pathNet struct {
	net     *netns.Net
	ids     idents
	rates   rates
	except  exceptions
	pings   pings
	fragMem *atomic.Int64 // bytes that fragments hold: own, or the host's
	ownMem  atomic.Int64
	dead    atomic.Bool // pre-exit has begun: nothing is queued any more
}

// initPath registers what the packet's way needs; called by New before it
// registers [Inet.Receive]. The placements in c are not Default any more.
func (s *Inet) initPath(c Config) error {
	sys := s.Core.Sys
	s.path.nets = netns.NewCell(sys, "ipv4-path", netns.Replicated, func(n *netns.Net) *pathNet {
		st := &pathNet{net: n}
		st.fragMem = &st.ownMem
		if c.HostLimits {
			st.fragMem = &s.path.hostFragMem
		}
		return st
	})
	s.path.frags = netns.NewTable[fragKey, *fragQueue](sys, "ipv4-frag", c.Frags, netns.Keyed[fragKey]())
	s.path.exceptions = netns.NewTable[exceptKey, *exception](sys, "ipv4-exceptions", c.Exceptions, netns.Keyed[exceptKey]())
	netns.Attend(sys, "ipv4-path-exit", nil, s.pathPreExit, s.pathExit)
	if err := s.Handle(Protocol{Number: wire.ProtoIGMP, Receive: s.igmpReceive}); err != nil {
		return err
	}
	return s.Handle(Protocol{Number: 1, Receive: s.icmpReceive, Error: s.pingError})
}

// pathPreExit ends what waits in n. Linux: fqdir_pre_exit.
func (s *Inet) pathPreExit(n *netns.Net) {
	st := s.path.nets.Of(n)
	if st.net == nil {
		return
	}
	st.dead.Store(true)
	s.purgeFrags(n, core.NetDying)
	st.pings.closeAll()
}

// pathExit ends what a packet on its way put there in the meantime.
func (s *Inet) pathExit(n *netns.Net) {
	s.purgeFrags(n, core.NetDying)
}
