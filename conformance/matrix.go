package conformance

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"

	"nsmodel"
	"nsmodel/lab"
	"nsmodel/netns"
)

// The table sizes that the matrix tries, in chains: everything in one, and more
// chains than any lab has entries. A home of each Net's own is smaller, since
// there are many.
const (
	tiny     = 1
	large    = 1 << 16
	largeOwn = 1 << 12
)

// Variants are those that the matrix judge compares; the first is the default.
//
// There are too many placement vectors for a test that runs at every change
// ([PairVectors] has more): here are those that have a name, each that
// differs from the default in one subsystem, a set in which each two subsystems
// stand in all four combinations, and some drawn at random.
func Variants() []Variant {
	vs := []Variant{{Name: "default"}}
	vs = append(vs, vectors()...)
	for _, c := range []nsmodel.Config{
		{Collide: true}, {Buckets: tiny}, {Buckets: 2}, {Buckets: large}, {Walk: true}, {Budget: 64}, {Workers: 3}, {Workers: 3, Budget: 64},
		{Collide: true, Buckets: large, Budget: 64}, {Buckets: tiny, Walk: true, Workers: 2},
	} {
		for _, where := range []netns.Placement{netns.Default, netns.Tagged, netns.Replicated} {
			vs = append(vs, variant(c, where, 0))
		}
	}
	for seed := uint64(1); seed <= 6; seed++ {
		where := []netns.Placement{netns.Default, netns.Tagged, netns.Replicated}[seed%3]
		vs = append(vs,
			variant(nsmodel.Config{Workers: 3}, where, seed),
			variant(nsmodel.Config{Workers: 2, Budget: 1 << seed}, where, seed),
			variant(nsmodel.Config{Workers: 4, Budget: 64, Collide: true, Buckets: tiny, Walk: true}, where, seed))
	}
	return vs
}

// variant names a way to build and drive a machine by what is unusual.
func variant(c nsmodel.Config, where netns.Placement, schedule uint64) Variant {
	var words []string
	word := func(there bool, format string, a ...any) {
		if there {
			words = append(words, fmt.Sprintf(format, a...))
		}
	}
	if where != netns.Default {
		c.Place = nsmodel.AllPlaces(where)
	}
	if c.Buckets > largeOwn && where != netns.Tagged {
		c.Buckets = largeOwn
	}
	word(c.Collide, "collide")
	word(c.Buckets > 0, "buckets=%d", c.Buckets)
	word(c.Walk, "walk")
	word(c.Workers > 0, "workers=%d", c.Workers)
	word(c.Budget > 0, "batch=%d", c.Budget)
	word(schedule > 0, "schedule=%d", schedule)
	word(where != netns.Default, "all=%v", where)
	return Variant{strings.Join(words, " "), c, schedule}
}

// vectors returns a part of all placement vectors; see [Variants].
func vectors() []Variant {
	var vs []Variant
	for _, v := range nsmodel.Vectors()[1:] { // the default is there
		vs = append(vs, Variant{Name: v.Name, Config: nsmodel.Config{Place: v.Places}})
	}
	rows := (nsmodel.Places{}).Rows()
	usual := uint64(0)
	for i, row := range rows {
		if row.Usual == netns.Tagged {
			usual |= 1 << i
		}
	}
	for i := range rows {
		vs = append(vs, vector(rows, usual^1<<i))
	}
	for _, v := range pairs(len(rows)) {
		vs = append(vs, vector(rows, v))
	}
	draw := rand.New(rand.NewPCG(1, 0))
	for range 4 {
		vs = append(vs, vector(rows, draw.Uint64N(1<<len(rows))))
	}
	return vs
}

// PairVectors returns a variant for each placement vector in which at most two
// subsystems stand otherwise than all others, the default first. All vectors that
// there are would be 2 to the number of subsystems.
func PairVectors() []Variant {
	rows := (nsmodel.Places{}).Rows()
	all := uint64(1)<<len(rows) - 1
	vs := []Variant{{Name: "default"}}
	for i := range rows {
		for j := range i + 1 {
			two := uint64(1)<<i | 1<<j // one, where they are the same
			vs = append(vs, vector(rows, two), vector(rows, all&^two))
		}
	}
	return append(vs, vector(rows, 0), vector(rows, all))
}

// vector returns the variant in which row i is tagged if bit i is set, else
// replicated.
func vector(rows []nsmodel.PlaceRow, tagged uint64) Variant {
	var p nsmodel.Places
	var words []string
	for i, row := range rows {
		where := netns.Replicated
		if tagged&(1<<i) != 0 {
			where = netns.Tagged
			words = append(words, row.Word)
		}
		if err := p.Set(row.Word + "=" + where.String()); err != nil {
			panic(err) // its own words
		}
	}
	return Variant{Name: "tagged: " + strings.Join(words, ", "), Config: nsmodel.Config{Place: p}}
}

// pairs returns vectors of k bits, as few as can be, among which every two bits
// take all four values: a covering array of strength two.
//
// Bit j's values down the vectors are 0 and then a subset of the other vectors,
// another for each j and all of one size. Two different ones of one size have
// each a member that the other has not; the size is such that any two meet; and
// in the first vector both are 0. Katona, and Kleitman and Spencer, 1973, showed
// that this is the best there is.
func pairs(k int) (vectors []uint64) {
	n := 1 // vectors beside the first
	for choose(n, (n+2)/2) < k {
		n++
	}
	vectors = make([]uint64, n+1)
	for j, set := 0, uint64(0); j < k; set++ {
		if bits.OnesCount64(set) != (n+2)/2 {
			continue
		}
		for i := range n {
			vectors[i+1] |= set >> i & 1 << j
		}
		j++
	}
	return vectors
}

// choose returns the number of subsets of k among n.
func choose(n, k int) int {
	c := 1
	for i := range k {
		c = c * (n - i) / (i + 1)
	}
	return c
}

// JudgeMatrix runs a lab on every Variant of the machine and compares the
// transcripts and end states with the default's; on that, the ledger must be
// in balance.
func JudgeMatrix(l *Lab) Finding { return JudgeMatrixOn(l, Variants()) }

// JudgeMatrixOn is JudgeMatrix on machines of the caller's choice: all others are
// compared with the first.
func JudgeMatrixOn(l *Lab, vs []Variant) Finding {
	first, err := runModel(l.Lines, vs[0], true)
	if err != nil {
		return failed("%v\n", err)
	}
	if s := first.tail[0]; s.Exit != 0 {
		return failed("the ledger is out of balance: %s", s.Stderr)
	}
	want := first.said()
	var worst failures
	for _, v := range vs[1:] {
		diff := versus(want, l.Lines, v)
		again := func(lines []lab.Line) (string, []diffLine) {
			head := fmt.Sprintf("- %s, + %s", vs[0].Name, v.Name)
			first, err := runModel(lines, vs[0], true)
			if err != nil {
				return head, nil // another failure than the one looked for
			}
			return head, versus(first.said(), lines, v)
		}
		worst.add(fmt.Sprintf("- %s, + %s", vs[0].Name, v.Name), v.Name, diff, again)
		if stuck(diff) {
			break
		}
	}
	return worst.finding(l.Lines)
}

// versus compares what commands say on a variant with what they ought to say.
func versus(want []said, lines []lab.Line, v Variant) []diffLine {
	r, err := runModel(lines, v, true)
	if err != nil {
		return broke(err)
	}
	return compare(want, r.said())
}
