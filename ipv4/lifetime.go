package ipv4

import (
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/netns"
)

// Addresses that are for a time. Linux looks at them when the first is due,
// rounded up to a second; here each goes when its time is over. What IPv4 does by
// itself only this does: else all changes are under rtnl.

// lifetimes are what one Net knows of ends that are ahead; a Net that has never
// had such an address shares the default. Linux: net->ipv4.addr_chk_work.
type lifetimes struct {
	net   *netns.Net // fixed; nil: the shared default
	timer netns.Timer
	next  time.Duration // under config: when it fires, if it is pending

	// config is taken behind rtnl for changes to the Net's addresses and routes,
	// and by the timer, which has no rtnl; nobody waits for a grace period with
	// it. Of the default it orders nothing: there is no timer.
	config sync.Mutex
}

func newLifetimes(n *netns.Net) *lifetimes { return &lifetimes{net: n} }

// lock takes what keeps n's timer away from its addresses and routes, and returns
// what lets it go; under rtnl.
func (s *Inet) lock(n *netns.Net) *sync.Mutex {
	mu := &s.lives.Of(n).config
	mu.Lock()
	return mu
}

// limited reports whether something about an address changes by itself.
func (a *Addr) limited() bool { return a.Flags&unix.IFA_F_PERMANENT == 0 }

// checkLifetime says what is wrong with lifetimes. Linux: rtm_to_ifaddr.
func checkLifetime(valid, preferred time.Duration) error {
	if valid == 0 || valid != netlink.Forever && (preferred == netlink.Forever || preferred > valid) {
		return netlink.Extack(syscall.EINVAL, "ipv4: Address lifetime invalid")
	}
	return nil
}

// setLifetime gives an address that nobody sees yet lifetimes, from now on; a
// valid one of 0 is without end. An address without end is deprecated at once or
// never. Linux: set_ifa_lifetime.
func (a *Addr) setLifetime(valid, preferred, now time.Duration) {
	if valid == 0 {
		valid, preferred = netlink.Forever, netlink.Forever
	}
	a.Flags &^= unix.IFA_F_PERMANENT | unix.IFA_F_DEPRECATED
	if valid == netlink.Forever {
		a.Flags |= unix.IFA_F_PERMANENT
	}
	if preferred == 0 {
		a.Flags |= unix.IFA_F_DEPRECATED
	}
	a.Valid, a.Preferred, a.since = valid, preferred, now
}

// left returns how long an address will be valid and preferred, in seconds begun.
// Linux: inet_fill_ifaddr.
func (a *Addr) left(now time.Duration) (valid, preferred time.Duration) {
	if !a.limited() {
		return netlink.Forever, netlink.Forever
	}
	age := (now - a.since).Truncate(time.Second)
	if preferred = a.Preferred; preferred != netlink.Forever {
		preferred = max(0, preferred-age)
	}
	return max(0, a.Valid-age), preferred
}

// nextChange returns when something about a limited address changes by itself.
func (a *Addr) nextChange() time.Duration {
	if a.Preferred != netlink.Forever && a.Flags&unix.IFA_F_DEPRECATED == 0 {
		return a.since + a.Preferred
	}
	return a.since + a.Valid
}

// lifeAhead has the timer fire in time for an address that dev has got; under the
// Net's lock, which is the Net's own if the address is limited.
func (s *Inet) lifeAhead(a *Addr) {
	if a.limited() {
		s.wakeAt(s.lives.Of(a.Dev.Net()), a.nextChange())
	}
}

func (s *Inet) wakeAt(l *lifetimes, at time.Duration) {
	if !l.timer.Pending() || at < l.next {
		l.next = at
		l.timer.Reset(at)
	}
}

// ownLifetimes gives n, before its lock is taken, a timer of its own; under rtnl.
func (s *Inet) ownLifetimes(n *netns.Net) {
	if s.lives.Of(n).net != nil {
		return
	}
	l := s.lives.Own(n)
	l.timer.Init(n, func(now time.Duration) { s.checkLives(l, now) })
}

// checkLives ends what is over in a Net, and deprecates what is no longer
// preferred. Linux: check_lifetime.
func (s *Inet) checkLives(l *lifetimes, now time.Duration) {
	l.config.Lock()
	defer l.config.Unlock()
	next := netlink.Forever
	for _, d := range s.Core.Devices(l.net) {
		dev := s.devs.Of(d)
		if dev == nil {
			continue
		}
		s.endAddrs(dev, now)
		for _, a := range dev.Addrs() {
			if a.limited() && (next == netlink.Forever || a.nextChange() < next) {
				next = a.nextChange()
			}
		}
	}
	if next != netlink.Forever {
		s.wakeAt(l, next)
	}
}

// endAddrs does it for one device. With a primary address its secondaries go, or
// one takes its place: so each look begins anew.
func (s *Inet) endAddrs(dev *device, now time.Duration) {
	over := func(a *Addr) bool { return a.limited() && a.since+a.Valid <= now }
	for {
		i := slices.IndexFunc(dev.Addrs(), over)
		if i < 0 {
			break
		}
		s.removeAddr(dev, i)
	}
	for i, a := range dev.Addrs() {
		if a.limited() && a.Flags&unix.IFA_F_DEPRECATED == 0 && a.nextChange() <= now {
			next := *a
			next.Flags |= unix.IFA_F_DEPRECATED
			s.putAddr(dev, i, &next)
			s.tellAddr(netlink.New, &next)
		}
	}
}

// putAddr puts next in the place i of dev's list, for what is there.
func (s *Inet) putAddr(dev *device, i int, next *Addr) {
	old, list := dev.Addrs()[i], slices.Clone(dev.Addrs())
	list[i] = next
	s.swap(old, next)
	dev.publish(list)
}

// event is told of what happens to devices; under rtnl.
func (s *Inet) event(e core.Event, d *core.Device) {
	n := d.Net()
	if !n.Alive() { // its timer is dead, and its tables may be
		s.happened(e, d)
		return
	}
	defer s.lock(n).Unlock()
	s.happened(e, d)
}
