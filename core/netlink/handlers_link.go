package netlink

import (
	"errors"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// find returns the device that a message chooses: by Index, else by Name.
func (h *rtcore) find(n *netns.Net, m *Link) *core.Device {
	if m.Index > 0 {
		return h.core.DeviceByIndex(n, m.Index)
	}
	return h.core.Device(n, m.Name)
}

// newLink is RTM_NEWLINK: with Create and no such device a new one, else a
// change. Linux: rtnl_newlink.
func (h *rtcore) newLink(n *netns.Net, req *Request) ([]Message, error) {
	m := req.Msg.(*Link)
	if len(m.Name) > core.NameSize {
		return nil, Extack(syscall.ERANGE, "Attribute failed policy validation")
	}
	in, err := h.birthplace(n, req, m)
	if err != nil {
		return nil, err
	}
	if k := h.core.Kind(m.Info); k != nil && k.Check != nil {
		if err := k.Check(kindAttrs(m)); err != nil {
			in.Put()
			return nil, why(m, err)
		}
	}
	d := h.find(in, m)
	in.Put()
	if m.Info == "veth" && m.Has&LinkMTU != 0 && checkMTU(m.MTU, core.MinMTU, core.MaxMTU) != nil {
		return nil, syscall.EINVAL // the kind is asked first (veth_validate)
	}
	if d != nil || req.Flags&Create != 0 {
		if err := h.checkFamily(d, m); err != nil {
			return nil, err
		}
	}
	switch {
	case d == nil && req.Flags&Create == 0:
		return nil, syscall.ENODEV
	case d == nil:
		return nil, h.createLink(n, m)
	case req.Flags&Excl != 0:
		return nil, syscall.EEXIST
	case req.Flags&Replace != 0:
		return nil, syscall.EOPNOTSUPP
	}
	if attrs := kindAttrs(m); attrs != nil {
		k := d.Kind()
		if k == nil || k.Change == nil || m.Info != "" && m.Info != k.Name {
			return nil, syscall.EOPNOTSUPP
		}
		if err := k.Change(d, attrs); err != nil {
			return nil, err
		}
	}
	if m.BridgePort != nil {
		if err := ChangePort(d, m.BridgePort); err != nil {
			return nil, err
		}
	}
	return nil, h.setLink(n, d, m)
}

// birthplace returns, held, the Net in which a message looks for its device: who
// makes a new one looks where it will be, so that its name in the caller's Net
// is of no account. Linux: device_net in rtnl_newlink, since 6.15.
func (h *rtcore) birthplace(n *netns.Net, req *Request, m *Link) (*netns.Net, error) {
	if m.Has&LinkNewNet != 0 && req.Flags&Create != 0 && req.Flags&Excl != 0 {
		return h.netOf(m.NewNet)
	}
	if !n.Hold() {
		return nil, syscall.ENODEV
	}
	return n, nil
}

// netOf returns the Net that a message names, held; the caller Puts it.
func (h *rtcore) netOf(name string) (*netns.Net, error) {
	if name == "" {
		n := h.core.Sys.Init()
		n.Hold()
		return n, nil
	}
	n, err := h.core.Sys.ByName(name)
	if err != nil {
		return nil, syscall.EINVAL
	}
	return n, nil
}

// createLink makes a device. Linux: rtnl_newlink_create.
func (h *rtcore) createLink(n *netns.Net, m *Link) error {
	k := h.core.Kind(m.Info)
	if k == nil {
		return Extack(syscall.EOPNOTSUPP, "Unknown device type")
	}
	spec, err := h.linkSpec(m, false)
	if err != nil {
		return err
	}
	if m.Has&LinkLink != 0 && m.Link != 0 {
		if spec.Lower = h.core.DeviceByIndex(n, m.Link); spec.Lower == nil {
			return syscall.ENODEV
		}
	}
	in := n
	if m.Has&LinkNewNet != 0 {
		if in, err = h.netOf(m.NewNet); err != nil {
			return err
		}
		defer in.Put()
	}
	if m.Peer != nil {
		peer, err := h.linkSpec(m.Peer, true)
		if err != nil {
			return err
		}
		spec.Peer, spec.PeerNet = &peer, n // Linux: rtnl_newlink_peer_net
		if m.Peer.Has&LinkNewNet != 0 {
			if spec.PeerNet, err = h.netOf(m.Peer.NewNet); err != nil {
				return err
			}
			defer spec.PeerNet.Put()
		}
	}
	d, err := k.New(in, spec)
	if err != nil {
		return why(m, err)
	}
	if err := h.finishLink(in, d, m); err != nil {
		_ = h.core.Unregister(d)
		return err
	}
	h.numberPeer(d)
	if m.Peer != nil {
		if peer := d.LowerDevice(); peer != nil {
			return h.finishLink(peer.Net(), peer, m.Peer)
		}
	}
	return nil
}

// finishLink applies what can be said at birth but is not part of being made.
// Linux: rtnl_configure_link.
func (h *rtcore) finishLink(n *netns.Net, d *core.Device, m *Link) error {
	if m.Has&LinkGroup != 0 {
		h.mark(d, func(x linkExtra) linkExtra { x.group = m.Group; return x })
	}
	if m.Has&LinkAlias != 0 {
		h.mark(d, func(x linkExtra) linkExtra { x.alias = m.Alias; return x })
	}
	if m.Change != 0 {
		if err := h.setFlags(d, m); err != nil {
			return err
		}
	}
	if m.Has&LinkMaster != 0 && m.Master != 0 {
		return h.setMaster(n, d, m.Master)
	}
	return nil
}

// linkSpec turns what was said of a new device into core's words. Of a veth and
// of a peer Linux checks the MTU too, but has no sentence for it (veth_validate).
func (h *rtcore) linkSpec(m *Link, peer bool) (core.LinkSpec, error) {
	spec := core.LinkSpec{Name: m.Name, Index: m.Index}
	if m.Has&LinkMTU != 0 {
		if err := checkMTU(m.MTU, core.MinMTU, core.MaxMTU); err != nil {
			if peer || m.Info == "veth" {
				err = syscall.EINVAL
			}
			return spec, err
		}
		spec.MTU = m.MTU
	}
	if m.Has&LinkAddr != 0 {
		spec.Addr = wire.MAC(m.Addr)
		if !spec.Addr.IsValid() {
			return spec, syscall.EADDRNOTAVAIL
		}
	}
	if m.Has&LinkTxQLen != 0 {
		spec.TxQLen = m.TxQLen
	}
	spec.Attrs = kindAttrs(m)
	return spec, nil
}

func checkMTU(mtu, lo, hi int) error {
	switch {
	case mtu < lo:
		return Extack(syscall.EINVAL, "mtu less than device minimum")
	case hi > 0 && mtu > hi:
		return Extack(syscall.EINVAL, "mtu greater than device maximum")
	}
	return nil
}

// mtuRange returns which MTUs d takes; no upper bound is 0.
func mtuRange(d *core.Device) (lo, hi int) {
	if d.Flags()&core.FlagLoopback != 0 {
		return 0, 0
	}
	return d.MinMTU(), core.MaxMTU
}

// setLink applies a message's attributes in Linux's order; what was done before
// an error stays done. Linux: do_setlink.
func (h *rtcore) setLink(n *netns.Net, d *core.Device, m *Link) error {
	if m.Has&LinkNewNet != 0 {
		to, err := h.netOf(m.NewNet)
		if err != nil {
			return err
		}
		defer to.Put()
		if d.NetLocal() && to != n {
			return Extack(syscall.EINVAL, "The interface netns is immutable")
		}
		if err := h.moveLink(n, d, to, m.Name); err != nil {
			return err
		}
		n = to
	}
	for _, step := range []func(*netns.Net, *core.Device, *Link) error{h.setAddrs, h.setNames, h.setState} {
		if err := step(n, d, m); err != nil {
			return err
		}
	}
	if err := h.setFamily(d, m); err != nil {
		return err
	}
	if m.Has&(LinkGroup|LinkAlias) != 0 {
		h.core.StateChanged(d)
	}
	return nil
}

// moveLink moves a device. A new name helps it past one that is taken; else it
// is given after the move. The number of the other Net is for who listens here.
// Linux: __dev_change_net_namespace.
func (h *rtcore) moveLink(n *netns.Net, d *core.Device, to *netns.Net, name string) error {
	pattern := ""
	if n != to && h.core.Device(to, d.Name()) != nil {
		switch {
		case name == "":
			return Extack(syscall.EEXIST, "An interface with the same name exists in the target netns")
		case h.core.Device(to, name) != nil:
			return Extack(syscall.EEXIST, "Unable to use '%s' for the new interface name in the target netns", name)
		}
		pattern = name
	}
	if err := h.core.Move(d, to, pattern); err != nil {
		return err
	}
	if n != to {
		h.number(n, to)
		h.numberPeer(d)
	}
	return nil
}

// setAddrs sets hardware address and MTU.
func (h *rtcore) setAddrs(_ *netns.Net, d *core.Device, m *Link) error {
	if m.Has&LinkAddr != 0 {
		if err := h.core.SetAddr(d, wire.MAC(m.Addr)); err != nil {
			return err
		}
	}
	if m.Has&LinkMTU != 0 {
		lo, hi := mtuRange(d)
		if err := checkMTU(m.MTU, lo, hi); err != nil {
			return err
		}
		return h.core.SetMTU(d, m.MTU)
	}
	return nil
}

// setNames sets group, name and alias.
func (h *rtcore) setNames(_ *netns.Net, d *core.Device, m *Link) error {
	if m.Has&LinkGroup != 0 {
		h.mark(d, func(x linkExtra) linkExtra { x.group = m.Group; return x })
	}
	if m.Index > 0 && m.Name != "" && m.Name != d.Name() {
		if err := h.core.Rename(d, m.Name); err != nil {
			return err
		}
	}
	if m.Has&LinkAlias != 0 {
		if len(m.Alias) >= 256 {
			return syscall.EINVAL
		}
		h.mark(d, func(x linkExtra) linkExtra { x.alias = m.Alias; return x })
		h.tellLink(New, d)
	}
	if m.Has&LinkBroadcast != 0 {
		return syscall.EOPNOTSUPP
	}
	return nil
}

// setState sets master, flags, carrier and the queue's length: a port joins its
// bridge before it is brought up.
func (h *rtcore) setState(n *netns.Net, d *core.Device, m *Link) error {
	if m.Has&LinkMaster != 0 {
		if err := h.setMaster(n, d, m.Master); err != nil {
			return err
		}
	}
	if m.Change != 0 {
		if err := h.setFlags(d, m); err != nil {
			return err
		}
	}
	if m.Has&LinkCarrier != 0 {
		return syscall.EOPNOTSUPP // no driver here lets itself be told
	}
	if m.Has&LinkTxQLen != 0 {
		if err := h.core.SetTxQLen(d, m.TxQLen); err != nil {
			return err
		}
		h.tellLink(New, d)
	}
	return nil
}

func (h *rtcore) setMaster(n *netns.Net, d *core.Device, index int) error {
	if index == 0 {
		return h.core.SetMaster(d, nil)
	}
	master := h.core.DeviceByIndex(n, index)
	if master == nil {
		return syscall.EINVAL
	}
	err := h.core.SetMaster(d, master)
	if k := d.Kind(); errors.Is(err, syscall.ELOOP) && k != nil && k.Name == "bridge" {
		return Extack(syscall.ELOOP, "Can not enslave a bridge to a bridge")
	}
	return err
}

// settable are the flags that a user may change, but for up.
// Linux: __dev_change_flags.
const settable = core.FlagNoARP | core.FlagMulticast | core.FlagAllMulti | core.FlagPromisc

func (h *rtcore) setFlags(d *core.Device, m *Link) error {
	changed := (d.Flags() ^ m.Flags) & m.Change
	for _, f := range []uint32{core.FlagNoARP, core.FlagMulticast, core.FlagAllMulti, core.FlagPromisc} {
		if changed&f != 0 {
			h.core.SetFlag(d, f, m.Flags&f != 0)
		}
	}
	if changed&core.FlagNoARP != 0 {
		h.core.FlushNeighbours(core.AFInet, d, true)  // Linux: arp_netdev_event
		h.core.FlushNeighbours(core.AFInet6, d, true) // Linux: ndisc_netdev_event
	}
	if changed&settable != 0 {
		h.tellLink(New, d)
	}
	if changed&core.FlagUp == 0 {
		return nil
	}
	if m.Flags&core.FlagUp != 0 {
		return h.core.SetUp(d)
	}
	h.core.SetDown(d)
	return nil
}

// delLink is RTM_DELLINK. Linux: rtnl_dellink.
func (h *rtcore) delLink(n *netns.Net, req *Request) ([]Message, error) {
	d := h.find(n, req.Msg.(*Link))
	if d == nil {
		return nil, syscall.ENODEV
	}
	if d.Kind() == nil {
		return nil, syscall.EOPNOTSUPP
	}
	return nil, h.core.Unregister(d)
}

// getLink is RTM_GETLINK; a dump shows those with the Master (if LinkMaster)
// and of the kind (Info) that are asked for. Linux: rtnl_getlink, rtnl_dump_ifinfo.
func (h *rtcore) getLink(n *netns.Net, req *Request) (all []Message, err error) {
	m := req.Msg.(*Link)
	if req.Flags&Dump == 0 {
		d := h.find(n, m)
		if d == nil {
			return nil, syscall.ENODEV
		}
		return []Message{h.linkMessage(d)}, nil
	}
	for _, d := range h.core.Devices(n) {
		if m.Info != "" && (d.Kind() == nil || d.Kind().Name != m.Info) {
			continue
		}
		if m.Has&LinkMaster != 0 && (d.Master() == nil || d.Master().Index() != m.Master) {
			continue
		}
		all = append(all, h.linkMessage(d))
	}
	return all, nil
}
