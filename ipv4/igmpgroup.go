package ipv4

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A FilterMode says what a list of sources means. Linux: MCAST_EXCLUDE, MCAST_INCLUDE.
type FilterMode uint8

// The modes of a filter: all but these, these alone.
const (
	Exclude FilterMode = iota
	Include
)

// A group is one that a device is in. Linux: struct ip_mc_list.
type group struct {
	st    *igmpState
	addr  [4]byte
	users int        // sockets, and the kernel
	mode  FilterMode // as it was told last
	modes [2]int     // how many users want which. Linux: sfcount

	sources []*source // the newest first
	tomb    []*source // no more heard, and not told often enough

	changes  int         // how often a change of mode is still told. Linux: crcount
	timer    netns.Timer // reports this group, in answer or of old version
	at       time.Duration
	running  bool // timer is
	left     int  // unasked reports of old version. Linux: unsolicit_count
	reporter bool // nobody has reported it after us
	listened bool // the device was told. Linux: loaded
	asked    bool // a query named sources of it. Linux: gsquery
}

// A source is one that users of a group speak of. Linux: struct ip_sf_list.
type source struct {
	addr    [4]byte
	users   [2]int // by mode
	was     bool   // was listened to before what is being done. Linux: sf_oldin
	asked   bool   // Linux: sf_gsresp
	changes int    // how often a change is still told. Linux: sf_crcount
}

// A groupView is what reception needs of a group; immutable.
type groupView struct {
	addr     [4]byte
	excludes int
	sources  []sourceView
}

type sourceView struct {
	addr  [4]byte
	users [2]int
}

// hostsView is that of a device which is in the group of all hosts alone.
//
//tagvet:allow pkgstate published, never patched
var hostsView = []groupView{{addr: allHosts, excludes: 1}}

// member reports whether d takes packets from src, if that is not zero, for the
// group g. Linux: ip_check_mc_rcu.
func (s *Inet) member(d *core.Device, g, src [4]byte, proto uint8) bool {
	dev := s.devs.Of(d)
	if dev == nil {
		return false
	}
	list := dev.mc.view.Load()
	if list == nil {
		return false
	}
	for i := range *list {
		if v := &(*list)[i]; v.addr == g {
			return proto == wire.ProtoIGMP || src == [4]byte{} || v.allows(src)
		}
	}
	return false
}

// allows reports whether anybody in the group wants to hear src.
func (v *groupView) allows(src [4]byte) bool {
	for i := range v.sources {
		if f := &v.sources[i]; f.addr == src {
			return f.users[Include] > 0 || f.users[Exclude] != v.excludes
		}
	}
	return v.excludes > 0
}

// publish lets reception see the groups as they are; under mcast.mu.
func (st *igmpState) publish() {
	mc := &st.dev.mc
	switch {
	case len(st.groups) == 0:
		mc.view.Store(nil)
		return
	case len(st.groups) == 1 && st.groups[0].addr == allHosts && len(st.groups[0].sources) == 0 && st.groups[0].modes[Exclude] > 0:
		mc.view.Store(&hostsView)
		return
	}
	list := make([]groupView, len(st.groups))
	for i, g := range st.groups {
		list[i] = groupView{addr: g.addr, excludes: g.modes[Exclude]}
		for _, f := range g.sources {
			list[i].sources = append(list[i].sources, sourceView{f.addr, f.users})
		}
	}
	mc.view.Store(&list)
}

// igmp returns dev's state, made on first use; under mcast.mu.
func (s *Inet) igmp(dev *device) *igmpState {
	mc := &dev.mc
	if mc.st == nil {
		st := &igmpState{inet: s, dev: dev, net: dev.dev.Net()}
		st.changes.Init(st.net, st.tellChanges)
		st.answer.Init(st.net, st.answerNow)
		st.reset()
		if mc.up {
			st.groups = []*group{st.newGroup(allHosts, Exclude)}
			st.groups[0].listened = true
		}
		mc.st = st
	}
	return mc.st
}

// reset forgets what queriers have said. Linux: ip_mc_reset.
func (st *igmpState) reset() {
	st.robustness, st.interval, st.response = int(st.inet.conf.Of(st.net).IGMPQRV.Load()), queryInterval, responseInterval
}

func (st *igmpState) newGroup(g [4]byte, mode FilterMode) *group {
	own := &group{st: st, addr: g, users: 1, mode: mode}
	own.modes[mode] = 1
	own.timer.Init(st.net, own.report)
	return own
}

func (st *igmpState) find(g [4]byte) int {
	return slices.IndexFunc(st.groups, func(o *group) bool { return o.addr == g })
}

// groupsUp puts a device that has come up into the group of all hosts, and tells
// of the others again. Linux: ip_mc_up.
func (s *Inet) groupsUp(dev *device) {
	mc := &dev.mc
	mc.mu.Lock()
	if mc.up {
		mc.mu.Unlock()
		return
	}
	mc.up = true
	st := mc.st
	if st == nil {
		mc.view.Store(&hostsView)
		s.listen(dev, allHosts, true)
		mc.mu.Unlock()
		return
	}
	st.reset()
	st.enter(allHosts, Exclude)
	for _, g := range st.groups {
		st.revive(g)
		st.added(g)
	}
	st.publish() // what was excluded or included is back
	st.unlock()
}

// groupsDown takes a device that has gone down out of the group of all hosts.
// The others stay, for who has joined them. Linux: ip_mc_down.
func (s *Inet) groupsDown(dev *device) {
	mc := &dev.mc
	mc.mu.Lock()
	if !mc.up {
		mc.mu.Unlock()
		return
	}
	mc.up = false
	st := mc.st
	if st == nil {
		mc.view.Store(nil)
		s.listen(dev, allHosts, false)
		mc.mu.Unlock()
		return
	}
	for _, g := range st.groups {
		st.dropped(g)
	}
	st.changesLeft = 0
	st.changes.Stop()
	st.answer.Stop()
	st.leave(allHosts)
	st.unlock()
}

// groupsEnd forgets the groups of a device that leaves its Net; who has joined
// them stays so in vain. Linux: ip_mc_destroy_dev.
func (s *Inet) groupsEnd(dev *device) {
	mc := &dev.mc
	mc.mu.Lock()
	st := mc.st
	if st != nil {
		st.dead = true
	}
	mc.mu.Unlock()
	s.groupsDown(dev)
	mc.mu.Lock()
	defer mc.mu.Unlock()
	mc.view.Store(nil)
	if st = mc.st; st == nil {
		return
	}
	for _, g := range st.groups {
		g.stopTimer()
		if g.listened {
			s.listen(dev, g.addr, false)
		}
	}
	st.changes.Stop()
	st.answer.Stop()
	st.groups, st.gone, st.out = nil, nil, nil
}

// listen tells the link of a group. Loopback has no addresses for groups.
// Linux: ip_mc_filter_add, ip_mc_filter_del.
func (s *Inet) listen(dev *device, g [4]byte, on bool) {
	switch a := wire.MulticastMAC(g); {
	case dev.loopback():
	case on:
		dev.dev.AddGroup(a)
	default:
		_ = dev.dev.DelGroup(a) // ENOENT: the device's list was flushed
	}
}

// enter puts the device into a group once more; under mcast.mu.
// Linux: ____ip_mc_inc_group.
func (st *igmpState) enter(g [4]byte, mode FilterMode) {
	if at := st.find(g); at >= 0 {
		st.groups[at].users++
		_ = st.addSources(g, mode, nil, false)
		return
	}
	own := st.newGroup(g, mode)
	st.groups = slices.Insert(st.groups, 0, own)
	st.revive(own)
	st.added(own)
	st.publish()
}

// leave takes one enter back. Linux: __ip_mc_dec_group.
func (st *igmpState) leave(g [4]byte) {
	at := st.find(g)
	if at < 0 {
		return
	}
	own := st.groups[at]
	if own.users--; own.users > 0 {
		return
	}
	st.groups = slices.Delete(slices.Clone(st.groups), at, at+1)
	st.dropped(own)
	st.publish()
}

// added lets the link and the routers know of a group that the device is in now.
// Linux: igmp_group_added.
func (st *igmpState) added(g *group) {
	if !g.listened {
		g.listened = true
		st.inet.listen(st.dev, g.addr, true)
	}
	if !st.reported(g.addr) || st.dead {
		return
	}
	now := st.inet.Core.Sys.Now()
	g.left = int(st.inet.conf.Of(st.net).IGMPQRV.Load())
	if st.version(now) < 3 {
		g.startTimer(now, 0)
		return
	}
	// Who enters for some sources alone tells of these (RFC 3376 section 5.1).
	if g.mode == Exclude {
		g.changes = st.retries()
	}
	st.changed()
}

// dropped lets them know of one that it has left. Linux: __igmp_group_dropped.
func (st *igmpState) dropped(g *group) {
	if g.listened {
		g.listened = false
		st.inet.listen(st.dev, g.addr, false)
	}
	if !st.reported(g.addr) {
		return
	}
	reporter := g.reporter
	g.stopTimer()
	if st.dead {
		return
	}
	switch st.version(st.inet.Core.Sys.Now()) {
	case 1:
	case 2:
		if reporter {
			st.out = append(st.out, igmpMessage{allRouters, wire.AppendIGMP(nil, wire.IGMPLeave, 0, g.addr)})
		}
	default:
		st.bury(g)
		st.changed()
	}
}

// bury keeps of a group what is still to be told. Linux: igmpv3_add_delrec.
func (st *igmpState) bury(g *group) {
	rest := &group{st: st, addr: g.addr, mode: g.mode, changes: st.retries()}
	if g.mode == Include {
		rest.tomb, rest.sources = g.tomb, g.sources
		g.tomb, g.sources = nil, nil
		for _, f := range rest.sources {
			f.changes = rest.changes
		}
	}
	st.gone = slices.Insert(st.gone, 0, rest)
}

// revive takes back what was kept of a group that the device is in again.
// Linux: igmpv3_del_delrec.
func (st *igmpState) revive(g *group) {
	at := slices.IndexFunc(st.gone, func(o *group) bool { return o.addr == g.addr })
	if at < 0 {
		return
	}
	old := st.gone[at]
	st.gone = slices.Delete(slices.Clone(st.gone), at, at+1)
	if g.mode == Exclude {
		g.changes = st.retries()
		return
	}
	g.tomb, g.sources = old.tomb, old.sources
	for _, f := range g.sources {
		f.changes = st.retries()
	}
}

// A DeviceGroup is a group that a device is in. Linux: a line of /proc/net/igmp.
type DeviceGroup struct {
	Addr  [4]byte
	Users int
}

// Groups returns the groups that d is in, the newest first.
func (s *Inet) Groups(d *core.Device) (list []DeviceGroup) {
	dev := s.devs.Of(d)
	if dev == nil {
		return nil
	}
	dev.mc.mu.Lock()
	defer dev.mc.mu.Unlock()
	if dev.mc.st == nil {
		if dev.mc.up {
			list = []DeviceGroup{{allHosts, 1}}
		}
		return list
	}
	for _, g := range dev.mc.st.groups {
		list = append(list, DeviceGroup{g.addr, g.users})
	}
	return list
}

// doDumpMulticast is RTM_GETMULTICAST. Linux: inet_dump_ifmcaddr.
func (s *Inet) doDumpMulticast(n *netns.Net, req *netlink.Request) (all []netlink.Message, err error) {
	index := req.Msg.(*netlink.Multicast).Index
	for _, d := range s.Core.Devices(n) {
		if index != 0 && d.Index() != index {
			continue
		}
		for _, g := range s.Groups(d) {
			all = append(all, &netlink.Multicast{Family: unix.AF_INET, Index: d.Index(), Group: netip.AddrFrom4(g.Addr), Users: g.Users})
		}
	}
	return all, nil
}
