package host

import (
	"bufio"
	"errors"
	"io"
	"sync"
	"syscall"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/lab"
	"nsmodel/netns"
)

// A capture writes what a device sends and receives.
type capture struct {
	name   string // of the interface, in the file
	remove func()
	file   io.WriteCloser
	buf    *bufio.Writer

	mu  sync.Mutex // workers write from several goroutines
	w   *lab.Capture
	err error
}

type captureKey struct {
	net netns.ID
	dev string
}

// capture starts one: EEXIST if the device is captured already, ENODEV.
func (h *Host) capture(n *netns.Net, p *lab.Probe) error {
	d := h.M.Core.Device(n, p.Dev)
	if d == nil {
		return syscall.ENODEV
	}
	k := captureKey{n.ID(), p.Dev}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.captures[k] != nil {
		return syscall.EEXIST
	}
	f, err := h.create(p.File)
	if err != nil {
		return err
	}
	name := ""
	if !n.IsInit() {
		name = n.Name()
	}
	c := &capture{name: lab.CaptureName(name, p.Dev), file: f, buf: bufio.NewWriter(f)}
	if c.w, err = lab.NewCapture(c.buf, c.name); err != nil {
		return errors.Join(err, f.Close())
	}
	h.M.Sys.Lock()
	defer h.M.Sys.Unlock()
	if !d.Listed() || d.Net() != n { // it went between the two
		return errors.Join(syscall.ENODEV, f.Close())
	}
	c.remove = d.AddTap(c.tap)
	h.captures[k] = c
	return nil
}

// tap writes a frame as it is on the wire: with its VLAN tag in place.
func (c *capture) tap(w *core.Worker, d *core.Device, p *core.Packet, out bool) {
	b := p.Bytes()
	if p.VLANProto != 0 && len(b) >= 12 {
		tagged := make([]byte, 0, len(b)+4)
		tagged = append(tagged, b[:12]...)
		tagged = append(tagged, byte(p.VLANProto>>8), byte(p.VLANProto), byte(p.VLAN>>8), byte(p.VLAN))
		b = append(tagged, b[12:]...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.w != nil {
		c.err = c.w.Write(c.name, w.Now(), b)
	}
}

// captureStop ends one; ENOENT if the device is not captured. The file is
// complete when it returns.
func (h *Host) captureStop(n *netns.Net, p *lab.Probe) error {
	k := captureKey{n.ID(), p.Dev}
	h.mu.Lock()
	c := h.captures[k]
	delete(h.captures, k)
	h.mu.Unlock()
	if c == nil {
		return syscall.ENOENT
	}
	return c.stop(h.M)
}

func (c *capture) stop(m *nsmodel.Machine) error {
	m.Sys.Lock()
	c.remove()
	m.Sys.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	err := errors.Join(c.err, c.w.Flush(), c.buf.Flush(), c.file.Close())
	c.w = nil
	return err
}
