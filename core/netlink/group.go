package netlink

import (
	"io"
	"sync"
	"syscall"

	"nsmodel/netns"
)

// Groups is a set of multicast groups. Linux: RTMGRP_*.
type Groups uint32

// The groups that the model publishes to.
const (
	GroupLink       Groups = 1 << iota // RTNLGRP_LINK
	GroupNeigh                         // RTNLGRP_NEIGH
	GroupIPv4IfAddr                    // RTNLGRP_IPV4_IFADDR
	GroupIPv4Route                     // RTNLGRP_IPV4_ROUTE
	GroupIPv4Rule                      // RTNLGRP_IPV4_RULE
	GroupIPv6IfAddr                    // RTNLGRP_IPV6_IFADDR
	GroupIPv6Route                     // RTNLGRP_IPV6_ROUTE
	GroupIPv6Rule                      // RTNLGRP_IPV6_RULE
	GroupNSID                          // RTNLGRP_NSID

	GroupAll Groups = 1<<iota - 1
)

// A Notification says that something in a Net has come, changed or gone.
type Notification struct {
	Op    Op // New or Del
	Group Groups
	Msg   Message
}

// A Subscription is a bounded queue of one Net's notifications: a netlink
// socket that has joined groups. Its methods may be called from any goroutine.
type Subscription struct {
	groups Groups
	limit  int
	notify func()
	home   *listeners
	net    *netns.Net

	mu        sync.Mutex
	queue     []Notification
	overrun   bool // to be told (Linux: sk_err)
	congested bool // nothing more until the queue is empty (NETLINK_S_CONGESTED)
	closed    bool
}

// listeners has every Net's subscriptions; under the tagged placement one
// holds those of all Nets, which is why they stand under their Net's pointer.
type listeners struct {
	mu sync.Mutex
	by map[*netns.Net][]*Subscription
}

// Subscribe joins groups of n, to keep up to limit (at least 1) notifications
// that have not been received. notify, if not nil, is called without locks
// when something has come for Receive, or the end; it may run in any goroutine
// and must not block. The caller holds rtnl. ENXIO: n is dead.
func (r *Rtnetlink) Subscribe(n *netns.Net, groups Groups, limit int, notify func()) (*Subscription, error) {
	if !n.Alive() {
		return nil, syscall.ENXIO
	}
	l := r.slot.Own(n)
	s := &Subscription{groups: groups, limit: max(limit, 1), notify: notify, home: l, net: n}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.by[n] = append(l.by[n], s)
	return s, nil
}

// Publish tells n's subscribers of group that msg is there (New) or gone
// (Del). msg is immutable from here on. Linux: rtnl_notify.
func (r *Rtnetlink) Publish(n *netns.Net, group Groups, op Op, msg Message) {
	l := r.slot.Of(n)
	l.mu.Lock()
	subs := l.by[n]
	l.mu.Unlock()
	for _, s := range subs {
		if s.groups&group != 0 {
			s.put(Notification{op, group, msg})
		}
	}
}

// Listening reports whether anybody in n has joined one of groups, so that a
// message nobody wants need not be made. Linux: rtnl_has_listeners.
func (r *Rtnetlink) Listening(n *netns.Net, groups Groups) bool {
	l := r.slot.Of(n)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.by[n] {
		if s.groups&groups != 0 {
			return true
		}
	}
	return false
}

func (s *Subscription) put(note Notification) {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return
	case s.congested || len(s.queue) >= s.limit:
		if !s.congested {
			s.overrun, s.congested = true, true
		}
	default:
		s.queue = append(s.queue, note)
	}
	s.mu.Unlock()
	if s.notify != nil {
		s.notify()
	}
}

// Receive takes the oldest notification. EAGAIN: there is none now. ENOBUFS,
// once, ahead of those still queued: there was no room for one or more, and
// there will be none until the queue is empty. io.EOF: the subscription is
// closed, or its Net is gone, and nothing is left.
func (s *Subscription) Receive() (Notification, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.overrun:
		s.overrun = false
		return Notification{}, syscall.ENOBUFS
	case len(s.queue) > 0:
		note := s.queue[0]
		s.queue[0] = Notification{}
		s.queue = s.queue[1:]
		if len(s.queue) == 0 {
			s.congested = false
		}
		return note, nil
	case s.closed:
		return Notification{}, io.EOF
	}
	return Notification{}, syscall.EAGAIN
}

// Close leaves the groups. Receive goes on with what is queued.
func (s *Subscription) Close() {
	l := s.home
	l.mu.Lock()
	// A fresh slice: a Publish may be walking the old one.
	var rest []*Subscription
	for _, t := range l.by[s.net] {
		if t != s {
			rest = append(rest, t)
		}
	}
	if l.by[s.net] = rest; rest == nil {
		delete(l.by, s.net)
	}
	l.mu.Unlock()
	s.end()
}

func (s *Subscription) end() {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if !was && s.notify != nil {
		s.notify()
	}
}

// close ends n's subscriptions: a socket does not outlive its Net.
func (l *listeners) close(n *netns.Net) {
	l.mu.Lock()
	subs := l.by[n]
	delete(l.by, n)
	l.mu.Unlock()
	for _, s := range subs {
		s.end()
	}
}
