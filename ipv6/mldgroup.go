package ipv6

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

// A group is one that a device is in. Linux: struct ifmcaddr6.
type group struct {
	st    *mldState
	addr  [16]byte
	users int        // sockets, and the kernel
	mode  FilterMode // as it was told last
	modes [2]int     // how many users want which. Linux: mca_sfcount

	sources []*source // the newest first
	tomb    []*source // no more heard, and not told often enough

	changes  int         // how often a change of mode is still told. Linux: mca_crcount
	timer    netns.Timer // reports this group, in answer or of old version
	at       time.Duration
	reporter bool // nobody has reported it after us. Linux: MAF_LAST_REPORTER
	listened bool // the device was told. Linux: MAF_LOADED
	asked    bool // a query named sources of it. Linux: MAF_GSQUERY
}

// A source is one that users of a group speak of. Linux: struct ip6_sf_list.
type source struct {
	addr    [16]byte
	users   [2]int // by mode
	was     bool   // was listened to before what is being done. Linux: sf_oldin
	asked   bool   // Linux: sf_gsresp
	changes int    // how often a change is still told. Linux: sf_crcount
}

// A groupView is what reception needs of a group; immutable.
type groupView struct {
	addr     [16]byte
	excludes int
	sources  []sourceView
}

type sourceView struct {
	addr  [16]byte
	users [2]int
}

// nodesView is that of a device which is in the groups of all nodes alone.
//
//tagvet:allow pkgstate published, never patched
var nodesView = []groupView{{addr: allNodes, excludes: 1}, {addr: allNodesIf, excludes: 1}}

// member reports whether dev takes packets for the group g from src, or, if that
// is zero, from anybody. Linux: ipv6_chk_mcast_addr.
func (dev *device) member(g, src [16]byte) bool {
	list := dev.mc.view.Load()
	if list == nil {
		return false
	}
	for i := range *list {
		if v := &(*list)[i]; v.addr == g {
			return src == [16]byte{} || v.allows(src)
		}
	}
	return false
}

// allows reports whether anybody in the group wants to hear src.
func (v *groupView) allows(src [16]byte) bool {
	for i := range v.sources {
		if f := &v.sources[i]; f.addr == src {
			return f.users[Include] > 0 || f.users[Exclude] != v.excludes
		}
	}
	return v.excludes > 0
}

// publish lets reception see the groups as they are; under mcast.mu.
func (st *mldState) publish() {
	list := make([]groupView, len(st.groups))
	for i, g := range st.groups {
		list[i] = groupView{addr: g.addr, excludes: g.modes[Exclude]}
		for _, f := range g.sources {
			list[i].sources = append(list[i].sources, sourceView{f.addr, f.users})
		}
	}
	st.dev.mc.view.Store(&list)
}

// mld returns dev's state, made on first use; under mcast.mu.
func (s *Inet) mld(dev *device) *mldState {
	mc := &dev.mc
	if mc.st == nil {
		st := &mldState{inet: s, dev: dev, net: dev.dev.Net()}
		st.changes.Init(st.net, st.tellChanges)
		st.answer.Init(st.net, st.answerNow)
		st.again.Init(st.net, st.tellAll)
		st.reset()
		st.groups = []*group{st.newGroup(allNodes, Exclude), st.newGroup(allNodesIf, Exclude)}
		st.groups[0].listened = mc.listened
		mc.st = st
	}
	return mc.st
}

// reset forgets what queriers have said. Linux: ipv6_mc_reset.
func (st *mldState) reset() {
	st.robustness, st.interval, st.response = int(st.inet.conf.Of(st.net).MLDQRV.Load()), queryInterval, responseInterval
	st.v1Until = 0
}

func (st *mldState) newGroup(g [16]byte, mode FilterMode) *group {
	own := &group{st: st, addr: g, users: 1, mode: mode}
	own.modes[mode] = 1
	own.timer.Init(st.net, own.report)
	return own
}

func (st *mldState) find(g [16]byte) int {
	return slices.IndexFunc(st.groups, func(o *group) bool { return o.addr == g })
}

// groupsBegin puts a new device into the groups of all nodes; nobody else sees
// it yet. Linux: ipv6_add_dev.
func (s *Inet) groupsBegin(dev *device) {
	dev.mc.view.Store(&nodesView)
	dev.mc.listened = true
	s.listen(dev, allNodes, true)
}

// groupsUp has the link listen to the groups of a device that is ready, and
// tells of them all again. So Linux does, too, when a user adds an address, or
// when something about the device has changed: it may have been plugged in
// elsewhere. Linux: ipv6_mc_up.
func (s *Inet) groupsUp(dev *device) {
	mc := &dev.mc
	mc.mu.Lock()
	st := mc.st
	if st == nil {
		if !mc.listened {
			mc.listened = true
			s.listen(dev, allNodes, true)
		}
		mc.mu.Unlock()
		return
	}
	st.reset()
	for _, g := range st.groups {
		st.revive(g)
		st.added(g)
	}
	st.publish() // what was excluded or included is back
	st.unlock()
}

// groupsReady tells of all groups again: the first reports went out while there
// was no address to send them from. Linux: ipv6_mc_dad_complete.
func (s *Inet) groupsReady(dev *device) {
	st := s.lockGroups(dev)
	if st == nil {
		return
	}
	if st.againLeft = st.robustness; st.againLeft > 0 {
		st.again.Reset(s.Core.Sys.Now())
	}
	dev.mc.mu.Unlock()
}

// groupsDown has the link listen to no group any more: the device went down, or
// IPv6 was disabled. All stay members. Linux: ipv6_mc_down.
func (s *Inet) groupsDown(dev *device) {
	mc := &dev.mc
	mc.mu.Lock()
	st := mc.st
	if st == nil {
		if mc.listened {
			mc.listened = false
			s.listen(dev, allNodes, false)
		}
		mc.mu.Unlock()
		return
	}
	for _, g := range st.groups {
		st.dropped(g)
	}
	st.changesLeft, st.againLeft = 0, 0
	st.changes.Stop()
	st.answer.Stop()
	st.again.Stop()
	st.unlock()
}

// groupsEnd forgets the groups of a device that leaves its Net; who has joined
// them stays so in vain. Linux: ipv6_mc_destroy_dev.
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
	if st = mc.st; st != nil {
		st.groups, st.gone, st.out = nil, nil, nil
	}
}

// listen tells the link of a group. What stays on the host is not for the link,
// and loopback has no addresses for groups. Linux: ndisc_mc_map, dev_mc_add.
func (s *Inet) listen(dev *device, g [16]byte, on bool) {
	switch a := wire.MulticastMAC6(g); {
	case dev.dev.Hardware() != 1 || scopeOfGroup(g) < scopeLink:
	case on:
		dev.dev.AddGroup(a)
	default:
		_ = dev.dev.DelGroup(a) // ENOENT: the device's list was flushed
	}
}

// enter puts the device into a group once more; under mcast.mu.
// Linux: __ipv6_dev_mc_inc.
func (st *mldState) enter(g [16]byte, mode FilterMode) {
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

// leave takes one enter back. Linux: __ipv6_dev_mc_dec.
func (st *mldState) leave(g [16]byte) {
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
// Linux: igmp6_group_added.
func (st *mldState) added(g *group) {
	if !g.listened {
		g.listened = true
		st.inet.listen(st.dev, g.addr, true)
	}
	if !reported(g.addr) || st.dead || !st.dev.dev.Up() {
		return
	}
	now := st.inet.Core.Sys.Now()
	if st.version(now) < 2 {
		st.out = append(st.out, mldMessage{g.addr, wire.AppendMLD(nil, wire.ICMP6MLDReport, 0, g.addr)})
		g.reporter = true
		if !g.timer.Pending() {
			g.startTimer(now, st.unsolicited(now))
		}
		return
	}
	// Who enters for some sources alone tells of these (RFC 3810 section 6.1).
	if g.mode == Exclude {
		g.changes = st.robustness
	}
	st.changed()
}

// dropped lets them know of one that it has left. Linux: igmp6_group_dropped.
func (st *mldState) dropped(g *group) {
	if g.listened {
		g.listened = false
		st.inet.listen(st.dev, g.addr, false)
	}
	if !reported(g.addr) {
		return
	}
	reporter := g.reporter
	g.stopTimer()
	if st.dead {
		return
	}
	if st.version(st.inet.Core.Sys.Now()) < 2 {
		if reporter {
			st.out = append(st.out, mldMessage{allRouters, wire.AppendMLD(nil, wire.ICMP6MLDDone, 0, g.addr)})
		}
		return
	}
	st.bury(g)
	st.changed()
}

// bury keeps of a group what is still to be told. Linux: mld_add_delrec.
func (st *mldState) bury(g *group) {
	rest := &group{st: st, addr: g.addr, mode: g.mode, changes: st.robustness}
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
// Linux: mld_del_delrec.
func (st *mldState) revive(g *group) {
	at := slices.IndexFunc(st.gone, func(o *group) bool { return o.addr == g.addr })
	if at < 0 {
		return
	}
	old := st.gone[at]
	st.gone = slices.Delete(slices.Clone(st.gone), at, at+1)
	if g.mode == Exclude {
		g.changes = st.robustness
		return
	}
	g.tomb, g.sources = old.tomb, old.sources
	for _, f := range g.sources {
		f.changes = st.robustness
	}
}

// A DeviceGroup is a group that a device is in. Linux: a line of /proc/net/igmp6.
type DeviceGroup struct {
	Addr  [16]byte
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
		return []DeviceGroup{{allNodes, 1}, {allNodesIf, 1}}
	}
	for _, g := range dev.mc.st.groups {
		list = append(list, DeviceGroup{g.addr, g.users})
	}
	return list
}

// doDumpMulticast is RTM_GETMULTICAST. Linux: inet6_dump_ifmcaddr.
func (s *Inet) doDumpMulticast(n *netns.Net, req *netlink.Request) (all []netlink.Message, err error) {
	index := req.Msg.(*netlink.Multicast).Index
	for _, d := range s.Core.Devices(n) {
		if index != 0 && d.Index() != index {
			continue
		}
		for _, g := range s.Groups(d) {
			all = append(all, &netlink.Multicast{Family: unix.AF_INET6, Index: d.Index(), Group: netip.AddrFrom16(g.Addr), Users: g.Users})
		}
	}
	return all, nil
}

// enterGroup makes dev a member of g once more, for the kernel's own ends.
// Linux: ipv6_dev_mc_inc.
func (s *Inet) enterGroup(dev *device, g [16]byte) {
	dev.mc.mu.Lock()
	st := s.mld(dev)
	st.enter(g, Exclude)
	st.unlock()
}

// leave takes one join back. Linux: ipv6_dev_mc_dec.
func (s *Inet) leave(dev *device, g [16]byte) {
	dev.mc.mu.Lock()
	st := s.mld(dev)
	st.leave(g)
	st.unlock()
}

// joinSolicited lets dev hear those who ask for a (RFC 4861 section 7.2.1), where
// anybody asks. Linux: addrconf_join_solict.
func (s *Inet) joinSolicited(dev *device, a netip.Addr) {
	if dev.dev.Flags()&(core.FlagLoopback|core.FlagNoARP) == 0 {
		s.enterGroup(dev, solicitedNode(a))
	}
}

func (s *Inet) leaveSolicited(dev *device, a netip.Addr) {
	if dev.dev.Flags()&(core.FlagLoopback|core.FlagNoARP) == 0 {
		s.leave(dev, solicitedNode(a))
	}
}
