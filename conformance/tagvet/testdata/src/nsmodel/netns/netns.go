// Package netns stands for the real one: the names that the checks know.
package netns

import "iter"

// A Placement is where state stands.
type Placement uint8

// The placements.
const (
	Default Placement = iota
	Tagged
	Replicated
)

// ID is a tag.
type ID uint64

// Net is a namespace.
type Net struct {
	id   ID
	name string
}

// ID returns the tag.
func (n *Net) ID() ID { return n.id }

// Name returns the name.
func (n *Net) Name() string { return n.name }

// IsInit reports whether n is the initial Net.
func (n *Net) IsInit() bool { return n.id == 1 }

// Uint64 draws.
func (n *Net) Uint64() uint64 { return 0 }

// System is a machine.
type System struct{ nets []*Net }

// Init returns the initial Net.
func (s *System) Init() *Net { return s.nets[0] }

// ByName finds a Net.
func (s *System) ByName(name string) (*Net, error) { return nil, nil }

// Nets yields the Nets.
func (s *System) Nets() iter.Seq[*Net] { return nil }

// Ops are a subsystem's.
type Ops[T any] struct {
	Name  string
	Place Placement
	Make  func() *T
	Enter func(*Net) error
	Exit  func(*Net, *T)
}

// Slot is a shelf.
type Slot[T any] struct{ home *T }

// Of returns n's home.
func (s Slot[T]) Of(n *Net) *T { return s.home }

// Own returns n's own home.
func (s Slot[T]) Own(n *Net) *T { return s.home }

// Register gives a shelf.
func Register[T any](s *System, ops Ops[T]) Slot[T] { return Slot[T]{} }

// Cell keeps a T for each Net.
type Cell[T any] struct{ one *T }

// NewCell makes a Cell.
func NewCell[T any](s *System, name string, place Placement, init func(*Net) *T) *Cell[T] {
	return nil
}

// Of returns n's T.
func (c *Cell[T]) Of(n *Net) *T { return c.one }

// Own returns n's own T.
func (c *Cell[T]) Own(n *Net) *T { return c.one }

// Table maps (Net, K) to V.
type Table[K comparable, V any] struct{ sum func(K) uint64 }

// NewTable makes a Table.
func NewTable[K comparable, V any](s *System, name string, place Placement, sum func(K) uint64) *Table[K, V] {
	return nil
}

// Get looks up.
func (t *Table[K, V]) Get(n *Net, k K) (v V, ok bool) { return }

// Add files.
func (t *Table[K, V]) Add(n *Net, k K, v V) error { return nil }

// All yields n's entries.
func (t *Table[K, V]) All(n *Net) iter.Seq2[K, V] { return nil }

// Attend takes part.
func Attend(s *System, name string, enter func(*Net) error, preExit, exit func(*Net)) {}
