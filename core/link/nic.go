package link

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/link/afpacket"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// nic is the driver of a kernel interface: raw sockets on it, one for each
// worker. Sockets are open while the device is up and the interface is there, so
// that a device that is down costs the kernel nothing. They are promiscuous: the
// model's address need not be the kernel's, and bridges and passthrough devices
// bring more of them. Linux: a NIC's struct net_device_ops.
type nic struct {
	// fixed
	l      *Links
	dev    *core.Device
	kernel string // the interface's name when it was taken
	ring   afpacket.RingKind

	queues atomic.Pointer[[]*nicQueue] // by worker; nil without sockets; written under rtnl

	// under rtnl
	facts afpacket.Facts // as last seen
	open  bool           // between Open and Stop

	groupMu  sync.Mutex // taken to take sockets away, too: see detach
	asked    []wire.MAC // under groupMu; what asker was told to receive
	askedAll bool
	asker    *nicQueue // the first socket
}

// nicKind is `type nic dev KERNELIF`. Linux has no counterpart; moving a NIC into
// a namespace does there what this does here.
func (l *Links) nicKind() *core.Kind {
	k := &core.Kind{Name: "nic", Show: showNIC}
	k.New = func(n *netns.Net, u core.LinkSpec) (*core.Device, error) { return l.newNIC(k, n, u) }
	return k
}

// rings are the kinds of receive ring by the word after `ring`; without it the
// driver chooses. docs/decisions/0005 says what each is good for.
var rings = map[string]afpacket.RingKind{"": afpacket.RingDefault, "v2": afpacket.RingV2, "v3": afpacket.RingV3}

// newNIC makes a device in n over the kernel interface Attrs["dev"] of this
// process's network namespace. Its name, address and MTU are the interface's
// unless u says otherwise. Errors: EINVAL without dev or with a larger MTU, ENODEV
// for no such interface, EMEDIUMTYPE for one that is no Ethernet, EPERM without
// the right to open raw sockets, EBUSY if another device has it.
func (l *Links) newNIC(k *core.Kind, n *netns.Net, u core.LinkSpec) (*core.Device, error) {
	kernel := u.Attrs["dev"]
	ring, ok := rings[u.Attrs["ring"]]
	for word := range u.Attrs {
		ok = ok && (word == "dev" || word == "ring")
	}
	if kernel == "" || !ok || u.Lower != nil || u.Peer != nil {
		return nil, fmt.Errorf("link: nic needs dev KERNELIF, takes ring v2 or v3, and nothing else: %w", syscall.EINVAL)
	}
	facts, err := afpacket.Lookup(kernel)
	if err != nil {
		return nil, fmt.Errorf("link: nic: %w", err)
	}
	//tagvet:allow netless the kernel's interfaces are the machine's: one is taken, whichever Net has it
	for _, other := range l.nics {
		if other.facts.Index == facts.Index {
			return nil, fmt.Errorf("link: kernel interface %s is taken: %w", kernel, syscall.EBUSY)
		}
	}
	if u.MTU > facts.MTU {
		return nil, fmt.Errorf("link: nic mtu %d, kernel interface %s has %d: %w", u.MTU, kernel, facts.MTU, syscall.EINVAL)
	}
	probe, err := afpacket.Open(afpacket.Config{Interface: kernel, Blocks: 1}) // refuse now, not at `up`
	if err != nil {
		return nil, fmt.Errorf("link: nic: %w", err)
	}
	probe.Close()
	if u.Name == "" {
		u.Name = kernel
	}
	if u.Addr.IsZero() {
		u.Addr = macOf(facts)
	}
	if u.MTU == 0 {
		u.MTU = facts.MTU
	}
	x := &nic{l: l, kernel: kernel, ring: ring, facts: facts}
	s := spec(k, u, x)
	s.Real = true
	d, err := l.stack.Register(n, s)
	if err != nil {
		return nil, err
	}
	x.dev = d
	d.SetPfifo(s.TxQLen)
	l.nics = append(l.nics, x)
	return d, nil
}

func macOf(f afpacket.Facts) (m wire.MAC) {
	copy(m[:], f.MAC)
	return m
}

// showNIC returns what `ip -d link` prints of a nic.
func showNIC(d *core.Device) [][2]string {
	return [][2]string{{"dev", d.Driver().(*nic).kernel}}
}

// Warnings returns what is wrong with the way d stands in this machine, a
// sentence each; today that is addresses which the kernel itself holds on d's
// interface, since it would answer beside the model. Empty for other kinds.
func Warnings(d *core.Device) (list []string) {
	x, ok := d.Driver().(*nic)
	if !ok {
		return nil
	}
	addrs, err := afpacket.Addresses(x.kernel)
	if err != nil {
		return []string{err.Error()}
	}
	for _, a := range addrs {
		list = append(list, fmt.Sprintf("the kernel holds %v on %s and will answer beside %s; take it away with: ip addr del %v dev %s",
			a, x.kernel, d.Name(), a, x.kernel))
	}
	return list
}

// Open opens the sockets. An interface that is away leaves the device without a
// carrier until [Maintain] finds it back. Linux: ndo_open.
func (x *nic) Open(d *core.Device) error {
	x.open = true
	err := x.attach()
	if errno, _ := errnoOf(err); err != nil && errno != syscall.ENODEV {
		x.open = false
		return err
	}
	return nil
}

// Stop closes them; the interface is left as it was found. Linux: ndo_stop.
func (x *nic) Stop(d *core.Device) {
	x.open = false
	x.detach()
	d.Stack().SetCarrier(d, false)
}

// Free gives the kernel interface back. Linux: unregister_netdev by the driver.
func (x *nic) Free(d *core.Device) {
	x.detach()
	rest := x.l.nics[:0:0]
	for _, o := range x.l.nics {
		if o != x {
			rest = append(rest, o)
		}
	}
	x.l.nics = rest
}

// ChangeMTU refuses more than the interface has.
func (x *nic) ChangeMTU(d *core.Device, mtu int) error {
	if mtu > x.facts.MTU {
		return syscall.EINVAL
	}
	return nil
}

// ChangeAddr has nothing against any address: the sockets hear everything.
func (x *nic) ChangeAddr(d *core.Device, a wire.MAC) error { return nil }

// attach opens a socket for each worker and gives it to the worker.
func (x *nic) attach() error {
	facts, err := afpacket.Lookup(x.kernel)
	if err != nil {
		return err
	}
	for _, other := range x.l.nics {
		if other != x && other.facts.Index == facts.Index {
			return fmt.Errorf("link: kernel interface %s is taken: %w", x.kernel, syscall.EBUSY)
		}
	}
	workers := x.l.stack.Workers()
	list := make([]*nicQueue, len(workers))
	group := uint16(0)
	for i := range workers {
		if list[i], err = x.openQueue(len(workers), &group); err != nil {
			for _, q := range list[:i] {
				q.sock.Close()
			}
			return err
		}
	}
	x.queues.Store(&list)
	for i, w := range workers {
		w.Attach(list[i])
	}
	x.adopt(facts)
	x.askGroups()
	return nil
}

// openQueue opens one socket. Several share the interface's frames by flow; the
// first of them looks for a group number that nobody has.
func (x *nic) openQueue(workers int, group *uint16) (*nicQueue, error) {
	c := afpacket.Config{Interface: x.kernel, Ring: x.ring, Promisc: true, Fanout: *group}
	if workers > 1 && *group == 0 {
		return x.openFirst(c, group)
	}
	s, err := afpacket.Open(c)
	if err != nil {
		return nil, fmt.Errorf("link: nic: %w", err)
	}
	return newQueue(x, s), nil
}

// openFirst starts from a number that tells processes and interfaces apart.
func (x *nic) openFirst(c afpacket.Config, group *uint16) (*nicQueue, error) {
	var err error
	for try := range 64 {
		//tagvet:allow ambient a name among the processes of this computer, which the machine never sees
		c.Fanout = uint16(syscall.Getpid()*64+x.facts.Index*7+try)%0xfffe + 1
		var s *afpacket.Socket
		if s, err = afpacket.Open(c); err == nil {
			*group = c.Fanout
			return newQueue(x, s), nil
		}
		if errno, _ := errnoOf(err); errno != syscall.EINVAL {
			break
		}
	}
	return nil, fmt.Errorf("link: nic: %w", err)
}

// detach takes the sockets from the workers and closes them once nobody is in
// them any more. What waited to be sent is lost and counted.
func (x *nic) detach() {
	x.groupMu.Lock() // a socket that is closed below is not asked for groups any more
	list := x.queues.Swap(nil)
	x.groupMu.Unlock()
	if list == nil {
		return
	}
	for i, w := range x.l.stack.Workers() {
		if i < len(*list) {
			w.Detach((*list)[i])
		}
	}
	x.l.stack.Sys.Synchronize()
	w := x.l.stack.Enter()
	for _, q := range *list {
		q.account()
		q.lose(w)
		q.sock.Close()
	}
	x.dev.WakeQueue(w) // or it would stay stopped if a socket was full
	w.Leave()
}
