package nsmodel

import (
	"fmt"
	"strings"
	"syscall"

	"nsmodel/netns"
)

// A Vector is a placement for every subsystem, under a name that commands and
// judges take in place of single words.
type Vector struct {
	Name, Meaning string
	Places        Places
}

// Vectors lists the named ones. Those called after a Linux release say where
// that release kept the state; what it could not yet give to a namespace at all
// stands where its first conversion put it. docs/placements.md has the sources.
func Vectors() []Vector {
	const T, R = netns.Tagged, netns.Replicated
	linux := func(tagged ...func(*Places) *netns.Placement) Places {
		p := AllPlaces(R)
		for _, at := range tagged {
			*at(&p) = T
		}
		return p
	}
	neigh := func(p *Places) *netns.Placement { return &p.Neigh }
	netlink := func(p *Places) *netns.Placement { return &p.Netlink }
	hooks := func(p *Places) *netns.Placement { return &p.Hooks }
	addrs := func(p *Places) *netns.Placement { return &p.Addrs }
	addrs6 := func(p *Places) *netns.Placement { return &p.Addrs6 } // replicated since 5.18
	frags := func(p *Places) *netns.Placement { return &p.Frags }
	frags6 := func(p *Places) *netns.Placement { return &p.Frags6 }         // replicated since 4.17, as IPv4's
	routeCache := func(p *Places) *netns.Placement { return &p.Exceptions } // of the next hops since 3.6
	udp := func(p *Places) *netns.Placement { return &p.UDP }
	return []Vector{
		{"default", "this project's: Linux's but for the sockets of netlink", Places{}.resolve()},
		{"all-tagged", "one table for all namespaces, everywhere", AllPlaces(T)},
		{"all-replicated", "a table for each namespace, everywhere", AllPlaces(R)},
		{"linux-2.6.24", "as namespaces came into Linux, 2008", linux(neigh, netlink, hooks, frags, routeCache, addrs6, frags6, udp)},
		{"linux-6.12", "as of Linux 6.12, 2024", linux(neigh, netlink, addrs, udp)},
		{"linux-2026-09", "neighbours and addresses given to each namespace", linux(netlink, udp)},
	}
}

// vector returns the placements of a named vector.
func vector(name string) (Places, error) {
	var names []string
	for _, v := range Vectors() {
		if v.Name == name {
			return v.Places, nil
		}
		names = append(names, v.Name)
	}
	return Places{}, fmt.Errorf("placement %q: want SUBSYSTEM=tagged|replicated with SUBSYSTEM one of all, %s, or a vector's name: %s: %w",
		name, PlaceWords(), strings.Join(names, ", "), syscall.EINVAL)
}

// Shared lists the subsystems that the vector tags, "nothing" if there are none.
func (v Vector) Shared() string {
	var words []string
	for _, r := range v.Places.Rows() {
		if r.Place == netns.Tagged {
			words = append(words, r.Word)
		}
	}
	switch len(words) {
	case 0:
		return "nothing"
	case len(places()):
		return "everything"
	}
	return strings.Join(words, " ")
}
