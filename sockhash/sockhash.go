// Package sockhash finds the socket that a packet is for, by what sockets are
// bound and connected to, with Linux's scoring. It is generic over the socket,
// which it never looks into, and serves every transport and both families.
//
// The tables are netns tables: the namespace is in every key, and whether all
// share one table or each has its own is a word of configuration.
package sockhash

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"nsmodel/netns"
)

// An Addr is an IPv4 (mapped) or IPv6 address; the zero Addr is the wildcard.
type Addr struct{ hi, lo uint64 }

// Addr4 returns a as an Addr; 0.0.0.0 is the wildcard.
func Addr4(a [4]byte) Addr {
	v := uint64(a[0])<<24 | uint64(a[1])<<16 | uint64(a[2])<<8 | uint64(a[3])
	if v == 0 {
		return Addr{}
	}
	return Addr{lo: 0xffff_0000_0000 | v}
}

// AddrOf returns a as an Addr; an invalid or unspecified address is the
// wildcard.
func AddrOf(a netip.Addr) Addr {
	switch {
	case !a.IsValid() || a.IsUnspecified():
		return Addr{}
	case a.Is4():
		return Addr4(a.As4())
	}
	b := a.As16()
	var k Addr
	for i := range 8 {
		k.hi, k.lo = k.hi<<8|uint64(b[i]), k.lo<<8|uint64(b[8+i])
	}
	return k
}

// Wild reports whether a is the wildcard.
func (a Addr) Wild() bool { return a == Addr{} }

// A Binding is what one socket is bound and connected to. It is immutable once
// filed. Linux: inet_rcv_saddr, inet_num, inet_daddr, inet_dport and
// sk_bound_dev_if of struct inet_sock.
type Binding[S any] struct {
	Sock       S
	Local      Addr // wildcard: any address
	Port       uint16
	Remote     Addr // wildcard: not connected
	RemotePort uint16
	Dev        int // index of the device it is bound to in its Net, or 0
	ReuseAddr  bool
	ReusePort  bool
	// Six says that it is an IPv6 socket; one with the wildcard gets what IPv4
	// brings, too, unless it is for V6Only.
	Six, V6Only bool
	// UID owns the socket: SO_REUSEPORT groups are of one owner.
	UID uint32
}

// Connected reports whether the binding has a peer.
func (b *Binding[S]) Connected() bool { return b.RemotePort != 0 }

// A Flow is what a packet says: Local is its destination.
type Flow struct {
	Local, Remote         Addr
	LocalPort, RemotePort uint16
	Dev                   int // index of the device it came in by
	Six                   bool
}

// slot names a chain: all bindings of one local address and port.
type slot struct {
	addr Addr
	port uint64 // 64 bits wide: the key has no padding, and hashes as plain memory
}

// A chain is a published list of bindings, in order of preference.
type chain[S any] struct {
	list atomic.Pointer[[]*Binding[S]]
}

// A Table holds the bindings of one transport. Linux: struct udp_table, with
// hash (by port) and hash2 (by address and port).
type Table[S any] struct {
	byPort *netns.Table[uint16, *chain[S]]
	byAddr *netns.Table[slot, *chain[S]]
	locks  *netns.Cell[lock]
	secret uint64
}

// lock orders the writers of one Net: nobody waits for another Net's binds.
type lock struct{ mu sync.Mutex }

// New registers a transport's table with s, before its boot. name is the word
// of its placement; secret keys the choice within SO_REUSEPORT groups.
func New[S any](s *netns.System, name string, place netns.Placement, secret uint64) *Table[S] {
	return &Table[S]{
		byPort: netns.NewTable[uint16, *chain[S]](s, name+"-port", place, netns.Keyed[uint16]()),
		byAddr: netns.NewTable[slot, *chain[S]](s, name, place, netns.Keyed[slot]()),
		locks:  netns.NewCell(s, name+"-lock", netns.Replicated, func(*netns.Net) *lock { return new(lock) }),
		secret: secret,
	}
}

// bound returns the bindings of a chain.
func (c *chain[S]) bound() []*Binding[S] {
	if l := c.list.Load(); l != nil {
		return *l
	}
	return nil
}

// Bind files b in n; EADDRINUSE if another socket has its port and neither
// SO_REUSEADDR nor SO_REUSEPORT lets them share it. b.Port must not be 0: see
// BindAny. Linux: udp_lib_get_port.
func (t *Table[S]) Bind(n *netns.Net, b *Binding[S]) error {
	l := t.locks.Own(n)
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.taken(n, b, false) {
		return syscall.EADDRINUSE
	}
	return t.file(n, b)
}

// BindAny files b at a free port of [low, high], the first after a start that
// draw picks; EADDRINUSE if there is none. Linux: udp_lib_get_port with port 0.
func (t *Table[S]) BindAny(n *netns.Net, b *Binding[S], low, high uint16, draw func(k uint64) uint64) error {
	span := int(high) - int(low) + 1
	if span <= 0 {
		return syscall.EADDRINUSE
	}
	l := t.locks.Own(n)
	l.mu.Lock()
	defer l.mu.Unlock()
	start := int(draw(uint64(span)))
	for i := range span {
		b.Port = low + uint16((start+i)%span)
		if _, used := t.byPort.Get(n, b.Port); used && t.taken(n, b, true) {
			continue
		}
		return t.file(n, b)
	}
	b.Port = 0
	return syscall.EADDRINUSE
}

// taken reports whether b may not be filed. As in Linux the newest binding that
// is in the way decides: if b may share with that one, nobody asks the others
// (seen on 6.18). A search for a free port asks all. Linux: udp_lib_lport_inuse.
func (t *Table[S]) taken(n *netns.Net, b *Binding[S], search bool) bool {
	c, ok := t.byPort.Get(n, b.Port)
	if !ok {
		return false
	}
	for _, o := range c.bound() {
		if !o.inWay(b) {
			continue
		}
		if !o.ReusePort || !b.ReusePort || o.UID != b.UID {
			return true
		}
		if !search {
			return false
		}
	}
	return false
}

// inWay reports whether o and b, of one port, could get the same datagrams and do
// not both have SO_REUSEADDR.
func (o *Binding[S]) inWay(b *Binding[S]) bool {
	switch {
	case o.ReuseAddr && b.ReuseAddr:
		return false
	case o.Dev != 0 && b.Dev != 0 && o.Dev != b.Dev:
		return false
	case o.Six != b.Six: // Linux: inet_rcv_saddr_equal
		six := o
		if b.Six {
			six = b
		}
		return !six.V6Only && six.Local.Wild()
	}
	return o.Local == b.Local || o.Local.Wild() || b.Local.Wild()
}

// file puts b into both tables; under n's lock.
func (t *Table[S]) file(n *netns.Net, b *Binding[S]) error {
	if err := push(t.byPort, n, b.Port, b); err != nil {
		return err
	}
	if err := push(t.byAddr, n, slot{b.Local, uint64(b.Port)}, b); err != nil {
		pull(t.byPort, n, b.Port, b)
		return err
	}
	return nil
}

// push adds b to a chain in front, so that of equal sockets the newest is found.
// Linux: udp_lib_get_port.
func push[K comparable, S any](t *netns.Table[K, *chain[S]], n *netns.Net, k K, b *Binding[S]) error {
	c, ok := t.Get(n, k)
	if !ok {
		c = new(chain[S])
		list := []*Binding[S]{b}
		c.list.Store(&list)
		return t.Add(n, k, c)
	}
	old := c.bound()
	list := append(append(make([]*Binding[S], 0, len(old)+1), b), old...)
	c.list.Store(&list)
	return nil
}

func pull[K comparable, S any](t *netns.Table[K, *chain[S]], n *netns.Net, k K, b *Binding[S]) bool {
	c, ok := t.Get(n, k)
	if !ok {
		return false
	}
	old := c.bound()
	i := slices.Index(old, b)
	if i < 0 {
		return false
	}
	if len(old) == 1 {
		c.list.Store(nil)
		t.Delete(n, k)
		return true
	}
	list := slices.Concat(old[:i], old[i+1:])
	c.list.Store(&list)
	return true
}

// Unbind takes b out; false if it was not filed. Linux: udp_lib_unhash.
func (t *Table[S]) Unbind(n *netns.Net, b *Binding[S]) bool {
	l := t.locks.Own(n)
	l.mu.Lock()
	defer l.mu.Unlock()
	ok := pull(t.byPort, n, b.Port, b)
	return pull(t.byAddr, n, slot{b.Local, uint64(b.Port)}, b) && ok
}

// Rebind files next in place of b, as connect does: the port stays, so nobody
// can take it in between. Linux: udp_lib_rehash.
func (t *Table[S]) Rebind(n *netns.Net, b, next *Binding[S]) error {
	l := t.locks.Own(n)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := t.file(n, next); err != nil {
		return err
	}
	pull(t.byPort, n, b.Port, b)
	pull(t.byAddr, n, slot{b.Local, uint64(b.Port)}, b)
	return nil
}

// All returns n's bindings, port by port in the order in which ports were
// taken; within a port, newest first.
func (t *Table[S]) All(n *netns.Net) []*Binding[S] {
	var all []*Binding[S]
	for _, c := range t.byPort.All(n) {
		all = append(all, c.bound()...)
	}
	return all
}

// Len returns how many ports of n are taken.
func (t *Table[S]) Len(n *netns.Net) int { return t.byPort.Len(n) }
