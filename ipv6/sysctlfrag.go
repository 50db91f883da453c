package ipv6

import (
	"math"
	"strconv"

	"nsmodel/core/sysctl"
	"nsmodel/netns"
)

// initFragSysctl registers the limits on fragments. Linux: ip6_frags_ns_ctl_table.
func (s *Inet) initFragSysctl() error {
	for _, e := range []sysctl.Entry{
		{Name: "net.ipv6.ip6frag_high_thresh", Get: s.getFrag(true), Set: s.setFrag(true)},
		{Name: "net.ipv6.ip6frag_low_thresh", Get: s.getFrag(false), Set: s.setFrag(false)},
	} {
		e.Row = "net.ipv6"
		if err := s.Sysctl.Register(e); err != nil {
			return err
		}
	}
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
		v, err := parseInt(value, lo, hi)
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
