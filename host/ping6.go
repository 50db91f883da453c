package host

import (
	"net/netip"
	"os"
	"syscall"

	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/ipv6"
	"nsmodel/lab"
)

// open6 is open for an IPv6 destination. iputils: ping6_run.
func (g *pinger) open6() error {
	p, in := g.p, g.h.M.IPv6
	o := ipv6.PingOptions{Mark: p.Mark, HopLimit: uint8(p.TTL), Class: uint8(p.TOS), NoFragment: p.PMTU == "do"}
	for _, dev := range []string{p.Dev, p.Dst.Zone(), p.Source.Zone()} {
		if dev == "" {
			continue
		}
		d := g.h.M.Core.Device(g.n, dev)
		if d == nil && dev == p.Dev {
			return lab.NoPingDevice(dev)
		} else if d == nil {
			return os.NewSyscallError(p.Host, syscall.ENODEV)
		}
		o.Oif = d.Index()
	}
	src := p.Source.WithZone("")
	if src.IsValid() && !src.IsUnspecified() {
		d := g.h.M.Core.DeviceByIndex(g.n, o.Oif)
		switch {
		case src.IsLinkLocalUnicast() && d == nil:
			return os.NewSyscallError("bind icmp socket", syscall.EINVAL)
		case in.LocalAddr(g.n, d, src) == nil && !in.NonlocalBind(g.n):
			return os.NewSyscallError("bind icmp socket", syscall.EADDRNOTAVAIL)
		}
		o.Src, o.To = src, src
		return g.begin6(o, p.Source)
	}
	dst := p.Dst.WithZone("")
	if dst.IsLinkLocalUnicast() || dst.IsLinkLocalMulticast() {
		return g.begin6(o, netip.IPv6Unspecified()) // ping connects to AF_UNSPEC then, which finds no source
	}
	if dst.IsInterfaceLocalMulticast() && o.Oif == 0 { // Linux: __ip6_datagram_connect
		return os.NewSyscallError("connect", syscall.EINVAL)
	}
	w := g.h.M.Core.Enter()
	rt, err := in.Route(g.n, &fib.Flow{Dst: dst, Oif: int32(o.Oif), Mark: p.Mark, Proto: wire.ProtoUDP, DPort: 1025})
	w.Leave()
	if err != nil {
		return os.NewSyscallError("connect", bare(err))
	}
	if src = rt.Src; src.IsLinkLocalUnicast() && p.Dev != "" {
		src = src.WithZone(p.Dev)
	}
	return g.begin6(o, src)
}

// begin6 opens the socket and prints the headline.
func (g *pinger) begin6(o ipv6.PingOptions, src netip.Addr) error {
	sock, err := g.h.M.IPv6.OpenPing(g.n, o)
	if err != nil {
		return os.NewSyscallError("socket", bare(err))
	}
	sock.Event = func(e ipv6.PingEvent) {
		from := e.From
		if d := g.h.M.Core.DeviceByIndex(g.n, e.Dev); d != nil && from.IsLinkLocalUnicast() {
			from = from.WithZone(d.Name())
		}
		g.came(came{ipv4.PingEvent{From: from, Type: e.Type, Code: e.Code, Info: e.Info, Seq: e.Seq, TTL: e.HopLimit, Len: e.Len,
			At: e.At, RTT: e.RTT}, e.Type == wire.ICMP6EchoReply})
	}
	var label uint32
	if g.p.HasFlow {
		if label, err = sock.SetFlowLabel(g.p.Flow); err != nil {
			sock.Close()
			return os.NewSyscallError("can't set flowlabel", bare(err))
		}
	}
	g.sock = sock
	g.report(lab.PingEvent{Kind: lab.PingStart, From: src, Info: label})
	return nil
}
