package lab

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"nsmodel/core/wire"
)

const probeRawHelp = `Usage: probe raw listen { ip4 | ip6 }:PROTO [ at ADDR ] [ peer ADDR ] [ dev DEV ] [ as NAME ]
                 [ without TYPE[,TYPE...] ] [ checksum OFFSET ] [ rcvbuf BYTES ] [ errors ]
       probe raw show { ip4 | ip6 }:PROTO [ as NAME ] [ head BYTES ]
       probe raw close { ip4 | ip6 }:PROTO [ as NAME ]
       probe raw sendto { ip4 | ip6 }:PROTO ADDR HEX... [ from ADDR ] [ dev DEV ] [ ttl TTL ]
                 [ header ] [ checksum OFFSET ] [ nobroadcast ] [ as NAME ]
       probe icmp { listen | show | close | sendto } { udp4 | udp6 }:IDENTIFIER ...
`

// A RawProbe is what a probe of a raw or a ping socket says; see the package's
// documentation.
type RawProbe struct {
	Ping   bool   // an ICMP datagram socket
	Six    bool   // of IPv6
	Number uint16 // the protocol, or a ping socket's identifier; 0: any

	Local netip.Addr // listen: at; sendto: from; the zero Addr: any
	Peer  netip.Addr // listen: connected to; the zero Addr: not
	To    netip.Addr // sendto

	Name       string  // tells sockets of one network apart; of sendto: by that socket
	Without    []uint8 // listen: ICMP_FILTER, ICMP6_FILTER: types that it does not want
	Checksum   int     // IPV6_CHECKSUM; -1: none
	RcvBuf     int     // listen: SO_RCVBUF; 0: the default
	RecvErr    bool    // listen: IP_RECVERR
	Whole      bool    // sendto: IP_HDRINCL
	TTL        int     // sendto: IP_TTL, IPV6_UNICAST_HOPS; 0: the default
	NoBroadcst bool    // sendto: without SO_BROADCAST
	Head       int     // show: so many bytes of each; -1: all
}

// Network returns the socket's kind as it was written, as net.ListenPacket and
// package x/net/icmp have it.
func (r *RawProbe) Network() string {
	word, version := "ip", "4:"
	if r.Ping {
		word = "udp"
	}
	if r.Six {
		version = "6:"
	}
	return word + version + strconv.Itoa(int(r.Number))
}

// rawVerbs are the verbs of probe raw and probe icmp.
var rawVerbs = map[string]ProbeVerb{"listen": RawListen, "show": RawShow, "close": RawClose, "sendto": RawSendTo}

// protocols are the names of protocols that a network may have, as in
// /etc/protocols.
var protocols = map[string]uint16{"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "ospf": 89, "raw": 255}

// raw reads a probe of a raw socket, or of a ping socket.
func (p *Probe) raw(a *args, ping bool) {
	verb := a.next()
	if p.Verb = rawVerbs[verb]; p.Verb == 0 {
		panic(usage(1, "probe: unknown verb \"%s\"\n%s", verb, probeRawHelp))
	}
	r := &RawProbe{Ping: ping, Checksum: -1, Head: -1}
	p.Raw = r
	r.network(a.next())
	if p.Verb == RawSendTo {
		r.To = a.anyAddr()
		p.Data = a.hex()
	}
	for a.more() {
		if w := a.next(); !p.rawWord(a, w) {
			panic(usage(1, "probe: \"%s\" has no place here\n%s", w, probeRawHelp))
		}
	}
}

func (r *RawProbe) network(w string) {
	word, number, ok := strings.Cut(w, ":")
	family := "ip"
	if r.Ping {
		family = "udp"
	}
	r.Six = word == family+"6"
	n, err := strconv.ParseUint(number, 10, 16)
	if v, named := protocols[number]; named && !r.Ping {
		n, err = uint64(v), nil
	}
	if !ok || err != nil || word != family+"4" && !r.Six || !r.Ping && n > 255 {
		panic(usage(1, "probe: \"%s\" is no network\n%s", w, probeRawHelp))
	}
	r.Number = uint16(n)
}

// rawWord takes one of the words behind what a verb must have.
func (p *Probe) rawWord(a *args, w string) bool {
	r := p.Raw
	listen, send := p.Verb == RawListen, p.Verb == RawSendTo
	switch {
	case w == "as":
		r.Name = a.next()
	case w == "dev" && (listen || send):
		p.Dev = a.next()
	case w == "at" && listen, w == "from" && send:
		r.Local = a.anyAddr()
	case w == "peer" && listen:
		r.Peer = a.anyAddr()
	case w == "without" && listen && !r.Ping:
		for _, t := range strings.Split(a.next(), ",") {
			v, ok := number(t, 8)
			if !ok {
				return false
			}
			r.Without = append(r.Without, uint8(v))
		}
	case w == "checksum" && (listen || send):
		r.Checksum = a.count()
	case w == "rcvbuf" && listen:
		r.RcvBuf = a.count()
	case w == "errors" && listen:
		r.RecvErr = true
	case w == "header" && send && !r.Ping:
		r.Whole = true
	case w == "ttl" && send:
		r.TTL = a.count()
	case w == "nobroadcast" && send:
		r.NoBroadcst = true
	case w == "head" && p.Verb == RawShow:
		r.Head = a.count()
	default:
		return false
	}
	return true
}

// count takes a number below 2^24.
func (a *args) count() int {
	w := a.next()
	v, ok := number(w, 24)
	if !ok {
		panic(usage(1, "probe: \"%s\" is not a number\n", w))
	}
	return int(v)
}

// anyAddr takes an address of either family, of IPv6 perhaps with a zone.
func (a *args) anyAddr() netip.Addr {
	w := a.next()
	ip, err := netip.ParseAddr(w)
	if err != nil || ip.Is4In6() {
		panic(usage(1, "probe: \"%s\" is not an address\n", w))
	}
	return ip
}

// hex takes words of hexadecimal digits, up to one that is none; "-" is no bytes.
func (a *args) hex() string {
	digits := ""
	for a.more() {
		w := a.peek()
		if _, err := hex.DecodeString(w + strings.Repeat("0", len(w)%2)); err != nil && w != "-" {
			break
		}
		digits += strings.TrimPrefix(a.next(), "-")
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic(usage(1, "probe: not whole bytes: %s\n", digits))
	}
	return string(b)
}

// rawText is what is shown of a message: of a whole datagram what does not change
// from run to run, as its identification does.
func (p *Probe) rawText(d Datagram) string {
	text, data := "from "+d.From.Addr().String(), []byte(d.Data)
	if !p.Raw.Ping && !p.Raw.Six {
		ip, ok := wire.ParseIPv4(data)
		if !ok {
			return text + " broken " + hex.EncodeToString(data)
		}
		text += " to " + ip.Dst().String() + " proto " + strconv.Itoa(int(ip.Proto())) + " ttl " + strconv.Itoa(int(ip.TTL()))
		if ip.TOS() != 0 {
			text += " tos 0x" + strconv.FormatUint(uint64(ip.TOS()), 16)
		}
		if ip.HasOptions() {
			text += " options " + hex.EncodeToString(ip.Options())
		}
		data = ip.Payload()
	}
	if h := p.Raw.Head; h >= 0 {
		data = data[:min(h, len(data))]
	}
	if len(data) > 0 {
		text += " " + hex.EncodeToString(data)
	}
	return text
}
