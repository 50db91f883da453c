package ipv6

import (
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/fib"
)

// A device is what IPv6 keeps at a core.Device from its registration in a Net
// to its end there. Linux: struct inet6_dev, include/net/if_inet6.h.
type device struct {
	dev *core.Device // fixed

	// published under the Net's lock, read by anybody
	list   atomic.Pointer[[]*Addr]         // addresses by scope, global first, the newest first in each; nil: none
	own    atomic.Pointer[devConf]         // net.ipv6.conf.DEV.*, shared until written
	parms  atomic.Pointer[core.NeighParms] // net.ipv6.neigh.DEV.*, nil until asked for
	ready  atomic.Bool                     // up, with carrier, and configured. Linux: IF_READY
	mroute atomic.Bool                     // a vif of multicast routing. Linux: ipv6_devconf.mc_forwarding

	mc mcast // groups
	// under the Net's lock
	rs       *solicitor    // nil: never has anybody been asked for routers
	desync   time.Duration // what temporary addresses are preferred for less. Linux: desync_factor
	desynced bool          // that was drawn
	parmsSet uint32        // which of net.ipv6.neigh.DEV.* were written
}

// Addrs returns the device's addresses; not to be written.
func (dev *device) Addrs() []*Addr {
	if l := dev.list.Load(); l != nil {
		return *l
	}
	return nil
}

func (dev *device) on(k confKey) bool { return dev.own.Load().v[k] != 0 }

func (dev *device) loopback() bool { return dev.dev.Flags()&core.FlagLoopback != 0 }

// mtu returns what the device carries of IPv6: its own MTU, or less if conf.mtu
// says so. Linux: idev->cnf.mtu6.
func (dev *device) mtu() int {
	if m := int(dev.own.Load().v[confMTU]); m < dev.dev.MTU() {
		return m
	}
	return dev.dev.MTU()
}

// An Addr is an IPv6 address at a device. It is immutable: a change publishes
// another. Linux: struct inet6_ifaddr.
type Addr struct {
	Dev    *core.Device
	Local  netip.Addr
	Peer   netip.Addr // the other end of a point-to-point link; else the zero Addr
	Bits   int        // prefix length
	Flags  uint32     // unix.IFA_F_*
	Metric uint32     // of the prefix route; 0: Linux's default, 256
	Proto  uint8      // IFA_PROTO

	// Lifetimes, counted from since; netlink.Forever for those that do not end.
	Valid, Preferred time.Duration

	since time.Duration
	tries int  // how many stable-privacy addresses others had before. Linux: stable_privacy_retry
	asked bool // whether others have it: that has begun, or need not. See startDAD
	dad   *dad // nil where nobody is asked
	kept  bool // the device is down, and the address has stayed

	// Of a temporary address: beside which it stands (Linux: ifpub) and since when
	// (cstamp); regens counts its heirs, of the other the temporary ones tried.
	public netip.Addr
	made   time.Duration
	regens int
}

// Tentative reports whether it is not known yet that nobody else has the
// address (RFC 4862 section 2): nobody may use it.
func (a *Addr) Tentative() bool { return a.Flags&unix.IFA_F_TENTATIVE != 0 }

// Prefix returns the address's subnet.
func (a *Addr) Prefix() netip.Prefix { return netip.PrefixFrom(a.Local, a.Bits).Masked() }

// Scope returns the address's scope (RFC 4291). Linux: rt_scope.
func (a *Addr) Scope() fib.Scope { return scopeOf(a.Local) }

func scopeOf(a netip.Addr) fib.Scope {
	switch b := a.As16(); {
	case a.IsLoopback():
		return fib.Host
	case a.IsLinkLocalUnicast():
		return fib.Link
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0:
		return fib.Site
	}
	return fib.Global
}
