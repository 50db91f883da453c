package ipv6

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netns"
)

// PingOptions are the settings of an echo client. The zero value is `ping`'s
// defaults.
type PingOptions struct {
	Src        netip.Addr // source address, -I ADDR; the zero Addr: as the route has it
	To         netip.Addr // takes replies to this address alone, if it is one
	Oif        int        // index of a device to send by, -I DEV; 0: any
	Mark       uint32     // -m
	HopLimit   uint8      // -t; 0: the route's
	Class      uint8      // -Q
	NoFragment bool       // -M do: EMSGSIZE for what is too large
}

// A PingEvent is what came back for an echo request.
type PingEvent struct {
	From       netip.Addr    // who answered, or complained
	Dev        int           // index of the device it came in by
	Type, Code uint8         // of the ICMP message: an echo reply, or an error
	Info       uint32        // of an error: MTU or pointer
	Seq        uint16        // of the request
	HopLimit   uint8         // of the packet that came back
	Len        int           // of the echo reply's ICMP message, in bytes
	At         time.Duration // when, since boot
	RTT        time.Duration // since the request was sent; 0 if that is not known
}

// A Ping is a socket of one Net for echo requests. Its methods may be called by
// one goroutine at a time; Event runs on the worker that received.
// Linux: a ping socket, net/ipv6/ping.c.
type Ping struct {
	// Event is called for whatever comes back. It is set before the first
	// Send, and must not wait, nor call the Ping.
	Event func(PingEvent)

	inet  *Inet
	net   *netns.Net
	id    uint16
	o     PingOptions
	state *pings

	mu     sync.Mutex
	closed bool
	label  uint32       // its flow label, if it has leased one
	sent   [64]pingSent // the latest requests, by sequence number
}

type pingSent struct {
	seq uint16
	at  time.Duration
	ok  bool
}

// pings are the echo clients of one Net by identifier.
type pings struct {
	mu   sync.RWMutex
	last uint16
	byID map[uint16]*Ping
}

// OpenPing makes an echo client in n, with an identifier that no other one of n
// has. EAGAIN if all are taken, ENETDOWN if n is dying. Linux: ping_get_port.
func (s *Inet) OpenPing(n *netns.Net, o PingOptions) (*Ping, error) {
	st := s.path.nets.Own(n)
	t := &st.pings
	t.mu.Lock()
	defer t.mu.Unlock()
	if st.dead.Load() || !n.Alive() {
		return nil, syscall.ENETDOWN
	}
	if len(t.byID) > 0xfff0 {
		return nil, syscall.EAGAIN
	}
	if t.byID == nil {
		t.byID = map[uint16]*Ping{}
	}
	for t.last++; t.byID[t.last] != nil || t.last == 0; t.last++ {
	}
	g := &Ping{inet: s, net: n, id: t.last, o: o, state: t}
	t.byID[g.id] = g
	return g, nil
}

// Close ends the client; replies that still come are nobody's.
func (g *Ping) Close() {
	g.state.mu.Lock()
	if g.state.byID[g.id] == g {
		delete(g.state.byID, g.id)
	}
	g.state.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.label != 0 && !g.closed {
		w := g.inet.Core.Enter()
		g.inet.path.nets.Own(g.net).labels.release(g.label, w.Now())
		w.Leave()
	}
	g.closed = true
}

// closeAll ends the clients of a dying Net.
func (t *pings) closeAll() {
	t.mu.Lock()
	all := t.byID
	t.byID = nil
	t.mu.Unlock()
	for _, g := range all {
		g.mu.Lock()
		g.closed = true
		g.mu.Unlock()
	}
}

func (t *pings) get(id uint16) *Ping {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[id]
}

// Send sends an echo request with size bytes of payload, each fill, to dst, and
// returns the source address. Errors are bare errnos: those of [Inet.Route] and
// [Inet.Send], EBADF after Close. Linux: ping_v6_sendmsg.
func (g *Ping) Send(dst netip.Addr, seq uint16, size int, fill uint8) (src netip.Addr, err error) {
	if size < 0 || size > wire.IPv6MaxLen-wire.ICMPLen {
		return src, syscall.EMSGSIZE
	}
	w := g.inet.Core.Enter()
	defer w.Leave()
	fl := fib.Flow{Dst: dst, Src: g.o.Src, Oif: int32(g.o.Oif), Mark: g.o.Mark, Proto: wire.ProtoICMPv6}
	rt, err := g.inet.Route(g.net, &fl)
	if err != nil {
		return src, err
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return src, syscall.EBADF
	}
	label := g.label
	g.sent[seq%uint16(len(g.sent))] = pingSent{seq, w.Now(), true}
	g.mu.Unlock()
	p := w.NewPacket(g.net, wire.ICMPLen+size)
	b := p.Bytes()
	for i := range b[wire.ICMPLen:] {
		b[wire.ICMPLen+i] = fill
	}
	wire.PutICMPv6(b, wire.ICMP6Echo, 0, uint32(g.id)<<16|uint32(seq), rt.Src.As16(), rt.Dst.As16())
	o := SendOptions{Proto: wire.ProtoICMPv6, Class: g.o.Class, HopLimit: g.o.HopLimit, Mark: g.o.Mark, NoFragment: g.o.NoFragment, FlowLabel: label, MulticastLoop: true}
	return rt.Src, g.inet.Send(w, p, &rt, &o)
}

// event tells the client what came back, with what is known of the request.
func (g *Ping) event(e PingEvent) {
	g.mu.Lock()
	r := g.sent[e.Seq%uint16(len(g.sent))]
	closed := g.closed
	g.mu.Unlock()
	if closed || g.Event == nil {
		return
	}
	if r.ok && r.seq == e.Seq {
		e.RTT = e.At - r.at
	}
	g.Event(e)
}

// pingReply takes an echo reply. Linux: ping_rcv.
func (s *Inet) pingReply(w *core.Worker, p *core.Packet, ip wire.IPv6, m wire.ICMPv6) {
	taken := s.toPingSocket(w, p, ip, m)
	g := s.path.nets.Of(p.Net()).pings.get(m.ID())
	if g == nil || g.o.Oif != 0 && g.o.Oif != s.ArrivedBy(p, ip) || g.o.To.IsValid() && g.o.To != ip.Dst() {
		if taken {
			w.Deliver(p)
			return
		}
		w.Drop(p, core.NoSocket)
		return
	}
	g.event(PingEvent{From: ip.Src(), Dev: s.ArrivedBy(p, ip), Type: m.Type(), Code: m.Code(), Seq: m.Seq(), HopLimit: ip.HopLimit(),
		Len: len(m), At: w.Now()})
	w.Deliver(p)
}

// pingError takes an ICMP error about a request of this Net.
// Linux: ping_err.
func (s *Inet) pingError(w *core.Worker, p *core.Packet, quoted wire.IPv6, upper []byte, e ICMPError) {
	// Linux does not ask whether a socket has sent it: icmpv6_err.
	s.LearnFrom(w, p, &fib.Flow{Dst: quoted.Dst(), Src: quoted.Src(), Oif: int32(p.Dev.Index()), Proto: wire.ProtoICMPv6}, e)
	if upper[0] != wire.ICMP6Echo || e.Type == wire.ICMP6Redirect {
		return
	}
	s.tellPingSocket(w, p, binary.BigEndian.Uint16(upper[4:]), e)
	g := s.path.nets.Of(p.Net()).pings.get(binary.BigEndian.Uint16(upper[4:]))
	if g == nil {
		return
	}
	outer := wire.IPv6(p.L3())
	g.event(PingEvent{From: netip.AddrFrom16(e.From), Dev: s.ArrivedBy(p, outer), Type: e.Type, Code: e.Code, Info: e.Info,
		Seq: binary.BigEndian.Uint16(upper[6:]), HopLimit: outer.HopLimit(), At: w.Now()})
}
