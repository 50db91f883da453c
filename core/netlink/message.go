package netlink

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Kind says what a message is about.
type Kind uint8

// The kinds of message. Linux numbers them in steps of four (RTM_NEWLINK is
// 16, RTM_NEWADDR 20, ...); together with an [Op] a Kind is an RTM_* number.
const (
	KindLink      Kind = iota + 1 // RTM_*LINK
	KindAddr                      // RTM_*ADDR
	KindRoute                     // RTM_*ROUTE
	KindNeigh                     // RTM_*NEIGH, also a bridge's forwarding entries
	KindRule                      // RTM_*RULE
	KindNSID                      // RTM_*NSID
	KindMulticast                 // RTM_*MULTICAST, also a link's groups
	KindMDB                       // RTM_*MDB
	kindEnd
)

var kindNames = [...]string{"", "LINK", "ADDR", "ROUTE", "NEIGH", "RULE", "NSID", "MULTICAST", "MDB"}

// String returns the kind's part of RTM_NEW...: LINK, ADDR, ROUTE, NEIGH, RULE, NSID,
// MULTICAST or MDB.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("KIND%d", uint8(k))
}

// A Message is one of *Link, *Addr, *Route, *Neigh, *Rule, *NSID, *Multicast, *MFC and *MDB. Once it
// has been returned from a handler or published it is immutable.
type Message interface {
	Kind() Kind
	AF() uint8 // the header's address family, unix.AF_*
}

// A MAC is an Ethernet address.
type MAC [6]byte

// ParseMAC reads the form aa:bb:cc:dd:ee:ff; one hexadecimal digit for a byte will do.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	part := strings.Split(s, ":")
	if len(part) != len(m) {
		return MAC{}, fmt.Errorf("netlink: %q is not a MAC address", s)
	}
	for i, p := range part {
		if len(p) < 1 || len(p) > 2 {
			return MAC{}, fmt.Errorf("netlink: %q is not a MAC address", s)
		}
		for _, c := range []byte(p) {
			d := strings.IndexByte("0123456789abcdef", c|0x20)
			if d < 0 || (d < 10 && c != byte('0'+d)) {
				return MAC{}, fmt.Errorf("netlink: %q is not a MAC address", s)
			}
			m[i] = m[i]<<4 | byte(d)
		}
	}
	return m, nil
}

// String returns m as aa:bb:cc:dd:ee:ff.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// Forever is a lifetime without an end (Linux: INFINITY_LIFE_TIME).
const Forever time.Duration = -1

// An Addr is an address on an interface. Linux: struct ifaddrmsg with IFA_*.
type Addr struct {
	Family    uint8  // unix.AF_INET or AF_INET6; AF_UNSPEC in a dump request: both
	Prefix    int    // prefix length in bits
	Scope     uint8  // unix.RT_SCOPE_*
	Flags     uint32 // unix.IFA_F_*
	Index     int    // the interface; in a dump request 0 for all
	Local     netip.Addr
	Peer      netip.Addr // IFA_ADDRESS of a point-to-point address; else invalid or equal to Local
	Broadcast netip.Addr // invalid if none
	Label     string     // IFA_LABEL; "" if none (IPv6)
	Proto     uint8      // IFA_PROTO, 0 if not known
	Metric    uint32     // IFA_RT_PRIORITY of the prefix route
	Has       AddrAttr

	// Lifetimes; looked at only if Has says AddrCacheInfo. In whole seconds, or Forever.
	Valid, Preferred time.Duration
}

// AddrAttr is a set of attributes that an Addr carries although they may be zero.
type AddrAttr uint8

// Attributes of an Addr.
const (
	AddrCacheInfo AddrAttr = 1 << iota // IFA_CACHEINFO: Valid and Preferred
)

// A Neigh is a neighbour, a proxy entry, or (family AF_BRIDGE) a bridge's
// forwarding entry. Linux: struct ndmsg with NDA_*.
type Neigh struct {
	Family uint8      // unix.AF_INET, AF_INET6 or AF_BRIDGE
	Index  int        // the interface; in a dump request 0 for all
	State  uint16     // unix.NUD_*
	Flags  uint8      // unix.NTF_* (PROXY, ROUTER, SELF, MASTER, EXT_LEARNED, ...)
	Type   uint8      // unix.RTN_*, in notifications and dumps
	Dst    netip.Addr // NDA_DST; invalid in a bridge's entry
	LLAddr MAC
	Master int // NDA_MASTER: the bridge of a forwarding entry; 0 if none
	VLAN   uint16
	Proto  uint8 // NDA_PROTOCOL
	Has    NeighAttr
	Probes uint32 // NDA_PROBES

	// NDA_CACHEINFO, looked at only if Has says NeighCacheInfo: ages.
	Confirmed, Used, Updated time.Duration
	Refs                     uint32
}

// NeighAttr is a set of attributes that a Neigh carries although they may be zero.
type NeighAttr uint8

// Attributes of a Neigh.
const (
	NeighLLAddr    NeighAttr = 1 << iota // NDA_LLADDR
	NeighProbes                          // NDA_PROBES
	NeighCacheInfo                       // NDA_CACHEINFO: Confirmed, Used, Updated, Refs
)

// An NSID is the number by which one Net knows another.
// Linux: struct rtgenmsg with NETNSA_*.
type NSID struct {
	Name string // the other Net, as the asking side names it (Linux: an open file or a pid)
	ID   int    // NSIDNone if it has no number, or if the kernel is to choose one
}

// NSIDNone is no number. Linux: NETNSA_NSID_NOT_ASSIGNED.
const NSIDNone = -1

// Kind returns KindAddr.
func (*Addr) Kind() Kind { return KindAddr }

// AF returns the address's family.
func (a *Addr) AF() uint8 { return a.Family }

// Kind returns KindNeigh.
func (*Neigh) Kind() Kind { return KindNeigh }

// AF returns the neighbour's family.
func (m *Neigh) AF() uint8 { return m.Family }

// Kind returns KindNSID.
func (*NSID) Kind() Kind { return KindNSID }

// AF returns 0 (unix.AF_UNSPEC).
func (*NSID) AF() uint8 { return 0 }
