package link

import (
	"fmt"

	"nsmodel/core"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// A Sink gets what a [Wire]'s device sends; frame is valid during the call.
type Sink func(w *core.Worker, frame []byte)

// A Wire is a NIC without a kernel under it: frames come in by Inject and go out
// to a function. Tests use it, and the demo where no raw socket is to be had. Like
// a NIC it returns to the initial Net when its own dies.
// Linux: drivers/net/tun.c, with packets instead of file descriptors.
type Wire struct {
	dev  *core.Device
	sink Sink
}

// NewWire makes a device in n that gives what it sends to sink; nil throws it
// away. Under rtnl. Errors are those of core's Register.
func (l *Links) NewWire(n *netns.Net, u core.LinkSpec, sink Sink) (*Wire, error) {
	x := &Wire{sink: sink}
	s := spec(&core.Kind{Name: "eth"}, u, x)
	s.Kind, s.Carrier, s.Real = nil, true, true
	d, err := l.stack.Register(n, s)
	if err != nil {
		return nil, fmt.Errorf("link: wire: %w", err)
	}
	x.dev = d
	return x, nil
}

// JoinWires makes what one sends arrive at the other, of the same machine. It is
// called before traffic.
func JoinWires(a, b *Wire) { a.sink, b.sink = b.Inject, a.Inject }

// Device returns the device at this end.
func (x *Wire) Device() *core.Device { return x.dev }

// Inject lets a copy of frame arrive at the device; w is a worker in its turn, or
// a process context. Linux: tun_get_user.
func (x *Wire) Inject(w *core.Worker, frame []byte) {
	p := w.NewFrame(len(frame))
	copy(p.Bytes(), frame)
	x.dev.Queue(w, p)
}

// Xmit gives p to the sink as it would stand on a wire: tag in its place, checksum
// complete. A packet that stands for several segments goes whole.
func (x *Wire) Xmit(w *core.Worker, d *core.Device, p *core.Packet) {
	if !p.CompleteChecksum() || !p.InsertVLAN() || p.Len() < wire.EthernetLen {
		d.CountTxError(1)
	} else if x.sink != nil {
		x.sink(w, p.Bytes())
	}
	w.Release(p)
}
