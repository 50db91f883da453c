package ipv4

import (
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
// arrives there. Linux: inet_rtm_getroute.
func (s *Inet) getRoute(n *netns.Net, m *netlink.Route) ([]netlink.Message, error) {
	fl := fib.Flow{Dst: netip.IPv4Unspecified(), Oif: int32(m.OIF), Mark: m.Mark, TOS: m.TOS &^ 3, Proto: m.IPProto, SPort: m.SPort, DPort: m.DPort, UID: m.UID}
	if m.Dst.IsValid() {
		fl.Dst = m.Dst.Addr()
	}
	if m.Src.IsValid() && !m.Src.Addr().IsUnspecified() {
		fl.Src = m.Src.Addr()
	}
	out := &netlink.Route{Family: unix.AF_INET, Dst: netip.PrefixFrom(fl.Dst, 32), Table: fib.TableMain, Mark: m.Mark,
		Flags: routeCloned, Has: netlink.RouteCacheInfo}
	if fl.Src.IsValid() {
		out.Src = netip.PrefixFrom(fl.Src, 32)
	}
	var res fib.Result
	var err error
	if m.IIF != 0 {
		res, err = s.getInput(n, m, &fl, out)
	} else {
		res, err = s.getOutput(n, &fl, m.UID, out)
	}
	if err != nil {
		return nil, err
	}
	known := res.Type != fib.Unspec
	if m.Has&netlink.RouteFIBMatch != 0 {
		if !known {
			return nil, syscall.EHOSTUNREACH
		}
		r := res.Route()
		if m.Flags&unix.RTM_F_LOOKUP_TABLE == 0 && !s.FIB.CustomRules(n) {
			r.Table = fib.TableMain // local is in it until there are rules (fib_unmerge)
		}
		return []netlink.Message{s.routeMessage(&r)}, nil
	}
	if known {
		out.TOS = res.TOS()
		out.MTU, out.AdvMSS = uint32(res.MTU()), uint32(res.AdvMSS())
		x := res.Metrics()
		out.Window, out.HopLimit, out.InitCwnd, out.InitRwnd, out.Locked = x.Window, x.HopLimit, x.InitCwnd, x.InitRwnd, x.Locked
		if m.Flags&unix.RTM_F_LOOKUP_TABLE != 0 && res.Table != 0 {
			out.Table = res.Table
		}
		if e := s.exceptionTo(n, &res, fl.Dst.As4()); e != nil {
			e.fill(out, s.Core.Sys.Now())
		}
	}
	return []netlink.Message{out}, nil
}

// getOutput is the way of what n sends.
func (s *Inet) getOutput(n *netns.Net, fl *fib.Flow, uid uint32, out *netlink.Route) (fib.Result, error) {
	rt, err := s.Route(n, fl)
	if err != nil {
		return fib.Result{}, err
	}
	out.Has, out.UID = out.Has|netlink.RouteUID, uid
	out.OIF = rt.Dev.Index()
	if rt.Result.Hop != nil && rt.Result.Hop.Gw.IsValid() && rt.Result.Hop.Scope == fib.Link {
		out.Gateway = rt.Gateway
	}
	if rt.Src.IsValid() && !rt.Src.IsUnspecified() && rt.Src != fl.Src {
		out.PrefSrc = rt.Src
	}
	out.Type = unix.RTN_UNICAST
	if rt.Broadcast {
		out.Type = unix.RTN_BROADCAST
		out.Flags |= routeBroadcast
	}
	if rt.Multicast {
		out.Type = unix.RTN_MULTICAST
		out.Flags |= routeMulticast
	}
	if rt.Local {
		out.Flags |= routeLocal // of all that goes by lo
		if !rt.Broadcast && !rt.Multicast && (rt.Result.Type == fib.Local || rt.Result.Hop == nil && (fl.Oif == 0 || fl.Dst.IsUnspecified())) {
			out.Type = unix.RTN_LOCAL
		}
	}
	return rt.Result, nil
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
	p := w.NewPacket(n, 28)
	defer w.Deliver(p)
	p.Opts[optFlags] = flagAgain // nothing was sent by lo: it is asked what would be done
	b := p.Bytes()
	clear(b)
	b[0], b[1], b[9] = 0x45, fl.TOS, fl.Proto
	if fl.Src.IsValid() {
		src := fl.Src.As4()
		copy(b[12:16], src[:])
	}
	dst := fl.Dst.As4()
	copy(b[16:20], dst[:])
	b[20], b[21], b[22], b[23] = byte(fl.SPort>>8), byte(fl.SPort), byte(fl.DPort>>8), byte(fl.DPort)
	p.Dev, p.InIndex, p.Mark, p.Type = d, d.Index(), fl.Mark, core.ToHost
	p.SetL3(0)
	var r inRoute
	if s.routeInput(p, wire.IPv4(b), dst, dev, &r) != 0 {
		return fib.Result{}, syscall.EINVAL // whatever the reason: Linux 6.18
	}
	if r.err != 0 {
		return fib.Result{}, r.err
	}
	out.IIF, out.Type = m.IIF, uint8(r.typ)
	if r.redirect {
		out.Flags |= routeRedirect
	}
	if r.flags&flagLocal != 0 {
		out.OIF = loopbackIndex
		out.Flags |= routeLocal
	} else if r.res.Hop != nil {
		out.OIF = r.res.Hop.Dev.Index()
		if r.res.Hop.Scope == fib.Link {
			out.Gateway = r.res.Hop.Gw
		}
	}
	if r.flags&flagBroadcast != 0 {
		out.Flags |= routeBroadcast
	}
	if r.flags&flagMulticast != 0 {
		out.Flags |= routeMulticast
	}
	return r.res, nil
}
