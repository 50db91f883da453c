package ipv4

import (
	"net/netip"
	"slices"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

// startTimer has the group reported within a time. Linux: igmp_start_timer.
func (g *group) startTimer(now, within time.Duration) {
	g.at, g.running = g.st.draw(now, within), true
	g.timer.Reset(g.at)
}

// stopTimer lets others report it. Linux: igmp_stop_timer.
func (g *group) stopTimer() {
	g.timer.Stop()
	g.running, g.reporter, g.left = false, false, 0
}

// answerWithin has a query about the group answered, unless it will be reported
// by then anyway. Linux: igmp_mod_timer.
func (g *group) answerWithin(now, within time.Duration) {
	g.left = 0
	if g.running && g.at-now < within {
		return
	}
	g.startTimer(now, within)
}

// report is the group's timer. Linux: igmp_timer_expire.
func (g *group) report(now time.Duration) {
	st := g.st
	st.do(func() {
		if !slices.Contains(st.groups, g) || !g.running {
			return
		}
		g.running = false
		if g.left > 0 {
			if g.left--; g.left > 0 {
				g.startTimer(now, st.unsolicited(now))
			}
		}
		g.reporter = true
		switch st.version(now) {
		case 1:
			st.out = append(st.out, igmpMessage{g.addr, wire.AppendIGMP(nil, wire.IGMPv1Report, 0, g.addr)})
		case 2:
			st.out = append(st.out, igmpMessage{g.addr, wire.AppendIGMP(nil, wire.IGMPv2Report, 0, g.addr)})
		default:
			var r records
			r.current(st, g)
			st.tell(&r)
		}
	})
}

// markSources notes which of the sources that a query names the answer is about;
// false if none. Linux: igmp_marksources.
func (g *group) markSources(m wire.IGMP) bool {
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

// records are those of one or more IGMPv3 reports.
type records struct {
	full [][]byte // reports that have no more room
	last []byte   // the one that is being filled
}

// room returns how many octets of records fit behind what last holds.
func (r *records) room(st *igmpState) int {
	used := max(len(r.last), wire.IGMPLen)
	return st.dev.dev.MTU() - wire.IPv4Len - len(wire.RouterAlert()) - used
}

func (r *records) next() {
	if len(r.last) > 0 {
		r.full, r.last = append(r.full, r.last), nil
	}
}

// current adds what the device listens to now (RFC 3376 section 5.2).
func (r *records) current(st *igmpState, g *group) {
	if g.modes[Exclude] > 0 {
		r.add(st, g, wire.RecordIsExclude, false, false)
	} else {
		r.add(st, g, wire.RecordIsInclude, false, false)
	}
}

// add adds a group's record of a type: of its sources, or of those in its tomb if
// buried. left says that the group itself is gone. Linux: add_grec.
func (r *records) add(st *igmpState, g *group, typ uint8, left, buried bool) {
	if !st.reported(g.addr) || st.dev.dev.MTU() < minMTU {
		return
	}
	current := typ == wire.RecordIsInclude || typ == wire.RecordIsExclude
	delta := typ == wire.RecordAllow || typ == wire.RecordBlock
	list := &g.sources
	if buried {
		list = &g.tomb
	}
	var told [][4]byte
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
	} else if !delta && (g.changes > 0 || current) {
		if r.room(st) < wire.GroupRecordLen {
			r.next()
		}
		r.last = wire.AppendGroupRecord(r.last, typ, g.addr, nil)
	}
	if current {
		g.asked = false
	}
}

// fill spreads sources over as many records as they need; of excluded ones there
// can be one record only, which is cut (RFC 3376 section 4.2.16).
func (r *records) fill(st *igmpState, g *group, typ uint8, list [][4]byte) {
	whole := typ == wire.RecordIsExclude || typ == wire.RecordToExclude
	if whole && len(r.last) > 0 && r.room(st) < wire.GroupRecordLen+4*len(list) {
		r.next()
	}
	for len(list) > 0 {
		k := (r.room(st) - wire.GroupRecordLen) / 4
		if k <= 0 {
			if len(r.last) == 0 {
				return // the MTU has no room for any
			}
			r.next()
			continue
		}
		k = min(k, len(list))
		r.last = wire.AppendGroupRecord(r.last, typ, g.addr, list[:k])
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

// stateChanges tells what has changed, once more (RFC 3376 section 5.1).
// Linux: igmpv3_send_cr.
func (st *igmpState) stateChanges() {
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
func (st *igmpState) tell(r *records) {
	r.next()
	for _, b := range r.full {
		wire.IGMP(b).FillChecksum()
		st.out = append(st.out, igmpMessage{igmpRouters, b})
	}
}

// sendIGMP sends a message by d: with the router alert option and TTL 1, and from
// 0.0.0.0 if d has no address. Linux: igmp_send_report, igmpv3_newpack.
func (s *Inet) sendIGMP(w *core.Worker, d *core.Device, m igmpMessage) {
	n := d.Net()
	rt, err := s.Route(n, &fib.Flow{Dst: netip.AddrFrom4(m.dst), Oif: int32(d.Index()), Proto: wire.ProtoIGMP})
	if err != nil {
		return
	}
	if m.dst == igmpRouters && !s.ownSource(d, rt.Src) {
		rt.Src = netip.IPv4Unspecified()
	}
	p := w.NewPacket(n, len(m.b))
	copy(p.Bytes(), m.b)
	alert := wire.RouterAlert()
	_ = s.Send(w, p, &rt, &SendOptions{Proto: wire.ProtoIGMP, TOS: 0xc0, TTL: 1, NoFragment: true, Options: alert[:],
		MulticastLoop: true}) // nobody to tell
}

// ownSource reports whether d itself has the address: IGMPv3 does not borrow one
// (RFC 3376 section 4.2.13). Linux: igmpv3_get_srcaddr.
func (s *Inet) ownSource(d *core.Device, a netip.Addr) bool {
	for _, own := range s.Addrs(d) {
		if own.Local == a {
			return true
		}
	}
	return false
}
