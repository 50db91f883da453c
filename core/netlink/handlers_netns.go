package netlink

import (
	"slices"
	"syscall"

	"nsmodel/core"
	"nsmodel/netns"
)

// nsids are the numbers by which one Net knows others; under rtnl. A Net that
// knows nobody has none. Linux: net->netns_ids.
type nsids struct {
	of map[*netns.Net]int      // the others' numbers
	in map[*netns.Net]struct{} // who has a number for this one
}

// number returns the number by which n knows other, given now if it has none:
// the lowest that is free. Linux: peernet2id_alloc.
func (h *rtcore) number(n, other *netns.Net) int {
	ids := h.ids.Of(n)
	if id, ok := ids.of[other]; ok {
		return id
	}
	if !other.Alive() || !n.Alive() {
		return NSIDNone
	}
	used := make([]int, 0, len(ids.of))
	for _, id := range ids.of {
		used = append(used, id)
	}
	slices.Sort(used)
	free := 0
	for _, id := range used {
		if id == free {
			free++
		}
	}
	h.assign(n, other, free)
	return free
}

// numberPeer gives a number to the Net of the device that d stands on or that
// is its peer. Linux does so when it tells of d, whether anybody listens or not.
func (h *rtcore) numberPeer(d *core.Device) {
	if lower := d.LowerDevice(); lower != nil && lower.Net() != d.Net() {
		h.number(d.Net(), lower.Net())
	}
}

func (h *rtcore) assign(n, other *netns.Net, id int) {
	ids, theirs := h.ids.Own(n), h.ids.Own(other)
	if ids.of == nil {
		ids.of = make(map[*netns.Net]int)
	}
	if theirs.in == nil {
		theirs.in = make(map[*netns.Net]struct{})
	}
	ids.of[other] = id
	theirs.in[n] = struct{}{}
	h.r.Publish(n, GroupNSID, New, nsidMessage(other, id))
}

// forgetNet frees the numbers of a Net that is gone. Linux: unhash_nsid.
func (h *rtcore) forgetNet(n *netns.Net) {
	ids := h.ids.Of(n)
	for other := range ids.of {
		delete(h.ids.Of(other).in, n)
	}
	//tagvet:allow maporder each is told in its own Net
	for other := range ids.in {
		theirs := h.ids.Of(other)
		if id, ok := theirs.of[n]; ok {
			delete(theirs.of, n)
			h.r.Publish(other, GroupNSID, Del, &NSID{ID: id})
		}
	}
}

func nsidMessage(n *netns.Net, id int) *NSID {
	m := &NSID{ID: id}
	if n.Named() {
		m.Name = n.Name()
	}
	return m
}

// newNSID is RTM_NEWNSID: `ip netns set`. Linux: rtnl_net_newid.
func (h *rtcore) newNSID(n *netns.Net, req *Request) ([]Message, error) {
	m := req.Msg.(*NSID)
	other, err := h.netOf(m.Name)
	if err != nil {
		return nil, Extack(syscall.EINVAL, "Peer netns reference is invalid")
	}
	defer other.Put()
	ids := h.ids.Of(n)
	if _, ok := ids.of[other]; ok {
		return nil, Extack(syscall.EEXIST, "Peer netns already has a nsid assigned")
	}
	if m.ID < 0 {
		h.number(n, other)
		return nil, nil
	}
	for _, id := range ids.of {
		if id == m.ID {
			return nil, Extack(syscall.EEXIST, "The specified nsid is already used")
		}
	}
	h.assign(n, other, m.ID)
	return nil, nil
}

// getNSID is RTM_GETNSID: the number of one Net, NSIDNone if it has none, or a
// dump in the order of the numbers. Linux: rtnl_net_getid, rtnl_net_dumpid.
func (h *rtcore) getNSID(n *netns.Net, req *Request) (all []Message, err error) {
	m := req.Msg.(*NSID)
	ids := h.ids.Of(n)
	if req.Flags&Dump == 0 {
		other, err := h.netOf(m.Name)
		if err != nil {
			return nil, Extack(syscall.EINVAL, "Peer netns reference is invalid")
		}
		defer other.Put()
		id, ok := ids.of[other]
		if !ok {
			id = NSIDNone
		}
		return []Message{nsidMessage(other, id)}, nil
	}
	known := make([]*netns.Net, 0, len(ids.of))
	for other := range ids.of {
		known = append(known, other)
	}
	slices.SortFunc(known, func(a, b *netns.Net) int { return ids.of[a] - ids.of[b] })
	for _, other := range known {
		all = append(all, nsidMessage(other, ids.of[other]))
	}
	return all, nil
}
