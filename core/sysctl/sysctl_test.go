package sysctl

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"testing"

	"nsmodel/core"
	"nsmodel/netns"
)

func boot(t *testing.T) (*core.Stack, *Registry, *netns.Net) {
	t.Helper()
	sys := netns.New(netns.Config{})
	s := core.New(sys, core.Config{Gates: []core.GateRow{{Layer: core.LayerSysctl, Entry: "net.old", Why: "test"}}})
	r := New(s)
	values := netns.NewCell(sys, "values", netns.Tagged, func(*netns.Net) *map[string]int { return &map[string]int{} })
	entry := func(name, row string) Entry {
		return Entry{Name: name, Row: row,
			Get: func(n *netns.Net, i string) (string, error) { return strconv.Itoa((*values.Of(n))[name+i]), nil },
			Set: func(n *netns.Net, i, v string) error {
				k, err := strconv.Atoi(v)
				if err != nil {
					return syscall.EINVAL
				}
				(*values.Own(n))[name+i] = k
				return nil
			}}
	}
	dev := entry("net.ipv4.conf.*.x", "net.ipv4")
	dev.Instances = func(n *netns.Net) []string {
		if n.IsInit() {
			return []string{"all", "eth0.1"}
		}
		return []string{"all"}
	}
	fixed := entry("net.ipv4.fixed", "net.ipv4")
	fixed.Set = nil
	only := entry("net.core.only", "net.core")
	only.InitOnly = true
	for _, e := range []Entry{entry("net.ipv4.a", "net.ipv4"), dev, fixed, only, entry("net.old.x", "net.old")} {
		if err := r.Register(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := sys.Boot(); err != nil {
		t.Fatal(err)
	}
	sys.Lock()
	t.Cleanup(sys.Unlock)
	n, err := sys.NewNet("n")
	if err != nil {
		t.Fatal(err)
	}
	return s, r, n
}

func TestValues(t *testing.T) {
	s, r, n := boot(t)
	init := s.Sys.Init()
	for _, test := range []struct {
		net         *netns.Net
		name, value string
		want        error
	}{
		{n, "net.ipv4.a", " 5\n", nil},
		{n, "net/ipv4/a", "6", nil},
		{n, "net.ipv4.a", "x", syscall.EINVAL},
		{n, "net.ipv4.b", "1", syscall.ENOENT},
		{n, "net.ipv4.fixed", "1", syscall.EACCES},
		{n, "net.core.only", "1", syscall.ENOENT},
		{init, "net.core.only", "1", nil},
		{n, "net.old.x", "1", syscall.ENOENT},
		{init, "net.old.x", "1", nil},
		{n, "net.ipv4.conf.all.x", "7", nil},
		{n, "net.ipv4.conf.eth0/1.x", "1", syscall.ENOENT}, // no such device there
		{init, "net.ipv4.conf.eth0/1.x", "8", nil},
		{init, "net/ipv4/conf/eth0.1/x", "9", nil},
		{init, "net.ipv4.conf.eth0.1.x", "1", syscall.ENOENT},
		{init, "net.ipv4.conf..x", "1", syscall.ENOENT},
	} {
		if err := r.Set(test.net, test.name, test.value); !errors.Is(err, test.want) {
			t.Errorf("%s=%q in %q: %v, want %v", test.name, test.value, test.net.Name(), err, test.want)
		}
	}
	if got := fmt.Sprint(r.All(n)); got != "[{net.ipv4.a 6} {net.ipv4.conf.all.x 7} {net.ipv4.fixed 0}]" {
		t.Errorf("n sees %s", got)
	}
	if got := fmt.Sprint(r.All(init)); got != "[{net.core.only 1} {net.ipv4.a 0} {net.ipv4.conf.all.x 0} {net.ipv4.conf.eth0/1.x 9} {net.ipv4.fixed 0} {net.old.x 1}]" {
		t.Errorf("init sees %s", got)
	}
	for _, v := range r.All(init) {
		if got, err := r.Get(init, v.Name); err != nil || got != v.Value {
			t.Errorf("%s: %q, %v", v.Name, got, err)
		}
	}
}
