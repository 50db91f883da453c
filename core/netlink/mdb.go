package netlink

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// An MDB is what a bridge knows of groups, and of where routers are; in a request
// to add or delete Entries has one. Linux: struct br_port_msg with MDBA_*.
type MDB struct {
	Index   int // the bridge
	Entries []MDBEntry
	Routers []MDBRouter
}

// An MDBEntry is a member of a group. Linux: struct br_mdb_entry.
type MDBEntry struct {
	Index     int // the port, or the bridge
	Group     netip.Addr
	Permanent bool
	Static    bool          // RTPROT_STATIC, of a port: by hand, not heard
	Timer     time.Duration // until it ends, unless it is permanent

	FilterMode bool // MDBA_MDB_EATTR_GROUP_MODE is there, and is MCAST_EXCLUDE
}

// An MDBRouter is a port behind which a router is. Linux: MDBA_ROUTER_PORT.
type MDBRouter struct {
	Index     int
	Permanent bool
	Timer     time.Duration
}

// Kind returns KindMDB.
func (*MDB) Kind() Kind { return KindMDB }

// AF returns unix.AF_BRIDGE.
func (*MDB) AF() uint8 { return unix.AF_BRIDGE }
