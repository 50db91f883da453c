//go:build linux

package lockstep

import (
	"context"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"nsmodel/conformance"
	"nsmodel/internal/linux"
	"nsmodel/lab"
)

func TestMain(m *testing.M) {
	conformance.Main()
	flag.Parse()
	os.Exit(m.Run())
}

// A seed's lab is always the same, each is another, and all are labs.
func TestDraw(t *testing.T) {
	seen := map[string]uint64{}
	for seed := range uint64(30) {
		six := seed%4 == 0
		text := Draw(seed, six)
		if text != Draw(seed, six) {
			t.Fatalf("seed %d draws two labs", seed)
		}
		if old, ok := seen[text]; ok {
			t.Errorf("seeds %d and %d draw one lab", old, seed)
		}
		seen[text] = seed
		if _, err := lab.Load("drawn", text); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// Most commands of drawn labs succeed, some do not, and traffic comes through:
// labs of errors alone would show little.
func TestDrawnLabsMakeSense(t *testing.T) {
	done, failed, frames := 0, 0, 0
	for seed := range uint64(30) {
		for _, s := range onModel(t, Draw(seed, seed%4 == 0)) {
			done++
			frames += len(s.Wires)
			if s.Said.Exit != 0 {
				failed++
			}
		}
	}
	if failed*100 < 5*done || failed*100 > 45*done || frames < done/10 {
		t.Errorf("%d commands, %d of them failed, %d frames", done, failed, frames)
	}
}

func onModel(t *testing.T, text string) []conformance.Step {
	t.Helper()
	lines, err := lab.Load("test", text)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := conformance.StepsOnModel(lines, conformance.Variant{}, func(int) []string { return []string{""} })
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

const pair = `ip link set lo up
ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02
ip addr add 10.0.0.1/24 dev v0
ip link set v0 up
ip link set v1 up
ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev v0
ip route add 10.9.0.0/16 via 10.0.0.2
`

// What differs between two runs is found, each kind of it, and what is not
// compared is not.
func TestCompare(t *testing.T) {
	base := pair + "probe udp send 10.0.0.2:7 hello from 4000\n"
	for _, c := range []struct{ name, other, what string }{
		{"nothing", base, ""},
		{"words", strings.Replace(base, "10.0.0.1/24", "10.0.0.1/33", 1), "says"},
		{"address", strings.Replace(base, "10.0.0.1/24", "10.0.0.1/25", 1), "address"},
		{"neighbour", strings.Replace(base, "lladdr 02:00:00:00:00:02", "lladdr 02:00:00:00:00:03", 1), "neighbour"},
		{"route", strings.Replace(base, "via 10.0.0.2", "via 10.0.0.3", 1), "route"},
		{"wire", strings.Replace(base, "hello", "hullo", 1), "wire"},
		{"an ephemeral port", strings.Replace(base, "from 4000", "from 40000", 1), "wire"},
		{"two ephemeral ports", strings.Replace(base, " from 4000", " from 40001", 1), "wire"},
	} {
		a, b := onModel(t, base), onModel(t, c.other)
		if c.name == "two ephemeral ports" {
			a, c.what = onModel(t, strings.Replace(base, " from 4000", " from 40000", 1)), ""
		}
		d := Compare(base, a, b)
		if got := d; (got == nil) != (c.what == "") || got != nil && got.What != c.what {
			t.Errorf("%s: %v, want %q", c.name, d, c.what)
		}
	}
}

// A planted disagreement is found, shrunk to a handful of lines, written to
// disk once, and found again from its seed.
func TestPlantedDisagreement(t *testing.T) {
	// "Linux" is a model whose route command forgets the metric.
	against := func(lines []lab.Line) ([]conformance.Step, error) {
		bent := slices.Clone(lines)
		for i, l := range bent {
			if at := slices.Index(l.Words, "metric"); at > 0 && slices.Contains(l.Words, "route") {
				bent[i].Words = slices.Concat(l.Words[:at], l.Words[at+2:])
			}
		}
		return conformance.StepsOnModel(bent, conformance.Variant{}, func(i int) []string { return mentioned(lines[:i+1]) })
	}
	dir := t.TempDir()
	var finds []*Find
	o := Options{Seed: 1, Labs: 60, Boxes: 1, Shrink: 120, Out: dir, Against: against, Found: func(f *Find) { finds = append(finds, f) }}
	tally, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(finds) == 0 || tally.Distinct != len(finds) || tally.Labs != 60 || tally.Next != 61 {
		t.Fatalf("%d found, %+v", len(finds), tally)
	}
	files, _ := os.ReadDir(dir)
	if len(files) != len(finds) {
		t.Errorf("%d files for %d finds", len(files), len(finds))
	}
	for _, f := range finds {
		if len(f.Lines) > 12 || !strings.Contains(conformance.Text(f.Lines), "metric") {
			t.Errorf("seed %d is not small: %d lines\n%s", f.Seed, len(f.Lines), conformance.Text(f.Lines))
		}
		l, err := conformance.Load(f.Path)
		if err != nil {
			t.Errorf("what was written is no lab: %v", err)
			continue
		}
		if !strings.Contains(l.Text, "seed") || len(l.Lines) != len(f.Lines) {
			t.Errorf("%s:\n%s", f.Path, l.Text)
		}
	}
	o.Seed, o.Labs, o.Out, finds = finds[0].Seed, 1, "", nil
	if tally, err = Run(context.Background(), o); err != nil || tally.Distinct != 1 {
		t.Errorf("the seed again: %+v, %v", tally, err)
	}
}

// mentioned returns the Nets that a part of a lab has made.
func mentioned(lines []lab.Line) []string {
	nets := []string{""}
	for _, l := range lines {
		if len(l.Words) == 4 && l.Words[1] == "netns" {
			nets = slices.DeleteFunc(nets, func(n string) bool { return n == l.Words[3] })
			if l.Words[2] == "add" {
				nets = append(nets, l.Words[3])
			}
		}
	}
	return nets
}

// Every exemption says what and why, and no two say the same.
func TestNotCompared(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range NotCompared() {
		if e.What == "" || e.Why == "" || seen[e.What] {
			t.Errorf("%+v", e)
		}
		seen[e.What] = true
	}
}

// A bounded number of labs, on the model and on the real kernel.
func TestLockstep(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	if err := linux.Why(); err != nil {
		t.Skip(err)
	}
	tally, err := Run(context.Background(), Options{Seed: 1, For: 5 * time.Second, Labs: 40, Out: t.TempDir(),
		Found: func(f *Find) { t.Errorf("seed %d:\n%s%v", f.Seed, conformance.Text(f.Lines), f.Disagreement) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(tally)
	if tally.Labs == 0 || tally.Packets == 0 {
		t.Errorf("nothing was compared: %v", tally)
	}
}
