package ipv4

import (
	"sync/atomic"

	"nsmodel/core"
	"nsmodel/netns"
)

// Conf are the tunables of one Net, net.ipv4.*, without those per device.
// Writers hold rtnl; anybody reads. Linux: struct netns_ipv4.
type Conf struct {
	all, dflt atomic.Pointer[devConf] // net.ipv4.conf.{all,default}.*
	dfltSet   uint32                  // under rtnl; which of dflt were written

	DefaultTTL           atomic.Int32  // ip_default_ttl
	NoPMTUDisc           atomic.Int32  // ip_no_pmtu_disc
	ForwardUsePMTU       atomic.Int32  // ip_forward_use_pmtu
	NonlocalBind         atomic.Int32  // ip_nonlocal_bind
	UnprivilegedPort     atomic.Int32  // ip_unprivileged_port_start
	ports                atomic.Uint32 // ip_local_port_range: low<<16 | high
	EchoIgnoreAll        atomic.Int32  // icmp_echo_ignore_all
	EchoIgnoreBroadcasts atomic.Int32  // icmp_echo_ignore_broadcasts
	ErrorsUseInbound     atomic.Int32  // icmp_errors_use_inbound_ifaddr
	ICMPRatelimit        atomic.Int32  // icmp_ratelimit, in ms between errors to one peer
	ICMPRatemask         atomic.Int32  // icmp_ratemask: bit t is set if type t is limited
	ICMPMsgsPerSec       atomic.Int32  // icmp_msgs_per_sec, for this Net as a whole
	ICMPMsgsBurst        atomic.Int32  // icmp_msgs_burst, in messages
	FragHighThresh       atomic.Int64  // ipfrag_high_thresh, in bytes
	FragLowThresh        atomic.Int64  // ipfrag_low_thresh, in bytes; not used, as in Linux since 4.17
	FragTime             atomic.Int32  // ipfrag_time, in seconds
	FragMaxDist          atomic.Int32  // ipfrag_max_dist, in fragments
	Somaxconn            atomic.Int32  // net.core.somaxconn, kept for who will listen
	MinPMTU              atomic.Int32  // route.min_pmtu, in bytes
	MTUExpires           atomic.Int32  // route.mtu_expires, in seconds
	MinAdvMSS            atomic.Int32  // route.min_adv_mss, in bytes, kept for who will need it
	FwmarkReflect        atomic.Int32  // fwmark_reflect
	HashPolicy           atomic.Int32  // fib_multipath_hash_policy
	HashFields           atomic.Int32  // fib_multipath_hash_fields, a mask
	HashSeed             atomic.Uint32 // fib_multipath_hash_seed
	IGMPMaxMemberships   atomic.Int32  // igmp_max_memberships, groups a socket may join
	IGMPMaxMSF           atomic.Int32  // igmp_max_msf, sources a socket's filter may name
	IGMPQRV              atomic.Int32  // igmp_qrv, how often a change is told
	IGMPLinkLocal        atomic.Int32  // igmp_link_local_mcast_reports
	pingGroups           atomic.Uint64 // ping_group_range: first<<32 | last
	gcThresh             [3]atomic.Int32
	parms                atomic.Pointer[core.NeighParms] // neigh.default; nil: Linux's
}

// Forward reports whether the Net as a whole routes. Linux: IPV4_DEVCONF_ALL
// FORWARDING, which is also net.ipv4.ip_forward.
func (c *Conf) Forward() bool { return c.all.Load().v[confForwarding] != 0 }

// PortRange returns the first and the last port that is chosen for sockets
// without one.
func (c *Conf) PortRange() (lo, hi uint16) {
	v := c.ports.Load()
	return uint16(v >> 16), uint16(v)
}

// newConf returns Linux's compiled-in values, for n or (nil) as the default.
func newConf(*netns.Net) *Conf {
	c := new(Conf)
	c.all.Store(&builtinAll)
	c.dflt.Store(&builtinDefault)
	c.DefaultTTL.Store(64)
	c.Somaxconn.Store(4096)
	c.UnprivilegedPort.Store(1024)
	c.ports.Store(32768<<16 | 60999)
	c.pingGroups.Store(noGroups)
	c.EchoIgnoreBroadcasts.Store(1)
	c.ICMPRatelimit.Store(1000)
	c.ICMPRatemask.Store(6168)
	c.ICMPMsgsPerSec.Store(1000)
	c.ICMPMsgsBurst.Store(50)
	c.FragHighThresh.Store(4 << 20)
	c.FragLowThresh.Store(3 << 20)
	c.FragTime.Store(30)
	c.FragMaxDist.Store(64)
	c.MinPMTU.Store(552)
	c.MTUExpires.Store(600)
	c.MinAdvMSS.Store(256)
	c.IGMPMaxMemberships.Store(20)
	c.IGMPMaxMSF.Store(10)
	c.IGMPQRV.Store(2)
	c.HashFields.Store(7)
	c.IGMPLinkLocal.Store(1)
	for i, v := range [3]int32{128, 512, 1024} {
		c.gcThresh[i].Store(v)
	}
	return c
}

// A confKey is a tunable that every device has. Linux: IPV4_DEVCONF_*.
type confKey uint8

const (
	confForwarding confKey = iota
	confBCForwarding
	confAcceptRedirects
	confSecureRedirects
	confSendRedirects
	confSharedMedia
	confRPFilter
	confAcceptSourceRoute
	confAcceptLocal
	confSrcValidMark
	confLogMartians
	confRouteLocalnet
	confProxyARP
	confProxyARPPVLAN
	confMediumID
	confARPFilter
	confARPAnnounce
	confARPIgnore
	confARPAccept
	confARPNotify
	confARPEvictNoCarrier
	confDropGratuitousARP
	confDropUnicastInL2Multicast
	confIgnoreRoutesWithLinkdown
	confPromoteSecondaries
	confTag
	confForceIGMPVersion
	confIGMPv2Interval
	confIGMPv3Interval
	numConf
)

// confNames are the names below net.ipv4.conf.DEV.
var confNames = [numConf]string{
	"forwarding", "bc_forwarding", "accept_redirects", "secure_redirects", "send_redirects", "shared_media", "rp_filter",
	"accept_source_route", "accept_local", "src_valid_mark", "log_martians", "route_localnet", "proxy_arp", "proxy_arp_pvlan",
	"medium_id", "arp_filter", "arp_announce", "arp_ignore", "arp_accept", "arp_notify", "arp_evict_nocarrier",
	"drop_gratuitous_arp", "drop_unicast_in_l2_multicast", "ignore_routes_with_linkdown", "promote_secondaries", "tag",
	"force_igmp_version", "igmpv2_unsolicited_report_interval", "igmpv3_unsolicited_report_interval",
}

// A devConf are the tunables of one device, or of all, or of devices to come.
// It is published, never patched; who never wrote shares one with others.
// Linux: struct ipv4_devconf.
type devConf struct {
	v [numConf]int32
}

// Compiled-in values, constant. Linux: ipv4_devconf and ipv4_devconf_dflt.
var (
	//tagvet:allow pkgstate published, never patched: a write stores a copy
	builtinAll = devConf{v: [numConf]int32{confAcceptRedirects: 1, confSecureRedirects: 1, confSendRedirects: 1,
		confSharedMedia: 1, confARPEvictNoCarrier: 1, confIGMPv2Interval: 10000, confIGMPv3Interval: 1000}}
	//tagvet:allow pkgstate the same
	builtinDefault = devConf{v: [numConf]int32{confAcceptRedirects: 1, confSecureRedirects: 1, confSendRedirects: 1,
		confSharedMedia: 1, confARPEvictNoCarrier: 1, confAcceptSourceRoute: 1,
		confIGMPv2Interval: 10000, confIGMPv3Interval: 1000}}
)

// merge returns what is in force at a device with its own values dev in a Net
// whose conf.all is all. Linux: the IN_DEV_* macros, include/linux/inetdevice.h.
func merge(all, dev *devConf) *devConf {
	m := *dev
	for _, k := range []confKey{confAcceptLocal, confLogMartians, confProxyARP, confSendRedirects, confSecureRedirects,
		confSharedMedia, confProxyARPPVLAN, confSrcValidMark, confRouteLocalnet, confARPFilter, confPromoteSecondaries,
		confDropGratuitousARP, confDropUnicastInL2Multicast, confIgnoreRoutesWithLinkdown} {
		m.v[k] = all.v[k] | dev.v[k]
	}
	for _, k := range []confKey{confRPFilter, confARPAnnounce, confARPIgnore, confARPNotify, confARPAccept} {
		m.v[k] = max(all.v[k], dev.v[k])
	}
	for _, k := range []confKey{confAcceptSourceRoute, confBCForwarding, confARPEvictNoCarrier} {
		m.v[k] = both(all.v[k], dev.v[k])
	}
	// The oldest version that either asks for.
	switch a, b := all.v[confForceIGMPVersion], dev.v[confForceIGMPVersion]; {
	case a == 1 || b == 1:
		m.v[confForceIGMPVersion] = 1
	case a == 2 || b == 2:
		m.v[confForceIGMPVersion] = 2
	}
	// A router believes redirects only if both say so; a host if either does.
	if dev.v[confForwarding] != 0 {
		m.v[confAcceptRedirects] = both(all.v[confAcceptRedirects], dev.v[confAcceptRedirects])
	} else {
		m.v[confAcceptRedirects] = all.v[confAcceptRedirects] | dev.v[confAcceptRedirects]
	}
	return &m
}

func both(a, b int32) int32 {
	if a != 0 && b != 0 {
		return 1
	}
	return 0
}

// Conf returns the tunables of n, to be read.
func (s *Inet) Conf(n *netns.Net) *Conf { return s.conf.Of(n) }

// Forwarding reports whether packets that arrive at d may be forwarded.
// Linux: IN_DEV_FORWARD.
func (s *Inet) Forwarding(d *core.Device) bool {
	dev := s.devs.Of(d)
	return dev != nil && dev.Forwarding()
}
