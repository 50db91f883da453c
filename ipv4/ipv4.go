// Package ipv4 is net/ipv4 without its transports: reception, routing, output,
// forwarding, addresses, ARP, ICMP, fragments and the tunables these need, each
// per Net. Transports register downwards with [Inet.Handle].
//
// Group membership (RFC 1112, RFC 2236, RFC 3376) has no placement of its own.
// What a device listens to is the device's, as in Linux: it is found by the
// device, which is in one Net at a time, and ends with the device's stay there.
// What a socket has joined is the socket's. So there is no table in which two
// Nets could meet. The files are igmp.go (what is heard), igmpgroup.go (a
// device's groups), igmpreport.go (what is told) and igmpsock.go (a socket's
// groups).
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
	Mroutes netns.Placement // multicast routes; default Replicated
	// Exceptions are path MTUs and redirects that were learnt; default Replicated.
	Exceptions netns.Placement
	// HostLimits holds each Net's ipfrag_high_thresh against the fragments of all,
	// as Linux did before 2.6.26. For experiments: law 2 fails with it.
	HostLimits bool
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
	raw     rawSeam
	pingers pingSeam

	// OnConflict, if set before traffic, is told of stations that claim an
	// address of ours, by the worker that heard them.
	OnConflict func(Conflict)

	conf  *netns.Cell[Conf]              // net.ipv4.*
	devs  core.DevSlot[device]           // what IPv4 keeps at a device
	addrs *netns.Table[[4]byte, []*Addr] // who has an address; the lists are immutable. Linux: inet_addr_lst
	path  pathState                      // of the packet's way
	mr    mroutes                        // multicast routing
	lives *netns.Cell[lifetimes]         // of addresses

	// shared by all who have not written: compiled-in values, constant
	both  *devConf
	parms core.NeighParms

	last struct{ all, own, eff *devConf } // under rtnl; the last that merge was asked for
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
// machine boots. Errors: ENOENT for an entry point without a row in the table
// of gates, EEXIST for one that is taken, EINVAL for a bad
// [core.Config.DevconfInheritInitNet].
func New(s *core.Stack, hooks *netfilter.Hooks, ctl *sysctl.Registry, nl *netlink.Rtnetlink, c Config) (*Inet, error) {
	in := &Inet{Core: s, Hooks: hooks, Sysctl: ctl, Netlink: nl, devs: core.NewDevSlot[device](0),
		both: merge(&builtinAll, &builtinDefault), parms: core.DefaultNeighParms()}
	for _, p := range []*netns.Placement{&c.Addrs, &c.FIB, &c.Rules, &c.Sysctls, &c.Frags, &c.Exceptions, &c.Mroutes} {
		if *p == netns.Default {
			*p = netns.Replicated
		}
	}
	in.conf = netns.NewCell(s.Sys, "ipv4-sysctl", c.Sysctls, newConf)
	in.lives = netns.NewCell(s.Sys, "ipv4-lifetimes", netns.Replicated, newLifetimes)
	in.addrs = netns.NewTable[[4]byte, []*Addr](s.Sys, "ipv4-addr", c.Addrs, netns.Keyed[[4]byte]())
	in.FIB = fib.New(s.Sys, fib.Config{
		Family: fib.IPv4, FIB: c.FIB, Rules: c.Rules,
		Up: (*core.Device).Up, Carrier: (*core.Device).Carrier,
		Index: in.indexOf, IgnoreLinkDown: in.ignoreLinkDown,
	})
	in.FIB.OnChange, in.FIB.OnRuleChange = in.tellRoute, in.tellRule
	netns.Attend(s.Sys, "ipv4", in.enter, nil, in.FIB.FlushNet)
	s.HandleNeigh(in.neighOps())
	for _, register := range []func() error{
		func() error { return in.initPath(c) },
		func() error { return s.HandleProtocol(wire.EtherTypeIPv4, in.Receive) },
		func() error { return s.HandleProtocol(wire.EtherTypeARP, in.HandleARP) },
		func() error { return s.HandleEvents("ipv4", in.event) },
		in.initSysctl,
		in.initNetlink,
		func() error { return in.initMroutes(c.Mroutes) },
	} {
		if err := register(); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// enter gives a new Net the values of the initial Net that Linux copies there:
// a crossing, switched by [core.Config.DevconfInheritInitNet]. While the
// initial Net has its compiled-in values this costs nothing.
// Linux: devinet_init_net.
func (s *Inet) enter(n *netns.Net) error {
	//tagvet:allow netless a crossing that Linux has, at birth alone; the switch is DevconfInheritInitNet
	first := s.Core.Sys.Init()
	if first == n || s.Core.Config().DevconfInheritInitNet == core.DevconfCompiledIn {
		return nil
	}
	from := s.conf.Of(first)
	all, dflt := from.all.Load(), from.dflt.Load()
	if all == &builtinAll && dflt == &builtinDefault {
		return nil
	}
	c := s.conf.Own(n)
	c.all.Store(all)
	c.dflt.Store(dflt)
	c.dfltSet = from.dfltSet
	return nil
}

func (s *Inet) indexOf(n *netns.Net, name string) int32 {
	if d := s.Core.Device(n, name); d != nil {
		return int32(d.Index())
	}
	return 0
}

func (s *Inet) ignoreLinkDown(d *core.Device) bool {
	dev := s.devs.Of(d)
	return dev != nil && dev.IgnoreRoutesWithLinkdown()
}
