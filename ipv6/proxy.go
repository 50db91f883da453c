package ipv6

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// proxied joins, at the device of a proxy entry, the group in which the address
// that it names is asked for, or leaves it; ENOBUFS, Linux's word for whatever
// went wrong here, for an entry without a device, which could not hear. Linux: pndisc_constructor, pndisc_destructor.
func (s *Inet) proxied(d *core.Device, a netip.Addr, on bool) error {
	var dev *device
	if d != nil {
		dev = s.devs.Of(d)
	}
	if dev == nil {
		if on {
			return syscall.ENOBUFS
		}
		return nil // it went with what IPv6 kept at the device
	}
	mu := s.lock(d.Net())
	defer mu.Unlock()
	if on {
		s.joinSolicited(dev, a)
	} else {
		s.leaveSolicited(dev, a)
	}
	return nil
}

// solicitedAgain answers a question that a proxy has let wait, if it still does.
func (s *Inet) solicitedAgain(w *core.Worker, p *core.Packet) {
	dev, ip := s.devs.Of(p.Dev), wire.IPv6(p.L3())
	m, ok := wire.ParseICMPv6(p.Bytes())
	target, isND := m.Target()
	if dev == nil || !ok || !isND {
		w.Drop(p, core.DeviceMoved)
		return
	}
	s.receiveNS(w, p, dev, ip, m, target, true)
	w.Deliver(p)
}
