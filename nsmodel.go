// Package nsmodel is an executable reference model of Linux network namespaces:
// one process with a full network stack for each of many namespaces, in which
// where every table stands, shared and tagged or one for each namespace, is one
// word of configuration.
//
// This file is its table of contents: New wires every floor, lowest first. See
// docs/ for the way of a packet and README for an hour's reading path.
package nsmodel

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/core/netlink"
	"nsmodel/core/sysctl"
	"nsmodel/ipv4"
	"nsmodel/ipv6"
	"nsmodel/netfilter"
	"nsmodel/netns"
	"nsmodel/transport/raw"
	"nsmodel/transport/udp"
)

// A Config says how a machine is built. The zero value is Linux's defaults on
// one worker.
type Config struct {
	// Seed is what all randomness grows from: two machines with the same seed
	// and the same commands do the same, to the byte.
	Seed uint64
	// Workers is how many workers move packets; 0 is 1.
	Workers int
	// Budget is how many packets a worker moves in one turn of Settle and
	// Advance; 0 is 1. Whoever drives the machine live has a budget of his own.
	Budget int
	// Place says of each subsystem where its state stands.
	Place Places
	// Walk sweeps tagged tables at a namespace's end by walking every bucket,
	// as Linux does, and not only the namespace's own entries.
	Walk bool
	// Unmixed leaves the namespace out of the choice of a shared table's bucket, as
	// Linux did before net_hash_mix: equal keys of all namespaces share a chain.
	Unmixed bool
	// Collide makes every hash collide, and Buckets, if not 0, gives tables a
	// fixed size: neither may change what anybody sees but the time it takes.
	Collide bool
	Buckets int
	// DevconfInheritInitNet is net.core.devconf_inherit_init_net: with 0, as in
	// Linux, and 1 a new namespace's IPv4 device settings are copied from the
	// initial one's present values; with 2 they are the compiled-in ones.
	DevconfInheritInitNet int
	// IPv6 lets devices speak IPv6 from the start. Without it each namespace begins
	// as Linux's do with the module parameter ipv6.disable_ipv6=1: it is there,
	// and net.ipv6.conf.all.disable_ipv6=0 turns it on; docs/decisions/0007 says
	// why.
	IPv6 bool
	// HostLimits makes the limits on neighbours and on fragments count all
	// namespaces together, as Linux's once did: what one fills is full for all. It
	// is there to be measured; law 2 fails with it.
	HostLimits bool
	// Gates are rows for the table of gates, beside those of
	// [core.DefaultGates], for what Extend registers.
	Gates []core.GateRow
	// Extend, if not nil, is called before the machine boots, for what
	// registers with it from outside.
	Extend func(*Machine) error
}

// A Machine is one host with its namespaces.
type Machine struct {
	Sys     *netns.System
	Core    *core.Stack
	Netlink *netlink.Rtnetlink
	Sysctl  *sysctl.Registry
	Links   *link.Links
	Hooks   *netfilter.Hooks
	Sockets *ipv4.Sockets
	Six     *ipv6.Sockets // the socket types of AF_INET6
	IPv4    *ipv4.Inet
	IPv6    *ipv6.Inet
	UDP     *udp.UDP
	Raw     *raw.Raw

	places Places
	budget int         // packets in one turn of Settle
	driven atomic.Bool // by a live runner: nobody else may poll
}

// New builds and boots a machine: it has the initial Net, and in it a loopback
// device that is down.
func New(c Config) (*Machine, error) {
	if c.DevconfInheritInitNet < 0 || c.DevconfInheritInitNet > 2 {
		return nil, fmt.Errorf("nsmodel: devconf_inherit_init_net %d: %w", c.DevconfInheritInitNet, syscall.EINVAL)
	}
	m := &Machine{places: c.Place.resolve(), budget: max(1, c.Budget)}
	p := &m.places
	m.Sys = netns.New(netns.Config{Seed: c.Seed, Walk: c.Walk, Unmixed: c.Unmixed, Collide: c.Collide, Buckets: c.Buckets})                                                         // floor 0
	m.Core = core.New(m.Sys, core.Config{Devices: p.Devices, MIB: p.MIB, Neigh: p.Neigh, Gates: c.Gates, DevconfInheritInitNet: c.DevconfInheritInitNet, HostLimits: c.HostLimits}) // floor 1
	for range max(1, c.Workers) {
		m.Core.NewWorker()
	}
	m.Sysctl = sysctl.New(m.Core)
	m.Netlink = netlink.NewRtnetlink(m.Sys, p.Netlink) // floor 1½
	m.Hooks = netfilter.New(m.Core, p.Hooks)           // floor 2
	var err error
	if m.IPv4, err = ipv4.New(m.Core, m.Hooks, m.Sysctl, m.Netlink, ipv4.Config{ // floor 3
		Addrs: p.Addrs, FIB: p.FIB, Rules: p.Rules, Sysctls: p.Sysctls, Frags: p.Frags, Exceptions: p.Exceptions, Mroutes: p.Mroutes, HostLimits: c.HostLimits}); err != nil {
		return nil, fmt.Errorf("nsmodel: ipv4: %w", err)
	}
	if m.IPv6, err = ipv6.New(m.Core, m.Hooks, m.Sysctl, m.Netlink, ipv6.Config{
		Addrs: p.Addrs6, FIB: p.FIB6, Rules: p.Rules6, Sysctls: p.Sysctls6, Frags: p.Frags6, Exceptions: p.Exceptions6, Mroutes: p.Mroutes6, HostLimits: c.HostLimits, Enabled: c.IPv6, Errors: m.IPv4, HashSeed: m.IPv4.HashSeed}); err != nil {
		return nil, fmt.Errorf("nsmodel: ipv6: %w", err)
	}
	if m.Sockets, err = ipv4.NewSockets(m.Core); err != nil {
		return nil, fmt.Errorf("nsmodel: %w", err)
	}
	if m.UDP, err = udp.New(m.IPv4, m.Sockets, udp.Config{Sockets: p.UDP, Secret: c.Seed}); err != nil { // floor 4
		return nil, fmt.Errorf("nsmodel: udp: %w", err)
	}
	if m.Six, err = ipv6.NewSockets(m.Core); err != nil {
		return nil, fmt.Errorf("nsmodel: %w", err)
	}
	if err := m.UDP.Handle6(m.IPv6, m.Six); err != nil {
		return nil, fmt.Errorf("nsmodel: udp: %w", err)
	}
	if m.Raw, err = raw.New(m.IPv4, m.IPv6, m.Sockets, m.Six, raw.Config{Sockets: p.Raw}); err != nil {
		return nil, fmt.Errorf("nsmodel: raw: %w", err)
	}
	// The kinds of device come last, so that everybody who keeps something at
	// a device hears of the first one, and lets go of it before it goes.
	if err := link.Register(m.Core, link.Config{FDB: p.FDB}); err != nil {
		return nil, fmt.Errorf("nsmodel: link: %w", err)
	}
	m.Links = link.Of(m.Core)
	m.Links.SetSources(m.sources())
	if err := m.fdbMessages(); err != nil {
		return nil, fmt.Errorf("nsmodel: bridge fdb: %w", err)
	}
	if err := m.mdbMessages(); err != nil {
		return nil, fmt.Errorf("nsmodel: bridge mdb: %w", err)
	}
	if err := netlink.HandleCore(m.Netlink, m.Core); err != nil {
		return nil, fmt.Errorf("nsmodel: netlink: %w", err)
	}
	if c.Extend != nil {
		if err := c.Extend(m); err != nil {
			return nil, err
		}
	}
	if err := m.Sys.Boot(); err != nil {
		return nil, fmt.Errorf("nsmodel: boot: %w", err)
	}
	return m, nil
}

// Places returns where each subsystem's state stands.
func (m *Machine) Places() Places { return m.places }

// Init returns the initial namespace.
func (m *Machine) Init() *netns.Net { return m.Sys.Init() }

// AddNet makes a namespace. EEXIST if the name is taken, EINVAL if it cannot be
// a file's name. Linux: ip netns add.
func (m *Machine) AddNet(name string) (*netns.Net, error) {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	return m.Sys.NewNet(name)
}

// DeleteNet takes a namespace down with all that is in it, its sockets too:
// who waits on one wakes with an error. ENOENT for a name that is none.
// Linux: ip netns delete, after the namespace's processes were ended.
func (m *Machine) DeleteNet(name string) error {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	if err := m.Sys.Delete(name); err != nil {
		return err
	}
	m.Sys.Reap()
	return nil
}

// Net returns the namespace of that name; "" is the initial one. ENOENT if
// there is none. The caller Puts it.
func (m *Machine) Net(name string) (*netns.Net, error) {
	if name == "" {
		n := m.Sys.Init()
		n.Hold()
		return n, nil
	}
	return m.Sys.ByName(name)
}

// ListenPacket makes a UDP socket in n, bound to address (host:port, either may
// be empty). Linux: socket and bind in that namespace.
func (m *Machine) ListenPacket(n *netns.Net, address string) (net.PacketConn, error) {
	a, err := parseAddrPort(address)
	if err != nil {
		return nil, err
	}
	c, err := m.UDP.Listen(n, a, udp.Options{})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Dial makes a UDP socket in n, connected to address.
func (m *Machine) Dial(n *netns.Net, address string) (net.Conn, error) {
	a, err := parseAddrPort(address)
	if err != nil {
		return nil, err
	}
	c, err := m.UDP.Dial(n, netip.AddrPort{}, a, udp.Options{})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func parseAddrPort(s string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return netip.AddrPort{}, &net.OpError{Op: "listen", Net: "udp", Err: err}
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if port == "" {
		port = "0"
	}
	a, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil {
		return a, &net.OpError{Op: "listen", Net: "udp", Err: fmt.Errorf("%q: %w", s, syscall.EINVAL)}
	}
	return a, nil
}

// Settle lets the workers run at the present time until nothing is left to do,
// one packet at a time or as many as Config.Budget says, the workers taking turns. It is for machines that no
// live runner drives; on one that is driven it does nothing. It returns how
// many packets were moved.
func (m *Machine) Settle() int { return m.SettleOrder(nil) }

// SettleOrder is Settle with a scheduler: pick says which of k workers is next,
// so that a test can try every order.
func (m *Machine) SettleOrder(pick func(k int) int) (done int) {
	if m.driven.Load() {
		return 0
	}
	workers := m.Core.Workers()
	now := m.Sys.Now()
	for idle := 0; idle < len(workers); {
		i := idle
		if pick != nil {
			i = pick(len(workers)) % len(workers)
		}
		k := workers[i].Poll(now, m.budget)
		if done += k; k > 0 {
			idle = 0
			continue
		}
		if pick == nil {
			idle++
			continue
		}
		if !m.busy() {
			return done
		}
	}
	return done
}

func (m *Machine) busy() bool {
	for _, w := range m.Core.Workers() {
		if w.Pending() {
			return true
		}
	}
	return false
}

// Advance lets time pass: timers fire in their order, each at its own time, and
// what they set off is done before the next. Like Settle it is for machines
// that no live runner drives.
func (m *Machine) Advance(d time.Duration) { m.AdvanceTo(m.Sys.Now()+d, nil) }

// AdvanceTo is Advance to a time since boot, with a scheduler as SettleOrder's.
func (m *Machine) AdvanceTo(end time.Duration, pick func(k int) int) {
	if m.driven.Load() {
		return
	}
	m.SettleOrder(pick)
	for {
		at, ok := m.Sys.NextTimer()
		if !ok || at > end {
			break
		}
		m.Sys.Expire(max(at, m.Sys.Now()), 1)
		m.SettleOrder(pick)
	}
	m.Sys.Expire(end, 0)
	m.SettleOrder(pick)
}

// Close takes the machine down: every namespace with all that is in it. NICs of
// the kernel are left as they were found.
func (m *Machine) Close() error {
	m.Sys.Lock()
	defer m.Sys.Unlock()
	for n := range m.Sys.Nets() {
		if n.Named() {
			if err := m.Sys.Delete(n.Name()); err != nil {
				return err
			}
		}
	}
	m.Sys.Reap()
	for _, d := range m.Core.Devices(m.Sys.Init()) {
		m.Core.SetDown(d)
		if d.Flags()&core.FlagLoopback != 0 || !d.Listed() {
			continue
		}
		if err := m.Core.Unregister(d); err != nil {
			return err
		}
	}
	return nil
}

// Drive marks the machine as driven by a live runner, or no longer so; false if
// it was already. Package live calls it.
func (m *Machine) Drive(on bool) bool { return m.driven.CompareAndSwap(!on, on) }
