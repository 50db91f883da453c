package conformance

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"nsmodel/core"
	"nsmodel/core/netlink"
	"nsmodel/core/wire"
	"nsmodel/lab"
	"nsmodel/netns"
)

// What a Net sees is more than what its commands print: a watch has a socket in
// all notification groups of each Net and a tap on each device, from the command
// on by which they came, as `ip monitor` and `tcpdump -i any` would.
type watch struct {
	s       *session
	diaries []*diary
	tapped  map[place]bool
}

// A diary is what happened in one Net, dead or alive.
type diary struct {
	name   string
	net    *netns.Net
	sub    *netlink.Subscription
	events []event
	wires  map[string]*[]frame // by device and direction
}

// An event is a notification, and when it was made.
type event struct {
	at   time.Duration
	note netlink.Notification
}

// A frame is what went over a device, and when.
type frame struct {
	at    time.Duration
	bytes []byte
}

// A place is a device in a Net: a move takes the taps away.
type place struct {
	dev *core.Device
	net netns.ID
}

// look begins to watch what is new; the session calls it before the first
// command and after each.
func (w *watch) look() error {
	sys := w.s.h.M.Sys
	sys.Lock()
	defer sys.Unlock()
	for n := range sys.Nets() {
		d, err := w.diary(n)
		if err != nil {
			return err
		}
		for _, dev := range w.s.h.M.Core.Devices(n) {
			if at := (place{dev, n.ID()}); !w.tapped[at] {
				w.tapped[at] = true
				dev.AddTap(d.tap)
			}
		}
	}
	return nil
}

// diary returns n's, and begins one for a Net that has none.
func (w *watch) diary(n *netns.Net) (*diary, error) {
	for _, d := range w.diaries {
		if d.net == n {
			return d, nil
		}
	}
	d := &diary{name: n.Name(), net: n, wires: map[string]*[]frame{}}
	var err error
	if d.sub, err = w.s.h.M.Netlink.Subscribe(n, netlink.GroupAll, 1, d.hear); err != nil {
		return nil, fmt.Errorf("listening in %q: %w", n.Name(), err)
	}
	w.diaries = append(w.diaries, d)
	return d, nil
}

// hear takes down what is told, as it is told. An error is the Net's end.
func (d *diary) hear() {
	for {
		note, err := d.sub.Receive()
		if err != nil {
			return
		}
		d.events = append(d.events, event{d.net.System().Now(), note})
	}
}

// tap takes down a frame.
func (d *diary) tap(w *core.Worker, dev *core.Device, p *core.Packet, out bool) {
	name := dev.Name() + " receives"
	if out {
		name = dev.Name() + " sends"
	}
	fs := d.wires[name]
	if fs == nil {
		fs = new([]frame)
		d.wires[name] = fs
	}
	*fs = append(*fs, frame{w.Now(), slices.Clone(p.Bytes())})
}

// tell returns what is written in the diaries of Nets, in the order in which
// these were born.
func (w *watch) tell(of func(name string) bool) (out []said) {
	for _, d := range w.diaries {
		if !of(d.name) {
			continue
		}
		in := called(d.name)
		events := make([]string, len(d.events))
		for i, e := range d.events {
			events[i] = e.String()
		}
		out = append(out, said{command("what is told in", in), events})
		names := make([]string, 0, len(d.wires))
		for name := range d.wires {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			frames := make([]string, len(*d.wires[name]))
			for i, f := range *d.wires[name] {
				frames[i] = f.String()
			}
			out = append(out, said{command("what", name, "in", in), frames})
		}
	}
	return out
}

// String is one line: the time, what `ip monitor` would call it, and all that
// the message holds.
func (e event) String() string {
	op := "new"
	if e.note.Op == netlink.Del {
		op = "deleted"
	}
	b, err := json.Marshal(e.note.Msg)
	if err != nil {
		b = []byte(err.Error())
	}
	return fmt.Sprintf("%v %s %v %s", e.at, op, e.note.Msg.Kind(), b)
}

// String is one line: the time, what the headers say, and the bytes.
func (f frame) String() string {
	words := []string{f.at.String()}
	if eth, ok := wire.ParseEthernet(f.bytes); ok {
		words = append(words, fmt.Sprintf("%v > %v", eth.Src(), eth.Dst()))
		switch eth.Type() {
		case wire.EtherTypeARP:
			if a, ok := wire.ParseARP(eth.Payload()); ok {
				words = append(words, fmt.Sprintf("ARP %d %v asks for %v", a.Op(), a.SenderIP(), a.TargetIP()))
			}
		case wire.EtherTypeIPv4:
			if ip, ok := wire.ParseIPv4(eth.Payload()); ok {
				words = append(words, fmt.Sprintf("IPv4 %v > %v proto %d id %d ttl %d len %d", ip.Src(), ip.Dst(), ip.Proto(), ip.ID(), ip.TTL(), ip.TotalLen()))
			}
		}
	}
	return strings.Join(append(words, hex.EncodeToString(f.bytes)), " ")
}

// startWatch begins to watch, before the first command.
func (s *session) startWatch() error {
	s.watch = &watch{s: s, tapped: map[place]bool{}}
	return s.watch.look()
}

// inner is the end state of Nets that no tool prints: the tunables, who is known
// by which number, the books with each reason for a drop, the next random number
// and the next numbers that would be handed out, and all that was told and sent.
// It changes the machine: nothing is asked of it afterwards.
func (s *session) inner(of func(name string) bool) (out []said, err error) {
	// What is asked below is heard by whoever listens, and drawn from who is asked.
	told := s.watch.tell(of)
	nets, err := s.h.Netns(lab.NetnsList, "")
	if err != nil {
		return nil, err
	}
	nets = slices.DeleteFunc(append(nets, ""), func(name string) bool { return !of(name) })
	for _, net := range nets {
		rs, err := s.runAll([]lab.Line{
			in(net, "ip", "netns", "list-id"), in(net, "ip", "-s", "neigh"), in(net, "ip", "neigh", "show", "proxy"),
			in(net, "bridge", "fdb"), in(net, "sysctl", "-a"),
		})
		if err != nil {
			return nil, err
		}
		out = append(out, raw(rs)...)
	}
	out = append(out, told...)
	for _, net := range nets {
		n, err := s.h.M.Net(net)
		if err != nil {
			return nil, err
		}
		next, err := s.next(n)
		n.Put()
		if err != nil {
			return nil, err
		}
		out = append(out, next...)
	}
	return out, nil
}

// next returns the books of a Net and what it would hand out next.
func (s *session) next(n *netns.Net) ([]said, error) {
	books, err := json.Marshal([]any{s.h.M.Core.Ledger(n)})
	if err != nil {
		return nil, err
	}
	random := n.Uint64()
	c, err := s.h.M.ListenPacket(n, ":0")
	port := fmt.Sprint(err)
	if err == nil {
		port = c.LocalAddr().String()
		if err := c.Close(); err != nil {
			return nil, err
		}
	}
	s.h.M.Sys.Lock()
	d, err := s.h.M.Core.Kind("bridge").New(n, core.LinkSpec{Name: "judge"})
	index := fmt.Sprint(err)
	if err == nil {
		index = fmt.Sprintf("%d %v", d.Index(), d.Addr())
	}
	s.h.M.Sys.Unlock()
	name := called(n.Name())
	return []said{
		{command("the books of", name), []string{string(books)}},
		{command("the next random number of", name), []string{fmt.Sprint(random)}},
		{command("the next free port of", name), []string{port}},
		{command("the next device of", name), []string{index}},
	}, nil
}

// called returns a Net's name, and words for the one that has none.
func called(net string) string {
	if net == "" {
		return "the initial namespace"
	}
	return net
}

// in returns a command for a Net.
func in(net string, words ...string) lab.Line {
	if net != "" {
		words = append([]string{"ip", "netns", "exec", net}, words...)
	}
	return command(words...)
}
