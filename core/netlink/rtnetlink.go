package netlink

import (
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/netns"
)

// A Handler answers one operation on one kind of message of one family.
type Handler struct {
	Op     Op
	Kind   Kind
	Family uint8       // unix.AF_*; AF_UNSPEC answers for every family without a handler of its own
	Row    string      // the handler's row in the table of gates
	Gate   *netns.Gate // that row's gate
	// Do answers req, which is of Op and Kind. Its errors are errnos, wrapped
	// ones, or an *Error. Called under rtnl.
	Do func(n *netns.Net, req *Request) ([]Message, error)
}

// A Rtnetlink is one machine's handlers and, per Net, its listeners.
// Linux: net/core/rtnetlink.c, and net->rtnl.
type Rtnetlink struct {
	handlers map[handlerKey]*Handler // filled while the machine is wired, then fixed
	slot     netns.Slot[listeners]
	linkAF   LinkAF // IPv6's, or nil
}

type handlerKey struct {
	op     Op
	kind   Kind
	family uint8
}

// NewRtnetlink registers rtnetlink with s, before its Boot. Register it ahead
// of those who publish: it is then the last to leave a dying Net, and its
// listeners hear of all that goes before.
func NewRtnetlink(s *netns.System, place netns.Placement) *Rtnetlink {
	if place == netns.Default {
		place = netns.Replicated
	}
	r := &Rtnetlink{handlers: make(map[handlerKey]*Handler)}
	r.slot = netns.Register(s, netns.Ops[listeners]{
		Name:  "netlink",
		Place: place,
		Make:  func() *listeners { return &listeners{by: make(map[*netns.Net][]*Subscription)} },
		Exit:  func(n *netns.Net, l *listeners) { l.close(n) },
	})
	return r
}

// Handle registers h while the machine is wired. Linux: rtnl_register. A
// handler without a row and its gate, or one whose place is taken, is a
// mistake in the program: Handle panics.
func (r *Rtnetlink) Handle(h Handler) {
	key := handlerKey{h.Op, h.Kind, h.Family}
	switch {
	case h.Op >= opEnd || h.Kind == 0 || h.Kind >= kindEnd || h.Do == nil:
		panic(fmt.Sprintf("netlink: handler RTM_%v%v family %d is incomplete", h.Op, h.Kind, h.Family))
	case h.Row == "" || h.Gate == nil:
		panic(fmt.Sprintf("netlink: handler RTM_%v%v family %d has no gate row", h.Op, h.Kind, h.Family))
	case r.handlers[key] != nil:
		panic(fmt.Sprintf("netlink: handler RTM_%v%v family %d registered twice", h.Op, h.Kind, h.Family))
	}
	r.handlers[key] = &h
}

// Handlers returns those registered, ordered by kind, operation and family:
// for the reports and tests that walk the gates.
func (r *Rtnetlink) Handlers() []Handler {
	var all []Handler
	for k := Kind(1); k < kindEnd; k++ {
		for op := New; op < opEnd; op++ {
			for _, f := range r.families(op, k) {
				all = append(all, *r.handlers[handlerKey{op, k, f}])
			}
		}
	}
	return all
}

// Do carries out one request in n and returns the answer of a Get. The caller
// holds rtnl. EOPNOTSUPP: nobody handles it, or a gate keeps n out. Linux:
// rtnetlink_rcv_msg.
//
// A dump of all families (AF_UNSPEC) that has no handler of its own asks each
// family in turn, in the order of their numbers, and passes over those whose
// gate keeps n out. Linux: rtnl_dump_all.
func (r *Rtnetlink) Do(n *netns.Net, req *Request) ([]Message, error) {
	if req.Msg == nil || req.Op >= opEnd {
		return nil, syscall.EOPNOTSUPP
	}
	kind, family := req.Msg.Kind(), req.Msg.AF()
	h := r.handlers[handlerKey{req.Op, kind, family}]
	if h == nil {
		h = r.handlers[handlerKey{req.Op, kind, unix.AF_UNSPEC}]
	}
	if h == nil && family == unix.AF_UNSPEC && req.Op == Get && req.Flags&Dump != 0 {
		return r.dumpAll(n, req)
	}
	if h == nil || !h.Gate.Admit(n) {
		return nil, fmt.Errorf("netlink: %v: %w", req, syscall.EOPNOTSUPP)
	}
	return h.Do(n, req)
}

func (r *Rtnetlink) dumpAll(n *netns.Net, req *Request) ([]Message, error) {
	kind := req.Msg.Kind()
	var all []Message
	found := false
	for _, f := range r.families(Get, kind) {
		h := r.handlers[handlerKey{Get, kind, f}]
		if f == unix.AF_BRIDGE || !h.Gate.Admit(n) {
			continue
		}
		found = true
		msgs, err := h.Do(n, req)
		if err != nil {
			return nil, err
		}
		all = append(all, msgs...)
	}
	if !found {
		return nil, fmt.Errorf("netlink: %v: %w", req, syscall.EOPNOTSUPP)
	}
	return all, nil
}

func (r *Rtnetlink) families(op Op, kind Kind) []uint8 {
	var fs []uint8
	for k := range r.handlers {
		if k.op == op && k.kind == kind {
			fs = append(fs, k.family)
		}
	}
	slices.Sort(fs)
	return fs
}
