package ipv6

import (
	"encoding/binary"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

// Temporary addresses (RFC 8981): beside an address that says so (mngtmpaddr) Linux
// makes another of the same prefix whose interface identifier is drawn, for a
// shorter time, and the next before that is no longer preferred.

// sooner returns the lesser of two spans, of which Forever is the longest.
func sooner(a, b time.Duration) time.Duration {
	if a == netlink.Forever || b != netlink.Forever && b < a {
		return b
	}
	return a
}

func (dev *device) seconds(k confKey) time.Duration {
	return time.Duration(dev.own.Load().v[k]) * time.Second
}

// Temporary reports whether the address is one of RFC 8981.
func (a *Addr) Temporary() bool { return a.Flags&unix.IFA_F_TEMPORARY != 0 }

// regenAdvance is how long before its end a temporary address gets an heir: as long
// as it takes to ask the link about it, in the worst case. Linux:
// ipv6_get_regen_advance.
func (s *Inet) regenAdvance(dev *device) time.Duration {
	asking := time.Duration(s.conf.Of(dev.dev.Net()).IDGenRetries.Load()) * time.Duration(dev.own.Load().v[confDADTransmits]) *
		max(s.neighParms(dev.dev).Retrans, 10*time.Millisecond)
	return dev.seconds(confRegenMinAdvance) + asking.Truncate(time.Second)
}

// nextChange returns when something about an address changes by itself: its state,
// or, of a temporary one, that it has an heir.
func (s *Inet) nextChange(dev *device, a *Addr) time.Duration {
	return sooner(s.regenAt(dev, a), a.nextChange())
}

func (s *Inet) regenAt(dev *device, a *Addr) time.Duration {
	if !a.Temporary() || a.Tentative() || a.Preferred == netlink.Forever || a.regens != 0 || !a.public.IsValid() {
		return netlink.Forever
	}
	return max(0, a.since+a.Preferred-s.regenAdvance(dev))
}

// regenerate gives dev's temporary addresses heirs whose time has come; under the
// Net's lock. Linux: addrconf_verify_rtnl.
func (s *Inet) regenerate(dev *device, now time.Duration) {
	for _, a := range dev.Addrs() {
		if at := s.regenAt(dev, a); at == netlink.Forever || at > now {
			continue
		}
		next := *a
		next.regens++
		s.replace(dev, a, &next)
		if pub := s.addrAt(dev.dev, a.public); pub != nil {
			own := *pub
			own.regens = 0
			s.replace(dev, pub, &own)
			s.makeTemporary(dev, &own)
		}
	}
}

// makeTemporary makes a temporary address beside pub, if it would be preferred for
// long enough to be worth it; under the Net's lock. After regen_max_retry failures the
// device has none any more. Linux: ipv6_create_tempaddr.
func (s *Inet) makeTemporary(dev *device, pub *Addr) {
	own, n, now := dev.own.Load(), dev.dev.Net(), s.Core.Sys.Now()
	if own.v[confUseTempAddr] <= 0 {
		return
	}
	tried := *pub
	tried.regens++
	s.replace(dev, pub, &tried)
	if pub.regens >= int(own.v[confRegenMaxRetry]) {
		dev.own.Store(own.with(confUseTempAddr, -1))
		return
	}
	advance, age := s.regenAdvance(dev), (now - pub.since).Truncate(time.Second)
	preferred := dev.seconds(confTempPreferredLft)
	most := min(dev.seconds(confMaxDesyncFactor), preferred-advance)
	if !dev.desynced || dev.desync > most {
		dev.desync, dev.desynced = 0, true
		if most >= time.Second {
			dev.desync = time.Duration(n.Uint64N(uint64(most/time.Second))) * time.Second
		}
	}
	a := Addr{Dev: dev.dev, Bits: pub.Bits, Flags: unix.IFA_F_TEMPORARY | unix.IFA_F_TENTATIVE | pub.Flags&unix.IFA_F_OPTIMISTIC,
		public: pub.Local, made: now}
	a.Valid = sooner(pub.Valid, dev.seconds(confTempValidLft)+age)
	a.Preferred = sooner(a.Valid, sooner(pub.Preferred, preferred+age-dev.desync))
	if a.Preferred <= advance+age {
		if a.Preferred = advance + age + time.Second; sooner(a.Valid, pub.Preferred) != netlink.Forever && a.Preferred > sooner(a.Valid, pub.Preferred) {
			return
		}
	}
	b := pub.Local.As16()
	for drawn := false; !drawn || reservedID([8]byte(b[8:])) || s.addrAt(dev.dev, netip.AddrFrom16(b)) != nil; drawn = true {
		binary.BigEndian.PutUint64(b[8:], n.Uint64())
	}
	a.Local = netip.AddrFrom16(b)
	_ = s.insertAddr(dev, &a, insertRouter) // ENOBUFS: the Net has as many as it may
	if got := s.addrAt(dev.dev, a.Local); got != nil {
		aged := *got
		aged.since = pub.since // they age together
		s.replace(dev, got, &aged)
		s.lifeAhead(&aged)
	}
}

// manageTemporary has the temporary addresses of pub live as long as the lifetimes
// that it was given, but none for longer in all than the tunables say; with create, or
// if dev has none, it makes one. Both at 0: they end now. Under the Net's lock. What
// one is held to holds, as in Linux, for those behind it. Linux: manage_tempaddrs.
func (s *Inet) manageTemporary(dev *device, pub *Addr, valid, preferred time.Duration, create bool) {
	now, none := s.Core.Sys.Now(), true
	ends := valid == 0 && preferred == 0
	for _, a := range dev.Addrs() {
		if !a.Temporary() {
			continue
		}
		none = false
		if a.public != pub.Local {
			continue
		}
		age := (now - a.made).Truncate(time.Second)
		valid = sooner(valid, max(0, dev.seconds(confTempValidLft)-age))
		preferred = sooner(preferred, max(0, dev.seconds(confTempPreferredLft)-dev.desync-age))
		if valid == 0 {
			s.removeAddr(dev, a)
			continue
		}
		next := *a
		next.Valid, next.Preferred, next.since = valid, preferred, now
		if preferred > 0 {
			next.Flags &^= unix.IFA_F_DEPRECATED
		}
		s.replace(dev, a, &next)
		if !next.Tentative() {
			s.tellAddr(netlink.New, &next)
		}
		s.lifeAhead(&next)
	}
	if (create || none) && !ends {
		if own := s.addrAt(dev.dev, pub.Local); own != nil {
			s.makeTemporary(dev, own)
		}
	}
}

// disown takes away, with the address that they stand beside, its temporary ones.
// Linux: delete_tempaddrs.
func (s *Inet) disown(dev *device, pub *Addr) {
	if pub.Flags&unix.IFA_F_MANAGETEMPADDR != 0 && !pub.Temporary() {
		s.manageTemporary(dev, pub, 0, 0, false)
	}
}
