package link

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/netns"
)

// mdbKey says where a group is looked up: in which bridge of the Net.
// Linux: struct br_ip; the bridge is where the table hangs.
type mdbKey struct {
	bridge uint32
	family uint8
	group  [16]byte
}

// mdbEntry is a group that somebody at a bridge is in.
// Linux: struct net_bridge_mdb_entry.
type mdbEntry struct {
	key    mdbKey // fixed
	number uint64 // fixed
	view   atomic.Pointer[mdbView]

	// under mc.mu
	gone      bool
	members   []*mdbPort // the newest first
	host      bool       // this Net itself. Linux: host_joined
	hostUntil time.Duration
	timer     netns.Timer // the first end of a membership
	repeat    netns.Timer // the next question about a leave. Linux: rexmit_timer, of a port
}

// mdbView is what forwarding needs of it; immutable.
type mdbView struct {
	ports []*port
	host  bool
}

// mdbPort is a port of a group. Linux: struct net_bridge_port_group.
type mdbPort struct {
	port      *port
	permanent bool
	static    bool          // a user has added it. Linux: RTPROT_STATIC
	until     time.Duration // for what is not permanent

	again   uint32        // so many questions about a leave are to be repeated
	askNext time.Duration // the next
}

func (b *bridge) groupKey(family int, g [16]byte) mdbKey {
	return mdbKey{bridge: b.id, family: uint8(family), group: g}
}

// findGroup returns the entry of a group, or nil. Linux: br_mdb_ip_get_rcu.
func (b *bridge) findGroup(family int, g [16]byte) *mdbEntry {
	e, _ := b.l.mdb.Get(b.net, b.groupKey(family, g))
	return e
}

// newGroup returns the entry of a group, made if there is none; under mc.mu. A
// bridge that knows as many as it may gives up: it floods from then on. The room is
// the bridge's alone. Errors: E2BIG. Linux: br_multicast_new_group.
func (b *bridge) newGroup(family int, g [16]byte) (*mdbEntry, error) {
	if e := b.findGroup(family, g); e != nil {
		return e, nil
	}
	if b.mc.groups.Load() >= b.mc.hashMax.Load() {
		b.mc.off.Store(true)
		return nil, syscall.E2BIG
	}
	e := &mdbEntry{key: b.groupKey(family, g), number: b.mc.number.Add(1)}
	e.view.Store(&mdbView{})
	e.timer.Init(b.net, func(now time.Duration) {
		b.mc.mu.Lock()
		defer b.mc.mu.Unlock()
		b.expire(e, now)
	})
	e.repeat.Init(b.net, func(now time.Duration) { b.askAgain(e, now) })
	if err := b.l.mdb.Add(b.net, e.key, e); err != nil {
		return nil, err
	}
	b.mc.groups.Add(1)
	return e, nil
}

// publish lets forwarding see the entry as it is, or takes it away if nobody is in
// the group any more; under mc.mu.
func (b *bridge) publish(e *mdbEntry) {
	if len(e.members) == 0 && !e.host {
		e.timer.Stop()
		e.repeat.Stop()
		if !e.gone {
			e.gone = true
			b.l.mdb.Delete(b.net, e.key)
			b.mc.groups.Add(-1)
		}
		e.view.Store(&mdbView{})
		return
	}
	v := &mdbView{host: e.host}
	next := time.Duration(-1)
	soon := func(at time.Duration) {
		if next < 0 || at < next {
			next = at
		}
	}
	for _, m := range e.members {
		v.ports = append(v.ports, m.port)
		if !m.permanent {
			soon(m.until)
		}
	}
	if e.host {
		soon(e.hostUntil)
	}
	e.view.Store(v)
	if next < 0 {
		e.timer.Stop()
	} else {
		e.timer.Reset(next)
	}
}

// expire ends the memberships whose time is over; under mc.mu.
// Linux: br_multicast_port_group_expired, br_multicast_group_expired.
func (b *bridge) expire(e *mdbEntry, now time.Duration) {
	if e.gone {
		return
	}
	e.members = slices.DeleteFunc(slices.Clone(e.members), func(m *mdbPort) bool { return !m.permanent && m.until <= now })
	e.host = e.host && e.hostUntil > now
	b.publish(e)
}

// join puts a port, or with a nil port this Net itself, into a group for some
// time. Linux: __br_multicast_add_group.
func (b *bridge) join(now time.Duration, family int, g [16]byte, from *port) core.Reason {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	if !b.dev.Up() || b.leaving.Load() || from != nil && !from.forwarding() {
		return 0
	}
	e, err := b.newGroup(family, g)
	if err != nil {
		return core.NoMemory
	}
	if from == nil {
		e.host, e.hostUntil = true, now+b.mc.ask.membership
		b.publish(e)
		return 0
	}
	m := e.member(from)
	if m == nil {
		m = &mdbPort{port: from}
		e.members = slices.Insert(slices.Clone(e.members), 0, m)
	}
	m.until = now + b.mc.ask.membership
	b.publish(e)
	return 0
}

func (e *mdbEntry) member(pt *port) *mdbPort {
	for _, m := range e.members {
		if m.port == pt {
			return m
		}
	}
	return nil
}

// leave lets a membership end soon, or at once where the port says that it has no
// more than one member; where somebody else asks for members, he will. A bridge
// that asks itself asks there about the group, once, and about all of them when its
// time is over: Linux does not repeat the question (RFC 2236 section 3 would, lastCount
// times). Linux: br_multicast_leave_group.
func (b *bridge) leave(w *core.Worker, family int, g [16]byte, from *port) {
	now := w.Now()
	b.mc.mu.Lock()
	e := b.findGroup(family, g)
	if e == nil || e.gone || !b.dev.Up() || from != nil && !from.forwarding() {
		b.mc.mu.Unlock()
		return
	}
	if from != nil && from.fastLeave.Load() {
		if m := e.member(from); m != nil && !m.permanent {
			e.drop(m)
			b.publish(e)
		}
		b.mc.mu.Unlock()
		return
	}
	a := &b.mc.family[family]
	if a.until.Load() > int64(now) {
		b.mc.mu.Unlock()
		return
	}
	end := now + b.mc.ask.lastMemberTime()
	asks := b.mc.querier.Load() && !b.mc.off.Load()
	if b.mc.querier.Load() {
		if q := b.ownOf(from, family); from == nil && b.mc.open || from != nil && from.asks {
			q.timer.Reset(end)
		}
	}
	if from == nil {
		if asks {
			a.leaves = append(a.leaves, g) // not from here: who leaves is at work
			a.left.Reset(now)
		}
		e.hostUntil = min(e.hostUntil, end)
	} else if m := e.member(from); m != nil {
		m.until = min(m.until, end)
	}
	b.publish(e)
	told := b.mc.ask
	b.mc.mu.Unlock()
	if !asks || from == nil {
		return
	}
	if frame, _ := b.query(from, question{family: family, group: g, about: true, told: told}); frame != nil {
		b.putQuery(w, from, frame)
	}
}

func (e *mdbEntry) drop(m *mdbPort) {
	e.members = slices.DeleteFunc(slices.Clone(e.members), func(o *mdbPort) bool { return o == m })
}

// shorten lets all memberships of a group end within a time, unless they are
// renewed: somebody has asked about it. A query that says that others need not
// (its S flag) is heeded by those of the newer version. Linux: br_ip4_multicast_query.
func (b *bridge) shorten(now time.Duration, family int, g [16]byte, within time.Duration, suppress bool) {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	e := b.findGroup(family, g)
	if e == nil || e.gone || suppress && b.mc.ask.version[family] == newest(family) {
		return
	}
	within = times(b.mc.ask.lastCount, within)
	e.hostUntil = min(e.hostUntil, now+within)
	for _, m := range e.members {
		m.until = min(m.until, now+within)
	}
	b.publish(e)
}

// forgetGroups takes a port, or with nil every port and this Net itself, out of the
// groups; what was added by hand as permanent only with all. Linux:
// br_multicast_disable_port, br_multicast_del_port, br_multicast_dev_del.
func (b *bridge) forgetGroups(pt *port, all bool) {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	for k, e := range b.l.mdb.All(b.net) {
		if k.bridge != b.id || e.gone {
			continue
		}
		e.members = slices.DeleteFunc(slices.Clone(e.members), func(m *mdbPort) bool {
			return (pt == nil || m.port == pt) && (all || !m.permanent)
		})
		e.host = e.host && !(all && pt == nil)
		b.publish(e)
	}
	if pt != nil && (all || pt.mcRouter.Load() != routerAlways) {
		b.delRouter(pt)
	}
}

// setSnooping turns it on or off; off, the bridge forgets what it has learned; on, it
// asks anew if it is to. Linux: br_multicast_toggle.
func (b *bridge) setSnooping(on bool) {
	if b.mc.off.Swap(!on) == !on {
		return
	}
	if on {
		b.mc.mu.Lock()
		defer b.mc.mu.Unlock()
		for f := range b.mc.family {
			b.startQuerier(f)
		}
		return
	}
	b.forgetGroups(nil, false)
	for _, pt := range *b.ports.Load() {
		b.forgetGroups(pt, false)
	}
}

// setRouter says what a port is. Linux: br_multicast_set_port_router.
func (b *bridge) setRouter(pt *port, word uint32) {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	if pt.mcRouter.Swap(word) == word && word != routerTemp {
		return
	}
	if word == routerNever || word == routerLearn {
		b.delRouter(pt)
		return
	}
	for f := range b.mc.family {
		if a := &b.mc.family[f]; word == routerAlways {
			b.addRouter(a, pt, -1)
		} else {
			b.markRouter(a, pt, b.l.stack.Sys.Now())
		}
	}
}

// An MDBEntry is a member of a group as `bridge mdb` shows it.
type MDBEntry struct {
	Group     netip.Addr
	Dev       *core.Device // the port, or the bridge
	Permanent bool
	Static    bool          // by hand
	Mode      bool          // it is told that the port wants all sources
	Left      time.Duration // of what is not permanent
}

// An MDBRouter is a port behind which a router is.
type MDBRouter struct {
	Dev       *core.Device
	Permanent bool
	Left      time.Duration
}

// MDB returns a bridge's groups, the newest first, this Net's own membership ahead
// of the ports', and the ports of routers; EOPNOTSUPP if br is no bridge. Under
// rtnl. Linux: br_mdb_dump.
func (l *Links) MDB(br *core.Device) (list []MDBEntry, routers []MDBRouter, err error) {
	b, ok := br.Driver().(*bridge)
	if !ok {
		return nil, nil, fmt.Errorf("link: %s is no bridge: %w", br.Name(), syscall.EOPNOTSUPP)
	}
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	now := l.stack.Sys.Now()
	var all []*mdbEntry
	for k, e := range l.mdb.All(b.net) {
		if k.bridge == b.id {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(x, y *mdbEntry) int { return cmp.Compare(y.number, x.number) })
	for _, e := range all {
		g := netip.AddrFrom16(e.key.group)
		if e.key.family == four {
			g = g.Unmap()
		}
		if e.host {
			list = append(list, MDBEntry{Group: g, Dev: br, Left: max(0, e.hostUntil-now)})
		}
		for _, m := range e.members {
			list = append(list, MDBEntry{Group: g, Dev: m.port.dev, Permanent: m.permanent, Static: m.static,
				Mode: b.mc.ask.version[e.key.family] == newest(int(e.key.family)), Left: max(0, m.until-now)})
		}
	}
	return list, b.routerPorts(now), nil
}

// routerPorts lists the ports of routers of either family, the newest port first;
// under mc.mu. Linux: br_rports_fill_info.
func (b *bridge) routerPorts(now time.Duration) (list []MDBRouter) {
	for _, pt := range slices.Backward(*b.ports.Load()) {
		until := int64(0)
		for f := range b.mc.family {
			if rs := b.mc.family[f].routers.Load(); rs != nil {
				for _, r := range *rs {
					if u := r.until.Load(); r.port == pt && r.alive(now) && until >= 0 && (u < 0 || u > until) {
						until = u
					}
				}
			}
		}
		if until != 0 {
			list = append(list, MDBRouter{Dev: pt.dev, Permanent: until < 0, Left: max(0, time.Duration(until)-now)})
		}
	}
	return list
}

// groupPort finds what an entry by hand is about: a port of br, or nil for br itself.
func (l *Links) groupPort(br, dev *core.Device) (*bridge, *port, error) {
	b, ok := br.Driver().(*bridge)
	switch {
	case !ok:
		return nil, nil, &core.Refusal{Errno: syscall.EOPNOTSUPP, Text: "Device does not support MDB operations"}
	case !br.Up():
		return nil, nil, &core.Refusal{Errno: syscall.EINVAL, Text: "bridge: Bridge device is not running"}
	case b.mc.off.Load():
		return nil, nil, &core.Refusal{Errno: syscall.EINVAL, Text: "bridge: Bridge's multicast processing is disabled"}
	case dev == br:
		return b, nil, nil
	}
	pt := ports().Of(dev)
	if pt == nil {
		return nil, nil, &core.Refusal{Errno: syscall.EINVAL, Text: "bridge: Net device is not a bridge port"}
	}
	if pt.br != b {
		return nil, nil, &core.Refusal{Errno: syscall.EINVAL, Text: "bridge: Port belongs to a different bridge device"}
	}
	return b, pt, nil
}

// AddMDB puts a port of br, or br itself, into a group by hand, for good or for as
// long as a report would. Errors are refusals: EINVAL, EEXIST, EOPNOTSUPP; E2BIG if
// the bridge knows too many groups. Under rtnl. Linux: br_mdb_add.
func (l *Links) AddMDB(br, dev *core.Device, g netip.Addr, permanent bool) error {
	b, pt, err := l.groupPort(br, dev)
	if err != nil {
		return err
	}
	switch {
	case pt == nil && permanent:
		return &core.Refusal{Errno: syscall.EINVAL, Text: "bridge: Flags are not allowed for host groups"}
	case pt != nil && !permanent && !pt.forwarding():
		return &core.Refusal{Errno: syscall.EINVAL, Text: "bridge: Port is in disabled state and entry is not permanent"}
	}
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	e, err := b.newGroup(familyOf(g), g.As16())
	if err != nil {
		return err
	}
	until := l.stack.Sys.Now() + b.mc.ask.membership
	switch {
	case pt == nil && e.host:
		return &core.Refusal{Errno: syscall.EEXIST, Text: "bridge: Group is already joined by host"}
	case pt == nil:
		e.host, e.hostUntil = true, until
	case e.member(pt) != nil:
		return &core.Refusal{Errno: syscall.EEXIST, Text: "bridge: (*, G) group is already joined by port"}
	default:
		e.members = slices.Insert(slices.Clone(e.members), 0, &mdbPort{port: pt, permanent: permanent, static: true, until: until})
	}
	b.publish(e)
	return nil
}

// DelMDB takes that back, or what was learned; EINVAL if it is not in the group.
// Under rtnl. Linux: br_mdb_del.
func (l *Links) DelMDB(br, dev *core.Device, g netip.Addr) error {
	b, pt, err := l.groupPort(br, dev)
	if err != nil {
		return err
	}
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	e := b.findGroup(familyOf(g), g.As16())
	switch {
	case e == nil:
		return syscall.EINVAL
	case pt == nil && e.host:
		e.host = false
	case pt != nil && e.member(pt) != nil:
		e.drop(e.member(pt))
	default:
		return syscall.EINVAL
	}
	b.publish(e)
	return nil
}

func familyOf(g netip.Addr) int {
	if g.Is4() {
		return four
	}
	return six
}
