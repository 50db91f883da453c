package conformance

import (
	"strings"
	"testing"

	"nsmodel"
	"nsmodel/core"
)

// A matrix failure is told on the shortest lab that shows it: a machine with
// another seed draws other addresses.
func TestMatrixFailure(t *testing.T) {
	l, err := Parse("x.lab", "# x\nip netns add red\nip netns add blue\nip -n red link set lo up\nip -n red link add br0 type bridge\n"+
		"ip netns exec red sysctl net.ipv4.ip_forward\nip -n red link show br0\nip -n blue link\n")
	if err != nil {
		t.Fatal(err)
	}
	f := JudgeMatrixOn(l, []Variant{{Name: "default"}, {Name: "the same"}, {Name: "seed=2", Config: nsmodel.Config{Seed: 2}}, {Name: "seed=3", Config: nsmodel.Config{Seed: 3}}})
	wantFailure(t, f, "The shortest lab that shows it has 1 of 7 commands (", "\n    ip netns add red\n- default, + seed=2\n",
		"end   $ the next random number of red\n", "The whole lab fails in 2 ways: seed=2; seed=3\n")
}

// A machine that panics is a failure as any other, and the others are judged.
func TestPanicIsAFailure(t *testing.T) {
	l, err := Parse("x.lab", "# x\nip netns add red\nip link add br0 type bridge\nip link add br1 type bridge\nip link\n")
	if err != nil {
		t.Fatal(err)
	}
	f := JudgeMatrixOn(l, []Variant{{Name: "default"}, planted("cracked", func(_ *nsmodel.Machine, _ core.Event, d *core.Device) {
		if d.Name() == "br1" {
			panic("a crack")
		}
	})})
	wantFailure(t, f, "has 1 of 4 commands", "\n    ip link add br1 type bridge\n- default, + cracked\n", "panic: a crack\n", "core/register.go:")
}

// A solo failure is told on the shortest lab, strangers included: here each new
// device draws from the initial Net's random stream, wherever it is born.
func TestSoloFailure(t *testing.T) {
	l, err := Parse("x.lab", "# x\nip netns add red\nip -n red link add br0 type bridge\nip -n red link\n")
	if err != nil {
		t.Fatal(err)
	}
	leak := planted("leaky", func(m *nsmodel.Machine, e core.Event, _ *core.Device) {
		if e == core.EventRegister {
			m.Init().Uint64()
		}
	})
	wantFailure(t, JudgeSoloOn(l, []Variant{{Name: "default"}, leak}),
		"has 1 of 7 commands", "\n    ip netns add other-initial\n", "- among all, + alone: the initial namespace under leaky\n", "end   $ the next random number of the initial namespace\n")
}

// planted is a machine with a defect that shows when something happens to a
// device.
func planted(name string, defect func(*nsmodel.Machine, core.Event, *core.Device)) Variant {
	return Variant{Name: name, Config: nsmodel.Config{
		Gates: []core.GateRow{{Layer: core.LayerNotifier, Entry: name, Open: true, Why: "a test's"}},
		Extend: func(m *nsmodel.Machine) error {
			return m.Core.HandleEvents(name, func(e core.Event, d *core.Device) { defect(m, e, d) })
		},
	}}
}

func wantFailure(t *testing.T, f Finding, parts ...string) {
	t.Helper()
	if f.Outcome != Failed {
		t.Errorf("%s: %s", f.Outcome, f.Text)
	}
	for _, p := range parts {
		if !strings.Contains(f.Text, p) {
			t.Errorf("no %q in\n%s", p, f.Text)
		}
	}
}
