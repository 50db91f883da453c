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

// A Net keeps its homes on shelves of shelfSize, and shares with all others each
// shelf on which it has nothing of its own: a Net pays for what it uses, and for
// at most seven neighbours of it. Both are constants so that Of needs neither a
// slice header nor a bounds check.
const (
	shelfSize  = 8
	numShelves = 8
	maxSlots   = shelfSize * numShelves // how many subsystems, tables and cells a System takes
)

type shelf [shelfSize]any

// A Slot is a subsystem's shelf in every Net.
type Slot[T any] struct {
	i     uint
	empty *T // Replicated: the home of Nets without one; nil if Tagged
	make  func() *T
}

// Of returns the home of n's state: the shared one, n's own, or the empty one
// that all Nets without their own share and nobody writes to. This is the fast
// path, and the whole cost of placement.
//
// Linux: net_generic, or the field of struct net.
func (s Slot[T]) Of(n *Net) *T { return n.shelves[s.i/shelfSize%numShelves].Load()[s.i%shelfSize].(*T) }

// Own returns the home that n may write to, building it on first use if the
// placement is Replicated. On a Net that has exited it is a home that nobody else
// will see.
func (s Slot[T]) Own(n *Net) *T {
	if home := s.Of(n); home != s.empty {
		return home
	}
	return s.build(n)
}

// build makes a home for n and publishes it.
func (s Slot[T]) build(n *Net) *T {
	n.mu.Lock()
	defer n.mu.Unlock()
	if home := s.Of(n); home != s.empty {
		return home
	}
	home := s.make()
	s.publish(n, home)
	return home
}

// publish puts home on n's shelf, unless n has exited; under n.mu.
func (s Slot[T]) publish(n *Net, home *T) {
	if n.exited.Load() {
		return
	}
	i, at := s.i/shelfSize, s.i%shelfSize
	old := n.shelves[i].Load()
	if n.fresh && old != &n.sys.template[i] {
		old[at] = home // nobody can find n yet
		return
	}
	// One copy even where the shelf is n's own already: readers hold it.
	own := *old
	own[at] = home
	n.shelves[i].Store(&own)
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
	slot := Slot[T]{i: uint(i), make: ops.Make}
	home := ops.Make()
	if ops.Place == Replicated {
		slot.empty = home
	}
	s.template[i/shelfSize][i%shelfSize] = home
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
	fault   error // under rtnl; see FailEnter

	// of a tagged table
	entries   func() int
	entriesOf func(*Net) int
}

// letIn lets n in, or says why not.
func (s *subsystem) letIn(n *Net) error {
	switch {
	case s.fault != nil:
		return s.fault
	case s.enter != nil:
		return s.enter(n)
	}
	return nil
}

// FailEnter makes the i-th of [System.Subsystems] refuse every new Net with err,
// as if its Enter had failed at once; nil ends that. rtnl. It is there for tests
// of what the subsystems before it leave behind.
//
// Linux: fault injection (CONFIG_FAIL_FUNCTION) on a pernet_operations' init.
func (s *System) FailEnter(i int, err error) { s.subs[i].fault = err }
