package ipv6

import (
	"math"
	"sync/atomic"

	"nsmodel/core"
	"nsmodel/netns"
)

// Conf are the tunables of one Net, net.ipv6.*, without those per device.
// Writers hold rtnl; anybody reads. Linux: struct netns_ipv6.
type Conf struct {
	all, dflt atomic.Pointer[devConf] // net.ipv6.conf.{all,default}.*

	NonlocalBind  atomic.Int32 // ip_nonlocal_bind
	BindV6Only    atomic.Int32 // bindv6only
	EchoIgnoreAll atomic.Int32 // icmp.echo_ignore_all
	EchoIgnoreMc  atomic.Int32 // icmp.echo_ignore_multicast
	EchoIgnoreAny atomic.Int32 // icmp.echo_ignore_anycast
	ErrorAnycast  atomic.Int32 // icmp.error_anycast_as_unicast
	ICMPRatelimit atomic.Int32 // icmp.ratelimit, in ms between errors to one peer
	FwmarkReflect atomic.Int32 // fwmark_reflect
	HashPolicy    atomic.Int32 // fib_multipath_hash_policy
	HashFields    atomic.Int32 // fib_multipath_hash_fields, a mask
	MLDQRV        atomic.Int32 // mld_qrv, how often a change is told
	MLDMaxMSF     atomic.Int32 // mld_max_msf, sources a socket's filter may name
	MinAdvMSS     atomic.Int32 // route.min_adv_mss, kept for who will need it
	IDGenRetries  atomic.Int32 // idgen_retries, of stable-privacy addresses that others have
	IDGenDelay    atomic.Int32 // idgen_delay, in seconds, before each of them
	MTUExpires    atomic.Int32 // route.mtu_expires, in seconds
	GCTimeout     atomic.Int32 // route.gc_timeout, in seconds that a redirect holds
	gcThresh      [3]atomic.Int32
	neighDefaults atomic.Pointer[core.NeighParms] // neigh.default; nil: Linux's

	FragHighThresh atomic.Int64 // ip6frag_high_thresh, in bytes
	FragLowThresh  atomic.Int64 // ip6frag_low_thresh, in bytes; not used, as in Linux since 4.17
	FragTime       atomic.Int32 // ip6frag_time, in seconds

	hopOptions, dstOptions optionLimit // max_hbh_opts_number, max_hbh_length, max_dst_opts_number, max_dst_opts_length

	AutoFlowLabels       atomic.Int32 // auto_flowlabels
	FlowLabelConsistency atomic.Int32 // flowlabel_consistency, of labels that answer others': no socket asks for them
	FlowLabelStateRanges atomic.Int32 // flowlabel_state_ranges
	FlowLabelReflect     atomic.Int32 // flowlabel_reflect, as bits: 4 is for echo replies
}

// Forward reports whether the Net as a whole routes. Linux: devconf_all's
// forwarding.
func (c *Conf) Forward() bool { return c.all.Load().v[confForwarding] != 0 }

// newConf returns what Nets begin with, for n or (nil) as the default.
func (s *Inet) newConf(*netns.Net) *Conf {
	c := new(Conf)
	c.all.Store(s.all)
	c.dflt.Store(s.dflt)
	c.ICMPRatelimit.Store(100)
	c.MinAdvMSS.Store(1220)
	c.HashFields.Store(7)
	c.FragHighThresh.Store(4 << 20)
	c.FragLowThresh.Store(3 << 20)
	c.FragTime.Store(60)
	for _, o := range []*optionLimit{&c.hopOptions, &c.dstOptions} { // Linux: IP6_DEFAULT_MAX_HBH_OPTS_CNT and its kind
		o.number.Store(8)
		o.longest.Store(math.MaxInt32)
	}
	c.AutoFlowLabels.Store(labelsOptOut)
	c.FlowLabelConsistency.Store(1)
	c.MLDQRV.Store(2)
	c.MLDMaxMSF.Store(64)
	c.IDGenRetries.Store(3)
	c.IDGenDelay.Store(1)
	c.MTUExpires.Store(600)
	c.GCTimeout.Store(60)
	for i, v := range [3]int32{128, 512, 1024} {
		c.gcThresh[i].Store(v)
	}
	return c
}

// A confKey is a tunable that every device has. Linux: enum DEVCONF_*.
type confKey uint8

const (
	confForwarding confKey = iota
	confHopLimit
	confMTU
	confDADTransmits
	confAcceptDAD
	confDisable
	confAddrGenMode
	confNDiscNotify
	confProxyNDP
	confAcceptRedirects
	confDropUnicastInL2Multicast
	confDropUnsolicitedNA
	confIgnoreRoutesWithLinkdown
	confForceMLDVersion
	confMLDv1Interval
	confMLDv2Interval
	confAcceptRA
	confAcceptRADefRtr
	confAcceptRAPinfo
	confAcceptRAMTU
	confAcceptRARtrPref
	confAcceptRAMinHopLimit
	confAcceptRAMinLft
	confAcceptRAFromLocal
	confAcceptRARtInfoMin
	confAcceptRARtInfoMax
	confRADefRtrMetric
	confRAHonorPIOLife
	confAutoconf
	confMaxAddresses
	confOptimisticDAD
	confUseOptimistic
	confRtrSolicits
	confRtrSolicitDelay
	confRtrSolicitInterval
	confRtrSolicitMaxInterval
	confUseTempAddr
	confTempValidLft
	confTempPreferredLft
	confRegenMaxRetry
	confRegenMinAdvance
	confMaxDesyncFactor
	confKeepAddrOnDown
	confAcceptUntrackedNA
	confRtrProbeInterval
	numConf
)

// confNames are the names below net.ipv6.conf.DEV.
var confNames = [numConf]string{
	"forwarding", "hop_limit", "mtu", "dad_transmits", "accept_dad", "disable_ipv6", "addr_gen_mode", "ndisc_notify",
	"proxy_ndp", "accept_redirects", "drop_unicast_in_l2_multicast", "drop_unsolicited_na", "ignore_routes_with_linkdown",
	"force_mld_version", "mldv1_unsolicited_report_interval", "mldv2_unsolicited_report_interval",
	"accept_ra", "accept_ra_defrtr", "accept_ra_pinfo", "accept_ra_mtu", "accept_ra_rtr_pref", "accept_ra_min_hop_limit",
	"accept_ra_min_lft", "accept_ra_from_local", "accept_ra_rt_info_min_plen", "accept_ra_rt_info_max_plen", "ra_defrtr_metric",
	"ra_honor_pio_life", "autoconf", "max_addresses", "optimistic_dad", "use_optimistic", "router_solicitations",
	"router_solicitation_delay", "router_solicitation_interval", "router_solicitation_max_interval",
	"use_tempaddr", "temp_valid_lft", "temp_prefered_lft", "regen_max_retry", "regen_min_advance", "max_desync_factor", "keep_addr_on_down",
	"accept_untracked_na",
	"router_probe_interval",
}

// A devConf are the tunables of one device, or of all, or of devices to come.
// It is published, never patched; who never wrote shares one with others. Unlike
// IPv4's, what conf.all says counts for a device in a few cases only: else all
// is a way to write to every device. Linux: struct ipv6_devconf.
type devConf struct {
	v      [numConf]int32
	secret *[16]byte // stable_secret; nil: none was given
}

// builtins returns the compiled-in values. Linux: ipv6_devconf and
// ipv6_devconf_dflt.
func builtins(enabled bool) (all, dflt *devConf) {
	all = &devConf{v: [numConf]int32{confHopLimit: 64, confMTU: minMTU, confDADTransmits: 1, confAcceptRedirects: 1,
		confMLDv1Interval: 10000, confMLDv2Interval: 1000,
		confAcceptRA: 1, confAcceptRADefRtr: 1, confAcceptRAPinfo: 1, confAcceptRAMTU: 1, confAcceptRARtrPref: 1,
		confAcceptRAMinHopLimit: 1, confRADefRtrMetric: 1024, confAutoconf: 1, confMaxAddresses: 16,
		confRtrSolicits: -1, confRtrSolicitDelay: 1, confRtrSolicitInterval: 4, confRtrSolicitMaxInterval: 3600,
		confTempValidLft: 7 * 86400, confTempPreferredLft: 86400, confRegenMaxRetry: 3, confRegenMinAdvance: 2, confMaxDesyncFactor: 600,
		confRtrProbeInterval: 60}}
	if !enabled {
		all.v[confDisable] = 1
	}
	own := *all
	own.v[confAcceptDAD] = 1
	return all, &own
}

// Values of addr_gen_mode. Linux: enum in6_addr_gen_mode.
const (
	genEUI64  = 0
	genNone   = 1
	genStable = 2
	genRandom = 3 // as genStable, with a secret that is drawn
)

// Conf returns the tunables of n, to be read.
func (s *Inet) Conf(n *netns.Net) *Conf { return s.conf.Of(n) }

// either reports whether conf.all or the device says k.
func (s *Inet) either(dev *device, k confKey) bool {
	return dev.on(k) || s.conf.Of(dev.dev.Net()).all.Load().v[k] != 0
}

// Forwarding reports whether packets that arrive at d may be forwarded.
func (s *Inet) Forwarding(d *core.Device) bool {
	dev := s.devs.Of(d)
	return dev != nil && dev.on(confForwarding)
}
