// Package raw is raw sockets (SOCK_RAW with a protocol number) and ICMP datagram
// sockets ("ping sockets": SOCK_DGRAM with IPPROTO_ICMP) over IPv4 and IPv6. Both
// are a [net.PacketConn].
//
// A raw socket gets a copy of every datagram of its protocol that its Net
// delivers, before the transport has it; a ping socket gets the echo replies that
// carry its identifier. Sockets of all Nets stand in one table or in one each;
// the Net is compared where a packet looks for them. Linux: raw_v4_hashinfo,
// raw_v6_hashinfo and ping_table, with net_eq.
//
// There are no users and capabilities here: whoever holds a Net may open raw
// sockets in it (Linux: CAP_NET_RAW), and is in group 0 where
// net.ipv4.ping_group_range asks for one. Group membership of raw sockets is not
// modelled: they get what any socket of the Net has joined for.
package raw

import (
	"errors"
	"sync"
	"syscall"

	"nsmodel/core"
	"nsmodel/ipv4"
	"nsmodel/ipv6"
	"nsmodel/netns"
)

// A Config says where the state of raw and ping sockets stands. The zero value is
// Linux's defaults.
type Config struct {
	Sockets netns.Placement // the socket tables; default Tagged
}

// A Raw is the raw and ping sockets of one machine. Linux: struct raw_hashinfo,
// struct ping_table.
type Raw struct {
	ip    *ipv4.Inet
	six   *ipv6.Inet
	stack *core.Stack

	// The lists are immutable: a change publishes another.
	sockets *netns.Table[protoKey, []*Conn]
	pings   *netns.Table[uint16, []*Conn] // by identifier, of both families
	rover   *netns.Cell[rover]            // where each Net looks for a free identifier

	mu sync.Mutex // orders changes to both tables
}

// A protoKey is for whom a datagram is.
type protoKey struct {
	six   bool
	proto uint8
}

// New builds raw and ping sockets on both families, before the machine boots.
func New(ip *ipv4.Inet, six *ipv6.Inet, sockets *ipv4.Sockets, sockets6 *ipv6.Sockets, c Config) (*Raw, error) {
	if c.Sockets == netns.Default {
		c.Sockets = netns.Tagged
	}
	sys := ip.Core.Sys
	r := &Raw{ip: ip, six: six, stack: ip.Core}
	r.sockets = netns.NewTable[protoKey, []*Conn](sys, "raw", c.Sockets, netns.Keyed[protoKey]())
	r.pings = netns.NewTable[uint16, []*Conn](sys, "ping", c.Sockets, netns.Keyed[uint16]())
	r.rover = netns.NewCell(sys, "ping-rover", netns.Replicated, func(*netns.Net) *rover { return new(rover) })
	// Once more after the grace period, for a bind that was under way.
	netns.Attend(sys, "raw-exit", nil, r.preExit, r.preExit)
	sockets.Handle(ipv4.SockDgram, ipv4.ProtoICMP, func(n *netns.Net) (any, error) { return r.newConn(n, true), nil })
	sockets.Handle(ipv4.SockRaw, 0, func(n *netns.Net) (any, error) { return r.newConn(n, false), nil })
	sockets6.Handle(ipv6.SockDgram, ipv6.ProtoICMPv6, func(n *netns.Net) (any, error) { return r.newConn(n, true), nil })
	sockets6.Handle(ipv6.SockRaw, 0, func(n *netns.Net) (any, error) { return r.newConn(n, false), nil })
	return r, errors.Join(
		ip.HandleRaw(ipv4.RawSockets{Deliver: r.receive, Error: r.icmpError}),
		six.HandleRaw(ipv6.RawSockets{Deliver: r.receive6, Error: r.icmpError6}),
		ip.HandlePing(ipv4.PingSockets{Reply: r.echoReply, Error: r.echoError}),
		six.HandlePing(ipv6.PingSockets{Reply: r.echoReply6, Error: r.echoError6}))
}

// count notes that there is one socket more, or one less, of c's protocol.
func (r *Raw) count(c *Conn, k int32) {
	if c.six {
		r.six.CountRaw(c.proto, k)
	} else {
		r.ip.CountRaw(c.proto, k)
	}
}

// file lets c's Net find it; ENETDOWN if the Net is ending.
// Linux: raw_hash_sk.
func (r *Raw) file(c *Conn) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := protoKey{c.six, c.proto}
	old, _ := r.sockets.Get(c.n, k)
	if err := r.sockets.Set(c.n, k, append(old[:len(old):len(old)], c)); err != nil {
		if err == syscall.ESRCH {
			err = syscall.ENETDOWN
		}
		return err
	}
	r.count(c, 1)
	return nil
}

// unfile is file's inverse. Linux: raw_unhash_sk.
func (r *Raw) unfile(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if without(r.sockets, c, protoKey{c.six, c.proto}) {
		r.count(c, -1)
	}
}

// without takes c from the list that its Net has under k; false if it is not
// there.
func without[K comparable](t *netns.Table[K, []*Conn], c *Conn, k K) bool {
	old, _ := t.Get(c.n, k)
	var next []*Conn
	for _, o := range old {
		if o != c {
			next = append(next, o)
		}
	}
	switch {
	case len(next) == len(old):
		return false
	case len(next) == 0:
		t.Delete(c.n, k)
	default:
		_ = t.Set(c.n, k, next) // it takes the place of what is there
	}
	return true
}

// Listening reports whether n has a raw socket for a protocol.
func (r *Raw) Listening(n *netns.Net, six bool, proto uint8) bool {
	list, _ := r.sockets.Get(n, protoKey{six, proto})
	return len(list) > 0
}

// preExit closes a dying Net's sockets: whoever waits on one wakes.
func (r *Raw) preExit(n *netns.Net) {
	for _, c := range r.Sockets(n) {
		c.shut(true)
	}
}

// Sockets returns n's sockets: the raw ones by protocol in the order in which the
// protocols were first used, then the ping sockets by identifier, likewise.
func (r *Raw) Sockets(n *netns.Net) []*Conn {
	var all []*Conn
	if r.sockets.Len(n) > 0 {
		for _, list := range r.sockets.All(n) {
			all = append(all, list...)
		}
	}
	if r.pings.Len(n) > 0 {
		for _, list := range r.pings.All(n) {
			all = append(all, list...)
		}
	}
	return all
}
