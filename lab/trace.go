package lab

import (
	"fmt"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Tracer is a [Machine] that can find out the way to a host, as tracepath and
// traceroute do.
type Tracer interface {
	// Trace opens a UDP socket in net, with an error queue and without a peer,
	// that sends what is known to pass (IP_PMTUDISC_DO) to dst.
	Trace(net string, dst netip.Addr) (TraceSocket, error)
}

// A TraceSocket is what [Tracer.Trace] opens.
type TraceSocket interface {
	// Send sends a datagram to a port of the host, with a TTL. Errors are errnos.
	Send(port uint16, ttl int, data []byte) error
	// Wait waits until there is an error or a datagram, which it takes and
	// reports, or time is up.
	Wait(d time.Duration) (reply bool)
	// Error takes the oldest error of the queue; false if there is none.
	Error() (SockError, bool)
	// Now is the time by which round trips are measured.
	Now() time.Duration
	// Close ends the socket.
	Close() error
}

// A SockError is an entry of a socket's error queue.
// Linux: struct sock_extended_err.
type SockError struct {
	Errno      syscall.Errno
	Origin     uint8 // 1 local, 2 ICMP, 3 ICMPv6
	Type, Code uint8
	Info       uint32
	Offender   netip.Addr
	To         netip.AddrPort // whom the datagram was for
	Hops       int            // TTL or hop limit of the ICMP message; -1 if it is none
	Data       string         // what was quoted of the datagram
}

// String returns the entry as a probe shows it.
func (e *SockError) String() string {
	origin := [...]string{"none", "local", "icmp", "icmp6"}[e.Origin&3]
	by := "-"
	if e.Offender.IsValid() {
		by = e.Offender.String()
	}
	return fmt.Sprintf("error %q %s type %d code %d info %d by %s to %s %q", errText(e.Errno), origin, e.Type, e.Code, e.Info, by, e.To,
		e.Data[:min(16, len(e.Data))])
}

// A Trace is a tracepath or traceroute command.
type Trace struct {
	Host    string // as written
	Dst     netip.Addr
	Route   bool // traceroute
	MaxHops int  // -m
	Len     int  // tracepath -l: octets of the first packet; 0: as many as there can be
	Port    int  // -p: of the first packet
	Queries int  // traceroute -q: packets for each hop
	Wait    time.Duration
}

const (
	tracepathHelp = `
Usage
  tracepath [options] <destination>

Options:
  -4, -6         use that family
  -b             print both name and IP
  -l <length>    use packet <length>
  -m <hops>      use maximum <hops>
  -n             no reverse DNS name resolution
  -p <port>      use destination <port>
`
	tracerouteHelp = "Usage:\n  traceroute [ -46n ] [ -m max_ttl ] [ -p port ] [ -q nqueries ] [ -w waittime ] host\n"
)

func parseTracepath(a *args, net string) *Command {
	return parseTrace(a, net, &Trace{MaxHops: 30, Port: 44444, Wait: time.Second}, "tracepath", "46bn", "lmp")
}

func parseTraceroute(a *args, net string) *Command {
	return parseTrace(a, net, &Trace{Route: true, MaxHops: 30, Port: 33434, Queries: 3, Wait: 5 * time.Second}, "traceroute", "46n", "mpqw")
}

// parseTrace reads a tool's command line: options of one letter, with and
// without a value, and one host, as a number.
func parseTrace(a *args, net string, t *Trace, tool, bare, valued string) *Command {
	help := map[bool]string{false: tracepathHelp, true: tracerouteHelp}[t.Route]
	family := uint8(0)
	for a.more() {
		w := a.next()
		switch {
		case len(w) == 2 && w[0] == '-' && contains(bare, w[1]):
			switch w[1] {
			case '4':
				family = unix.AF_INET
			case '6':
				family = unix.AF_INET6
			}
		case len(w) == 2 && w[0] == '-' && contains(valued, w[1]):
			if !a.more() {
				panic(usage(2, "%s: option requires an argument -- '%c'\n%s", tool, w[1], help))
			}
			t.set(tool, w[1], a.next())
		case len(w) > 1 && w[0] == '-' || t.Host != "":
			panic(usage(2, "%s: invalid option -- '%s'\n%s", tool, w, help))
		default:
			ip, err := netip.ParseAddr(w)
			if err != nil || family != 0 && familyOf(ip) != family {
				panic(usage(1, "%s: %s: Name or service not known\n", tool, w))
			}
			t.Host, t.Dst = w, ip
		}
	}
	if t.Host == "" {
		panic(usage(2, "%s", help))
	}
	return &Command{Net: net, Do: t}
}

func contains(letters string, c byte) bool {
	for i := range len(letters) {
		if letters[i] == c {
			return true
		}
	}
	return false
}

func (t *Trace) set(tool string, option byte, value string) {
	n, err := strconv.Atoi(value)
	least, most := 1, 255
	switch option {
	case 'l':
		most = 65535
	case 'p':
		most = 65535
	case 'q':
		most = 10
	}
	if err != nil || n < least || n > most {
		panic(usage(1, "%s: invalid argument: '%s'\n", tool, value))
	}
	switch option {
	case 'l':
		t.Len = n
	case 'm':
		t.MaxHops = n
	case 'p':
		t.Port = n
	case 'q':
		t.Queries = n
	case 'w':
		t.Wait = time.Duration(n) * time.Second
	}
}

func (t *Trace) run(c *tool) int {
	name := map[bool]string{false: "tracepath", true: "traceroute"}[t.Route]
	m, ok := c.m.(Tracer)
	if !ok {
		return c.failf(1, "%s: %s\n", name, errText(syscall.EOPNOTSUPP))
	}
	s, err := m.Trace(c.c.Net, t.Dst)
	if err != nil {
		return c.failf(1, "%s: %s\n", name, errText(err))
	}
	defer s.Close()
	if t.Route {
		return t.route(c, s)
	}
	p := &tracepath{t: t, c: c, s: s, to: -1, back: -1}
	return p.run()
}

// A tracepath is a tracepath command under way. iputils: struct run_state.
type tracepath struct {
	t *Trace
	c *tool
	s TraceSocket

	mtu, overhead int
	ttl           int
	his           [64]traceSent
	at            int
	to, back      int
}

type traceSent struct {
	hops int
	when time.Duration
}

// What goes on: iputils' functions return an MTU for progress.
type traceStep uint8

const (
	traceNothing traceStep = iota
	traceProgress
	traceDone
)

// run is iputils' main.
func (p *tracepath) run() int {
	p.mtu, p.overhead = 65535, 28
	if p.t.Dst.Is6() {
		p.mtu, p.overhead = 128000, 48
	}
	if p.t.Len != 0 {
		p.mtu = p.t.Len
	}
	if p.mtu <= p.overhead {
		return p.c.failf(1, "tracepath: pktlen must be within: %d < value <= %d\n", p.overhead, 65535)
	}
	if !p.hops() {
		p.c.outf("     Too many hops: pmtu %d\n", p.mtu)
	}
	p.c.outf("     Resume: pmtu %d ", p.mtu)
	if p.to >= 0 {
		p.c.outf("hops %d ", p.to)
	}
	if p.back >= 0 {
		p.c.outf("back %d ", p.back)
	}
	p.c.outf("\n")
	return 0
}

// hops asks hop by hop; false if there are too many.
func (p *tracepath) hops() bool {
	for p.ttl = 1; p.ttl <= p.t.MaxHops; p.ttl++ {
		step := traceNothing
		for i := 0; i < 3 && step == traceNothing; i++ {
			old := p.mtu
			step = p.probe()
			switch {
			case p.mtu != old:
				i, step = -1, traceNothing
			case step == traceDone:
				return true
			}
		}
		if step == traceNothing {
			p.c.outf("%2d:  no reply\n", p.ttl)
		}
	}
	return false
}

// probe sends one packet and reads what comes of it. iputils: probe_ttl.
func (p *tracepath) probe() traceStep {
	sent := false
	for i := 0; i < 10 && !sent; i++ {
		p.his[p.at] = traceSent{p.ttl, p.s.Now()}
		data := make([]byte, p.mtu-p.overhead)
		copy(data, fmt.Appendf(nil, "%-3d", p.ttl))
		if p.s.Send(uint16(p.t.Port+p.at), p.ttl, data) == nil {
			sent = true
			continue
		}
		step := p.errors()
		p.his[p.at].hops = 0
		switch step {
		case traceDone:
			return step
		case traceProgress:
			i = -1
		}
	}
	p.at = (p.at + 1) % len(p.his)
	if !sent {
		p.c.outf("%2d:  send failed\n", p.ttl)
		return traceDone
	}
	if p.s.Wait(p.t.Wait) {
		p.c.outf("%2d?: reply received 8)\n", p.ttl)
		return traceDone
	}
	return p.errors()
}

// errors reads the error queue. iputils: recverr.
func (p *tracepath) errors() traceStep {
	step := traceNothing
	for {
		e, ok := p.s.Error()
		if !ok {
			return step
		}
		step = traceProgress
		if p.tell(&e) {
			return traceDone
		}
	}
}

// tell prints one error, and reports true for the last one.
func (p *tracepath) tell(e *SockError) (done bool) {
	hops, when := -1, time.Duration(-1)
	if slot := int(e.To.Port()) - p.t.Port; slot >= 0 && slot < len(p.his)-1 && p.his[slot].hops != 0 {
		hops, when = p.his[slot].hops, p.his[slot].when
		p.his[slot].hops = 0
	}
	switch {
	case e.Origin == 1:
		p.c.outf("%2d?: %-32s ", p.ttl, "[LOCALHOST]")
	case hops > 0:
		p.c.outf("%2d:  %-52s", hops, e.Offender)
	default:
		p.c.outf("%2d?: %-52s", p.ttl, e.Offender)
	}
	if when >= 0 {
		us := (p.s.Now() - when).Microseconds()
		p.c.outf("%3d.%03dms ", us/1000, us%1000)
	}
	return p.meaning(e, hops)
}

// meaning prints what an error says, and reports true for the last one.
func (p *tracepath) meaning(e *SockError, hops int) (done bool) {
	back := returned(e.Hops)
	switch e.Errno {
	case syscall.EMSGSIZE:
		p.c.outf("pmtu %d\n", e.Info)
		p.mtu = int(e.Info)
		return false
	case syscall.ECONNREFUSED:
		p.c.outf("reached\n")
		if p.to, p.back = hops, back; hops < 0 {
			p.to = p.ttl
		}
	case syscall.EPROTO:
		p.c.outf("!P\n")
	case syscall.EHOSTUNREACH:
		if e.Origin == 2 && e.Type == 11 && e.Code == 0 || e.Origin == 3 && e.Type == 3 && e.Code == 0 {
			if hops >= 0 && back != hops || hops < 0 && back != p.ttl {
				p.c.outf("asymm %2d ", back)
			}
			p.c.outf("\n")
			return false
		}
		p.c.outf("!H\n")
	case syscall.ENETUNREACH:
		p.c.outf("!N\n")
	case syscall.EACCES:
		p.c.outf("!A\n")
	default:
		p.c.outf("\n")
		p.c.failf(0, "NET ERROR: %s\n", errText(e.Errno))
	}
	return true
}

// returned guesses how many hops away somebody is by the TTL that his packet
// arrived with.
func returned(ttl int) int {
	switch {
	case ttl <= 64:
		return 65 - ttl
	case ttl <= 128:
		return 129 - ttl
	}
	return 256 - ttl
}

// route is a traceroute: as many packets for each hop, one after the other.
func (t *Trace) route(c *tool, s TraceSocket) int {
	size := 60
	if t.Dst.Is6() {
		size = 80
	}
	c.outf("traceroute to %s (%s), %d hops max, %d byte packets\n", t.Host, t.Dst, t.MaxHops, size)
	data := make([]byte, 32) // behind IP's header and UDP's
	port := t.Port
	for ttl := 1; ttl <= t.MaxHops; ttl++ {
		c.outf("%2d ", ttl)
		last, from := false, netip.Addr{}
		for range t.Queries {
			e, rtt, ok := t.ask(s, uint16(port), ttl, data)
			port++
			if !ok {
				c.outf(" *")
				continue
			}
			if e.Offender != from {
				from = e.Offender
				c.outf(" %s", from)
			}
			c.outf("  %d.%03d ms", rtt.Microseconds()/1000, rtt.Microseconds()%1000)
			word, end := mark(&e)
			c.outf("%s", word)
			last = last || end
		}
		c.outf("\n")
		if last {
			break
		}
	}
	return 0
}

// ask sends one packet and waits for its error.
func (t *Trace) ask(s TraceSocket, port uint16, ttl int, data []byte) (e SockError, rtt time.Duration, ok bool) {
	start := s.Now()
	if s.Send(port, ttl, data) != nil {
		return e, 0, false
	}
	for end := start + t.Wait; ; {
		s.Wait(end - s.Now())
		if e, ok = s.Error(); !ok || e.To.Port() == port && e.Origin != 1 {
			return e, s.Now() - start, ok
		}
	}
}

// mark is what traceroute prints behind a time, and whether the way ends there.
func mark(e *SockError) (word string, end bool) {
	switch e.Errno {
	case syscall.ECONNREFUSED:
		return "", true
	case syscall.ENETUNREACH:
		return " !N", true
	case syscall.EACCES:
		return " !X", true
	case syscall.EPROTO:
		return " !P", true
	case syscall.EMSGSIZE:
		return fmt.Sprintf(" !F-%d", e.Info), true
	case syscall.EHOSTUNREACH:
		if e.Origin == 2 && e.Type == 11 || e.Origin == 3 && e.Type == 3 {
			return "", false
		}
		return " !H", true
	}
	return " !", true
}
