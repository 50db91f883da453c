package core

import (
	"fmt"
	"math"
	"syscall"

	"nsmodel/core/wire"
	"nsmodel/netns"
)

// MTU bounds of an Ethernet-like device, in bytes. Linux: ETH_MIN_MTU, ETH_MAX_MTU.
const (
	MinMTU = 68
	MaxMTU = 65535
)

// A DeviceSpec says what a new device is.
type DeviceSpec struct {
	Name     string // may hold one %d, as veth%d
	Index    int    // 0: the next one of the Net
	Kind     *Kind
	Driver   Driver
	Addr     wire.MAC // zero: drawn from the Net's random stream
	MTU      int      // 0: 1500
	Flags    uint32   // beside up and running; 0: broadcast and multicast
	Hardware uint16   // 0: Ethernet
	TxQLen   int      // shown; a device without its own queue shows 1000 as Linux does
	Carrier  bool
	Real     bool // a NIC of the machine
	NetLocal bool // may not change namespace
	// Stacked says that the driver passes each packet on to other devices of the
	// same Net, or drops it: it has not left the Net when the driver has it.
	Stacked bool
	// Lower is the device that this one stands on: this one dies when Lower is
	// unregistered or leaves its Net. Linux: netdev_upper_dev_link.
	Lower *Device
	// Stays says that it lives on when Lower only moves to another Net, or goes home
	// from a dying one. Linux: vlan_device_event, macvlan_device_event.
	Stays bool
	// Greedy says that each unicast frame it gets is for it, whatever the address.
	Greedy bool
	// AnyMTU says that there is no least MTU. Linux: min_mtu 0.
	AnyMTU bool
}

// A Kind is a kind of device that users can make by name, as `ip link add type
// veth` does. Linux: struct rtnl_link_ops.
type Kind struct {
	// Name is the word after `type`.
	Name string
	// New makes the devices that spec asks for in n, under rtnl.
	New func(n *netns.Net, spec LinkSpec) (*Device, error)
	// Check looks at the attributes of a new or an existing device before anything
	// else is looked at; nil if there is nothing to check. Linux: validate.
	Check func(attrs map[string]string) error
	// Change applies attributes to an existing device; nil if it has none.
	Change func(d *Device, attrs map[string]string) error
	// Show returns the kind's attributes in the order in which `ip -d link`
	// prints them; may be nil.
	Show func(d *Device) [][2]string
	// ChangePort and ShowPort are Change and Show of what is said of a port of such a
	// device; nil if it has no ports. Linux: slave_changelink, fill_slave_info.
	ChangePort func(port *Device, attrs map[string]string) error
	ShowPort   func(port *Device) [][2]string
	// Home is what the package that registers the kind keeps for this machine.
	Home any
}

// A LinkSpec is what a user said of a new device.
type LinkSpec struct {
	Name   string
	Index  int
	Addr   wire.MAC
	MTU    int
	TxQLen int
	// Lower is the device given with `link`, nil without.
	Lower *Device
	// Peer is the other end, and PeerNet where it is to be born, of a pair.
	Peer    *LinkSpec
	PeerNet *netns.Net
	// Attrs are the words behind the kind, as ageing_time.
	Attrs map[string]string
}

// HandleKind makes a kind of device known; EEXIST if the name is taken.
// Linux: rtnl_link_register.
func (s *Stack) HandleKind(k *Kind) error {
	if s.Kind(k.Name) != nil {
		return fmt.Errorf("core: kind %s: %w", k.Name, syscall.EEXIST)
	}
	s.kinds = append(s.kinds, k)
	return nil
}

// Kind returns the kind of that name, or nil.
func (s *Stack) Kind(name string) *Kind {
	for _, k := range s.kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// Register makes the device that spec describes, in n; under rtnl. Errors are
// those of pickName, EBUSY for a taken index, EINVAL for a bad MTU or address.
// Linux: register_netdevice.
func (s *Stack) Register(n *netns.Net, spec DeviceSpec) (*Device, error) {
	d := &Device{stack: s, driver: spec.Driver, kind: spec.Kind, hw: spec.Hardware, real: spec.Real,
		fixedN: spec.NetLocal, stacked: spec.Stacked, txqlen: int32(spec.TxQLen), stays: spec.Stays, greedy: spec.Greedy}
	if d.hw == 0 {
		d.hw = 1
	}
	flags := spec.Flags
	if flags == 0 {
		flags = FlagBroadcast | FlagMulticast
	}
	if spec.Carrier {
		flags |= FlagLowerUp
	}
	d.flags.Store(flags)
	if spec.MTU == 0 {
		spec.MTU = 1500
	}
	if flags&FlagLoopback == 0 && !spec.AnyMTU {
		d.minMTU = MinMTU
	}
	if spec.MTU < d.MinMTU() || (spec.MTU > MaxMTU && flags&FlagLoopback == 0) {
		return nil, fmt.Errorf("core: mtu %d of %s: %w", spec.MTU, spec.Name, syscall.EINVAL)
	}
	d.mtu.Store(uint32(spec.MTU))
	if spec.Addr.IsMulticast() {
		return nil, fmt.Errorf("core: address %v of %s: %w", spec.Addr, spec.Name, syscall.EADDRNOTAVAIL)
	}
	if spec.Addr.IsZero() && flags&FlagLoopback == 0 {
		spec.Addr = randomMAC(n)
	} else {
		d.noAuto = true
	}
	d.addr.Store(packMAC(spec.Addr))
	if err := s.list(n, d, spec.Name, spec.Index); err != nil {
		return nil, err
	}
	if spec.Lower != nil {
		d.standOn(spec.Lower)
	}
	s.notify(EventRegister, d)
	return d, nil
}

// randomMAC draws a locally administered unicast address from n's stream.
// Linux: eth_hw_addr_random.
func randomMAC(n *netns.Net) wire.MAC {
	return unpackMAC(n.Uint64()&0xfeff_ffff_ffff | 0x0200_0000_0000)
}

// list puts d into n under a name and an index. Linux: list_netdevice.
func (s *Stack) list(n *netns.Net, d *Device, name string, index int) error {
	name, err := s.pickName(n, name)
	if err != nil {
		return err
	}
	auto := index == 0
	if auto {
		index = s.freeIndex(n)
	} else if index < 0 || index > math.MaxInt32 {
		return fmt.Errorf("core: interface index %d: %w", index, syscall.EINVAL)
	} else if _, taken := s.devices.Get(n, indexKey(index)); taken {
		return fmt.Errorf("core: interface index %d: %w", index, syscall.EBUSY)
	}
	// Who finds d in the tables, without a lock, finds it whole: it says so before it
	// is there. Nobody looks at a device that is in no table.
	was := d.place()
	d.put(placed{&name, int32(index), s.ledger.Own(n), n})
	if err := s.devices.Add(n, nameKey(name), d); err != nil {
		d.put(was)
		return fmt.Errorf("core: device %s: %w", name, err)
	}
	if err := s.devices.Add(n, indexKey(index), d); err != nil {
		s.devices.Delete(n, nameKey(name))
		d.put(was)
		return fmt.Errorf("core: interface index %d: %w", index, err)
	}
	if auto {
		s.nets.Own(n).lastIndex = index
	}
	d.listed = true
	return nil
}

// A placed is where a device is.
type placed struct {
	name  *string
	index int32
	books *Ledger
	net   *netns.Net
}

func (d *Device) place() placed {
	return placed{d.name.Load(), d.index.Load(), d.books.Load(), d.net.Load()}
}

func (d *Device) put(p placed) {
	d.name.Store(p.name)
	d.index.Store(p.index)
	d.books.Store(p.books)
	d.net.Store(p.net)
}

// freeIndex returns the next free interface index of n: one after the last that
// was chosen so, whatever numbers users or arriving devices have brought along.
// Linux: dev_index_reserve, xa_alloc_cyclic.
func (s *Stack) freeIndex(n *netns.Net) int {
	index := s.nets.Own(n).lastIndex
	for {
		if index++; index > math.MaxInt32 {
			index = 1
		}
		if _, taken := s.devices.Get(n, indexKey(index)); !taken {
			return index
		}
	}
}

// unlist takes d and what must go with it out of their Nets: no new packet
// finds them. A grace period must pass before finish. Linux:
// unregister_netdevice_many, first half.
func (s *Stack) unlist(d *Device, gone []*Device) []*Device {
	if !d.listed {
		return gone
	}
	s.down(d)
	d.listed = false
	n := d.Net()
	s.devices.Delete(n, nameKey(d.Name()))
	s.devices.Delete(n, indexKey(d.Index()))
	gone = append(gone, d)
	if l, ok := d.driver.(Leaver); ok {
		for _, other := range l.Leave(d) {
			gone = s.unlist(other, gone)
		}
	}
	return s.unlistUppers(d, gone, d.real && !n.Alive() && !n.IsInit())
}

// unlistUppers unlists what stands on d, or if d only moves what does not stay then.
func (s *Stack) unlistUppers(d *Device, gone []*Device, moves bool) []*Device {
	for _, up := range d.Uppers() {
		if !moves || !up.stays {
			gone = s.unlist(up, gone)
		}
	}
	return gone
}

// finish ends an unlisted device after the grace period. Linux:
// unregister_netdevice_many, second half.
func (s *Stack) finish(d *Device) {
	if d.master != nil {
		s.dropMaster(d)
	}
	s.notify(EventUnregister, d)
	d.flushGroups()
	// Linux: packet_notifier, NETDEV_UNREGISTER. A tap of the old Net must not see
	// what comes in the new one.
	if h := d.hooks.Load(); h != nil && h.taps != nil {
		d.editHooks(func(h *hooks) { h.taps = nil })
	}
	s.flushNeigh(d)
	w := s.Enter()
	d.purge(w, DeviceDown)
	w.Leave()
}

// free tells d's driver and the device that d stands on that d will not come
// back. Linux: netdev_run_todo.
func (s *Stack) free(d *Device) {
	d.standOff()
	if f, ok := d.driver.(Freer); ok {
		f.Free(d)
	}
}

// Unregister takes d out of the machine, with its peer if it has one; under
// rtnl. EOPNOTSUPP for a device that cannot be deleted, as loopback.
// Linux: rtnl_dellink.
func (s *Stack) Unregister(d *Device) error {
	if d.Flags()&FlagLoopback != 0 {
		return fmt.Errorf("core: delete %s: %w", d.Name(), syscall.EOPNOTSUPP)
	}
	gone := s.unlist(d, nil)
	s.Sys.Synchronize()
	for _, d := range gone {
		s.finish(d)
		s.free(d)
	}
	return nil
}

// preExit takes a dying Net's devices off: virtual ones die with it, real NICs
// go back to the initial Net. Linux: default_device_exit_net and
// default_device_exit_batch.
func (s *Stack) preExit(n *netns.Net) {
	for _, d := range s.Devices(n) {
		s.gone = s.unlist(d, s.gone[:0])
		for _, d := range s.gone {
			s.leaving = append(s.leaving, leaver{n, d})
		}
		clear(s.gone) // or the scratch would keep the last of a Net
	}
}

// exit runs after the grace period, for the Nets of a batch in the order in which
// preExit ran.
func (s *Stack) exit(n *netns.Net) {
	for s.left < len(s.leaving) && s.leaving[s.left].net == n {
		d := s.leaving[s.left].dev
		s.leaving[s.left] = leaver{}
		//tagvet:allow netless the place in a batch of dying Nets, under rtnl
		s.left++
		s.finish(d)
		if d.real && d.Net() == n {
			s.goHome(d)
		} else {
			s.free(d)
		}
	}
	if s.left == len(s.leaving) {
		//tagvet:allow netless the same: all of the batch are finished
		s.leaving, s.left = s.leaving[:0], 0
		clear(s.gone)
	}
}

// goHome lists a NIC whose Net died in the initial Net, under another name if
// its own is taken there: dev and its old index or, if that is taken too, dev and
// the first free number. Linux: default_device_exit_net.
func (s *Stack) goHome(d *Device) {
	//tagvet:allow netless a NIC goes home when its Net dies
	to := s.Sys.Init()
	if to == nil || to == d.Net() {
		return
	}
	name, index := d.Name(), d.Index()
	if _, taken := s.devices.Get(to, nameKey(name)); taken {
		name = fmt.Sprintf("dev%d", index)
	}
	if _, taken := s.devices.Get(to, nameKey(name)); taken {
		name = "dev%d"
	}
	if _, taken := s.devices.Get(to, indexKey(index)); taken {
		index = 0
	}
	if err := s.list(to, d, name, index); err == nil {
		s.notify(EventRegister, d)
	}
}

// Move puts d into another Net as if it were unregistered here and registered
// there: down, a grace period, its addresses, routes, neighbours and queued
// packets gone, then a free name and index. Under rtnl. name is a new name, or
// "" to keep the old one. Errors: EINVAL for a device that may not move, EEXIST
// if the name is taken. Linux: __dev_change_net_namespace.
func (s *Stack) Move(d *Device, to *netns.Net, name string) error {
	from := d.Net()
	if from == to {
		if name != "" && name != d.Name() {
			return s.Rename(d, name)
		}
		return nil
	}
	if d.fixedN || d.Flags()&FlagLoopback != 0 {
		return fmt.Errorf("core: move %s: %w", d.Name(), syscall.EINVAL)
	}
	if !to.Hold() {
		return fmt.Errorf("core: move %s: namespace is gone: %w", d.Name(), syscall.EINVAL)
	}
	defer to.Put()
	want := name
	if want == "" {
		want = d.Name()
	}
	want, err := s.pickName(to, want)
	if err != nil {
		return fmt.Errorf("core: move %s: %w", d.Name(), err)
	}
	if m, ok := d.driver.(Mover); ok {
		if err := m.Move(d, to); err != nil {
			return err
		}
	}
	gone := s.unlistUppers(d, nil, true)
	s.down(d)
	d.listed = false
	s.devices.Delete(from, nameKey(d.Name()))
	s.devices.Delete(from, indexKey(d.Index()))
	s.Sys.Synchronize()
	for _, up := range gone {
		s.finish(up)
		s.free(up)
	}
	s.finish(d)
	index := d.Index()
	if _, taken := s.devices.Get(to, indexKey(index)); taken {
		index = 0
	}
	if err := s.list(to, d, want, index); err != nil {
		// The name was checked above; a Net that died meanwhile leaves the
		// device without a place, so it goes home or stays where it was.
		if back := s.list(from, d, d.Name(), d.Index()); back == nil {
			s.notify(EventRegister, d)
		}
		return err
	}
	s.notify(EventRegister, d)
	return nil
}
