package netlink

import (
	"fmt"

	"golang.org/x/sys/unix"

	"nsmodel/core"
	"nsmodel/netns"
)

// rtcore answers messages about what package core keeps: devices, neighbours
// and the numbers of namespaces. Linux: net/core/rtnetlink.c, neighbour.c and
// net_namespace.c.
type rtcore struct {
	r    *Rtnetlink
	core *core.Stack
	ids  *netns.Cell[nsids]
	side core.DevSlot[linkExtra]
}

// HandleCore registers the messages about links, neighbours and namespaces'
// numbers, and the notifications about links, while the machine is wired. It is
// called after those who keep something at a device. ENOENT for an entry point
// without a row in the table of gates.
func HandleCore(r *Rtnetlink, s *core.Stack) error {
	h := &rtcore{r: r, core: s, side: core.NewDevSlot[linkExtra](4)}
	h.ids = netns.NewCell(s.Sys, "nsid", netns.Replicated, func(*netns.Net) *nsids { return new(nsids) })
	netns.Attend(s.Sys, "nsid-exit", nil, nil, h.forgetNet)
	type do = func(*netns.Net, *Request) ([]Message, error)
	for _, e := range []struct {
		op     Op
		kind   Kind
		family uint8
		row    string
		do     do
	}{
		{New, KindLink, unix.AF_UNSPEC, "link", h.newLink},
		{Del, KindLink, unix.AF_UNSPEC, "link", h.delLink},
		{Get, KindLink, unix.AF_UNSPEC, "link", h.getLink},
		{New, KindNeigh, unix.AF_INET, "neigh", h.newNeigh},
		{Del, KindNeigh, unix.AF_INET, "neigh", h.delNeigh},
		{Get, KindNeigh, unix.AF_INET, "neigh", h.getNeigh4},
		{New, KindNeigh, unix.AF_INET6, "neigh6", h.newNeigh},
		{Del, KindNeigh, unix.AF_INET6, "neigh6", h.delNeigh},
		{Get, KindNeigh, unix.AF_INET6, "neigh6", h.getNeigh6},
		{New, KindMulticast, unix.AF_PACKET, "maddr", h.setMulticast},
		{Del, KindMulticast, unix.AF_PACKET, "maddr", h.setMulticast},
		{Get, KindMulticast, unix.AF_PACKET, "maddr", h.getMulticast},
		{New, KindNSID, unix.AF_UNSPEC, "netns", h.newNSID},
		{Get, KindNSID, unix.AF_UNSPEC, "netns", h.getNSID},
	} {
		g, err := s.Gate(core.LayerNetlink, e.row)
		if err != nil {
			return fmt.Errorf("netlink: %w", err)
		}
		r.Handle(Handler{Op: e.op, Kind: e.kind, Family: e.family, Row: e.row, Gate: g, Do: e.do})
	}
	return s.HandleEvents("netlink", h.event)
}

// event tells those who listen of what happens to devices, under rtnl. A device
// that moves is deleted in the one Net and new in the other.
// Linux: rtnetlink_event, rtmsg_ifinfo.
func (h *rtcore) event(e core.Event, d *core.Device) {
	switch e {
	case core.EventUp:
		h.mark(d, func(x linkExtra) linkExtra { x.wasUp = true; return x })
		h.numberPeer(d)
	case core.EventCarrier:
		h.mark(d, func(x linkExtra) linkExtra { x.carrier = true; return x })
		h.numberPeer(d)
	case core.EventUnregister:
		h.mark(d, func(x linkExtra) linkExtra { x.wasUp = false; return x })
		h.tellLink(Del, d)
		return
	case core.EventGoingDown:
		return
	case core.EventDown:
		h.numberPeer(d)
	}
	h.tellLink(New, d)
}

func (h *rtcore) tellLink(op Op, d *core.Device) {
	if n := d.Net(); h.r.Listening(n, GroupLink) {
		h.r.Publish(n, GroupLink, op, h.linkMessage(d))
	}
}

// linkExtra is what rtnetlink keeps beside a device. It is immutable; most devices share one of the first four.
type linkExtra struct {
	wasUp   bool // has been up since it is in its Net: it has a queueing discipline
	carrier bool // has told of its carrier. Linux: linkwatch has run
	group   uint32
	alias   string
}

// The usual ones, constant, by 2*carrier + wasUp.
//
//tagvet:allow pkgstate published, never patched: mark replaces what a device points at
var usualExtra = [4]linkExtra{{}, {wasUp: true}, {carrier: true}, {wasUp: true, carrier: true}}

func (h *rtcore) extra(d *core.Device) linkExtra {
	if x := h.side.Of(d); x != nil {
		return *x
	}
	return linkExtra{}
}

// mark publishes what is kept beside d with a change.
func (h *rtcore) mark(d *core.Device, change func(linkExtra) linkExtra) {
	old := h.extra(d)
	x := change(old)
	if x == old {
		return
	}
	for i := range usualExtra {
		if x == usualExtra[i] {
			h.side.Set(d, &usualExtra[i])
			return
		}
	}
	own := x
	h.side.Set(d, &own)
}
