package core

import (
	"sync"
	"sync/atomic"
	"time"

	"nsmodel/netns"
)

// A Config says where core's tables stand. The zero value is Linux's defaults.
type Config struct {
	Devices netns.Placement // devices by name and by index; default Replicated
	MIB     netns.Placement // ledgers; default Replicated
	Neigh   netns.Placement // neighbours; default Tagged
	// Gates are rows added to those of [DefaultGates], for families that tests
	// and later work bring along.
	Gates []GateRow
	// Backlog is how many packets wait at most at a receiving device before
	// they are dropped, per device; 0 is Linux's netdev_max_backlog, 1000.
	Backlog int
	// DevconfInheritInitNet says where the tunables of devices in a new Net
	// come from, with the values of Linux's net.core.devconf_inherit_init_net:
	// 0 (Linux's default) or 1 the initial Net's as they are at that moment,
	// for IPv4; [DevconfCompiledIn] those that the machine was built with. The
	// former is a crossing that Linux has and law 2 (an unlinked neighbour is
	// invisible) excepts: the initial Net alone is seen, once, at birth.
	DevconfInheritInitNet int
	// HostLimits makes neighbours count for the host: one Net's can fill the table
	// for all, and forced collection takes whosever are oldest. For experiments: a
	// limit that Nets share is a leak, and law 2 fails with it. Linux had it so until
	// September 2026 (gc_thresh1 to 3).
	HostLimits bool
}

// DevconfCompiledIn makes new Nets start with compiled-in tunables.
const DevconfCompiledIn = 2

// A Stack is the networking of one machine: what all its namespaces share.
type Stack struct {
	// fixed once the machine is wired
	Sys       *netns.System
	gates     []GateRow
	protocols []protocol
	notifiers []notifier
	families  []family
	kinds     []*Kind
	neighOps  [2]*NeighOps
	backlog   int
	config    Config
	wake      atomic.Pointer[func(*Worker)] // tells a sleeping worker that there is work
	epoch     atomic.Pointer[time.Time]     // the machine's boot as whoever runs it dates it

	devices *netns.Table[devKey, *Device]
	ledger  *netns.Cell[Ledger]
	nets    netns.Slot[perNet]
	neigh   *netns.Table[neighKey, *Neighbour]
	neighs  *netns.Cell[neighNet]
	proxies *netns.Table[neighKey, proxyEntry]

	hostNeighs *neighHost // fixed; nil unless the limits are the host's

	leaving []leaver  // under rtnl; what dying Nets unlisted, to be finished after the grace period
	left    int       // under rtnl; how many of leaving are finished
	gone    []*Device // under rtnl; scratch
	workers []*Worker // under rtnl; the polled ones
	spareMu sync.Mutex
	spare   []*Worker     // under spareMu; idle process contexts
	seats   atomic.Uint32 // how process contexts spread over workers
	depot   depot

	groupMu   sync.Mutex       // the devices' lists of groups
	groupList *[]HardwareGroup // under groupMu; the last one published

	dead Ledger // what the Nets that are gone had counted
}

// perNet is core's own state of one Net. Linux: the parts of struct net that
// net/core/dev.c owns.
type perNet struct {
	lastIndex int // under rtnl; the highest interface index handed out
}

// A leaver is a device that a dying Net has taken off.
type leaver struct {
	net *netns.Net
	dev *Device
}

// New builds the networking of one machine on sys. Everything that registers
// with it must do so before sys boots.
func New(sys *netns.System, c Config) *Stack {
	s := &Stack{Sys: sys, backlog: c.Backlog}
	if s.backlog == 0 {
		s.backlog = 1000
	}
	c.Backlog = s.backlog
	s.config = c
	s.gates = append(DefaultGates(), c.Gates...)
	for i := range s.gates {
		s.gates[i].bind()
	}
	place := func(p, otherwise netns.Placement) netns.Placement {
		if p == netns.Default {
			return otherwise
		}
		return p
	}
	devices := place(c.Devices, netns.Replicated)
	s.ledger = netns.NewCell(sys, "mib", place(c.MIB, netns.Replicated), func(n *netns.Net) *Ledger { return &Ledger{net: n} })
	// The books close after the devices, whose last packets they still count.
	netns.Attend(sys, "ledger", nil, nil, func(n *netns.Net) { s.dead.add(s.ledger.Of(n)) })
	s.devices = netns.NewTable[devKey, *Device](sys, "devices", devices, devSum())
	s.nets = netns.Register(sys, netns.Ops[perNet]{
		Name:    "netdev",
		Place:   netns.Replicated,
		Make:    func() *perNet { return new(perNet) },
		Enter:   s.enter,
		PreExit: s.preExit,
		Exit:    func(n *netns.Net, _ *perNet) { s.exit(n) },
	})
	s.initNeigh(place(c.Neigh, netns.Tagged))
	return s
}

// Config returns what the machine was built with, defaults filled in.
func (s *Stack) Config() Config { return s.config }

// enter opens n's ledger, so that devices and packets can point at it.
func (s *Stack) enter(n *netns.Net) error {
	s.ledger.Own(n)
	return nil
}

// SetWake gives the function that wakes a sleeping worker, called whenever a
// packet is queued for it from outside its Poll; nil for none.
func (s *Stack) SetWake(f func(w *Worker)) {
	if f == nil {
		s.wake.Store(nil)
		return
	}
	s.wake.Store(&f)
}

// Epoch returns the moment of the machine's boot, to which times since boot are
// added where an interface wants a date, as the deadlines of [net.Conn]. Unless
// somebody said otherwise it is the Unix epoch: a machine has no clock of its
// own.
func (s *Stack) Epoch() time.Time {
	if t := s.epoch.Load(); t != nil {
		return *t
	}
	return time.Unix(0, 0)
}

// SetEpoch dates the machine's boot.
func (s *Stack) SetEpoch(t time.Time) { s.epoch.Store(&t) }

// Outstanding returns how many packets are out of the pools: 0 when nothing is
// queued anywhere. Exact when no worker runs.
func (s *Stack) Outstanding() int64 { return s.depot.out.Load() }
