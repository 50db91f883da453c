package netns

import "fmt"

// A Placement says how the Nets share a subsystem's state.
type Placement uint8

const (
	// Default leaves the choice to the subsystem; one that reaches Register
	// without a choice is Replicated.
	Default Placement = iota
	// Tagged is one home for all Nets: every entry carries its Net's tag, which
	// is compared at lookup. Linux: tcp_hashinfo, nf_conntrack_hash.
	Tagged
	// Replicated is a home for each Net that has used the subsystem, and one
	// empty home shared by the rest. Linux: net->ipv4, net_generic.
	Replicated
)

// String returns "default", "tagged" or "replicated".
func (p Placement) String() string {
	switch p {
	case Default:
		return "default"
	case Tagged:
		return "tagged"
	case Replicated:
		return "replicated"
	}
	return fmt.Sprintf("Placement(%d)", uint8(p))
}

// ParsePlacement is the inverse of String.
func ParsePlacement(text string) (Placement, error) {
	for p := Default; p <= Replicated; p++ {
		if text == p.String() {
			return p, nil
		}
	}
	return Default, fmt.Errorf("netns: placement %q: want default, tagged or replicated", text)
}

// Ops are what a subsystem does when a Net comes and goes. Only Make is required.
//
// Linux: struct pernet_operations.
type Ops[T any] struct {
	// Name appears in reports and errors, and is unique in a System.
	Name string

	// Place says where the state lives. The subsystem cannot tell.
	Place Placement

	// Make builds a home. It is called once at registration, for the home that is
	// shared (Tagged) or that stands for "nothing yet" and is never written to
	// (Replicated), and then for each own home. It runs under the Net's lock and
	// calls nothing of this package.
	Make func() *T

	// Enter lets a new Net in. An error refuses the Net; Enter itself then undoes
	// what it has done. It does not Hold the Net.
	Enter func(*Net) error

	// PreExit makes the Net's objects unreachable for packets: unpublish, stop.
	// A grace period follows.
	PreExit func(*Net)

	// Exit frees what is left. It gets what Of returns, which is the shared empty
	// home if the Net never had its own: Exit leaves one without entries alone.
	// Tables refuse new entries by now.
	Exit func(*Net, *T)
}

// maxSlots is how many subsystems, tables and cells a System takes. It is a
// constant so that Of needs neither a slice header nor a bounds check on one; the
// price is 16 bytes a slot for each Net that owns any home.
const maxSlots = 40

type homes [maxSlots]any

// A Slot is a subsystem's shelf in every Net.
type Slot[T any] struct {
	i     int
	empty *T // Replicated: the home of Nets without one; nil if Tagged
	make  func() *T
}

// Of returns the home of n's state: the shared one, n's own, or the empty one
// that all Nets without their own share and nobody writes to. This is the fast
// path, and the whole cost of placement.
//
// Linux: net_generic, or the field of struct net.
func (s Slot[T]) Of(n *Net) *T { return n.homes.Load()[s.i].(*T) }

// Own returns the home that n may write to, building it on first use if the
// placement is Replicated. On a Net that has exited it is a home that nobody else
// will see.
func (s Slot[T]) Own(n *Net) *T {
	if home := s.Of(n); home != s.empty {
		return home
	}
	return s.build(n)
}

// build publishes a copy of n's homes with a new one for s.
func (s Slot[T]) build(n *Net) *T {
	n.mu.Lock()
	defer n.mu.Unlock()
	if home := s.Of(n); home != s.empty {
		return home
	}
	home := s.make()
	if n.exited.Load() {
		return home
	}
	at := n.homes.Load()
	if n.fresh && at != &n.sys.template {
		at[s.i] = home // nobody can find n yet
		return home
	}
	// One copy even where the array is n's own already: readers hold it.
	all := *at
	all[s.i] = home
	n.homes.Store(&all)
	return home
}

// Attend lets a subsystem without state of its own, or with a table's or a cell's,
// take part in the life and death of every Net. It takes no shelf. Each function
// may be nil; they are called as those of [Ops]. Linux: register_pernet_device.
func Attend(s *System, name string, enter func(*Net) error, preExit, exit func(*Net)) {
	s.checkName(name)
	s.subs = append(s.subs, subsystem{name: name, enter: enter, preExit: preExit, exit: exit})
}

// checkName panics if nobody may register under that name now.
func (s *System) checkName(name string) {
	if s.sealed {
		panic("netns: register " + name + ": after Boot")
	}
	for _, other := range s.subs {
		if other.name == name {
			panic("netns: register " + name + ": name taken")
		}
	}
}

// Register gives a subsystem a shelf in every Net. It is called while the machine
// is wired, before Boot and from one goroutine; later, with a name that is taken,
// or beyond the number of shelves it panics, for the program is wrong.
//
// Linux: register_pernet_subsys.
func Register[T any](s *System, ops Ops[T]) Slot[T] {
	return register(s, ops, false)
}

func register[T any](s *System, ops Ops[T], table bool) Slot[T] {
	if ops.Place == Default {
		ops.Place = Replicated
	}
	s.checkName(ops.Name)
	i := s.slots
	switch {
	case i == maxSlots:
		panic("netns: register " + ops.Name + ": more than maxSlots subsystems")
	case ops.Place > Replicated:
		panic("netns: register " + ops.Name + ": bad placement")
	}
	s.slots++
	slot := Slot[T]{i: i, make: ops.Make}
	home := ops.Make()
	if ops.Place == Replicated {
		slot.empty = home
	}
	s.template[i] = home
	sub := subsystem{name: ops.Name, place: ops.Place, table: table, enter: ops.Enter, preExit: ops.PreExit}
	if ops.Exit != nil {
		sub.exit = func(n *Net) { ops.Exit(n, slot.Of(n)) }
	}
	s.subs = append(s.subs, sub)
	return slot
}

// subsystem is what the System keeps of Ops, without the type of its homes.
type subsystem struct {
	name    string
	place   Placement
	table   bool // exit is a sweep, due even if enter was never called
	enter   func(*Net) error
	preExit func(*Net)
	exit    func(*Net)
}
