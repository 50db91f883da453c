package ipv4

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

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
	switch {
	case e.Type == wire.ICMPDestUnreach && e.Code == wire.ICMPFragNeeded:
		s.UpdatePMTU(p.Net(), fl, int(e.Info))
	case e.Type == wire.ICMPRedirect:
		s.Redirect(w, p, fl, e)
	}
}

// UpdatePMTU notes that packets of a flow may be mtu bytes long at most, for
// net.ipv4.route.mtu_expires. A value below min_pmtu is not believed: that much
// is then sent, without Don't Fragment. Linux: ipv4_sk_update_pmtu,
// __ip_rt_update_pmtu.
func (s *Inet) UpdatePMTU(n *netns.Net, fl *fib.Flow, mtu int) {
	rt, err := s.Route(n, fl)
	if err != nil || rt.locked || rt.MTU < mtu || rt.Hop == nil || rt.Local {
		return
	}
	c := s.conf.Of(n)
	now, lasts := s.Core.Sys.Now(), time.Duration(c.MTUExpires.Load())*time.Second
	e := exception{mtu: mtu, expires: now + lasts}
	if least := int(c.MinPMTU.Load()); mtu < least {
		e.mtu, e.locked = min(rt.MTU, least), true
	}
	dst := rt.Dst.As4()
	if old := s.exceptionTo(n, &rt.Result, dst); old != nil && old.mtu == e.mtu && !e.locked && now < old.expires-lasts/2 {
		return
	}
	if hops := rt.Result.Route().NextHops; len(hops) > 1 {
		for i := range hops {
			s.addException(n, &rt.Result, &hops[i], dst, e)
		}
		return
	}
	s.addException(n, &rt.Result, rt.Hop, dst, e)
}

// Redirect takes a router's word that packets of a flow have a better first hop
// on the link by which that word came, p. It is believed of the present first
// hop alone, and only once the new one has answered: the first redirect makes
// us ask for it. Linux: ipv4_sk_redirect, __ip_do_redirect.
func (s *Inet) Redirect(w *core.Worker, p *core.Packet, fl *fib.Flow, e ICMPError) {
	n := p.Net()
	in := s.devs.Of(p.Dev)
	if in == nil || e.Code&7 > 3 {
		return
	}
	rt, err := s.Route(n, fl)
	if err != nil || rt.Hop == nil || rt.Gateway != e.From || rt.Gateway == rt.Dst {
		return
	}
	gw := netip.AddrFrom4([4]byte{byte(e.Info >> 24), byte(e.Info >> 16), byte(e.Info >> 8), byte(e.Info)})
	if gw == e.From || !s.believes(n, in, gw, e.From) {
		return
	}
	nb, err := s.Core.NewNeighbour(rt.Dev, gw, w.Now())
	if err != nil {
		return
	}
	if !nb.Valid() {
		nb.Ask(w)
		return
	}
	s.addException(n, &rt.Result, rt.Hop, rt.Dst.As4(), exception{gw: gw, expires: w.Now() + redirectExpires})
}

// believes reports whether a redirect that came in by a device, from a gateway,
// may name gw. A link of several subnets is taken on trust; on others gw must
// be in the sender's subnet and, to be secure, a gateway of ours already.
func (s *Inet) believes(n *netns.Net, in *device, gw, from netip.Addr) bool {
	b := gw.As4()
	switch {
	case !in.AcceptRedirects(), !canBeSource(b):
		return false
	case in.SharedMedia():
		return s.AddrType(n, b) == fib.Unicast
	case !s.onLink(in, gw, from):
		return false
	}
	return !in.SecureRedirects() || s.isGateway(n, in, gw)
}

// isGateway reports whether a route of n goes by gw on a device.
// Linux: ip_fib_check_default.
func (s *Inet) isGateway(n *netns.Net, in *device, gw netip.Addr) bool {
	for r := range s.FIB.Routes(n, 0) {
		for _, h := range r.NextHops {
			if h.Dev == in.dev && h.Gw == gw && h.Flags&fib.HopDead == 0 {
				return true
			}
		}
	}
	return false
}

// lockedMTU reports whether a route's MTU is not to be changed by what is
// learnt. Linux: dst_metric_locked.
func lockedMTU(res *fib.Result) bool { return res.Metrics().Locked&(1<<unix.RTAX_MTU) != 0 }
