package core

import (
	"sync"
	"sync/atomic"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

// Device flags with Linux's values, include/uapi/linux/if.h.
const (
	FlagUp        = 0x1
	FlagBroadcast = 0x2
	FlagLoopback  = 0x8
	FlagNoARP     = 0x80
	FlagPromisc   = 0x100
	FlagAllMulti  = 0x200
	FlagMaster    = 0x400
	FlagMulticast = 0x1000
	FlagRunning   = 0x40
	FlagLowerUp   = 0x10000
)

// A Driver sends what a device is given. Linux: ndo_start_xmit.
type Driver interface {
	// Xmit takes p, an Ethernet frame, and sends it or drops it.
	Xmit(w *Worker, d *Device, p *Packet)
}

// An Opener is a driver that wants to know of up and down; under rtnl.
// Linux: ndo_open and ndo_stop.
type Opener interface {
	Open(d *Device) error
	Stop(d *Device)
}

// A Leaver is a driver that takes part in the end of its device. Leave is
// called under rtnl when d is about to be unregistered, and returns devices
// that must go with it, as a veth's peer. Linux: rtnl_link_ops dellink.
type Leaver interface {
	Leave(d *Device) []*Device
}

// A Freer is a driver that holds something for its device. Free is called under
// rtnl when d will not come back, after the grace period and the last event.
// Linux: priv_destructor.
type Freer interface {
	Free(d *Device)
}

// A Tuner is a driver that has a say when a user changes its device; a bare
// errno refuses. Both are called under rtnl, before the change.
// Linux: ndo_change_mtu and ndo_set_mac_address.
type Tuner interface {
	ChangeMTU(d *Device, mtu int) error
	ChangeAddr(d *Device, a wire.MAC) error
}

// A Mover is a driver that wants a word when its device changes namespace. Move
// is called under rtnl before anything has happened; an error stops the move. Linux: NETIF_F_NETNS_LOCAL is one that always refuses.
type Mover interface {
	Move(d *Device, to *netns.Net) error
}

// A Claim takes frames before the protocols see them, as a bridge does for its
// ports. It reports whether it took p. Linux: rx_handler_func_t.
type Claim func(w *Worker, d *Device, p *Packet) bool

// VLANs returns the device that stands for the VLAN that p's tag names at another
// device, or nil. Linux: vlan_find_dev.
type VLANs func(p *Packet) *Device

// A Tap sees every frame that a device receives or sends, before anybody else;
// it must copy what it keeps. Linux: ptype_all.
type Tap func(w *Worker, d *Device, p *Packet, out bool)

// A Device is a network interface, in exactly one Net at a time.
// Linux: struct net_device, include/linux/netdevice.h.
type Device struct {
	// fixed
	stack   *Stack
	driver  Driver
	kind    *Kind
	hw      uint16 // ARPHRD_*
	real    bool   // a NIC: returns to the initial Net when its Net dies
	fixedN  bool   // may not change namespace (NETIF_F_NETNS_LOCAL)
	stacked bool   // passes its packets on to other devices of its Net
	stays   bool   // outlives a move of the device that it stands on
	greedy  bool   // takes every frame that it gets for its own
	minMTU  uint16

	// atomic: written under rtnl, read by anybody
	net     atomic.Pointer[netns.Net]
	name    atomic.Pointer[string]
	index   atomic.Int32
	flags   atomic.Uint32
	live    atomic.Bool // up, and so open to packets
	mtu     atomic.Uint32
	addr    atomic.Uint64 // MAC address
	books   atomic.Pointer[Ledger]
	hooks   atomic.Pointer[hooks]   // nil on most devices
	allEars atomic.Int32            // how many want it to hear every group, without its flag
	ears    atomic.Int32            // how many want it to hear all. Linux: promiscuity
	ext     atomic.Pointer[shelves] // nil until a protocol keeps something here

	groups atomic.Pointer[[]HardwareGroup] // written under Stack.groupMu; nil: none

	// under rtnl
	master *Device
	other  *Device // that it stands on, or its peer
	uppers *[]*Device
	txqlen int32
	listed bool
	noAuto bool // has an address that somebody set

	backlog backlog
	qdisc   *pfifo

	// atomic
	stats stats
}

// stats are a device's counters. Linux: struct rtnl_link_stats64.
type stats struct {
	rxPackets, rxBytes, rxDropped, rxErrors, rxMissed, rxMulticast atomic.Uint64
	txPackets, txBytes, txDropped, txErrors                        atomic.Uint64
}

// Stats are the counters of a device, in packets and bytes.
type Stats struct {
	RxPackets, RxBytes, RxErrors, RxDropped, RxMulticast, RxMissed uint64
	TxPackets, TxBytes, TxErrors, TxDropped                        uint64
}

// Stats returns the device's counters.
func (d *Device) Stats() Stats {
	s := &d.stats
	return Stats{
		RxPackets: s.rxPackets.Load(), RxBytes: s.rxBytes.Load(), RxErrors: s.rxErrors.Load(), RxDropped: s.rxDropped.Load(), RxMissed: s.rxMissed.Load(),
		RxMulticast: s.rxMulticast.Load(),
		TxPackets:   s.txPackets.Load(), TxBytes: s.txBytes.Load(), TxErrors: s.txErrors.Load(), TxDropped: s.txDropped.Load(),
	}
}

// CountRxDropped, CountTxDropped and CountTxError add to the device's counters
// what only its driver can see.
func (d *Device) CountRxDropped(k uint64) { d.stats.rxDropped.Add(k) }

// CountRxMissed counts k frames for which the NIC had no room.
func (d *Device) CountRxMissed(k uint64) { d.stats.rxMissed.Add(k) }

// AdjustRx corrects what was counted as received by what only the driver knows:
// packets and bytes more, or fewer, and how many of them were for a group.
func (d *Device) AdjustRx(packets, bytes int64, multicast uint64) {
	d.stats.rxPackets.Add(uint64(packets))
	d.stats.rxBytes.Add(uint64(bytes))
	d.stats.rxMulticast.Add(multicast)
}

// CountTxDropped counts k frames that the driver threw away.
func (d *Device) CountTxDropped(k uint64) { d.stats.txDropped.Add(k) }

// CountTxError counts k frames that the driver could not send.
func (d *Device) CountTxError(k uint64) { d.stats.txErrors.Add(k) }

// Net returns the namespace that the device is in.
func (d *Device) Net() *netns.Net { return d.net.Load() }

// Stack returns the machine that the device belongs to.
func (d *Device) Stack() *Stack { return d.stack }

// Name returns the device's name in its Net.
func (d *Device) Name() string { return *d.name.Load() }

// Index returns the device's interface index, unique in its Net only.
func (d *Device) Index() int { return int(d.index.Load()) }

// MTU returns the largest payload of a frame, in bytes.
func (d *Device) MTU() int { return int(d.mtu.Load()) }

// MinMTU returns the least MTU that the device takes, in bytes. Linux: min_mtu.
func (d *Device) MinMTU() int { return int(d.minMTU) }

// Promiscuity returns how many want the device to hear frames to others' addresses,
// its own flag included. Linux: dev->promiscuity.
func (d *Device) Promiscuity() int { return int(d.ears.Load()) }

// Addr returns the device's hardware address.
func (d *Device) Addr() wire.MAC { return unpackMAC(d.addr.Load()) }

// Hardware returns the ARPHRD_ type: 1 Ethernet, 772 loopback.
func (d *Device) Hardware() uint16 { return d.hw }

// Kind returns the device's kind.
func (d *Device) Kind() *Kind { return d.kind }

// Driver returns what sends for the device.
func (d *Device) Driver() Driver { return d.driver }

// Real reports whether the device is a NIC, which returns to the initial Net
// when its Net dies.
func (d *Device) Real() bool { return d.real }

// Up reports whether the device was set up. Linux: IFF_UP.
func (d *Device) Up() bool { return d.live.Load() }

// Carrier reports whether the device has a partner to talk to.
func (d *Device) Carrier() bool { return d.flags.Load()&FlagLowerUp != 0 }

// Flags returns the IFF_ flags, as user space sees them: FlagRunning is set if
// the device is up and has a carrier, FlagLowerUp likewise.
func (d *Device) Flags() uint32 {
	f := d.flags.Load()
	if f&FlagUp == 0 || f&FlagLowerUp == 0 {
		return f &^ (FlagLowerUp | FlagRunning)
	}
	return f | FlagRunning
}

// Listed reports whether the device is registered; under rtnl.
func (d *Device) Listed() bool { return d.listed }

// Master returns the device that d is a port of, or nil; under rtnl.
func (d *Device) Master() *Device { return d.master }

// TxQLen returns the length of the sending queue in packets; under rtnl.
func (d *Device) TxQLen() int { return int(d.txqlen) }

// Qdisc returns the queueing discipline's name: noqueue, or pfifo.
func (d *Device) Qdisc() string {
	if d.qdisc == nil {
		return "noqueue"
	}
	return "pfifo"
}

func packMAC(m wire.MAC) uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
}

func unpackMAC(v uint64) wire.MAC {
	return wire.MAC{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}

// A backlog is what waits at a receiving device for a worker. Each device has
// its own, so that a flood at one neither fills another's nor drops its packets
// (Linux: the per-queue rings of veth's NAPI; net_rx_queue of others is shared
// by a CPU).
type backlog struct {
	mu        sync.Mutex
	packets   packetList
	scheduled bool // on some worker's list
}
