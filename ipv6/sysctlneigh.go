package ipv6

import (
	"math"
	"strconv"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/core/sysctl"
	"nsmodel/netns"
)

// userHZ is how many jiffies user space sees in a second. Linux: USER_HZ.
const userHZ = 100

// packetSize is what a packet that waits counts for where packets and not bytes
// are told. Linux: SKB_TRUESIZE(ETH_FRAME_LEN).
const packetSize = 2090

// A neighKey is a tunable of resolution.
type neighTunable struct {
	name string
	get  func(p *core.NeighParms) int64
	set  func(p *core.NeighParms, v int64)
	lo   int64
}

func counter(name string, at func(p *core.NeighParms) *int) neighTunable {
	return neighTunable{name, func(p *core.NeighParms) int64 { return int64(*at(p)) },
		func(p *core.NeighParms, v int64) { *at(p) = int(v) }, 0}
}

// span is a time, in the unit that user space sees.
func span(name string, unit time.Duration, at func(p *core.NeighParms) *time.Duration) neighTunable {
	lo := int64(math.MinInt32)
	if unit == time.Millisecond {
		lo = 0 // what is negative is too long for Linux. Linux: msecs_to_jiffies
	}
	return neighTunable{name, func(p *core.NeighParms) int64 { return int64(*at(p) / unit) },
		func(p *core.NeighParms, v int64) { *at(p) = time.Duration(v) * unit }, lo}
}

var neighTunables = []neighTunable{
	counter("mcast_solicit", func(p *core.NeighParms) *int { return &p.McastProbes }),
	counter("ucast_solicit", func(p *core.NeighParms) *int { return &p.UcastProbes }),
	counter("app_solicit", func(p *core.NeighParms) *int { return &p.AppProbes }),
	counter("mcast_resolicit", func(p *core.NeighParms) *int { return &p.McastReprobes }),
	counter("unres_qlen_bytes", func(p *core.NeighParms) *int { return &p.QueueBytes }),
	{"unres_qlen", func(p *core.NeighParms) int64 { return int64(p.QueueBytes / packetSize) },
		func(p *core.NeighParms, v int64) { p.QueueBytes = int(v) * packetSize }, 0},
	span("retrans_time_ms", time.Millisecond, func(p *core.NeighParms) *time.Duration { return &p.Retrans }),
	span("delay_first_probe_time", time.Second, func(p *core.NeighParms) *time.Duration { return &p.DelayProbe }),
	span("gc_stale_time", time.Second, func(p *core.NeighParms) *time.Duration { return &p.GCStale }),
	span("locktime", time.Second/userHZ, func(p *core.NeighParms) *time.Duration { return &p.Locktime }),
	span("proxy_delay", time.Second/userHZ, func(p *core.NeighParms) *time.Duration { return &p.ProxyDelay }),
	counter("proxy_qlen", func(p *core.NeighParms) *int { return &p.ProxyQueue }),
	span(baseReachable, time.Millisecond, func(p *core.NeighParms) *time.Duration { return &p.BaseReachable }),
}

const baseReachable = "base_reachable_time_ms"

// initNeighSysctl registers net.ipv6.neigh.
//
// On Linux 6.18 there is one table of neighbours: neigh.default exists in the
// initial Net alone, and gc_thresh1 to 3 there bound all Nets together. Here a
// child does not see the names either, but has values of its own, Linux's, that
// count its own entries: a limit that Nets share would tell them of each other.
func (s *Inet) initNeighSysctl() error {
	for i := range neighTunables {
		t, bit := neighTunables[i], uint32(1)<<i
		if err := s.Sysctl.Register(sysctl.Entry{Name: "net.ipv6.neigh.*." + t.name, Row: "net.ipv6", Instances: s.neighInstances,
			Get: func(n *netns.Net, instance string) (string, error) {
				p, err := s.parmsOf(n, instance)
				if err != nil {
					return "", err
				}
				return strconv.FormatInt(t.get(p), 10), nil
			},
			Set: func(n *netns.Net, instance, value string) error { return s.setParm(n, instance, t, bit, value) },
		}); err != nil {
			return err
		}
	}
	for i, name := range []string{"gc_thresh1", "gc_thresh2", "gc_thresh3"} {
		if err := s.Sysctl.Register(sysctl.Entry{Name: "net.ipv6.neigh.default." + name, Row: "net.ipv6", InitOnly: true,
			Get: func(n *netns.Net, _ string) (string, error) {
				return strconv.Itoa(int(s.conf.Of(n).gcThresh[i].Load())), nil
			},
			Set: func(n *netns.Net, _, value string) error {
				v, err := parseInt(value, 0, math.MaxInt32)
				if err == nil {
					s.conf.Own(n).gcThresh[i].Store(int32(v))
				}
				return err
			},
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Inet) neighInstances(n *netns.Net) []string {
	all := s.instances(n)[1:] // default and the devices
	if !n.IsInit() {
		return all[1:]
	}
	return all
}

func (s *Inet) parmsOf(n *netns.Net, instance string) (*core.NeighParms, error) {
	if instance == "default" {
		return s.defaultParms(n), nil
	}
	dev := s.deviceNamed(n, instance)
	if dev == nil {
		return nil, syscall.ENOENT
	}
	return s.neighParms(dev.dev), nil
}

// setParm writes a tunable of one device, or of default: devices follow that
// where nobody has written to them. Linux: neigh_proc_update.
func (s *Inet) setParm(n *netns.Net, instance string, t neighTunable, bit uint32, value string) error {
	v, err := parseInt(value, t.lo, math.MaxInt32)
	if err != nil {
		return err
	}
	old, err := s.parmsOf(n, instance)
	if err != nil {
		return err
	}
	if instance != "default" {
		dev := s.deviceNamed(n, instance)
		dev.parmsSet |= bit
		s.storeParm(dev, old, t, v)
		return nil
	}
	own := *old
	t.set(&own, v)
	s.conf.Own(n).neighDefaults.Store(&own)
	for _, d := range s.Core.Devices(n) {
		if dev := s.devs.Of(d); dev != nil && dev.parmsSet&bit == 0 {
			if p := dev.parms.Load(); p != nil { // else it has not asked for its own yet
				s.storeParm(dev, p, t, v)
			}
		}
	}
	return nil
}

// storeParm publishes a device's tunables with one changed. Linux draws a new
// reachable time when the base is written.
func (s *Inet) storeParm(dev *device, old *core.NeighParms, t neighTunable, v int64) {
	own := *old
	t.set(&own, v)
	if t.name == baseReachable {
		own.Draw(dev.dev.Net())
	}
	dev.parms.Store(&own)
}
