package lockstep

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"nsmodel/conformance"
)

// A Disagreement is where two runs of a lab part first.
type Disagreement struct {
	Step int    // the command's place in the lab, from 0
	Text string // the command
	What string // what differs: "says", "address", "route", "rule", "neighbour" or "wire"
	Net  string // of a state or wires
	Diff []string
}

// String returns the disagreement as a report of some lines.
func (d *Disagreement) String() string {
	where := d.What
	if d.What != "says" {
		net := d.Net
		if net == "" {
			net = "the initial namespace"
		}
		where += " in " + net
	}
	return fmt.Sprintf("after: %s\n%s: - the model, + Linux\n%s", d.Text, where, strings.Join(d.Diff, "\n"))
}

var (
	numbers = regexp.MustCompile(`\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b|[0-9]+`)
	devices = regexp.MustCompile(`\b([vwpq]N|lo|brN)\b`)
)

// Signature tells disagreements of one cause from others, roughly: it is the
// kind of command and the diff without names and numbers.
func (d *Disagreement) Signature() string {
	verb := strings.Fields(d.Text)
	if i := slices.Index(verb, "exec"); i > 0 && i+2 < len(verb) {
		verb = verb[i+2:]
	} else if len(verb) > 2 && verb[1] == "-n" {
		verb = append([]string{"ip"}, verb[3:]...)
	}
	verb = verb[:min(3, len(verb))]
	s := d.What + ": " + strings.Join(verb, " ")
	for _, l := range d.Diff[:min(2, len(d.Diff))] {
		s += " | " + l
	}
	return devices.ReplaceAllString(numbers.ReplaceAllString(s, "N"), "D")
}

// parts are what a State consists of.
var parts = [4]string{"address", "route", "rule", "neighbour"}

// Compare returns where the steps of the model and of Linux part first, or nil.
func Compare(text string, model, linux []conformance.Step) *Disagreement {
	for i := range min(len(model), len(linux)) {
		a, b := &model[i], &linux[i]
		d := &Disagreement{Step: i, Text: a.Said.Line.Text, What: "says"}
		if d.Diff = conformance.DiffLines(said(text, a), said(text, b)); d.Diff != nil {
			return d
		}
		if stateDiffers(d, text, a, b) || wiresDiffer(d, a, b) {
			return d
		}
	}
	if d := arpDiffers(model, linux); d != nil {
		return d
	}
	return nil
}

func said(text string, s *conformance.Step) []string {
	lines := conformance.Comparable(text, s.Said)
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimSpace(l), "Usage:") { // see elsewhere
			return lines[:i]
		}
	}
	return excuse(lines, sayings)
}

func stateDiffers(d *Disagreement, text string, a, b *conformance.Step) bool {
	for i := range min(len(a.States), len(b.States)) {
		x, y := a.States[i].Parts(text), b.States[i].Parts(text)
		for part, name := range parts {
			d.Net, d.What = a.States[i].Net, name
			if d.Diff = conformance.DiffLines(state(x[part], part), state(y[part], part)); d.Diff != nil {
				return true
			}
		}
	}
	return false
}

// state cuts one part of a State into lines, without what is not compared.
func state(text string, part int) []string {
	lines := excuse(strings.Split(strings.TrimSpace(text), "\n"), states)
	if parts[part] == "neighbour" {
		lines = excuse(lines, neighbours)
		slices.Sort(lines)
	}
	return lines
}

func wiresDiffer(d *Disagreement, a, b *conformance.Step) bool {
	x, y := wires(a, false), wires(b, false)
	for _, net := range nets(x, y) {
		d.Net, d.What = net, "wire"
		if d.Diff = conformance.DiffLines(x[net], y[net]); d.Diff != nil {
			return true
		}
	}
	return false
}

// arpDiffers compares what ARP asked and answered in the whole lab.
func arpDiffers(a, b []conformance.Step) *Disagreement {
	x, y := map[string][]string{}, map[string][]string{}
	for _, side := range []struct {
		steps []conformance.Step
		all   map[string][]string
	}{{a, x}, {b, y}} {
		for i := range side.steps {
			for net, lines := range wires(&side.steps[i], true) {
				side.all[net] = append(side.all[net], lines...)
			}
		}
		for net, lines := range side.all {
			slices.Sort(lines)
			side.all[net] = slices.Compact(lines)
		}
	}
	for _, net := range nets(x, y) {
		if diff := conformance.DiffLines(x[net], y[net]); diff != nil {
			last := a[len(a)-1]
			return &Disagreement{Step: len(a) - 1, Text: last.Said.Line.Text, What: "wire (ARP of the whole lab)", Net: net, Diff: diff}
		}
	}
	return nil
}

// wires returns the frames of a step by Net, as sorted lines: either those of
// ARP or all others.
func wires(s *conformance.Step, arp bool) map[string][]string {
	all := map[string][]string{}
	for _, f := range s.Wires {
		line := describe(f)
		if isARP(line) == arp && !ignored(line) {
			all[f.Net] = append(all[f.Net], line)
		}
	}
	for _, lines := range all {
		slices.Sort(lines)
	}
	return all
}

func nets(x, y map[string][]string) (names []string) {
	for _, m := range []map[string][]string{x, y} {
		for n := range m {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
