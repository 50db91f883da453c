package ipv4

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
	TTL, TOS   uint8      // -t, -Q; TTL 0: the Net's default
	NoFragment bool       // -M do: Don't Fragment, and EMSGSIZE for what is too large
	DF         bool       // -M want
	Broadcast  bool       // -b: a broadcast destination is meant; else it is EACCES
	Options    []byte     // IP options, as for -R and -T
}

// A PingEvent is what came back for an echo request.
type PingEvent struct {
	From       netip.Addr    // who answered, or complained
	Type, Code uint8         // of the ICMP message: an echo reply, or an error
	Info       uint32        // of an error: next-hop MTU, gateway or pointer
	Seq        uint16        // of the request
	TTL        uint8         // of the packet that came back
	Len        int           // of the echo reply's ICMP message, in bytes
	Broken     bool          // the payload differs from what was sent
	At         time.Duration // when, since boot
	RTT        time.Duration // since the request was sent; 0 if that is not known
	Options    []byte        // IP options of a reply
}

// A Ping is a socket of one Net for echo requests. Its methods may be called by
// one goroutine at a time; Event runs on the worker that received.
// Linux: a ping socket, net/ipv4/ping.c.
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
	sent   [64]pingSent // the latest requests, by sequence number
}

type pingSent struct {
	seq  uint16
	size int
	fill uint8
	at   time.Duration
	ok   bool
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

// ID returns the identifier in the requests.
func (g *Ping) ID() uint16 { return g.id }

// Close ends the client; replies that still come are nobody's.
func (g *Ping) Close() {
	g.state.mu.Lock()
	if g.state.byID[g.id] == g {
		delete(g.state.byID, g.id)
	}
	g.state.mu.Unlock()
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
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
// [Inet.Send], EACCES for a broadcast without the option, EBADF after Close.
// Linux: ping_v4_sendmsg.
func (g *Ping) Send(dst netip.Addr, seq uint16, size int, fill uint8) (src netip.Addr, err error) {
	if size < 0 || size > wire.IPv4MaxLen-wire.IPv4Len-wire.ICMPLen {
		return src, syscall.EMSGSIZE
	}
	w := g.inet.Core.Enter()
	defer w.Leave()
	fl := fib.Flow{Dst: dst, Src: g.o.Src, Oif: int32(g.o.Oif), Mark: g.o.Mark, TOS: g.o.TOS, Proto: wire.ProtoICMP}
	rt, err := g.inet.Route(g.net, &fl)
	if err != nil {
		return src, err
	}
	if rt.Broadcast && !g.o.Broadcast {
		return src, syscall.EACCES
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return src, syscall.EBADF
	}
	g.sent[seq%uint16(len(g.sent))] = pingSent{seq, size, fill, w.Now(), true}
	g.mu.Unlock()
	p := w.NewPacket(g.net, wire.ICMPLen+size)
	b := p.Bytes()
	for i := range b[wire.ICMPLen:] {
		b[wire.ICMPLen+i] = fill
	}
	wire.PutICMPEcho(b, wire.ICMPEcho, g.id, seq)
	o := SendOptions{Proto: wire.ProtoICMP, TOS: g.o.TOS, TTL: g.o.TTL, DF: g.o.DF, NoFragment: g.o.NoFragment,
		Options: g.o.Options, Mark: g.o.Mark, MulticastLoop: true}
	return rt.Src, g.inet.Send(w, p, &rt, &o)
}

// event tells the client what came back, with what is known of the request.
func (g *Ping) event(e PingEvent, payload []byte) {
	g.mu.Lock()
	r := g.sent[e.Seq%uint16(len(g.sent))]
	closed := g.closed
	g.mu.Unlock()
	if closed || g.Event == nil {
		return
	}
	if r.ok && r.seq == e.Seq {
		e.RTT = e.At - r.at
		if e.Type == wire.ICMPEchoReply {
			e.Broken = len(payload) != r.size
			for _, c := range payload {
				e.Broken = e.Broken || c != r.fill
			}
		}
	}
	g.Event(e)
}

// pingReply takes an echo reply. Linux: ping_rcv.
func (s *Inet) pingReply(w *core.Worker, p *core.Packet, ip wire.IPv4, m wire.ICMP) {
	g := s.path.nets.Of(p.Net()).pings.get(m.ID())
	if g == nil || g.o.Oif != 0 && g.o.Oif != s.arrivedBy(p, ip) || g.o.To.IsValid() && g.o.To != ip.Dst() {
		w.Drop(p, core.NoSocket)
		return
	}
	g.event(PingEvent{From: ip.Src(), Type: m.Type(), Code: m.Code(), Seq: m.Seq(), TTL: ip.TTL(), Len: len(m), At: w.Now(),
		Options: append([]byte(nil), ip.Options()...)}, m.Payload())
	w.Deliver(p)
}

// arrivedBy returns the index of the device that a socket takes p to have come
// in by: of what a Net has sent to itself that of the local route it went by.
// Linux: inet_iif, rt_iif.
func (s *Inet) arrivedBy(p *core.Packet, ip wire.IPv4) int {
	if p.Dev.Flags()&core.FlagLoopback != 0 {
		fl := fib.Flow{Dst: ip.Dst(), Src: ip.Src(), Iif: loopbackIndex, TOS: ip.TOS(), Proto: ip.Proto()}
		if res, err := s.FIB.Lookup(p.Net(), &fl); err == nil && res.Type == fib.Local && res.Hop.Dev != nil {
			return res.Hop.Dev.Index()
		}
	}
	return p.Dev.Index()
}

// pingError takes an ICMP error about a request of this Net.
// Linux: icmp_err, ping_err.
func (s *Inet) pingError(w *core.Worker, p *core.Packet, quoted wire.IPv4, e ICMPError) {
	hdr := int(quoted[0]&15) * 4
	m := quoted[min(hdr, len(quoted)):]
	if len(m) < wire.ICMPLen || m[0] != wire.ICMPEcho && m[0] != wire.ICMPEchoReply {
		return
	}
	fl := fib.Flow{Dst: quoted.Dst(), Src: quoted.Src(), TOS: quoted.TOS() & 0x1c, Proto: wire.ProtoICMP}
	if m[0] == wire.ICMPEchoReply { // this Net's own answer; no socket has sent it
		s.LearnFrom(w, p, &fl, e)
		return
	}
	g := s.path.nets.Of(p.Net()).pings.get(binary.BigEndian.Uint16(m[4:]))
	if g == nil {
		return
	}
	fl.Oif, fl.Mark, fl.TOS = int32(g.o.Oif), g.o.Mark, g.o.TOS
	s.LearnFrom(w, p, &fl, e)
	outer := wire.IPv4(p.L3())
	g.event(PingEvent{From: e.From, Type: e.Type, Code: e.Code, Info: e.Info, Seq: binary.BigEndian.Uint16(m[6:]),
		TTL: outer.TTL(), At: w.Now()}, nil)
}
