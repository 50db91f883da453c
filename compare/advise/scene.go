package advise

import (
	"math"
	"math/bits"

	"nsmodel/netns"
)

// A Kind is a kind of home.
type Kind string

// The kinds: a [netns.Table], a [netns.Cell] with one value for each Net, and
// rtnetlink's listeners, whose shared home is a map by Net.
const (
	Table     Kind = "table"
	Cell      Kind = "cell"
	Listeners Kind = "listeners"
)

// netTouched is how much of a Net itself a lookup goes through: three lines.
const netTouched = 192

// A scene is what a law's terms are computed from: homes of one kind under one
// placement, and how they are used.
type scene struct {
	place   netns.Placement
	shares  []share
	burst   int
	buckets int // of a table with a fixed size, else 0
}

func (s *scene) nets() (sum float64) {
	for _, g := range s.shares {
		sum += g.nets
	}
	return sum
}

// all returns the entries of all Nets.
func (s *scene) all() (sum float64) {
	for _, g := range s.shares {
		sum += g.nets * g.entries
	}
	return sum
}

// roundUp returns the number of buckets that a table of so many entries has, if it
// started with the least: the next power of two.
func roundUp(entries float64, least int) float64 {
	if entries <= float64(least) {
		return float64(least)
	}
	return float64(uint64(1) << bits.Len64(uint64(math.Ceil(entries))-1))
}

// bucketsOf returns how many buckets the home has in which a Net of so many
// entries looks.
func (s *scene) bucketsOf(entries float64) float64 {
	switch {
	case s.buckets > 0:
		return roundUp(float64(s.buckets), 1)
	case s.place == netns.Tagged:
		return roundUp(s.all(), 64)
	}
	return roundUp(entries, 2)
}

// allBuckets returns how many buckets there are.
func (s *scene) allBuckets() (sum float64) {
	if s.place == netns.Tagged {
		return s.bucketsOf(0)
	}
	for _, g := range s.shares {
		if g.entries > 0 { // who never filed anything has no home of its own
			sum += g.nets * s.bucketsOf(g.entries)
		}
	}
	return sum
}

// bucketSize is a bucket's: one pointer.
const bucketSize = 8

// bytesTerms are those of the law of bytes. The last is not fitted: a bucket is a
// pointer, and in tables that grow there are as many as entries, give or take.
func bytesTerms() []string { return []string{"nets", "entries", "buckets"} }

func (s *scene) bytesAt() []float64 {
	return []float64{s.nets(), s.all(), s.allBuckets()}
}

// lineSize is that of a cache line.
const lineSize = 64

// working returns W, what lookups of all Nets go through, and w, a Net's part. Of
// buckets that are more than entries only the lines count in which an entry hangs.
func (s *scene) working(bytes *Law, g share) (all, own float64) {
	touched := func(buckets, entries float64) float64 { return min(bucketSize*buckets, lineSize*entries) }
	entry := bytes.Coef[1]
	own = netTouched + entry*g.entries + touched(s.bucketsOf(g.entries), g.entries)
	if s.place == netns.Tagged {
		all = touched(s.bucketsOf(0), s.all())
	} else {
		for _, h := range s.shares {
			all += h.nets * touched(s.bucketsOf(h.entries), h.entries)
		}
	}
	all += entry*s.all() + (netTouched+min(bytes.Coef[0], 2*lineSize))*s.nets()
	return all, min(all, own)
}

// chain returns how many entries before its own a lookup passes in a table whose
// size is fixed; in one that grows the load is at most 1, which the law's constant
// has.
func (s *scene) chain(g share) float64 {
	switch {
	case s.buckets == 0:
		return 0
	case s.place == netns.Tagged:
		return s.all() / s.bucketsOf(0) / 2
	}
	return g.entries / s.bucketsOf(g.entries) / 2
}

// firsts returns which share of a burst's lookups are the first at their entry,
// of e entries drawn at random.
func firsts(e float64, burst int) float64 {
	b := float64(burst)
	if e <= 1 {
		return 1 / b
	}
	return e * -math.Expm1(b*math.Log1p(-1/e)) / b
}

// lookupTerms are those of the law of lookups, pairTerms of an entry added and
// deleted, endTerms and walkTerms of a Net's end.
func lookupTerms() []string {
	return []string{"1", "L(W)/burst", "entry", "bucket", "chain x entry"}
}

// lookupAt computes the terms of a lookup. An entry or a line of buckets that a
// burst meets for the first time costs L(W), later ones L(w).
func (s *scene) lookupAt(lat *Latency, bytes *Law, g share) []float64 {
	all, own := s.working(bytes, g)
	wait := func(things float64) float64 {
		f := firsts(things, s.burst)
		return f*lat.At(all) + (1-f)*lat.At(own)
	}
	lines := g.entries // in a shared table each of a Net's entries hangs in another line
	if s.place == netns.Replicated {
		lines = min(lines, s.bucketsOf(g.entries)*bucketSize/lineSize)
	}
	return []float64{1, lat.At(all) / float64(s.burst), wait(g.entries), wait(lines), s.chain(g) * wait(g.entries)}
}

func pairTerms() []string { return []string{"1", "L(W)", "chain x L(W)"} }

func (s *scene) pairAt(lat *Latency, bytes *Law, g share) []float64 {
	all, _ := s.working(bytes, g)
	return []float64{1, lat.At(all), s.chain(g) * lat.At(all)}
}

// A Net that ends is itself as cold as all Nets' own memory, V, and as what their
// entries pushed out.
func endTerms() []string {
	return []string{"1", "L(V)", "L(W)", "own", "own x L(W)", "own x chain x L(W)"}
}

func (s *scene) endAt(lat *Latency, bytes *Law, g share) []float64 {
	all, _ := s.working(bytes, g)
	wait := g.entries * lat.At(all)
	random := wait
	if s.place == netns.Replicated && s.buckets > 0 {
		random = 0 // what never grew lies in the order of its list, and is fetched ahead
	}
	return []float64{1, lat.At(bytes.Coef[0] * s.nets()), lat.At(all), g.entries, random, s.chain(g) * wait}
}

func walkTerms() []string { return []string{"1", "own", "all x L(W)", "buckets"} }

func (s *scene) walkAt(lat *Latency, bytes *Law, g share) []float64 {
	all, _ := s.working(bytes, g)
	return []float64{1, g.entries, s.all() * lat.At(all), s.allBuckets()}
}
