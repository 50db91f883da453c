package ipv4

import (
	"net/netip"
	"sync/atomic"
	"time"

	"nsmodel/core"
	"nsmodel/fib"
)

// A device is what IPv4 keeps at a core.Device from its registration in a Net
// to its end there. Linux: struct in_device, include/linux/inetdevice.h.
type device struct {
	dev *core.Device // fixed

	// published under rtnl, read by anybody
	list  atomic.Pointer[[]*Addr]         // addresses: primaries by scope, then secondaries; nil: none
	own   atomic.Pointer[devConf]         // net.ipv4.conf.DEV.*, shared until written
	eff   atomic.Pointer[devConf]         // own and conf.all put together
	parms atomic.Pointer[core.NeighParms] // net.ipv4.neigh.DEV.*, nil until asked for

	mc      mcast                    // groups
	mroute  atomic.Bool              // a vif of multicast routing. Linux: IPV4_DEVCONF_MC_FORWARDING
	watched atomic.Pointer[watchers] // nil until there is something to watch

	set      uint32 // under rtnl; which of own no longer follow conf.default. Linux: ipv4_devconf.state
	parmsSet uint32 // under rtnl; which of parms no longer follow neigh.default
}

// Addrs returns the device's addresses, primaries first; not to be written.
func (dev *device) Addrs() []*Addr {
	if l := dev.list.Load(); l != nil {
		return *l
	}
	return nil
}

// What is in force at the device: its own value and conf.all's, put together
// as Linux does for each.

// Forwarding: packets that arrive here may be forwarded.
func (dev *device) Forwarding() bool { return dev.on(confForwarding) }

// BCForwarding: directed broadcasts are forwarded (RFC 2644).
func (dev *device) BCForwarding() bool { return dev.on(confBCForwarding) }

// RPFilter: 0 no source validation, 1 strict, 2 loose (RFC 3704).
func (dev *device) RPFilter() int { return int(dev.eff.Load().v[confRPFilter]) }

// AcceptLocal: packets with a local source are accepted.
func (dev *device) AcceptLocal() bool { return dev.on(confAcceptLocal) }

// AcceptSourceRoute: packets with the source route option are accepted.
func (dev *device) AcceptSourceRoute() bool { return dev.on(confAcceptSourceRoute) }

// SendRedirects: a router tells of better first hops.
func (dev *device) SendRedirects() bool { return dev.on(confSendRedirects) }

// AcceptRedirects: a host believes such tellings.
func (dev *device) AcceptRedirects() bool { return dev.on(confAcceptRedirects) }

// SecureRedirects: only from known gateways.
func (dev *device) SecureRedirects() bool { return dev.on(confSecureRedirects) }

// SharedMedia: several subnets may share the link.
func (dev *device) SharedMedia() bool { return dev.on(confSharedMedia) }

// LogMartians: impossible addresses are logged.
func (dev *device) LogMartians() bool { return dev.on(confLogMartians) }

// RouteLocalnet: 127/8 is routed like any other net.
func (dev *device) RouteLocalnet() bool { return dev.on(confRouteLocalnet) }

// SrcValidMark: source validation looks at the packet's mark.
func (dev *device) SrcValidMark() bool { return dev.on(confSrcValidMark) }

// DropUnicastInL2Multicast: unicast packets in link-layer broadcasts are dropped.
func (dev *device) DropUnicastInL2Multicast() bool { return dev.on(confDropUnicastInL2Multicast) }

// IgnoreRoutesWithLinkdown: next hops without carrier are passed over.
func (dev *device) IgnoreRoutesWithLinkdown() bool { return dev.on(confIgnoreRoutesWithLinkdown) }

func (dev *device) on(k confKey) bool { return dev.eff.Load().v[k] != 0 }

// An Addr is an IPv4 address at a device. It is immutable: a change publishes
// another. Linux: struct in_ifaddr.
type Addr struct {
	Dev       *core.Device
	Local     netip.Addr
	Peer      netip.Addr   // the other end of a point-to-point link, else Local. Linux: ifa_address
	Prefix    netip.Prefix // Peer's subnet, masked
	Broadcast netip.Addr   // the zero Addr: none given
	Label     string
	Flags     uint32 // unix.IFA_F_*
	Metric    uint32 // of the prefix route. Linux: ifa_rt_priority
	Scope     fib.Scope
	Proto     uint8 // IFA_PROTO

	// Lifetimes, counted from since; netlink.Forever for those that do not end.
	Valid, Preferred time.Duration

	since time.Duration
}

// Secondary reports whether another address of the same subnet came first.
func (a *Addr) Secondary() bool { return a.Flags&flagSecondary != 0 }

const flagSecondary = 0x01 // IFA_F_SECONDARY
