package ipv6

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
		if err := s.Sysctl.Register(sysctl.Entry{Name: "net.ipv6.conf.*." + name, Row: "net.ipv6", Instances: s.instances,
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
	if k == confRADefRtrMetric {
		return strconv.FormatUint(uint64(uint32(c.v[k])), 10), nil
	}
	return strconv.Itoa(int(c.v[k])), nil
}

// limits returns what values a tunable takes.
func (s *Inet) limits(dev *device, k confKey) (lo, hi int64) {
	switch k {
	case confHopLimit:
		return 1, 255
	case confMTU:
		if dev != nil {
			return minMTU, int64(dev.dev.MTU())
		}
		return minMTU, math.MaxInt32
	case confAddrGenMode:
		return genEUI64, genRandom
	case confAcceptUntrackedNA:
		return 0, 2
	case confRtrSolicits:
		return -1, math.MaxInt32
	case confRADefRtrMetric:
		return 1, math.MaxUint32
	case confDropUnicastInL2Multicast, confDropUnsolicitedNA, confIgnoreRoutesWithLinkdown:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt32, math.MaxInt32
}

// setConf writes a tunable of all, of devices to come (default) or of one
// device; under rtnl. Of all only forwarding, disable_ipv6 and addr_gen_mode
// reach devices. Linux: addrconf_sysctl_forward, addrconf_sysctl_disable and
// their kind.
func (s *Inet) setConf(n *netns.Net, instance string, k confKey, value string) error {
	var dev *device
	if instance != "all" && instance != "default" {
		if dev = s.deviceNamed(n, instance); dev == nil {
			return syscall.ENOENT
		}
	}
	lo, hi := s.limits(dev, k)
	num, err := parseInt(value, lo, hi)
	if err != nil {
		return err
	}
	if k == confAddrGenMode && num == genStable && dev != nil && s.secret(dev) == nil {
		return syscall.EINVAL
	}
	v := int32(num)
	switch instance {
	case "all":
		c := s.conf.Own(n)
		c.all.Store(c.all.Load().with(k, v))
		switch k {
		case confForwarding, confDisable, confAddrGenMode, confIgnoreRoutesWithLinkdown:
			c.dflt.Store(c.dflt.Load().with(k, v))
			for _, d := range s.Core.Devices(n) {
				if other := s.devs.Of(d); other != nil {
					s.storeConf(other, k, v)
				}
			}
		}
	case "default":
		c := s.conf.Own(n)
		c.dflt.Store(c.dflt.Load().with(k, v))
	default:
		s.storeConf(dev, k, v)
	}
	return nil
}

// with returns a copy with one value changed, or c itself.
func (c *devConf) with(k confKey, v int32) *devConf {
	if c.v[k] == v {
		return c
	}
	next := *c
	next.v[k] = v
	return &next
}

// storeConf publishes a device's values with one changed, and does what follows.
func (s *Inet) storeConf(dev *device, k confKey, v int32) {
	old := dev.own.Load()
	next := old.with(k, v)
	dev.own.Store(next)
	was, is := old.v[k] != 0, v != 0
	switch k {
	case confForwarding:
		if was != is {
			s.forwardingChanged(dev)
		}
	case confDisable:
		if was && !is {
			s.deviceUp(dev)
		} else if !was && is {
			s.deviceDown(dev, false)
		}
	case confAddrGenMode:
		if old.v[k] != v && dev.ready.Load() && !dev.loopback() {
			mu := s.lock(dev.dev.Net())
			s.addLinkLocal(dev)
			mu.Unlock()
		}
	}
}

// forwardingChanged makes dev's Net a router on its link, or no longer one.
// Linux: dev_forward_change.
func (s *Inet) forwardingChanged(dev *device) {
	defer s.lock(dev.dev.Net()).Unlock()
	on := dev.on(confForwarding)
	if on {
		dev.joinRouters(s.enterGroup)
		s.purgeRouters(dev.dev.Net())
	} else {
		dev.joinRouters(s.leave)
	}
	for _, a := range dev.Addrs() {
		switch {
		case a.Tentative():
		case on:
			s.addAnycast(dev, a)
		default:
			s.delAnycast(dev, a)
		}
	}
}
