package ipv6

import (
	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

// icmpReceive takes an ICMP message; it is a transport like others.
// Linux: icmpv6_rcv.
func (s *Inet) icmpReceive(w *core.Worker, p *core.Packet, ip wire.IPv6) {
	m, ok := wire.ParseICMPv6(p.Bytes())
	switch {
	case !ok:
		w.Drop(p, core.HeaderTooShort)
		return
	case p.Checksum == core.ChecksumNone && !m.ChecksumOK(ip.Src16(), ip.Dst16()):
		w.Drop(p, core.BadL4Checksum)
		return
	}
	switch m.Type() {
	case wire.ICMP6Echo:
		s.icmpEcho(w, p, ip, m)
	case wire.ICMP6EchoReply:
		s.pingReply(w, p, ip, m)
	case wire.ICMP6DestUnreach, wire.ICMP6PacketTooBig, wire.ICMP6TimeExceeded, wire.ICMP6ParamProblem:
		s.icmpError(w, p, ip, m)
	case wire.ICMP6NeighSolicit, wire.ICMP6NeighAdvert, wire.ICMP6RouterSolicit, wire.ICMP6RouterAdvert, wire.ICMP6Redirect:
		s.ndiscReceive(w, p, ip, m)
	case wire.ICMP6MLDQuery:
		s.mldQuery(w, p, ip)
	case wire.ICMP6MLDReport:
		s.mldReport(w, p, ip)
	default:
		if m.IsError() { // RFC 4443 section 2.4 (a): of an unknown error the transport is told
			s.icmpError(w, p, ip, m)
			return
		}
		w.Deliver(p) // of no use to anybody here
	}
}

// icmpEcho answers an echo request (RFC 4443 section 4.2), one to a group from
// an address of our own. Linux: icmpv6_echo_reply.
func (s *Inet) icmpEcho(w *core.Worker, p *core.Packet, ip wire.IPv6, m wire.ICMPv6) {
	n, c := p.Net(), s.conf.Of(p.Net())
	flags := p.Opts[optFlags]
	if c.EchoIgnoreAll.Load() != 0 || flags&flagMulticast != 0 && c.EchoIgnoreMc.Load() != 0 ||
		flags&flagAnycast != 0 && c.EchoIgnoreAny.Load() != 0 || !chosen(ip.Src()) {
		w.Deliver(p)
		return
	}
	src := ReplySource(p, ip)
	fl := fib.Flow{Dst: ip.Src(), Src: src, Oif: s.linkOf(p, ip, ip.Src()), Mark: s.replyMark(p), Proto: wire.ProtoICMPv6}
	if fl.Oif == 0 && needsDevice(src) && src.IsValid() && !src.IsLoopback() {
		fl.Oif = int32(s.ArrivedBy(p, ip))
	}
	rt, err := s.Route(n, &fl)
	if err != nil {
		w.Deliver(p)
		return
	}
	q := w.NewPacket(n, len(m))
	copy(q.Bytes(), m)
	wire.PutICMPv6(q.Bytes(), wire.ICMP6EchoReply, m.Code(), m.Rest(), rt.Src.As16(), rt.Dst.As16())
	o := SendOptions{Proto: wire.ProtoICMPv6, Class: ip.Class(), Mark: fl.Mark}
	if c.FlowLabelReflect.Load()&reflectEcho != 0 {
		o.FlowLabel = ip.FlowLabel()
	}
	w.Deliver(p)
	_ = s.Send(w, q, &rt, &o) // nobody to tell
}

// icmpError takes an ICMP error and tells the transport whose packet it is about
// (RFC 4443 section 2.4 (d)). Linux: icmpv6_notify.
func (s *Inet) icmpError(w *core.Worker, p *core.Packet, ip wire.IPv6, m wire.ICMPv6) {
	quoted := wire.IPv6(m.Payload())
	if len(quoted) < wire.IPv6Len {
		w.Drop(p, core.BadICMP)
		return
	}
	e := ICMPError{Type: m.Type(), Code: m.Code(), Info: m.Rest(), From: ip.Src16()}
	if proto, off, ok := quoted.Transport(); ok && len(quoted) >= off+8 {
		if s.raw.count[proto].Load() != 0 {
			s.rawError(w, p, quoted, proto, e)
		}
		if t := s.protos[proto]; t != nil && t.Error != nil && t.gate.Admit(p.Net()) {
			t.Error(w, p, quoted, quoted[off:], e)
		}
	}
	w.Deliver(p)
}

// replyMark returns the mark of what answers p. Linux: IP6_REPLY_MARK.
func (s *Inet) replyMark(p *core.Packet) uint32 {
	if s.conf.Of(p.Net()).FwmarkReflect.Load() != 0 {
		return p.Mark
	}
	return 0
}

// isOurs reports whether a packet was for an address of this host's own.
func isOurs(p *core.Packet) bool {
	return p.Opts[optFlags]&(flagLocal|flagMulticast|flagAnycast) == flagLocal
}
