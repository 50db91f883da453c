package law

import (
	"strings"

	"pgregory.net/rapid"

	"nsmodel/conformance"
	"nsmodel/core"
)

// Law 1: where a table stands is invisible. The same commands say the same, to
// the byte, under every placement, hash and table size, and so does the whole
// view of every Net at the end: what was sent, told, counted and remembered.
func placementIsInvisible(t *rapid.T, vs []conformance.Variant) {
	cs := world{links: true}.lab(t, 40)
	eyes := drawEyes(t)
	same(t, vs, cs, inOrder, func(v conformance.Variant) *bench { return newBench(t, v, eyes) }, everyView)
}

// everyView is the view of every Net.
func everyView(b *bench) string {
	var s strings.Builder
	for _, nets := range groups {
		for _, net := range nets {
			s.WriteString(b.view(net))
		}
	}
	return s.String()
}

// scheduleIsInvisible is the rest of law 1: how many workers there are, which
// of them takes the next packet, and how many it takes at once. Of that neither the tools'
// answers nor the view of any Net at the end tell anything, where no race is on.
func scheduleIsInvisible(t *rapid.T, vs []conformance.Variant) {
	cs := world{narrow: true}.lab(t, 40)
	eyes := eyes{taps: rapid.Bool().Draw(t, "taps"), apart: true}
	several := func(v conformance.Variant) bool { return !inOrder(v) }
	same(t, vs, cs, several, func(v conformance.Variant) *bench { return newBench(t, v, eyes) }, everyView)
}

// same runs commands on the first variant and on some others that keep
// accepts, and compares what each command says, and the end.
func same(t *rapid.T, vs []conformance.Variant, cs []genCommand, keep func(conformance.Variant) bool, build func(conformance.Variant) *bench, end func(*bench) string) {
	var others []conformance.Variant
	for _, v := range vs[1:] {
		if keep(v) {
			others = append(others, v)
		}
	}
	k := min(2, len(others))
	picked := rapid.SliceOfNDistinct(rapid.IntRange(0, len(others)-1), k, k, rapid.ID[int]).Draw(t, "variants")
	inherit := rapid.SampledFrom([]int{0, core.DevconfCompiledIn}).Draw(t, "inherit")
	first := build(inheriting(vs[0], inherit))
	defer first.close()
	var said []string
	for _, c := range cs {
		said = append(said, first.do(t, c.text))
	}
	said = append(said, end(first))
	for _, i := range picked {
		v := others[i]
		b := build(inheriting(v, inherit))
		defer b.close()
		for j, c := range cs {
			if got := b.do(t, c.text); got != said[j] {
				t.Fatalf("command %d (%s) differs under %q:\n%s%s", j, c.text, v.Name, difference(vs[0].Name, said[j], v.Name, got), story(cs[:j+1]))
			}
		}
		if got := end(b); got != said[len(cs)] {
			t.Fatalf("the end differs under %q:\n%s%s", v.Name, difference(vs[0].Name, said[len(cs)], v.Name, got), story(cs))
		}
	}
}

// inheriting sets where a new Net's tunables come from.
func inheriting(v conformance.Variant, from int) conformance.Variant {
	v.Config.DevconfInheritInitNet = from
	return v
}

// Law 5: same seed, same bytes: of what is said and of the whole view of every
// Net, in runs of which each meets another order of Go's maps, other addresses
// in memory and another keyed hash.
func sameSeedSameBytes(t *rapid.T, vs []conformance.Variant) {
	cs := world{links: true}.lab(t, 30)
	eyes := drawEyes(t)
	v := drawVariant(t, vs, everyVariant)
	v.Config.Seed = rapid.Uint64().Draw(t, "seed")
	run := func(v conformance.Variant) string {
		var s strings.Builder
		b := newBench(t, v, eyes)
		defer b.close()
		for _, c := range cs {
			s.WriteString(b.do(t, c.text))
		}
		for _, nets := range groups {
			for _, net := range nets {
				s.WriteString(b.lastWill(t, net))
			}
		}
		return s.String()
	}
	first := run(v)
	for range 2 {
		if again := run(v); again != first {
			t.Fatalf("two runs with one seed under %q differ\n%s%s", v.Name, difference("once", first, "again", again), story(cs))
		}
	}
}

// anotherSeed is the rest of law 5: another seed shows in nothing but what is
// drawn. A lab in which nothing drawn is asked for says the same under any.
func anotherSeed(t *rapid.T, vs []conformance.Variant) {
	v := drawVariant(t, vs, oneWorker)
	seeds := [2]uint64{rapid.Uint64().Draw(t, "seed"), rapid.Uint64().Draw(t, "another")}
	cs := stillLab(t, 30)
	var said [2][]string
	for i, seed := range seeds {
		v.Config.Seed = seed
		b := newBench(t, v, eyes{})
		for _, c := range cs {
			said[i] = append(said[i], undrawn(b.do(t, c.text)))
		}
		b.close()
	}
	for j, c := range cs {
		if said[0][j] != said[1][j] {
			t.Fatalf("command %d (%s) under %q and two seeds:\n%s%s", j, c.text, v.Name, difference("one", said[0][j], "other", said[1][j]), story(cs[:j+1]))
		}
	}
}
