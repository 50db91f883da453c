package ipv4

import (
	"encoding/binary"
	"net/netip"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
)

// highestICMP is the highest type that is known. Linux: NR_ICMP_TYPES.
const highestICMP = 18

// icmpIsError reports whether a type is that of an error, about which no error
// is sent; types that nobody knows are taken for errors too.
// Linux: icmp_pointers[].error.
func icmpIsError(typ uint8) bool {
	switch typ {
	case wire.ICMPEchoReply, wire.ICMPEcho, wire.ICMPTimestamp, wire.ICMPTimestampReply, 15, 16, 17, 18:
		return false
	}
	return true
}

// icmpReceive takes an ICMP message; it is a transport like others.
// Linux: icmp_rcv.
func (s *Inet) icmpReceive(w *core.Worker, p *core.Packet, ip wire.IPv4) {
	m, ok := wire.ParseICMP(p.Bytes())
	if p.Checksum == core.ChecksumNone && !wire.ICMP(p.Bytes()).ChecksumOK() {
		w.Drop(p, core.BadL4Checksum)
		return
	}
	if !ok || m.Type() > highestICMP {
		w.Drop(p, core.BadICMP)
		return
	}
	if Broadcast(p) {
		switch m.Type() {
		case wire.ICMPEcho, wire.ICMPTimestamp:
			if s.conf.Of(p.Net()).EchoIgnoreBroadcasts.Load() != 0 {
				w.Drop(p, core.Broadcast)
				return
			}
		case 17, 18:
		default:
			w.Drop(p, core.Broadcast)
			return
		}
	}
	switch m.Type() {
	case wire.ICMPEcho:
		s.icmpEcho(w, p, ip, m)
	case wire.ICMPTimestamp:
		s.icmpTimestamp(w, p, ip, m)
	case wire.ICMPEchoReply:
		s.pingReply(w, p, ip, m)
	case wire.ICMPDestUnreach, wire.ICMPSourceQuench, wire.ICMPRedirect, wire.ICMPTimeExceeded, wire.ICMPParamProblem:
		s.icmpError(w, p, ip, m)
	default:
		w.Deliver(p) // of no use to anybody. Linux: icmp_discard
	}
}

// icmpEcho answers an echo request (RFC 1122 section 3.2.2.6).
// Linux: icmp_echo.
func (s *Inet) icmpEcho(w *core.Worker, p *core.Packet, ip wire.IPv4, m wire.ICMP) {
	if s.conf.Of(p.Net()).EchoIgnoreAll.Load() != 0 {
		w.Deliver(p)
		return
	}
	q := w.NewPacket(p.Net(), len(m))
	copy(q.Bytes(), m)
	wire.PutICMP(q.Bytes(), wire.ICMPEchoReply, m.Code(), m.Rest())
	s.icmpReply(w, p, ip, q)
}

// icmpTimestamp answers a timestamp request (RFC 792, RFC 1122 section
// 3.2.2.8). There is no wall clock here: the time is that since boot, with the
// high bit set, which says that it is not since midnight UT.
// Linux: icmp_timestamp.
func (s *Inet) icmpTimestamp(w *core.Worker, p *core.Packet, ip wire.IPv4, m wire.ICMP) {
	if len(m.Payload()) < 4 {
		w.Drop(p, core.HeaderTooShort)
		return
	}
	q := w.NewPacket(p.Net(), wire.ICMPLen+12)
	b := q.Bytes()
	copy(b[wire.ICMPLen:], m.Payload()[:4])
	binary.BigEndian.PutUint32(b[12:], timestamp(w.Now()))
	binary.BigEndian.PutUint32(b[16:], timestamp(w.Now()))
	wire.PutICMP(b, wire.ICMPTimestampReply, 0, m.Rest())
	s.icmpReply(w, p, ip, q)
}

// timestamp returns the time since boot as RFC 792 has one that does not count
// from midnight UT.
func timestamp(now time.Duration) uint32 {
	return uint32(now/time.Millisecond%(24*time.Hour/time.Millisecond)) | 1<<31
}

// icmpReply sends q, an ICMP message, as the answer to p, and ends both.
// Linux: icmp_reply.
func (s *Inet) icmpReply(w *core.Worker, p *core.Packet, ip wire.IPv4, q *core.Packet) {
	n := p.Net()
	var opts [wire.IPv4MaxOptions]byte
	echoed, first := echoOptions(ip, s.ReplySource(p, ip).As4(), opts[:0])
	typ := q.Bytes()[0]
	rates := &s.path.nets.Own(n).rates
	limited := s.icmpLimited(n, typ, 0)
	if limited && !s.AllowICMP(n, w.Now()) {
		w.Drop(q, core.ICMPRate)
		w.Deliver(p)
		return
	}
	fl := fib.Flow{Dst: ip.Src(), Src: s.ReplySource(p, ip), Mark: s.replyMark(p), TOS: ip.TOS(), Proto: wire.ProtoICMP}
	if first != [4]byte{} {
		fl.Dst = netip.AddrFrom4(first)
	}
	rt, err := s.Route(n, &fl)
	if err != nil {
		w.Drop(q, core.NoRoute)
		w.Deliver(p)
		return
	}
	if limited && !s.icmpAllowPeer(n, &rt, rates, w.Now()) {
		w.Drop(q, core.ICMPRate)
		w.Deliver(p)
		return
	}
	o := SendOptions{Proto: wire.ProtoICMP, TOS: ip.TOS(), Options: echoed, Mark: fl.Mark}
	w.Deliver(p)
	_ = s.Send(w, q, &rt, &o) // nobody to tell
}

// icmpError takes an ICMP error and tells the transport whose packet it is
// about (RFC 1122 section 3.2.2). Linux: icmp_unreach, icmp_redirect.
func (s *Inet) icmpError(w *core.Worker, p *core.Packet, ip wire.IPv4, m wire.ICMP) {
	quoted := wire.IPv4(m.Payload())
	if len(quoted) < wire.IPv4Len || quoted[0]&15 < 5 {
		w.Drop(p, core.BadICMP)
		return
	}
	e := ICMPError{Type: m.Type(), Code: m.Code(), From: ip.Src()}
	n := p.Net()
	switch {
	case e.Type == wire.ICMPDestUnreach && e.Code > wire.ICMPPrecCutoff,
		e.Type == wire.ICMPTimeExceeded && e.Code == wire.ICMPFragTimeout,
		len(quoted) < int(quoted[0]&15)*4+8:
		w.Deliver(p) // nothing that a transport could use
		return
	case e.Type == wire.ICMPDestUnreach && e.Code == wire.ICMPFragNeeded:
		switch s.conf.Of(n).NoPMTUDisc.Load() {
		case 2, 3: // 3 asks for transports that check what is quoted; there are none yet
			w.Deliver(p)
			return
		case 0:
			e.Info = uint32(m.MTU())
		} // with 1 the path is taken to be as narrow as min_pmtu
	case e.Type == wire.ICMPRedirect:
		e.Info = m.Rest()
	case e.Type == wire.ICMPParamProblem:
		e.Info = uint32(m.Pointer())
	}
	if t := s.protos[quoted.Proto()]; t != nil && t.Error != nil && t.gate.Admit(n) {
		t.Error(w, p, quoted, e)
	}
	w.Deliver(p)
}
