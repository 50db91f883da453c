package host

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/ipv4"
	"nsmodel/lab"
	"nsmodel/netns"
)

// linger is how long ping waits for replies after its last request, unless it
// was told. iputils: MAXWAIT.
const linger = 10 * time.Second

// A pinger is one ping command under way.
type pinger struct {
	h      *Host
	n      *netns.Net
	p      *lab.Ping
	sock   echoer
	report func(lab.PingEvent)

	mu  sync.Mutex
	got []came // what came back and is not told yet

	res     lab.PingResult
	seen    map[int]bool // replies, by sequence number
	errors  int
	longest time.Duration
	start   time.Duration
	last    time.Duration // of the latest event
}

// An echoer is a ping's socket, of either family.
type echoer interface {
	Send(dst netip.Addr, seq uint16, size int, fill uint8) (src netip.Addr, err error)
	Close()
}

// A came is what came back, of either family.
type came struct {
	ipv4.PingEvent
	reply bool
}

// Ping implements [lab.Machine].
func (h *Host) Ping(net string, p *lab.Ping, report func(lab.PingEvent)) (lab.PingResult, error) {
	n, err := h.net(net)
	if err != nil {
		return lab.PingResult{}, err
	}
	defer n.Put()
	g := &pinger{h: h, n: n, p: p, report: report, seen: map[int]bool{}}
	open := g.open
	if p.Dst.Is6() {
		open = g.open6
	}
	if err := open(); err != nil {
		return g.res, err
	}
	defer g.sock.Close()
	g.loop()
	g.res.Elapsed = g.last - g.start
	return g.res, nil
}

// open makes the socket and asks for a route, as ping does by a connect whose
// error ends it.
func (g *pinger) open() error {
	p := g.p
	o := ipv4.PingOptions{Mark: p.Mark, TTL: uint8(p.TTL), TOS: uint8(p.TOS), Broadcast: p.Broadcast}
	switch p.PMTU {
	case "do":
		o.NoFragment, o.DF = true, true
	case "want":
		o.DF = true
	case "":
		o.DF = g.h.M.IPv4.WantDF(g.n)
		if p.Dst.IsMulticast() { // ping asks for path MTU discovery of its own accord then
			o.NoFragment, o.DF = true, true
		}
	}
	if p.Dev != "" {
		d := g.h.M.Core.Device(g.n, p.Dev)
		if d == nil {
			return os.NewSyscallError("SO_BINDTODEVICE "+p.Dev, syscall.ENODEV)
		}
		o.Oif = d.Index()
	}
	if p.Source.IsValid() && !p.Source.IsUnspecified() {
		return g.bound(o)
	}
	w := g.h.M.Core.Enter()
	// A UDP socket is what it connects, and what that asks with the source that
	// it is to have (ip_route_connect).
	fl := fib.Flow{Dst: p.Dst, Oif: int32(o.Oif), Mark: p.Mark, TOS: o.TOS, Proto: wire.ProtoUDP, DPort: 1025}
	rt, err := g.h.M.IPv4.Route(g.n, &fl)
	if err == nil && rt.Src.IsValid() && !rt.Src.IsUnspecified() {
		fl.Dst, fl.Src = rt.Dst, rt.Src
		rt, err = g.h.M.IPv4.Route(g.n, &fl)
	}
	w.Leave()
	if err == syscall.EACCES && !p.Broadcast {
		return os.NewSyscallError("connect", syscall.EACCES)
	}
	if err != nil {
		return os.NewSyscallError("connect", bare(err))
	}
	if rt.Broadcast && !p.Broadcast {
		return os.NewSyscallError("connect", syscall.EACCES)
	}
	return g.begin(o, rt.Src, rt.Broadcast && p.Broadcast)
}

// bound is open with a source address: ping connects only to learn one, and so
// does not hear before it sends that there is no way.
func (g *pinger) bound(o ipv4.PingOptions) error {
	o.Src, o.To = g.p.Source, g.p.Source
	switch g.h.M.IPv4.AddrType(g.n, o.Src.As4()) {
	case fib.Local:
	case fib.Broadcast, fib.Multicast:
		o.Src = netip.Addr{} // raw_bind takes them, to receive only
	default:
		if !g.h.M.IPv4.NonlocalBind(g.n) {
			return os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
		}
	}
	o.Broadcast = false // is asked for once the connect has failed
	return g.begin(o, g.p.Source, false)
}

// begin opens the socket and prints the headline.
func (g *pinger) begin(o ipv4.PingOptions, src netip.Addr, broadcast bool) (err error) {
	sock, err := g.h.M.IPv4.OpenPing(g.n, o)
	if err != nil {
		return os.NewSyscallError("socket", bare(err))
	}
	sock.Event = func(e ipv4.PingEvent) { g.came(came{e, e.Type == wire.ICMPEchoReply}) }
	g.sock = sock
	g.report(lab.PingEvent{Kind: lab.PingStart, From: src, Broadcast: broadcast})
	return nil
}

// came notes what came back; it runs on the worker that received.
func (g *pinger) came(e came) {
	g.mu.Lock()
	g.got = append(g.got, e)
	g.mu.Unlock()
}

// loop sends and waits as ping does. iputils: main_loop, pinger.
func (g *pinger) loop() {
	now := g.h.M.Sys.Now
	g.start = now()
	g.last = g.start
	end := time.Duration(1<<63 - 1)
	if g.p.Deadline > 0 {
		end = g.start + g.p.Deadline
	}
	for g.p.Count == 0 || g.res.Sent < g.p.Count {
		next := now() + g.p.Interval
		g.send()
		if g.p.Deadline == 0 && g.res.Sent == g.p.Count {
			break // the last one is waited for below. iputils: schedule_exit
		}
		if g.wait(min(next, end)) || now() >= end {
			return
		}
		if !g.n.Alive() {
			return
		}
	}
	left := linger
	if g.p.Timeout > 0 {
		left = g.p.Timeout
	}
	if len(g.seen) > 0 {
		left = max(2*g.longest, g.p.Interval)
	}
	g.wait(min(now()+left, end))
}

func (g *pinger) send() {
	g.res.Sent++
	seq := g.res.Sent
	g.res.Pipe = max(g.res.Pipe, seq-len(g.seen))
	g.last = g.h.M.Sys.Now()
	// Of other errors ping says nothing: it looks for them in the socket's
	// error queue, where they are not. iputils: receive_error_msg.
	if _, err := g.sock.Send(g.p.Dst.WithZone(""), uint16(seq), g.p.Size, 0); errors.Is(err, syscall.EMSGSIZE) {
		g.errors++
		g.report(lab.PingEvent{Kind: lab.PingLocal, Seq: seq, Err: bare(err), Info: g.mtu()})
	}
}

// mtu returns what the path lets through, for a request that was too long.
func (g *pinger) mtu() uint32 {
	w := g.h.M.Core.Enter()
	defer w.Leave()
	if g.p.Dst.Is6() {
		rt, err := g.h.M.IPv6.Route(g.n, &fib.Flow{Dst: g.p.Dst.WithZone(""), Src: g.p.Source.WithZone("")})
		if err != nil {
			return 0
		}
		return uint32(rt.MTU)
	}
	rt, err := g.h.M.IPv4.Route(g.n, &fib.Flow{Dst: g.p.Dst, Src: g.p.Source})
	if err != nil {
		return 0
	}
	return uint32(rt.MTU)
}

// wait tells what comes back until a time, and reports true as soon as every
// request that will be sent has had its answer.
func (g *pinger) wait(until time.Duration) bool {
	done := func() bool {
		g.tell()
		return g.enough() || g.p.Deadline > 0 && g.errors > 0
	}
	return g.h.until(done, until-g.h.M.Sys.Now())
}

// enough reports whether every request that will be sent has had its answer.
func (g *pinger) enough() bool { return g.p.Count > 0 && len(g.seen)+g.errors >= g.p.Count }

// tell reports what has come back. What comes with the last answer that was waited
// for is not read. iputils: main_loop, in_flight.
func (g *pinger) tell() {
	g.mu.Lock()
	got := g.got
	g.got = nil
	g.mu.Unlock()
	for _, e := range got {
		if g.enough() {
			return
		}
		g.last = max(g.last, e.At)
		seq := int(e.Seq)
		if !e.reply {
			if e.Type != wire.ICMPRedirect || g.p.Dst.Is6() { // advice, no error
				g.errors++
			}
			g.report(lab.PingEvent{Kind: lab.PingError, From: e.From, Seq: seq, Type: e.Type, Code: e.Code, Info: e.Info})
			continue
		}
		g.longest = max(g.longest, e.RTT)
		g.report(lab.PingEvent{Kind: lab.PingReply, From: e.From, Seq: seq, Size: e.Len, TTL: int(e.TTL), RTT: e.RTT, Dup: g.seen[seq]})
		g.seen[seq] = true
	}
}
