package core

import (
	"fmt"
	"syscall"

	"nsmodel/netns"
)

// A Layer is one of the places where a packet, a call or a message first meets
// a subsystem, and where a gate can stand.
type Layer string

// The layers that have gates.
const (
	LayerProtocol  Layer = "protocol"  // reception by EtherType: the packet is dropped
	LayerTransport Layer = "transport" // reception by IP protocol: the packet is dropped
	LayerNotifier  Layer = "notifier"  // device events: not delivered
	LayerFamily    Layer = "family"    // socket families: EAFNOSUPPORT
	LayerNetlink   Layer = "netlink"   // messages: EOPNOTSUPP
	LayerSysctl    Layer = "sysctl"    // names: ENOENT, as if compiled out
	LayerNetfilter Layer = "netfilter" // hooks: not run
)

// A GateRow says of one entry point whether namespaces are ready for it. An
// entry point without a row cannot be registered: whoever adds one has to say.
type GateRow struct {
	Layer Layer
	Entry string
	Open  bool
	Why   string
	gate  *netns.Gate
}

// DefaultGates returns the table of gates as this machine is built.
func DefaultGates() []GateRow {
	return []GateRow{
		{Layer: LayerProtocol, Entry: "0x0800", Open: true, Why: "IPv4: every table it meets is keyed by Net"},
		{Layer: LayerProtocol, Entry: "0x0806", Open: true, Why: "ARP: neighbours are keyed by Net and device"},
		{Layer: LayerProtocol, Entry: "0x86dd", Open: true, Why: "IPv6: every table it meets is keyed by Net"},
		{Layer: LayerTransport, Entry: "1", Open: true, Why: "ICMP: answers from the packet's own Net"},
		{Layer: LayerTransport, Entry: "2", Open: true, Why: "IGMP: groups are the device's, reports its Net's"},
		{Layer: LayerTransport, Entry: "17", Open: true, Why: "UDP: the socket table is keyed by Net"},
		{Layer: LayerTransport, Entry: "ipv6 58", Open: true, Why: "ICMPv6: answers from the packet's own Net"},
		{Layer: LayerTransport, Entry: "ipv6 17", Open: true, Why: "UDP over IPv6: the socket table is keyed by Net"},
		{Layer: LayerNotifier, Entry: "ipv4", Open: true, Why: "addresses and routes belong to the device's Net"},
		{Layer: LayerNotifier, Entry: "ipv6", Open: true, Why: "addresses, groups and routes belong to the device's Net"},
		{Layer: LayerNotifier, Entry: "link", Open: true, Why: "ports and peers belong to the device's Net"},
		{Layer: LayerNotifier, Entry: "netlink", Open: true, Why: "groups are per Net"},
		{Layer: LayerFamily, Entry: "2", Open: true, Why: "AF_INET: sockets carry their Net"},
		{Layer: LayerFamily, Entry: "10", Open: true, Why: "AF_INET6: sockets carry their Net"},
		{Layer: LayerNetlink, Entry: "link", Open: true, Why: "devices are looked up in the caller's Net"},
		{Layer: LayerNetlink, Entry: "neigh", Open: true, Why: "neighbours are keyed by Net"},
		{Layer: LayerNetlink, Entry: "netns", Open: true, Why: "names of namespaces"},
		{Layer: LayerNetlink, Entry: "maddr", Open: true, Why: "groups are the device's"},
		{Layer: LayerNetlink, Entry: "maddr6", Open: true, Why: "groups are the device's"},
		{Layer: LayerNetlink, Entry: "addr", Open: true, Why: "addresses are keyed by Net"},
		{Layer: LayerNetlink, Entry: "route", Open: true, Why: "a FIB per Net"},
		{Layer: LayerNetlink, Entry: "rule", Open: true, Why: "rules per Net"},
		{Layer: LayerNetlink, Entry: "addr6", Open: true, Why: "addresses are keyed by Net"},
		{Layer: LayerNetlink, Entry: "route6", Open: true, Why: "a FIB per Net"},
		{Layer: LayerNetlink, Entry: "rule6", Open: true, Why: "rules per Net"},
		{Layer: LayerNetlink, Entry: "neigh6", Open: true, Why: "neighbours are keyed by Net"},
		{Layer: LayerSysctl, Entry: "net.core", Open: true, Why: "values per Net"},
		{Layer: LayerSysctl, Entry: "net.ipv4", Open: true, Why: "values per Net"},
		{Layer: LayerSysctl, Entry: "net.ipv6", Open: true, Why: "values per Net"},
		{Layer: LayerNetfilter, Entry: "ipv4", Open: true, Why: "hooks are registered per Net"},
	}
}

func (r *GateRow) bind() {
	r.gate = new(netns.Gate)
	if !r.Open {
		r.gate.Close()
	}
}

// Gate returns the gate of an entry point, or ENOENT if the table has no row
// for it.
func (s *Stack) Gate(l Layer, entry string) (*netns.Gate, error) {
	for i := range s.gates {
		if s.gates[i].Layer == l && s.gates[i].Entry == entry {
			return s.gates[i].gate, nil
		}
	}
	return nil, fmt.Errorf("core: no gate row for %s %s: an entry point must say whether namespaces are ready for it: %w", l, entry, syscall.ENOENT)
}

// Gates returns the table of gates.
func (s *Stack) Gates() []GateRow { return append([]GateRow(nil), s.gates...) }
