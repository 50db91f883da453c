package ipv6

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/fib"
	"nsmodel/netns"
)

// initNetlink registers the messages about addresses, routes and rules.
func (s *Inet) initNetlink() error {
	type do = func(*netns.Net, *netlink.Request) ([]netlink.Message, error)
	for _, h := range []struct {
		op   netlink.Op
		kind netlink.Kind
		row  string
		do   do
	}{
		{netlink.New, netlink.KindAddr, "addr6", s.doNewAddr},
		{netlink.Del, netlink.KindAddr, "addr6", s.doDelAddr},
		{netlink.Get, netlink.KindAddr, "addr6", s.doDumpAddr},
		{netlink.New, netlink.KindRoute, "route6", s.doNewRoute},
		{netlink.Del, netlink.KindRoute, "route6", s.doDelRoute},
		{netlink.Get, netlink.KindRoute, "route6", s.doGetRoute},
		{netlink.New, netlink.KindRule, "rule6", s.doNewRule},
		{netlink.Del, netlink.KindRule, "rule6", s.doDelRule},
		{netlink.Get, netlink.KindRule, "rule6", s.doDumpRule},
		{netlink.Get, netlink.KindMulticast, "maddr6", s.doDumpMulticast},
	} {
		g, err := s.Core.Gate(core.LayerNetlink, h.row)
		if err != nil {
			return err
		}
		s.Netlink.Handle(netlink.Handler{Op: h.op, Kind: h.kind, Family: unix.AF_INET6, Row: h.row, Gate: g, Do: h.do})
	}
	s.Netlink.HandleLinkAF(linkAF{s})
	return nil
}

// doNewAddr is RTM_NEWADDR. Linux: inet6_rtm_newaddr.
func (s *Inet) doNewAddr(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	m := req.Msg.(*netlink.Addr)
	d := s.Core.DeviceByIndex(n, m.Index)
	if d == nil {
		return nil, netlink.Extack(syscall.ENODEV, "ipv6: Unable to find the interface")
	}
	if m.Flags&unix.IFA_F_MCAUTOJOIN != 0 {
		return nil, netlink.Extack(syscall.EOPNOTSUPP, "ipv6: These flags of addresses are not modelled")
	}
	a := Addr{Local: m.Local, Peer: m.Peer, Bits: m.Prefix, Flags: m.Flags & userFlags, Metric: m.Metric, Proto: m.Proto,
		Valid: netlink.Forever, Preferred: netlink.Forever}
	if m.Has&netlink.AddrCacheInfo != 0 {
		a.Valid, a.Preferred = m.Valid, m.Preferred
	}
	switch {
	case !m.Local.IsValid():
		return nil, syscall.EINVAL
	case a.Valid == 0 || a.Valid != netlink.Forever && (a.Preferred == netlink.Forever || a.Preferred > a.Valid):
		return nil, netlink.Extack(syscall.EINVAL, "ipv6: address lifetime invalid")
	case a.Flags&unix.IFA_F_NODAD != 0 && a.Flags&unix.IFA_F_OPTIMISTIC != 0:
		return nil, netlink.Extack(syscall.EINVAL, "IFA_F_NODAD and IFA_F_OPTIMISTIC are mutually exclusive")
	}
	if dev := s.devs.Of(d); dev != nil && req.Flags&netlink.Replace != 0 && req.Flags&netlink.Excl == 0 {
		if s.changeAddr(dev, a) {
			return nil, nil
		}
	}
	return nil, s.AddAddr(d, a)
}

// doDelAddr is RTM_DELADDR.
func (s *Inet) doDelAddr(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	m := req.Msg.(*netlink.Addr)
	d := s.Core.DeviceByIndex(n, m.Index)
	if d == nil {
		return nil, netlink.Extack(syscall.ENODEV, "ipv6: Unable to find the interface")
	}
	return nil, s.DelAddr(d, Gone{m.Local, m.Prefix})
}

// doDumpAddr is RTM_GETADDR, device by device. Linux: inet6_dump_ifaddr.
func (s *Inet) doDumpAddr(n *netns.Net, req *netlink.Request) (all []netlink.Message, err error) {
	if req.Flags&netlink.Dump == 0 {
		return nil, syscall.EOPNOTSUPP
	}
	m := req.Msg.(*netlink.Addr)
	if m.Index != 0 && s.Core.DeviceByIndex(n, m.Index) == nil {
		return nil, syscall.ENODEV
	}
	for _, d := range s.Core.Devices(n) {
		if m.Index != 0 && d.Index() != m.Index {
			continue
		}
		for _, a := range s.Addrs(d) {
			all = append(all, s.addrMessage(a))
		}
	}
	return all, nil
}

// routeOf turns a message into a route. Bits behind the length do not count.
// Linux: rtm_to_fib6_config.
func (s *Inet) routeOf(n *netns.Net, m *netlink.Route) fib.Route {
	r := fib.Route{Dst: m.Dst, Src: m.PrefSrc, Table: m.Table, Metric: m.Priority, MTU: m.MTU, AdvMSS: m.AdvMSS, Metrics: fib.Metrics{Window: m.Window,
		HopLimit: m.HopLimit, InitCwnd: m.InitCwnd, InitRwnd: m.InitRwnd, Locked: m.Locked},
		Type: fib.Type(m.Type), Proto: m.Proto, Pref: m.Pref}
	if !r.Dst.IsValid() {
		r.Dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	r.Dst = r.Dst.Masked()
	if m.Src.IsValid() && m.Src.Bits() > 0 {
		r.From = m.Src.Masked()
	}
	if r.Src.IsValid() && r.Src.IsUnspecified() {
		r.Src = netip.Addr{}
	}
	if r.Table == 0 {
		r.Table = fib.TableMain
	}
	for _, h := range m.Multipath {
		r.NextHops = append(r.NextHops, s.hop(n, h.Index, h.Gateway, h.Flags, h.Weight))
	}
	if len(m.Multipath) == 0 && (m.OIF != 0 || m.Gateway.IsValid()) {
		r.NextHops = []fib.NextHop{s.hop(n, m.OIF, m.Gateway, m.Flags, 1)}
	}
	if refusal(r.Type) != 0 {
		r.NextHops = nil // Linux has lo instead
	}
	return r
}

func (s *Inet) hop(n *netns.Net, index int, gw netip.Addr, flags uint32, weight int) fib.NextHop {
	return fib.NextHop{Dev: s.Core.DeviceByIndex(n, index), IfIndex: int32(index), Gw: gw, Flags: fib.HopFlags(flags), Weight: uint16(max(weight, 1))}
}

// doNewRoute is RTM_NEWROUTE. Linux: inet6_rtm_newroute.
func (s *Inet) doNewRoute(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	m := req.Msg.(*netlink.Route)
	var how fib.Flags
	for _, f := range [...]struct {
		from netlink.Flags
		to   fib.Flags
	}{{netlink.Create, fib.Create}, {netlink.Excl, fib.Excl}, {netlink.Replace, fib.Replace}, {netlink.Append, fib.Append}} {
		if req.Flags&f.from != 0 {
			how |= f.to
		}
	}
	if m.TOS != 0 {
		return nil, netlink.Extack(syscall.EINVAL, "Invalid dsfield (tos): option not available for IPv6")
	}
	r := s.routeOf(n, m)
	if r.Metric == 0 {
		r.Metric = fib.DefaultMetric6
	}
	defer s.lock(n).Unlock()
	err := extack(s.FIB.Add(n, r, how))
	if err == nil && m.Has&netlink.RouteCacheInfo != 0 && m.Expires != 0 {
		if own, ok := s.FIB.Find(n, r); ok { // with the device that its gateway has told
			s.setExpiry(n, &own, s.Core.Sys.Now()+m.Expires, false)
		}
	}
	return nil, err
}

// doDelRoute is RTM_DELROUTE. Linux: inet6_rtm_delroute.
func (s *Inet) doDelRoute(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	m := req.Msg.(*netlink.Route)
	if m.Flags&unix.RTM_F_CLONED != 0 {
		return nil, s.delException(n, m)
	}
	r := s.routeOf(n, m)
	r.Scope = fib.Nowhere // there are none
	defer s.lock(n).Unlock()
	return nil, extack(s.FIB.Delete(n, r))
}

// extack gives an error of the FIB the form that user space is told.
func extack(err error) error {
	var e *fib.Error
	if errors.As(err, &e) {
		if e.Text == "" {
			return e.Errno
		}
		return netlink.Extack(e.Errno, "%s", e.Text)
	}
	return err
}

// doGetRoute is RTM_GETROUTE: the answer to one question, or a dump.
func (s *Inet) doGetRoute(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	m := req.Msg.(*netlink.Route)
	if req.Flags&netlink.Dump != 0 {
		return s.dumpRoutes(n, m)
	}
	return s.getRoute(n, m)
}

// dumpRoutes dumps the routes that m selects, if it says: by Table (with
// RouteTable), Type, Proto and OIF. Linux: inet6_dump_fib.
func (s *Inet) dumpRoutes(n *netns.Net, m *netlink.Route) (all []netlink.Message, err error) {
	if m.Flags&unix.RTM_F_CLONED != 0 {
		return s.dumpExceptions(n), nil
	}
	table := uint32(0)
	if m.Has&netlink.RouteTable != 0 && m.Table != 0 {
		if table = m.Table; !s.FIB.Exists(n, table) && table != fib.TableMain && table != fib.TableLocal {
			if m.Family != unix.AF_INET6 {
				return nil, nil
			}
			return nil, netlink.Extack(syscall.ENOENT, "ipv6: FIB table does not exist")
		}
	}
	for r := range s.FIB.Routes(n, table) {
		if m.Type != 0 && uint8(r.Type) != m.Type || m.Proto != 0 && r.Proto != m.Proto {
			continue
		}
		if m.OIF != 0 && !slices.ContainsFunc(r.NextHops, func(h fib.NextHop) bool { return int(h.IfIndex) == m.OIF }) {
			continue
		}
		all = append(all, s.routeMessage(n, &r))
	}
	return all, nil
}
