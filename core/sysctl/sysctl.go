// Package sysctl keeps the names and values of the tunables below /proc/sys, as
// each Net sees them. A subsystem registers an entry once for the machine; the
// functions it hands over find the value in the Net that asks.
package sysctl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"nsmodel/core"
	"nsmodel/netns"
)

// An Entry is one name, or one family of names with a `*` in it that stands for
// a device, all or default, as net.ipv4.conf.*.forwarding.
// Linux: struct ctl_table.
type Entry struct {
	Name string
	// Row is the entry's row in the table of gates: net.core or net.ipv4.
	Row string
	// Get returns the value as text; instance is what the * stands for.
	Get func(n *netns.Net, instance string) (string, error)
	// Set stores a value: EINVAL for one that is none or out of range. Nil
	// makes the entry read-only: EACCES.
	Set func(n *netns.Net, instance, value string) error
	// Instances lists what the * stands for in n, in no special order.
	Instances func(n *netns.Net) []string
	// InitOnly hides the entry from every Net but the initial one.
	InitOnly bool

	gate *netns.Gate
}

// A Registry is the tree of tunables of one machine.
type Registry struct {
	stack   *core.Stack
	entries []*Entry
}

// New returns an empty tree.
func New(s *core.Stack) *Registry { return &Registry{stack: s} }

// Register adds an entry, before the machine boots. ENOENT without a row in the
// table of gates, EEXIST if the name is taken. Linux: register_net_sysctl.
func (r *Registry) Register(e Entry) error {
	g, err := r.stack.Gate(core.LayerSysctl, e.Row)
	if err != nil {
		return err
	}
	for _, o := range r.entries {
		if o.Name == e.Name {
			return fmt.Errorf("sysctl: %s: %w", e.Name, syscall.EEXIST)
		}
	}
	e.gate = g
	r.entries = append(r.entries, &e)
	return nil
}

// find returns the entry for name as n sees it. Dots inside an instance are
// written as slashes, as sysctl does (eth0/1 for eth0.1).
func (r *Registry) find(n *netns.Net, name string) (*Entry, string, error) {
	name = Canonical(name)
	for _, e := range r.entries {
		instance, ok := match(e.Name, name)
		if !ok || !e.gate.Admit(n) || e.InitOnly && !n.IsInit() {
			continue
		}
		if e.Instances != nil && !slices.Contains(e.Instances(n), instance) {
			continue
		}
		return e, instance, nil
	}
	return nil, "", fmt.Errorf("sysctl: cannot stat /proc/sys/%s: %w", strings.ReplaceAll(name, ".", "/"), syscall.ENOENT)
}

// Canonical turns the slashed form of a name into the dotted one.
func Canonical(name string) string {
	if at := strings.IndexAny(name, "./"); at >= 0 && name[at] == '/' {
		swap := strings.NewReplacer("/", ".", ".", "/")
		return swap.Replace(name)
	}
	return name
}

func match(pattern, name string) (instance string, ok bool) {
	pre, post, wild := strings.Cut(pattern, "*")
	if !wild {
		return "", pattern == name
	}
	if len(name) <= len(pre)+len(post) || !strings.HasPrefix(name, pre) || !strings.HasSuffix(name, post) {
		return "", false
	}
	mid := name[len(pre) : len(name)-len(post)]
	return strings.ReplaceAll(mid, "/", "."), !strings.Contains(mid, ".")
}

// Get returns the value of name in n; ENOENT if n has no such name.
func (r *Registry) Get(n *netns.Net, name string) (string, error) {
	e, instance, err := r.find(n, name)
	if err != nil {
		return "", err
	}
	return e.Get(n, instance)
}

// Set stores a value in n: ENOENT for no such name, EACCES for one that cannot
// be written there, EINVAL for a bad value. Under rtnl.
func (r *Registry) Set(n *netns.Net, name, value string) error {
	e, instance, err := r.find(n, name)
	if err != nil {
		return err
	}
	if e.Set == nil {
		return fmt.Errorf("sysctl: permission denied on key %q: %w", name, syscall.EACCES)
	}
	if err := e.Set(n, instance, strings.TrimSpace(value)); err != nil {
		return fmt.Errorf("sysctl: setting key %q: %w", name, err)
	}
	return nil
}

// A Value is a name and its value.
type Value struct{ Name, Value string }

// All returns what n sees, sorted by name as `sysctl -a` prints it.
func (r *Registry) All(n *netns.Net) []Value {
	var all []Value
	add := func(e *Entry, instance string) {
		if v, err := e.Get(n, instance); err == nil {
			all = append(all, Value{strings.Replace(e.Name, "*", strings.ReplaceAll(instance, ".", "/"), 1), v})
		}
	}
	for _, e := range r.entries {
		if !e.gate.Admit(n) || e.InitOnly && !n.IsInit() {
			continue
		}
		if e.Instances == nil {
			add(e, "")
			continue
		}
		for _, i := range e.Instances(n) {
			add(e, i)
		}
	}
	slices.SortFunc(all, func(a, b Value) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
