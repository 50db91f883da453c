package ipv4

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/sysctl"
	"nsmodel/netns"
)

// Multicast routing (RFC 1112, RFC 4601 section 4.2 names the parts): the kernel's
// half of it, to which a daemon says by MRT_* what goes where. The daemon's own
// protocol is not modelled, nor are PIM registers, tunnels, several tables (ip
// mrule) and MRT_ADD_MFC_PROXY. Linux: net/ipv4/ipmr.c, ipmr_base.c.

const (
	maxVIFs = 32  // Linux: MAXVIFS
	noVIF   = 255 // a threshold that nothing passes

	// maxUnresolved is for how many flows a Net waits for its daemon's word. Linux
	// has no such number: the buffer of the daemon's socket is full some time.
	maxUnresolved    = 256
	unresolvedQueue  = 4                // packets of each. Linux: qlen > 3 in ipmr_cache_unresolved
	unresolvedExpire = 10 * time.Second // Linux: the timer that ipmr_cache_unresolved sets
)

// mroutes are where this machine's multicast routes stand.
type mroutes struct {
	nets    *netns.Cell[mrouter]
	cache   *netns.Table[mfcKey, *mfc]        // what is known. Linux: mfc_hash
	waiting *netns.Table[mfcKey, *unresolved] // what is asked for. Linux: mfc_unres_queue
	gate    *netns.Gate
}

// mrouter is one Net's part. Linux: struct mr_table.
type mrouter struct {
	net  *netns.Net
	open atomic.Bool              // there is a daemon. Linux: mroute_sk
	vifs atomic.Pointer[vifTable] // published under rtnl; nil: none
	last atomic.Uint64            // numbers entries, for the order of dumps
	dead atomic.Bool              // pre-exit has begun
}

type vifTable [maxVIFs]*vif

// A vif is a device that multicast is routed by. Linux: struct vif_device.
type vif struct {
	// fixed
	dev       *core.Device
	own       *device
	threshold uint8

	in, inBytes, out, outBytes atomic.Uint64
}

// mfcKey is whose packets to which group; an origin of 0.0.0.0 is anybody's, with
// a group of 0.0.0.0 to any. Linux: struct mfc_cache_cmp_arg.
type mfcKey struct{ origin, group [4]byte }

// mfc is an entry of the cache. Linux: struct mfc_cache.
type mfc struct {
	key    mfcKey // fixed
	number uint64 // fixed
	way    atomic.Pointer[mfcWay]

	packets, bytes, wrong atomic.Uint64
	used                  atomic.Int64 // when it was used last. Linux: lastuse
}

// mfcWay is where packets come in and go out; immutable. A packet goes out by a
// vif if its TTL is above the threshold there.
type mfcWay struct {
	parent int
	ttls   [maxVIFs]uint8
}

// An unresolved flow waits for the daemon. Linux: an entry of mfc_unres_queue.
type unresolved struct {
	key    mfcKey
	number uint64
	timer  netns.Timer

	mu      sync.Mutex
	dead    bool
	packets []waitingPacket
}

// A waitingPacket keeps its device by the vif: the device itself may leave.
type waitingPacket struct {
	p   *core.Packet
	vif *vif
}

// initMroutes registers multicast routing; place is not Default any more.
func (s *Inet) initMroutes(place netns.Placement) error {
	sys := s.Core.Sys
	s.mr.nets = netns.NewCell(sys, "ipv4-mroute", place, func(n *netns.Net) *mrouter { return &mrouter{net: n} })
	s.mr.cache = netns.NewTable[mfcKey, *mfc](sys, "ipv4-mfc", place, netns.Keyed[mfcKey]())
	s.mr.waiting = netns.NewTable[mfcKey, *unresolved](sys, "ipv4-mfc-unresolved", place, netns.Keyed[mfcKey]())
	netns.Attend(sys, "ipv4-mroute-exit", nil, func(n *netns.Net) { s.mroutesEnd(n, core.NetDying) },
		func(n *netns.Net) { s.dropUnresolved(n, core.NetDying) })
	if err := s.Sysctl.Register(sysctl.Entry{Name: "net.ipv4.conf.*.mc_forwarding", Row: "net.ipv4", Instances: s.instances, Get: s.getMCForwarding}); err != nil {
		return err
	}
	g, err := s.Core.Gate(core.LayerNetlink, "mroute")
	if err != nil {
		return err
	}
	s.mr.gate = g
	s.Netlink.Handle(netlink.Handler{Op: netlink.Get, Kind: netlink.KindRoute, Family: netlink.FamilyIPMR, Row: "mroute", Gate: g, Do: s.doDumpMroute})
	return nil
}

// getMCForwarding tells whether there is a daemon, or whether the device is one of
// its. Only the daemon changes it.
func (s *Inet) getMCForwarding(n *netns.Net, instance string) (string, error) {
	on := false
	switch instance {
	case "all":
		on = s.mr.nets.Of(n).open.Load()
	case "default":
	default:
		dev := s.deviceNamed(n, instance)
		if dev == nil {
			return "", syscall.ENOENT
		}
		on = dev.mroute.Load()
	}
	if on {
		return "1", nil
	}
	return "0", nil
}

// mrouter returns n's router for a change by its daemon: EOPNOTSUPP if the gate is
// closed for n, ENXIO if n is dying, EACCES without a daemon if it is to be open.
// Linux: the checks of ip_mroute_setsockopt.
func (s *Inet) mrouter(n *netns.Net, open bool) (*mrouter, error) {
	if !s.mr.gate.Admit(n) {
		return nil, syscall.EOPNOTSUPP
	}
	if !n.Alive() {
		return nil, syscall.ENXIO
	}
	r := s.mr.nets.Own(n)
	if open && !r.open.Load() {
		return nil, syscall.EACCES
	}
	return r, nil
}

// MrouteInit lets a daemon route n's multicast; under rtnl. EADDRINUSE if there is
// one, EOPNOTSUPP where the gate is closed. Linux: MRT_INIT.
func (s *Inet) MrouteInit(n *netns.Net) error {
	r, err := s.mrouter(n, false)
	if err != nil {
		return err
	}
	if r.open.Load() {
		return syscall.EADDRINUSE
	}
	s.mr.waiting.SetCap(n, maxUnresolved)
	r.open.Store(true)
	return nil
}

// MrouteDone ends that, and with it all vifs and entries; under rtnl. EACCES
// without a daemon. Linux: MRT_DONE, mrtsock_destruct.
func (s *Inet) MrouteDone(n *netns.Net) error {
	if _, err := s.mrouter(n, true); err != nil {
		return err
	}
	s.mroutesEnd(n, core.NoRoute)
	return nil
}

// mroutesEnd takes away what the daemon has said. Linux: mroute_clean_tables.
func (s *Inet) mroutesEnd(n *netns.Net, why core.Reason) {
	r := s.mr.nets.Of(n)
	if r.net == nil {
		return
	}
	if why == core.NetDying {
		r.dead.Store(true)
	}
	r.open.Store(false)
	for i, v := range r.table() {
		if v != nil {
			s.delVIF(r, i)
		}
	}
	for k := range s.mr.cache.All(n) {
		s.mr.cache.Delete(n, k)
	}
	s.dropUnresolved(n, why)
}

func (r *mrouter) table() vifTable {
	if t := r.vifs.Load(); t != nil {
		return *t
	}
	return vifTable{}
}

// find returns the number of the vif that d is, or -1. Linux: ipmr_find_vif.
func (r *mrouter) find(d *core.Device) int {
	t := r.vifs.Load()
	if t == nil {
		return -1
	}
	for i := maxVIFs - 1; i >= 0; i-- {
		if v := t[i]; v != nil && v.dev == d {
			return i
		}
	}
	return -1
}

// at returns a vif by its number, nil if there is none.
func (r *mrouter) at(i int) *vif {
	if t := r.vifs.Load(); t != nil && i >= 0 && i < maxVIFs {
		return t[i]
	}
	return nil
}

// AddVIF routes multicast by d as well, under the lowest number that is free, and
// lets it hear all groups; under rtnl. A packet goes out there if an entry says so.
// Errors: EACCES without a daemon, EADDRNOTAVAIL for a device of another Net or
// without IPv4, EADDRINUSE if d is one already, ENFILE if there are 32. Linux:
// MRT_ADD_VIF with VIFF_USE_IFINDEX, vif_add; a daemon chooses the number itself,
// and can take one device twice.
func (s *Inet) AddVIF(n *netns.Net, d *core.Device, threshold uint8) error {
	r, err := s.mrouter(n, true)
	if err != nil {
		return err
	}
	dev := s.devs.Of(d)
	if dev == nil || d.Net() != n {
		return syscall.EADDRNOTAVAIL
	}
	t := r.table()
	free := slices.Index(t[:], nil)
	switch {
	case r.find(d) >= 0:
		return syscall.EADDRINUSE
	case free < 0:
		return syscall.ENFILE
	}
	t[free] = &vif{dev: d, own: dev, threshold: threshold}
	r.vifs.Store(&t)
	dev.mroute.Store(true)
	s.Core.AddAllMulti(d, 1)
	return nil
}

// DelVIF takes a device back; entries keep its number. EADDRNOTAVAIL if it is none.
// Under rtnl. Linux: MRT_DEL_VIF, vif_delete.
func (s *Inet) DelVIF(n *netns.Net, d *core.Device) error {
	r, err := s.mrouter(n, true)
	if err != nil {
		return err
	}
	i := r.find(d)
	if i < 0 {
		return syscall.EADDRNOTAVAIL
	}
	s.delVIF(r, i)
	return nil
}

func (s *Inet) delVIF(r *mrouter, i int) {
	t := r.table()
	v := t[i]
	t[i] = nil
	r.vifs.Store(&t)
	v.own.mroute.Store(false)
	s.Core.AddAllMulti(v.dev, -1)
}

// mrouteGone takes a device back that leaves its Net. Linux: ipmr_device_event.
func (s *Inet) mrouteGone(dev *device) {
	if !dev.mroute.Load() {
		return
	}
	r := s.mr.nets.Of(dev.dev.Net())
	if i := r.find(dev.dev); i >= 0 {
		s.delVIF(r, i)
	}
}

// An MFC is an entry of the cache as a daemon says it. Linux: struct mfcctl.
type MFC struct {
	Origin, Group [4]byte // 0.0.0.0: any
	Iif           *core.Device
	Oifs          []*core.Device
	TTL           uint8 // what a packet's must be above, at every one of Oifs; 0 is 1
}

// AddMFC files an entry, or changes it, and sends what has waited for it; under
// rtnl. Errors: EACCES without a daemon, EINVAL for what is no group, ENFILE for an
// Iif that is no vif. An Oif that is none is left out. Linux: MRT_ADD_MFC,
// ipmr_mfc_add, where vifs are numbers.
func (s *Inet) AddMFC(w *core.Worker, n *netns.Net, m MFC) error {
	r, err := s.mrouter(n, true)
	if err != nil {
		return err
	}
	way := &mfcWay{parent: r.find(m.Iif)}
	switch {
	case m.Group != [4]byte{} && m.Group[0]&0xf0 != 0xe0:
		return syscall.EINVAL
	case way.parent < 0:
		return syscall.ENFILE
	}
	for i := range way.ttls {
		way.ttls[i] = noVIF
	}
	for _, d := range m.Oifs {
		if i := r.find(d); i >= 0 && m.TTL != noVIF {
			way.ttls[i] = max(1, m.TTL)
		}
	}
	key := mfcKey{m.Origin, m.Group}
	if c, ok := s.mr.cache.Get(n, key); ok {
		c.way.Store(way)
		return nil
	}
	c := &mfc{key: key, number: r.last.Add(1)}
	c.way.Store(way)
	c.used.Store(int64(w.Now()))
	if err := s.mr.cache.Add(n, key, c); err != nil {
		return err
	}
	s.resolve(w, r, c)
	return nil
}

// DelMFC takes an entry away; ENOENT if there is none, EACCES without a daemon.
// Under rtnl. Linux: MRT_DEL_MFC, ipmr_mfc_delete.
func (s *Inet) DelMFC(n *netns.Net, origin, group [4]byte) error {
	if _, err := s.mrouter(n, true); err != nil {
		return err
	}
	if _, ok := s.mr.cache.Delete(n, mfcKey{origin, group}); !ok {
		return syscall.ENOENT
	}
	return nil
}

// findMFC returns the entry for packets of a flow that come in by a vif (-1: by
// none): its own or, where the vif is among those that it names, one of any origin
// or of any group. Linux: ipmr_cache_find, mr_mfc_find_any.
func (s *Inet) findMFC(n *netns.Net, origin, group [4]byte, in int) *mfc {
	c, ok := s.mr.cache.Get(n, mfcKey{origin, group})
	if ok || in < 0 {
		return c
	}
	if c, ok = s.mr.cache.Get(n, mfcKey{group: group}); ok {
		way := c.way.Load()
		if way.ttls[in] < noVIF {
			return c
		}
		if all := s.findTree(n, way.parent); all != nil && all.way.Load().ttls[in] < noVIF {
			return c
		}
	}
	return s.findTree(n, in)
}

// findTree returns the entry of all groups if it names a vif.
// Linux: mr_mfc_find_any_parent.
func (s *Inet) findTree(n *netns.Net, in int) *mfc {
	if c, ok := s.mr.cache.Get(n, mfcKey{}); ok && c.way.Load().ttls[in] < noVIF {
		return c
	}
	return nil
}

// doDumpMroute is RTM_GETROUTE of multicast routes: those that are known as they
// came, then those that are asked for, the newest first.
// Linux: ipmr_rtm_dumproute, mr_fill_mroute.
func (s *Inet) doDumpMroute(n *netns.Net, req *netlink.Request) (all []netlink.Message, err error) {
	if _, ok := req.Msg.(*netlink.MFC); !ok {
		return nil, nil // a dump of every family's routes
	}
	r, now := s.mr.nets.Of(n), s.Core.Sys.Now()
	var cache []*mfc
	for _, c := range s.mr.cache.All(n) {
		cache = append(cache, c)
	}
	slices.SortFunc(cache, func(a, b *mfc) int { return cmp.Compare(a.number, b.number) })
	for _, c := range cache {
		way := c.way.Load()
		m := &netlink.MFC{Family: netlink.FamilyIPMR, Src: addr4(c.key.origin), Dst: addr4(c.key.group),
			Packets: c.packets.Load(), Bytes: c.bytes.Load(), Wrong: c.wrong.Load(), Age: now - time.Duration(c.used.Load())}
		if v := r.at(way.parent); v != nil {
			m.IIF = v.dev.Index()
		}
		for i, ttl := range way.ttls {
			if v := r.at(i); v != nil && ttl < noVIF {
				m.OIFs = append(m.OIFs, netlink.MFCHop{Index: v.dev.Index(), TTL: ttl})
			}
		}
		all = append(all, m)
	}
	var asked []*unresolved
	for _, u := range s.mr.waiting.All(n) {
		asked = append(asked, u)
	}
	slices.SortFunc(asked, func(a, b *unresolved) int { return cmp.Compare(b.number, a.number) })
	for _, u := range asked {
		all = append(all, &netlink.MFC{Family: netlink.FamilyIPMR, Src: addr4(u.key.origin), Dst: addr4(u.key.group), Unresolved: true})
	}
	return all, nil
}
