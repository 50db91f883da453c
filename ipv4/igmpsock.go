package ipv4

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
// Linux: inet_sk(sk)->mc_list.
type Memberships struct {
	mu   sync.Mutex                   // orders changes
	list atomic.Pointer[[]membership] // the newest first; immutable
}

// A membership is one group at one device. Linux: struct ip_mc_socklist.
type membership struct {
	group   [4]byte
	index   int        // the device's
	via     netip.Addr // the address that named it. Linux: imr_address
	mode    FilterMode
	had     bool // it has had sources: its mode stays, even without. Linux: sflist
	sources [][4]byte
}

// An Interface names a device: by its number or, if that is 0, by an address
// that it has; with neither, the route to the group says. Linux: struct ip_mreqn.
type Interface struct {
	Index int
	Addr  netip.Addr
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

// Allows reports whether a socket takes a packet from src for the group g that
// came in by the device of a number: as its filter says or, if it has not joined
// g there, as anybody says by IP_MULTICAST_ALL. It takes no lock and allocates
// nothing. Linux: ip_mc_sf_allow.
func (m *Memberships) Allows(g, src [4]byte, index int, anybody bool) bool {
	list := m.list.Load()
	if list == nil {
		return anybody
	}
	for i := range *list {
		if own := &(*list)[i]; own.group == g && own.index == index {
			return slices.Contains(own.sources, src) == (own.mode == Include)
		}
	}
	return anybody
}

// groupDevice finds the device that a socket means, and its number.
// Linux: ip_mc_find_dev.
func (s *Inet) groupDevice(n *netns.Net, g [4]byte, at *Interface) *device {
	var d *core.Device
	switch {
	case at.Index != 0:
		d = s.Core.DeviceByIndex(n, at.Index)
	case chosen(at.Addr):
		d = s.LocalDevice(n, at.Addr.As4())
	default:
		if rt, err := s.Route(n, &fib.Flow{Dst: netip.AddrFrom4(g)}); err == nil {
			d = rt.Dev
		}
	}
	if d == nil {
		return nil
	}
	at.Index = d.Index()
	return s.devs.Of(d)
}

// lockGroups returns dev's state with its lock held, nil if the device has left
// its Net in the meantime.
func (s *Inet) lockGroups(dev *device) *igmpState {
	dev.mc.mu.Lock()
	if s.devs.Of(dev.dev) != dev {
		dev.mc.mu.Unlock()
		return nil
	}
	return s.igmp(dev)
}

// JoinGroup joins g for all sources. Errors are bare errnos: EINVAL for what is
// no group, ENODEV, EADDRINUSE if it has joined, ENOBUFS beyond
// net.ipv4.igmp_max_memberships. Linux: IP_ADD_MEMBERSHIP, ip_mc_join_group.
func (s *Inet) JoinGroup(n *netns.Net, m *Memberships, g netip.Addr, at Interface) error {
	return s.joinAs(n, m, g, at, Exclude)
}

func (s *Inet) joinAs(n *netns.Net, m *Memberships, g netip.Addr, at Interface, mode FilterMode) error {
	if !g.Is4() || !g.IsMulticast() {
		return syscall.EINVAL
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dev := s.groupDevice(n, g.As4(), &at)
	if dev == nil {
		return syscall.ENODEV
	}
	list := m.all()
	if indexMembership(list, g.As4(), at.Index) >= 0 {
		return syscall.EADDRINUSE
	}
	if len(list) >= int(s.conf.Of(n).IGMPMaxMemberships.Load()) {
		return syscall.ENOBUFS
	}
	st := s.lockGroups(dev)
	if st == nil {
		return syscall.ENODEV
	}
	st.enter(g.As4(), mode)
	st.unlock()
	m.publish(append([]membership{{group: g.As4(), index: at.Index, via: at.Addr, mode: mode}}, list...))
	return nil
}

func indexMembership(list []membership, g [4]byte, index int) int {
	return slices.IndexFunc(list, func(o membership) bool { return o.group == g && o.index == index })
}

// LeaveGroup leaves g, whatever its sources. Errors: ENODEV if the device is not
// named and no route names one, EADDRNOTAVAIL for what it has not joined.
// Linux: IP_DROP_MEMBERSHIP, ip_mc_leave_group.
func (s *Inet) LeaveGroup(n *netns.Net, m *Memberships, g netip.Addr, at Interface) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return s.leaveGroup(n, m, g, at)
}

func (s *Inet) leaveGroup(n *netns.Net, m *Memberships, g netip.Addr, at Interface) error {
	if !g.Is4() {
		return syscall.EADDRNOTAVAIL
	}
	dev := s.groupDevice(n, g.As4(), &at)
	if at.Index == 0 && !chosen(at.Addr) && dev == nil {
		return syscall.ENODEV
	}
	list := m.all()
	k := slices.IndexFunc(list, func(o membership) bool {
		return o.group == g.As4() && (o.index == at.Index || at.Index == 0 && (!chosen(at.Addr) || o.via == at.Addr))
	})
	if k < 0 {
		return syscall.EADDRNOTAVAIL
	}
	m.publish(slices.Concat(list[:k], list[k+1:]))
	s.quit(dev, &list[k])
	return nil
}

// quit takes a membership that is no more out of its device, if that is there.
// Linux: ip_mc_leave_src, ip_mc_dec_group.
func (s *Inet) quit(dev *device, own *membership) {
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
// Linux: ip_mc_drop_socket.
func (s *Inet) LeaveAllGroups(n *netns.Net, m *Memberships) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.all()
	m.publish(nil)
	for i := range list {
		if d := s.Core.DeviceByIndex(n, list[i].index); d != nil {
			s.quit(s.devs.Of(d), &list[i])
		}
	}
}

// JoinSource joins g for packets of src, beside those of other sources that it
// has joined. Errors: those of JoinGroup but EADDRINUSE, EINVAL if it has joined g
// for all sources but some, EADDRNOTAVAIL if it hears src already, ENOBUFS beyond
// net.ipv4.igmp_max_msf. Linux: IP_ADD_SOURCE_MEMBERSHIP.
func (s *Inet) JoinSource(n *netns.Net, m *Memberships, g, src netip.Addr, at Interface) error {
	if err := s.joinAs(n, m, g, at, Include); err != nil && err != syscall.EADDRINUSE {
		return err
	}
	return s.filterSource(n, m, g, src, at, Include, true)
}

// LeaveSource takes JoinSource back; with the last source g is left.
// EADDRNOTAVAIL for a source that it has not joined.
// Linux: IP_DROP_SOURCE_MEMBERSHIP.
func (s *Inet) LeaveSource(n *netns.Net, m *Memberships, g, src netip.Addr, at Interface) error {
	return s.filterSource(n, m, g, src, at, Include, false)
}

// BlockSource keeps src out of a group that was joined: EINVAL if it was not, or
// for some sources alone. Linux: IP_BLOCK_SOURCE.
func (s *Inet) BlockSource(n *netns.Net, m *Memberships, g, src netip.Addr, at Interface) error {
	return s.filterSource(n, m, g, src, at, Exclude, true)
}

// UnblockSource takes BlockSource back. Linux: IP_UNBLOCK_SOURCE.
func (s *Inet) UnblockSource(n *netns.Net, m *Memberships, g, src netip.Addr, at Interface) error {
	return s.filterSource(n, m, g, src, at, Exclude, false)
}

// filterSource changes one source of a filter. Linux: ip_mc_source.
func (s *Inet) filterSource(n *netns.Net, m *Memberships, g, src netip.Addr, at Interface, mode FilterMode, add bool) error {
	if !g.Is4() || !g.IsMulticast() || !src.Is4() {
		return syscall.EINVAL
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dev := s.groupDevice(n, g.As4(), &at)
	if dev == nil {
		return syscall.ENODEV
	}
	k := indexMembership(m.all(), g.As4(), at.Index)
	if k < 0 {
		return syscall.EINVAL
	}
	list := slices.Clone(m.all())
	own := &list[k]
	if own.mode != mode && own.had {
		return syscall.EINVAL
	}
	st := s.lockGroups(dev)
	if st == nil {
		return syscall.ENODEV
	}
	if own.mode != mode { // of an empty filter
		_ = st.addSources(own.group, mode, nil, false)
		_ = st.delSources(own.group, own.mode, nil, false)
		own.mode = mode
		m.publish(list)
	}
	var err error
	has := slices.Index(own.sources, src.As4())
	last := false
	switch {
	case !add && has < 0, add && has >= 0:
		err = syscall.EADDRNOTAVAIL
		if add && len(own.sources) >= int(s.conf.Of(n).IGMPMaxMSF.Load()) {
			err = syscall.ENOBUFS
		}
	case !add && mode == Include && len(own.sources) == 1:
		last = true
	case !add:
		_ = st.delSources(own.group, mode, [][4]byte{src.As4()}, true)
		own.sources = slices.Concat(own.sources[:has], own.sources[has+1:])
		m.publish(list)
	case own.had && len(own.sources) >= int(s.conf.Of(n).IGMPMaxMSF.Load()):
		err = syscall.ENOBUFS
	default:
		own.sources, own.had = append(slices.Clip(own.sources), src.As4()), true
		m.publish(list)
		_ = st.addSources(own.group, mode, [][4]byte{src.As4()}, true)
	}
	st.unlock()
	if last { // to hear nobody is to leave
		return s.leaveGroup(n, m, g, at)
	}
	return err
}

// SetFilter says at once of which sources packets for a joined group are heard;
// to include nobody is to leave. Errors: EINVAL for a group that it has not
// joined, ENODEV, ENOBUFS beyond net.ipv4.igmp_max_msf. Linux: IP_MSFILTER,
// ip_mc_msfilter.
func (s *Inet) SetFilter(n *netns.Net, m *Memberships, g netip.Addr, at Interface, mode FilterMode, sources []netip.Addr) error {
	if !g.Is4() || !g.IsMulticast() || slices.ContainsFunc(sources, func(a netip.Addr) bool { return !a.Is4() }) {
		return syscall.EINVAL
	}
	if len(sources) > int(s.conf.Of(n).IGMPMaxMSF.Load()) {
		return syscall.ENOBUFS
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dev := s.groupDevice(n, g.As4(), &at)
	if dev == nil {
		return syscall.ENODEV
	}
	if mode == Include && len(sources) == 0 {
		return s.leaveGroup(n, m, g, at)
	}
	list := slices.Clone(m.all())
	k := indexMembership(list, g.As4(), at.Index)
	if k < 0 {
		return syscall.EINVAL
	}
	st := s.lockGroups(dev)
	if st == nil {
		return syscall.ENODEV
	}
	next := make([][4]byte, len(sources))
	for i, a := range sources {
		next[i] = a.As4()
	}
	own := &list[k]
	_ = st.addSources(own.group, mode, next, false)
	_ = st.delSources(own.group, own.mode, own.sources, false)
	own.mode, own.sources, own.had = mode, next, len(next) > 0
	m.publish(list)
	st.unlock()
	return nil
}
