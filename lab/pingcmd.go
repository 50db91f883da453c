package lab

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const pingHelp = `
Usage
  ping [options] <destination>

Options:
  <destination>      IPv4 or IPv6 address, or IPv6-address%device
  -4, -6             use that family
  -b                 allow pinging broadcast
  -c <count>         stop after <count> replies
  -F <flowlabel>     define flow label, default is random
  -i <interval>      seconds between sending each packet
  -I <interface>     either interface name or address
  -M <pmtud opt>     define mtu discovery, can be one of <do|dont|want>
  -m <mark>          tag the packets going out
  -n                 no dns name resolution
  -q                 quiet output
  -Q <tclass>        use quality of service <tclass> bits
  -s <size>          use <size> as number of data bytes to be sent
  -t <ttl>           define time to live
  -w <deadline>      reply wait <deadline> in seconds
  -W <timeout>       time to wait for response
`

const pingOptions = "c:F:i:I:M:m:Q:s:t:w:W:46bnqOvr"

func parsePing(a *args, net string) *Command {
	p := &Ping{Interval: time.Second, Timeout: 10 * time.Second, Size: 56}
	var dst []string
	for a.more() {
		w := a.next()
		if w == "--" {
			dst = append(dst, a.w[a.i:]...)
			break
		}
		if len(w) < 2 || w[0] != '-' {
			dst = append(dst, w)
			continue
		}
		for w = w[1:]; w != ""; {
			w = p.option(a, w)
		}
	}
	if len(dst) == 0 {
		panic(usage(1, "ping: usage error: Destination address required\n"))
	}
	if len(dst) > 1 {
		panic(usage(2, "ping: source routes are not modelled\n"))
	}
	ip, err := netip.ParseAddr(dst[0])
	if err != nil {
		ip = numbersAndDots(dst[0])
		err = nil
	}
	if !ip.IsValid() || ip.Is4In6() || ip.Zone() != "" && !ip.IsLinkLocalUnicast() && !ip.IsLinkLocalMulticast() {
		panic(usage(2, "ping: %s: Name or service not known\n", dst[0]))
	}
	if p.only != 0 && p.only != familyOf(ip) {
		panic(usage(2, "ping: %s: Address family for hostname not supported\n", dst[0]))
	}
	p.Host, p.Dst = dst[0], ip
	if p.Count == 0 && p.Deadline == 0 {
		panic(usage(2, "ping: a lab's ping needs -c or -w, or it never ends\n"))
	}
	return &Command{Net: net, Do: p}
}

// numbersAndDots reads an address of fewer than four parts, whose last fills the
// rest; the zero Addr if it is none. C: inet_aton.
func numbersAndDots(s string) netip.Addr {
	part := strings.Split(s, ".")
	if len(part) > 4 {
		return netip.Addr{}
	}
	var b [4]byte
	for i, p := range part {
		bits := 8
		if i == len(part)-1 {
			bits = 8 * (4 - i)
		}
		v, ok := number(p, bits)
		if !ok {
			return netip.Addr{}
		}
		for j := i; j < i+bits/8; j++ {
			b[j] = byte(v >> (bits - 8*(j-i+1)))
		}
	}
	return netip.AddrFrom4(b)
}

// option reads one of a word's letters with its value and returns the rest.
func (p *Ping) option(a *args, w string) string {
	c, rest := w[0], w[1:]
	i := strings.IndexByte(pingOptions, c)
	if i < 0 || c == ':' {
		panic(usage(2, "ping: invalid option -- '%c'\n%s", c, pingHelp))
	}
	v := ""
	if i+1 < len(pingOptions) && pingOptions[i+1] == ':' {
		if v, rest = rest, ""; v == "" {
			if !a.more() {
				panic(usage(2, "ping: option requires an argument -- '%c'\n%s", c, pingHelp))
			}
			v = a.next()
		}
	}
	p.set(c, v)
	return rest
}

func (p *Ping) set(c byte, v string) {
	switch c {
	case '4':
		p.only = unix.AF_INET
	case '6':
		p.only = unix.AF_INET6
	case 'F':
		p.HasFlow, p.Flow = true, pingFlow(v) // IPv4 has none, and nobody says so
	case 'b':
		p.Broadcast = true
	case 'q':
		p.Quiet = true
	case 'c':
		p.Count = pingNumber(v, 1, math.MaxInt64)
	case 'i':
		p.Interval = pingSeconds(v)
	case 'W':
		p.Timeout = pingSeconds(v)
	case 'w':
		p.Deadline = time.Duration(pingNumber(v, 0, math.MaxInt32)) * time.Second
	case 's':
		p.Size = pingNumber(v, 0, math.MaxInt32)
	case 't':
		if p.TTL = pingNumber(v, 0, 255); p.TTL == 0 {
			panic(usage(2, "ping: cannot set unicast time-to-live: Invalid argument\n"))
		}
	case 'm':
		p.Mark = uint32(pingNumber(v, 0, math.MaxUint32))
	case 'Q':
		n, ok := number(v, 8)
		if !ok {
			panic(usage(1, "ping: invalid argument: '%s'\n", v))
		}
		p.TOS = int(n)
	case 'M':
		if v != "do" && v != "dont" && v != "want" {
			panic(usage(2, "ping: invalid -M argument: %s\n", v))
		}
		p.PMTU = v
	case 'I':
		if ip, err := netip.ParseAddr(v); err == nil {
			p.Source = ip
		} else {
			p.Dev = v
		}
	}
}

// pingFlow reads a flow label. iputils: parseflow.
func pingFlow(v string) uint32 {
	digits, base := v, 10
	if len(v) > 1 && (v[:2] == "0x" || v[:2] == "0X") {
		digits, base = v[2:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		panic(usage(2, "ping: bad value for flowinfo: %s\n", v))
	}
	if n >= 1<<20 {
		panic(usage(2, "ping: flow value is greater than 20 bits: %s\n", v))
	}
	return uint32(n)
}

func pingNumber(v string, lo, hi int64) int {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(usage(1, "ping: invalid argument: '%s'\n", v))
	}
	if n < lo || n > hi {
		panic(usage(1, "ping: invalid argument: '%s': out of range: %d <= value <= %d\n", v, lo, hi))
	}
	return int(n)
}

func pingSeconds(v string) time.Duration {
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1e6 {
		panic(usage(1, "ping: bad timing interval: %s\n", v))
	}
	return time.Duration(f * float64(time.Second))
}
