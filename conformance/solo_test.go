package conformance

import (
	"slices"
	"strings"
	"testing"
)

// Whose a command is: the groups are joined by what names two Nets, and by
// nothing else.
func TestPartition(t *testing.T) {
	for _, c := range []struct{ lab, groups, owners string }{
		{"ip netns add red\nip -n red link", "[] [red]", "red red"},
		{"ip netns add red\nip link add v0 type veth peer name v1 netns red\nip netns add blue", "[ red] [blue]", "init init blue"},
		{"ip -n red link add v0 netns blue type veth peer name v1 netns green\nping -c 1 10.0.0.1", "[] [blue green red]", "blue init"},
		{"ip -n red link set v0 netns 1\nip netns del blue", "[ 1 red] [blue]", "init blue"},
		{"ip -n red netns set blue 4\nip netns list\nip frobnicate", "[] [blue red]", "blue * *"},
		{"ip -n red -batch - <<E\nlink set v0 netns blue\nE\nip netns exec green probe sleep 1", "[] [blue red] [green]", "blue green"},
		{"ip -all netns exec ip link\nip netns add red", "[ red]", "init init"},
	} {
		l, err := Parse("x.lab", c.lab+"\n")
		if err != nil {
			t.Fatal(err)
		}
		p := partition(l.Lines)
		var groups, owners []string
		for _, g := range p.groups {
			groups = append(groups, "["+strings.Join(p.nets[g], " ")+"]")
		}
		for _, o := range p.owner {
			if o == "" {
				o = "init"
			}
			owners = append(owners, o)
		}
		if got := strings.Join(groups, " "); got != c.groups {
			t.Errorf("%s: groups %s, want %s", c.lab, got, c.groups)
		}
		if got := strings.Join(owners, " "); got != c.owners {
			t.Errorf("%s: owners %s, want %s", c.lab, got, c.owners)
		}
	}
}

// Strangers do the same in Nets of other names; what cannot be said of others
// is told.
func TestStrangers(t *testing.T) {
	l, err := Parse("x.lab", "ip netns add red\nip link add v0 type veth peer name v1 netns red\nip -n red link set v1 netns 1\nip -n red netns set red 3\nip netns exec red ping -c 1 10.0.0.1\nip netns list\n")
	if err != nil {
		t.Fatal(err)
	}
	lines, note := withStrangers(l.Lines)
	var texts []string
	for _, line := range lines {
		texts = append(texts, line.Text)
	}
	want := []string{
		"ip netns add other-initial",
		"ip netns add red", "ip netns add other-red",
		l.Lines[1].Text, "ip netns exec other-initial ip link add v0 type veth peer name v1 netns other-red",
		l.Lines[2].Text, "ip -n other-red link set v1 netns other-initial",
		l.Lines[3].Text, "ip -n other-red netns set other-red 3",
		l.Lines[4].Text, "ip netns exec other-red ping -c 1 10.0.0.1",
		"ip netns list",
	}
	if !slices.Equal(texts, want) || note != "" {
		t.Errorf("%s\nwant\n%s\n%s", strings.Join(texts, "\n"), strings.Join(want, "\n"), note)
	}
	l, err = Parse("x.lab", "ip -all netns exec ip link\n")
	if err != nil {
		t.Fatal(err)
	}
	if lines, note := withStrangers(l.Lines); len(lines) != 1 || note == "" {
		t.Errorf("%d lines, %q", len(lines), note)
	}
}
