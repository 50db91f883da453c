package fib

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A listFIB is the oracle of the trie: a slice that is scanned.
type listFIB []cell

func (l listFIB) lookup(k key, most int) (best *alias, plen uint8) {
	for _, a := range l {
		if int(a.plen) <= most && k.agree(a.key, a.plen) && (best == nil || a.plen > plen) {
			best, plen = a.chain, a.plen
		}
	}
	return best, plen
}

func (l listFIB) index(k key, plen uint8) int {
	return slices.IndexFunc(l, func(a cell) bool { return a.key == k && a.plen == plen })
}

func mask(k key, plen uint8) key {
	a := k.addr(IPv6)
	p, err := a.Prefix(int(plen))
	if err != nil {
		panic(err)
	}
	k, _ = keyOf(IPv6, p.Addr())
	return k
}

// drawPrefix draws prefixes that nest and neighbour each other.
func drawPrefix(t *rapid.T, f Family) (key, uint8) {
	// A few patterns of bits, each repeated, so that many prefixes share a path.
	pat := rapid.SampledFrom([]uint64{0, 0x0a000000_00000000, 0x0a0a0000_20010db8, 0xffffffff_ffffffff, 0x80000000_00000001, 0x7f000001_7f000001}).Draw(t, "pattern")
	k := key{pat, pat}
	for range rapid.IntRange(0, 3).Draw(t, "flips") {
		b := rapid.IntRange(0, 127).Draw(t, "bit")
		if b < 64 {
			k.hi ^= 1 << (63 - b)
		} else {
			k.lo ^= 1 << (127 - b)
		}
	}
	if f == IPv4 {
		k.lo, k.hi = 0, k.hi&^(1<<32-1)
	}
	plen := uint8(rapid.IntRange(0, f.bits()).Draw(t, "plen"))
	return mask(k, plen), plen
}

func TestTrieAgreesWithList(t *testing.T) {
	for _, f := range []Family{IPv4, IPv6} {
		t.Run(f.String(), rapid.MakeCheck(func(t *rapid.T) {
			var tr *trie
			var list listFIB
			type snap struct {
				tr   *trie
				list listFIB
			}
			var snaps []snap
			for range rapid.IntRange(1, 60).Draw(t, "steps") {
				k, plen := drawPrefix(t, f)
				i := list.index(k, plen)
				if rapid.IntRange(0, 7).Draw(t, "bulk") == 0 { // enough for a node
					for _, c := range crowd(rapid.Uint64().Draw(t, "seed"), k, plen, f) {
						if list.index(c.key, c.plen) < 0 {
							tr, list = tr.set(c), append(slices.Clip(list), c)
						}
					}
					i = list.index(k, plen)
				}
				switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
				case op < 6:
					a := cell{k, rapid.SampledFrom(chains).Draw(t, "chain").of(f), plen}
					tr = tr.set(a)
					if i >= 0 {
						list = slices.Clone(list)
						list[i] = a
					} else {
						list = append(slices.Clone(list), a)
					}
				case op < 9 && len(list) > 0:
					i = rapid.IntRange(0, len(list)-1).Draw(t, "which")
					tr = tr.drop(list[i].key, list[i].plen)
					list = slices.Delete(slices.Clone(list), i, i+1)
				case len(list) > 0 && rapid.Bool().Draw(t, "by source"):
					src := rapid.SampledFrom(sources[1:]).Draw(t, "source")
					tr = tr.edit(preferring(src), func(a cell) *alias {
						if a.chain.info.src == src {
							return nil
						}
						return a.chain
					})
					list = slices.DeleteFunc(slices.Clone(list), func(a cell) bool { return a.chain.info.src == src })
				case len(list) > 0:
					odd := func(a cell) bool { return (a.key.hi>>40^uint64(a.plen))&1 != 0 }
					tr = tr.edit(hint{}, func(a cell) *alias {
						if odd(a) {
							return nil
						}
						return a.chain
					})
					list = slices.DeleteFunc(slices.Clone(list), odd)
				}
				if len(snaps) < 8 {
					snaps = append(snaps, snap{tr, list})
				}
				q, _ := drawPrefix(t, f)
				compare(t, tr, list, q)
			}
			for _, s := range append(snaps, snap{tr, list}) { // what was written later must not show
				for range 5 {
					q, _ := drawPrefix(t, f)
					compare(t, s.tr, s.list, q)
				}
				same(t, s.tr, s.list)
			}
		}))
	}
}

// sources are what routes of these tests prefer as their source.
var sources = []netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::1")}

// chains stand for routes with the sources.
var chains = func() (all []*alias) {
	for _, src := range sources {
		all = append(all, &alias{info: &info{infoKey: infoKey{src: src}}})
	}
	return all
}()

// of returns a copy of a for a family.
func (a *alias) of(f Family) *alias {
	c := *a
	c.family = f
	return &c
}

// crowd returns more prefixes below one than a few takes.
func crowd(seed uint64, k key, plen uint8, f Family) (cells []cell) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 2 * fewMax {
		p := plen + uint8(rng.IntN(min(f.bits()+1-int(plen), 14)))
		r := key{rng.Uint64(), rng.Uint64()}
		if f == IPv4 {
			r = key{hi: r.hi &^ (1<<32 - 1)}
		}
		over := r.cut(plen)
		cells = append(cells, cell{key{k.hi | r.hi ^ over.hi, k.lo | r.lo ^ over.lo}.cut(p), chains[rng.IntN(len(chains))].of(f), p})
	}
	return cells
}

// compare asks trie and list the same.
func compare(t *rapid.T, tr *trie, list listFIB, q key) {
	if tr == nil {
		return
	}
	got, glen := tr.lookup(q)
	if want, wlen := list.lookup(q, 128); got != want || glen != wlen {
		t.Fatalf("lookup %v: got %v/%d, want %v/%d", q, got, glen, want, wlen)
	}
	for _, most := range []uint8{0, 5, 6, 7, 8, 11, 12, 24, 31, 32, 47, 48, 63, 64, 65, 127} {
		got, glen := tr.below(q, most)
		if want, wlen := list.lookup(q, int(most)); got != want || glen != wlen {
			t.Fatalf("below %v/%d: got %v, want %v", q, most, got, want)
		}
	}
}

// same checks that the trie holds just the list, in the order of Linux's dump
// and in the one shape that this set of prefixes has.
func same(t *rapid.T, tr *trie, list listFIB) {
	if tr == nil {
		return
	}
	want := slices.SortedFunc(slices.Values(list), func(a, b cell) int {
		if a.key == b.key {
			return int(b.plen) - int(a.plen)
		}
		if a.key.less(b.key) {
			return -1
		}
		return 1
	})
	var got []cell
	tr.walk(func(c cell, _ *alias) bool { got = append(got, c); return true })
	if !slices.Equal(got, want) || tr.size() != len(want) {
		t.Fatalf("walk: got %d (size %d), want %d", len(got), tr.size(), len(want))
	}
	var fresh *trie
	for _, a := range list {
		if tr.get(a.key, a.plen) != a.chain {
			t.Fatalf("get %v/%d", a.key, a.plen)
		}
		fresh = fresh.set(a)
	}
	if fresh != nil && !reflect.DeepEqual(shape(fresh.root), shape(tr.root)) {
		t.Fatalf("shape depends on history:\n%v\n%v", shape(fresh.root), shape(tr.root))
	}
}

// shape returns the bitmaps of a trie in order.
func shape(n *node) (s []uint64) {
	if n == nil {
		return nil
	}
	s = append(s, uint64(n.pos), uint64(n.n), n.inner, n.leaf, n.wide, n.fork)
	for _, k := range n.kids {
		s = append(s, shape(k)...)
	}
	return s
}

func TestTrieManyRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, f := range []Family{IPv4, IPv6} {
		var tr *trie
		var list listFIB
		for i := range 5000 {
			plen := uint8(rng.IntN(f.bits()-7) + 8)
			k := key{hi: rng.Uint64(), lo: rng.Uint64()}
			if f == IPv4 {
				k.hi, k.lo = k.hi&^(1<<32-1), 0
			} else {
				k.hi = k.hi&(1<<48-1) | 0x2001<<48
			}
			if i%3 == 0 && len(list) > 0 { // below one that is there
				p := list[rng.IntN(len(list))]
				k.hi = k.hi&(1<<32-1) | p.key.hi&^(1<<32-1)
				plen = max(plen, p.plen)
			}
			k = mask(k, plen)
			if list.index(k, plen) >= 0 {
				continue
			}
			a := cell{k, &alias{family: f, info: &info{}}, plen}
			tr, list = tr.set(a), append(list, a)
		}
		for range 2000 {
			q := list[rng.IntN(len(list))].key
			q.hi ^= rng.Uint64() >> (32 + rng.IntN(30)) << 20
			if f == IPv6 {
				q.lo ^= rng.Uint64()
			} else {
				q.hi &^= 1<<32 - 1
			}
			got, _ := tr.lookup(q)
			if want, _ := list.lookup(q, 128); got != want {
				t.Fatalf("%v: lookup %v: got %v, want %v", f, q, got, want)
			}
		}
		order := rng.Perm(len(list))
		for done, i := range order {
			if tr = tr.drop(list[i].key, list[i].plen); done%400 == 0 || len(order)-done < 60 {
				var fresh *trie
				for _, j := range order[done+1:] {
					fresh = fresh.set(list[j])
				}
				if !slices.Equal(shape(tr.root), shape(fresh.root0())) {
					t.Fatalf("%v: the shape after %d drops depends on history", f, done+1)
				}
			}
		}
		if tr.size() != 0 || tr.root != nil || len(tr.few) != 0 {
			t.Fatalf("%v: something is left: %+v", f, tr)
		}
	}
}

// root0 is the root of a trie that may be nil.
func (t *trie) root0() *node {
	if t == nil {
		return nil
	}
	return t.root
}

func TestKeySlot(t *testing.T) {
	for range 1000 {
		k := key{rand.Uint64(), rand.Uint64()}
		text := fmt.Sprintf("%064b%064b", k.hi, k.lo) + "000000"
		for pos := uint8(0); pos <= 126; pos += stride {
			var want uint
			fmt.Sscanf(text[pos:pos+6], "%b", &want)
			if got := k.slot(pos); got != want {
				t.Fatalf("slot %d of %v: got %06b, want %06b", pos, k, got, want)
			}
		}
	}
	a := netip.MustParseAddr("10.1.2.3")
	if k, ok := keyOf(IPv4, a); !ok || k.addr(IPv4) != a {
		t.Fatal("key of", a)
	}
	if _, ok := keyOf(IPv4, netip.MustParseAddr("::1")); ok {
		t.Fatal("a key of the other family")
	}
}
