package ipv4

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// watchers are who looks at what a device hears by ARP. Linux has none of
// this: there it is packet sockets, as arping's, that look.
type watchers struct {
	conflicts atomic.Uint64
	probing   atomic.Int32

	mu     sync.Mutex
	probes []*Probe
}

// A Probe asks a link whether anybody has an address (RFC 5227 section 2.1).
type Probe struct {
	// fixed
	inet     *Inet
	dev      *device
	addr     [4]byte
	interval time.Duration
	done     func(taken bool, by wire.MAC)

	mu    sync.Mutex
	left  int
	ended bool
	timer netns.Timer
}

// ProbeAddress asks d's link count times, interval apart, whether anybody has
// the address a, and calls done once: with taken and the station's hardware
// address as soon as one answers, claims a or probes for it too, else an
// interval after the last question. The end of d or of its Net is the end of
// the probe, without a word. It is under rtnl and sends the first question at
// once, which is what `arping -D -c count` does. Errors: EINVAL, ENETDOWN for a
// device that is down or does not speak ARP.
func (s *Inet) ProbeAddress(d *core.Device, a netip.Addr, count int, interval time.Duration, done func(taken bool, by wire.MAC)) (*Probe, error) {
	dev := s.devs.Of(d)
	switch {
	case !a.Is4() || count < 1 || interval <= 0 || done == nil:
		return nil, syscall.EINVAL
	case dev == nil || !d.Up() || dev.loopback() || d.Flags()&core.FlagNoARP != 0:
		return nil, syscall.ENETDOWN
	}
	pr := &Probe{inet: s, dev: dev, addr: a.As4(), interval: interval, done: done, left: count}
	pr.timer.Init(d.Net(), pr.next)
	h := dev.watchers()
	h.mu.Lock()
	h.probes = append(h.probes, pr)
	h.mu.Unlock()
	h.probing.Add(1)
	pr.next(s.Core.Sys.Now())
	return pr, nil
}

// next asks once more, or is content.
func (pr *Probe) next(now time.Duration) {
	d := pr.dev.dev
	pr.mu.Lock()
	if pr.ended || pr.inet.devs.Of(d) != pr.dev { // the device may be another Net's by now
		pr.mu.Unlock()
		return
	}
	if pr.left == 0 {
		pr.mu.Unlock()
		pr.end(false, wire.MAC{}, true)
		return
	}
	pr.left--
	pr.timer.Reset(now + pr.interval)
	pr.mu.Unlock()
	w := pr.inet.Core.Enter()
	defer w.Leave()
	pr.inet.sendARP(w, d, wire.BroadcastMAC(), wire.ARPFields{Op: wire.ARPRequest, SenderMAC: d.Addr(), TargetIP: pr.addr})
}

// Stop ends the probe without a word.
func (pr *Probe) Stop() { pr.end(false, wire.MAC{}, false) }

func (pr *Probe) end(taken bool, by wire.MAC, tell bool) {
	pr.mu.Lock()
	was := pr.ended
	pr.ended = true
	pr.timer.Stop()
	pr.mu.Unlock()
	if was {
		return
	}
	h := pr.dev.watchers()
	h.mu.Lock()
	h.probes = slices.DeleteFunc(slices.Clone(h.probes), func(o *Probe) bool { return o == pr })
	h.mu.Unlock()
	h.probing.Add(-1)
	if tell {
		pr.done(taken, by)
	}
}

// watchers returns the device's watchers, made on first use.
func (dev *device) watchers() *watchers {
	if h := dev.watched.Load(); h != nil {
		return h
	}
	dev.watched.CompareAndSwap(nil, new(watchers))
	return dev.watched.Load()
}

// watch notes what an ARP packet says about our addresses and those that are
// probed for. A station that claims an address of ours is a conflict (RFC 5227
// section 2.4); Linux neither defends the address nor gives it up, and learns
// nothing from the packet.
func (dev *device) watch(s *Inet, a wire.ARP) {
	mac := a.SenderMAC()
	if mac == dev.dev.Addr() {
		return
	}
	sip := a.SenderIP4()
	for _, own := range dev.Addrs() {
		if own.Local.As4() == sip {
			dev.watchers().conflicts.Add(1)
			if f := s.OnConflict; f != nil {
				f(Conflict{dev.dev, own.Local, mac})
			}
			break
		}
	}
	h := dev.watched.Load()
	if h == nil || h.probing.Load() == 0 {
		return
	}
	h.mu.Lock()
	probes := h.probes
	h.mu.Unlock()
	for _, pr := range probes {
		if sip == pr.addr || sip == [4]byte{} && a.Op() == wire.ARPRequest && a.TargetIP4() == pr.addr {
			pr.end(true, mac, true)
		}
	}
}

// Conflicts returns how many ARP packets d has heard in which another station
// claimed one of d's addresses.
func (s *Inet) Conflicts(d *core.Device) uint64 {
	if dev := s.devs.Of(d); dev != nil {
		if h := dev.watched.Load(); h != nil {
			return h.conflicts.Load()
		}
	}
	return 0
}
