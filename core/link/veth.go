package link

import (
	"fmt"
	"sync/atomic"
	"syscall"

	"nsmodel/core"
	"nsmodel/netns"
)

// veth is one end of a pair: what it sends is queued at the other end, wherever
// that is. Linux: struct veth_priv, drivers/net/veth.c.
type veth struct {
	peer atomic.Pointer[core.Device] // written under rtnl; nil once the pair is gone
}

// vethKind is `type veth [peer ...]`. Linux: veth_link_ops.
func vethKind(s *core.Stack) *core.Kind {
	k := &core.Kind{Name: "veth"}
	k.New = func(n *netns.Net, u core.LinkSpec) (*core.Device, error) { return newVeth(s, k, n, u) }
	return k
}

// newVeth makes both ends and returns the one in n. The peer comes first, as in
// Linux, so that it has the lower number where both names are templates; if the
// second end is refused the first is taken back. Linux: veth_newlink.
func newVeth(s *core.Stack, k *core.Kind, n *netns.Net, u core.LinkSpec) (*core.Device, error) {
	if len(u.Attrs) > 0 {
		return nil, fmt.Errorf("link: veth takes no attributes: %w", syscall.EINVAL)
	}
	far := core.LinkSpec{}
	if u.Peer != nil {
		far = *u.Peer
	}
	in := u.PeerNet
	if in == nil {
		in = n
	}
	if !in.Alive() {
		return nil, fmt.Errorf("link: veth peer's namespace is gone: %w", syscall.EINVAL)
	}
	a, b := new(veth), new(veth)
	peer, err := s.Register(in, spec(k, far, b))
	if err != nil {
		return nil, err
	}
	d, err := s.Register(n, spec(k, u, a))
	if err != nil {
		s.Unregister(peer)
		return nil, err
	}
	a.peer.Store(peer)
	b.peer.Store(d)
	d.SetPeer(peer)
	peer.SetPeer(d)
	return d, nil
}

// Xmit queues p at the peer. Linux: veth_xmit.
func (v *veth) Xmit(w *core.Worker, d *core.Device, p *core.Packet) {
	peer := v.peer.Load()
	if peer == nil { // the pair is being deleted
		d.CountTxDropped(1)
		w.Release(p)
		return
	}
	peer.Queue(w, p)
}

// Open gives both ends a carrier if the peer is up. Linux: veth_open.
func (v *veth) Open(d *core.Device) error {
	peer := v.peer.Load()
	if peer == nil {
		return syscall.ENOTCONN
	}
	if peer.Up() {
		d.Stack().SetCarrier(d, true)
		d.Stack().SetCarrier(peer, true)
	}
	return nil
}

// Stop takes the carrier from both ends. Linux: veth_close.
func (v *veth) Stop(d *core.Device) {
	d.Stack().SetCarrier(d, false)
	if peer := v.peer.Load(); peer != nil {
		d.Stack().SetCarrier(peer, false)
	}
}

// Leave parts the pair; the peer must go too. Linux: veth_dellink.
func (v *veth) Leave(d *core.Device) []*core.Device {
	peer := v.peer.Swap(nil)
	if peer == nil {
		return nil
	}
	peer.Driver().(*veth).peer.Store(nil)
	return []*core.Device{peer}
}
