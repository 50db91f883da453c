package core

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A NeighState is the state of a neighbour's reachability, with Linux's values.
// RFC 4861 section 7.3.2; Linux: NUD_*, include/uapi/linux/neighbour.h.
type NeighState uint8

// The states of a neighbour.
const (
	NudNone       NeighState = 0
	NudIncomplete NeighState = 0x01
	NudReachable  NeighState = 0x02
	NudStale      NeighState = 0x04
	NudDelay      NeighState = 0x08
	NudProbe      NeighState = 0x10
	NudFailed     NeighState = 0x20
	NudNoARP      NeighState = 0x40
	NudPermanent  NeighState = 0x80

	nudConnected = NudPermanent | NudNoARP | NudReachable
	nudValid     = nudConnected | NudProbe | NudStale | NudDelay
	nudTimed     = NudIncomplete | NudReachable | NudDelay | NudProbe
)

// NeighParms are the tunables of resolution on one device.
// Linux: struct neigh_parms; net.ipv4.neigh.DEV.*.
type NeighParms struct {
	BaseReachable, Retrans, DelayProbe time.Duration
	GCStale, Locktime                  time.Duration
	UcastProbes, McastProbes           int
	AppProbes, McastReprobes           int
	QueueBytes                         int           // bytes of packets that wait for one neighbour
	ProxyDelay                         time.Duration // how long a proxy waits at most before it answers
	ProxyQueue                         int           // questions that wait for that at one device
	Reachable                          time.Duration // drawn around BaseReachable
}

// DefaultNeighParms returns Linux's values.
func DefaultNeighParms() NeighParms {
	return NeighParms{BaseReachable: 30 * time.Second, Retrans: time.Second, DelayProbe: 5 * time.Second,
		GCStale: 60 * time.Second, Locktime: time.Second, UcastProbes: 3, McastProbes: 3,
		QueueBytes: 212992, Reachable: 30 * time.Second, ProxyDelay: 800 * time.Millisecond, ProxyQueue: 64}
}

// Draw sets Reachable to a random time between half and one and a half times
// BaseReachable, from n's stream. Linux: neigh_rand_reach_time.
func (p *NeighParms) Draw(n *netns.Net) {
	if p.BaseReachable > 0 {
		p.Reachable = p.BaseReachable/2 + time.Duration(n.Uint64N(uint64(p.BaseReachable)))
	}
}

// NeighOps are how one family resolves. Linux: struct neigh_table with
// neigh_ops.
type NeighOps struct {
	Family int // AFInet or AFInet6
	// Solicit asks for nb by a packet; to is its last address, or the zero MAC
	// to ask everybody.
	Solicit func(w *Worker, nb *Neighbour, to wire.MAC)
	// Construct tells addresses that need no asking: the MAC and NudNoARP.
	Construct func(d *Device, a netip.Addr) (wire.MAC, NeighState)
	// Unreachable tells the sender of a packet that waited in vain, and ends it.
	Unreachable func(w *Worker, p *Packet)
	// Parms returns the tunables of d.
	Parms func(d *Device) *NeighParms
	// Limits returns gc_thresh1 to 3 of n.
	Limits func(n *netns.Net) [3]int
	// Proxy is told of a proxy entry that comes or goes, and may refuse one that
	// comes; nil if there is nothing to do. Linux: pconstructor, pdestructor.
	Proxy func(d *Device, a netip.Addr, on bool) error
	// Changed is told of entries that changed or (gone) were deleted; nil for
	// nobody. It is called without locks.
	Changed func(nb *Neighbour, gone bool)
}

// HandleNeigh makes a family's resolution known, before the machine boots.
func (s *Stack) HandleNeigh(ops *NeighOps) { s.neighOps[familyIndex(ops.Family)] = ops }

func familyIndex(af int) int {
	if af == AFInet6 {
		return 1
	}
	return 0
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return AFInet
	}
	return AFInet6
}

// neighKey names a neighbour within a Net: addresses and interface indexes are
// both names of one namespace, which the table's tag says.
type neighKey struct {
	dev  int
	addr netip.Addr
}

// neighHash returns a keyed hash, since strangers choose the addresses. It is
// maphash's own construction (fold a product with a secret) for what an IPv4
// address and a device come to, without the call. Linux: arp_hashfn, hash_rnd.
func neighHash() func(neighKey) uint64 {
	long, secret := netns.Keyed[neighKey](), netns.Keyed[int]()
	a, b := secret(0), secret(1)|1
	return func(k neighKey) uint64 {
		if !k.addr.Is4() {
			return long(k)
		}
		v := k.addr.As4()
		hi, lo := bits.Mul64(a^(uint64(k.dev)<<32|uint64(binary.BigEndian.Uint32(v[:]))), b)
		return hi ^ lo
	}
}

// A Neighbour is a station on a device's link and what is known of its
// hardware address. Linux: struct neighbour, include/net/neighbour.h.
type Neighbour struct {
	// fixed
	stack *Stack
	net   *netns.Net
	home  *neighNet
	dev   *Device
	addr  netip.Addr
	ops   *NeighOps

	// atomic: the address for the sender's fast path, with neighUsable and
	// neighConnected; and when it was last used
	fast atomic.Uint64
	used atomic.Int64

	// under mu
	mu        sync.Mutex
	state     NeighState
	router    bool
	dead      bool
	mac       wire.MAC
	probes    int
	confirmed time.Duration
	updated   time.Duration
	waiting   packetList
	bytes     int
	timer     netns.Timer
}

const (
	neighUsable    = 1 << 63 // an address to send to is known
	neighConnected = 1 << 62 // and nothing needs to be done about it
	macMask        = 1<<48 - 1
)

// neighNet is what a Net keeps of its neighbours as a whole.
type neighNet struct {
	// entries counts by family, permanent ones apart: those no limit holds back.
	// Linux: neigh_table.entries and gc_entries.
	entries, permanent [2]atomic.Int64

	mu      sync.Mutex
	flushed [2]time.Duration // last forced collection
	ever    [2]bool
	sweep   netns.Timer
	asked   []*proxyWait // questions that wait for a proxy's answer
}

func (s *Stack) initNeigh(place netns.Placement) {
	s.neigh = netns.NewTable[neighKey, *Neighbour](s.Sys, "neigh", place, neighHash())
	if s.config.HostLimits {
		s.hostNeighs = new(neighHost)
	}
	s.proxies = netns.NewTable[neighKey, proxyEntry](s.Sys, "neighproxy", place, netns.Keyed[neighKey]())
	s.neighs = netns.NewCell(s.Sys, "neighgc", netns.Replicated, func(n *netns.Net) *neighNet {
		c := new(neighNet)
		if n != nil {
			c.sweep.Init(n, func(now time.Duration) { s.periodicGC(n, now) })
		}
		return c
	})
	// Once more after the grace period, for what a packet on its way has made
	// since: the sweep of the table would forget the packets that wait there.
	flush := func(n *netns.Net) {
		s.flushNeighs(n, nil, 0, true)
		s.purgeProxied(n, 0, NetDying)
	}
	netns.Attend(s.Sys, "neigh-exit", nil, flush, flush)
}

// Dev returns the neighbour's device.
func (nb *Neighbour) Dev() *Device { return nb.dev }

// Addr returns the neighbour's protocol address.
func (nb *Neighbour) Addr() netip.Addr { return nb.addr }

// Net returns the neighbour's namespace.
func (nb *Neighbour) Net() *netns.Net { return nb.net }

// Neighbour returns the entry of a at d, or nil. Linux: neigh_lookup.
func (s *Stack) Neighbour(d *Device, a netip.Addr) *Neighbour {
	nb, _ := s.neigh.Get(d.Net(), neighKey{d.Index(), a})
	return nb
}

// Last calls f with the network header on of the newest packet that waits for
// nb, if one does; f must not keep it. Linux: neigh_probe, skb_peek_tail.
func (nb *Neighbour) Last(f func(l3 []byte)) {
	nb.mu.Lock()
	defer nb.mu.Unlock()
	if p := nb.waiting.tail; p != nil {
		f(p.Bytes())
	}
}

// NewNeighbour returns the entry of a at d, made if there was none. ENOBUFS
// says that d's Net has as many neighbours as it may. Linux: __neigh_create.
func (s *Stack) NewNeighbour(d *Device, a netip.Addr, now time.Duration) (*Neighbour, error) {
	return s.newNeighbour(d.Net(), d, a, now, false)
}

// NewPermanent is NewNeighbour for an entry that will be permanent at once: no
// limit holds it back. Linux: neigh_add, exempt_from_gc.
func (s *Stack) NewPermanent(d *Device, a netip.Addr, now time.Duration) (*Neighbour, error) {
	return s.newNeighbour(d.Net(), d, a, now, true)
}

// newNeighbour is NewNeighbour; exempt says that no limit applies, as to an entry
// that will be permanent at once. Linux: ___neigh_create.
func (s *Stack) newNeighbour(n *netns.Net, d *Device, a netip.Addr, now time.Duration, exempt bool) (*Neighbour, error) {
	k := neighKey{d.Index(), a}
	if nb, ok := s.neigh.Get(n, k); ok {
		return nb, nil
	}
	if a.Is4() && d.Flags()&FlagLoopback != 0 && !a.IsUnspecified() { // all are one there (arp_constructor)
		return s.newNeighbour(n, d, netip.IPv4Unspecified(), now, exempt)
	}
	f := familyIndex(familyOf(a))
	ops, home := s.neighOps[f], s.neighs.Own(n)
	if s.hostNeighs != nil {
		home = s.neighHome(n)
	}
	if ops == nil {
		return nil, syscall.EAFNOSUPPORT
	}
	if !exempt {
		if err := s.neighRoom(n, home, ops, now); err != nil {
			return nil, err
		}
	}
	nb := &Neighbour{stack: s, net: n, home: home, dev: d, addr: a, ops: ops, updated: now}
	nb.used.Store(int64(now))
	nb.confirmed = now - 2*ops.Parms(d).Reachable
	if mac, state := ops.Construct(d, a); state != NudNone {
		nb.mac, nb.state = mac, state
		nb.publish()
	}
	nb.timer.Init(n, nb.expire)
	home.entries[f].Add(1)
	d.neighs.Add(1) // before it is filed: a flush that finds none has none to find
	if nb.state&NudPermanent != 0 {
		home.permanent[f].Add(1)
	}
	if err := s.neigh.Add(n, k, nb); err != nil {
		nb.uncount()
		if old, ok := s.neigh.Get(n, k); ok {
			return old, nil
		}
		return nil, err
	}
	s.hostNeighs.add(nb)
	s.neighSweepLater(n, now)
	return nb, nil
}

// uncount takes nb off its Net's and its device's counts; under nb.mu, or before anybody has it.
func (nb *Neighbour) uncount() {
	f := familyIndex(nb.ops.Family)
	nb.home.entries[f].Add(-1)
	nb.dev.neighs.Add(-1)
	if nb.state&NudPermanent != 0 {
		nb.home.permanent[f].Add(-1)
	}
}

// publish makes what nb.mu guards visible to the fast path.
func (nb *Neighbour) publish() {
	v := packMAC(nb.mac)
	if nb.state&nudValid != 0 {
		v |= neighUsable
	}
	if nb.state&nudConnected != 0 {
		v |= neighConnected
	}
	nb.fast.Store(v)
}

// Output sends p, whose data starts at the network header, to a on d's link,
// or holds it until the address is known. It takes p. Linux: neigh_output.
func (s *Stack) Output(w *Worker, d *Device, a netip.Addr, p *Packet) {
	nb, ok := s.neigh.Get(p.net, neighKey{int(d.index.Load()), a})
	if !ok {
		var err error
		if nb, err = s.newNeighbour(p.net, d, a, w.now, false); err != nil {
			w.Drop(p, NeighbourQueue)
			return
		}
	}
	nb.Output(w, p)
}

// Output sends p to nb. Linux: neigh_resolve_output and neigh_connected_output.
func (nb *Neighbour) Output(w *Worker, p *Packet) {
	v := nb.fast.Load()
	if v&neighConnected == 0 {
		if v = nb.sendEvent(w, p); v == 0 {
			return
		}
	}
	if int64(w.now) != nb.used.Load() { // a load is cheap, a store is not
		nb.used.Store(int64(w.now))
	}
	nb.dev.SendTo(w, p, unpackMAC(v&macMask))
}

// SendTo puts the Ethernet header for p.Protocol in front of p and sends it.
func (d *Device) SendTo(w *Worker, p *Packet, dst wire.MAC) {
	h := p.Push(wire.EthernetLen)
	if h == nil {
		w.Drop(p, LinkHeader)
		return
	}
	wire.PutEthernet(h, dst, d.Addr(), p.Protocol)
	d.Xmit(w, p)
}

// sendEvent starts or goes on with resolution and returns the address to send p
// to now, as in fast; 0 if there is none, and then it has taken p.
// Linux: __neigh_event_send.
func (nb *Neighbour) sendEvent(w *Worker, p *Packet) uint64 {
	now, parms := w.now, nb.ops.Parms(nb.dev)
	nb.mu.Lock()
	if nb.dead {
		nb.mu.Unlock()
		w.Drop(p, NeighbourDead)
		return 0
	}
	if nb.state == NudStale {
		nb.setState(NudDelay) // nobody is told: to users it is still stale
		nb.updated = now
		nb.timer.Reset(now + parms.DelayProbe)
	}
	if nb.state&nudValid != 0 {
		nb.mu.Unlock()
		return nb.fast.Load() | neighUsable
	}
	ask := nb.state != NudIncomplete
	if ask {
		if parms.McastProbes+parms.AppProbes == 0 {
			nb.setState(NudFailed)
			nb.updated = now
			nb.mu.Unlock()
			w.Drop(p, NeighbourFailed)
			return 0
		}
		nb.probes = parms.UcastProbes
		nb.setState(NudIncomplete)
		nb.updated = now
		nb.timer.Reset(now + max(parms.Retrans, 10*time.Millisecond))
		nb.probes++
	}
	spill := nb.enqueue(p, parms.QueueBytes)
	nb.mu.Unlock()
	for q := spill.pop(); q != nil; q = spill.pop() {
		q.books.held.Add(-1)
		w.Drop(q, NeighbourQueue)
	}
	if ask {
		nb.ops.Solicit(w, nb, wire.MAC{})
	}
	return 0
}

// Truesize returns what an IP packet of k bytes counts for in a queue whose limit
// is in bytes: the power of two that it is allocated in, with the headers' room
// and the overhead of an sk_buff, so that as many wait as in Linux. The figures
// were measured on 6.18, 64 bits. Linux: skb->truesize.
func Truesize(k int) int {
	const skb, shared, room, small = 256, 320, 31, 576
	size := k + room + shared
	if size <= small {
		return small + skb
	}
	return max(1024, 1<<bits.Len(uint(size-1))) + skb
}

// enqueue holds p until the address is known and returns the oldest packets,
// which had to make room.
func (nb *Neighbour) enqueue(p *Packet, limit int) (spill packetList) {
	p.books.held.Add(1)
	nb.waiting.push(p)
	nb.bytes += Truesize(p.Len())
	for nb.bytes > limit && nb.waiting.n > 1 {
		q := nb.waiting.pop()
		nb.bytes -= Truesize(q.Len())
		spill.push(q)
	}
	return spill
}

func (nb *Neighbour) setState(st NeighState) {
	nb.state = st
	nb.publish()
}

func (nb *Neighbour) changed(gone bool) {
	if f := nb.ops.Changed; f != nil {
		f(nb, gone)
	}
}

// unreachable reports p's fate to its sender and ends it.
func (nb *Neighbour) unreachable(w *Worker, p *Packet) {
	if f := nb.ops.Unreachable; f != nil {
		f(w, p)
		return
	}
	w.Drop(p, NeighbourFailed)
}
