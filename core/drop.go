package core

// A Reason says why a packet was dropped.
// Linux: enum skb_drop_reason, include/net/dropreason-core.h.
type Reason uint8

// The drop reasons. Their names in reports are Linux's where Linux has one.
const (
	NotSpecified           Reason = iota
	NoProtocol                    // no handler for the EtherType
	GateClosed                    // the layer refuses every namespace but the initial one
	DeviceDown                    // the device is not up
	NoCarrier                     // nothing on the other end
	NetDying                      // the namespace is being taken down
	BacklogFull                   // the receiving device's backlog is full
	QdiscDrop                     // the sending device's queue is full
	OtherHost                     // the frame is for another station
	HeaderTooShort                // shorter than its headers
	LinkHeader                    // no room, or no sense, in the link header
	BadIPHeader                   // version, length or options wrong
	BadIPChecksum                 // IPv4 header checksum wrong
	BadL4Checksum                 // UDP or ICMP checksum wrong
	MartianSource                 // a source that cannot be
	MartianDest                   // a destination that cannot be
	ReversePath                   // the way back is by another device
	NoRoute                       // no route, or an unreachable or prohibited one
	Blackhole                     // the route says so
	ForwardingOff                 // not for us, and this Net is no router
	TTLExpired                    // no hops left
	TooBig                        // larger than the MTU and not to be cut
	NoSocket                      // nobody listens
	SocketBuffer                  // the receiver's buffer is full
	SocketClosed                  // the socket closed before it read the packet
	NetfilterDrop                 // a hook's verdict
	NeighbourFailed               // the next hop does not answer
	NeighbourQueue                // too many packets wait for the next hop
	NeighbourDead                 // the next hop's entry was taken away
	FragmentTimeout               // the rest never came
	FragmentMemory                // this Net's fragments use too much memory
	FragmentBad                   // overlaps, too long, or senseless
	ICMPRate                      // this Net's rate limit for errors
	BadARP                        // an ARP packet without sense
	BadICMP                       // an ICMP packet without sense, or of a kind not answered
	NoVLAN                        // tagged for a VLAN that nobody has
	BridgeBlocked                 // the bridge has no port to send it to
	BridgeHairpin                 // it would leave by the port it came in
	Broadcast                     // not answered or not allowed for a broadcast
	NoMemory                      // no buffer
	DeviceMoved                   // queued at a device that left its namespace
	PassthroughDrop               // the lower device is gone
	SendError                     // the driver could not send it
	UnicastInLinkMulticast        // a unicast packet in a link-layer broadcast
	IPv6Disabled                  // the device does not speak IPv6
	numReasons
)

// NumReasons is how many drop reasons there are.
const NumReasons = int(numReasons)

// String returns the reason as reports print it.
func (r Reason) String() string {
	if int(r) < len(reasonNames) && reasonNames[r] != "" {
		return reasonNames[r]
	}
	return "NOT_SPECIFIED"
}

var reasonNames = [numReasons]string{
	NoProtocol: "UNHANDLED_PROTO", GateClosed: "GATE_CLOSED", DeviceDown: "DEV_READY", NoCarrier: "NO_CARRIER",
	NetDying: "NET_DYING", BacklogFull: "CPU_BACKLOG", QdiscDrop: "QDISC_DROP", OtherHost: "OTHERHOST",
	HeaderTooShort: "PKT_TOO_SMALL", LinkHeader: "HDR_TRUNC", BadIPHeader: "IP_INHDR", BadIPChecksum: "IP_CSUM",
	BadL4Checksum: "L4_CSUM", MartianSource: "IP_INVALID_SOURCE", MartianDest: "IP_INVALID_DEST",
	ReversePath: "IP_RPFILTER", NoRoute: "IP_INNOROUTES", Blackhole: "BLACKHOLE", ForwardingOff: "FORWARDING_OFF",
	TTLExpired: "IP_TTL", TooBig: "PKT_TOO_BIG", NoSocket: "NO_SOCKET", SocketBuffer: "SOCKET_RCVBUFF",
	SocketClosed: "SOCKET_CLOSE", NetfilterDrop: "NETFILTER_DROP", NeighbourFailed: "NEIGH_FAILED",
	NeighbourQueue: "NEIGH_QUEUEFULL", NeighbourDead: "NEIGH_DEAD", FragmentTimeout: "FRAG_REASM_TIMEOUT",
	FragmentMemory: "FRAG_MEMORY", FragmentBad: "FRAG_BAD", ICMPRate: "ICMP_RATELIMIT", BadARP: "ARP_INVALID",
	BadICMP: "ICMP_INVALID", NoVLAN: "VLAN_UNKNOWN", BridgeBlocked: "BRIDGE_NO_PORT", BridgeHairpin: "BRIDGE_INGRESS_PORT",
	Broadcast: "BROADCAST", NoMemory: "NOMEM", DeviceMoved: "DEV_MOVED", PassthroughDrop: "PASSTHROUGH_NO_LOWER",
	SendError: "SEND_ERROR", UnicastInLinkMulticast: "UNICAST_IN_L2_MULTICAST", IPv6Disabled: "IPV6DISABLED",
}

// Drop ends p for reason and counts it in its Net's ledger.
// Linux: kfree_skb_reason.
func (w *Worker) Drop(p *Packet, reason Reason) {
	if p.books != nil {
		p.books.dropped(reason)
	}
	w.free(p)
}

// Deliver ends p because it reached its end: a socket has it, or the stack
// itself used it up (answered, cut into fragments, joined into a datagram).
// Linux: consume_skb.
func (w *Worker) Deliver(p *Packet) {
	if p.books != nil {
		p.books.delivered.Add(1)
	}
	w.free(p)
}
