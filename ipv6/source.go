package ipv6

import (
	"math/bits"
	"net/netip"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/netns"
)

// SelectSource returns the address that n sends from to dst by d (RFC 6724
// section 5), the zero Addr if there is none. A destination on the link, or a
// group, is sent to from an address of d; with no device at all any will do.
// Linux: ipv6_dev_get_saddr.
func (s *Inet) SelectSource(n *netns.Net, d *core.Device, dst netip.Addr) netip.Addr {
	g := score{dst: dst, out: d, in: s}
	if d != nil && (dst.IsMulticast() || addrScope(dst) <= scopeLink) {
		g.ofDevice(s.devs.Of(d))
		return g.best
	}
	for _, other := range s.Core.Devices(n) {
		g.ofDevice(s.devs.Of(other))
	}
	return g.best
}

// A score compares addresses as sources to one destination: rule by rule, the
// first in which they differ decides. Linux: struct ipv6_saddr_score.
type score struct {
	dst  netip.Addr
	out  *core.Device
	best netip.Addr
	rank [numRules]int // of best; more is better
	in   *Inet
}

// The rules of RFC 6724 section 5 that are modelled: 4 (home addresses) has
// nothing to say here.
const (
	ruleSame      = iota // 1: the destination itself
	ruleScope            // 2: a scope that will do, as small as can be
	ruleUsable           // 3: not deprecated
	ruleOut              // 5: of the device that it leaves by
	ruleLabel            // 6: of the same label
	ruleTemporary        // 7: temporary, if its device prefers those, else not
	rulePrefix           // 8: the longest prefix in common
	ruleSure             // Linux's own: not optimistic (RFC 4429)
	numRules
)

func (g *score) ofDevice(dev *device) {
	if dev == nil || dev.on(confDisable) {
		return
	}
	for _, a := range dev.Addrs() {
		if a.Tentative() && a.Flags&unix.IFA_F_OPTIMISTIC == 0 {
			continue
		}
		r := g.rankOf(a)
		if r[ruleSure] == 0 && !g.in.either(dev, confUseOptimistic) { // Linux: ipv6_use_optimistic_addr
			r[ruleUsable] = 0
		}
		if !g.best.IsValid() || less(g.rank, r) {
			g.best, g.rank = a.Local, r
		}
	}
}

func less(a, b [numRules]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

func (g *score) rankOf(a *Addr) (r [numRules]int) {
	is := func(rule int, yes bool) {
		if yes {
			r[rule] = 1
		}
	}
	is(ruleSame, a.Local == g.dst)
	if own, want := addrScope(a.Local), addrScope(g.dst); own >= want {
		r[ruleScope] = -own
	} else {
		r[ruleScope] = own - 128
	}
	is(ruleUsable, a.Flags&unix.IFA_F_DEPRECATED == 0)
	is(ruleOut, g.out == nil || a.Dev == g.out)
	is(ruleLabel, label(a.Local) == label(g.dst))
	is(ruleTemporary, a.Temporary() == (g.in.devs.Of(a.Dev).own.Load().v[confUseTempAddr] >= 2))
	is(ruleSure, a.Flags&unix.IFA_F_OPTIMISTIC == 0)
	r[rulePrefix] = min(commonBits(a.Local, g.dst), a.Bits)
	return r
}

// Scopes of addresses as in those of groups (RFC 4291 section 2.7).
const scopeLink = 2

// addrScope returns the scope of an address or a group (RFC 6724 section 3.1).
// Linux: __ipv6_addr_src_scope.
func addrScope(a netip.Addr) int {
	b := a.As16()
	switch {
	case b[0] == 0xff:
		return int(b[1] & 15)
	case a.IsLoopback(), a.IsLinkLocalUnicast():
		return scopeLink
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0:
		return 5
	}
	return 14
}

func commonBits(a, b netip.Addr) int {
	x, y := a.As16(), b.As16()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return 8*i + bits.LeadingZeros8(d)
		}
	}
	return 128
}

// label returns an address's label in the default policy table (RFC 6724 section
// 2.1), with the numbers of Linux's. Linux: ip6addrlbl_init_table.
func label(a netip.Addr) int {
	b := a.As16()
	switch {
	case a.IsLoopback():
		return 0
	case b[0] == 0x20 && b[1] == 0x02: // 2002::/16
		return 2
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0: // fec0::/10
		return 11
	case b[0]&0xfe == 0xfc: // fc00::/7
		return 5
	case b[0] == 0x3f && b[1] == 0xfe: // 3ffe::/16
		return 12
	case b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0: // 2001::/32
		return 6
	case b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3]&0xf0 == 0x10: // 2001:10::/28
		return 7
	case a.Is4In6():
		return 4
	case [12]byte(b[:12]) == [12]byte{}:
		return 3
	}
	return 1
}
