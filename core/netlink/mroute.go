package netlink

import (
	"net/netip"
	"time"
)

// The families of multicast routes. Linux: RTNL_FAMILY_IPMR, RTNL_FAMILY_IP6MR.
const (
	FamilyIPMR  = 128
	FamilyIP6MR = 129
)

// An MFC is an entry of a multicast router's cache, which a daemon says by its
// socket, not by a message: there are only dumps. Linux: struct rtmsg of
// RTNL_FAMILY_IPMR or RTNL_FAMILY_IP6MR with RTA_*.
type MFC struct {
	Family     uint8
	Src, Dst   netip.Addr // an origin or a group of zero is any
	IIF        int        // RTA_IIF; 0: none
	OIFs       []MFCHop   // RTA_MULTIPATH
	Unresolved bool       // RTNH_F_UNRESOLVED: the daemon has not said yet

	Packets, Bytes, Wrong uint64        // RTA_MFC_STATS
	Age                   time.Duration // RTA_EXPIRES: since it was used
}

// An MFCHop is where copies go: to packets whose TTL is above a threshold.
type MFCHop struct {
	Index int
	TTL   uint8
}

// Kind returns KindRoute.
func (*MFC) Kind() Kind { return KindRoute }

// AF returns the entry's family.
func (m *MFC) AF() uint8 { return m.Family }
