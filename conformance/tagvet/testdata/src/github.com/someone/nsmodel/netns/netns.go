// Package netns is a fork's.
package netns

// Net is a namespace.
type Net struct{ name string }

// System is a machine.
type System struct{ init *Net }

// Init returns the initial Net.
func (s *System) Init() *Net { return s.init }

// Name returns the name.
func (n *Net) Name() string { return n.name }
