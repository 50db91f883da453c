package lab

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const probeHelp = `Usage: probe udp { echo | listen } [ADDR:]PORT [ as NAME ] [ dev DEV ] [ reuse ] [ joined ]
       probe udp { show | close } [ADDR:]PORT [ as NAME ]
       probe udp { join | leave } [ADDR:]PORT GROUP [ source ADDR ] [ dev DEV | via ADDR ] [ as NAME ]
       probe udp { block | unblock } [ADDR:]PORT GROUP source ADDR [ dev DEV | via ADDR ] [ as NAME ]
       probe udp send ADDR:PORT TEXT [ from [ADDR:]PORT ] [ wait DURATION ]
                      [ dev DEV ] [ ttl TTL ] [ noloop ] [ nobroadcast ]
       probe raw send DEV HEX...
       probe capture start DEV FILE
       probe capture stop DEV
       probe ra { send | on } dev DEV [ lifetime N ] [ hoplimit N ] [ mtu N ] [ reachable MS ] [ retrans MS ]
                      [ pref { low | medium | high } ] [ nosource ] [ to ADDR ]
                      [ prefix P/L [ valid N ] [ preferred N ] [ offlink ] [ noauto ] ]...
                      [ route P/L [ lifetime N ] [ pref { low | medium | high } ] ]...
       probe ra off dev DEV
       probe sleep DURATION
       probe ledger
`

// ErrNoReply is what [Machine.Probe] returns when a udp send has waited in vain.
var ErrNoReply = errors.New("no reply")

func parseProbe(a *args, net string) *Command {
	p := &Probe{}
	if !a.more() {
		panic(usage(1, "%s", probeHelp))
	}
	switch w := a.next(); w {
	case "udp":
		p.udp(a)
	case "raw":
		p.expect(a, "send")
		p.Verb, p.Dev = RawSend, a.next()
		p.frame(a)
	case "capture":
		switch a.peek() {
		case "start":
			a.next()
			p.Verb, p.Dev, p.File = CaptureStart, a.next(), a.next()
		default:
			p.expect(a, "stop")
			p.Verb, p.Dev = CaptureStop, a.next()
		}
	case "ra":
		p.ra(a)
	case "sleep":
		p.Verb, p.Wait = Sleep, a.duration()
	case "ledger":
		p.Verb = Ledger
	default:
		panic(usage(1, "probe: unknown verb \"%s\"\n%s", w, probeHelp))
	}
	if a.more() {
		panic(usage(1, "probe: \"%s\" has no place here\n%s", a.next(), probeHelp))
	}
	return &Command{Net: net, Do: p}
}

func (p *Probe) expect(a *args, word string) {
	if w := a.next(); w != word {
		panic(usage(1, "probe: \"%s\" instead of \"%s\"\n%s", w, word, probeHelp))
	}
}

// udpVerbs are the verbs of probe udp.
var udpVerbs = map[string]ProbeVerb{"echo": UDPEcho, "listen": UDPListen, "show": UDPShow, "close": UDPClose, "send": UDPSend,
	"join": UDPJoin, "leave": UDPLeave, "block": UDPBlock, "unblock": UDPUnblock}

func (p *Probe) udp(a *args) {
	verb := a.next()
	switch p.Verb = udpVerbs[verb]; p.Verb {
	case 0:
		panic(usage(1, "probe: unknown verb \"udp %s\"\n%s", verb, probeHelp))
	case UDPSend:
		p.Remote = a.socket(true)
		if p.Data = a.next(); p.Data == "-" && a.here {
			p.Data = a.input
		}
	case UDPJoin, UDPLeave, UDPBlock, UDPUnblock:
		p.Local, p.Group = a.socket(false), a.address()
	default:
		p.Local = a.socket(false)
	}
	for a.more() {
		if w := a.next(); !p.udpWord(a, w) {
			panic(usage(1, "probe: \"%s\" has no place here\n%s", w, probeHelp))
		}
	}
	if (p.Verb == UDPBlock || p.Verb == UDPUnblock) && !p.Source.IsValid() {
		panic(usage(1, "probe: udp %s without a source\n%s", verb, probeHelp))
	}
}

// udpWord takes one of the words behind what a verb must have.
func (p *Probe) udpWord(a *args, w string) bool {
	listen, send := p.Verb == UDPListen || p.Verb == UDPEcho, p.Verb == UDPSend
	member := p.Verb >= UDPJoin && p.Verb <= UDPUnblock
	switch {
	case w == "from" && send:
		p.Local = a.socket(false)
	case w == "wait" && send:
		p.Wait = a.duration()
	case w == "ttl" && send:
		v, ok := number(a.next(), 8)
		if !ok {
			return false
		}
		p.HasTTL, p.TTL = true, int(v)
	case w == "noloop" && send:
		p.NoLoop = true
	case w == "nobroadcast" && send:
		p.NoBroadcast = true
	case w == "reuse" && listen:
		p.Reuse = true
	case w == "joined" && listen:
		p.OnlyJoined = true
	case w == "dev" && (listen || send || member):
		p.Dev = a.next()
	case w == "via" && member:
		p.Via = a.ipv4()
	case w == "source" && member:
		p.Source = a.address()
	case w == "as" && !send:
		p.Name = a.next()
	default:
		return false
	}
	return true
}

// address takes an address of either family, without a zone.
func (a *args) address() netip.Addr {
	w := a.next()
	ip, err := netip.ParseAddr(w)
	if err != nil || ip.Zone() != "" {
		panic(usage(1, "probe: \"%s\" is not an address\n", w))
	}
	return ip
}

// ipv4 takes an IPv4 address.
func (a *args) ipv4() netip.Addr {
	w := a.next()
	ip, err := netip.ParseAddr(w)
	if err != nil || !ip.Is4() {
		panic(usage(1, "probe: \"%s\" is not an IPv4 address\n", w))
	}
	return ip
}

// frame reads hexadecimal bytes up to the end.
func (p *Probe) frame(a *args) {
	digits := ""
	for more := true; more; more = a.more() {
		digits += strings.NewReplacer(":", "", ".", "", "-", "").Replace(a.next())
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) < 14 {
		panic(usage(1, "probe: not the bytes of an Ethernet frame: %s\n", digits))
	}
	p.Data = string(b)
}

// socket takes ADDR:PORT, or if remote is false PORT alone.
func (a *args) socket(remote bool) netip.AddrPort {
	w := a.next()
	host, port, both := cutLast(w, ':')
	if !both {
		host, port = "", w
	}
	n, err := strconv.ParseUint(port, 10, 16)
	ip := netip.IPv4Unspecified()
	if err == nil && host != "" {
		ip, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	}
	if err != nil || remote && host == "" || ip.Zone() != "" || ip.Is6() != strings.HasPrefix(host, "[") {
		panic(usage(1, "probe: \"%s\" is not ADDR:PORT\n", w))
	}
	return netip.AddrPortFrom(ip, uint16(n))
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// duration takes 300ms, 2s, 1m, or a bare number of seconds.
func (a *args) duration() time.Duration {
	w := a.next()
	d, err := time.ParseDuration(w)
	if err != nil {
		if n, err2 := strconv.ParseFloat(w, 64); err2 == nil {
			d, err = time.ParseDuration(strconv.FormatFloat(n, 'f', 9, 64) + "s")
		}
	}
	if err != nil || d < 0 || d > 24*time.Hour {
		panic(usage(1, "probe: \"%s\" is not a duration from 0 to 24h\n", w))
	}
	return d
}

func (p *Probe) run(t *tool) int {
	grams, err := t.m.Probe(t.c.Net, p)
	for _, g := range grams {
		word := "from"
		if p.Verb == UDPSend {
			word = "reply from"
		}
		t.outf("%s %s %s\n", word, g.From, strconv.Quote(g.Data))
	}
	switch {
	case err == nil:
		if p.Verb == Ledger {
			t.outf("balanced\n")
		}
		return 0
	case errnoOf(err) != 0 && p.Verb != Ledger:
		return t.failf(1, "probe: %s\n", errText(err))
	}
	return t.failf(1, "probe: %s\n", err)
}

// errnoOf returns the errno in err, 0 if there is none.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	errors.As(err, &errno)
	return errno
}

// errText returns strerror's words for the errno in err.
func errText(err error) string {
	errno := errnoOf(err)
	if errno == 0 {
		return err.Error()
	}
	s := errno.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
