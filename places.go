package nsmodel

import (
	"fmt"
	"sort"
	"strings"
	"syscall"

	"nsmodel/netns"
)

// Places says where each subsystem's state stands: one field, one word. The
// zero value of a field is the subsystem's default, which is Linux's.
type Places struct {
	Devices netns.Placement // devices by name and by index
	MIB     netns.Placement // ledgers
	Neigh   netns.Placement // neighbours, of ARP and of neighbour discovery
	Netlink netns.Placement // who listens to notifications
	FDB     netns.Placement // bridges' forwarding entries
	Hooks   netns.Placement // netfilter's hook functions
	Addrs   netns.Placement // IPv4 addresses
	FIB     netns.Placement // routing tables
	Rules   netns.Placement // policy rules
	Sysctls netns.Placement // net.ipv4.*
	Frags   netns.Placement // fragments that wait for the rest
	UDP     netns.Placement // UDP sockets

	Exceptions netns.Placement // what IPv4 has learnt of ways: path MTUs, redirects

	Addrs6      netns.Placement // IPv6 addresses
	FIB6        netns.Placement // IPv6 routing tables
	Rules6      netns.Placement // IPv6 policy rules
	Sysctls6    netns.Placement // net.ipv6.*
	Frags6      netns.Placement // IPv6 fragments that wait for the rest
	Exceptions6 netns.Placement // what IPv6 has learnt of ways
}

// A place is a field of Places by its word on the command line.
type place struct {
	word    string
	at      func(*Places) *netns.Placement
	usual   netns.Placement
	meaning string
}

// places lists the subsystems whose placement can be chosen.
func places() []place {
	const T, R = netns.Tagged, netns.Replicated
	return []place{
		{"devices", func(p *Places) *netns.Placement { return &p.Devices }, R, "devices by name and by index"},
		{"mib", func(p *Places) *netns.Placement { return &p.MIB }, R, "packet ledgers"},
		{"neigh", func(p *Places) *netns.Placement { return &p.Neigh }, T, "neighbours of both families"},
		{"netlink", func(p *Places) *netns.Placement { return &p.Netlink }, R, "listeners to notifications"},
		{"fdb", func(p *Places) *netns.Placement { return &p.FDB }, R, "bridges' forwarding entries"},
		{"hooks", func(p *Places) *netns.Placement { return &p.Hooks }, R, "netfilter's hook functions"},
		{"addrs", func(p *Places) *netns.Placement { return &p.Addrs }, R, "IPv4 addresses"},
		{"fib", func(p *Places) *netns.Placement { return &p.FIB }, R, "routing tables"},
		{"rules", func(p *Places) *netns.Placement { return &p.Rules }, R, "policy rules"},
		{"sysctls", func(p *Places) *netns.Placement { return &p.Sysctls }, R, "net.ipv4.* tunables"},
		{"frags", func(p *Places) *netns.Placement { return &p.Frags }, R, "fragments waiting for the rest"},
		{"udp", func(p *Places) *netns.Placement { return &p.UDP }, T, "UDP sockets"},
		{"exceptions", func(p *Places) *netns.Placement { return &p.Exceptions }, R, "path MTUs and redirects"},
		{"addrs6", func(p *Places) *netns.Placement { return &p.Addrs6 }, R, "IPv6 addresses"},
		{"fib6", func(p *Places) *netns.Placement { return &p.FIB6 }, R, "IPv6 routing tables"},
		{"rules6", func(p *Places) *netns.Placement { return &p.Rules6 }, R, "IPv6 policy rules"},
		{"sysctls6", func(p *Places) *netns.Placement { return &p.Sysctls6 }, R, "net.ipv6.* tunables"},
		{"frags6", func(p *Places) *netns.Placement { return &p.Frags6 }, R, "IPv6 fragments waiting for the rest"},
		{"exceptions6", func(p *Places) *netns.Placement { return &p.Exceptions6 }, R, "IPv6 path MTUs and redirects"},
	}
}

// resolve puts the defaults where nothing was said.
func (p Places) resolve() Places {
	for _, f := range places() {
		if at := f.at(&p); *at == netns.Default {
			*at = f.usual
		}
	}
	return p
}

// AllPlaces returns a vector with every subsystem in one placement.
func AllPlaces(where netns.Placement) (p Places) {
	for _, f := range places() {
		*f.at(&p) = where
	}
	return p
}

// Set reads SUBSYSTEM=tagged|replicated|default, all=..., or the name of one of
// the [Vectors], into p: what comes later wins. EINVAL with a list of what there
// is for anything else.
func (p *Places) Set(text string) error {
	word, value, ok := strings.Cut(text, "=")
	if !ok {
		v, err := vector(text)
		if err == nil {
			*p = v
		}
		return err
	}
	where, err := netns.ParsePlacement(value)
	if err != nil {
		return fmt.Errorf("placement %q: want SUBSYSTEM=tagged|replicated, with SUBSYSTEM one of %s: %w", text, PlaceWords(), syscall.EINVAL)
	}
	if word == "all" {
		*p = AllPlaces(where)
		return nil
	}
	for _, f := range places() {
		if f.word == word {
			*f.at(p) = where
			return nil
		}
	}
	return fmt.Errorf("placement %q: no subsystem %q; there are all, %s: %w", text, word, PlaceWords(), syscall.EINVAL)
}

// PlaceWords returns the names of the subsystems, in the order of the floors.
func PlaceWords() string {
	var words []string
	for _, f := range places() {
		words = append(words, f.word)
	}
	return strings.Join(words, ", ")
}

// String lists p as Set reads it, sorted by subsystem.
func (p Places) String() string {
	var words []string
	for _, f := range places() {
		words = append(words, f.word+"="+f.at(&p).String())
	}
	sort.Strings(words)
	return strings.Join(words, " ")
}

// A PlaceRow describes a subsystem's placement for a table.
type PlaceRow struct {
	Word, Meaning string
	Place, Usual  netns.Placement
}

// Rows returns p as a table, in the order of the floors.
func (p Places) Rows() []PlaceRow {
	p = p.resolve()
	var rows []PlaceRow
	for _, f := range places() {
		rows = append(rows, PlaceRow{f.word, f.meaning, *f.at(&p), f.usual})
	}
	return rows
}
