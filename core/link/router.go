package link

import (
	"net/netip"
	"time"

	"nsmodel/core/wire"
)

// Who says that it is a router of groups, beside those that ask for members: by an
// advertisement of multicast router discovery (RFC 4286), or of IPv4 by a hello of
// PIM (RFC 7761 section 4.9.2).

const (
	protoPIM  = 103
	pimHello  = 2 << 4 // version 2, type 0
	mrdIGMP   = 0x30   // RFC 4286 section 5
	mrdICMPv6 = 151
)

// The groups to which they say it.
func allPIMRouters() [4]byte { return [4]byte{224, 0, 0, 13} }
func allSnoopers4() [4]byte  { return [4]byte{224, 0, 0, 106} }
func allSnoopers6() [16]byte { return netip.MustParseAddr("ff02::6a").As16() }

// heardPIM looks into a datagram of PIM. Linux: br_multicast_pim.
func (b *bridge) heardPIM(now time.Duration, ip wire.IPv4, from *port) {
	if body := ip[ip.HeaderLen():]; ip.Dst4() == allPIMRouters() && len(body) >= 4 && body[0] == pimHello {
		b.heardRouter(now, four, from)
	}
}

// heardRouter is told that a router of groups is there. Linux:
// br_ip4_multicast_mrd_rcv, br_ip6_multicast_mrd_rcv.
func (b *bridge) heardRouter(now time.Duration, family int, from *port) {
	b.mc.mu.Lock()
	defer b.mc.mu.Unlock()
	if b.dev.Up() && !b.leaving.Load() {
		b.markRouter(&b.mc.family[family], from, now)
	}
}
