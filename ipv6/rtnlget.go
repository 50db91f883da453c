package ipv6

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// getRoute answers how a packet would go: one that n sends, or with IIF one that
// arrives there. Linux: inet6_rtm_getroute.
func (s *Inet) getRoute(n *netns.Net, m *netlink.Route) ([]netlink.Message, error) {
	fl := fib.Flow{Dst: netip.IPv6Unspecified(), Oif: int32(m.OIF), Mark: m.Mark, TOS: m.TOS, Proto: m.IPProto, SPort: m.SPort, DPort: m.DPort, UID: m.UID}
	if m.Dst.IsValid() {
		fl.Dst = m.Dst.Addr()
	}
	if m.Src.IsValid() && !m.Src.Addr().IsUnspecified() {
		fl.Src = m.Src.Addr()
	}
	from := netip.IPv6Unspecified()
	if fl.Src.IsValid() {
		from = fl.Src
	}
	out := &netlink.Route{Family: unix.AF_INET6, Dst: netip.PrefixFrom(fl.Dst, 128), Src: netip.PrefixFrom(from, 128), // rt6_fill_node tells no mark
		Has: netlink.RoutePref | netlink.RouteCacheInfo}
	var res fib.Result
	var err error
	if m.IIF != 0 {
		res, err = s.getInput(n, m, &fl, out)
	} else {
		res, err = s.getOutput(n, &fl, out)
	}
	if err != nil {
		return nil, err
	}
	if m.Has&netlink.RouteFIBMatch != 0 {
		r := res.Route()
		return []netlink.Message{s.routeMessage(n, &r)}, nil
	}
	r := res.Route()
	full := s.routeMessage(n, &r)
	out.Table, out.Proto, out.Type, out.Priority = r.Table, r.Proto, uint8(r.Type), r.Metric
	out.MTU, out.AdvMSS, out.HopLimit, out.Pref, out.Expires, out.Locked = full.MTU, full.AdvMSS, full.HopLimit, full.Pref, 0, full.Locked
	if res.Hop.Gw.IsValid() {
		out.Gateway = res.Hop.Gw
	}
	out.Flags |= s.hopFlags(res.Hop)
	if e := s.exceptionTo(n, &res, fl.Dst, fl.Src); e != nil {
		e.fill(out, s.Core.Sys.Now())
	}
	return []netlink.Message{out}, nil
}

// getOutput is the way of what n sends.
func (s *Inet) getOutput(n *netns.Net, fl *fib.Flow, out *netlink.Route) (fib.Result, error) {
	if fl.Dst.IsUnspecified() {
		return fib.Result{}, syscall.ENETUNREACH
	}
	ask := *fl
	given := ask.Src
	ask.Src = netip.Addr{}
	rt, err := s.route(n, &ask, false)
	if given.IsValid() { // rules may look at it; the source that is shown is the route's own
		with := *fl
		rt, err = s.route(n, &with, false)
		if err == nil {
			rt.Src = s.routeSource(n, &rt)
		}
	}
	if err == syscall.EADDRNOTAVAIL { // the route is there, and that is what was asked
		err = nil
	}
	if err != nil {
		return fib.Result{}, err
	}
	out.OIF = rt.Dev.Index()
	if chosen(rt.Src) {
		out.PrefSrc = rt.Src
	}
	return rt.Result, nil
}

// routeSource returns the source that a route would have us send from.
func (s *Inet) routeSource(n *netns.Net, rt *Route) netip.Addr {
	if a := rt.Result.Src(); chosen(a) {
		return a
	}
	return s.SelectSource(n, rt.Hop.Dev, rt.Dst)
}

// getInput is what becomes of a packet that arrives, made up for the question.
func (s *Inet) getInput(n *netns.Net, m *netlink.Route, fl *fib.Flow, out *netlink.Route) (fib.Result, error) {
	d := s.Core.DeviceByIndex(n, m.IIF)
	if d == nil {
		return fib.Result{}, syscall.ENODEV
	}
	dev := s.devs.Of(d)
	if dev == nil {
		return fib.Result{}, syscall.EINVAL
	}
	w := s.Core.Enter()
	defer w.Leave()
	p := w.NewPacket(n, wire.IPv6Len+4)
	defer w.Deliver(p)
	p.Opts[optFlags] = flagAgain // nothing was sent by lo: it is asked what would be done
	f := wire.IPv6Fields{Next: fl.Proto, Dst: fl.Dst.As16()}
	if fl.Src.IsValid() {
		f.Src = fl.Src.As16()
	}
	ip, _ := wire.PutIPv6(p.Bytes(), f)
	binary.BigEndian.PutUint32(ip[wire.IPv6Len:], uint32(fl.SPort)<<16|uint32(fl.DPort))
	p.Dev, p.InIndex, p.Mark, p.Type = d, d.Index(), fl.Mark, core.ToHost
	p.SetL3(0)
	var r inRoute
	if s.routeInput(p, ip, dev, &r) != 0 || r.err == 0 && r.res.Hop == nil {
		return fib.Result{}, syscall.EINVAL
	}
	if r.err != 0 {
		return fib.Result{}, r.err
	}
	out.IIF, out.OIF = m.IIF, r.res.Hop.Dev.Index()
	if r.flags&(flagLocal|flagAnycast) != 0 {
		out.OIF = loopbackIndex
	}
	return r.res, nil
}
