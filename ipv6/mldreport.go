package ipv6

import (
	"net/netip"
	"slices"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// startTimer has the group reported within a time.
func (g *group) startTimer(now, within time.Duration) {
	g.at = now + g.st.draw(within)
	g.timer.Reset(g.at)
}

// stopTimer lets others report it.
func (g *group) stopTimer() {
	g.timer.Stop()
}

// answerWithin has a query about the group answered, unless it will be reported
// by then anyway. Linux: igmp6_group_queried.
func (g *group) answerWithin(now, within time.Duration) {
	if !reported(g.addr) || g.timer.Pending() && g.at-now < within {
		return
	}
	g.startTimer(now, within)
}

// report is the group's timer. Linux: mld_mca_work.
func (g *group) report(now time.Duration) {
	st := g.st
	st.do(func() {
		if !slices.Contains(st.groups, g) {
			return
		}
		g.reporter = true
		if st.version(now) < 2 {
			st.out = append(st.out, mldMessage{g.addr, wire.AppendMLD(nil, wire.ICMP6MLDReport, 0, g.addr)})
			return
		}
		var r records
		r.current(st, g)
		st.tell(&r)
	})
}

// markSources notes which of the sources that a query names the answer is about;
// false if none. Linux: mld_marksources.
func (g *group) markSources(m wire.MLD) bool {
	found := 0
	for _, f := range g.sources {
		for i := range m.NumSources() {
			if m.Source(i) != f.addr {
				continue
			}
			if g.mode == Include {
				f.asked = true
				found++
			} else if g.modes[Exclude] == f.users[Exclude] && f.users[Include] == 0 {
				found++
			}
			break
		}
	}
	if g.mode == Exclude { // the answer tells of all that is excluded
		g.asked = false
		return found != m.NumSources()
	}
	g.asked = found > 0
	return g.asked
}

// records are those of one or more MLDv2 reports.
type records struct {
	full    [][]byte // reports that have no more room
	last    []byte   // the one that is being filled
	initial bool     // every group has a record, changed or not. Linux: crsend
}

// room returns how many octets of records fit behind what last holds.
func (r *records) room(st *mldState) int {
	used := max(len(r.last), wire.MLDv2ReportLen)
	return st.dev.dev.MTU() - wire.IPv6Len - wire.MLDAlertLen - used
}

func (r *records) next() {
	if len(r.last) > 0 {
		r.full, r.last = append(r.full, r.last), nil
	}
}

// current adds what the device listens to now (RFC 3810 section 5.2).
func (r *records) current(st *mldState, g *group) {
	if g.modes[Exclude] > 0 {
		r.add(st, g, wire.RecordIsExclude, false, false)
	} else {
		r.add(st, g, wire.RecordIsInclude, false, false)
	}
}

// add adds a group's record of a type: of its sources, or of those in its tomb if
// buried. left says that the group itself is gone. Linux: add_grec.
func (r *records) add(st *mldState, g *group, typ uint8, left, buried bool) {
	if !reported(g.addr) || st.dev.dev.MTU() < minMTU {
		return
	}
	current := typ == wire.RecordIsInclude || typ == wire.RecordIsExclude
	delta := typ == wire.RecordAllow || typ == wire.RecordBlock
	list := &g.sources
	if buried {
		list = &g.tomb
	}
	var told [][16]byte
	*list = slices.DeleteFunc(slices.Clone(*list), func(f *source) bool {
		if !g.tells(f, typ, left, buried) {
			return false
		}
		// A change of mode says all that its sources' changes would (section 5.1).
		silent := delta && f.changes > 0 && (left && g.mode == Exclude || !left && g.changes > 0)
		if current {
			f.asked = false
		}
		if !silent {
			told = append(told, f.addr)
		}
		if delta && f.changes > 0 {
			f.changes--
			return f.changes == 0 && (left || buried)
		}
		return false
	})
	if len(told) > 0 {
		r.fill(st, g, typ, told)
	} else if !delta && (g.changes > 0 || current || r.initial) {
		if r.room(st) < wire.GroupRecord6Len {
			r.next()
		}
		r.last = wire.AppendGroupRecord6(r.last, typ, g.addr, nil)
	}
	if current {
		g.asked = false
	}
}

// fill spreads sources over as many records as they need; of excluded ones there
// can be one record only, which is cut (RFC 3810 section 4.2.16).
func (r *records) fill(st *mldState, g *group, typ uint8, list [][16]byte) {
	whole := typ == wire.RecordIsExclude || typ == wire.RecordToExclude
	if whole && len(r.last) > 0 && r.room(st) < wire.GroupRecord6Len+16*len(list) {
		r.next()
	}
	for len(list) > 0 {
		k := (r.room(st) - wire.GroupRecord6Len) / 16
		if k <= 0 {
			if len(r.last) == 0 {
				return // the MTU has no room for any
			}
			r.next()
			continue
		}
		k = min(k, len(list))
		r.last = wire.AppendGroupRecord6(r.last, typ, g.addr, list[:k])
		if list = list[k:]; whole {
			return
		}
	}
}

// tells reports whether a record of a type has to name f. Linux: is_in.
func (g *group) tells(f *source, typ uint8, left, buried bool) bool {
	switch typ {
	case wire.RecordIsInclude, wire.RecordIsExclude:
		switch {
		case left || buried || g.asked && !f.asked:
			return false
		case g.mode == Include:
			return true
		case f.users[Include] > 0:
			return typ == wire.RecordIsInclude
		}
		return g.modes[Exclude] == f.users[Exclude]
	case wire.RecordToInclude:
		return !left && !buried && f.users[Include] > 0
	case wire.RecordToExclude:
		return !left && !buried && g.modes[Exclude] > 0 && f.users[Include] == 0 && g.modes[Exclude] == f.users[Exclude]
	case wire.RecordAllow:
		return !left && f.changes > 0 && (g.mode == Include) != buried
	default: // RecordBlock
		if g.mode == Include {
			return left || f.changes > 0 && buried
		}
		return f.changes > 0 && !left && !buried
	}
}

// stateChanges tells what has changed, once more (RFC 3810 section 5.1).
// Linux: mld_send_cr.
func (st *mldState) stateChanges() {
	var r records
	st.gone = slices.DeleteFunc(slices.Clone(st.gone), func(g *group) bool {
		if g.mode == Include {
			r.add(st, g, wire.RecordBlock, true, false)
			r.add(st, g, wire.RecordBlock, true, true)
		}
		if g.changes > 0 {
			if g.mode == Exclude {
				r.add(st, g, wire.RecordToInclude, true, false)
			}
			if g.changes--; g.changes == 0 {
				told := func(f *source) bool { return f.changes == 0 }
				g.tomb, g.sources = slices.DeleteFunc(g.tomb, told), slices.DeleteFunc(g.sources, told)
			}
		}
		return g.changes == 0 && len(g.tomb) == 0 && len(g.sources) == 0
	})
	for _, g := range st.groups {
		now, before := uint8(wire.RecordAllow), uint8(wire.RecordBlock)
		if g.modes[Exclude] > 0 {
			now, before = before, now
		}
		r.add(st, g, now, false, false)
		r.add(st, g, before, false, true)
		if g.changes > 0 {
			mode := uint8(wire.RecordToInclude)
			if g.mode == Exclude {
				mode = wire.RecordToExclude
			}
			r.add(st, g, mode, false, false)
			g.changes--
		}
	}
	st.tell(&r)
}

// tell leaves reports to be sent.
func (st *mldState) tell(r *records) {
	r.next()
	for _, b := range r.full {
		st.out = append(st.out, mldMessage{mldRouters, b})
	}
}

// sendMLD sends a message by dev: with the router alert option and a hop limit of
// 1, from the link-local address or, while there is none, from :: (RFC 3590). It
// asks no route. Linux: igmp6_send, mld_newpack, mld_sendpack.
func (s *Inet) sendMLD(w *core.Worker, dev *device, m mldMessage) {
	src, dst := dev.linkLocal(), netip.AddrFrom16(m.dst)
	if !src.IsValid() {
		src = netip.IPv6Unspecified()
	}
	alert := wire.MLDAlert()
	p := w.NewPacket(dev.dev.Net(), len(alert)+len(m.b))
	copy(p.Bytes(), alert[:])
	copy(p.Bytes()[len(alert):], m.b)
	wire.ICMPv6(p.Bytes()[len(alert):]).FillChecksum(src.As16(), m.dst)
	rt := Route{Dev: dev.dev, Gateway: dst, Src: src, Dst: dst, Multicast: true, Local: dev.member(m.dst, src.As16()), MTU: dev.dev.MTU()}
	_ = s.Send(w, p, &rt, &SendOptions{Proto: wire.ProtoHopByHop, HopLimit: 1, MulticastLoop: true}) // nobody to tell
}
