package link

import (
	"bytes"
	"net/netip"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A bridge that is told to (mcast_querier 1) asks for members itself, unless
// somebody with a lower address does. Each port has a timer of its own, and the
// bridge one by which it asks the Net that it stands in. Linux: br_multicast_send_query
// and what leads to it.

// asking is what a bridge is told about its questions, under mc.mu. The defaults are
// Linux's, with the startup interval as a kernel of 250 ticks a second has it.
type asking struct {
	useIfAddr, stats        bool
	startupCount, lastCount uint32
	lastMember, membership  time.Duration
	other                   time.Duration // Linux: multicast_querier_interval
	query, response         time.Duration
	startup                 time.Duration
	version                 [2]uint8 // of IGMP: 2 or 3; of MLD: 1 or 2
}

func defaultAsking() asking {
	return asking{startupCount: 2, lastCount: 2, lastMember: time.Second, membership: 260 * time.Second, other: 255 * time.Second,
		query: 125 * time.Second, response: 10 * time.Second, startup: 31248 * time.Millisecond, version: [2]uint8{2, 1}}
}

// Bounds on what is asked for. Linux: BR_MULTICAST_QUERY_INTVL_MIN and _MAX.
const (
	minQueryInterval = time.Second
	maxQueryInterval = 24 * time.Hour
)

// lastMemberTime is how long a group lives after somebody has left it.
func (s *asking) lastMemberTime() time.Duration { return times(s.lastCount, s.lastMember) }

// forEver is longer than anybody waits, and can still be added to a time.
const forEver = time.Duration(1) << 61

// times is k times d, or forEver.
func times(k uint32, d time.Duration) time.Duration {
	if k > 0 && d > forEver/time.Duration(k) {
		return forEver
	}
	return time.Duration(k) * d
}

// ownQuery is one who asks: a port, or the bridge. Linux: struct bridge_mcast_own_query.
type ownQuery struct {
	timer netns.Timer
	sent  uint32 // of those at the start; under mc.mu
}

// Sources tells link which addresses a bridge has, since IP stands above: the one
// that is shown to a link (Linux: inet_select_addr) and the one to a group of the link
// (Linux: ipv6_dev_get_saddr). The zero Addr is none.
type Sources struct {
	IPv4, IPv6 func(d *core.Device) netip.Addr
}

// SetSources makes known who knows addresses; before the machine boots.
func (l *Links) SetSources(s Sources) { l.sources = s }

// initQueries gives the bridge its timers.
func (b *bridge) initQueries() {
	b.mc.ask = defaultAsking()
	for f := range b.mc.family {
		a := &b.mc.family[f]
		a.own.timer.Init(b.net, func(now time.Duration) { b.ownExpired(nil, f, now) })
		a.other.Init(b.net, func(now time.Duration) { b.otherExpired(f, now) })
		a.left.Init(b.net, func(time.Duration) { b.askAfterLeave(f) })
	}
}

// initQueries gives the port its timers.
func (pt *port) initQueries() {
	for f := range pt.own {
		pt.own[f].timer.Init(pt.br.net, func(now time.Duration) { pt.br.ownExpired(pt, f, now) })
	}
}

// ownOf returns who asks by a port, or with nil the bridge.
func (b *bridge) ownOf(pt *port, family int) *ownQuery {
	if pt != nil {
		return &pt.own[family]
	}
	return &b.mc.family[family].own
}

// openQueries lets the bridge ask from now on. Linux: br_multicast_open.
func (b *bridge) openQueries() {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	b.mc.open = true
	for f := range b.mc.family {
		b.startQuery(nil, f)
	}
}

// stopQueries ends that, and forgets other queriers. Linux: br_multicast_stop.
func (b *bridge) stopQueries() {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	b.mc.open = false
	for f := range b.mc.family {
		a := &b.mc.family[f]
		a.own.timer.Stop()
		a.other.Stop()
		a.left.Stop()
		a.leaves = nil
		a.until.Store(0)
		a.self.Store(0)
	}
}

// openQueries lets a port ask. Linux: br_multicast_enable_port.
func (pt *port) openQueries() {
	pt.br.mc.mu.Lock()
	defer pt.br.mc.mu.Unlock()
	pt.asks = true
	for f := range pt.own {
		pt.br.startQuery(pt, f)
	}
}

// stopQueries ends that. Linux: br_multicast_disable_port.
func (pt *port) stopQueries() {
	pt.br.mc.mu.Lock()
	defer pt.br.mc.mu.Unlock()
	pt.asks = false
	for f := range pt.own {
		pt.own[f].timer.Stop()
	}
}

// startQuery begins with the questions of the start, now; under mc.mu. Linux lets the
// timer run once even if the bridge is not to ask. Linux: br_multicast_enable,
// __br_multicast_open_query.
func (b *bridge) startQuery(pt *port, family int) {
	q := b.ownOf(pt, family)
	q.sent = 0
	if b.mc.querier.Load() && !b.mc.off.Load() && (pt == nil && b.mc.open || pt != nil && pt.asks) {
		q.timer.Reset(b.l.stack.Sys.Now())
	}
}

// startQuerier lets the bridge and its ports ask anew; under mc.mu.
// Linux: br_multicast_start_querier.
func (b *bridge) startQuerier(family int) {
	b.startQuery(nil, family)
	for _, pt := range *b.ports.Load() {
		b.startQuery(pt, family)
	}
}

// setQuerier says whether the bridge asks. Linux: br_multicast_set_querier.
func (b *bridge) setQuerier(on bool) {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	if b.mc.querier.Swap(on) == on || !on {
		return
	}
	now := b.l.stack.Sys.Now()
	for f := range b.mc.family {
		a := &b.mc.family[f]
		if a.until.Load() <= int64(now) {
			a.believe.Store(int64(now + b.mc.ask.response))
		}
		b.startQuerier(f)
	}
}

// ownExpired asks, if nobody else does, and sets the time of the next question.
// Linux: br_multicast_query_expired, br_multicast_port_query_expired,
// br_multicast_send_query.
func (b *bridge) ownExpired(pt *port, family int, now time.Duration) {
	b.mc.mu.Lock()
	s, a, q := &b.mc.ask, &b.mc.family[family], b.ownOf(pt, family)
	if pt == nil && !b.mc.open || pt != nil && !pt.asks {
		b.mc.mu.Unlock()
		return
	}
	if q.sent < s.startupCount {
		q.sent++
	}
	if b.mc.off.Load() || !b.mc.querier.Load() || a.until.Load() > int64(now) {
		b.mc.mu.Unlock()
		return
	}
	next := s.query
	if q.sent < s.startupCount {
		next = s.startup
	}
	q.timer.Reset(now + next)
	told := *s
	b.mc.mu.Unlock()
	b.sendQuery(pt, question{family: family, told: told})
}

// otherExpired is called when the other querier has been silent for long enough.
// Linux: br_multicast_querier_expired.
func (b *bridge) otherExpired(family int, now time.Duration) {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	if b.mc.open && !b.mc.off.Load() && b.mc.family[family].until.Load() <= int64(now) {
		b.startQuerier(family)
	}
}

// askAfterLeave asks the bridge's own Net about the groups that it has left.
func (b *bridge) askAfterLeave(family int) {
	b.mc.mu.Lock()
	list := b.mc.family[family].leaves
	b.mc.family[family].leaves = nil
	told := b.mc.ask
	b.mc.mu.Unlock()
	for _, g := range list {
		b.sendQuery(nil, question{family: family, group: g, about: true, told: told})
	}
}

// sendQuery sends a question by a port, or with nil to the Net of the bridge: so it
// learns who the bridge itself is. Linux: __br_multicast_send_query,
// br_multicast_select_own_querier.
func (b *bridge) sendQuery(pt *port, q question) {
	frame, src := b.query(pt, q)
	if frame == nil {
		return
	}
	if pt == nil {
		b.mc.mu.Lock()
		b.mc.family[q.family].querier = src
		b.mc.mu.Unlock()
	}
	w := b.l.stack.Enter()
	defer w.Leave()
	b.putQuery(w, pt, frame)
}

func (b *bridge) putQuery(w *core.Worker, pt *port, frame []byte) {
	p := w.NewPacket(b.net, len(frame))
	copy(p.Bytes(), frame)
	if pt == nil {
		b.dev.Process(w, p)
		b.dev.AdjustRx(-1, -int64(len(frame)), 0) // Linux: netif_rx, which does not count
		return
	}
	pt.dev.Xmit(w, p)
}

// A question is what a query asks.
type question struct {
	family int
	about  bool // one group
	group  [16]byte
	direct bool // sent to that group, not to all
	again  bool // repeated: routers need not heed it (the S flag of the newer versions)
	told   asking
}

// query writes a question's frame, and returns its sender as the bridge compares
// queriers; nil if it does not fit or, of IPv6, if the bridge has no address.
// Linux: br_multicast_alloc_query.
func (b *bridge) query(pt *port, q question) (frame []byte, src [16]byte) {
	if q.family == four {
		frame, src = b.query4(q)
	} else {
		frame, src = b.query6(q)
	}
	if len(frame) > b.dev.MTU() || pt != nil && len(frame) > pt.dev.MTU() { // Linux counts the Ethernet header in
		return nil, src
	}
	return frame, src
}

// query4 is query of IGMP. Linux: br_ip4_multicast_alloc_query.
func (b *bridge) query4(q question) ([]byte, [16]byte) {
	var src, group [4]byte
	if q.told.useIfAddr {
		if a := b.l.sources.IPv4(b.dev); a.Is4() {
			src = a.As4()
		}
	}
	within := q.told.response
	dst := [4]byte{224, 0, 0, 1}
	if q.about {
		within = q.told.lastMember
		group = [4]byte(q.group[12:])
		if q.direct {
			dst = group
		}
	}
	// Linux writes the times as they are, though those above 127 tenths of a second
	// are to be coded in version 3 (RFC 3376 section 4.1.1).
	m := wire.AppendIGMP(nil, wire.IGMPQuery, uint8(within/(100*time.Millisecond)), group)
	if q.told.version[four] == 3 {
		m = append(m, q.robustness(), uint8(q.told.query/time.Second), 0, 0)
		wire.IGMP(m).FillChecksum()
	}
	alert := wire.RouterAlert()
	f := wire.IPv4Fields{TOS: 0xc0, DF: true, TTL: 1, Proto: wire.ProtoIGMP, Src: src, Dst: dst, Options: alert[:]}
	frame := b.queryHead(wire.MAC{1, 0, 0x5e, dst[1] & 0x7f, dst[2], dst[3]}, wire.EtherTypeIPv4, f.HeaderLen()+len(m))
	copy(frame[wire.EthernetLen+f.HeaderLen():], m)
	wire.PutIPv4(frame[wire.EthernetLen:], f)
	return frame, groupOf(src)
}

// robustness is the octet with the S flag and with how often the querier asks, of which
// Linux says 2 whatever it was told (RFC 3376 section 4.1.5 and 4.1.6).
func (q question) robustness() uint8 {
	if q.again {
		return 8 | 2
	}
	return 2
}

// query6 is query of MLD. Linux: br_ip6_multicast_alloc_query.
func (b *bridge) query6(q question) ([]byte, [16]byte) {
	a := b.l.sources.IPv6(b.dev)
	b.mc.noAddr6.Store(!a.IsValid())
	if !a.IsValid() {
		return nil, [16]byte{}
	}
	src, dst, within := a.As16(), allNodes6(), q.told.response
	if q.about {
		within = q.told.lastMember
		if q.direct {
			dst = q.group
		}
	}
	m := wire.AppendMLD(nil, wire.ICMP6MLDQuery, uint16(within/time.Millisecond), q.group)
	if q.told.version[six] == 2 {
		m = append(m, q.robustness(), uint8(q.told.query/time.Second), 0, 0)
	}
	alert := wire.MLDAlert()
	alert[6] = wire.TLVPad1 // twice, where others pad with one option
	wire.ICMPv6(m).FillChecksum(src, dst)
	payload := len(alert) + len(m)
	frame := b.queryHead(wire.MAC{0x33, 0x33, dst[12], dst[13], dst[14], dst[15]}, wire.EtherTypeIPv6, wire.IPv6Len+payload)
	ip := frame[wire.EthernetLen:]
	ip[0], ip[4], ip[5], ip[6], ip[7] = 0x60, byte(payload>>8), byte(payload), wire.ProtoHopByHop, 1
	copy(ip[8:], src[:])
	copy(ip[24:], dst[:])
	copy(ip[wire.IPv6Len:], alert[:])
	copy(ip[wire.IPv6Len+len(alert):], m)
	return frame, src
}

// queryHead returns a frame of the bridge with room for a payload.
func (b *bridge) queryHead(dst wire.MAC, typ uint16, payload int) []byte {
	frame := make([]byte, wire.EthernetLen+payload)
	src := b.dev.Addr()
	copy(frame, dst[:])
	copy(frame[6:], src[:])
	frame[12], frame[13] = byte(typ>>8), byte(typ)
	return frame
}

// better reports whether a querier takes another's place: one with a lower address
// does, and anybody that of nobody. Linux: br_multicast_select_querier.
func (a *asked) better(family int, who [16]byte, now time.Duration) bool {
	switch {
	case family == four && a.querier == groupOf([4]byte{}), family == four && a.querier == [16]byte{}:
		return true
	case bytes.Compare(who[:], a.querier[:]) <= 0:
		return true
	}
	return !a.own.timer.Pending() && a.until.Load() <= int64(now)
}

// newest is the newer version of a family's protocol.
func newest(family int) uint8 {
	if family == four {
		return 3
	}
	return 2
}
