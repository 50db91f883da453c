package compare

import (
	"fmt"

	"nsmodel"
	"nsmodel/netns"
)

// newMachine builds a machine for measuring on.
func newMachine(c nsmodel.Config) (*nsmodel.Machine, error) {
	c.Seed = 1
	return nsmodel.New(c)
}

// place returns the placement that a series stands for.
func place(series string) netns.Placement {
	if series == Replicated {
		return netns.Replicated
	}
	return netns.Tagged
}

// crowd makes k Nets, named after their number, and has each do something.
func crowd(m *nsmodel.Machine, name string, k int, each func(*netns.Net) error) error {
	for i := range k {
		n, err := m.AddNet(fmt.Sprint(name, i))
		if err != nil {
			return err
		}
		if err := each(n); err != nil {
			return err
		}
	}
	return nil
}
