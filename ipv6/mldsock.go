package ipv6

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"nsmodel/core"
	"nsmodel/fib"
	"nsmodel/netns"
)

// Memberships are the groups that one socket has joined. The zero value is none.
// They name devices by their number in the socket's Net, as Linux's do: one that
// leaves the Net takes its groups along, and what is left here lets nothing in.
// Linux: inet6_sk(sk)->ipv6_mc_list.
type Memberships struct {
	mu   sync.Mutex                   // orders changes
	list atomic.Pointer[[]membership] // the newest first; immutable
}

// A membership is one group at one device. Linux: struct ipv6_mc_socklist.
type membership struct {
	group    [16]byte
	index    int // the device's
	mode     FilterMode
	filtered bool // it has had sources: its mode stays, even without. Linux: sflist
	sources  [][16]byte
}

func (m *Memberships) all() []membership {
	if l := m.list.Load(); l != nil {
		return *l
	}
	return nil
}

func (m *Memberships) publish(list []membership) {
	if len(list) == 0 {
		m.list.Store(nil)
		return
	}
	m.list.Store(&list)
}

// Allows reports whether a socket takes a packet from src for the group g: as its
// filter says or, if it has not joined g, as anybody says by IPV6_MULTICAST_ALL.
// Unlike IPv4, Linux does not ask by which device the packet came: who has joined
// at one hears what came in by another that somebody else has joined at. It takes
// no lock and allocates nothing. Linux: inet6_mc_check.
func (m *Memberships) Allows(g, src [16]byte, anybody bool) bool {
	list := m.list.Load()
	if list == nil {
		return anybody
	}
	for i := range *list {
		if own := &(*list)[i]; own.group == g {
			return slices.Contains(own.sources, src) == (own.mode == Include)
		}
	}
	return anybody
}

// groupDevice finds the device that a socket means by a number, 0 for that by
// which the group is routed. Linux: ip6_mc_find_idev.
func (s *Inet) groupDevice(n *netns.Net, g [16]byte, index int) *core.Device {
	if index != 0 {
		return s.Core.DeviceByIndex(n, index)
	}
	res, err := s.FIB.Lookup(n, &fib.Flow{Dst: netip.AddrFrom16(g), Iif: loopbackIndex})
	if err != nil || res.Hop == nil {
		return nil
	}
	return res.Hop.Dev
}

// lockGroups returns dev's state with its lock held, nil if the device has left
// its Net in the meantime.
func (s *Inet) lockGroups(dev *device) *mldState {
	dev.mc.mu.Lock()
	if s.devs.Of(dev.dev) != dev {
		dev.mc.mu.Unlock()
		return nil
	}
	return s.mld(dev)
}

// lockGroupsAt is lockGroups for the device that a socket means; nil if there is
// none such with IPv6.
func (s *Inet) lockGroupsAt(n *netns.Net, g [16]byte, index int) *mldState {
	if d := s.groupDevice(n, g, index); d != nil {
		if dev := s.devs.Of(d); dev != nil {
			return s.lockGroups(dev)
		}
	}
	return nil
}

// JoinGroup joins g for all sources, at the device of a number or, for 0, at that
// by which g is routed. Errors are bare errnos: EINVAL for what is no group and
// for a device without IPv6, ENODEV, EADDRINUSE if it has joined; there is no
// limit but memory. Linux: IPV6_ADD_MEMBERSHIP, ipv6_sock_mc_join.
func (s *Inet) JoinGroup(n *netns.Net, m *Memberships, g netip.Addr, index int) error {
	return s.joinAs(n, m, g, index, Exclude)
}

func (s *Inet) joinAs(n *netns.Net, m *Memberships, g netip.Addr, index int, mode FilterMode) error {
	if !g.Is6() || !g.IsMulticast() {
		return syscall.EINVAL
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.all()
	if indexMembership(list, g.As16(), index) >= 0 {
		return syscall.EADDRINUSE
	}
	d := s.groupDevice(n, g.As16(), index)
	if d == nil {
		return syscall.ENODEV
	}
	dev := s.devs.Of(d)
	if dev == nil {
		return syscall.EINVAL
	}
	st := s.lockGroups(dev)
	if st == nil {
		return syscall.ENODEV
	}
	st.enter(g.As16(), mode)
	st.unlock()
	m.publish(append([]membership{{group: g.As16(), index: d.Index(), mode: mode}}, list...))
	return nil
}

// indexMembership finds the newest membership of g, at the device of a number
// if that is not 0.
func indexMembership(list []membership, g [16]byte, index int) int {
	return slices.IndexFunc(list, func(o membership) bool { return o.group == g && (index == 0 || o.index == index) })
}

// LeaveGroup leaves g, whatever its sources; for 0 where it was joined last.
// Errors: EINVAL for what is no group, EADDRNOTAVAIL for what it has not joined.
// Linux: IPV6_DROP_MEMBERSHIP, ipv6_sock_mc_drop.
func (s *Inet) LeaveGroup(n *netns.Net, m *Memberships, g netip.Addr, index int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return s.leaveGroup(n, m, g, index)
}

func (s *Inet) leaveGroup(n *netns.Net, m *Memberships, g netip.Addr, index int) error {
	if !g.Is6() || !g.IsMulticast() {
		return syscall.EINVAL
	}
	list := m.all()
	k := indexMembership(list, g.As16(), index)
	if k < 0 {
		return syscall.EADDRNOTAVAIL
	}
	m.publish(slices.Concat(list[:k], list[k+1:]))
	s.quit(n, &list[k])
	return nil
}

// quit takes a membership that is no more out of its device, if that is there.
// Linux: ip6_mc_leave_src, __ipv6_dev_mc_dec.
func (s *Inet) quit(n *netns.Net, own *membership) {
	d := s.Core.DeviceByIndex(n, own.index)
	if d == nil {
		return
	}
	dev := s.devs.Of(d)
	if dev == nil {
		return
	}
	st := s.lockGroups(dev)
	if st == nil {
		return
	}
	_ = st.delSources(own.group, own.mode, own.sources, false) // ESRCH: another device has the number
	st.leave(own.group)
	st.unlock()
}

// LeaveAllGroups leaves every group, as the end of a socket does.
// Linux: ipv6_sock_mc_close.
func (s *Inet) LeaveAllGroups(n *netns.Net, m *Memberships) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.all()
	m.publish(nil)
	for i := range list {
		s.quit(n, &list[i])
	}
}

// JoinSource joins g for packets of src, beside those of other sources that it
// has joined. Errors: those of JoinGroup but EADDRINUSE, EINVAL if it has joined g
// for all sources but some, EADDRNOTAVAIL if it hears src already, ENOBUFS beyond
// net.ipv6.mld_max_msf. Linux: MCAST_JOIN_SOURCE_GROUP.
func (s *Inet) JoinSource(n *netns.Net, m *Memberships, g, src netip.Addr, index int) error {
	if err := s.joinAs(n, m, g, index, Include); err != nil && err != syscall.EADDRINUSE {
		return err
	}
	return s.filterSource(n, m, g, src, index, Include, true)
}

// LeaveSource takes JoinSource back; with the last source g is left.
// EADDRNOTAVAIL for a source that it has not joined.
// Linux: MCAST_LEAVE_SOURCE_GROUP.
func (s *Inet) LeaveSource(n *netns.Net, m *Memberships, g, src netip.Addr, index int) error {
	return s.filterSource(n, m, g, src, index, Include, false)
}

// BlockSource keeps src out of a group that was joined: EINVAL if it was not, or
// for some sources alone. Linux: MCAST_BLOCK_SOURCE.
func (s *Inet) BlockSource(n *netns.Net, m *Memberships, g, src netip.Addr, index int) error {
	return s.filterSource(n, m, g, src, index, Exclude, true)
}

// UnblockSource takes BlockSource back. Linux: MCAST_UNBLOCK_SOURCE.
func (s *Inet) UnblockSource(n *netns.Net, m *Memberships, g, src netip.Addr, index int) error {
	return s.filterSource(n, m, g, src, index, Exclude, false)
}

// filterSource changes one source of a filter. Linux: ip6_mc_source.
func (s *Inet) filterSource(n *netns.Net, m *Memberships, g, src netip.Addr, index int, mode FilterMode, add bool) error {
	if !g.Is6() || !g.IsMulticast() || !src.Is6() {
		return syscall.EINVAL
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	st := s.lockGroupsAt(n, g.As16(), index)
	if st == nil {
		return syscall.ENODEV
	}
	k := indexMembership(m.all(), g.As16(), index)
	list := slices.Clone(m.all())
	if k < 0 || list[k].mode != mode && list[k].filtered {
		st.unlock()
		return syscall.EINVAL
	}
	own := &list[k]
	if own.mode != mode { // of an empty filter
		_ = st.addSources(own.group, mode, nil, false)
		_ = st.delSources(own.group, own.mode, nil, false)
		own.mode = mode
		m.publish(list)
	}
	var err error
	has := slices.Index(own.sources, src.As16())
	last := false
	switch {
	case !add && has < 0, add && has >= 0:
		err = syscall.EADDRNOTAVAIL
		if add && len(own.sources) >= int(s.conf.Of(n).MLDMaxMSF.Load()) {
			err = syscall.ENOBUFS
		}
	case !add && mode == Include && len(own.sources) == 1:
		last = true
	case !add:
		_ = st.delSources(own.group, mode, [][16]byte{src.As16()}, true)
		own.sources = slices.Concat(own.sources[:has], own.sources[has+1:])
		m.publish(list)
	case own.filtered && len(own.sources) >= int(s.conf.Of(n).MLDMaxMSF.Load()):
		err = syscall.ENOBUFS
	default:
		own.sources, own.filtered = append(slices.Clip(own.sources), src.As16()), true
		m.publish(list)
		_ = st.addSources(own.group, mode, [][16]byte{src.As16()}, true)
	}
	st.unlock()
	if last { // to hear nobody is to leave
		return s.leaveGroup(n, m, g, index)
	}
	return err
}

// SetFilter says at once of which sources packets for a joined group are heard;
// to include nobody is to leave. Errors: EINVAL for a group that it has not
// joined, ENODEV, ENOBUFS beyond net.ipv6.mld_max_msf. Linux: MCAST_MSFILTER,
// ip6_mc_msfilter.
func (s *Inet) SetFilter(n *netns.Net, m *Memberships, g netip.Addr, index int, mode FilterMode, sources []netip.Addr) error {
	if !g.Is6() || !g.IsMulticast() || slices.ContainsFunc(sources, func(a netip.Addr) bool { return !a.Is6() }) {
		return syscall.EINVAL
	}
	if len(sources) > int(s.conf.Of(n).MLDMaxMSF.Load()) {
		return syscall.ENOBUFS
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	st := s.lockGroupsAt(n, g.As16(), index)
	if st == nil {
		return syscall.ENODEV
	}
	if mode == Include && len(sources) == 0 {
		st.unlock()
		return s.leaveGroup(n, m, g, index)
	}
	list := slices.Clone(m.all())
	k := slices.IndexFunc(list, func(o membership) bool { return o.group == g.As16() && o.index == index })
	if k < 0 {
		st.unlock()
		return syscall.EINVAL
	}
	next := make([][16]byte, len(sources))
	for i, a := range sources {
		next[i] = a.As16()
	}
	own := &list[k]
	_ = st.addSources(own.group, mode, next, false)
	_ = st.delSources(own.group, own.mode, own.sources, false)
	own.mode, own.sources, own.filtered = mode, next, len(next) > 0
	m.publish(list)
	st.unlock()
	return nil
}
