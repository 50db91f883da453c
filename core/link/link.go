package link

import (
	"fmt"
	"net/netip"

	"nsmodel/core"
	"nsmodel/netns"
)

// Config says how the devices are built. The zero value is Linux's defaults.
type Config struct {
	// FDB is where the bridges' forwarding entries stand, those of groups as well;
	// default Replicated.
	FDB netns.Placement
}

// Links are the kinds of device of one machine.
type Links struct {
	stack *core.Stack
	fdb   *netns.Table[fdbKey, *fdbEntry]
	mdb   *netns.Table[mdbKey, *mdbEntry]
	nics  []*nic // under rtnl
	taps  []*tap // under rtnl

	sources Sources
}

// Of returns the kinds of device that were registered with s.
func Of(s *core.Stack) *Links {
	l, _ := s.Kind("bridge").Home.(*Links)
	return l
}

// Register makes the kinds of device known to s and gives every Net its loopback
// device. It is called before the System boots, once; EEXIST the second time.
func Register(s *core.Stack, c Config) error {
	nobody := func(*core.Device) netip.Addr { return netip.Addr{} }
	l := &Links{stack: s, sources: Sources{IPv4: nobody, IPv6: nobody}}
	for _, k := range []*core.Kind{vethKind(s), l.bridgeKind(), l.passthroughKind(), l.vlanKind(), l.macvlanKind(), l.nicKind(), l.tapKind()} {
		k.Home = l
		if err := s.HandleKind(k); err != nil {
			return fmt.Errorf("link: %w", err)
		}
	}
	if err := s.HandleEvents("link", l.event); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	if c.FDB == netns.Default {
		c.FDB = netns.Replicated
	}
	l.fdb = netns.NewTable[fdbKey, *fdbEntry](s.Sys, "fdb", c.FDB, netns.Keyed[fdbKey]())
	l.mdb = netns.NewTable[mdbKey, *mdbEntry](s.Sys, "mdb", c.FDB, netns.Keyed[mdbKey]())
	registerLoopback(s)
	return nil
}

// event keeps devices right that stand on d or have it as a port.
func (l *Links) event(e core.Event, d *core.Device) {
	l.bridgeEvent(e, d)
	l.passthroughEvent(e, d)
	l.vlanEvent(e, d)
	l.macvlanEvent(e, d)
}

// spec turns what a user asked for into a device's description.
func spec(k *core.Kind, u core.LinkSpec, drv core.Driver) core.DeviceSpec {
	s := core.DeviceSpec{Name: u.Name, Index: u.Index, Kind: k, Driver: drv, Addr: u.Addr, MTU: u.MTU, TxQLen: u.TxQLen}
	if s.Name == "" {
		s.Name = k.Name + "%d"
	}
	if s.TxQLen == 0 {
		s.TxQLen = 1000 // Linux: DEFAULT_TX_QUEUE_LEN, shown although no queue is there
	}
	return s
}
