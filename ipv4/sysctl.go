package ipv4

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"nsmodel/core/sysctl"
	"nsmodel/netns"
)

// ParseInt reads a number as a sysctl does: blanks before it, a sign, decimal,
// octal with 0 or hexadecimal with 0x; what follows after a blank is not
// looked at. EINVAL for what is no number between lo and hi.
// Linux: do_proc_dointvec, proc_get_long.
func ParseInt(value string, lo, hi int64) (int64, error) {
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

// initSysctl registers net.ipv4.* and the names below net.core that IPv4's
// sockets go by.
func (s *Inet) initSysctl() error {
	for _, register := range []func() error{s.initNetSysctl, s.initConfSysctl, s.initNeighSysctl, s.initCoreSysctl, s.initMultipathSysctl} {
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
	{"ip_default_ttl", func(c *Conf) *atomic.Int32 { return &c.DefaultTTL }, 1, 255},
	{"ip_no_pmtu_disc", func(c *Conf) *atomic.Int32 { return &c.NoPMTUDisc }, 0, 255},
	{"ip_forward_use_pmtu", func(c *Conf) *atomic.Int32 { return &c.ForwardUsePMTU }, 0, 255},
	{"ip_nonlocal_bind", func(c *Conf) *atomic.Int32 { return &c.NonlocalBind }, 0, 255},
	{"ip_unprivileged_port_start", func(c *Conf) *atomic.Int32 { return &c.UnprivilegedPort }, 0, 65535},
	{"icmp_echo_ignore_all", func(c *Conf) *atomic.Int32 { return &c.EchoIgnoreAll }, 0, 1},
	{"icmp_echo_ignore_broadcasts", func(c *Conf) *atomic.Int32 { return &c.EchoIgnoreBroadcasts }, 0, 1},
	{"icmp_errors_use_inbound_ifaddr", func(c *Conf) *atomic.Int32 { return &c.ErrorsUseInbound }, 0, 1},
	{"icmp_ratelimit", func(c *Conf) *atomic.Int32 { return &c.ICMPRatelimit }, 0, math.MaxInt32},
	{"icmp_ratemask", func(c *Conf) *atomic.Int32 { return &c.ICMPRatemask }, math.MinInt32, math.MaxInt32},
	{"icmp_msgs_per_sec", func(c *Conf) *atomic.Int32 { return &c.ICMPMsgsPerSec }, 0, math.MaxInt32},
	{"icmp_msgs_burst", func(c *Conf) *atomic.Int32 { return &c.ICMPMsgsBurst }, 0, math.MaxInt32},
	{"ipfrag_time", func(c *Conf) *atomic.Int32 { return &c.FragTime }, math.MinInt32, math.MaxInt32},
	{"ipfrag_max_dist", func(c *Conf) *atomic.Int32 { return &c.FragMaxDist }, 0, math.MaxInt32},
	{"route.min_pmtu", func(c *Conf) *atomic.Int32 { return &c.MinPMTU }, minMTU, math.MaxInt32},
	{"route.mtu_expires", func(c *Conf) *atomic.Int32 { return &c.MTUExpires }, math.MinInt32 / 1000, math.MaxInt32 / 1000},
	{"route.min_adv_mss", func(c *Conf) *atomic.Int32 { return &c.MinAdvMSS }, math.MinInt32, math.MaxInt32},
	{"somaxconn", func(c *Conf) *atomic.Int32 { return &c.Somaxconn }, 0, math.MaxInt32}, // below net.core
	{"igmp_max_memberships", func(c *Conf) *atomic.Int32 { return &c.IGMPMaxMemberships }, math.MinInt32, math.MaxInt32},
	{"igmp_max_msf", func(c *Conf) *atomic.Int32 { return &c.IGMPMaxMSF }, math.MinInt32, math.MaxInt32},
	{"igmp_qrv", func(c *Conf) *atomic.Int32 { return &c.IGMPQRV }, 1, math.MaxInt32},
	{"igmp_link_local_mcast_reports", func(c *Conf) *atomic.Int32 { return &c.IGMPLinkLocal }, 0, 255},
	{"fib_multipath_hash_policy", func(c *Conf) *atomic.Int32 { return &c.HashPolicy }, 0, 3},
	{"fib_multipath_hash_fields", func(c *Conf) *atomic.Int32 { return &c.HashFields }, 1, 0xfff},
	{"fwmark_reflect", func(c *Conf) *atomic.Int32 { return &c.FwmarkReflect }, 0, 255},
}

func (s *Inet) initNetSysctl() error {
	for _, k := range numbers {
		row := "net.ipv4"
		if k.name == "somaxconn" {
			row = "net.core"
		}
		if err := s.Sysctl.Register(sysctl.Entry{Name: row + "." + k.name, Row: row,
			Get: func(n *netns.Net, _ string) (string, error) {
				return strconv.Itoa(int(k.at(s.conf.Of(n)).Load())), nil
			},
			Set: func(n *netns.Net, _, value string) error {
				v, err := ParseInt(value, k.lo, k.hi)
				if err == nil && int32(v) != k.at(s.conf.Of(n)).Load() {
					k.at(s.conf.Own(n)).Store(int32(v))
				}
				return err
			}}); err != nil {
			return err
		}
	}
	for _, e := range []sysctl.Entry{
		{Name: "net.ipv4.ip_forward", Get: s.getForward, Set: s.setForward},
		{Name: "net.ipv4.ip_local_port_range", Get: s.getPorts, Set: s.setPorts},
		{Name: "net.ipv4.ping_group_range", Get: s.getPingGroups, Set: s.setPingGroups},
		{Name: "net.ipv4.ipfrag_high_thresh", Get: s.getFrag(true), Set: s.setFrag(true)},
		{Name: "net.ipv4.ipfrag_low_thresh", Get: s.getFrag(false), Set: s.setFrag(false)},
		{Name: "net.ipv4.route.flush", Get: func(*netns.Net, string) (string, error) { return "", syscall.EACCES }, Set: s.setFlush},
	} {
		e.Row = "net.ipv4"
		if err := s.Sysctl.Register(e); err != nil {
			return err
		}
	}
	return nil
}

func (s *Inet) getForward(n *netns.Net, _ string) (string, error) {
	return s.getConf(n, "all", confForwarding)
}

func (s *Inet) setForward(n *netns.Net, _, value string) error {
	return s.setConf(n, "all", confForwarding, value)
}

func (s *Inet) getPorts(n *netns.Net, _ string) (string, error) {
	lo, hi := s.conf.Of(n).PortRange()
	return fmt.Sprintf("%d\t%d", lo, hi), nil
}

// setPorts takes two numbers from 1 to 65535, the first not above the second.
// Linux: ipv4_local_port_range; it also warns if both have one parity.
func (s *Inet) setPorts(n *netns.Net, _, value string) error {
	f := strings.Fields(value)
	if len(f) != 2 {
		return syscall.EINVAL
	}
	lo, err := ParseInt(f[0], 1, 65535)
	if err != nil {
		return err
	}
	hi, err := ParseInt(f[1], 1, 65535)
	if err != nil || hi < lo {
		return syscall.EINVAL
	}
	s.conf.Own(n).ports.Store(uint32(lo)<<16 | uint32(hi))
	return nil
}

func (s *Inet) getFrag(high bool) func(*netns.Net, string) (string, error) {
	return func(n *netns.Net, _ string) (string, error) {
		c := s.conf.Of(n)
		if high {
			return strconv.FormatInt(c.FragHighThresh.Load(), 10), nil
		}
		return strconv.FormatInt(c.FragLowThresh.Load(), 10), nil
	}
}

// setFrag keeps low below high. Linux: proc_doulongvec_minmax with extra1 and 2.
func (s *Inet) setFrag(high bool) func(*netns.Net, string, string) error {
	return func(n *netns.Net, _, value string) error {
		c := s.conf.Of(n)
		lo, hi := int64(0), c.FragHighThresh.Load()
		if high {
			lo, hi = c.FragLowThresh.Load(), math.MaxInt64
		}
		v, err := ParseInt(value, lo, hi)
		if err != nil {
			return err
		}
		if c = s.conf.Own(n); high {
			c.FragHighThresh.Store(v)
		} else {
			c.FragLowThresh.Store(v)
		}
		return nil
	}
}

// coreDefaults are names below net.core. Linux shows those of sockets' buffers
// to every Net, which only the initial one may write: they are the machine's.
// netdev_max_backlog exists in the initial Net alone. All but somaxconn are
// read-only here: the machine is built with them. Linux: net_core_table,
// netns_core_table, sysctl_core_net_init.
func (s *Inet) initCoreSysctl() error {
	for _, e := range []struct {
		name  string
		value int
		init  bool
	}{
		{"rmem_default", 212992, false}, {"rmem_max", 212992, false}, {"wmem_default", 212992, false}, {"wmem_max", 212992, false},
		{"netdev_max_backlog", s.Core.Config().Backlog, true},
	} {
		text := strconv.Itoa(e.value)
		if err := s.Sysctl.Register(sysctl.Entry{Name: "net.core." + e.name, Row: "net.core", InitOnly: e.init,
			Get: func(*netns.Net, string) (string, error) { return text, nil }}); err != nil {
			return err
		}
	}
	return nil
}

// instances lists what stands for * below net.ipv4.conf.
func (s *Inet) instances(n *netns.Net) []string {
	all := []string{"all", "default"}
	for _, d := range s.Core.Devices(n) {
		if s.devs.Of(d) != nil {
			all = append(all, d.Name())
		}
	}
	return all
}

// deviceNamed returns what IPv4 keeps at n's device of that name, or nil.
func (s *Inet) deviceNamed(n *netns.Net, name string) *device {
	d := s.Core.Device(n, name)
	if d == nil {
		return nil
	}
	return s.devs.Of(d)
}

// setFlush forgets what was learnt of ways, whatever is written; nobody can read
// it. Linux: ipv4_sysctl_rtcache_flush.
func (s *Inet) setFlush(n *netns.Net, _, value string) error {
	if _, err := ParseInt(value, math.MinInt32, math.MaxInt32); err != nil {
		return err
	}
	s.flushExceptions(n)
	return nil
}
