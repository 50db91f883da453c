package advise

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sort"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/netns"
)

// Homes are a subsystem's own constants, measured on its real homes.
type Homes struct {
	Tagged     HomeLaws `json:"tagged"`
	Replicated HomeLaws `json:"replicated"`
	BirthRatio Error    `json:"birth_ratio_error"` // of tagged : replicated
	EndRatio   Error    `json:"end_ratio_error"`
	// Extra is what a look through the subsystem's own function takes beside the
	// kind's law, under either placement; nil if there is no such function.
	Extra *Law `json:"extra,omitempty"`
	// First, Any and Each are how many entries of tables a Net has from the start,
	// how many more if it has any of its own, and for each: a device has two, its
	// name and its index. Tables are how many tables these are spread over.
	First  float64 `json:"first"`
	Any    float64 `json:"any"`
	Each   float64 `json:"each"`
	Tables float64 `json:"tables"`
	// Ops are how often a packet looks here, by its path.
	Ops map[string]float64 `json:"ops_per_packet"`
}

// HomeLaws are laws of a Net by its entries, under one placement.
type HomeLaws struct {
	Bytes Law  `json:"bytes"`           // of a whole Net
	End   Law  `json:"end"`             // ns of a whole Net's end
	Birth *Law `json:"birth,omitempty"` // ns of the making of its entries; nil if there is nothing to make
}

func (h *Homes) of(place netns.Placement) *HomeLaws {
	if place == netns.Tagged {
		return &h.Tagged
	}
	return &h.Replicated
}

// common are the bytes of a Net under the placement of which it takes less.
func (h *Homes) common() float64 { return min(h.Tagged.Bytes.Coef[0], h.Replicated.Bytes.Coef[0]) }

// filed returns how many entries a Net with e entries has in each table. Of a mean
// below 1 that part of the Nets is meant which have one.
func (h *Homes) filed(e float64) float64 {
	return (h.First + h.Any*min(1, e) + h.Each*e) / h.Tables
}

// working returns the memory over which the homes of all Nets are spread, and one
// Net's part.
func (h *Homes) working(place netns.Placement, own []share, g share) (all, each float64) {
	of := func(e float64) float64 {
		return netTouched + max(0, h.of(place).Bytes.at(homeAt(e)...)-h.common())
	}
	for _, g := range own {
		all += g.nets * of(g.entries)
	}
	return all, of(g.entries)
}

// homeTerms are those of a Net's bytes, lifeTerms those of its end. Of its birth
// they are the same without the first.
func homeTerms() []string { return []string{"Net", "any", "e"} }

func homeAt(e float64) []float64 { return []float64{1, min(1, e), e} }

func lifeTerms() []string { return []string{"Net", "any", "e", "e x L(W)"} }

func (h *Homes) lifeAt(lat *Latency, place netns.Placement, own []share, g share) []float64 {
	all, _ := h.working(place, own, g)
	return append(homeAt(g.entries), g.entries*lat.At(all))
}

func extraTerms() []string { return []string{"1", "f L(W) + (1-f) L(w)"} }

func (h *Homes) extraAt(lat *Latency, k Kind, place netns.Placement, own []share, g share, burst int) []float64 {
	all, each := h.working(place, own, g)
	things := g.entries
	if k != Table {
		things = 1
	}
	f := firsts(things, burst)
	return []float64{1, f*lat.At(all) + (1-f)*lat.At(each)}
}

// onlyTagged is everything replicated but one subsystem, which stands at place.
func onlyTagged(word string, place netns.Placement) nsmodel.Places {
	p := nsmodel.AllPlaces(netns.Replicated)
	if err := p.Set(word + "=" + place.String()); err != nil {
		panic(err) // the words are nsmodel's own
	}
	return p
}

// A town is a machine with Nets as a measurement of homes wants them: loopback up,
// a bridge, and entries of one subsystem.
type town struct {
	m    *nsmodel.Machine
	s    *subsystem
	nets []*netns.Net
	has  []int // entries of each
}

func newTown(s *subsystem, c nsmodel.Config) (*town, error) {
	c.Seed, c.IPv6 = 1, s.six
	m, err := nsmodel.New(c)
	return &town{m: m, s: s}, err
}

func netName(i int) string { return fmt.Sprint("net", i) }

// settle makes the i-th Net, or makes it again.
func (t *town) settle(i int) error {
	n, err := t.m.AddNet(netName(i))
	if err != nil {
		return err
	}
	t.m.Sys.Lock()
	defer t.m.Sys.Unlock()
	if err := t.m.Core.SetUp(t.m.Core.Device(n, "lo")); err != nil {
		return err
	}
	br, err := t.m.Core.Kind("bridge").New(n, core.LinkSpec{Name: bridgeName})
	if err != nil {
		return err
	}
	if i == len(t.nets) {
		t.nets, t.has = append(t.nets, nil), append(t.has, 0)
	}
	t.nets[i], t.has[i] = n, 0
	return t.m.Core.SetUp(br)
}

// furnish gives the i-th Net entries until it has so many.
func (t *town) furnish(i, entries int) error {
	if t.s.add == nil {
		return nil
	}
	for ; t.has[i] < entries; t.has[i]++ {
		if err := t.s.add(t.m, t.nets[i], t.has[i]); err != nil {
			return fmt.Errorf("advise: %s: %w", t.s.word, err)
		}
	}
	return nil
}

// filled returns how many entries the shared tables hold.
func (t *town) filled() (sum float64) {
	t.m.Sys.Lock()
	defer t.m.Sys.Unlock()
	for _, s := range t.m.Sys.Subsystems() {
		sum += float64(s.Entries)
	}
	return sum
}

// longest returns how many entries the fullest shared table holds.
func (t *town) longest() (most float64) {
	t.m.Sys.Lock()
	defer t.m.Sys.Unlock()
	for _, s := range t.m.Sys.Subsystems() {
		most = max(most, float64(s.Entries))
	}
	return most
}

// tables returns how many shared tables have entries, at least 1.
func (t *town) tables() (k float64) {
	t.m.Sys.Lock()
	defer t.m.Sys.Unlock()
	for _, s := range t.m.Sys.Subsystems() {
		if s.Entries > 0 {
			k++
		}
	}
	return max(1, k)
}

// lives returns ns for the end of one Net and for the making of a new one's entries,
// the medians of some drawn by chance, and has them back as they were.
func (t *town) lives(some int, rng *rand.Rand) (end, birth float64, err error) {
	var ends, births []float64
	for _, i := range rng.Perm(len(t.nets))[:min(some, len(t.nets))] {
		d, err := cpuOf(func() error { return t.m.DeleteNet(netName(i)) })
		if err != nil {
			return 0, 0, err
		}
		ends = append(ends, float64(d))
		e := t.has[i]
		if err := t.settle(i); err != nil {
			return 0, 0, err
		}
		if d, err = cpuOf(func() error { return t.furnish(i, e) }); err != nil {
			return 0, 0, err
		}
		births = append(births, float64(d))
	}
	return medianOf(ends), medianOf(births), nil
}

// stages are the numbers of entries at which homes are measured.
func stages(s *subsystem) []int {
	list := []int{0}
	if s.add == nil {
		return append(list, 0, 0, 0, 0, 0, 0, 0, 0) // the same again: all there is to know is its mean and spread
	}
	for _, e := range []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64} {
		if e <= s.most {
			list = append(list, e)
		}
	}
	return list
}

// found is what homes came to under one placement, by stage.
type found struct {
	t                          *town
	bytes, births, ends, looks []float64 // of a Net, in all
	counts                     []float64 // entries of shared tables for each Net
	bytesYet                   float64
}

// lookBurst is how many lookups in a row real homes are asked for one Net.
const lookBurst = 8

// measureHomes takes a subsystem's constants but for Ops.
func (r *rig) measureHomes(s *subsystem) (*Homes, error) {
	var got [2]found
	rng := rand.New(rand.NewPCG(5, 6))
	list := stages(s)
	for at, e := range list {
		for i, place := range places() {
			if at == 0 {
				t, err := newTown(s, nsmodel.Config{Place: onlyTagged(s.word, place)})
				if err != nil {
					return nil, err
				}
				got[i].t = t
			}
			if err := r.stage(&got[i], e, rng); err != nil {
				return nil, err
			}
		}
		if s.look == nil || e == 0 && s.add != nil {
			continue
		}
		ns, err := turns(r.slice/2, r.rounds, []func(int) error{got[0].t.looks(lookBurst), got[1].t.looks(lookBurst)})
		if err != nil {
			return nil, err
		}
		got[0].looks, got[1].looks = append(got[0].looks, ns[0]), append(got[1].looks, ns[1])
	}
	h := new(Homes)
	h.First, h.Any, h.Each = entriesOf(list, got[0].counts)
	h.Tables = got[0].t.tables()
	runtime.KeepAlive(got)
	return h, r.fitHomes(s, h, list, &got)
}

// fitHomes fits the laws of homes.
func (r *rig) fitHomes(s *subsystem, h *Homes, list []int, got *[2]found) error {
	for i, place := range places() {
		var rows []row
		for at, e := range list {
			rows = append(rows, row{x: homeAt(s.has(float64(e))), y: got[i].bytes[at]})
		}
		l, err := fit(fmt.Sprintf("%s, %v: bytes of a Net", s.word, place), "bytes", homeTerms(), rows)
		if err != nil {
			return err
		}
		h.of(place).Bytes = l
	}
	var births, ends [2][]row
	for i, place := range places() {
		for at, e := range list {
			g := share{float64(r.nets), s.has(float64(e))}
			x := h.lifeAt(&r.cal.Latency, place, []share{g}, g)
			if s.kind != Table {
				x[3] = 0
			}
			ends[i] = append(ends[i], row{x: x, y: got[i].ends[at]})
			if e > 0 {
				births[i] = append(births[i], row{x: x[1:], y: got[i].births[at]})
			}
		}
	}
	if s.kind != Table {
		// What is in a cell is made and ended in the same way wherever the cell
		// stands: one law from both.
		for _, rows := range []*[2][]row{&births, &ends} {
			both := weave(rows[0], rows[1])
			rows[0], rows[1] = both, both
		}
	}
	for i, place := range places() {
		var err error
		l := h.of(place)
		if l.End, err = fit(fmt.Sprintf("%s, %v: a Net's end", s.word, place), "ns", lifeTerms(), ends[i]); err != nil {
			return err
		}
		if len(births[i]) > 0 {
			if l.Birth, err = fitted1(fmt.Sprintf("%s, %v: its entries made", s.word, place), lifeTerms()[1:], births[i]); err != nil {
				return err
			}
		}
	}
	h.EndRatio = ratioError(&h.Tagged.End, &h.Replicated.End, ends[0], ends[1])
	if h.Tagged.Birth != nil {
		h.BirthRatio = ratioError(h.Tagged.Birth, h.Replicated.Birth, births[0], births[1])
	}
	return r.fitExtra(s, h, list, got)
}

// weave returns the rows of both in turns, so that some of each are held back.
func weave(a, b []row) (all []row) {
	for i := range a {
		all = append(all, a[i], b[i])
	}
	return all
}

// fitExtra fits what looks through the subsystem's own function take beside the
// kind's law: for both placements together, as it is their common part. Its error
// is that of the sum.
func (r *rig) fitExtra(s *subsystem, h *Homes, list []int, got *[2]found) error {
	if s.look == nil {
		return nil
	}
	var rows []row
	skip := len(list) - len(got[0].looks) // stages without entries
	for at, e := range list[skip:] {
		for i, place := range places() {
			g := share{float64(r.nets), s.has(float64(e))}
			law, err := r.lookLaw(s.kind, place, []share{{g.nets, h.filed(g.entries)}}, lookBurst, 0)
			if err != nil {
				return err
			}
			y := got[i].looks[at]
			rows = append(rows, row{h.extraAt(&r.cal.Latency, s.kind, place, []share{g}, g, lookBurst), y - law, y})
		}
	}
	l, err := fit(s.word+": a look beside the kind's law", "ns", extraTerms(), rows)
	if err != nil {
		return err
	}
	h.Extra = &l
	return nil
}

// stage brings a town to e entries in each Net and notes what that took.
func (r *rig) stage(f *found, e int, rng *rand.Rand) error {
	before := heap()
	for k := len(f.t.nets); k < r.nets; k++ {
		if err := f.t.settle(k); err != nil {
			return err
		}
	}
	for k := range f.t.nets {
		if err := f.t.furnish(k, e); err != nil {
			return err
		}
	}
	f.bytesYet += (heap() - before) / float64(r.nets)
	end, birth, err := f.t.lives(r.ends, rng)
	f.bytes, f.births, f.ends = append(f.bytes, f.bytesYet), append(f.births, birth), append(f.ends, end)
	f.counts = append(f.counts, f.t.filled()/float64(len(f.t.nets)))
	return err
}

// entriesOf tells how many entries of tables a Net has at first, how many more if
// it has any of its own, and how many more for each.
func entriesOf(list []int, counts []float64) (first, any, each float64) {
	last := len(list) - 1
	first = math.Round(counts[0])
	if list[last] > 1 {
		each = math.Round((counts[last] - counts[1]) / float64(list[last]-1))
		any = math.Round(counts[1]) - first - each
	}
	return first, any, each
}

// looks returns lookups of a town's entries, in bursts: a Net is met as often as it
// has entries.
func (t *town) looks(burst int) func(int) error {
	rng := chance(88172645463325252)
	order, total := make([]int32, 1<<14), 0 // Nets as they are met
	for _, e := range t.has {
		total += e
	}
	upTo, at := make([]int, len(t.has)), 0
	for i, e := range t.has {
		if total == 0 {
			e = 1
		}
		at += e
		upTo[i] = at
	}
	for i := range order {
		order[i] = int32(sort.SearchInts(upTo, 1+rng.below(at)))
	}
	next, net, left := 0, 0, 0
	return func(k int) error {
		for range k {
			if left == 0 {
				net, left = int(order[next&(len(order)-1)]), burst
				next++
			}
			left--
			if !t.s.look(t.m, t.nets[net], rng.below(max(1, t.has[net]))) {
				return fmt.Errorf("advise: %s: an entry is not found", t.s.word)
			}
		}
		return nil
	}
}
