// Package ipv4 is net/ipv4 without its transports: reception, routing, output,
// forwarding, addresses, ARP, ICMP, fragments and the tunables these need, each
// per Net. Transports register downwards with [Inet.Handle].
package ipv4

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/sysctl"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// A Config says where IPv4's state stands. The zero value is Linux's defaults.
type Config struct {
	Addrs   netns.Placement // addresses; default Replicated
	FIB     netns.Placement // routing tables; default Replicated
	Rules   netns.Placement // policy rules; default Replicated
	Sysctls netns.Placement // tunables; default Replicated
	Frags   netns.Placement // reassembly; default Replicated
}

// An Inet is IPv4 on one machine.
type Inet struct {
	// fixed once the machine is wired
	Core    *core.Stack
	FIB     *fib.FIB
	Hooks   *netfilter.Hooks
	Sysctl  *sysctl.Registry
	Netlink *netlink.Rtnetlink
	protos  [256]*protocol

	conf  *netns.Cell[Conf]              // net.ipv4.*
	devs  core.DevSlot[device]           // what IPv4 keeps at a device
	addrs *netns.Table[[4]byte, []*Addr] // who has an address; the lists are immutable. Linux: inet_addr_lst
	path  pathState                      // of the packet's way
}

// A Protocol is a transport. Linux: struct net_protocol.
type Protocol struct {
	Number uint8
	// Receive takes p: its data starts at the transport header, p.L3 at the IP
	// header, which was checked. rt is how the packet was routed.
	Receive func(w *core.Worker, p *core.Packet, ip wire.IPv4)
	// Error tells of an ICMP error about a packet that this Net sent: quoted is
	// its IP header with what was quoted of the transport's. It does not take p,
	// the ICMP packet. Nil for a transport that does not care.
	Error func(w *core.Worker, p *core.Packet, quoted wire.IPv4, e ICMPError)
}

// An ICMPError is what an ICMP error says. Linux: the arguments of err_handler.
type ICMPError struct {
	Type, Code uint8
	Info       uint32     // next-hop MTU for fragmentation needed, in bytes
	From       netip.Addr // who sent it
}

// New builds IPv4 on s; everything that registers with it must do so before the
// machine boots.
func New(s *core.Stack, hooks *netfilter.Hooks, ctl *sysctl.Registry, nl *netlink.Rtnetlink, c Config) (*Inet, error) {
	in := &Inet{Core: s, Hooks: hooks, Sysctl: ctl, Netlink: nl}
	for _, p := range []*netns.Placement{&c.Addrs, &c.FIB, &c.Rules, &c.Sysctls, &c.Frags} {
		if *p == netns.Default {
			*p = netns.Replicated
		}
	}
	in.FIB = fib.New(s.Sys, fib.Config{Family: fib.IPv4, FIB: c.FIB, Rules: c.Rules})
	in.devs = core.NewDevSlot[device](0)
	in.conf = netns.NewCell(s.Sys, "ipv4-sysctl", c.Sysctls, newConf)
	in.addrs = netns.NewTable[[4]byte, []*Addr](s.Sys, "ipv4-addr", c.Addrs, netns.Keyed[[4]byte]())
	if err := in.initPath(c); err != nil {
		return nil, err
	}
	return in, nil
}
