package link_test

import (
	"os"
	"strings"
	"testing"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// TestNICGroups: the kernel's interface is asked for the groups that the device
// listens to, and is left as it was found.
func TestNICGroups(t *testing.T) {
	bothPlacements(t, func(t *testing.T, m *machine) {
		c := newCable(m)
		n := m.net("n")
		d := c.nic(n, "")
		asked := func() bool {
			b, err := os.ReadFile("/proc/thread-self/net/dev_mcast")
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(string(b), "\n") {
				if f := strings.Fields(line); len(f) == 5 && f[1] == c.near && f[4] == "01005e010203" {
					return true
				}
			}
			return false
		}
		a := wire.MulticastMAC([4]byte{239, 1, 2, 3})
		if asked() {
			t.Fatal("the group is there from the start")
		}
		d.AddGroup(a)
		if !asked() {
			t.Error("the interface was not asked for the group")
		}
		m.ok(d.DelGroup(a))
		if asked() {
			t.Error("the group was not given back")
		}
		d.AddGroup(a)
		m.s.SetFlag(d, core.FlagAllMulti, true)
		m.s.SetDown(d)
		if asked() {
			t.Error("a device that is down asks for groups")
		}
		m.ok(m.s.SetUp(d))
		if !asked() {
			t.Error("up again, it has not asked")
		}
	})
}
