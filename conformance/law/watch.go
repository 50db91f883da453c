package law

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/netns"
)

// eyes says what of a machine is watched beside its answers.
type eyes struct {
	taps  bool // every frame at every device
	mail  bool // every notification, by a listener in each Net
	small bool // that listener has room for four only
	apart bool // of what happens at several devices it does not say what was first
}

// A log is what happened in a Net, in order. It is text, so that it keeps
// nothing alive; it goes on if a Net of the same name is born.
type log struct {
	frames, mail, events []string
}

// A watch sees what happens in every Net of a machine.
type watch struct {
	eyes eyes
	m    *nsmodel.Machine
	of   map[string]*log
	subs map[string]*listener
	taps map[*core.Device]*tapped
	// onEvent, if set, is told of each device event, under rtnl.
	onEvent func(core.Event, *core.Device)
	// onFrame, if set, is told of each frame at a tap.
	onFrame func(d *core.Device, p *core.Packet, out bool)
}

// A tapped is what a tap has counted at a device since it came to its Net.
type tapped struct {
	base    core.Stats
	in, out uint64
}

type listener struct {
	n   *netns.Net
	sub *netlink.Subscription
}

func (w *watch) log(n *netns.Net) *log { return w.named(nameOf(n)) }

func (w *watch) named(name string) *log {
	l := w.of[name]
	if l == nil {
		l = new(log)
		w.of[name] = l
	}
	return l
}

// nameOf is the name by which generated commands call n.
func nameOf(n *netns.Net) string {
	if n.IsInit() {
		return initName
	}
	return n.Name()
}

// event notes what happens to a device, and taps one that comes.
func (w *watch) event(e core.Event, d *core.Device) {
	n := d.Net()
	l := w.log(n)
	l.events = append(l.events, fmt.Sprintf("%v %v %d %s", w.m.Sys.Now(), e, d.Index(), d.Name()))
	if e == core.EventRegister && w.eyes.taps {
		w.tap(d)
	}
	if e == core.EventUnregister {
		delete(w.taps, d)
	}
	if w.onEvent != nil {
		w.onEvent(e, d)
	}
}

func (w *watch) tap(d *core.Device) {
	count := &tapped{base: d.Stats()}
	w.taps[d] = count
	l := w.log(d.Net())
	d.AddTap(func(worker *core.Worker, d *core.Device, p *core.Packet, out bool) {
		way := "<"
		if out {
			way = ">"
			count.out++
		} else {
			count.in++
		}
		l.frames = append(l.frames, fmt.Sprintf("%v %s %s %x", worker.Now(), d.Name(), way, p.Bytes()))
		if w.onFrame != nil {
			w.onFrame(d, p, out)
		}
	})
}

// attend sees to it that every Net has its listener.
func (w *watch) attend(m *nsmodel.Machine) {
	if !w.eyes.mail {
		return
	}
	for n := range m.Sys.Nets() {
		name := nameOf(n)
		if l := w.subs[name]; l != nil {
			if l.n == n {
				continue
			}
			w.read(name)
		}
		limit := 1 << 16
		if w.eyes.small {
			limit = 4
		}
		m.Sys.Lock()
		sub, err := m.Netlink.Subscribe(n, netlink.GroupAll, limit, nil)
		m.Sys.Unlock()
		if err == nil {
			w.subs[name] = &listener{n, sub}
		}
	}
}

// read writes what a Net's listener has heard into the log, and reports whether
// the listener was told of the end of its Net.
func (w *watch) read(name string) (ended bool) {
	l := w.subs[name]
	if l == nil {
		return false
	}
	g := w.named(name)
	for {
		note, err := l.sub.Receive()
		switch {
		case errors.Is(err, io.EOF):
			g.mail = append(g.mail, "end")
			delete(w.subs, name)
			return true
		case err == nil:
			g.mail = append(g.mail, noteText(note))
		default:
			if fmt.Sprint(err) != "resource temporarily unavailable" {
				g.mail = append(g.mail, err.Error())
				continue
			}
			return false
		}
	}
}

func noteText(note netlink.Notification) string {
	b, err := json.Marshal(note.Msg)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%v%v group %#x %s", note.Op, note.Msg.Kind(), uint32(note.Group), b)
}

// text returns the log of a Net.
func (w *watch) text(name string) string {
	w.read(name)
	l := w.named(name)
	if w.eyes.apart {
		slices.SortStableFunc(l.frames, func(a, b string) int { return strings.Compare(strings.Fields(a)[1], strings.Fields(b)[1]) })
	}
	var s strings.Builder
	for _, part := range []struct {
		title string
		lines []string
	}{{"frames", l.frames}, {"notifications", l.mail}, {"device events", l.events}} {
		fmt.Fprintf(&s, "# %s of %s: %d\n", part.title, name, len(part.lines))
		for _, line := range part.lines {
			s.WriteString(line + "\n")
		}
	}
	return s.String()
}

// forget lets go of what holds dead Nets.
func (w *watch) forget() {
	for name, l := range w.subs {
		if !l.n.Alive() {
			delete(w.subs, name)
		}
	}
	for d := range w.taps {
		if !d.Listed() {
			delete(w.taps, d)
		}
	}
}

// A file is what a program of the laboratory has written.
type file struct{ bytes.Buffer }

// create opens a file anew.
func (b *bench) create(name string) (io.WriteCloser, error) {
	f := new(file)
	b.files[name] = f
	return f, nil
}

// Close keeps what was written.
func (*file) Close() error { return nil }
