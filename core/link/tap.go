package link

import (
	"fmt"
	"syscall"

	"nsmodel/core"
	"nsmodel/core/link/tun"
	"nsmodel/core/wire"
	"nsmodel/netns"
)

// tap is the driver of a device at the other end of a kernel tap's wire: what the
// kernel sends by its interface arrives here. The nic is the other way round, in the
// interface's own place. The file is open for as long as the device lives; the
// kernel's interface has a carrier while the device is up. Frames go one by one and
// whole: a packet that stands for several segments is counted as an error. Linux:
// struct tun_file, drivers/net/tun.c.
type tap struct {
	// fixed
	l   *Links
	dev *core.Device
	end *tun.Tap

	open  bool         // under rtnl
	owner *core.Worker // under rtnl; who polls
	frame []byte       // the polling worker's
}

// tapFrame holds the largest frame that a tap carries, in bytes.
const tapFrame = 65535 + wire.EthernetLen + wire.VLANLen

// tapKind is `type tap dev KERNELIF`.
func (l *Links) tapKind() *core.Kind {
	k := &core.Kind{Name: "tap", Show: showTap}
	k.New = func(n *netns.Net, u core.LinkSpec) (*core.Device, error) { return l.newTap(k, n, u) }
	return k
}

// newTap makes a device in n and the kernel interface Attrs["dev"] in this process's
// network namespace, or takes the end of a persistent one. Its name and MTU are the
// interface's unless u says otherwise. Errors: EINVAL without dev, those of tun.Open.
func (l *Links) newTap(k *core.Kind, n *netns.Net, u core.LinkSpec) (*core.Device, error) {
	kernel := u.Attrs["dev"]
	if kernel == "" || len(u.Attrs) > 1 || u.Lower != nil || u.Peer != nil {
		return nil, fmt.Errorf("link: tap needs dev KERNELIF and nothing else: %w", syscall.EINVAL)
	}
	end, err := tun.Open(kernel)
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	if u.Name == "" {
		u.Name = end.Name()
	}
	if u.MTU == 0 {
		u.MTU, _, _ = end.Facts()
	}
	x := &tap{l: l, end: end, frame: make([]byte, tapFrame)}
	s := spec(k, u, x)
	s.Real = true
	d, err := l.stack.Register(n, s)
	if err != nil {
		end.Close()
		return nil, err
	}
	x.dev = d
	l.taps = append(l.taps, x)
	return d, nil
}

// showTap returns what `ip -d link` prints of a tap.
func showTap(d *core.Device) [][2]string {
	return [][2]string{{"dev", d.Driver().(*tap).end.Name()}}
}

// Open gives the tap to a worker and the kernel a carrier. What the kernel sent
// before is lost, as on a wire whose other end is not there.
func (x *tap) Open(d *core.Device) error {
	for x.end.Read(x.frame) > 0 {
	}
	x.open = true
	if ws := x.l.stack.Workers(); len(ws) > 0 {
		x.owner = ws[0]
		x.owner.Attach(x)
	}
	x.end.SetCarrier(true)
	x.maintain()
	return nil
}

// Stop takes them again.
func (x *tap) Stop(d *core.Device) {
	x.open = false
	x.end.SetCarrier(false)
	if x.owner != nil {
		x.owner.Detach(x)
		x.owner = nil
	}
	x.l.stack.SetCarrier(d, false)
}

// Free gives the tap back: nobody reads it any more, for the device is down and a
// grace period is over.
func (x *tap) Free(d *core.Device) {
	x.end.Close()
	rest := x.l.taps[:0:0]
	for _, o := range x.l.taps {
		if o != x {
			rest = append(rest, o)
		}
	}
	x.l.taps = rest
}

// maintain follows the kernel's interface: while that is down there is no carrier.
func (x *tap) maintain() {
	if x.open {
		_, up, err := x.end.Facts()
		x.l.stack.SetCarrier(x.dev, up && err == nil)
	}
}

// FD is readable when there are frames.
func (x *tap) FD() int { return x.end.FD() }

// Poll hands up to budget frames to the device.
func (x *tap) Poll(w *core.Worker, budget int) (done int) {
	for done < budget {
		n := x.end.Read(x.frame)
		if n == 0 {
			break
		}
		p := w.NewFrame(n)
		copy(p.Bytes(), x.frame[:n])
		done++
		x.dev.Receive(w, p)
	}
	return done
}

// Xmit writes p as it would stand on a wire. Linux: tun_get_user.
func (x *tap) Xmit(w *core.Worker, d *core.Device, p *core.Packet) {
	switch {
	case p.GSOSize != 0 || !p.CompleteChecksum() || !p.InsertVLAN() || p.Len() < wire.EthernetLen:
		d.CountTxError(1)
	case x.end.Write(p.Bytes()) != nil:
		d.CountTxDropped(1)
	}
	w.Release(p)
}
