package ipv4

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
	"nsmodel/fib"
	"nsmodel/netns"
)

// How long what a redirect said holds (RFC 1122 section 3.2.2.2 leaves it open).
// Linux: ip_rt_gc_timeout, which all Nets share and none may write but the
// initial one.
const redirectExpires = 300 * time.Second

// maxExceptions is how many a Net keeps: the oldest goes first. Linux keeps five
// in each of 2048 chains, for each next hop: FNHE_RECLAIM_DEPTH, FNHE_HASH_SIZE.
const maxExceptions = 2048 * 5

// An exceptKey says to whom, and by which next hop of a route.
type exceptKey struct {
	dst [4]byte
	oif int32
	gw  netip.Addr
}

// An exception is what was learnt of the way to one destination. It is
// immutable. Linux: struct fib_nh_exception.
type exception struct {
	gw      netip.Addr    // the better next hop; the zero Addr: the route's
	mtu     int           // in bytes; 0: the route's
	locked  bool          // mtu is so small that Don't Fragment would be in vain
	expires time.Duration // since boot
	of      kin           // the routes that it is an exception to
	number  uint64        // of those that the Net has made
}

// A kin is what routes have in common that, with their next hops, are one to
// Linux: what is learnt of one of them is learnt of all. Linux: struct fib_info.
type kin struct {
	src         netip.Addr
	mtu, advmss int
	metrics     fib.Metrics
	metric      uint32
	typ         fib.Type
	scope       fib.Scope
	proto       uint8
}

func kinOf(r *fib.Result) kin {
	return kin{r.Src(), r.MTU(), r.AdvMSS(), r.Metrics(), r.Metric(), r.Type, r.Scope, r.Proto()}
}

func kinOfRoute(r *fib.Route) kin {
	return kin{r.Src, int(r.MTU), int(r.AdvMSS), r.Metrics, r.Metric, r.Type, r.Scope, r.Proto}
}

// exceptions are what a Net has beside the table of them.
type exceptions struct {
	count atomic.Int32 // 0: nobody need look
	mu    sync.Mutex
	made  uint64
	order []exceptMade // as they were made, with some that are gone
}

type exceptMade struct {
	key    exceptKey
	number uint64
}

// exceptionTo returns what is known of the way to dst by a route, nil for nothing
// new. Where a Net has none it costs a load. Linux: find_exception.
func (s *Inet) exceptionTo(n *netns.Net, res *fib.Result, dst [4]byte) *exception {
	st := s.path.nets.Of(n)
	if st.except.count.Load() == 0 || res.Hop == nil {
		return nil
	}
	return s.findException(n, st, res, dst)
}

func (s *Inet) findException(n *netns.Net, st *pathNet, res *fib.Result, dst [4]byte) *exception {
	k := exceptKey{dst, res.Hop.IfIndex, res.Hop.Gw}
	e, ok := s.path.exceptions.Get(n, k)
	switch {
	case !ok || e.of != kinOf(res):
		return nil
	case s.Core.Sys.Now() >= e.expires:
		st.except.mu.Lock()
		defer st.except.mu.Unlock()
		if now, ok := s.path.exceptions.Get(n, k); ok && now == e {
			s.forgetException(n, st, k)
		}
		return nil
	}
	return e
}

// forgetException takes one away; under mu.
func (s *Inet) forgetException(n *netns.Net, st *pathNet, k exceptKey) {
	s.path.exceptions.Delete(n, k)
	st.except.count.Store(int32(s.path.exceptions.Len(n)))
}

// addException notes what e says of the way to dst by a hop of a route, beside what is
// known. Linux: update_or_create_fnhe.
func (s *Inet) addException(n *netns.Net, res *fib.Result, hop *fib.NextHop, dst [4]byte, e exception) {
	st := s.path.nets.Own(n)
	x := &st.except
	x.mu.Lock()
	defer x.mu.Unlock()
	if st.dead.Load() {
		return
	}
	k := exceptKey{dst, hop.IfIndex, hop.Gw}
	e.of = kinOf(res)
	if old, ok := s.path.exceptions.Get(n, k); ok {
		e.number = old.number
		if old.of == e.of && s.Core.Sys.Now() < old.expires {
			if !e.gw.IsValid() {
				e.gw = old.gw
			}
			if e.mtu == 0 {
				e.mtu, e.locked = old.mtu, old.locked
			}
		}
		_ = s.path.exceptions.Set(n, k, &e) // there is room: it takes the old one's
		return
	}
	s.makeRoom(n, st)
	x.made++
	e.number = x.made
	if s.path.exceptions.Add(n, k, &e) == nil {
		x.order = append(x.order, exceptMade{k, e.number})
	}
	x.count.Store(int32(s.path.exceptions.Len(n)))
}

// makeRoom lets the oldest go if n has as many as it may; under mu.
// Linux: fnhe_remove_oldest.
func (s *Inet) makeRoom(n *netns.Net, st *pathNet) {
	x := &st.except
	for s.path.exceptions.Len(n) >= maxExceptions {
		first := x.order[0]
		x.order = x.order[1:]
		if e, ok := s.path.exceptions.Get(n, first.key); ok && e.number == first.number {
			s.forgetException(n, st, first.key)
		}
	}
	if len(x.order) >= 2*maxExceptions {
		x.order = slices.DeleteFunc(slices.Clone(x.order), func(m exceptMade) bool {
			e, ok := s.path.exceptions.Get(n, m.key)
			return !ok || e.number != m.number
		})
	}
}

// editExceptions gives each of n's exceptions what change makes of it; nil takes
// it away.
func (s *Inet) editExceptions(n *netns.Net, change func(exceptKey, *exception) *exception) {
	st := s.path.nets.Of(n)
	if st.except.count.Load() == 0 {
		return
	}
	st.except.mu.Lock()
	defer st.except.mu.Unlock()
	for k, e := range s.path.exceptions.All(n) {
		switch next := change(k, e); {
		case next == nil:
			s.forgetException(n, st, k)
		case next != e:
			_ = s.path.exceptions.Set(n, k, next)
		}
	}
}

// flushExceptions forgets all that n has learnt.
// Linux: ipv4_sysctl_rtcache_flush, fnhe_genid_bump.
func (s *Inet) flushExceptions(n *netns.Net) {
	s.editExceptions(n, func(exceptKey, *exception) *exception { return nil })
}

// routeGone forgets the exceptions to routes of which the last has gone, when r
// has, or has taken another's place: in Linux they hang from the next hops that
// such routes share.
func (s *Inet) routeGone(n *netns.Net, op fib.Op, r *fib.Route) {
	type way struct {
		oif int32
		gw  netip.Addr
		of  kin
	}
	var left map[way]bool // what routes there are, once somebody asks
	s.editExceptions(n, func(k exceptKey, e *exception) *exception {
		if op != fib.Replaced && e.of != kinOfRoute(r) {
			return e
		}
		if left == nil {
			left = map[way]bool{}
			for r := range s.FIB.Routes(n, 0) {
				for _, h := range r.NextHops {
					left[way{h.IfIndex, h.Gw, kinOfRoute(&r)}] = true
				}
			}
		}
		if !left[way{k.oif, k.gw, e.of}] {
			return nil
		}
		return e
	})
}

// mtuChanged lowers what was learnt of ways by the device of an index to what
// the device takes now. Linux: fib_nhc_update_mtu.
func (s *Inet) mtuChanged(n *netns.Net, index, mtu int) {
	s.editExceptions(n, func(k exceptKey, e *exception) *exception {
		if int(k.oif) != index || e.mtu == 0 || mtu > e.mtu || mtu == e.mtu && !e.locked {
			return e
		}
		own := *e
		own.mtu, own.locked = mtu, false
		return &own
	})
}

// fill puts what was learnt of a way into a message about the route.
// Linux: fill_route_from_fnhe, rt_fill_info.
func (e *exception) fill(out *netlink.Route, now time.Duration) {
	out.Expires = e.expires - now
	if e.mtu != 0 {
		out.MTU = uint32(e.mtu)
		if e.locked {
			out.Locked |= 1 << unix.RTAX_MTU
		}
	}
	if e.gw.IsValid() {
		out.Gateway = e.gw
		out.Flags |= routeRedirected
	}
}

// dumpExceptions lists what n has learnt, as routes of their own.
// Linux: fib_dump_info_fnhe.
func (s *Inet) dumpExceptions(n *netns.Net) (all []netlink.Message) {
	now := s.Core.Sys.Now()
	for k, e := range s.path.exceptions.All(n) {
		if now >= e.expires {
			continue
		}
		m := &netlink.Route{Family: unix.AF_INET, Dst: netip.PrefixFrom(netip.AddrFrom4(k.dst), 32), Table: fib.TableMain, Type: unix.RTN_UNICAST,
			Flags: routeCloned, Has: netlink.RouteCacheInfo, OIF: int(k.oif), Gateway: k.gw}
		e.fill(m, now)
		all = append(all, m)
	}
	return all
}
