package netlink

import "time"

// A Link is a network device. Linux: struct ifinfomsg with IFLA_*.
//
// In a request Index or Name chooses the device (Index first); a Name beside
// an Index is a new name. In a dump all that the device has is there.
type Link struct {
	Family uint8  // unix.AF_UNSPEC, or AF_BRIDGE for a bridge's view of its ports
	Type   uint16 // unix.ARPHRD_*
	Index  int
	Flags  uint32 // unix.IFF_*
	Change uint32 // in a request: which of Flags are meant
	Has    LinkAttr

	Name      string // IFLA_IFNAME
	Info      string // IFLA_INFO_KIND: veth, bridge, vlan, macvlan, passthrough, nic, tap; "" for loopback
	PortInfo  string // IFLA_INFO_SLAVE_KIND: bridge if the master is one
	Addr      MAC    // LinkAddr
	Broadcast MAC    // LinkBroadcast
	MTU       int    // LinkMTU
	Master    int    // LinkMaster: 0 in a request is "nomaster"
	TxQLen    int    // LinkTxQLen
	Group     uint32 // LinkGroup
	Qdisc     string
	OperState OperState // LinkOperState
	LinkMode  uint8     // 0 default, 1 dormant
	Alias     string    // IFLA_IFALIAS
	GenMode   uint8     // LinkGenMode: how IPv6 makes addresses. Linux: IN6_ADDR_GEN_MODE_*

	// The device this one stands on: a veth's peer, a VLAN's or macvlan's lower device.
	Link      int    // LinkLink: its index, 0 if it is gone
	LinkNetns int    // LinkLinkNetns: its Net's number, if it is in another Net
	LinkNet   string // that Net's name if it has one, "" in the same Net (Linux: looked up by the tool)

	// Creation and moving.
	Peer       *Link  // IFLA_INFO_DATA of a veth: the other end; its NewNet is where it is born
	Parent     string // passthrough: the parent device by name; nic, tap: the kernel's interface
	Ring       string // nic: the receive ring, v2 or v3; "" is the driver's choice
	NewNet     string // IFLA_NET_NS_*: born in, or moved to, the Net so named ("": the initial one), if LinkNewNet
	BridgeInfo *Bridge
	BridgePort *BridgePort
	VLANInfo   *VLAN    // IFLA_INFO_DATA of a vlan
	MACVLAN    *MACVLAN // IFLA_INFO_DATA of a macvlan

	// Details: what ip -d shows.
	MinMTU, MaxMTU           int
	Promiscuity, AllMulti    int
	TxQueues, RxQueues       int
	CarrierUps, CarrierDowns int
	Stats                    Stats // LinkStats
}

// LinkAttr is a set of attributes that a Link carries although they may be zero.
type LinkAttr uint32

// Attributes of a Link.
const (
	LinkAddr      LinkAttr = 1 << iota // IFLA_ADDRESS
	LinkBroadcast                      // IFLA_BROADCAST
	LinkMTU                            // IFLA_MTU
	LinkMaster                         // IFLA_MASTER
	LinkTxQLen                         // IFLA_TXQLEN
	LinkGroup                          // IFLA_GROUP
	LinkOperState                      // IFLA_OPERSTATE
	LinkLink                           // IFLA_LINK
	LinkLinkNetns                      // IFLA_LINK_NETNSID
	LinkNewNet                         // IFLA_NET_NS_FD or IFLA_NET_NS_PID
	LinkStats                          // IFLA_STATS64
	LinkDetails                        // what ip -d shows
	LinkCarrier                        // IFLA_CARRIER, with LinkCarrierOn
	LinkCarrierOn                      // its value
	LinkAlias                          // IFLA_IFALIAS
	LinkGenMode                        // IFLA_INET6_ADDR_GEN_MODE
)

// An OperState is a device's state as RFC 2863 has it. Linux: IF_OPER_*.
type OperState uint8

// Operational states.
const (
	OperUnknown OperState = iota
	OperNotPresent
	OperDown
	OperLowerLayerDown
	OperTesting
	OperDormant
	OperUp
)

var operNames = [...]string{"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"}

// String returns the state as ip prints it: UNKNOWN, DOWN, UP, ...
func (o OperState) String() string {
	if int(o) < len(operNames) {
		return operNames[o]
	}
	return "UNKNOWN"
}

// Stats are a device's counters. Linux: struct rtnl_link_stats64.
type Stats struct {
	RxPackets, TxPackets   uint64
	RxBytes, TxBytes       uint64
	RxErrors, TxErrors     uint64
	RxDropped, TxDropped   uint64
	Multicast, Collisions  uint64
	RxMissed               uint64
	RxLength, RxOver       uint64
	RxCRC, RxFrame, RxFIFO uint64
	TxAborted, TxCarrier   uint64
	TxFIFO, TxHeartbeat    uint64
	TxWindow, RxNoHandler  uint64
}

// A Bridge is what a bridge can be told. Linux: IFLA_BR_*.
type Bridge struct {
	Has                             BridgeAttr
	ForwardDelay, HelloTime, MaxAge time.Duration // Linux: in 1/100 s
	AgeingTime                      time.Duration
	STPState                        uint32 // 0 off, 1 the kernel's
	Priority                        uint16
	VLANFiltering                   bool
	MulticastSnooping               bool
	MulticastRouter                 uint8 // 0 never, 1 as heard, 2 always
	// Multicast is what else it is told about groups, in Linux's units.
	Multicast map[MulticastSetting]uint64
}

// BridgeAttr is a set of a bridge's attributes.
type BridgeAttr uint16

// Attributes of a Bridge.
const (
	BridgeForwardDelay BridgeAttr = 1 << iota
	BridgeHelloTime
	BridgeMaxAge
	BridgeAgeingTime
	BridgeSTPState
	BridgePriority
	BridgeVLANFiltering
	BridgeMulticastSnooping
	BridgeMulticastRouter
)

// A VLAN is what a VLAN device is. Linux: IFLA_VLAN_*.
type VLAN struct {
	HasID    bool
	ID       uint16
	Protocol uint16 // unix.ETH_P_8021Q or ETH_P_8021AD; 0 in a request: the former
}

// A MACVLAN is what a macvlan device is. Linux: IFLA_MACVLAN_*.
type MACVLAN struct {
	Mode string // private, vepa, bridge, passthru; "" in a request: vepa
}

// A BridgePort is what a bridge's port is and can be told. Linux: IFLA_BRPORT_*.
type BridgePort struct {
	Has      BridgePortAttr
	State    uint8 // 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking
	Priority uint16
	Cost     uint32
	Learning bool
	Flood    bool
	Hairpin  bool // IFLA_BRPORT_MODE
	Isolated bool

	FastLeave       bool  // IFLA_BRPORT_FAST_LEAVE
	MulticastRouter uint8 // IFLA_BRPORT_MULTICAST_ROUTER
	MulticastFlood  bool  // IFLA_BRPORT_MCAST_FLOOD
}

// BridgePortAttr is a set of a bridge port's attributes.
type BridgePortAttr uint16

// Attributes of a BridgePort.
const (
	BridgePortState BridgePortAttr = 1 << iota
	BridgePortPriority
	BridgePortCost
	BridgePortLearning
	BridgePortFlood
	BridgePortHairpin
	BridgePortIsolated
	BridgePortFastLeave
	BridgePortMulticastRouter
	BridgePortMulticastFlood
)

// Kind returns KindLink.
func (*Link) Kind() Kind { return KindLink }

// AF returns the family.
func (l *Link) AF() uint8 { return l.Family }
