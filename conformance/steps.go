package conformance

import (
	"fmt"
	"slices"
	"strings"

	"nsmodel/core"
	"nsmodel/lab"
	"nsmodel/netns"
)

// A Step is one command of a lab and all that came of it.
type Step struct {
	Said   lab.Result
	States []State // of the Nets whose state may have changed with it
	Wires  []Frame // what was seen meanwhile, in the order in which it was seen
}

// A State is what ip says of a Net: addresses, routes, rules and neighbours,
// each a JSON array.
type State struct {
	Net  string
	Said lab.Result
}

// A Frame is one that a device sent (Out) or received. The Net of name "" is
// the initial one.
type Frame struct {
	Net, Dev string
	Out      bool
	Data     []byte // from the Ethernet header
}

// dumpOf returns the command that asks for a Net's State, by one process.
func dumpOf(net string) lab.Line {
	words := []string{"ip"}
	if net != "" {
		words = append(words, "-n", net)
	}
	l := command(append(words, "-j", "-batch", "-")...)
	l.Input, l.Here = "addr\nroute show table all\nrule\nneigh\n", true
	return l
}

// StepsOnModel runs commands on a new machine. After command i it asks for the
// states of the Nets asked(i) says, in that order: asking is no idle matter, it
// gives numbers to the Nets in which peers are.
func StepsOnModel(lines []lab.Line, v Variant, asked func(i int) []string) ([]Step, error) {
	s, err := openSession(v)
	if err != nil {
		return nil, err
	}
	defer s.close()
	w := watchers{s: s}
	var steps []Step
	for i, l := range lines {
		var step Step
		if step.Said, err = s.in.Run(l); err != nil {
			return nil, err
		}
		for _, net := range asked(i) {
			r, err := s.in.Run(dumpOf(net))
			if err != nil {
				return nil, err
			}
			step.States = append(step.States, State{net, r})
		}
		if err := w.look(); err != nil {
			return nil, err
		}
		step.Wires, w.seen = w.seen, nil
		steps = append(steps, step)
	}
	return steps, nil
}

// patient is how long a neighbour of a watched lab is waited for before it is
// asked again, in milliseconds: longer than a lab lasts, since Linux's clock
// runs on while a command is started, and the model's does not.
const patient = "60000"

// watchers are taps at every device of a machine.
type watchers struct {
	s    *session
	on   map[*core.Device]netns.ID // where each was tapped
	seen []Frame
}

// look taps the devices that are new, or that have left a Net and with it
// their taps.
func (w *watchers) look() error {
	names, err := w.s.h.Netns(lab.NetnsList, "")
	if err != nil {
		return err
	}
	sys := w.s.h.M.Sys
	fresh := map[*core.Device]netns.ID{}
	for _, name := range append(slices.Clone(names), "") {
		n, err := w.s.h.M.Net(name)
		if err != nil {
			return err
		}
		sys.Lock()
		for _, d := range w.s.h.M.Core.Devices(n) {
			if w.on[d] != n.ID() {
				d.AddTap(w.tap(name))
				for _, family := range []string{"ipv4", "ipv6"} {
					_ = w.s.h.M.Sysctl.Set(n, "net/"+family+"/neigh/"+d.Name()+"/retrans_time_ms", patient)
				}
			}
			fresh[d] = n.ID()
		}
		sys.Unlock()
		n.Put()
	}
	w.on = fresh
	return nil
}

// tap notes a device's frames.
func (w *watchers) tap(net string) core.Tap {
	return func(_ *core.Worker, d *core.Device, p *core.Packet, out bool) {
		w.seen = append(w.seen, Frame{net, d.Name(), out, slices.Clone(p.Bytes())})
	}
}

// Asked returns the names of the Nets that a step tells of.
func (s *Step) Asked() (nets []string) {
	for _, st := range s.States {
		nets = append(nets, st.Net)
	}
	return nets
}

// Parts takes the answer of a State apart: a text for each of addresses,
// routes, rules and neighbours, a line for each value. MAC addresses that the
// lab's own text does not name were drawn at random.
func (s State) Parts(text string) (parts [4]string) {
	for i, text := range splitArrays(lab.Normalise(text, s.Said.Stdout)) {
		if i == len(parts) {
			break
		}
		if flat, err := flatten(text); err == nil {
			text = flat
		}
		parts[i] = text
	}
	return parts
}

// splitArrays cuts what ip -j -batch prints into its arrays.
func splitArrays(out string) []string {
	var all []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// Comparable returns what a command said as lines in which the model's and
// Linux's can be compared. Text is the lab's own: MAC addresses that it does
// not name were drawn at random.
func Comparable(text string, r lab.Result) []string {
	r.Stdout = normal(r, r.Stdout)
	all := strings.Split(strings.TrimSuffix(lab.Normalise(text, r.String()), "\n"), "\n")
	return all[1:] // without the command
}

// DiffLines returns the smallest difference of two texts, "- " before lines of
// a, "+ " before those of b; nil if there is none.
func DiffLines(a, b []string) (out []string) {
	if slices.Equal(a, b) {
		return nil
	}
	for _, d := range difference(a, b) {
		out = append(out, fmt.Sprintf("%c %s", d.mark, d.text))
	}
	return out
}
