package udp

import (
	"time"

	"nsmodel/netns"
)

// A deadline is a time until which a call may wait.
type deadline struct {
	set   bool
	at    time.Duration // the machine's time
	timer lazyTimer
}

// passed reports whether the deadline is over; under c.mu.
func (d *deadline) passed(c *Conn) bool { return d.set && c.u.stack.Sys.Now() >= d.at }

// A lazyTimer is a netns.Timer that a socket which never has a deadline does
// not pay for.
type lazyTimer struct{ t *netns.Timer }

func (l *lazyTimer) stop() {
	if l.t != nil {
		l.t.Stop()
	}
}

func (d *deadline) change(c *Conn, t time.Time) {
	d.timer.stop()
	d.set = !t.IsZero()
	if !d.set {
		return
	}
	d.at = t.Sub(c.u.stack.Epoch())
	if d.timer.t == nil {
		d.timer.t = new(netns.Timer)
		d.timer.t.Init(c.n, func(time.Duration) {
			c.mu.Lock()
			c.ready.Broadcast()
			c.mu.Unlock()
		})
	}
	d.timer.t.Reset(d.at)
}
