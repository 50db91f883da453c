package ipv6

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
	"nsmodel/fib"
	"nsmodel/netns"
)

// maxExceptions is how many a Net keeps: the oldest goes first. Linux keeps five
// to nine in each of 1024 chains, for each next hop: FIB6_MAX_DEPTH,
// FIB6_EXCEPTION_BUCKET_SIZE.
const maxExceptions = 1024 * 5

// An exceptKey says to whom, and by which next hop of a route.
type exceptKey struct {
	dst [16]byte
	oif int32
	gw  netip.Addr
	src netip.Addr // of a route for some sources: whom it was learnt of
}

// An exception is what was learnt of the way to one destination. It is
// immutable. Linux: struct rt6_exception.
type exception struct {
	gw      netip.Addr    // the better next hop, if better
	better  bool          // a redirect said so
	quiet   bool          // its end is not shown: in Linux it is collected
	mtu     int           // in bytes; 0: the route's
	expires time.Duration // since boot
	metric  uint32        // metric and length of the prefix of the route that it
	bits    uint8         // is an exception to
	number  uint64        // of those that the Net has made
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

// exceptionTo returns what is known of the way from src to dst by a route, nil for
// nothing new. Where a Net has none it costs a load. Linux: rt6_find_cached_rt.
func (s *Inet) exceptionTo(n *netns.Net, res *fib.Result, dst, src netip.Addr) *exception {
	st := s.path.nets.Of(n)
	if st.except.count.Load() == 0 || res.Hop == nil {
		return nil
	}
	k := exceptKey{dst.As16(), res.Hop.IfIndex, res.Hop.Gw, netip.Addr{}}
	if from := res.From(); from.IsValid() {
		k.src = src
		if e := s.findException(n, st, res, k); e != nil {
			return e
		}
		k.src = from.Addr() // whomever it is of
	}
	return s.findException(n, st, res, k)
}

func (s *Inet) findException(n *netns.Net, st *pathNet, res *fib.Result, k exceptKey) *exception {
	e, ok := s.path.exceptions.Get(n, k)
	switch {
	case !ok || int(e.bits) != res.Prefix().Bits() || e.metric != res.Metric():
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
// known. What is learnt of a route for some sources is true of src alone. Linux: rt6_insert_exception.
func (s *Inet) addException(n *netns.Net, res *fib.Result, hop *fib.NextHop, dst [16]byte, src netip.Addr, e exception) {
	st := s.path.nets.Own(n)
	x := &st.except
	x.mu.Lock()
	defer x.mu.Unlock()
	if st.dead.Load() {
		return
	}
	k := exceptKey{dst, hop.IfIndex, hop.Gw, netip.Addr{}}
	if res.From().IsValid() {
		k.src = src
	}
	e.bits, e.metric = uint8(res.Prefix().Bits()), res.Metric()
	if old, ok := s.path.exceptions.Get(n, k); ok {
		e.number = old.number
		if !e.better && old.bits == e.bits && old.metric == e.metric && s.Core.Sys.Now() < old.expires {
			e.gw, e.better = old.gw, old.better
			if !old.quiet { // RFC 8201 section 4 would begin anew
				e.expires = min(e.expires, old.expires)
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
// Linux: rt6_exception_remove_oldest.
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

// delException forgets what n has learnt of the way to one destination; ESRCH
// if that is nothing. Linux: ip6_del_cached_rt.
func (s *Inet) delException(n *netns.Net, m *netlink.Route) error {
	err := error(syscall.ESRCH)
	s.editExceptions(n, func(k exceptKey, e *exception) *exception {
		if m.Dst.Addr() != netip.AddrFrom16(k.dst) || m.OIF != 0 && m.OIF != int(k.oif) {
			return e
		}
		err = nil
		return nil
	})
	return err
}

// of reports whether k is of a route for those sources.
func (k *exceptKey) of(from netip.Prefix) bool {
	return k.src.IsValid() == from.IsValid() && (!from.IsValid() || from.Contains(k.src))
}

// routeGone forgets the exceptions to a route that has gone, or that another has
// taken the place of: in Linux they hang from its next hops.
func (s *Inet) routeGone(n *netns.Net, r *fib.Route) {
	s.editExceptions(n, func(k exceptKey, e *exception) *exception {
		if k.of(r.From) && int(e.bits) == r.Dst.Bits() && e.metric == r.Metric && r.Dst.Contains(netip.AddrFrom16(k.dst)) {
			return nil
		}
		return e
	})
}

// mtuChanged lowers what was learnt of ways by the device of an index to what
// the device takes now. Linux: rt6_exceptions_update_pmtu.
func (s *Inet) mtuChanged(n *netns.Net, index, mtu int) {
	s.editExceptions(n, func(k exceptKey, e *exception) *exception {
		if int(k.oif) != index || e.mtu == 0 || mtu >= e.mtu {
			return e
		}
		own := *e
		own.mtu = mtu
		return &own
	})
}

// fill puts what was learnt of a way into a message about the route.
// Linux: rt6_fill_node.
func (e *exception) fill(out *netlink.Route, now time.Duration) {
	out.Flags |= unix.RTM_F_CLONED
	if !e.quiet {
		out.Expires = e.expires - now
	}
	if e.mtu != 0 {
		out.MTU = uint32(e.mtu)
	}
	if e.better {
		out.Gateway = e.gw
	}
}

// dumpExceptions lists what n has learnt, as routes of their own.
// Linux: rt6_nh_dump_exceptions.
func (s *Inet) dumpExceptions(n *netns.Net) (all []netlink.Message) {
	now := s.Core.Sys.Now()
	for k, e := range s.path.exceptions.All(n) {
		if now >= e.expires {
			continue
		}
		m := &netlink.Route{Family: unix.AF_INET6, Dst: netip.PrefixFrom(netip.AddrFrom16(k.dst), 128), Table: fib.TableMain, Type: unix.RTN_UNICAST,
			Priority: e.metric, Has: netlink.RouteCacheInfo | netlink.RoutePref, OIF: int(k.oif), Gateway: k.gw}
		e.fill(m, now)
		all = append(all, m)
	}
	return all
}
