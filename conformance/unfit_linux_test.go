package conformance

import (
	"strings"
	"testing"
)

// A lab that names a process would reach into the computer's own namespace: it
// is never run on the real kernel.
func TestProcessesAreNotOurs(t *testing.T) {
	for text, want := range map[string]bool{
		"ip netns add 1a\n":                                  true,
		"ip link set v0 netns 1\n":                           false,
		"ip link add v0 type veth peer name v1 netns 4711\n": false,
		"ip link set v0 netns red\n":                         true,
	} {
		l, err := Parse("t.lab", text)
		if err != nil {
			t.Fatal(err)
		}
		if why := l.Unfit(); (why == "") != want || !want && !strings.Contains(why, "process") {
			t.Errorf("%q: unfit %q", text, why)
		}
	}
}
