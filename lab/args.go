package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

// A UsageError is how a tool refuses a command line it cannot parse. Nothing
// of the command has taken effect.
type UsageError struct {
	Text string // what the tool writes to its standard error, with its newlines
	Exit int    // the tool's exit status
}

// Error returns the text without its last newlines.
func (e *UsageError) Error() string { return strings.TrimRight(e.Text, "\n") }

// args walks over a command's words. Its methods panic with a *UsageError,
// which parse recovers: that keeps a grammar of two hundred keywords readable.
type args struct {
	w     []string
	i     int
	input string // the here-document
	here  bool
}

func usage(exit int, format string, a ...any) *UsageError {
	return &UsageError{fmt.Sprintf(format, a...), exit}
}

// invalid is iproute2's answer to a keyword's bad value.
func invalid(word, why string) *UsageError {
	return usage(255, "Error: argument \"%s\" is wrong: %s\n", word, why)
}

// garbage is its answer to a word that has no place.
func garbage(key, word string) *UsageError {
	return usage(255, "Error: either \"%s\" is duplicate, or \"%s\" is a garbage.\n", key, word)
}

// notModelled refuses what the tool knows and the model does not.
func notModelled(what string) *UsageError {
	return usage(255, "%s is not modelled\n", what)
}

func (a *args) more() bool { return a.i < len(a.w) }

// peek returns the next word, "" at the end.
func (a *args) peek() string {
	if a.more() {
		return a.w[a.i]
	}
	return ""
}

// next takes the next word.
func (a *args) next() string {
	if !a.more() {
		panic(usage(255, "Command line is not complete. Try option \"help\"\n"))
	}
	a.i++
	return a.w[a.i-1]
}

// take takes the next word if it is one of words.
func (a *args) take(words ...string) bool {
	for _, w := range words {
		if a.more() && a.w[a.i] == w {
			a.i++
			return true
		}
	}
	return false
}

// abbrev reports whether word is a beginning of full. Linux: matches().
func abbrev(word, full string) bool { return word != "" && strings.HasPrefix(full, word) }

// choose returns the first of words that word abbreviates, "" if none.
func choose(word string, words ...string) string {
	for _, w := range words {
		if abbrev(word, w) {
			return w
		}
	}
	return ""
}

// number reads an unsigned number as C writes them, of at most bits bits.
func number(s string, bits int) (uint64, bool) {
	if s == "" || strings.Contains(s, "_") || strings.HasPrefix(strings.ToLower(s), "0b") || strings.HasPrefix(strings.ToLower(s), "0o") {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 0, bits)
	return v, err == nil
}

// number takes a number, or says why not.
func (a *args) number(bits int, why string) uint64 {
	w := a.next()
	v, ok := number(w, bits)
	if !ok {
		panic(invalid(w, why))
	}
	return v
}

func familyName(f uint8) string {
	switch f {
	case unix.AF_INET:
		return "inet"
	case unix.AF_INET6:
		return "inet6"
	case unix.AF_BRIDGE:
		return "bridge"
	}
	return "any valid"
}

// address reads an address of family (AF_UNSPEC: of any).
func address(s string, family uint8) netip.Addr {
	if s == "default" || s == "any" || s == "all" {
		if family == unix.AF_INET6 {
			return netip.IPv6Unspecified()
		}
		return netip.IPv4Unspecified()
	}
	var ip netip.Addr
	if strings.Contains(s, ":") {
		ip, _ = netip.ParseAddr(s)
	} else {
		ip = dotted(s)
	}
	if !ip.IsValid() || ip.Zone() != "" || family != unix.AF_UNSPEC && family != familyOf(ip) {
		panic(usage(1, "Error: %s address is expected rather than \"%s\".\n", familyName(family), s))
	}
	return ip
}

// dotted reads one to four decimal bytes; those left out are zero at the end,
// so that 10/8 is a prefix. Linux: get_addr_ipv4.
func dotted(s string) netip.Addr {
	part := strings.Split(s, ".")
	if len(part) > 4 {
		return netip.Addr{}
	}
	var b [4]byte
	for i, p := range part {
		v, ok := number(p, 8)
		if !ok {
			return netip.Addr{}
		}
		b[i] = byte(v)
	}
	return netip.AddrFrom4(b)
}

func familyOf(ip netip.Addr) uint8 {
	if ip.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// prefix reads a prefix as written, host bits and all; "default", "any" and
// "all" are the invalid Prefix. given says whether there was a length.
func prefix(s string, family uint8) (p netip.Prefix, given bool) {
	bad := usage(1, "Error: %s prefix is expected rather than \"%s\".\n", familyName(family), s)
	if s == "default" || s == "any" || s == "all" {
		return netip.Prefix{}, false
	}
	host, length, given := strings.Cut(s, "/")
	var ip netip.Addr
	if strings.Contains(host, ":") {
		ip, _ = netip.ParseAddr(host)
	} else {
		ip = dotted(host)
	}
	if !ip.IsValid() || ip.Zone() != "" || family != unix.AF_UNSPEC && family != familyOf(ip) {
		panic(bad)
	}
	bits := ip.BitLen()
	if given {
		n, ok := number(length, 16)
		if m, isMask := maskLength(length); isMask && ip.Is4() {
			n, ok = uint64(m), true
		}
		if !ok || n > uint64(bits) {
			panic(bad)
		}
		bits = int(n)
	}
	return netip.PrefixFrom(ip, bits), given
}

// maskLength reads a mask such as 255.255.0.0.
func maskLength(s string) (int, bool) {
	ip, err := netip.ParseAddr(s)
	if err != nil || !ip.Is4() {
		return 0, false
	}
	b := ip.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := 0
	for v&(1<<31) != 0 {
		n, v = n+1, v<<1
	}
	return n, v == 0
}

// badOctet returns what of a word that is no MAC address is complained of: the
// first between colons that is no number up to 255. iproute2: ll_addr_a2n.
func badOctet(w string) string {
	for _, part := range strings.Split(w, ":") {
		if v, err := strconv.ParseUint(part, 16, 32); err != nil || v > 255 {
			return part
		}
	}
	return w
}

// lladdr takes a MAC address.
func (a *args) lladdr() netlink.MAC {
	w := a.next()
	m, err := netlink.ParseMAC(w)
	if err != nil {
		panic(usage(1, "\"%s\" is invalid lladdr.\n", badOctet(w)))
	}
	return m
}

// recovered turns the panic of a parser into its error.
func recovered(err *error) {
	switch r := recover().(type) {
	case nil:
	case *UsageError:
		*err = r
	default:
		panic(r)
	}
}

// IsUsage reports whether err is a tool's refusal of its command line.
func IsUsage(err error) bool {
	var u *UsageError
	return errors.As(err, &u)
}
