// Package ipv6 is net/ipv6 without its transports: reception, routing, output,
// forwarding, addresses, neighbour discovery, ICMPv6 and the tunables these
// need, each per Net. It is the twin of package ipv4: the same files and the same
// order in them where the protocols allow it. Transports register downwards with
// [Inet.Handle].
//
// What IPv4 does under rtnl alone IPv6 also does from timers: an address becomes
// ours when nobody has objected for a while. So a Net has a lock of its own for
// its addresses, groups and routes, taken behind rtnl; nobody waits for a grace
// period with it. Linux: idev->lock and tb6_lock.
package ipv6

import (
	"net/netip"
	"sync"
	"time"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/sysctl"
	"nsmodel/core/wire"
	"nsmodel/fib"
	"nsmodel/netfilter"
	"nsmodel/netns"
)

// A Config says where IPv6's state stands. The zero value is Linux's defaults,
// but that IPv6 is disabled.
type Config struct {
	Addrs   netns.Placement // addresses; default Replicated
	FIB     netns.Placement // routing tables; default Replicated
	Rules   netns.Placement // policy rules; default Replicated
	Sysctls netns.Placement // tunables; default Replicated
	Frags   netns.Placement // reassembly; default Replicated
	Mroutes netns.Placement // multicast routes; default Replicated
	// HostLimits holds each Net's ip6frag_high_thresh against the fragments of
	// all, as ipv4.Config has it.
	HostLimits bool
	// Exceptions are path MTUs and redirects that were learnt; default Replicated.
	Exceptions netns.Placement
	// Enabled lets devices speak IPv6 from the start. Else every Net begins with
	// net.ipv6.conf.all.disable_ipv6 and default.disable_ipv6 at 1, as Linux
	// does with the module's parameter disable_ipv6=1.
	Enabled bool
	// Errors counts the ICMP errors of a Net, those of IPv4 among them. Required.
	Errors ErrorBudget
	// HashSeed is a Net's net.ipv4.fib_multipath_hash_seed; nil: 0.
	HashSeed func(n *netns.Net) uint32
}

// An ErrorBudget is a Net's limit on ICMP messages of both families. It is
// IPv4's, whose tunables set it: Linux has it so.
type ErrorBudget interface {
	AllowICMP(n *netns.Net, now time.Duration) bool
	CountICMP(n *netns.Net)
}

// An Inet is IPv6 on one machine.
type Inet struct {
	// fixed once the machine is wired
	Core    *core.Stack
	FIB     *fib.FIB
	Hooks   *netfilter.Hooks
	Sysctl  *sysctl.Registry
	Netlink *netlink.Rtnetlink
	// Solicited is told of hosts that ask for routers, on the worker that has
	// received; nil for nobody. Set before the first packet. What Linux leaves to
	// a program with a raw socket.
	Solicited func(w *core.Worker, d *core.Device, from netip.Addr)
	protos    [256]*protocol
	raw       rawSeam
	pingers   pingSeam

	conf  *netns.Cell[Conf]               // net.ipv6.*
	devs  core.DevSlot[device]            // what IPv6 keeps at a device
	addrs *netns.Table[[16]byte, []*Addr] // who has an address; the lists are immutable. Linux: inet6_addr_lst
	path  pathState                       // of the packet's way
	mr    mroutes                         // multicast routing

	budget ErrorBudget
	seed   func(n *netns.Net) uint32

	// what Nets begin with; constant
	all, dflt *devConf
	lo        *devConf         // dflt for loopback
	usual     map[int]*devConf // dflt for a device of that MTU
	parms     core.NeighParms
}

// A Protocol is a transport. Linux: struct inet6_protocol.
type Protocol struct {
	Number uint8
	// Receive takes p: its data starts at the transport header, p.L3 at the IP
	// header, which was checked.
	Receive func(w *core.Worker, p *core.Packet, ip wire.IPv6)
	// Error tells of an ICMP error about a packet that this Net sent: quoted is
	// what was quoted of it, upper what of that is the transport's. It does not
	// take p, the ICMP packet. Nil for a transport that does not care.
	Error func(w *core.Worker, p *core.Packet, quoted wire.IPv6, upper []byte, e ICMPError)
}

// An ICMPError is what an ICMP error says. Linux: the arguments of err_handler.
type ICMPError struct {
	Type, Code uint8
	Info       uint32   // MTU of packet too big, pointer of parameter problem
	From       [16]byte // who sent it
}

// New builds IPv6 on s; everything that registers with it must do so before the
// machine boots. Errors: ENOENT for an entry point without a row in the table
// of gates, EEXIST for one that is taken.
func New(s *core.Stack, hooks *netfilter.Hooks, ctl *sysctl.Registry, nl *netlink.Rtnetlink, c Config) (*Inet, error) {
	in := &Inet{Core: s, Hooks: hooks, Sysctl: ctl, Netlink: nl, devs: core.NewDevSlot[device](1), parms: core.DefaultNeighParms(), budget: c.Errors, seed: c.HashSeed}
	in.parms.Locktime = 0
	in.all, in.dflt = builtins(c.Enabled)
	in.usual = map[int]*devConf{}
	for _, mtu := range []int{1500, 65536} { // Ethernet's and lo's
		c := *in.dflt
		c.v[confMTU] = int32(mtu)
		in.usual[mtu] = &c
	}
	in.lo = in.usual[65536].with(confUseTempAddr, -1)
	for _, p := range []*netns.Placement{&c.Addrs, &c.FIB, &c.Rules, &c.Sysctls, &c.Frags, &c.Exceptions, &c.Mroutes} {
		if *p == netns.Default {
			*p = netns.Replicated
		}
	}
	in.conf = netns.NewCell(s.Sys, "ipv6-sysctl", c.Sysctls, in.newConf)
	in.addrs = netns.NewTable[[16]byte, []*Addr](s.Sys, "ipv6-addr", c.Addrs, netns.Keyed[[16]byte]())
	in.FIB = fib.New(s.Sys, fib.Config{
		Family: fib.IPv6, FIB: c.FIB, Rules: c.Rules,
		Up: (*core.Device).Up, Carrier: (*core.Device).Carrier,
		Index: in.indexOf, IgnoreLinkDown: in.ignoreLinkDown, Disabled: in.disabled,
	})
	in.FIB.OnChange, in.FIB.OnRuleChange = in.tellRoute, in.tellRule
	netns.Attend(s.Sys, "ipv6", nil, nil, in.FIB.FlushNet)
	s.HandleNeigh(in.neighOps())
	for _, register := range []func() error{
		func() error { return in.initPath(c) },
		func() error { return s.HandleProtocol(wire.EtherTypeIPv6, in.Receive) },
		func() error { return s.HandleEvents("ipv6", in.event) },
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

// lock takes n's lock for changes to its addresses, groups and routes, and
// returns what lets it go.
func (s *Inet) lock(n *netns.Net) *sync.Mutex {
	mu := &s.path.nets.Own(n).config
	mu.Lock()
	return mu
}

func (s *Inet) indexOf(n *netns.Net, name string) int32 {
	if d := s.Core.Device(n, name); d != nil {
		return int32(d.Index())
	}
	return 0
}

func (s *Inet) ignoreLinkDown(d *core.Device) bool {
	dev := s.devs.Of(d)
	return dev != nil && s.either(dev, confIgnoreRoutesWithLinkdown)
}

// disabled reports whether d does not speak IPv6.
func (s *Inet) disabled(d *core.Device) bool {
	dev := s.devs.Of(d)
	return dev == nil || dev.on(confDisable)
}
