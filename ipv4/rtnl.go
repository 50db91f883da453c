package ipv4

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
		{netlink.New, netlink.KindAddr, "addr", s.doNewAddr},
		{netlink.Del, netlink.KindAddr, "addr", s.doDelAddr},
		{netlink.Get, netlink.KindAddr, "addr", s.doDumpAddr},
		{netlink.Get, netlink.KindMulticast, "maddr", s.doDumpMulticast},
		{netlink.New, netlink.KindRoute, "route", s.doNewRoute},
		{netlink.Del, netlink.KindRoute, "route", s.doDelRoute},
		{netlink.Get, netlink.KindRoute, "route", s.doGetRoute},
		{netlink.New, netlink.KindRule, "rule", s.doNewRule},
		{netlink.Del, netlink.KindRule, "rule", s.doDelRule},
		{netlink.Get, netlink.KindRule, "rule", s.doDumpRule},
	} {
		g, err := s.Core.Gate(core.LayerNetlink, h.row)
		if err != nil {
			return err
		}
		s.Netlink.Handle(netlink.Handler{Op: h.op, Kind: h.kind, Family: unix.AF_INET, Row: h.row, Gate: g, Do: h.do})
	}
	return nil
}

// doNewAddr is RTM_NEWADDR. An address that is there is changed if Replace says
// so. Linux: inet_rtm_newaddr.
func (s *Inet) doNewAddr(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	m := req.Msg.(*netlink.Addr)
	if m.Prefix < 0 || m.Prefix > 32 {
		return nil, netlink.Extack(syscall.EINVAL, "ipv4: Invalid prefix length")
	}
	if !m.Local.Is4() {
		return nil, netlink.Extack(syscall.EINVAL, "ipv4: Local address is not supplied")
	}
	if len(m.Label) >= unix.IFNAMSIZ {
		return nil, netlink.Extack(syscall.ERANGE, "Attribute failed policy validation")
	}
	d := s.Core.DeviceByIndex(n, m.Index)
	if d == nil {
		return nil, netlink.Extack(syscall.ENODEV, "ipv4: Device not found")
	}
	valid, preferred := netlink.Forever, netlink.Forever
	if m.Has&netlink.AddrCacheInfo != 0 {
		valid, preferred = m.Valid, m.Preferred
	}
	if err := checkLifetime(valid, preferred); err != nil {
		return nil, err
	}
	peer := m.Peer
	if !peer.IsValid() {
		peer = m.Local
	}
	a := Addr{Local: m.Local, Peer: peer, Prefix: netip.PrefixFrom(peer, m.Prefix), Broadcast: m.Broadcast, Label: m.Label,
		Flags: m.Flags, Metric: m.Metric, Scope: fib.Scope(m.Scope), Proto: m.Proto, Valid: valid, Preferred: preferred}
	if dev := s.devs.Of(d); dev != nil && req.Flags&netlink.Replace != 0 && req.Flags&netlink.Excl == 0 {
		own, err := s.newAddr(d, a)
		if err != nil {
			return nil, err
		}
		if s.changeAddr(dev, own) {
			return nil, nil
		}
	}
	return nil, s.AddAddr(d, a)
}

// changeAddr gives the address that is own the metric, the maker and the lifetimes
// of own; false if it is not there. Linux: inet_rtm_newaddr with NLM_F_REPLACE,
// fib_modify_prefix_metric.
func (s *Inet) changeAddr(dev *device, own *Addr) bool {
	defer s.lock(dev.dev.Net()).Unlock()
	i := dev.match(own)
	if i < 0 {
		return false
	}
	old := dev.Addrs()[i]
	next := *old
	next.Metric, next.Proto = own.Metric, own.Proto
	next.setLifetime(own.Valid, own.Preferred, own.since)
	s.putAddr(dev, i, &next)
	s.lifeAhead(&next)
	if next.Metric != old.Metric && dev.dev.Up() && !next.Secondary() && next.hasSubnet() && next.Flags&unix.IFA_F_NOPREFIXROUTE == 0 {
		s.kernelRoute(dev, dev.subnetType(), next.Prefix, &next, next.Metric)
		r := kernelRoute(dev, dev.subnetType(), next.Prefix, &next)
		r.Metric = old.Metric
		_ = s.FIB.Delete(dev.dev.Net(), r)
	}
	s.tellAddr(netlink.New, &next)
	return true
}

// doDelAddr is RTM_DELADDR. Without Peer and a prefix length any prefix will do,
// as for `ip addr del` of an address alone.
func (s *Inet) doDelAddr(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	m := req.Msg.(*netlink.Addr)
	d := s.Core.DeviceByIndex(n, m.Index)
	if d == nil {
		return nil, netlink.Extack(syscall.ENODEV, "ipv4: Device not found")
	}
	g := Gone{Local: m.Local, Label: m.Label}
	switch {
	case m.Peer.Is4():
		g.Prefix = netip.PrefixFrom(m.Peer, m.Prefix)
	case m.Local.Is4() && m.Prefix > 0:
		g.Prefix = netip.PrefixFrom(m.Local, m.Prefix)
	}
	return nil, s.DelAddr(d, g)
}

// doDumpAddr is RTM_GETADDR, device by device. Linux: inet_dump_ifaddr.
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

// routeOf turns a message into a route.
func (s *Inet) routeOf(n *netns.Net, m *netlink.Route) fib.Route {
	r := fib.Route{Dst: m.Dst, Src: m.PrefSrc, Table: m.Table, Metric: m.Priority, MTU: m.MTU, AdvMSS: m.AdvMSS, Metrics: fib.Metrics{Window: m.Window,
		HopLimit: m.HopLimit, InitCwnd: m.InitCwnd, InitRwnd: m.InitRwnd, Locked: m.Locked},
		Type: fib.Type(m.Type), Scope: fib.Scope(m.Scope), Proto: m.Proto, TOS: m.TOS}
	if !r.Dst.IsValid() {
		r.Dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	if r.Src.IsUnspecified() {
		r.Src = netip.Addr{} // 0.0.0.0 is none. Linux: fc_prefsrc
	}
	if r.Table == 0 {
		r.Table = fib.TableMain
		switch r.Type {
		case fib.Local, fib.Broadcast, fib.NAT, fib.Anycast:
			r.Table = fib.TableLocal
		}
	}
	for _, h := range m.Multipath {
		r.NextHops = append(r.NextHops, s.hop(n, h.Index, h.Gateway, h.Flags, h.Weight))
	}
	if len(m.Multipath) == 0 && (m.OIF != 0 || m.Gateway.IsValid()) {
		r.NextHops = []fib.NextHop{s.hop(n, m.OIF, m.Gateway, m.Flags, 1)}
	}
	return r
}

func (s *Inet) hop(n *netns.Net, index int, gw netip.Addr, flags uint32, weight int) fib.NextHop {
	return fib.NextHop{Dev: s.Core.DeviceByIndex(n, index), IfIndex: int32(index), Gw: gw, Flags: fib.HopFlags(flags), Weight: uint16(max(weight, 1))}
}

// doNewRoute is RTM_NEWROUTE. Linux: inet_rtm_newroute.
func (s *Inet) doNewRoute(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	m := req.Msg.(*netlink.Route)
	var how fib.Flags
	for from, to := range map[netlink.Flags]fib.Flags{netlink.Create: fib.Create, netlink.Excl: fib.Excl, netlink.Replace: fib.Replace, netlink.Append: fib.Append} {
		if req.Flags&from != 0 {
			how |= to
		}
	}
	defer s.lock(n).Unlock()
	return nil, extack(s.FIB.Add(n, s.routeOf(n, m), how))
}

// doDelRoute is RTM_DELROUTE. Linux: inet_rtm_delroute.
func (s *Inet) doDelRoute(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
	defer s.lock(n).Unlock()
	return nil, extack(s.FIB.Delete(n, s.routeOf(n, req.Msg.(*netlink.Route))))
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
// RouteTable), Type, Proto and OIF. Linux: inet_dump_fib.
func (s *Inet) dumpRoutes(n *netns.Net, m *netlink.Route) (all []netlink.Message, err error) {
	if m.Flags&unix.RTM_F_CLONED != 0 {
		return s.dumpExceptions(n), nil
	}
	table := uint32(0)
	if m.Has&netlink.RouteTable != 0 && m.Table != 0 {
		if table = m.Table; !s.FIB.Exists(n, table) {
			return nil, netlink.Extack(syscall.ENOENT, "ipv4: FIB table does not exist")
		}
	}
	for r := range s.FIB.Routes(n, table) {
		if m.Type != 0 && uint8(r.Type) != m.Type || m.Proto != 0 && r.Proto != m.Proto {
			continue
		}
		if m.OIF != 0 && !slices.ContainsFunc(r.NextHops, func(h fib.NextHop) bool { return int(h.IfIndex) == m.OIF }) {
			continue
		}
		all = append(all, s.routeMessage(&r))
	}
	return all, nil
}
