package ipv4

import (
	"sync"
	"sync/atomic"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// Defaults of what queriers say (RFC 3376 section 8) and times of Linux.
const (
	queryInterval    = 125 * time.Second
	responseInterval = 10 * time.Second
	jiffy            = 4 * time.Millisecond // what a timer's least delay is counted in
)

// Groups with a meaning (IANA "IPv4 Multicast Address Space Registry").
var (
	allHosts    = [4]byte{224, 0, 0, 1}
	allRouters  = [4]byte{224, 0, 0, 2}
	igmpRouters = [4]byte{224, 0, 0, 22}
)

// mcast is what a device knows of groups.
type mcast struct {
	// view is what reception asks, published under mu; nil: in no group.
	view atomic.Pointer[[]groupView]

	mu sync.Mutex
	up bool
	st *igmpState // nil while there is nothing but the group of all hosts
}

// igmpState is the part of struct in_device that is IGMP's; under mcast.mu.
type igmpState struct {
	inet   *Inet
	dev    *device
	net    *netns.Net
	dead   bool
	groups []*group // the newest first. Linux: mc_list
	gone   []*group // left, but not told often enough. Linux: mc_tomb

	changes     netns.Timer // tells of changes. Linux: mr_ifc_timer
	changesLeft int         // Linux: mr_ifc_count
	answer      netns.Timer // answers a general query. Linux: mr_gq_timer
	answerAt    time.Duration

	v1Until, v2Until time.Duration // an old querier was heard: until then all speak as it does
	robustness       int           // Linux: mr_qrv; 0: igmp_qrv
	interval         time.Duration // Linux: mr_qi
	response         time.Duration // Linux: mr_qri

	out []igmpMessage // to be sent once mu is free
}

// igmpMessage is a message and where it goes.
type igmpMessage struct {
	dst [4]byte
	b   []byte
}

// linkLocal reports whether g is one of 224.0.0.x, which routers never pass on.
// Linux: ipv4_is_local_multicast.
func linkLocal(g [4]byte) bool { return g[0] == 224 && g[1] == 0 && g[2] == 0 }

// reported reports whether membership of g is told to routers: of all hosts
// everybody is a member, and igmp_link_local_mcast_reports says whether 224.0.0.x
// is worth telling.
func (st *igmpState) reported(g [4]byte) bool {
	return g != allHosts && (!linkLocal(g) || st.inet.conf.Of(st.net).IGMPLinkLocal.Load() != 0)
}

// version returns the version that dev speaks: that which is forced, or the
// oldest of the queriers heard lately (RFC 3376 section 7.2).
// Linux: IGMP_V1_SEEN, IGMP_V2_SEEN.
func (st *igmpState) version(now time.Duration) int {
	switch forced := st.dev.eff.Load().v[confForceIGMPVersion]; {
	case forced == 1 || now < st.v1Until:
		return 1
	case forced == 2 || now < st.v2Until:
		return 2
	}
	return 3
}

// retries returns how often a change is told. Linux: mr_qrv ?: sysctl_igmp_qrv.
func (st *igmpState) retries() int {
	if st.robustness != 0 {
		return st.robustness
	}
	return int(st.inet.conf.Of(st.net).IGMPQRV.Load())
}

// unsolicited returns the time within which an unasked report is repeated.
// Linux: unsolicited_report_interval.
func (st *igmpState) unsolicited(now time.Duration) time.Duration {
	k := confIGMPv3Interval
	if st.version(now) < 3 {
		k = confIGMPv2Interval
	}
	return max(jiffy, time.Duration(st.dev.own.Load().v[k])*time.Millisecond)
}

// draw returns a time after now, within limit, from the Net's own stream.
func (st *igmpState) draw(now, limit time.Duration) time.Duration {
	at := now + 2*jiffy
	if limit > jiffy {
		at += time.Duration(st.net.Uint64N(uint64(limit)))
	}
	return at
}

// igmpReceive takes an IGMP message; it is a transport like others.
// Linux: igmp_rcv.
func (s *Inet) igmpReceive(w *core.Worker, p *core.Packet, ip wire.IPv4) {
	dev := s.devs.Of(p.Dev)
	b := p.Bytes()
	if dev == nil || len(b) < wire.IGMPLen {
		w.Drop(p, core.HeaderTooShort)
		return
	}
	if p.Checksum == core.ChecksumNone && !wire.IGMP(b).ChecksumOK() {
		w.Drop(p, core.BadL4Checksum)
		return
	}
	switch b[0] {
	case wire.IGMPQuery:
		m, ok := wire.ParseIGMP(b)
		if !ok || !s.heardQuery(w.Now(), dev, m) {
			w.Drop(p, core.HeaderTooShort)
			return
		}
	case wire.IGMPv1Report, wire.IGMPv2Report:
		// Our own comes back if we are in the group; one sent to us alone no
		// router has heard.
		if p.Type == core.ToMulticast || p.Type == core.ToBroadcast {
			s.heardReport(dev, wire.IGMP(b).Group())
		}
	}
	w.Deliver(p)
}

// heardReport leaves the reporting of a group to who was faster (RFC 2236
// section 3). Linux: igmp_heard_report.
func (s *Inet) heardReport(dev *device, g [4]byte) {
	dev.mc.mu.Lock()
	defer dev.mc.mu.Unlock()
	st := dev.mc.st
	if st == nil || !st.reported(g) {
		return
	}
	if at := st.find(g); at >= 0 {
		st.groups[at].stopTimer()
	}
}

// heardQuery takes a query, and reports whether it is one.
// Linux: igmp_heard_query.
func (s *Inet) heardQuery(now time.Duration, dev *device, m wire.IGMP) bool {
	dev.mc.mu.Lock()
	defer dev.mc.mu.Unlock()
	if !dev.mc.up {
		return true
	}
	st := s.igmp(dev)
	group, within := m.Group(), responseInterval
	named := false // sources are
	switch {
	case !m.V3():
		if m.Code() == 0 { // of version 1, whose queries are all general
			st.v1Until = now + st.patience()
			group = [4]byte{}
		} else {
			st.v2Until = now + st.patience()
			within = time.Duration(m.Code()) * time.Second / 10
		}
		// What old routers do not understand is not told any more.
		st.changesLeft, st.gone = 0, nil
		st.changes.Stop()
	case st.version(now) == 1:
		group = [4]byte{}
	case st.version(now) == 2:
		within = max(jiffy, time.Duration(wire.IGMPTime(m.Code()))*time.Second/10)
	default:
		within = max(jiffy, time.Duration(wire.IGMPTime(m.Code()))*time.Second/10)
		st.learn(m)
		if group == ([4]byte{}) {
			if m.NumSources() > 0 {
				return false
			}
			st.answerWithin(now, within)
			return true
		}
		named = m.NumSources() > 0
	}
	for _, g := range st.groups {
		if group != ([4]byte{}) && group != g.addr || !st.reported(g.addr) {
			continue
		}
		if g.running {
			g.asked = g.asked && named
		} else {
			g.asked = named
		}
		if !g.asked || g.markSources(m) {
			g.answerWithin(now, within)
		}
	}
	return true
}

// patience is how long an old querier is remembered (RFC 3376 section 8.12).
func (st *igmpState) patience() time.Duration {
	return time.Duration(st.robustness)*st.interval + st.response
}

// learn takes over the values of the querier (RFC 3376 sections 4.1.6, 4.1.7, 8.3).
func (st *igmpState) learn(m wire.IGMP) {
	st.robustness = m.Robustness()
	if st.robustness == 0 {
		st.robustness = int(st.inet.conf.Of(st.net).IGMPQRV.Load())
	}
	st.interval = time.Duration(wire.IGMPTime(m.Interval())) * time.Second
	if st.interval == 0 {
		st.interval = queryInterval
	}
	if st.response >= st.interval {
		st.response = st.interval - time.Second
	}
}

// answerWithin sees to it that a general query is answered (RFC 3376 section
// 5.2). Linux: igmp_gq_start_timer.
func (st *igmpState) answerWithin(now, within time.Duration) {
	at := st.draw(now, within)
	if st.answer.Pending() && at >= st.answerAt {
		return
	}
	st.answerAt = at
	st.answer.Reset(at)
}

// answerNow is the timer of a general query. Linux: igmp_gq_timer_expire.
func (st *igmpState) answerNow(time.Duration) {
	st.do(func() {
		var r records
		for _, g := range st.groups {
			r.current(st, g)
		}
		st.tell(&r)
	})
}

// tellChanges is the timer of changes. Linux: igmp_ifc_timer_expire.
func (st *igmpState) tellChanges(now time.Duration) {
	st.do(func() {
		st.stateChanges()
		if st.changesLeft > 0 {
			st.changesLeft--
			st.changes.Reset(st.draw(now, st.unsolicited(now)))
		}
	})
}

// changed starts the telling of changes. Linux: igmp_ifc_event.
func (st *igmpState) changed() {
	now := st.inet.Core.Sys.Now()
	if st.version(now) < 3 || st.dead {
		return
	}
	st.changesLeft = st.retries()
	st.changes.Reset(st.draw(now, 0))
}

// do runs f, a timer's work, under the lock, and sends what it leaves. A timer
// may fire after the device has left the Net that it was set in.
func (st *igmpState) do(f func()) {
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
func (st *igmpState) unlock() {
	out := st.out
	st.out = nil
	st.dev.mc.mu.Unlock()
	if len(out) == 0 || !st.net.Alive() {
		return
	}
	w := st.inet.Core.Enter()
	defer w.Leave()
	for _, m := range out {
		st.inet.sendIGMP(w, st.dev.dev, m)
	}
}
