package fib

import (
	"net/netip"
	"syscall"

	"nsmodel/core"
	"nsmodel/netns"
)

// A Flow is what routing looks at. Linux: struct flowi4.
type Flow struct {
	Dst, Src netip.Addr // Src may be the zero Addr: not chosen yet
	Iif      int32      // index of the input device; loopback's (1) for local output
	Oif      int32      // index of a device that the route must leave by, or 0
	Mark     uint32
	Hash     uint32 // chooses among several next hops, by its upper 31 bits
	SPort    uint16 // for rules, as are Proto and DPort
	DPort    uint16
	Proto    uint8 // IP protocol
	TOS      uint8
	UID      uint32 // whose socket sends, for rules; 0 of what is forwarded
	Scope    Scope  // only routes at least as near: Link to reach gateways, else Global

	// IgnoreLinkState lets next hops without carrier through.
	// Linux: FIB_LOOKUP_IGNORE_LINKSTATE.
	IgnoreLinkState bool

	// Past tells next hops that no route is taken for while another will do, or one
	// of a shorter prefix; nil: there are none. IPv6's alone.
	// Linux: RT6_LOOKUP_F_REACHABLE.
	Past func(*NextHop) bool
}

// typeErrno is the end of a lookup that meets such a route; 0: none.
// Linux: fib_props.
var typeErrno = [...]syscall.Errno{
	Unspec: 0, Unicast: 0, Local: 0, Broadcast: 0, Anycast: 0, Multicast: 0,
	Blackhole: syscall.EINVAL, Unreachable: syscall.EHOSTUNREACH, Prohibit: syscall.EACCES,
	Throw: syscall.EAGAIN, NAT: syscall.EINVAL,
}

// Lookup finds the way of a flow. It takes no lock and allocates nothing.
// Errors are bare errnos: ENETUNREACH no route or a rule that says so,
// EHOSTUNREACH, EACCES and EINVAL from routes of type unreachable, prohibit and
// blackhole, EACCES and EINVAL from such rules; EAFNOSUPPORT if fl.Dst is not of
// the FIB's family. Linux: fib_lookup with fib_select_path.
func (f *FIB) Lookup(n *netns.Net, fl *Flow) (res Result, err error) {
	k, ok := keyOf(f.conf.Family, fl.Dst)
	if !ok {
		return res, syscall.EAFNOSUPPORT
	}
	t := f.homes.Of(n).tables.Load()
	if t == nil {
		return res, syscall.ENETUNREACH
	}
	var errno syscall.Errno
	if t.split {
		if f.conf.Family == IPv6 && f.rules.Of(n).set.Load() == nil { // Linux: fib6_has_custom_rules
			if errno = f.find(t.local, TableLocal, k, fl, &res); errno == syscall.EAGAIN {
				errno = f.find(t.main, TableMain, k, fl, &res)
			}
		} else {
			errno = f.lookupRules(n, t, k, fl, &res)
		}
	} else {
		errno = f.find(t.main, TableMain, k, fl, &res)
		if errno == syscall.EAGAIN {
			errno = f.find(t.dflt, TableDefault, k, fl, &res)
		}
	}
	switch errno {
	case 0:
		return res, nil
	case syscall.EAGAIN:
		errno = syscall.ENETUNREACH
	}
	return Result{}, errno
}

// find looks the flow up in the trie of table id and fills res in. EAGAIN means
// nothing, or throw. Linux: fib_table_lookup.
func (f *FIB) find(tr *trie, id uint32, k key, fl *Flow, res *Result) syscall.Errno {
	if tr == nil {
		return syscall.EAGAIN
	}
	if fl.Past != nil {
		return f.findPast(tr, id, k, fl, res)
	}
	for a, plen := tr.lookup(k); a != nil; a, plen = tr.below(k, plen-1) {
		for c := a; c != nil; c = c.next {
			if c.tos != 0 && c.family == IPv6 { // the length of its sources
				return f.findFrom(tr, id, k, fl, res)
			}
			if c.tos != 0 && c.tos != fl.TOS&^3 || c.scope < fl.Scope {
				continue
			}
			if e := typeErrno[c.typ]; e != 0 {
				return e
			}
			if hop := f.choose(c.info, fl); hop != nil {
				res.Hop, res.Type, res.Scope, res.Table = hop, c.typ, c.scope, id
				res.plen, res.dst, res.alias = plen, k, c
				return 0
			}
		}
		if plen == 0 {
			break
		}
	}
	return syscall.EAGAIN
}

// choose returns the next hop for a flow, nil if none will do.
// Linux: fib_lookup_good_nhc, fib_select_multipath.
func (f *FIB) choose(i *info, fl *Flow) *NextHop {
	if i.multi == nil {
		if h := &i.hop; f.good(h, fl) {
			return h
		}
		return nil
	}
	if fl.Oif == 0 {
		h := int32(fl.Hash >> 1)
		for j, bound := range i.multi.bounds {
			if h <= bound {
				return &i.multi.hops[j]
			}
		}
	}
	for j := range i.multi.hops {
		if h := &i.multi.hops[j]; f.good(h, fl) {
			return h
		}
	}
	return nil
}

// good reports whether a flow may take the hop.
func (f *FIB) good(h *NextHop, fl *Flow) bool {
	if fl.Oif != 0 && fl.Oif != h.IfIndex {
		return false
	}
	return h.Flags&(HopDead|HopLinkDown) == 0 || // nearly always
		h.Flags&HopDead == 0 && (fl.IgnoreLinkState || !f.ignores(h.Dev))
}

// AddrType tells what an address is to n by the table local: Local, Broadcast,
// Multicast, or Unicast if it is none of ours. Before a Net's first local route,
// which is when its loopback comes up, all is Broadcast. Linux: inet_addr_type.
func (f *FIB) AddrType(n *netns.Net, a netip.Addr) Type {
	return f.addrType(n, TableLocal, a)
}

// AddrTypeDev is AddrType by the table that dev's addresses are in. Without VRFs
// that is local for every device: an address of another device counts as well.
// Linux: inet_addr_type_dev_table.
func (f *FIB) AddrTypeDev(n *netns.Net, _ *core.Device, a netip.Addr) Type {
	return f.addrType(n, TableLocal, a)
}

// LocalDevice returns the device to which table local delivers an address, or
// nil if the best route there is of another type; until there are rules, that
// may be one of main. Linux: the second half of __ip_dev_find.
func (f *FIB) LocalDevice(n *netns.Net, a netip.Addr) *core.Device {
	k, ok := keyOf(f.conf.Family, a)
	t := f.homes.Of(n).tables.Load()
	if !ok || t == nil || !t.known {
		return nil
	}
	var fl Flow
	var res Result
	if f.find(t.get(TableLocal), TableLocal, k, &fl, &res) != 0 || res.Type != Local || res.Hop == nil {
		return nil
	}
	return res.Hop.Dev
}

// limited is the limited broadcast address.
var limited = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// addrType is AddrType by any table. Linux: __inet_dev_addr_type.
func (f *FIB) addrType(n *netns.Net, table uint32, a netip.Addr) Type {
	if f.conf.Family == IPv6 {
		return f.addrType6(n, table, a)
	}
	if a.Is4() && a.IsUnspecified() || a == limited {
		return Broadcast
	}
	if a.IsMulticast() {
		return Multicast
	}
	k, ok := keyOf(f.conf.Family, a)
	t := f.homes.Of(n).tables.Load()
	if !ok || t == nil || t.get(table) == nil || table == TableLocal && !t.known {
		return Broadcast
	}
	var fl Flow
	var res Result
	if f.find(t.get(table), table, k, &fl, &res) == 0 {
		return res.Type
	}
	return Unicast
}

// addrType6 is addrType for IPv6, which has no broadcast: what no table knows is
// Unicast.
func (f *FIB) addrType6(n *netns.Net, table uint32, a netip.Addr) Type {
	if a.IsMulticast() {
		return Multicast
	}
	k, ok := keyOf(f.conf.Family, a)
	t := f.homes.Of(n).tables.Load()
	var fl Flow
	var res Result
	if ok && t != nil && f.find(t.get(table), table, k, &fl, &res) == 0 {
		return res.Type
	}
	return Unicast
}
