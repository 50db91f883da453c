package ipv6

import (
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// What ICMP says of the way. It is the transports that are told first: only
// one whose socket may have sent the packet that is quoted calls these.

// LearnFrom takes what an ICMP error, p, says of the way of a flow, if it is one
// that says something of it. Linux: the part of err_handler that all transports
// have in common.
func (s *Inet) LearnFrom(w *core.Worker, p *core.Packet, fl *fib.Flow, e ICMPError) {
	switch e.Type {
	case wire.ICMP6PacketTooBig:
		s.UpdatePMTU(p.Net(), fl, int(e.Info))
	case wire.ICMP6Redirect:
		s.Redirect(w, p, fl)
	}
}

// UpdatePMTU notes that packets of a flow may be mtu bytes long at most, for
// net.ipv6.route.mtu_expires. What is below the least MTU of IPv6 is not believed
// (RFC 8201 section 4). A route whose MTU is locked learns, too.
// Linux: ip6_update_pmtu, __ip6_rt_update_pmtu.
func (s *Inet) UpdatePMTU(n *netns.Net, fl *fib.Flow, mtu int) {
	if mtu < minMTU {
		return
	}
	rt, err := s.Route(n, fl)
	if err != nil || mtu >= rt.MTU || rt.Local {
		return
	}
	lasts := time.Duration(s.conf.Of(n).MTUExpires.Load()) * time.Second
	s.addException(n, &rt.Result, rt.Hop, rt.Dst.As16(), rt.Src, exception{mtu: mtu, expires: s.Core.Sys.Now() + lasts})
}
