package ipv6

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// Defaults of what queriers say (RFC 3810 section 9) and times of Linux.
const (
	queryInterval    = 125 * time.Second
	responseInterval = 10 * time.Second
	jiffy            = 4 * time.Millisecond // what a timer's least delay is counted in
	leastRobustness  = 2                    // of a querier. Linux: MLD_QRV_DEFAULT
)

// Groups with a meaning (IANA "IPv6 Multicast Address Space Registry").
var (
	allNodesIf   = [16]byte{0xff, 0x01, 15: 1}
	allNodes     = [16]byte{0xff, 0x02, 15: 1}
	allRoutersIf = [16]byte{0xff, 0x01, 15: 2}
	allRouters   = [16]byte{0xff, 0x02, 15: 2}
	siteRouters  = [16]byte{0xff, 0x05, 15: 2}
	mldRouters   = [16]byte{0xff, 0x02, 15: 22}
)

// mcast is what a device knows of groups.
type mcast struct {
	// view is what reception asks, published under mu; nil: in no group.
	view atomic.Pointer[[]groupView]

	mu       sync.Mutex
	listened bool      // while st is nil: the link was told of all nodes
	st       *mldState // nil while there is nothing but the groups of all nodes
}

// mldState is the part of struct inet6_dev that is MLD's; under mcast.mu.
type mldState struct {
	inet   *Inet
	dev    *device
	net    *netns.Net
	dead   bool
	groups []*group // the newest first. Linux: mc_list
	gone   []*group // left, but not told often enough. Linux: mc_tomb

	changes     netns.Timer // tells of changes. Linux: mc_ifc_work
	changesLeft int         // Linux: mc_ifc_count
	answer      netns.Timer // answers a general query. Linux: mc_gq_work
	again       netns.Timer // tells all once more, from the new address. Linux: mc_dad_work
	againLeft   int         // Linux: mc_dad_count

	v1Until    time.Duration // an old querier was heard: until then all speak as it does. Linux: mc_v1_seen
	robustness int           // Linux: mc_qrv
	interval   time.Duration // Linux: mc_qi
	response   time.Duration // Linux: mc_qri

	out []mldMessage // to be sent once mu is free
}

// mldMessage is a message and where it goes.
type mldMessage struct {
	dst [16]byte
	b   []byte
}

// scopeOfGroup returns how far a group reaches (RFC 4291 section 2.7): 1 this
// interface, 2 the link, 5 the site, 14 everywhere. Linux: IPV6_ADDR_MC_SCOPE.
func scopeOfGroup(g [16]byte) uint8 { return g[1] & 15 }

// reported reports whether membership of g is told to routers: of all nodes
// everybody is a member, and what stays on the host is nobody else's business
// (RFC 3810 section 6). Linux: MAF_NOREPORT.
func reported(g [16]byte) bool { return g != allNodes && scopeOfGroup(g) >= scopeLink }

// version returns the version that dev speaks: that which is forced, by conf.all
// before the device's own, or that of the oldest querier heard lately (RFC 3810
// section 8.2.1). Linux: mld_in_v1_mode.
func (st *mldState) version(now time.Duration) int {
	switch forced := st.forced(); {
	case forced == 1:
		return 1
	case forced != 2 && now < st.v1Until:
		return 1
	}
	return 2
}

func (st *mldState) forced() int32 {
	if all := st.inet.conf.Of(st.net).all.Load().v[confForceMLDVersion]; all != 0 {
		return all
	}
	return st.dev.own.Load().v[confForceMLDVersion]
}

// unsolicited returns the time within which an unasked report is repeated.
// Linux: unsolicited_report_interval.
func (st *mldState) unsolicited(now time.Duration) time.Duration {
	k := confMLDv2Interval
	if st.version(now) < 2 {
		k = confMLDv1Interval
	}
	return max(jiffy, time.Duration(st.dev.own.Load().v[k])*time.Millisecond)
}

// draw returns a time within limit from the Net's own stream.
func (st *mldState) draw(limit time.Duration) time.Duration {
	if limit <= jiffy {
		return 0
	}
	return time.Duration(st.net.Uint64N(uint64(limit)))
}

// mldQuery takes a query: one from this link, that has not been forwarded and
// asks to be looked at (RFC 3810 section 6.2). Linux: igmp6_event_query.
func (s *Inet) mldQuery(w *core.Worker, p *core.Packet, ip wire.IPv6) {
	dev := s.devs.Of(p.Dev)
	m := wire.MLD(p.Bytes())
	if dev == nil || len(m) < wire.MLDLen || !ip.Src().IsLinkLocalUnicast() || ip.HopLimit() != 1 || !alertsMLD(ip) ||
		!s.heardQuery(w.Now(), dev, m) {
		w.Drop(p, core.BadICMP)
		return
	}
	w.Deliver(p)
}

// alertsMLD reports whether a datagram has the router alert option with MLD's
// value (RFC 2711 section 2.1).
func alertsMLD(ip wire.IPv6) bool {
	e := ip.EachExt()
	if !e.Next() || e.Kind() != wire.ProtoHopByHop {
		return false
	}
	found := false
	for o := wire.EachTLV(e.Bytes()); o.Next(); {
		if o.Kind() == wire.TLVRouterAlert {
			found = len(o.Data()) == 2 && [2]byte(o.Data()) == [2]byte{}
		}
	}
	return found
}

// mldReport takes an MLDv1 report of another host's; later ones and dones are
// for routers. Linux: igmp6_event_report.
func (s *Inet) mldReport(w *core.Worker, p *core.Packet, ip wire.IPv6) {
	dev := s.devs.Of(p.Dev)
	m := wire.MLD(p.Bytes())
	if dev == nil || len(m) < wire.MLDLen || chosen(ip.Src()) && !ip.Src().IsLinkLocalUnicast() {
		w.Drop(p, core.BadICMP)
		return
	}
	// Our own comes back if we are in the group; one sent to us alone no router
	// has heard.
	if p.Type == core.ToMulticast || p.Type == core.ToBroadcast {
		s.heardReport(dev, m.Group())
	}
	w.Deliver(p)
}

// heardReport leaves the reporting of a group to who was faster (RFC 2710
// section 4).
func (s *Inet) heardReport(dev *device, g [16]byte) {
	dev.mc.mu.Lock()
	defer dev.mc.mu.Unlock()
	st := dev.mc.st
	if st == nil {
		return
	}
	if at := st.find(g); at >= 0 {
		st.groups[at].stopTimer()
		st.groups[at].reporter = false
	}
}

// heardQuery takes a query, and reports whether it is one.
// Linux: __mld_query_work.
func (s *Inet) heardQuery(now time.Duration, dev *device, m wire.MLD) bool {
	group := m.Group()
	if group != [16]byte{} && group[0] != 0xff {
		return false
	}
	dev.mc.mu.Lock()
	defer dev.mc.mu.Unlock()
	st := s.mld(dev)
	var within time.Duration
	named := false // sources are
	switch {
	case len(m) == wire.MLDLen || st.version(now) == 1:
		if st.forced() == 2 {
			return false
		}
		within = st.heardOld(now, m)
	case !m.V2():
		return false
	default:
		within = max(jiffy, time.Duration(wire.MLDTime(m.MaxDelay()))*time.Millisecond)
		st.learn(m, within)
		if group == ([16]byte{}) {
			if m.NumSources() > 0 {
				return false
			}
			st.answer.Reset(now + 2*jiffy + st.draw(within))
			return true
		}
		if named = m.NumSources() > 0; len(m) < wire.MLDv2QueryLen+16*m.NumSources() {
			return false
		}
	}
	for _, g := range st.groups {
		switch {
		case group == [16]byte{}:
			g.answerWithin(now, within)
			continue
		case group != g.addr:
			continue
		case g.timer.Pending():
			g.asked = g.asked && named
		default:
			g.asked = named
		}
		if !g.asked || g.markSources(m) {
			g.answerWithin(now, within)
		}
	}
	return true
}

// heardOld takes a query of MLDv1, or any while that is spoken, and returns
// within which time it wants its answers. What old routers do not understand is
// not told any more. Linux: mld_process_v1.
func (st *mldState) heardOld(now time.Duration, m wire.MLD) time.Duration {
	delay := m.MaxDelay()
	if len(m) == wire.MLDLen {
		st.v1Until = now + time.Duration(st.robustness)*st.interval + st.response // RFC 3810 section 9.12
	} else {
		delay = min(delay, 0x7fff)
	}
	st.answer.Stop()
	st.changesLeft, st.gone = 0, nil
	st.changes.Stop()
	return max(jiffy, time.Duration(delay)*time.Millisecond)
}

// learn takes over the values of the querier (RFC 3810 sections 5.1.8, 5.1.9,
// 9.3). Linux: mld_process_v2.
func (st *mldState) learn(m wire.MLD, response time.Duration) {
	if r := m.Robustness(); r > 0 {
		st.robustness = r
	}
	st.robustness = max(st.robustness, min(leastRobustness, int(st.inet.conf.Of(st.net).MLDQRV.Load())))
	st.interval = time.Duration(wire.IGMPTime(m.Interval())) * time.Second
	st.response = response
}

// answerNow is the timer of a general query. Linux: mld_gq_work.
func (st *mldState) answerNow(time.Duration) {
	st.do(func() {
		var r records
		for _, g := range st.groups {
			r.current(st, g)
		}
		st.tell(&r)
	})
}

// tellChanges is the timer of changes. Linux: mld_ifc_work.
func (st *mldState) tellChanges(now time.Duration) {
	st.do(func() {
		st.stateChanges()
		if st.changesLeft = max(0, st.changesLeft-1); st.changesLeft > 0 {
			st.changes.Reset(now + 2*jiffy + st.draw(st.unsolicited(now)))
		}
	})
}

// changed starts the telling of changes. Linux: mld_ifc_event.
func (st *mldState) changed() {
	now := st.inet.Core.Sys.Now()
	if st.version(now) < 2 || st.dead {
		return
	}
	st.changesLeft = st.robustness
	st.changes.Reset(now + 2*jiffy)
}

// tellAll tells of all groups, whose first reports came from no address; then as
// often as any change is told. Linux: ipv6_mc_dad_complete, mld_dad_work.
func (st *mldState) tellAll(now time.Duration) {
	st.do(func() {
		if st.version(now) == 2 {
			var r records
			for _, g := range st.groups {
				typ := uint8(wire.RecordAllow)
				if g.modes[Exclude] > 0 {
					typ = wire.RecordToExclude
				}
				r.initial = true
				r.add(st, g, typ, false, false)
			}
			st.tell(&r)
		}
		if st.againLeft--; st.againLeft > 0 {
			st.again.Reset(now + 2*jiffy + st.draw(st.unsolicited(now)))
		}
	})
}

// do runs f, a timer's work, under the lock, and sends what it leaves. A timer
// may fire after the device has left the Net that it was set in.
func (st *mldState) do(f func()) {
	mc := &st.dev.mc
	mc.mu.Lock()
	if st.dead || mc.st != st {
		mc.mu.Unlock()
		return
	}
	f()
	st.unlock()
}

// unlock frees mcast.mu and sends what was left for then: to send takes other
// locks, and a hook may look at groups.
func (st *mldState) unlock() {
	out := st.out
	st.out = nil
	st.dev.mc.mu.Unlock()
	if len(out) == 0 || !st.net.Alive() {
		return
	}
	w := st.inet.Core.Enter()
	defer w.Leave()
	for _, m := range out {
		st.inet.sendMLD(w, st.dev, m)
	}
}

// wanted reports whether the device that a packet for a group came by wants to
// hear its sender, whom filters of sources may keep out. What is told of groups
// all hear. Linux: the multicast part of ip6_protocol_deliver_rcu, ipv6_is_mld.
func (s *Inet) wanted(p *core.Packet, ip wire.IPv6, proto uint8) bool {
	dev := s.devs.Of(p.Dev)
	if dev == nil {
		return false
	}
	if dev.member(ip.Dst16(), ip.Src16()) {
		return true
	}
	if m := p.Bytes(); proto == wire.ProtoICMPv6 && len(m) > 0 {
		return m[0] >= wire.ICMP6MLDQuery && m[0] <= wire.ICMP6MLDDone || m[0] == wire.ICMP6MLD2Report
	}
	return false
}

// lonely reports whether a is the first link-local address of dev's that may be
// used. Linux: ipv6_lonely_lladdr.
func (dev *device) lonely(a *Addr) bool {
	for _, b := range dev.Addrs() {
		if b.Local != a.Local && b.Local.IsLinkLocalUnicast() && !b.Tentative() {
			return false
		}
	}
	return true
}

// initMLDSysctl registers the two numbers that Linux keeps once for the host, in
// the initial Net: there they count for all. Here a child does not see the names
// either, but has values of its own, Linux's: see [Inet.SetMLDLimits].
func (s *Inet) initMLDSysctl() error {
	for _, k := range []number{
		{"mld_max_msf", func(c *Conf) *atomic.Int32 { return &c.MLDMaxMSF }, math.MinInt32, math.MaxInt32},
		{"mld_qrv", func(c *Conf) *atomic.Int32 { return &c.MLDQRV }, 1, math.MaxInt32},
	} {
		if err := s.registerNumber(k, true); err != nil {
			return err
		}
	}
	return nil
}

// SetMLDLimits sets how often n tells of a change of membership, at least once,
// and how many sources a socket's filter may name there. Linux: mld_qrv and
// mld_max_msf.
func (s *Inet) SetMLDLimits(n *netns.Net, robustness, sources int) {
	c := s.conf.Own(n)
	c.MLDQRV.Store(int32(max(1, robustness)))
	c.MLDMaxMSF.Store(int32(sources))
}
