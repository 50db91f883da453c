package conformance

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/netns"
)

// A Subsystem is what an author tells [TestSubsystem] of a subsystem whose
// handle is an H: how it is made, what can be done to it in a Net, and what a
// Net can see of it. Linux: what a register_pernet_subsys call brings along.
type Subsystem[H any] struct {
	// Name is what failures call it. If it is a word of [nsmodel.Places] the
	// subsystem is one that every machine has, and the word sets its placement.
	Name string

	// New registers the subsystem with a machine that has not booted yet, its
	// state in the given placement, and returns the handle that operations get.
	// It is called from [nsmodel.Config.Extend].
	New func(m *nsmodel.Machine, place netns.Placement) (H, error)

	// Op draws one operation. It does not know where: the battery runs the same
	// one in several Nets of several machines. Keys are drawn from a pool of a
	// few, so that Nets use the same ones and each is used again.
	Op func(t *rapid.T) Op[H]

	// Dump lists all that a Net can see, an entry a line, in the order in which
	// the entries came. Where they stand in another order, Sorted says which.
	Dump   func(c Call[H]) string
	Sorted string

	// Fill does the i-th of so many different things that a Net reaches its
	// limit, and returns the error when it has. Nil: there is no limit.
	Fill func(c Call[H], i int) error

	// Gates are the subsystem's rows in the table of gates: the entry points
	// that refuse all but the initial Net until it is ported. A row that is not
	// among [core.DefaultGates] is added to the machine's table.
	Gates []core.GateRow

	// Skip says of a check, by name, why the subsystem is not put to it.
	Skip map[string]string
}

// An Op is one operation.
type Op[H any] struct {
	// Text names it with all that was drawn, as a failure tells it.
	Text string
	// Do carries it out and returns what the caller sees: a result, an error or
	// both. It takes the locks that its entry point takes; none is held.
	Do func(c Call[H]) (string, error)
	// Free says that no gate refuses the operation, for it makes nothing.
	Free bool
}

// A Call is where an operation is carried out.
type Call[H any] struct {
	H H
	M *nsmodel.Machine
	N *netns.Net
	// Live says that other goroutines carry out operations too, and one moves
	// the packets: the operation itself may not call Settle or Advance.
	Live bool

	readers *readers
}

// Device returns the Net's device of that name, or nil.
func (c Call[H]) Device(name string) *core.Device { return c.M.Core.Device(c.N, name) }

// Go runs f beside the operation, for a reader that waits. It must have come back
// soon after its Net is gone, or the battery says so.
func (c Call[H]) Go(f func()) { c.readers.begin(f) }

// AnyDevice draws the name of a device. A Net of the battery has lo, most have
// eth0, which leads to eth0 in a partner Net, with 10.0.0.1/24 and 10.0.0.2/24,
// and one of the partners has nic0, an idle device, which moves between the two.
func AnyDevice(t *rapid.T) string {
	return rapid.SampledFrom([]string{"nic0", "eth0", "lo"}).Draw(t, "device")
}

// A check is one question of the battery.
type check[H any] struct {
	name string
	asks string
	// skip says why the check does not apply, "" if it does
	skip func(s *Subsystem[H]) string
	run  func(b *battery[H], t *rapid.T)
	// cases are looked at of the 100 that -rapid.checks is by default
	cases int
}

// checks returns the battery, in the order in which it is run.
func checks[H any]() []check[H] {
	return []check[H]{
		{"leaks", "does what dies leave memory, goroutines, timers or packets behind?", nil, (*battery[H]).leaks, 2},
		{"placement", "is it the same, to the byte, wherever the state stands?", nil, (*battery[H]).placement, 60},
		{"strangers", "does a Net see the same without the Nets it has no link to?", nil, (*battery[H]).strangers, 60},
		{"dump", "does a dump list the Net's own entries only, in the order in which they came?", nil, (*battery[H]).dump, 30},
		{"death", "does nothing outlive its Net, whenever that dies?", nil, (*battery[H]).death, 15},
		{"birth", "does a Net whose birth fails leave no trace, at whichever step?", nil, (*battery[H]).birth, 15},
		{"rebirth", "does a Net that gets a dead one's name start empty?", nil, (*battery[H]).rebirth, 40},
		{"gate", "are all but the initial Net refused while the gate is closed?", needGate[H], (*battery[H]).gate, 30},
		{"limit", "does a limit count for each Net?", needLimit[H], (*battery[H]).limit, 2},
		{"move", "is a device that changes its Net the same as a new one?", nil, (*battery[H]).move, 40},
		{"race", "do operations, dumps and deaths go on at once?", nil, (*battery[H]).race, 2},
	}
}

func needGate[H any](s *Subsystem[H]) string {
	if len(s.Gates) == 0 {
		return "it has no row in the table of gates"
	}
	return ""
}

func needLimit[H any](s *Subsystem[H]) string {
	if s.Fill == nil {
		return "it has no limit"
	}
	return ""
}

// TestSubsystem runs the battery over a subsystem: what every subsystem owes to
// the namespaces around it, whatever it is for. Each check is a subtest; a check
// that does not apply is skipped and says why. A failure is told as a story: the
// smallest sequence of operations that was found, and what one machine said where
// another said something else. docs/porting.md says how to read it.
//
// The number of cases grows with -rapid.checks. Run it with -race, too. The test
// that calls it should not be parallel: one of the checks measures memory.
func TestSubsystem[H any](t *testing.T, s Subsystem[H]) {
	t.Helper()
	if s.New == nil || s.Op == nil || s.Dump == nil {
		t.Fatalf("subsystem %q needs New, Op and Dump", s.Name)
	}
	for _, c := range checks[H]() {
		t.Run(c.name, func(t *testing.T) {
			if why := c.why(&s); why != "" {
				t.Skipf("%s: skipped: %s", c.name, why)
			}
			if c.name != "leaks" {
				t.Parallel()
			}
			if story := c.of(&s, t.Name(), 5*time.Second); story != "" {
				t.Error(story)
			}
		})
	}
}

// why says why a subsystem is not put to c, "" if it is.
func (c check[H]) why(s *Subsystem[H]) string {
	if why := s.Skip[c.name]; why != "" {
		return why
	}
	if c.skip != nil {
		return c.skip(s)
	}
	return ""
}

// of puts s to the check and returns the story of its failure, "" if it holds.
func (c check[H]) of(s *Subsystem[H], test string, patience time.Duration) string {
	b := &battery[H]{Subsystem: s, patience: patience}
	said := examine(test, c.cases, func(t *rapid.T) {
		b.trail, b.worlds, b.failed = nil, nil, false
		c.run(b, t)
		b.close()
	})
	switch {
	case said == "":
		return ""
	case b.failed:
	case b.story != "": // rapid found that it does not happen each time
		b.story += "and when the same is done again it does not happen: look for a map's order, a race, the time\n"
	default:
		b.story = "the subsystem crashed, or the battery did, in the last of\n" + b.trail.String() + said
	}
	return fmt.Sprintf("%s: %s: %s\n%s%s", s.Name, c.name, c.asks, b.story, again(said))
}
