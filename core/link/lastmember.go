package link

import (
	"time"

	"nsmodel/core"
)

// wantNone is told by a report of IGMPv3 or MLDv2 that no source of a group is wanted,
// or, with more, not any more. A bridge of the older version takes either for a leave; one of
// the newer has nothing to learn from the first. Linux: br_ip4_multicast_igmp3_report.
func (b *bridge) wantNone(w *core.Worker, family int, g [16]byte, from *port, more bool) {
	b.mc.mu.Lock()
	newer := b.mc.ask.version[family] == newest(family)
	b.mc.mu.Unlock()
	switch {
	case from == nil || !newer:
		b.leave(w, family, g, from)
	case more:
		b.toInclude(w, family, g, from)
	}
}

// toInclude lets a membership end soon and asks the group about it, at once and, with
// the S flag, as often as is left of the last member count (RFC 3376 section 6.6.3.1);
// where there is no more than one member it ends at once. Somebody else's asking
// does not keep it alive. Linux: br_multicast_toin, __grp_send_query_and_rexmit.
func (b *bridge) toInclude(w *core.Worker, family int, g [16]byte, from *port) {
	now := w.Now()
	b.mc.mu.Lock()
	e := b.findGroup(family, g)
	if e == nil || e.gone || !b.dev.Up() || !from.forwarding() {
		b.mc.mu.Unlock()
		return
	}
	m := e.member(from)
	if m == nil || m.permanent {
		b.mc.mu.Unlock()
		return
	}
	s := b.mc.ask
	asks := b.mc.querier.Load() && !b.mc.off.Load() && b.mc.family[family].until.Load() <= int64(now)
	if asks && s.lastCount > 1 {
		m.again, m.askNext = s.lastCount-1, now+max(s.lastMember, tick)
		e.askSoonest()
	}
	m.until = min(m.until, now+s.lastMemberTime())
	if from.fastLeave.Load() {
		e.drop(m)
	}
	b.publish(e)
	b.mc.mu.Unlock()
	if !asks {
		return
	}
	if frame, _ := b.query(from, question{family: family, group: g, about: true, direct: true, told: s}); frame != nil {
		b.putQuery(w, from, frame)
	}
}

// tick is the least time between questions, whatever the interval. Linux: a jiffy.
const tick = 4 * time.Millisecond

// askSoonest sets the time of the next repeated question; under mc.mu.
func (e *mdbEntry) askSoonest() {
	next := time.Duration(-1)
	for _, m := range e.members {
		if m.again > 0 && (next < 0 || m.askNext < next) {
			next = m.askNext
		}
	}
	if next >= 0 {
		e.repeat.Reset(next)
	}
}

// askAgain repeats the questions that are due, unless somebody else asks now.
// Linux: br_multicast_port_group_rexmit.
func (b *bridge) askAgain(e *mdbEntry, now time.Duration) {
	var to []*port
	b.mc.mu.Lock()
	family := int(e.key.family)
	for _, m := range e.members {
		if m.again == 0 || m.askNext > now {
			continue
		}
		if e.gone || !b.mc.open || b.mc.off.Load() || b.mc.family[family].until.Load() > int64(now) {
			m.again = 0
			continue
		}
		m.again--
		m.askNext = now + max(b.mc.ask.lastMember, tick)
		to = append(to, m.port)
	}
	if !e.gone {
		e.askSoonest()
	}
	told := b.mc.ask
	b.mc.mu.Unlock()
	for _, pt := range to {
		b.sendQuery(pt, question{family: family, group: e.key.group, about: true, direct: true, again: true, told: told})
	}
}
