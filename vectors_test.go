package nsmodel_test

import (
	"errors"
	"syscall"
	"testing"

	"nsmodel"
	"nsmodel/netns"
)

// A vector says a word for every subsystem, builds a machine, and is what --place takes.
func TestVectors(t *testing.T) {
	seen := map[nsmodel.Places]string{}
	for _, v := range nsmodel.Vectors() {
		for _, r := range v.Places.Rows() {
			if r.Place != netns.Tagged && r.Place != netns.Replicated {
				t.Errorf("%s says nothing of %s", v.Name, r.Word)
			}
		}
		if other := seen[v.Places]; other != "" {
			t.Errorf("%s is %s under another name", v.Name, other)
		}
		seen[v.Places] = v.Name
		p := nsmodel.Places{FIB: netns.Tagged}
		if err := p.Set(v.Name); err != nil || p != v.Places {
			t.Errorf("Set(%q): %v, %v", v.Name, p, err)
		}
		m, err := nsmodel.New(nsmodel.Config{Place: v.Places})
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if m.Places() != v.Places {
			t.Errorf("%s built %v", v.Name, m.Places())
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	p := nsmodel.Places{FIB: netns.Tagged}
	before := p
	if err := p.Set("linux-1.0"); !errors.Is(err, syscall.EINVAL) || p != before {
		t.Errorf("Set of what is no vector: %v, %v", err, p)
	}
}

// The vectors differ from each other where Linux moved a table, and nowhere else.
func TestVectorsFollowLinux(t *testing.T) {
	tagged := map[string]string{}
	for _, v := range nsmodel.Vectors() {
		tagged[v.Name] = v.Shared()
	}
	for name, want := range map[string]string{
		"default": "neigh udp", "all-tagged": "everything", "all-replicated": "nothing",
		"linux-2.6.24": "neigh netlink hooks frags udp exceptions addrs6 frags6", "linux-6.12": "neigh netlink addrs udp", "linux-2026-09": "netlink udp",
	} {
		if tagged[name] != want {
			t.Errorf("%s shares %s, want %s", name, tagged[name], want)
		}
	}
}
