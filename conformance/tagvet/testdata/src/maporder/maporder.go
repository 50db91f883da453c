// Package maporder loops over maps.
package maporder

import (
	"maps"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"nsmodel/netns"
)

type conn struct{ n int }

func (c *conn) close() {}

func bad(m map[string]int, conns map[int]*conn, tell func(string), ch chan string) (list []string) {
	for k := range m { // want `appends to list, which is not sorted later`
		list = append(list, k)
	}
	for _, c := range conns { // want `calls c.close for each`
		c.close()
	}
	for k := range m { // want `calls tell for each`
		tell(k)
	}
	for k := range m { // want `sends`
		ch <- k
	}
	text := ""
	for k := range m { // want `adds to text`
		text += k
	}
	var one string
	for k := range m { // want `keeps in one whichever entry comes last`
		one = k
	}
	h := 0
	for _, v := range m { // want `keeps in h whichever`
		h = h*31 + v
	}
	for k := range maps.Keys(m) { // want `calls tell`
		tell(k)
	}
	all := slices.Collect(maps.Keys(m)) // want `slices.Collect holds a map's entries in an order`
	_, _ = one, all
	return list
}

func first(m map[string]int) string {
	for k := range m { // want `returns whichever entry comes first`
		return k
	}
	return ""
}

func check(m map[string]int, f func(string) error) error {
	for k := range m { // want `the order of map m shows`
		if err := f(k); err != nil {
			return err
		}
	}
	return nil
}

func seq(m map[string]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m { // want `calls yield for each`
			if !yield(k) {
				return
			}
		}
	}
}

func syncMap(m *sync.Map) {
	m.Range(func(k, v any) bool { return true }) // want `sync.Map.Range`
}

func good(m map[string]int, other map[string]int, t *netns.Table[string, int], n *netns.Net, hits *atomic.Int64) ([]string, int, bool) {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var more []string
	for k := range m {
		more = append(more, k)
	}
	sort.Slice(more, func(i, j int) bool { return more[i] < more[j] })
	sum, found, bits := 0, false, 0
	for k, v := range m {
		sum += v
		sum++
		bits |= v
		found = found || v == 3
		other[k] = v
		if v == 5 {
			found = true
			delete(m, k)
		}
		hits.Add(1)
	}
	best := ""
	for k := range m {
		if best == "" || k < best {
			best = k
		}
	}
	lists := map[string][]int{}
	for k, v := range m {
		local := []int{}
		local = append(local, v)
		lists[k] = append(lists[k], local...)
	}
	for range m {
		keys = append(keys, "x")
	}
	for _, v := range m {
		if v == 1 {
			return nil, 0, true
		}
	}
	for k := range t.All(n) { // in the order of Add
		keys = append(keys, k)
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		keys = append(keys, k)
	}
	ordered := slices.Collect(maps.Keys(m))
	slices.Sort(ordered)
	for _, k := range keys {
		more = append(more, k)
	}
	return keys, sum + bits, found
}
