package compare

import (
	"testing"

	"nsmodel"
	"nsmodel/netns"
)

// Entries of every kind that an end is measured with are there when it begins, and
// gone after it.
func TestEndKindsAreFiled(t *testing.T) {
	for _, k := range endKinds() {
		t.Run(k.figure, func(t *testing.T) {
			m, err := newMachine(nsmodel.Config{Place: nsmodel.AllPlaces(netns.Tagged), IPv6: true})
			if err != nil {
				t.Fatal(err)
			}
			filed := func() (sum int) {
				m.Sys.Lock()
				defer m.Sys.Unlock()
				for _, s := range m.Sys.Subsystems() {
					sum += int(s.Entries)
				}
				return sum
			}
			const count = 20
			bare := filed()
			n, err := endNet(m, "mine")
			if err != nil {
				t.Fatal(err)
			}
			before := filed()
			closing, err := k.add(m, n, count)
			if err != nil {
				t.Fatal(err)
			}
			if got := filed() - before; got < count || got%count != 0 {
				t.Errorf("%d entries of tables from %d %s", got, count, k.what)
			}
			if err := closing(); err != nil {
				t.Fatal(err)
			}
			if err := m.DeleteNet("mine"); err != nil {
				t.Fatal(err)
			}
			if got := filed(); got != bare {
				t.Errorf("%d entries after the end, %d before", got, bare)
			}
		})
	}
}
