package link

import (
	"sync"
	"sync/atomic"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A bridge looks into IGMP and MLD to learn behind which ports a group has members
// and where routers are, and spares the others (RFC 4541). It does so by group alone:
// sources are not looked at, which Linux does with mcast_igmp_version 3. It believes
// only where members are asked for from time to time, by somebody or by itself (see
// querier.go), and else floods. Linux: br_multicast.c.

// defaultHashMax is how many groups a bridge knows. Linux: BR_MULTICAST_DEFAULT_HASH_MAX.
const defaultHashMax = 4096

// What a bridge or a port says of routers. Linux: MDB_RTR_TYPE_*.
const (
	routerNever  = 0
	routerLearn  = 1 // those that ask
	routerAlways = 2
	routerTemp   = 3 // for a while, of a port
)

// snooping is what a bridge knows of groups, beside the table of them.
// Linux: struct net_bridge_mcast.
type snooping struct {
	off     atomic.Bool   // mcast_snooping 0
	router  atomic.Uint32 // the bridge's own word
	hashMax atomic.Int64
	groups  atomic.Int64  // entries of the table. Linux: mdb_hash_tbl.nelems
	number  atomic.Uint64 // numbers them, for the order of dumps
	family  [2]asked      // of IPv4, of IPv6
	querier atomic.Bool   // the bridge asks; written under mu
	noAddr6 atomic.Bool   // and has lacked an address for it. Linux: !BROPT_HAS_IPV6_ADDR

	mu   sync.Mutex // orders changes
	ask  asking     // under mu
	open bool       // under mu; the bridge is up
}

// asked is what is known of who asks for members, and of routers, in one family.
type asked struct {
	believe atomic.Int64 // when members have had the time to answer. Linux: delay_time
	until   atomic.Int64 // when the querier is gone, unless it asks again. Linux: other_query.timer
	self    atomic.Int64 // until when this Net itself routes, as its queries say
	routers atomic.Pointer[[]*routerPort]
	own     ownQuery
	other   netns.Timer // at until

	// under mu
	querier [16]byte   // the bridge itself, or somebody else
	leaves  [][16]byte // what the bridge's own Net has left, to be asked about
	left    netns.Timer
}

// A routerPort is one behind which a router is.
type routerPort struct {
	port  *port
	until atomic.Int64 // -1: always
}

func (r *routerPort) alive(now time.Duration) bool {
	u := r.until.Load()
	return u < 0 || u > int64(now)
}

// querierExists reports whether there is a querier whose answers are in.
// Linux: br_multicast_querier_exists.
func (m *snooping) querierExists(family int, now time.Duration) bool {
	a := &m.family[family]
	return int64(now) > a.believe.Load() && (int64(now) < a.until.Load() || m.querier.Load() && (family == four || !m.noAddr6.Load()))
}

// The families by number.
const (
	four = iota
	six
	noFamily
)

// A heard is what a bridge makes of a frame to a group.
type heard struct {
	family int
	group  [16]byte // where it goes; as IPv6 writes an IPv4 address
	talk   bool     // of IGMP or MLD itself
	only   bool     // for members and routers. Linux: mrouters_only
}

// groupOf writes an IPv4 group as the table has it.
func groupOf(a [4]byte) (g [16]byte) {
	g[10], g[11] = 0xff, 0xff
	copy(g[12:], a[:])
	return g
}

// multicast takes a frame to a group that came by a port, or with a nil port from
// the bridge's own Net. Linux: br_handle_frame_finish and br_dev_xmit from
// br_multicast_rcv on.
func (b *bridge) multicast(w *core.Worker, p *core.Packet, eth wire.Ethernet, from *port) {
	var h heard
	h.family = noFamily
	now := w.Now()
	if why := b.snoop(w, eth, from, &h); why != 0 {
		w.Drop(p, why)
		return
	}
	if h.family == noFamily || !b.mc.querierExists(h.family, now) {
		b.flood(w, p, from, from != nil)
		return
	}
	var e *mdbEntry
	if !h.talk {
		e = b.findGroup(h.family, h.group)
	}
	if e == nil && !h.only {
		b.flood(w, p, from, from != nil)
		return
	}
	b.floodGroup(w, p, from, e, h.family)
}

// floodGroup sends p to the members of e, which may be nil, and to routers.
// Linux: br_multicast_flood.
func (b *bridge) floodGroup(w *core.Worker, p *core.Packet, from *port, e *mdbEntry, family int) {
	now := w.Now()
	a := &b.mc.family[family]
	var members []*port
	up := from != nil && (b.dev.Promiscuity() > 0 || b.dev.AllMulti() > 0 || b.mc.router.Load() == routerAlways || a.self.Load() > int64(now))
	if e != nil {
		v := e.view.Load()
		members, up = v.ports, up || from != nil && v.host
	}
	var last *port
	pass := func(to *port) {
		if to == from || !to.forwarding() {
			return
		}
		if last != nil {
			b.forward(w, w.Clone(p), last, nil)
		}
		last = to
	}
	for _, to := range members {
		pass(to)
	}
	if list := a.routers.Load(); list != nil {
	next:
		for _, r := range *list {
			for _, to := range members {
				if to == r.port {
					continue next
				}
			}
			if r.alive(now) {
				pass(r.port)
			}
		}
	}
	switch {
	case up && last != nil:
		b.forward(w, w.Clone(p), last, nil)
		b.dev.Process(w, p)
	case up:
		b.dev.Process(w, p)
	case last != nil:
		b.forward(w, p, last, nil)
	default:
		w.Drop(p, core.BridgeBlocked)
	}
}

// snoop learns what a frame tells, and says what it is; or the reason to drop it.
// Linux: br_multicast_rcv.
func (b *bridge) snoop(w *core.Worker, eth wire.Ethernet, from *port, h *heard) core.Reason {
	switch eth.Type() {
	case wire.EtherTypeIPv4:
		return b.snoop4(w, eth[wire.EthernetLen:], from, h)
	case wire.EtherTypeIPv6:
		return b.snoop6(w, eth[wire.EthernetLen:], from, h)
	}
	return 0
}

// snoop4 is snoop of IPv4. Linux: br_multicast_ipv4_rcv, ip_mc_check_igmp.
func (b *bridge) snoop4(w *core.Worker, frame []byte, from *port, h *heard) core.Reason {
	ip, ok := wire.ParseIPv4(frame)
	if !ok || !ip.ChecksumOK() {
		return core.BadIPHeader
	}
	dst := ip.Dst4()
	h.family, h.group = four, groupOf(dst)
	h.only = !local4(dst)
	switch ip.Proto() {
	case wire.ProtoIGMP:
	case protoPIM:
		b.heardPIM(w.Now(), ip, from)
		return 0
	default:
		return 0
	}
	body := ip[ip.HeaderLen():]
	m, ok := wire.ParseIGMP(body)
	if !ok {
		return core.HeaderTooShort
	}
	if !m.ChecksumOK() {
		return core.BadL4Checksum
	}
	switch m.Type() {
	case wire.IGMPQuery:
		if m.Group() == [4]byte{} && dst != [4]byte{224, 0, 0, 1} { // RFC 2236 section 3, RFC 3376 section 4.1.12
			return core.BadIPHeader
		}
		h.talk, h.only = true, false
		b.heardIGMPQuery(w.Now(), ip, m, from)
		return 0
	case wire.IGMPv1Report, wire.IGMPv2Report:
		h.talk, h.only = true, true
		return b.join4(w.Now(), m.Group(), from)
	case wire.IGMPv3Report:
		h.talk, h.only = true, false
		for _, r := range m.Records() {
			if why := b.record4(w, r, from); why != 0 {
				return why
			}
		}
	case wire.IGMPLeave:
		h.talk, h.only = true, false
		if !local4(m.Group()) {
			b.leave(w, four, groupOf(m.Group()), from)
		}
	case mrdIGMP:
		if dst == allSnoopers4() {
			b.heardRouter(w.Now(), four, from)
		}
	}
	return 0 // of another type: a frame like others
}

// record4 takes a record of an IGMPv3 report: to want no source is to leave, all
// else to join. Linux: br_ip4_multicast_igmp3_report with igmpv2.
func (b *bridge) record4(w *core.Worker, r wire.GroupRecord, from *port) core.Reason {
	switch typ := r.Type(); {
	case typ < wire.RecordIsInclude || typ > wire.RecordBlock:
		return 0
	case r.NumSources() == 0 && (typ == wire.RecordIsInclude || typ == wire.RecordToInclude):
		if !local4(r.Group()) {
			b.wantNone(w, four, groupOf(r.Group()), from, typ == wire.RecordToInclude)
		}
		return 0
	}
	return b.join4(w.Now(), r.Group(), from)
}

func (b *bridge) join4(now time.Duration, g [4]byte, from *port) core.Reason {
	if local4(g) {
		return 0
	}
	return b.join(now, four, groupOf(g), from)
}

// local4 reports whether g is one of 224.0.0.x, which every port gets.
func local4(g [4]byte) bool { return g[0] == 224 && g[1] == 0 && g[2] == 0 }

// heardIGMPQuery is told that somebody asks. Linux: br_ip4_multicast_query.
func (b *bridge) heardIGMPQuery(now time.Duration, ip wire.IPv4, m wire.IGMP, from *port) {
	group, within := m.Group(), time.Duration(wire.IGMPTime(m.Code()))*time.Second/10
	switch {
	case !m.V3() && m.Code() == 0: // of version 1
		group, within = [4]byte{}, 10*time.Second
	case !m.V3():
		within = time.Duration(m.Code()) * time.Second / 10
	case m.NumSources() > 0:
		return
	}
	if group == [4]byte{} {
		b.heardQuery(now, four, groupOf(ip.Src4()), within, from)
		return
	}
	b.shorten(now, four, groupOf(group), within, m.V3() && m.Suppress())
}

// allNodes6 is ff02::1.
func allNodes6() (g [16]byte) {
	g[0], g[1], g[15] = 0xff, 2, 1
	return g
}

// snoop6 is snoop of IPv6. Linux: br_multicast_ipv6_rcv, ipv6_mc_check_mld.
func (b *bridge) snoop6(w *core.Worker, frame []byte, from *port, h *heard) core.Reason {
	if len(frame) < wire.IPv6Len || frame[0]>>4 != 6 {
		return core.BadIPHeader
	}
	ip := wire.IPv6(frame)
	if wire.IPv6Len+ip.PayloadLen() > len(frame) {
		return core.BadIPHeader
	}
	h.family, h.group = six, ip.Dst16()
	h.only = h.group != allNodes6()
	body := frame[wire.IPv6Len : wire.IPv6Len+ip.PayloadLen()]
	// MLD stands behind a hop-by-hop header (RFC 2710 section 3).
	if ip.Next() != 0 || len(body) < 8 || body[0] != wire.ProtoICMPv6 || len(body) < 8+8*int(body[1]) {
		return 0
	}
	body = body[8+8*int(body[1]):]
	if len(body) < 4 {
		return 0
	}
	switch body[0] {
	case mrdICMPv6:
		switch {
		case h.group != allSnoopers6():
		case !wire.ICMPv6(body).ChecksumOK(ip.Src16(), ip.Dst16()):
			return core.BadL4Checksum
		default:
			b.heardRouter(w.Now(), six, from)
		}
		return 0
	case wire.ICMP6MLDQuery, wire.ICMP6MLDReport, wire.ICMP6MLDDone, wire.ICMP6MLD2Report:
	default:
		return 0
	}
	m, ok := wire.ParseMLD(body)
	switch {
	case !ok:
		return core.HeaderTooShort
	case !wire.ICMPv6(body).ChecksumOK(ip.Src16(), ip.Dst16()):
		return core.BadL4Checksum
	}
	h.talk, h.only = true, false
	switch m.Type() {
	case wire.ICMP6MLDQuery:
		if !ip.Src().IsLinkLocalUnicast() || m.Group() == [16]byte{} && h.group != allNodes6() { // RFC 2710 section 5, RFC 3810 section 5.1.14
			return core.BadIPHeader
		}
		b.heardMLDQuery(w.Now(), ip, m, from)
	case wire.ICMP6MLDReport:
		h.only = true
		return b.join6(w.Now(), m.Group(), from)
	case wire.ICMP6MLDDone:
		if m.Group() != allNodes6() {
			b.leave(w, six, m.Group(), from)
		}
	default:
		for _, r := range m.Records() {
			if why := b.record6(w, r, from); why != 0 {
				return why
			}
		}
	}
	return 0
}

// record6 is record4 of MLDv2. Linux: br_ip6_multicast_mld2_report with mldv1.
func (b *bridge) record6(w *core.Worker, r wire.GroupRecord6, from *port) core.Reason {
	switch typ := r.Type(); {
	case typ < wire.RecordIsInclude || typ > wire.RecordBlock:
		return 0
	case r.NumSources() == 0 && (typ == wire.RecordIsInclude || typ == wire.RecordToInclude):
		if r.Group() != allNodes6() {
			b.wantNone(w, six, r.Group(), from, typ == wire.RecordToInclude)
		}
		return 0
	}
	return b.join6(w.Now(), r.Group(), from)
}

func (b *bridge) join6(now time.Duration, g [16]byte, from *port) core.Reason {
	if g == allNodes6() {
		return 0
	}
	return b.join(now, six, g, from)
}

// heardMLDQuery is told that somebody asks. Linux: br_ip6_multicast_query.
func (b *bridge) heardMLDQuery(now time.Duration, ip wire.IPv6, m wire.MLD, from *port) {
	within := time.Duration(m.MaxDelay()) * time.Millisecond
	switch {
	case m.V2() && m.NumSources() > 0:
		return
	case m.V2():
		within = max(time.Millisecond, time.Duration(wire.MLDTime(m.MaxDelay()))*time.Millisecond)
	case within == 0:
		return
	}
	if m.Group() == [16]byte{} {
		b.heardQuery(now, six, ip.Src16(), within, from)
		return
	}
	b.shorten(now, six, m.Group(), within, m.V2() && m.Suppress())
}

// heardQuery believes the querier with the lowest address, and that it routes.
// Linux: br_multicast_select_querier, br_multicast_update_query_timer,
// br_multicast_mark_router.
func (b *bridge) heardQuery(now time.Duration, family int, who [16]byte, within time.Duration, from *port) {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	if !b.dev.Up() || b.leaving.Load() {
		return
	}
	a, s := &b.mc.family[family], &b.mc.ask
	if !a.better(family, who, now) {
		return
	}
	a.querier = who
	if a.until.Load() <= int64(now) {
		a.believe.Store(int64(now + within))
	}
	a.until.Store(int64(now + s.other))
	a.other.Reset(now + s.other)
	b.markRouter(a, from, now)
}

// markRouter notes that a router is behind a port, or with nil is this Net itself;
// under mc.mu. Linux: br_multicast_mark_router.
func (b *bridge) markRouter(a *asked, from *port, now time.Duration) {
	until := int64(now + b.mc.ask.other)
	switch {
	case from == nil:
		if b.mc.router.Load() == routerLearn {
			a.self.Store(until)
		}
	case from.mcRouter.Load() == routerLearn || from.mcRouter.Load() == routerTemp:
		b.addRouter(a, from, until)
	}
}

// addRouter lets a port be one where a router is; under mc.mu.
func (b *bridge) addRouter(a *asked, pt *port, until int64) {
	var next []*routerPort
	if list := a.routers.Load(); list != nil {
		for _, r := range *list {
			if r.port == pt {
				r.until.Store(until)
				return
			}
			next = append(next, r)
		}
	}
	r := &routerPort{port: pt}
	r.until.Store(until)
	next = append([]*routerPort{r}, next...)
	a.routers.Store(&next)
}

// delRouter forgets that; under mc.mu.
func (b *bridge) delRouter(pt *port) {
	for f := range b.mc.family {
		a := &b.mc.family[f]
		list := a.routers.Load()
		if list == nil {
			continue
		}
		var next []*routerPort
		for _, r := range *list {
			if r.port != pt {
				next = append(next, r)
			}
		}
		a.routers.Store(&next)
	}
}
