package fib

import (
	"iter"
	"slices"
	"sync/atomic"

	"nsmodel/netns"
)

// A home is one Net's tables. All that readers follow hangs on one pointer, so
// that a lookup sees the tables as they were at one moment.
type home struct {
	tables atomic.Pointer[tables] // nil: none yet

	// under rtnl
	infos   map[infoKey]*info // to be shared by routes to come; nil while tables are small
	aliases map[alias]*alias  // likewise
}

// tables is the set of a Net's tables; immutable.
//
// As in Linux, the tables local and main are one trie until the first change to
// the rules splits them (fib_unmerge). That makes the usual lookup one walk,
// and it can be seen: a longer prefix in main then wins over one in local.
type tables struct {
	local *trie // nil unless split
	main  *trie // with local's routes unless split
	dflt  *trie
	more  []numbered
	split bool
	known bool // local was ever used; until then Linux has no such table
}

// numbered is a table that has only a number.
type numbered struct {
	id   uint32
	age  int // how many such tables were made before it
	trie *trie
}

// get returns the trie that holds the table, nil if there is none.
func (t *tables) get(id uint32) *trie {
	switch {
	case id == TableMain, id == TableLocal && !t.split:
		return t.main
	case id == TableLocal:
		return t.local
	case id == TableDefault:
		return t.dflt
	}
	if i, ok := slices.BinarySearchFunc(t.more, id, byID); ok {
		return t.more[i].trie
	}
	return nil
}

func byID(t numbered, id uint32) int {
	switch {
	case t.id < id:
		return -1
	case t.id > id:
		return 1
	}
	return 0
}

// with returns a set in which the table's trie is tr.
func (t *tables) with(id uint32, tr *trie) *tables {
	m := *t
	m.known = t.known || id == TableLocal
	switch {
	case id == TableMain, id == TableLocal && !t.split:
		m.main = tr
	case id == TableLocal:
		m.local = tr
	case id == TableDefault:
		m.dflt = tr
	default:
		i, found := slices.BinarySearchFunc(t.more, id, byID)
		e := numbered{id, len(t.more), tr}
		if found {
			e.age = t.more[i].age
		}
		m.more = put(t.more, i, e, found)
	}
	return &m
}

// unmerge returns a set in which local and main are two tries.
// Linux: fib_unmerge.
func (t *tables) unmerge() *tables {
	if t.split {
		return t
	}
	m := *t
	m.split = true
	m.local = t.main.edit(hint{}, only(TableLocal))
	m.main = t.main.edit(hint{}, only(TableMain))
	return &m
}

// Exists reports whether a route was ever meant for the table. Linux: fib_get_table.
func (f *FIB) Exists(n *netns.Net, id uint32) bool {
	t := f.snapshot(n)
	return t.get(id) != nil && (id != TableLocal || t.known)
}

// CustomRules reports whether a Net's rules were ever changed.
// Linux: fib4_has_custom_rules.
func (f *FIB) CustomRules(n *netns.Net) bool {
	return f.rules.Of(n).set.Load() != nil
}

// only returns an edit that keeps the aliases of one table.
func only(id uint32) func(cell) *alias {
	return func(c cell) *alias {
		return link(slices.DeleteFunc(c.chain.list(), func(a *alias) bool { return a.table != id }))
	}
}

// each calls f with every trie and puts what it returns in its place.
func (t *tables) each(f func(*trie) *trie) *tables {
	m := *t
	m.local, m.main, m.dflt = f(t.local), f(t.main), f(t.dflt)
	m.more = slices.Clone(t.more)
	for i := range m.more {
		m.more[i].trie = f(m.more[i].trie)
	}
	return &m
}

// ids returns the tables in the order in which Linux dumps them: by hash
// bucket, the id's low byte, and the newest first in each.
func (t *tables) ids() []uint32 {
	all := slices.Clone(t.more)
	all = append(all, numbered{id: TableDefault, age: -1}, numbered{id: TableMain, age: -1}, numbered{id: TableLocal, age: -1})
	slices.SortFunc(all, func(a, b numbered) int {
		if c := int(a.id&255) - int(b.id&255); c != 0 {
			return c
		}
		return b.age - a.age
	})
	ids := make([]uint32, len(all))
	for i := range all {
		ids[i] = all[i].id
	}
	return ids
}

// snapshot returns n's tables as they are; never nil.
func (f *FIB) snapshot(n *netns.Net) *tables {
	if t := f.homes.Of(n).tables.Load(); t != nil {
		return t
	}
	return &tables{split: f.conf.Family == IPv6}
}

// A Table is one routing table as it was at one moment: later changes do not
// show in it. Linux: struct fib_table.
type Table struct {
	ID     uint32
	Family Family
	trie   *trie
}

// Table returns n's table of that number; one that was never used is empty.
func (f *FIB) Table(n *netns.Net, id uint32) Table {
	return Table{id, f.conf.Family, f.snapshot(n).get(id)}
}

// Tables returns the numbers of n's tables, in the order of Linux's dump.
func (f *FIB) Tables(n *netns.Net) []uint32 { return f.snapshot(n).ids() }

// All yields the table's routes in the order of Linux's dump: by address, the
// longer prefix first among those of one address (IPv6: a prefix behind all that
// lie in it), then by metric.
func (t Table) All() iter.Seq[Route] {
	return func(yield func(Route) bool) {
		walk := t.trie.walk
		if t.Family == IPv6 {
			walk = t.trie.walk6
		}
		walk(func(c cell, a *alias) bool { return a.table != t.ID || yield(c.route(a)) })
	}
}

// Len counts the table's routes.
func (t Table) Len() (count int) {
	t.trie.walk(func(_ cell, a *alias) bool {
		if a.table == t.ID {
			count++
		}
		return true
	})
	return count
}

// Routes yields n's routes in a table, or in all of them if table is 0, in the
// order of `ip route show table all`. It is a snapshot.
func (f *FIB) Routes(n *netns.Net, table uint32) iter.Seq[Route] {
	t, ids := f.snapshot(n), []uint32{table}
	if table == 0 {
		ids = t.ids()
	}
	return func(yield func(Route) bool) {
		for _, id := range ids {
			for r := range (Table{id, f.conf.Family, t.get(id)}).All() {
				if !yield(r) {
					return
				}
			}
		}
	}
}
