package core

import (
	"fmt"
	"syscall"

	"nsmodel/netns"
)

// A protocol is the handler of an EtherType and the gate before it.
// Linux: struct packet_type.
type protocol struct {
	typ  uint16
	gate *netns.Gate
	fn   func(w *Worker, p *Packet)
}

// HandleProtocol gives frames of EtherType typ to fn, with the Ethernet header
// taken off and L3 set. It is ENOENT if the table of gates has no row for this
// entry point, EEXIST if the type is taken. Linux: dev_add_pack.
func (s *Stack) HandleProtocol(typ uint16, fn func(w *Worker, p *Packet)) error {
	g, err := s.Gate(LayerProtocol, fmt.Sprintf("%#04x", typ))
	if err != nil {
		return err
	}
	for _, p := range s.protocols {
		if p.typ == typ {
			return fmt.Errorf("core: protocol %#04x: %w", typ, syscall.EEXIST)
		}
	}
	s.protocols = append(s.protocols, protocol{typ, g, fn})
	return nil
}

func (s *Stack) toProtocol(w *Worker, p *Packet) {
	for i := range s.protocols {
		h := &s.protocols[i]
		if h.typ != p.Protocol {
			continue
		}
		if !h.gate.Admit(p.net) {
			w.Drop(p, GateClosed)
			return
		}
		h.fn(w, p)
		return
	}
	if p.Protocol >= 0x600 { // what gives a length is for LLC, which throws away without a count
		p.Dev.stats.rxDropped.Add(1)
	}
	w.Drop(p, NoProtocol)
}

// A family makes the sockets of one address family.
// Linux: struct net_proto_family.
type family struct {
	af     int
	gate   *netns.Gate
	create func(n *netns.Net, typ, proto int) (any, error)
}

// Address families with Linux's values.
const (
	AFInet  = 2
	AFInet6 = 10
)

// HandleFamily lets create make the sockets of family af; ENOENT without a row
// in the table of gates, EEXIST if the family is taken. Linux: sock_register.
func (s *Stack) HandleFamily(af int, create func(n *netns.Net, typ, proto int) (any, error)) error {
	g, err := s.Gate(LayerFamily, fmt.Sprint(af))
	if err != nil {
		return err
	}
	for _, f := range s.families {
		if f.af == af {
			return fmt.Errorf("core: family %d: %w", af, syscall.EEXIST)
		}
	}
	s.families = append(s.families, family{af, g, create})
	return nil
}

// Socket makes a socket of family af, type typ and protocol proto in n. A
// family that nobody has built, or whose gate is closed to n, is EAFNOSUPPORT.
// Linux: __sock_create.
func (s *Stack) Socket(n *netns.Net, af, typ, proto int) (any, error) {
	for i := range s.families {
		f := &s.families[i]
		if f.af == af && f.gate.Admit(n) {
			return f.create(n, typ, proto)
		}
	}
	return nil, fmt.Errorf("socket: family %d: %w", af, syscall.EAFNOSUPPORT)
}

// An Event is something that happens to a device.
// Linux: enum netdev_cmd.
type Event uint8

// The device events. Each is delivered under rtnl.
const (
	EventRegister   Event = iota + 1 // the device is in its Net and has a name
	EventUnregister                  // it is leaving its Net, after the grace period
	EventUp
	EventGoingDown // still up
	EventDown
	EventMTU
	EventAddr
	EventName
	EventCarrier
	EventMaster
	// EventChange: something without an event of its own, of a device that is up.
	// Linux: NETDEV_CHANGE by netdev_state_change.
	EventChange
)

// String returns Linux's name of the event.
func (e Event) String() string {
	names := [...]string{"", "NETDEV_REGISTER", "NETDEV_UNREGISTER", "NETDEV_UP", "NETDEV_GOING_DOWN", "NETDEV_DOWN",
		"NETDEV_CHANGEMTU", "NETDEV_CHANGEADDR", "NETDEV_CHANGENAME", "NETDEV_CHANGE", "NETDEV_CHANGEUPPER", "NETDEV_CHANGE"}
	if int(e) < len(names) {
		return names[e]
	}
	return ""
}

type notifier struct {
	name string
	gate *netns.Gate
	fn   func(e Event, d *Device)
}

// HandleEvents calls fn for every event of devices in Nets that the gate row of
// that name admits, in the order of registration; ENOENT without a row.
// Linux: register_netdevice_notifier.
func (s *Stack) HandleEvents(name string, fn func(e Event, d *Device)) error {
	g, err := s.Gate(LayerNotifier, name)
	if err != nil {
		return err
	}
	s.notifiers = append(s.notifiers, notifier{name, g, fn})
	return nil
}

// notify tells everybody who may know that e happened to d; under rtnl.
func (s *Stack) notify(e Event, d *Device) {
	n := d.Net()
	for i := range s.notifiers {
		if h := &s.notifiers[i]; h.gate.Admit(n) {
			h.fn(e, d)
		}
	}
}
