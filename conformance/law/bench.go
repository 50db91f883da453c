package law

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/host"
	"nsmodel/lab"
	"nsmodel/netns"
)

// A fataler is what a property reports to.
type fataler interface {
	Fatalf(string, ...any)
}

// A bench is a machine under test, its interpreter, and its observers.
type bench struct {
	m     *nsmodel.Machine
	h     *host.Host
	in    *lab.Interp
	watch *watch
	socks map[string]*socket // by "NET/name"
	raws  map[string]*rawSocket
	held  map[string]*netns.Net
	hooks map[string][]func() // of a Net's netfilter functions
	files map[string]*file    // that captures write, by name
}

// newBench builds a machine. What is watched is drawn by the caller: a tap and
// a listener change the way that a packet or a message takes, and both ways
// count.
func newBench(t fataler, v conformance.Variant, eyes eyes) *bench {
	b := &bench{socks: map[string]*socket{}, raws: map[string]*rawSocket{}, held: map[string]*netns.Net{}, hooks: map[string][]func(){}, files: map[string]*file{}}
	b.watch = &watch{eyes: eyes, of: map[string]*log{}, subs: map[string]*listener{}, taps: map[*core.Device]*tapped{}}
	c := v.Config
	c.Gates = append(c.Gates, core.GateRow{Layer: core.LayerNotifier, Entry: "law", Open: true, Why: "an observer of every Net"})
	extend := c.Extend
	c.Extend = func(m *nsmodel.Machine) error {
		b.watch.m = m
		if err := m.Core.HandleEvents("law", b.watch.event); err != nil {
			return err
		}
		if extend != nil {
			return extend(m)
		}
		return nil
	}
	m, err := nsmodel.New(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	b.m, b.h = m, host.New(m)
	b.h.Create = b.create
	if v.Schedule != 0 {
		b.h.Pick = rand.New(rand.NewPCG(v.Schedule, 0)).IntN
	}
	b.in = lab.New(b.h)
	b.watch.attend(b.m)
	return b
}

// close ends the machine's user space.
func (b *bench) close() {
	for _, s := range b.socks {
		s.conn.Close()
	}
	for _, s := range b.raws {
		s.conn.Close()
	}
	_ = b.h.Close()
}

// do runs one command and returns what it said. A line that begins with "law "
// is one of ours: see ops.
func (b *bench) do(t fataler, text string) string {
	defer b.watch.attend(b.m)
	if ours, ok := strings.CutPrefix(text, "law "); ok {
		return "$ " + text + "\n" + b.op(t, strings.Fields(ours))
	}
	lines, err := lab.Load("law", text+"\n")
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r, err := b.in.Run(lines[0])
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r.String()
}

// net returns the Net that a generated command calls name, held, or nil.
func (b *bench) net(name string) *netns.Net {
	if name == initName {
		name = ""
	}
	n, err := b.m.Net(name)
	if err != nil {
		return nil
	}
	return n
}

// settle lets everything happen that is due now.
func (b *bench) settle() { _, _ = b.h.Probe("", &lab.Probe{Verb: lab.Sleep}) }

func closeAll(bs ...*bench) {
	for _, b := range bs {
		b.close()
	}
}

// story prints the commands that led to a failure.
func story(cs []genCommand) string {
	var s strings.Builder
	s.WriteString("--- lab\n")
	for _, c := range cs {
		fmt.Fprintln(&s, c.text)
	}
	return s.String()
}

// difference shows the first lines in which two texts differ.
func difference(nameA, a, nameB, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	i := 0
	for i < len(la) && i < len(lb) && la[i] == lb[i] {
		i++
	}
	part := func(name string, l []string) string {
		from, to := max(0, min(i-2, len(l))), min(len(l), i+6)
		return fmt.Sprintf("--- %s, from line %d\n%s\n", name, from+1, strings.Join(l[from:to], "\n"))
	}
	return part(nameA, la) + part(nameB, lb)
}
