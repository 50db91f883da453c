package main

import (
	"net/netip"

	"github.com/gaissmai/bart"

	"nsmodel/core"
	"nsmodel/fib"
	"nsmodel/netns"
)

// hops is how many next hops the routes share.
const hops = 4

// A table is one of those that are compared. Route i goes by hop i modulo hops,
// from 1 on.
type table interface {
	fill(routes []netip.Prefix)
	lookups(keys []netip.Addr)
	hop(a netip.Addr) int32 // 0: none
}

// A maker makes tables of one sort.
type maker struct {
	name    string
	make    func() table
	another func(others []table) table // one of many, which ours has in one System; nil: like another sort's
	empty   bool                       // an empty one counts as well
}

func makers(family fib.Family) []maker {
	alone := func(name string, f func() table) maker {
		return maker{name, f, func([]table) table { return f() }, true}
	}
	return []maker{
		alone("bart.Table", func() table { return &plain{} }),
		alone("bart.Fast", func() table { return &fast{} }),
		alone("bart persist", func() table { return &persist{new(bart.Table[*fib.NextHop])} }),
		{"nsmodel fib", func() table { return newOurs(family) }, func(others []table) table {
			if len(others) == 0 {
				return newOurs(family)
			}
			return others[0].(*ours).another()
		}, false},
		{"nsmodel bare", func() table { return bare{newOurs(family)} }, nil, false},
	}
}

var nextHops = func() (list [hops + 1]*fib.NextHop) {
	for i := range list {
		list[i] = &fib.NextHop{IfIndex: int32(i)}
	}
	return list
}()

// sum keeps the compiler from leaving lookups out.
var sum int32

// plain is bart.Table, whose readers a change would have to keep out.
type plain struct{ t bart.Table[*fib.NextHop] }

func (t *plain) fill(routes []netip.Prefix) {
	for i, p := range routes {
		t.t.Insert(p, nextHops[1+i%hops])
	}
}

func (t *plain) lookups(keys []netip.Addr) {
	for _, a := range keys {
		if h, ok := t.t.Lookup(a); ok {
			sum += h.IfIndex
		}
	}
}

func (t *plain) hop(a netip.Addr) int32 {
	if h, ok := t.t.Lookup(a); ok {
		return h.IfIndex
	}
	return 0
}

// fast is bart.Fast, with larger nodes.
type fast struct{ t bart.Fast[*fib.NextHop] }

func (t *fast) fill(routes []netip.Prefix) {
	for i, p := range routes {
		t.t.Insert(p, nextHops[1+i%hops])
	}
}

func (t *fast) lookups(keys []netip.Addr) {
	for _, a := range keys {
		if h, ok := t.t.Lookup(a); ok {
			sum += h.IfIndex
		}
	}
}

func (t *fast) hop(a netip.Addr) int32 {
	if h, ok := t.t.Lookup(a); ok {
		return h.IfIndex
	}
	return 0
}

// persist is bart.Table as one would use it with readers that take no lock: each
// change makes a new one.
type persist struct{ t *bart.Table[*fib.NextHop] }

func (t *persist) fill(routes []netip.Prefix) {
	for i, p := range routes {
		t.t = t.t.InsertPersist(p, nextHops[1+i%hops])
	}
}

func (t *persist) lookups(keys []netip.Addr) {
	for _, a := range keys {
		if h, ok := t.t.Lookup(a); ok {
			sum += h.IfIndex
		}
	}
}

func (t *persist) hop(a netip.Addr) int32 {
	if h, ok := t.t.Lookup(a); ok {
		return h.IfIndex
	}
	return 0
}

// ours is a Net's table main.
type ours struct {
	sys  *netns.System
	fib  *fib.FIB
	n    *netns.Net
	devs [hops + 1]*core.Device
}

func newOurs(family fib.Family) *ours {
	t := &ours{sys: netns.New(netns.Config{})}
	t.fib = fib.New(t.sys, fib.Config{Family: family})
	if err := t.sys.Boot(); err != nil {
		panic(err)
	}
	for i := range t.devs {
		t.devs[i] = new(core.Device)
	}
	return t.another()
}

// another is the table of another Net.
func (t *ours) another() *ours {
	t.sys.Lock()
	defer t.sys.Unlock()
	c := *t
	var err error
	if c.n, err = t.sys.NewNet(""); err != nil {
		panic(err)
	}
	return &c
}

func (t *ours) fill(routes []netip.Prefix) {
	t.sys.Lock()
	defer t.sys.Unlock()
	for i, p := range routes {
		d := 1 + i%hops
		r := fib.Route{Dst: p, Type: fib.Unicast, Scope: fib.Link, NextHops: []fib.NextHop{{Dev: t.devs[d], IfIndex: int32(d)}}}
		if err := t.fib.Add(t.n, r, fib.AddRoute); err != nil {
			panic(err)
		}
	}
}

func (t *ours) lookups(keys []netip.Addr) {
	var fl fib.Flow
	for _, a := range keys {
		fl.Dst = a
		if res, err := t.fib.Lookup(t.n, &fl); err == nil {
			sum += res.Hop.IfIndex
		}
	}
}

func (t *ours) hop(a netip.Addr) int32 {
	res, err := t.fib.Lookup(t.n, &fib.Flow{Dst: a})
	if err != nil {
		return 0
	}
	return res.Hop.IfIndex
}

// bare is our table without what Lookup asks besides: rules, scope, type, the state
// of the next hop. That is all that bart does.
type bare struct{ *ours }

func (t bare) lookups(keys []netip.Addr) {
	for _, a := range keys {
		if h := t.fib.Match(t.n, fib.TableMain, a); h != nil {
			sum += h.IfIndex
		}
	}
}

func (t bare) hop(a netip.Addr) int32 {
	if h := t.fib.Match(t.n, fib.TableMain, a); h != nil {
		return h.IfIndex
	}
	return 0
}
