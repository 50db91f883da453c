package ipv6

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A solicitor asks a device's link for routers (RFC 4861 section 6.3.7), again and
// again with longer waits (RFC 7559) until one has answered. Linux: rs_timer,
// rs_interval and rs_probes of struct inet6_dev.
type solicitor struct {
	net   *netns.Net
	dev   *device
	timer netns.Timer

	// under the Net's lock
	interval time.Duration
	probes   int32
	heard    bool // Linux: IF_RA_RCVD
	over     bool
}

// acceptsRA reports whether dev listens to routers: one that forwards does only
// if it is told so with 2. Linux: ipv6_accept_ra.
func (dev *device) acceptsRA() bool {
	v := dev.own.Load().v
	if v[confForwarding] != 0 {
		return v[confAcceptRA] == 2
	}
	return v[confAcceptRA] != 0
}

// startSolicit asks for routers when the first link-local address of a device is
// ready; under the Net's lock. That others may have come up at the same moment was
// waited for in DAD. Linux: addrconf_dad_completed.
func (s *Inet) startSolicit(dev *device, a *Addr) {
	v := &dev.own.Load().v
	if !a.Local.IsLinkLocalUnicast() || !dev.acceptsRA() || v[confRtrSolicits] == 0 || dev.loopback() || !dev.dev.Up() {
		return
	}
	for _, b := range dev.Addrs() { // Linux: ipv6_lonely_lladdr
		const state = unix.IFA_F_PERMANENT | unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED
		if b.Local != a.Local && b.Local.IsLinkLocalUnicast() && b.Flags&state == unix.IFA_F_PERMANENT {
			return
		}
	}
	dev.stopSolicit()
	n := dev.dev.Net()
	r := &solicitor{net: n, dev: dev, probes: 1}
	base := time.Duration(v[confRtrSolicitInterval]) * time.Second
	r.interval = backoff(n, base, 900_000)
	dev.rs = r
	r.timer.Init(n, func(now time.Duration) { s.solicitAgain(r, now) })
	r.timer.Reset(s.Core.Sys.Now() + r.interval)
	w := s.Core.Enter()
	defer w.Leave()
	s.sendRS(w, dev, a.Local)
}

// backoff returns a wait times least millionths of it, and up to a fifth of it
// more. Linux: rfc3315_s14_backoff_init and _update.
func backoff(n *netns.Net, wait time.Duration, least uint64) time.Duration {
	return time.Duration((least + n.Uint64N(200_001)) * uint64(max(wait, 0)) / 1_000_000)
}

// solicitAgain asks once more, unless a router has answered, and waits about twice
// as long. Linux: addrconf_rs_timer.
func (s *Inet) solicitAgain(r *solicitor, now time.Duration) {
	mu := s.lock(r.net)
	dev, v := r.dev, &r.dev.own.Load().v
	again := !r.over && !r.heard && dev.ready.Load() && dev.acceptsRA()
	if again {
		again = r.probes < v[confRtrSolicits] || v[confRtrSolicits] < 0
		r.probes++
	}
	from := netip.Addr{}
	if again {
		from = dev.linkLocal()
	}
	if !from.IsValid() {
		mu.Unlock()
		return
	}
	r.interval = backoff(r.net, r.interval, 1_900_000)
	if most := time.Duration(v[confRtrSolicitMaxInterval]) * time.Second; r.interval > most {
		r.interval = backoff(r.net, most, 900_000)
	}
	wait := r.interval
	if r.probes == v[confRtrSolicits] {
		wait = time.Duration(v[confRtrSolicitDelay]) * time.Second
	}
	r.timer.Reset(now + wait)
	mu.Unlock()
	w := s.Core.Enter()
	defer w.Leave()
	s.sendRS(w, dev, from)
}

// stopSolicit ends the questions; under the Net's lock.
func (dev *device) stopSolicit() {
	if dev.rs != nil {
		dev.rs.over = true
		dev.rs.timer.Stop()
		dev.rs = nil
	}
}

// sendRS asks a link's routers who they are. Linux: ndisc_send_rs.
func (s *Inet) sendRS(w *core.Worker, dev *device, src netip.Addr) {
	mac := dev.dev.Addr()
	if !chosen(src) {
		mac = wire.MAC{}
	}
	s.sendMessage(w, dev, wire.AppendRS(nil, mac), src, allRouters)
}

// sendMessage sends an ICMP message of neighbour discovery to dst, its checksum
// yet to be filled in.
func (s *Inet) sendMessage(w *core.Worker, dev *device, m []byte, src netip.Addr, dst [16]byte) {
	p := s.newND(w, dev, len(m), src.As16(), dst)
	body := wire.ICMPv6(p.Bytes()[wire.IPv6Len:])
	copy(body, m)
	body.FillChecksum(src.As16(), dst)
	s.sendND(w, dev, p, dst, wire.MAC{})
}

// receiveRS takes the question of a host for routers, of which a router learns who
// it is; false if it makes no sense. To answer is user space's. Linux:
// ndisc_recv_rs.
func (s *Inet) receiveRS(w *core.Worker, dev *device, ip wire.IPv6, m wire.ICMPv6) bool {
	src := ip.Src()
	if !dev.on(confForwarding) || src.IsUnspecified() {
		return true
	}
	o, ok := wire.ParseNDOptions(m.Payload())
	if !ok {
		return false
	}
	nb, err := s.Core.NewNeighbour(dev.dev, src, w.Now())
	if err != nil {
		return true // no room
	}
	_ = nb.Update(w, core.NeighUpdate{State: core.NudStale, MAC: o.SourceLL, Override: true, Weak: true})
	return true
}
