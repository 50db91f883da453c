package ipv6

import (
	"encoding/binary"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A dad is duplicate address detection of one address (RFC 4862 section 5.4)
// with a nonce that tells our own questions, looped back, from others' (RFC
// 7527). Linux: dad_work, dad_probes and dad_nonce of struct inet6_ifaddr.
type dad struct {
	net   *netns.Net
	dev   *device
	addr  netip.Addr
	timer netns.Timer
	nonce [6]byte
	left  int  // under the Net's lock: questions to be sent
	over  bool // under the Net's lock
}

// startDAD begins, or has the address ready at once where nobody need be asked;
// under the Net's lock. On a link that is not there yet the address stays
// tentative. Linux: addrconf_dad_begin, addrconf_dad_kick.
func (s *Inet) startDAD(dev *device, a *Addr) {
	switch {
	case a.asked:
		return // is under way, or has failed or ended
	case !s.mustAsk(dev, a):
		next := *a
		next.Flags &^= unix.IFA_F_TENTATIVE | unix.IFA_F_OPTIMISTIC | unix.IFA_F_DADFAILED
		next.asked = true
		s.replace(dev, a, &next)
		s.addrDone(dev, &next)
		return
	case !dev.ready.Load():
		return
	}
	n := dev.dev.Net()
	next := *a
	if a.Flags&unix.IFA_F_OPTIMISTIC != 0 && s.conf.Of(n).Forward() {
		next.Flags &^= unix.IFA_F_OPTIMISTIC // not of a router (RFC 4429 section 3.3)
	}
	w := &dad{net: n, dev: dev, addr: a.Local, left: max(0, int(dev.own.Load().v[confDADTransmits]))}
	next.dad, next.asked = w, true
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n.Uint64())
	copy(w.nonce[:], b[:])
	s.replace(dev, a, &next)
	w.timer.Init(n, func(now time.Duration) { s.askAgain(w, now) })
	delay := time.Duration(dev.own.Load().v[confRtrSolicitDelay]) * time.Second
	if next.Flags&unix.IFA_F_OPTIMISTIC != 0 {
		delay = 0
	}
	if delay > 0 {
		delay = time.Duration(n.Uint64N(uint64(delay)))
	}
	if next.tries > 0 {
		delay = time.Duration(s.conf.Of(n).IDGenDelay.Load()) * time.Second
	}
	w.timer.Reset(s.Core.Sys.Now() + delay)
	if next.Flags&unix.IFA_F_OPTIMISTIC != 0 {
		s.addrReady(dev, &next) // packets for it are taken at once
	}
}

// mustAsk reports whether an address may not be used before nobody has objected.
func (s *Inet) mustAsk(dev *device, a *Addr) bool {
	return a.Tentative() && dev.dev.Flags()&(core.FlagNoARP|core.FlagLoopback) == 0 &&
		(dev.own.Load().v[confAcceptDAD] >= 1 || s.conf.Of(dev.dev.Net()).all.Load().v[confAcceptDAD] >= 1)
}

func (a *Addr) stopDAD() {
	if a.dad != nil && !a.dad.over {
		a.dad.over = true
		a.dad.timer.Stop()
	}
}

// askAgain asks the link once more or, after the last question went unanswered,
// takes the address. Linux: addrconf_dad_work.
func (s *Inet) askAgain(w *dad, now time.Duration) {
	d := w.dev.dev
	mu := s.lock(w.net)
	if w.over { // the device may be another Net's by now
		mu.Unlock()
		return
	}
	a := s.addrAt(d, w.addr)
	if a == nil || a.dad != w {
		mu.Unlock()
		return
	}
	if w.left == 0 {
		w.over = true
		next := *a
		next.Flags &^= unix.IFA_F_TENTATIVE | unix.IFA_F_OPTIMISTIC | unix.IFA_F_DADFAILED
		s.replace(w.dev, a, &next)
		s.addrDone(w.dev, &next)
		mu.Unlock()
		return
	}
	w.left--
	w.timer.Reset(now + s.neighParms(d).Retrans)
	mu.Unlock()
	wk := s.Core.Enter()
	defer wk.Leave()
	s.sendProbe(wk, w.dev, w.addr, w.nonce)
}

// addrDone tells that an address may be used, and with ndisc_notify the link,
// too; under the Net's lock. Linux: addrconf_dad_completed.
func (s *Inet) addrDone(dev *device, a *Addr) {
	s.addrReady(dev, a)
	s.tellAddr(netlink.New, a)
	if a.Local.IsLinkLocalUnicast() && dev.lonely(a) {
		s.groupsReady(dev)
	}
	if dev.dev.Up() && s.either(dev, confNDiscNotify) {
		w := s.Core.Enter()
		defer w.Leave()
		s.sendUnsolicited(w, dev, a.Local)
	}
	s.startSolicit(dev, a)
	if a.Temporary() {
		s.lifeAhead(a)
	}
}

// collide gives an address up that another station has: it stays, marked, for
// the administrator to see, but one that was made for a time goes. One made of a
// secret is made once more (RFC 7217 section 6). Linux: addrconf_dad_failure,
// addrconf_dad_stop.
func (s *Inet) collide(dev *device, addr netip.Addr) {
	if s.collided(dev, addr) {
		s.deviceDown(dev, false)
	}
}

// collided is collide, and reports whether the device must not speak IPv6 any more.
func (s *Inet) collided(dev *device, addr netip.Addr) (off bool) {
	n := dev.dev.Net()
	mu := s.lock(n)
	defer mu.Unlock()
	a := s.addrAt(dev.dev, addr)
	if a == nil || !a.Tentative() || a.Flags&unix.IFA_F_DADFAILED != 0 && (a.dad == nil || a.dad.over) {
		return
	}
	if off = s.shutsOff(dev, a); off {
		dev.own.Store(dev.own.Load().with(confDisable, 1))
	}
	a.stopDAD()
	if a.Flags&unix.IFA_F_STABLE_PRIVACY != 0 && a.tries < int(s.conf.Of(n).IDGenRetries.Load()) {
		heir := *a
		var ok bool
		if heir.Local, _, ok = s.generate(dev, addr.As16(), a.tries+1); ok {
			heir.tries, heir.asked, heir.dad = a.tries+1, false, nil
			_ = s.insertAddr(dev, &heir, insertRouter) // EEXIST: it is there, for some other reason
		}
	}
	if a.Flags&unix.IFA_F_PERMANENT == 0 {
		if pub := s.addrAt(dev.dev, a.public); a.Temporary() && pub != nil {
			s.makeTemporary(dev, pub)
		}
		s.removeAddr(dev, a)
		return off
	}
	next := *a
	next.Flags = next.Flags&^unix.IFA_F_OPTIMISTIC | unix.IFA_F_DADFAILED
	next.asked = true
	s.replace(dev, a, &next)
	s.tellAddr(netlink.New, &next)
	return off
}

func solicitedNode(a netip.Addr) [16]byte { return wire.SolicitedNode(a.As16()) }
