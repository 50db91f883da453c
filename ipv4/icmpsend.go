package ipv4

import (
	"net/netip"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// Sizes of ICMP errors: as much of the datagram as fits (RFC 1812 section
// 4.3.2.3), from 192.0.0.8 if this Net has no address (RFC 7600).
const (
	icmpMaxLen    = 576
	tosErrorMask  = 0x1e // the old TOS bits of what the error is about
	tosErrorPrec  = 0xc0 // internetwork control (RFC 1812 section 4.3.2.5)
	dummyFirst    = 192
	dummyLast     = 8
	icmpErrorHops = 0 // the Net's default TTL
)

// SendICMP sends an ICMP error about a packet, which it does not take: its IP
// header is at L3. info is the second word of the ICMP header. Nothing is sent
// about what RFC 1122 section 3.2.2 and RFC 1812 section 4.3.2.7 except, nor
// beyond the Net's rates. Linux: icmp_send.
func (s *Inet) SendICMP(w *core.Worker, about *core.Packet, typ, code uint8, info uint32) {
	n := about.Net()
	ip, ok := wire.ParseIPv4(about.L3())
	if !ok || n == nil || !mayComplain(about, ip, typ) {
		return
	}
	now := w.Now()
	rates := &s.path.nets.Own(n).rates
	limited := s.icmpLimited(n, typ, code)
	fromLoop := about.Dev != nil && about.Dev.Flags()&core.FlagLoopback != 0
	if limited && !fromLoop && !s.AllowICMP(n, now) {
		return
	}
	tos := ip.TOS()
	if icmpIsError(typ) {
		tos = tos&tosErrorMask | tosErrorPrec
	}
	fl := fib.Flow{Dst: ip.Src(), Src: s.errorSource(about, ip), Mark: s.replyMark(about), TOS: tos & tosErrorMask, Proto: wire.ProtoICMP}
	var opts [wire.IPv4MaxOptions]byte
	echoed, first := echoOptions(ip, as4(fl.Src), opts[:0])
	if first != [4]byte{} {
		fl.Dst = netip.AddrFrom4(first)
	}
	rt, err := s.Route(n, &fl)
	if err != nil || limited && !fromLoop && !s.icmpAllowPeer(n, &rt, rates, now) {
		return
	}
	if !chosen(rt.Src) {
		rt.Src = netip.AddrFrom4([4]byte{dummyFirst, 0, 0, dummyLast})
	}
	room := min(rt.MTU, icmpMaxLen) - wire.IPv4Len - len(echoed) - wire.ICMPLen
	if room <= wire.IPv4Len {
		return
	}
	q := w.NewPacket(n, wire.ICMPLen+min(len(ip), room))
	copy(q.Bytes()[wire.ICMPLen:], ip)
	wire.PutICMP(q.Bytes(), typ, code, info)
	_ = s.Send(w, q, &rt, &SendOptions{Proto: wire.ProtoICMP, TOS: tos, TTL: icmpErrorHops, Options: echoed, Mark: fl.Mark})
}

// mayComplain reports whether an error may be sent about a packet at all.
func mayComplain(about *core.Packet, ip wire.IPv4, typ uint8) bool {
	flags := about.Opts[optFlags]
	switch {
	case about.Type != core.ToHost && (about.Type != core.Outgoing || flags&flagOutput == 0) && about.Type != core.Looped:
		return false // a link-layer broadcast
	case flags&(flagBroadcast|flagMulticast) != 0, ip.FragOffset() != 0:
		return false
	}
	if src := ip.Src4(); src[0] == 0 || src[0]&0xf0 == 0xe0 || src == [4]byte{255, 255, 255, 255} {
		return false // no unicast; routing would find that out too
	}
	if icmpIsError(typ) && ip.Proto() == wire.ProtoICMP {
		b := ip.Payload()
		return len(b) > 0 && !icmpIsError(b[0])
	}
	return true
}

// errorSource returns the address from which an error about a packet must come,
// or the zero Addr to let the route choose.
func (s *Inet) errorSource(about *core.Packet, ip wire.IPv4) netip.Addr {
	n, flags := about.Net(), about.Opts[optFlags]
	if flags&flagLocal != 0 {
		return ip.Dst()
	}
	if flags&flagOutput == 0 && s.conf.Of(n).ErrorsUseInbound.Load() != 0 {
		if d := s.Core.DeviceByIndex(n, about.InIndex); d != nil {
			return s.SelectSource(n, d, ip.Src(), fib.Link)
		}
	}
	return netip.Addr{}
}

// replyMark returns the mark of what answers p. Linux: IP4_REPLY_MARK.
func (s *Inet) replyMark(p *core.Packet) uint32 {
	if s.conf.Of(p.Net()).FwmarkReflect.Load() != 0 {
		return p.Mark
	}
	return 0
}

// icmpLimited reports whether the rates count messages of that kind; path MTU
// discovery must not starve. Linux: icmpv4_mask_allow.
func (s *Inet) icmpLimited(n *netns.Net, typ, code uint8) bool {
	return typ <= highestICMP && !(typ == wire.ICMPDestUnreach && code == wire.ICMPFragNeeded) &&
		s.conf.Of(n).ICMPRatemask.Load()&(1<<typ) != 0
}

// AllowICMP reports whether n may send another ICMP message of a limited kind, of
// either family: net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst say how many.
// Linux: icmp_global_allow.
func (s *Inet) AllowICMP(n *netns.Net, now time.Duration) bool {
	c := s.conf.Of(n)
	return s.path.nets.Own(n).rates.net.Allow(int64(c.ICMPMsgsPerSec.Load()), int64(c.ICMPMsgsBurst.Load()), now)
}

// CountICMP counts a message that was sent. Linux: icmp_global_consume.
func (s *Inet) CountICMP(n *netns.Net) { s.path.nets.Own(n).rates.net.Consume(n) }

// icmpAllowPeer reports whether one more limited message may go by rt, and
// counts it. Linux: icmpv4_xrlim_allow.
func (s *Inet) icmpAllowPeer(n *netns.Net, rt *Route, rates *rates, now time.Duration) bool {
	every := time.Duration(s.conf.Of(n).ICMPRatelimit.Load()) * time.Millisecond
	if rt.Dev.Flags()&core.FlagLoopback == 0 && !rates.allowPeer(rt.Dst.As4(), every, now) {
		return false
	}
	rates.net.Consume(n)
	return true
}
