package sockhash

import (
	"math/bits"

	"nsmodel/netns"
)

// Lookup returns the socket of n that f is for: among those bound to the
// packet's destination address, then among those bound to any. It takes no lock
// and allocates nothing. Linux: __udp4_lib_lookup.
func (t *Table[S]) Lookup(n *netns.Net, f *Flow) (sock S, ok bool) {
	if c, found := t.byAddr.Get(n, slot{f.Local, uint64(f.LocalPort)}); found {
		if b := t.best(c.bound(), f); b != nil {
			return b.Sock, true
		}
	}
	if c, found := t.byAddr.Get(n, slot{port: uint64(f.LocalPort)}); found {
		if b := t.best(c.bound(), f); b != nil {
			return b.Sock, true
		}
	}
	return sock, false
}

// best returns the binding that fits f best; of equal ones the newest. A
// SO_REUSEPORT group of which no socket is connected ends the search, though one
// behind it might fit better: so Linux does. Linux: udp4_lib_lookup2.
func (t *Table[S]) best(list []*Binding[S], f *Flow) *Binding[S] {
	var found *Binding[S]
	most := -1
	for _, b := range list {
		s := b.score(f)
		if s <= most {
			continue
		}
		most, found = s, b
		if !b.ReusePort || b.Connected() {
			continue
		}
		var mixed bool
		if found, mixed = t.member(list, b, f); !mixed {
			return found
		}
	}
	return found
}

// score says how well b fits f, or -1 if it does not: each thing that the
// socket insists on, and that is so, makes it fit better.
// Linux: compute_score, net/ipv4/udp.c.
func (b *Binding[S]) score(f *Flow) int {
	if b.Six != f.Six && (f.Six || b.V6Only || !b.Local.Wild()) {
		return -1
	}
	s := 0
	if b.Connected() {
		if b.Remote != f.Remote && !b.Remote.Wild() || b.RemotePort != f.RemotePort {
			return -1
		}
		s += 8
	}
	if b.Dev != 0 {
		if b.Dev != f.Dev {
			return -1
		}
		s += 4
	}
	return s
}

// member picks one of the SO_REUSEPORT group of b by the flow, so that a flow
// stays with its socket, and reports whether some of the group are connected:
// those get what is theirs only. Linux: reuseport_select_sock,
// reuseport_has_conns.
func (t *Table[S]) member(list []*Binding[S], b *Binding[S], f *Flow) (found *Binding[S], mixed bool) {
	k := 0
	for _, o := range list {
		if !o.sameGroup(b) {
			continue
		}
		if o.Connected() {
			mixed = true
		} else {
			k++
		}
	}
	if k < 2 {
		return b, mixed
	}
	pick := int(uint64(f.hash(t.secret)) * uint64(k) >> 32)
	for i := len(list) - 1; i >= 0; i-- { // in the order of binding
		if o := list[i]; o.sameGroup(b) && !o.Connected() {
			if pick == 0 {
				return o, mixed
			}
			pick--
		}
	}
	return b, mixed
}

func (b *Binding[S]) sameGroup(o *Binding[S]) bool {
	return b.ReusePort && o.ReusePort && b.Dev == o.Dev && b.UID == o.UID && b.Six == o.Six
}

// hash spreads flows over a group; it is keyed, since strangers choose the
// ports. Linux: udp_ehashfn.
func (f *Flow) hash(secret uint64) uint32 {
	mix := func(a, b uint64) uint64 {
		hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xe7037ed1a0b428db)
		return hi ^ lo
	}
	h := mix(secret^f.Local.lo, f.Remote.lo)
	h = mix(h^f.Local.hi, f.Remote.hi)
	h = mix(h, uint64(f.LocalPort)<<16|uint64(f.RemotePort))
	return uint32(h >> 32)
}

// Each calls visit for every socket of n that a multicast or broadcast datagram
// is for, until visit returns false. Linux: __udp4_lib_mcast_deliver.
func (t *Table[S]) Each(n *netns.Net, f *Flow, visit func(S) bool) {
	c, ok := t.byPort.Get(n, f.LocalPort)
	if !ok {
		return
	}
	for _, b := range c.bound() {
		if !b.Local.Wild() && b.Local != f.Local || b.score(f) < 0 {
			continue
		}
		if !visit(b.Sock) {
			return
		}
	}
}
