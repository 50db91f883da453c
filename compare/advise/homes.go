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
	// Tagged and Replicated are the bytes of a whole Net with e entries.
	Tagged     Law `json:"tagged_bytes"`
	Replicated Law `json:"replicated_bytes"`
	// Birth and End are what the making of e entries and the end of a Net with
	// them take in ns beside what the kind's laws say for its tables: work that
	// knows no placement. Their errors are those of the sum.
	Birth *Law `json:"birth,omitempty"` // nil if there is nothing to make
	End   Law  `json:"end"`
	// First and Each are how many entries of tables a Net has from the start, and
	// how many more for each entry: a device has two, its name and its index. Any
	// is how many more a Net has that has entries at all.
	First float64 `json:"first"`
	Any   float64 `json:"any"`
	Each  float64 `json:"each"`
	// Tables are how many tables these are spread over; at least 1.
	Tables float64 `json:"tables"`
	// Extra is what a look through the subsystem's own function takes beside the
	// kind's law, in ns; Looked is whether there is such a function.
	Extra  float64 `json:"extra_ns"`
	Looked bool    `json:"looked"`
	// Ops are how often a packet looks here, by its path.
	Ops map[string]float64 `json:"ops_per_packet"`
}

func (h *Homes) bytes(place netns.Placement) *Law {
	if place == netns.Tagged {
		return &h.Tagged
	}
	return &h.Replicated
}

// filed returns how many entries a Net with e entries has in each table. Of a mean
// below 1 that part of the Nets is meant which have one.
func (h *Homes) filed(e float64) float64 {
	return (h.First + h.Any*min(1, e) + h.Each*e) / h.Tables
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
	c.Seed = 1
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

// end returns ns for the end of one Net, the lower quartile of some drawn by chance,
// and has them back as they were.
func (t *town) end(some int, rng *rand.Rand) (float64, error) {
	var took []float64
	for _, i := range rng.Perm(len(t.nets))[:min(some, len(t.nets))] {
		d, err := cpuOf(func() error { return t.m.DeleteNet(netName(i)) })
		if err != nil {
			return 0, err
		}
		took = append(took, float64(d))
		e := t.has[i]
		if err := t.settle(i); err != nil {
			return 0, err
		}
		if err := t.furnish(i, e); err != nil {
			return 0, err
		}
	}
	return quarter(took), nil
}

// stages are the numbers of entries at which homes are measured.
func stages(s *subsystem) []int {
	list := []int{0}
	if s.add == nil {
		return append(list, 0, 0, 0, 0, 0) // the same again: all there is to know is its mean and spread
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
	t                    *town
	bytes, births, ends  []float64 // of a Net, in all
	counts               []float64 // entries of shared tables for each Net
	birthSoFar, bytesYet float64
}

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
	}
	h := new(Homes)
	h.First, h.Any, h.Each = entriesOf(list, got[0].counts)
	h.Tables = got[0].t.tables()
	for i, place := range places() {
		var rows []row
		for at, e := range list {
			rows = append(rows, row{homeAt(s.has(float64(e))), got[i].bytes[at]})
		}
		l, err := fit(fmt.Sprintf("%s, %v: bytes of a Net", s.word, place), "bytes", homeTerms(), rows)
		if err != nil {
			return nil, err
		}
		*h.bytes(place) = l
	}
	if err := r.fitLives(s, h, list, &got); err != nil {
		return nil, err
	}
	runtime.KeepAlive(got)
	return h, r.measureLook(s, h, [2]*town{got[0].t, got[1].t}, list[len(list)-1])
}

// stage brings a town to e entries in each Net and notes what that took.
func (r *rig) stage(f *found, e int, rng *rand.Rand) error {
	before := heap()
	for k := len(f.t.nets); k < r.nets; k++ {
		if err := f.t.settle(k); err != nil {
			return err
		}
	}
	took, err := cpuOf(func() error {
		for k := range f.t.nets {
			if err := f.t.furnish(k, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.bytesYet += (heap() - before) / float64(r.nets)
	f.birthSoFar += float64(took) / float64(r.nets)
	end, err := f.t.end(r.ends, rng)
	f.bytes, f.births, f.ends = append(f.bytes, f.bytesYet), append(f.births, f.birthSoFar), append(f.ends, end)
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

func homeTerms() []string { return []string{"Net", "any", "e"} }

func homeAt(e float64) []float64 { return []float64{1, min(1, e), e} }

// fitLives fits Birth and End: the same for both placements, beside the kind's
// laws.
func (r *rig) fitLives(s *subsystem, h *Homes, list []int, got *[2]found) error {
	var births, ends, births1, ends1 []row // what is left beside the laws, and in all
	for at, e := range list {
		for i, place := range places() {
			birth, end, err := r.lifeLaws(s.kind, place, float64(r.nets), h.filed(s.has(float64(e))))
			if err != nil {
				return err
			}
			birth, end = birth*h.Tables, end*h.Tables
			ends = append(ends, row{homeAt(s.has(float64(e))), max(1, got[i].ends[at]-end)})
			ends1 = append(ends1, row{[]float64{end}, got[i].ends[at]})
			if e > 0 {
				births = append(births, row{homeAt(s.has(float64(e)))[1:], max(1, got[i].births[at]-birth)})
				births1 = append(births1, row{[]float64{birth}, got[i].births[at]})
			}
		}
	}
	of := func(l *Law, rows, all []row) Error {
		e := errorOf(all, func(i int) float64 { return (l.at(rows[i].x...)+all[i].x[0])/all[i].y - 1 })
		e.Fitted = l.Error.Fitted
		return e
	}
	var err error
	if h.End, err = fit(s.word+": a Net's end beside its tables", "ns", homeTerms(), ends); err != nil {
		return err
	}
	h.End.Error = of(&h.End, ends, ends1)
	if len(births) == 0 {
		return nil
	}
	l, err := fit(s.word+": e entries made beside the tables", "ns", homeTerms()[1:], births)
	if err == nil {
		l.Error = of(&l, births, births1)
		h.Birth = &l
	}
	return err
}

// lifeLaws evaluates a kind's laws of births and ends for Nets with so many
// entries; both are 0 for a kind without.
func (r *rig) lifeLaws(k Kind, place netns.Placement, nets, entries float64) (birth, end float64, err error) {
	kind := r.cal.Kinds[k]
	if kind == nil {
		return 0, 0, fmt.Errorf("advise: no laws of %s", k)
	}
	l := kind.of(place)
	if l.End == nil || entries == 0 {
		return 0, 0, nil
	}
	g := share{nets, entries}
	sc := scene{place: place, shares: []share{g}, burst: 1}
	x := sc.endAt(&r.cal.Latency, &l.Bytes, g)
	return l.Birth.at(x...), l.End.at(x...), nil
}

// measureLook takes Extra, if the subsystem has a function to look with.
func (r *rig) measureLook(s *subsystem, h *Homes, towns [2]*town, entries int) error {
	if s.look == nil {
		return nil
	}
	const burst = 8
	ns, err := turns(r.slice, r.rounds, []func(int) error{towns[0].looks(burst), towns[1].looks(burst)})
	if err != nil {
		return err
	}
	h.Looked = true
	for i, place := range places() {
		law, err := r.lookLaw(s.kind, place, []share{{float64(r.nets), h.filed(s.has(float64(entries)))}}, burst, 0)
		if err != nil {
			return err
		}
		h.Extra += (ns[i] - law) / 2
	}
	return nil
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
