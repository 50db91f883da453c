package ipv6

import (
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"nsmodel/core/sysctl"
	"nsmodel/netns"
)

// parseInt reads a number as a sysctl does; see ipv4.ParseInt.
func parseInt(value string, lo, hi int64) (int64, error) {
	word, _, _ := strings.Cut(strings.TrimLeft(value, " \t\n"), " ")
	word, _, _ = strings.Cut(word, "\t")
	if strings.HasPrefix(word, "+") || strings.ContainsAny(word, "_bBoO") && !strings.HasPrefix(strings.ToLower(strings.TrimPrefix(word, "-")), "0x") {
		return 0, syscall.EINVAL
	}
	v, err := strconv.ParseInt(word, 0, 64)
	if err != nil || v < lo || v > hi || strings.Contains(word, "_") {
		return 0, syscall.EINVAL
	}
	return v, nil
}

// initSysctl registers net.ipv6.*.
func (s *Inet) initSysctl() error {
	for _, register := range []func() error{s.initNetSysctl, s.initMLDSysctl, s.initConfSysctl, s.initStableSysctl, s.initNeighSysctl} {
		if err := register(); err != nil {
			return err
		}
	}
	return nil
}

// A number is a tunable of a Net that is one number.
type number struct {
	name   string
	at     func(c *Conf) *atomic.Int32
	lo, hi int64
}

var numbers = []number{
	{"ip_nonlocal_bind", func(c *Conf) *atomic.Int32 { return &c.NonlocalBind }, 0, 255},
	{"bindv6only", func(c *Conf) *atomic.Int32 { return &c.BindV6Only }, 0, 255},
	{"fwmark_reflect", func(c *Conf) *atomic.Int32 { return &c.FwmarkReflect }, 0, 255},
	{"fib_multipath_hash_policy", func(c *Conf) *atomic.Int32 { return &c.HashPolicy }, 0, 3},
	{"fib_multipath_hash_fields", func(c *Conf) *atomic.Int32 { return &c.HashFields }, 1, 0xfff},
	{"max_hbh_opts_number", func(c *Conf) *atomic.Int32 { return &c.hopOptions.number }, math.MinInt32, math.MaxInt32},
	{"max_hbh_length", func(c *Conf) *atomic.Int32 { return &c.hopOptions.longest }, math.MinInt32, math.MaxInt32},
	{"max_dst_opts_number", func(c *Conf) *atomic.Int32 { return &c.dstOptions.number }, math.MinInt32, math.MaxInt32},
	{"max_dst_opts_length", func(c *Conf) *atomic.Int32 { return &c.dstOptions.longest }, math.MinInt32, math.MaxInt32},
	{"auto_flowlabels", func(c *Conf) *atomic.Int32 { return &c.AutoFlowLabels }, labelsOff, labelsForced},
	{"flowlabel_consistency", func(c *Conf) *atomic.Int32 { return &c.FlowLabelConsistency }, 0, 255},
	{"flowlabel_state_ranges", func(c *Conf) *atomic.Int32 { return &c.FlowLabelStateRanges }, 0, 255},
	{"flowlabel_reflect", func(c *Conf) *atomic.Int32 { return &c.FlowLabelReflect }, 0, 7},
	{"ip6frag_time", func(c *Conf) *atomic.Int32 { return &c.FragTime }, math.MinInt32, math.MaxInt32},
	{"idgen_retries", func(c *Conf) *atomic.Int32 { return &c.IDGenRetries }, math.MinInt32, math.MaxInt32},
	{"idgen_delay", func(c *Conf) *atomic.Int32 { return &c.IDGenDelay }, math.MinInt32, math.MaxInt32},
	{"icmp.ratelimit", func(c *Conf) *atomic.Int32 { return &c.ICMPRatelimit }, 0, math.MaxInt32},
	{"icmp.echo_ignore_all", func(c *Conf) *atomic.Int32 { return &c.EchoIgnoreAll }, 0, 255},
	{"icmp.echo_ignore_multicast", func(c *Conf) *atomic.Int32 { return &c.EchoIgnoreMc }, 0, 255},
	{"route.mtu_expires", func(c *Conf) *atomic.Int32 { return &c.MTUExpires }, math.MinInt32 / 1000, math.MaxInt32 / 1000},
	{"route.gc_timeout", func(c *Conf) *atomic.Int32 { return &c.GCTimeout }, math.MinInt32 / 1000, math.MaxInt32 / 1000},
	{"route.min_adv_mss", func(c *Conf) *atomic.Int32 { return &c.MinAdvMSS }, math.MinInt32, math.MaxInt32},
	{"icmp.error_anycast_as_unicast", func(c *Conf) *atomic.Int32 { return &c.ErrorAnycast }, 0, 1},
	{"icmp.echo_ignore_anycast", func(c *Conf) *atomic.Int32 { return &c.EchoIgnoreAny }, 0, 255},
}

func (s *Inet) initNetSysctl() error {
	for _, k := range numbers {
		if err := s.registerNumber(k, false); err != nil {
			return err
		}
	}
	return s.initFragSysctl()
}

// registerNumber registers a number, for the initial Net alone if initOnly.
func (s *Inet) registerNumber(k number, initOnly bool) error {
	return s.Sysctl.Register(sysctl.Entry{Name: "net.ipv6." + k.name, Row: "net.ipv6", InitOnly: initOnly,
		Get: func(n *netns.Net, _ string) (string, error) {
			return strconv.Itoa(int(k.at(s.conf.Of(n)).Load())), nil
		},
		Set: func(n *netns.Net, _, value string) error {
			v, err := parseInt(value, k.lo, k.hi)
			if err == nil && int32(v) != k.at(s.conf.Of(n)).Load() {
				k.at(s.conf.Own(n)).Store(int32(v))
			}
			return err
		}})
}

// SetNeighLimits sets how many neighbours n keeps without looking at their age,
// how many for more than five seconds, and how many at all. Linux: gc_thresh1
// to 3.
func (s *Inet) SetNeighLimits(n *netns.Net, limits [3]int) {
	c := s.conf.Own(n)
	for i, v := range limits {
		c.gcThresh[i].Store(int32(v))
	}
}

// instances lists what stands for * below net.ipv6.conf.
func (s *Inet) instances(n *netns.Net) []string {
	all := []string{"all", "default"}
	for _, d := range s.Core.Devices(n) {
		if s.devs.Of(d) != nil {
			all = append(all, d.Name())
		}
	}
	return all
}

// deviceNamed returns what IPv6 keeps at n's device of that name, or nil.
func (s *Inet) deviceNamed(n *netns.Net, name string) *device {
	d := s.Core.Device(n, name)
	if d == nil {
		return nil
	}
	return s.devs.Of(d)
}
