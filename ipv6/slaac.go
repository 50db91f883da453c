package ipv6

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

// twoHours is the time by which an advertisement cannot shorten an address's life
// unless it is nearly over (RFC 4862 section 5.5.3 e). Linux: MIN_VALID_LIFETIME.
const twoHours = 2 * time.Hour

// protoRA says that a router's advertisement made an address. Linux:
// IFAPROT_KERNEL_RA.
const protoRA = 2

// prefixInfo takes a prefix option: the subnet's route, and an address in it;
// under the Net's lock. Linux: addrconf_prefix_rcv.
func (s *Inet) prefixInfo(dev *device, o wire.NDPrefixInfo, hasSource bool) {
	v := &dev.own.Load().v
	first := netip.AddrFrom16(o.Prefix)
	switch {
	case first.IsMulticast(), first.IsLinkLocalUnicast(), o.Preferred > o.Valid,
		o.Valid != 0 && int64(o.Valid) < int64(v[confAcceptRAMinLft]):
		return
	}
	if p := wire.NDSubnet(o.Prefix, o.Bits); o.OnLink && p.IsValid() {
		s.onLink(dev, p, lifespan(o.Valid))
	}
	if !o.Auto || v[confAutoconf] == 0 || o.Bits != 64 {
		return
	}
	local, flags, ok := s.generate(dev, o.Prefix, 0)
	if !ok {
		return
	}
	if hasSource && !s.conf.Of(dev.dev.Net()).Forward() {
		flags |= s.optimistic(dev)
	}
	s.autoconf(dev, local, flags, lifespan(o.Valid), lifespan(o.Preferred))
}

// onLink keeps the route to an advertised subnet.
func (s *Inet) onLink(dev *device, p netip.Prefix, valid time.Duration) {
	n, r := dev.dev.Net(), kernelRoute(dev, fib.Unicast, p, 0)
	end := netlink.Forever
	if valid != netlink.Forever {
		end = s.Core.Sys.Now() + valid
	}
	life, ok := s.lifeOf(n, &r)
	switch {
	case valid == 0:
		if ok && life.router {
			_ = s.FIB.Delete(n, r) // it is there
		}
	case ok && life.router:
		s.setExpiry(n, &r, end, true)
	default:
		s.prefixRoute(dev, p, 0, end, true)
	}
}

// autoconf makes an address of an advertised prefix, or gives it another life
// (RFC 4862 section 5.5.3). The longest that an advertisement can do to an address
// is to leave it two hours: what RFC 4862 would then ignore altogether Linux takes
// as two hours. Linux: addrconf_prefix_rcv_add_addr.
func (s *Inet) autoconf(dev *device, local netip.Addr, flags uint32, valid, preferred time.Duration) {
	d, v, now := dev.dev, &dev.own.Load().v, s.Core.Sys.Now()
	old := s.addrAt(d, local)
	if old == nil {
		if valid == 0 || v[confMaxAddresses] != 0 && len(dev.Addrs()) >= int(v[confMaxAddresses]) {
			return
		}
		// Not IFA_F_PERMANENT even if it is without end: a user has not made it.
		flags |= unix.IFA_F_TENTATIVE | unix.IFA_F_MANAGETEMPADDR
		if preferred == 0 {
			flags |= unix.IFA_F_DEPRECATED
		}
		own := &Addr{Dev: d, Local: local, Bits: 64, Flags: flags, Proto: protoRA, Valid: valid, Preferred: preferred}
		if s.insertAddr(dev, own, insertRouter) == nil { // ENOBUFS: the Net has as many as it may
			s.manageTemporary(dev, own, valid, preferred, true)
		}
		return
	}
	stored := netlink.Forever
	if old.Valid != netlink.Forever {
		if stored = old.Valid - (now - old.since).Truncate(time.Second); stored <= 0 {
			return
		}
	}
	if v[confRAHonorPIOLife] == 0 && valid != netlink.Forever {
		least := twoHours
		if stored != netlink.Forever {
			least = min(stored, twoHours)
		}
		valid = max(valid, least)
	}
	next := *old
	next.Valid, next.Preferred, next.since = valid, preferred, now
	next.Flags &^= unix.IFA_F_DEPRECATED
	if preferred == 0 {
		next.Flags |= unix.IFA_F_DEPRECATED
	}
	s.replace(dev, old, &next)
	if !next.Tentative() {
		s.tellAddr(netlink.New, &next)
	}
	s.lifeAhead(&next)
	s.manageTemporary(dev, &next, valid, preferred, false)
}

// optimistic returns the flag of an address that may be used while nobody has
// objected yet (RFC 4429), if dev makes such. Linux: ipv6_use_optimistic_addr's
// neighbour, ipv6_allow_optimistic_dad.
func (s *Inet) optimistic(dev *device) uint32 {
	if s.either(dev, confOptimisticDAD) {
		return unix.IFA_F_OPTIMISTIC
	}
	return 0
}
