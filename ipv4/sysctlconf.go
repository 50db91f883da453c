package ipv4

import (
	"math"
	"strconv"
	"syscall"

	"nsmodel/core/sysctl"
	"nsmodel/netns"
)

func (s *Inet) initConfSysctl() error {
	for k, name := range confNames {
		key := confKey(k)
		if err := s.Sysctl.Register(sysctl.Entry{Name: "net.ipv4.conf.*." + name, Row: "net.ipv4", Instances: s.instances,
			Get: func(n *netns.Net, instance string) (string, error) { return s.getConf(n, instance, key) },
			Set: func(n *netns.Net, instance, value string) error { return s.setConf(n, instance, key, value) },
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Inet) getConf(n *netns.Net, instance string, k confKey) (string, error) {
	var c *devConf
	switch instance {
	case "all":
		c = s.conf.Of(n).all.Load()
	case "default":
		c = s.conf.Of(n).dflt.Load()
	default:
		dev := s.deviceNamed(n, instance)
		if dev == nil {
			return "", syscall.ENOENT
		}
		c = dev.own.Load()
	}
	return strconv.Itoa(int(c.v[k])), nil
}

// setConf writes a tunable of all, of devices to come (default) or of one
// device; under rtnl. Linux: devinet_conf_proc, devinet_sysctl_forward.
func (s *Inet) setConf(n *netns.Net, instance string, k confKey, value string) error {
	num, err := ParseInt(value, math.MinInt32, math.MaxInt32)
	if err != nil {
		return err
	}
	v := int32(num)
	switch instance {
	case "all":
		s.setAllConf(n, k, v)
	case "default":
		s.setDefaultConf(n, k, v)
	default:
		dev := s.deviceNamed(n, instance)
		if dev == nil {
			return syscall.ENOENT
		}
		if k == confForwarding && dev.own.Load().v[k] == v {
			return nil // Linux looks at a change only, and does not mark the device
		}
		if k != confForwarding {
			dev.set |= 1 << k
		}
		s.storeConf(n, dev, k, v)
	}
	return nil
}

// setAllConf writes to conf.all. A change of forwarding goes to all devices and
// to those to come, and turns believing in redirects with it: a router does not
// take advice (RFC 1812 section 5.2.7.2). Linux: inet_forward_change.
func (s *Inet) setAllConf(n *netns.Net, k confKey, v int32) {
	c := s.conf.Own(n)
	old := c.all.Load()
	if old.v[k] == v {
		return
	}
	all := *old
	all.v[k] = v
	if k == confForwarding {
		all.v[confAcceptRedirects] = 0
		if v == 0 {
			all.v[confAcceptRedirects] = 1
		}
		dflt := *c.dflt.Load()
		dflt.v[confForwarding] = v
		c.dflt.Store(&dflt)
	}
	c.all.Store(&all)
	for _, d := range s.Core.Devices(n) {
		dev := s.devs.Of(d)
		if dev == nil {
			continue
		}
		if k == confForwarding {
			dev.set |= 1 << k
			s.storeConf(n, dev, k, v)
			continue
		}
		dev.eff.Store(s.merged(&all, dev.own.Load()))
	}
}

// setDefaultConf writes to conf.default, which devices follow where nobody has
// written to them; forwarding excepted. A device to come is not among those:
// it takes the marks with the values, as Linux copies both.
// Linux: devinet_copy_dflt_conf.
func (s *Inet) setDefaultConf(n *netns.Net, k confKey, v int32) {
	c := s.conf.Own(n)
	old := c.dflt.Load()
	dflt := *old
	dflt.v[k] = v
	c.dflt.Store(&dflt)
	if k == confForwarding {
		return
	}
	c.dfltSet |= 1 << k
	for _, d := range s.Core.Devices(n) {
		if dev := s.devs.Of(d); dev != nil && dev.set&(1<<k) == 0 {
			s.storeConf(n, dev, k, v)
		}
	}
}

// storeConf publishes a device's values with one changed.
func (s *Inet) storeConf(n *netns.Net, dev *device, k confKey, v int32) {
	c := s.conf.Of(n)
	own := *dev.own.Load()
	own.v[k] = v
	if dflt := c.dflt.Load(); own == *dflt {
		dev.own.Store(dflt)
	} else {
		dev.own.Store(&own)
	}
	dev.eff.Store(s.merged(c.all.Load(), dev.own.Load()))
}

// merged returns what is in force where all and own meet, shared where it can be.
func (s *Inet) merged(all, own *devConf) *devConf {
	if all == &builtinAll && own == &builtinDefault {
		return s.both
	}
	if s.last.all != all || s.last.own != own {
		s.last.all, s.last.own, s.last.eff = all, own, merge(all, own)
	}
	return s.last.eff
}

// setAll makes the device deaf to conf.default and neigh.default: it has an
// address now. Linux: ipv4_devconf_setall, neigh_parms_data_state_setall.
func (dev *device) setAll() { dev.set, dev.parmsSet = math.MaxUint32, math.MaxUint32 }
