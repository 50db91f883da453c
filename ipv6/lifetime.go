package ipv6

import (
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
	"nsmodel/fib"
	"nsmodel/netns"
)

// Addresses and routes that are for a time. Linux looks at addresses at most
// once a second and takes routes away every route.gc_interval; here both go when
// their time is over, which is when Linux's lookups begin to pass them by.

// lifetimes are what one Net knows of ends that are ahead.
type lifetimes struct {
	timer netns.Timer
	begun bool          // under the Net's lock: timer has its owner
	next  time.Duration // under the Net's lock: when it fires, if it is pending

	mu     sync.Mutex // innermost
	routes map[routeKey]routeLife
}

// A routeKey is a route, as far as those go that have an end.
type routeKey struct {
	table, metric uint32
	dst, from     netip.Prefix
	gw            netip.Addr
	dev           int32
}

// A routeLife is how long a route stands.
type routeLife struct {
	end    time.Duration // since boot; netlink.Forever: without end
	router bool          // a router's word made it. Linux: RTF_ADDRCONF
}

func keyOfRoute(r *fib.Route) routeKey {
	k := routeKey{table: r.Table, metric: r.Metric, dst: r.Dst, from: r.From}
	if k.table == 0 {
		k.table = fib.TableMain
	}
	if len(r.NextHops) > 0 {
		k.gw, k.dev = r.NextHops[0].Gw, r.NextHops[0].IfIndex
	}
	return k
}

// lifespan returns a lifetime of a router's advertisement, in which all ones are
// without end. Linux: addrconf_timeout_fixup.
func lifespan(seconds uint32) time.Duration {
	if seconds == 0xffffffff {
		return netlink.Forever
	}
	return time.Duration(seconds) * time.Second
}

// lifeFlags returns what lifetimes make of an address.
func lifeFlags(valid, preferred time.Duration) (f uint32) {
	if valid == netlink.Forever {
		f |= unix.IFA_F_PERMANENT
	}
	if preferred == 0 {
		f |= unix.IFA_F_DEPRECATED
	}
	return f
}

// end returns when an address is no longer valid, as time since boot.
func (a *Addr) end() time.Duration {
	if a.Valid == netlink.Forever {
		return netlink.Forever
	}
	return a.since + a.Valid
}

// nextChange returns when something about an address changes by itself.
func (a *Addr) nextChange() time.Duration {
	if a.Preferred != netlink.Forever && a.Flags&unix.IFA_F_DEPRECATED == 0 {
		return a.since + a.Preferred
	}
	return a.end()
}

// lifeAhead has the timer fire in time for what has just been given an end; under
// the Net's lock.
func (s *Inet) lifeAhead(a *Addr) {
	if at := s.nextChange(s.devs.Of(a.Dev), a); at != netlink.Forever {
		s.wakeAt(a.Dev.Net(), at)
	}
}

func (s *Inet) wakeAt(n *netns.Net, at time.Duration) {
	l := &s.path.nets.Own(n).lives
	if !l.begun {
		l.begun = true
		l.timer.Init(n, func(now time.Duration) { s.checkLives(n, now) })
	}
	if !l.timer.Pending() || at < l.next {
		l.next = at
		l.timer.Reset(at)
	}
}

// checkLives ends what is over in n, and deprecates what is no longer preferred.
// Linux: addrconf_verify_rtnl, fib6_run_gc.
func (s *Inet) checkLives(n *netns.Net, now time.Duration) {
	mu := s.lock(n)
	defer mu.Unlock()
	next := netlink.Forever
	ahead := func(at time.Duration) {
		if at != netlink.Forever && (next == netlink.Forever || at < next) {
			next = at
		}
	}
	for _, d := range s.Core.Devices(n) {
		dev := s.devs.Of(d)
		if dev == nil {
			continue
		}
		s.regenerate(dev, now)
		for _, a := range dev.Addrs() {
			switch end := a.end(); {
			case end != netlink.Forever && end <= now:
				s.removeAddr(dev, a)
				continue
			case a.Preferred != netlink.Forever && a.Flags&unix.IFA_F_DEPRECATED == 0 && a.since+a.Preferred <= now:
				own := *a
				own.Flags |= unix.IFA_F_DEPRECATED
				s.replace(dev, a, &own)
				s.tellAddr(netlink.New, &own)
				a = &own
			}
			ahead(s.nextChange(dev, a))
		}
	}
	ahead(s.expireRoutes(n, now))
	if next != netlink.Forever {
		s.wakeAt(n, next)
	}
}

// expireRoutes takes away the routes whose time is over and returns when the next
// one's is.
func (s *Inet) expireRoutes(n *netns.Net, now time.Duration) time.Duration {
	l := &s.path.nets.Own(n).lives
	var over []routeKey
	next := time.Duration(math.MaxInt64)
	l.mu.Lock()
	for k, r := range l.routes {
		switch {
		case r.end == netlink.Forever:
		case r.end <= now:
			over = append(over, k)
		default:
			next = min(next, r.end)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(over, routeKey.compare)
	for _, k := range over {
		r := fib.Route{Dst: k.dst, Table: k.table, Metric: k.metric, Scope: fib.Nowhere}
		if k.dev != 0 {
			r.NextHops = []fib.NextHop{{IfIndex: k.dev, Gw: k.gw}}
		}
		_ = s.FIB.Delete(n, r) // ESRCH: it has changed, and is another now
		s.dropExpiry(n, k)
	}
	if next == math.MaxInt64 {
		return netlink.Forever
	}
	return next
}

// compare orders keys, so that those of one moment go in the same order always.
func (k routeKey) compare(o routeKey) int {
	if c := k.dst.Addr().Compare(o.dst.Addr()); c != 0 {
		return c
	}
	for _, x := range [][2]int64{{int64(k.dst.Bits()), int64(o.dst.Bits())}, {int64(k.table), int64(o.table)}, {int64(k.metric), int64(o.metric)},
		{int64(k.dev), int64(o.dev)}} {
		if x[0] != x[1] {
			return int(max(-1, min(1, x[0]-x[1])))
		}
	}
	return k.gw.Compare(o.gw)
}

// setExpiry gives a route that stands an end; under the Net's lock.
// Linux: fib6_set_expires, fib6_clean_expires.
func (s *Inet) setExpiry(n *netns.Net, r *fib.Route, end time.Duration, router bool) {
	l := &s.path.nets.Own(n).lives
	l.mu.Lock()
	if l.routes == nil {
		l.routes = map[routeKey]routeLife{}
	}
	l.routes[keyOfRoute(r)] = routeLife{end, router}
	l.mu.Unlock()
	if end != netlink.Forever {
		s.wakeAt(n, end)
	}
}

// lifeOf returns what is known of a route's end.
func (s *Inet) lifeOf(n *netns.Net, r *fib.Route) (routeLife, bool) {
	l := &s.path.nets.Of(n).lives
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.routes == nil {
		return routeLife{}, false
	}
	life, ok := l.routes[keyOfRoute(r)]
	return life, ok
}

// expires returns how long a route will stand; 0 if it has no end.
func (s *Inet) expires(n *netns.Net, r *fib.Route) time.Duration {
	if life, ok := s.lifeOf(n, r); ok && life.end != netlink.Forever {
		return max(life.end-s.Core.Sys.Now(), 1)
	}
	return 0
}

// forgetExpiry is told of changes to routes: what is known of one that goes goes
// with it.
func (s *Inet) forgetExpiry(n *netns.Net, op fib.Op, r *fib.Route) {
	if op == fib.Added || op == fib.Deleted || op == fib.Flushed || op == fib.Replaced {
		s.dropExpiry(n, keyOfRoute(r))
	}
}

func (s *Inet) dropExpiry(n *netns.Net, k routeKey) {
	st := s.path.nets.Of(n)
	if st.net == nil {
		return
	}
	st.lives.mu.Lock()
	delete(st.lives.routes, k)
	st.lives.mu.Unlock()
}

// prefixRoute routes a subnet to its link until end. If the route is there and has
// an end, that is the new one; a route without end keeps on.
// Linux: addrconf_prefix_route, and fib6_add_rt2node of what is there.
func (s *Inet) prefixRoute(dev *device, p netip.Prefix, metric uint32, end time.Duration, router bool) {
	n, r := dev.dev.Net(), kernelRoute(dev, fib.Unicast, p, metric)
	if err := s.FIB.Add(n, r, fib.AppendRoute); err != nil {
		if life, ok := s.lifeOf(n, &r); !ok || life.end == netlink.Forever {
			return
		}
		if life, _ := s.lifeOf(n, &r); !router && end == netlink.Forever && !life.router {
			s.dropExpiry(n, keyOfRoute(&r))
			return
		}
	} else if end == netlink.Forever && !router {
		return
	}
	s.setExpiry(n, &r, end, router)
}

// cleanPrefixRoute does with the route to a's subnet what befits when a, without
// end, is gone from dev's list: it stays if another such address is there, stays
// for a time with others, and goes with the last. Linux:
// check_cleanup_prefix_route, cleanup_prefix_route.
func (s *Inet) cleanPrefixRoute(dev *device, a *Addr) {
	end := time.Duration(0)
	for _, b := range dev.Addrs() {
		if b.Local == a.Local || b.Bits != a.Bits || b.Prefix() != a.Prefix() {
			continue
		}
		if b.Flags&(unix.IFA_F_PERMANENT|unix.IFA_F_NOPREFIXROUTE) != 0 {
			return
		}
		end = max(end, b.end())
	}
	if end == 0 {
		s.kernelUnroute(dev, fib.Unicast, a.Prefix(), a.Metric)
		return
	}
	r := kernelRoute(dev, fib.Unicast, a.Prefix(), a.Metric)
	if _, ok := s.FIB.Find(dev.dev.Net(), r); ok {
		s.setExpiry(dev.dev.Net(), &r, end, false)
	}
}

// changeAddr gives an address that is there what a says of it: lifetimes, flags,
// metric, maker and peer; false if it is not there. Linux: inet6_addr_modify.
func (s *Inet) changeAddr(dev *device, a Addr) bool {
	n := dev.dev.Net()
	defer s.lock(n).Unlock()
	old := s.addrAt(dev.dev, a.Local)
	if old == nil {
		return false
	}
	next := *old
	const changed = unix.IFA_F_DEPRECATED | unix.IFA_F_PERMANENT | unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR |
		unix.IFA_F_NOPREFIXROUTE
	next.Flags = next.Flags&^changed | a.Flags&changed | lifeFlags(a.Valid, a.Preferred)
	next.Proto, next.Valid, next.Preferred, next.since = a.Proto, a.Valid, a.Preferred, s.Core.Sys.Now()
	if a.Metric != 0 {
		next.Metric = a.Metric
	}
	s.replace(dev, old, &next)
	if !next.Tentative() {
		s.tellAddr(netlink.New, &next)
	}
	had := old.Flags&unix.IFA_F_PERMANENT != 0 && old.Flags&unix.IFA_F_NOPREFIXROUTE == 0
	switch {
	case next.Flags&unix.IFA_F_NOPREFIXROUTE != 0:
		if had {
			s.cleanPrefixRoute(dev, old)
		}
	case !dev.dev.Up():
	case had && next.Metric == old.Metric:
		r := kernelRoute(dev, fib.Unicast, next.Prefix(), next.Metric)
		if _, ok := s.FIB.Find(n, r); !ok {
			s.addPrefixRoute(dev, &next)
		} else if end := next.end(); end != netlink.Forever {
			s.setExpiry(n, &r, end, false)
		} else {
			s.dropExpiry(n, keyOfRoute(&r))
		}
	default:
		if had {
			s.kernelUnroute(dev, fib.Unicast, old.Prefix(), old.Metric)
		}
		s.addPrefixRoute(dev, &next)
	}
	s.lifeAhead(&next)
	if was, is := old.Flags&unix.IFA_F_MANAGETEMPADDR != 0, next.Flags&unix.IFA_F_MANAGETEMPADDR != 0; is {
		s.manageTemporary(dev, &next, next.Valid, next.Preferred, !was)
	} else if was {
		s.manageTemporary(dev, &next, 0, 0, false)
	}
	return true
}
