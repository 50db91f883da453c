package advise

import (
	"fmt"
	"math"
	"slices"
	"syscall"

	"nsmodel"
	"nsmodel/netns"
)

// Words for [Choice.Choose].
const (
	ChooseTagged     = "tagged"
	ChooseReplicated = "replicated"
	ChooseEither     = "either" // no difference that could be told or would matter
)

// matters is the least difference of the processor's time that decides: a
// thousandth of one CPU.
const matters = 0.001

// memoryMatters is the least share of all memory that decides where the time does
// not.
const memoryMatters = 0.05

// trust is the least error that is reckoned with: a few points may agree by chance.
const trust = 0.05

// A Cost is what one placement of one subsystem takes.
type Cost struct {
	LookNS  float64 `json:"lookup_ns"`
	PairNS  float64 `json:"add_delete_ns"`
	BirthNS float64 `json:"birth_ns"` // of a Net's entries, on average
	EndNS   float64 `json:"end_ns"`   // of them with their Net
	Bytes   float64 `json:"bytes_per_net"`
	Total   float64 `json:"bytes"`
	CPU     float64 `json:"cpus"` // at the workload's rates
}

// A Choice is the advice on one subsystem.
type Choice struct {
	Subsystem  string  `json:"subsystem"`
	Kind       Kind    `json:"kind"`
	Lookups    float64 `json:"lookups_per_s"`
	Tagged     Cost    `json:"tagged"`
	Replicated Cost    `json:"replicated"`
	// Unsure is by how many CPUs the difference of the two may be off: twice the
	// median error of the laws' quotient where they were held back.
	Unsure    float64 `json:"unsure_cpus"`
	Choose    string  `json:"choose"`
	Place     string  `json:"place"` // Choose, and where that is either the one to prefer
	Why       string  `json:"why"`
	Isolation string  `json:"isolation"`

	unsureBytes float64
	place       netns.Placement
}

// An Advice is what to choose for a workload.
type Advice struct {
	Workload Workload `json:"workload"`
	Choices  []Choice `json:"choices"`
	// Bytes are those of all Nets with the chosen placements, CPU their processor
	// time, of the subsystems that were asked for.
	Bytes float64  `json:"bytes"`
	CPU   float64  `json:"cpus"`
	Notes []string `json:"notes,omitempty"`
}

func (c *Choice) cost(place netns.Placement) *Cost {
	if place == netns.Tagged {
		return &c.Tagged
	}
	return &c.Replicated
}

// Advise weighs the subsystems with those words, all for none. EINVAL for a
// workload that cannot be and for an unknown word.
func (c *Calibration) Advise(w Workload, words ...string) (*Advice, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	some, err := find(words)
	if err != nil {
		return nil, err
	}
	a := &Advice{Workload: w}
	for _, s := range some {
		ch, err := c.weigh(s, &w)
		if err != nil {
			return nil, err
		}
		a.Choices = append(a.Choices, *ch)
	}
	least := c.Idle * float64(w.Nets)
	for i := range a.Choices {
		least += min(a.Choices[i].Tagged.Total, a.Choices[i].Replicated.Total)
	}
	for i := range a.Choices {
		a.Choices[i].decide(&w, least)
	}
	a.fit(c, least)
	a.notes(c)
	return a, nil
}

func find(words []string) ([]*subsystem, error) {
	all := subsystems()
	if len(words) == 0 {
		return all, nil
	}
	var some []*subsystem
	for _, word := range words {
		i := slices.IndexFunc(all, func(s *subsystem) bool { return s.word == word })
		if i < 0 {
			return nil, fmt.Errorf("advise: no subsystem %q; there are %s: %w", word, nsmodel.PlaceWords(), syscall.EINVAL)
		}
		some = append(some, all[i])
	}
	return some, nil
}

// weigh evaluates the laws for one subsystem.
func (c *Calibration) weigh(s *subsystem, w *Workload) (*Choice, error) {
	kind, h := c.Kinds[s.kind], c.Homes[s.word]
	if kind == nil || h == nil {
		return nil, fmt.Errorf("advise: the calibration knows nothing of %s: %w", s.word, syscall.EINVAL)
	}
	ch := &Choice{Subsystem: s.word, Kind: s.kind, Isolation: s.isolation, Lookups: w.Lookups}
	if w.Lookups == 0 {
		ch.Lookups = w.Packets * h.Ops[w.Path]
	}
	own := s.shares(w)
	for _, place := range places() {
		*ch.cost(place) = c.costOf(s, place, own, w)
	}
	common := h.common()
	for _, place := range places() {
		x := ch.cost(place)
		whole := x.Bytes
		x.Bytes = max(0, x.Bytes-common)
		x.Total = x.Bytes * float64(w.Nets)
		x.CPU = (ch.Lookups*x.LookNS + w.Churn*x.PairNS + w.Lives*(x.BirthNS+x.EndNS)) / 1e9
		ch.unsureBytes = max(ch.unsureBytes, 2*h.of(place).Bytes.Error.Median*whole*float64(w.Nets))
	}
	t, r := &ch.Tagged, &ch.Replicated
	part := func(rate, a, b float64, e Error) float64 { return rate * max(a, b) * 2 * max(trust, e.Median) / 1e9 }
	ch.Unsure = math.Sqrt(square(part(ch.Lookups, t.LookNS, r.LookNS, kind.Ratio)) + square(part(w.Churn, t.PairNS, r.PairNS, kind.PairRatio)) +
		square(part(w.Lives, t.BirthNS, r.BirthNS, h.BirthRatio)) + square(part(w.Lives, t.EndNS, r.EndNS, h.EndRatio)))
	return ch, nil
}

// shares returns how the workload spreads s over Nets.
func (s *subsystem) shares(w *Workload) []share {
	list := shares(w.Spread, w.Nets, float64(w.entriesOf(s.word)))
	for i := range list {
		list[i].entries = s.has(list[i].entries)
	}
	return list
}

func square(v float64) float64 { return v * v }

// costOf evaluates the laws for one placement. Bytes is of a whole Net.
func (c *Calibration) costOf(s *subsystem, place netns.Placement, own []share, w *Workload) (x Cost) {
	h, laws := c.Homes[s.word], c.Kinds[s.kind].of(place)
	sc := c.sceneOf(s, place, own, w)
	lat, b := &c.Latency, &laws.Bytes
	x.LookNS = sc.mean(func(g share) float64 { return laws.Lookup.at(sc.lookupAt(lat, b, g)...) })
	if h.Extra != nil {
		real := scene{shares: own}
		x.LookNS += real.mean(func(g share) float64 { return h.Extra.at(h.extraAt(lat, s.kind, place, own, g, w.Burst)...) })
	}
	if laws.Pair != nil {
		x.PairNS = h.Each * sc.mean(func(g share) float64 { return laws.Pair.at(sc.pairAt(lat, b, g)...) })
	}
	for _, g := range own {
		part := g.nets / float64(w.Nets)
		birth, end := c.life(s, &sc, own, g, w.Walk)
		x.BirthNS += part * birth
		x.EndNS += part * (end - h.of(place).End.Coef[0])
		x.Bytes += part * h.of(place).Bytes.at(homeAt(g.entries)...)
	}
	if sc.buckets > 0 {
		fixed := sc.allBuckets()
		sc.buckets = 0
		x.Bytes = max(0, x.Bytes+bucketSize*h.Tables*(fixed-sc.allBuckets())/float64(w.Nets))
	}
	return x
}

// sceneOf returns how one of the subsystem's tables stands.
func (c *Calibration) sceneOf(s *subsystem, place netns.Placement, own []share, w *Workload) scene {
	sc := scene{place: place, burst: w.Burst}
	if s.kind == Table {
		sc.buckets = w.Buckets
	}
	for _, g := range own {
		sc.shares = append(sc.shares, share{g.nets, c.Homes[s.word].filed(g.entries)})
	}
	return sc
}

// life evaluates the laws of the making of a Net's entries and of its end. Real
// homes were measured in tables that grow and are not walked: what chains and a walk
// add says the kind.
func (c *Calibration) life(s *subsystem, sc *scene, own []share, g share, walk bool) (birth, end float64) {
	h, lat := c.Homes[s.word], &c.Latency
	laws, mine := c.Kinds[s.kind].of(sc.place), h.of(sc.place)
	at := h.lifeAt(lat, sc.place, own, g)
	if end = mine.End.at(at...); mine.Birth != nil {
		birth = mine.Birth.at(at[1:]...)
	}
	if laws.End == nil {
		return birth, end
	}
	in := share{1, h.filed(g.entries)}
	if sc.buckets > 0 {
		grown := *sc
		grown.buckets = 0
		x, y := sc.endAt(lat, &laws.Bytes, in), grown.endAt(lat, &laws.Bytes, in)
		birth += h.Tables * (laws.Birth.at(x...) - laws.Birth.at(y...))
		end += h.Tables * (laws.End.at(x...) - laws.End.at(y...))
	}
	if walk && laws.Walk != nil && sc.place == netns.Tagged {
		// The entries of real homes lie apart, among what they belong to.
		all, _ := h.working(sc.place, own, g)
		x := sc.walkAt(lat, &laws.Bytes, in)
		x[2] = sc.all() * lat.At(all)
		end += h.Tables * max(0, laws.Walk.at(x...)-laws.End.at(sc.endAt(lat, &laws.Bytes, in)...))
	}
	return max(0, birth), max(mine.End.Coef[0], end)
}

// decide chooses by the processor's time, then by memory; where neither tells the
// placements apart, either will do, and what is left is isolation.
func (c *Choice) decide(w *Workload, least float64) {
	t, r := &c.Tagged, &c.Replicated
	cpu, bytes := t.CPU-r.CPU, t.Total-r.Total
	name := func(tagged bool) (string, netns.Placement) {
		if tagged {
			return ChooseTagged, netns.Tagged
		}
		return ChooseReplicated, netns.Replicated
	}
	switch {
	case math.Abs(cpu) > c.Unsure && math.Abs(cpu) >= matters:
		c.Choose, c.place = name(cpu < 0)
		c.Why = c.because(w, cpu)
	case math.Abs(bytes) > c.unsureBytes && math.Abs(bytes) > memoryMatters*least:
		c.Choose, c.place = name(bytes < 0)
		c.Why = fmt.Sprintf("it takes %s less memory in all; the time is the same within the model's error or a thousandth of a CPU", Bytes(math.Abs(bytes)))
	case math.Abs(cpu) >= matters:
		c.Choose, c.place = ChooseEither, netns.Replicated
		c.Why = fmt.Sprintf("no difference: the laws say %s, and may be off by %s; isolation is for replicated", percent(math.Abs(cpu)), percent(c.Unsure))
	default:
		c.Choose, c.place = ChooseEither, netns.Replicated
		c.Why = fmt.Sprintf("no difference that matters: %s of a CPU and %s; isolation is for replicated", percent(math.Abs(cpu)), Bytes(math.Abs(bytes)))
	}
	c.Place = c.place.String()
}

// because names the greatest part of the difference.
func (c *Choice) because(w *Workload, cpu float64) string {
	t, r := &c.Tagged, &c.Replicated
	what := []struct {
		word string
		rate float64
		a, b float64
	}{
		{"lookups", c.Lookups, t.LookNS, r.LookNS}, {"entries added and deleted", w.Churn, t.PairNS, r.PairNS},
		{"the making of Nets' entries", w.Lives, t.BirthNS, r.BirthNS}, {"the ends of Nets", w.Lives, t.EndNS, r.EndNS},
	}
	best := slices.MaxFunc(what, func(a, b struct {
		word string
		rate float64
		a, b float64
	}) int {
		x, y := a.rate*(a.a-a.b)*sign(cpu), b.rate*(b.a-b.b)*sign(cpu)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return fmt.Sprintf("it saves %s of a CPU, most of it in %s: %s tagged, %s replicated", percent(math.Abs(cpu)), best.word, duration(best.a), duration(best.b))
}

func sign(v float64) float64 { return math.Copysign(1, v) }

// fit keeps to the bound of memory: placements that take less are chosen after
// all, those first that save most bytes for a CPU.
func (a *Advice) fit(c *Calibration, least float64) {
	total := func() (bytes, cpu float64) {
		bytes = c.Idle * float64(a.Workload.Nets)
		for i := range a.Choices {
			x := a.Choices[i].cost(a.Choices[i].place)
			bytes, cpu = bytes+x.Total, cpu+x.CPU
		}
		return bytes, cpu
	}
	bound := float64(a.Workload.Memory)
	for a.Bytes, a.CPU = total(); bound > 0 && a.Bytes > bound; a.Bytes, a.CPU = total() {
		best, price := -1, math.Inf(1)
		for i := range a.Choices {
			ch := &a.Choices[i]
			now, other := ch.cost(ch.place), ch.cost(swapped(ch.place))
			if saved := now.Total - other.Total; saved > 0 && (other.CPU-now.CPU)/saved < price {
				best, price = i, (other.CPU-now.CPU)/saved
			}
		}
		if best < 0 {
			a.Notes = append(a.Notes, fmt.Sprintf("the bound of %s cannot be kept: the least is %s", Bytes(bound), Bytes(least)))
			return
		}
		ch := &a.Choices[best]
		from := ch.cost(ch.place)
		ch.place = swapped(ch.place)
		ch.Place = ch.place.String()
		ch.Choose = ch.Place
		ch.Why = fmt.Sprintf("the memory bound: %s less than %v, for %s of a CPU more", Bytes(from.Total-ch.cost(ch.place).Total), swapped(ch.place), percent(max(0, ch.cost(ch.place).CPU-from.CPU)))
	}
}

func swapped(place netns.Placement) netns.Placement {
	if place == netns.Tagged {
		return netns.Replicated
	}
	return netns.Tagged
}

// notes says where the laws are asked about what was not measured.
func (a *Advice) notes(c *Calibration) {
	most := float64(newRig(Normal, nil).most)
	if c.Quick {
		most = float64(newRig(Quick, nil).most)
	}
	var far []string
	for _, ch := range a.Choices {
		h := c.Homes[ch.Subsystem]
		if ch.Kind == Table && float64(a.Workload.Nets)*h.filed(float64(a.Workload.entriesOf(ch.Subsystem))) > 2*most {
			far = append(far, ch.Subsystem)
		}
	}
	if far != nil {
		a.Notes = append(a.Notes, fmt.Sprintf("more entries than the %.0f up to which was measured: extrapolated for %v", most, far))
	}
	if c.Foreign > 0.05 {
		a.Notes = append(a.Notes, fmt.Sprintf("others kept %.2f CPUs busy during the calibration: measure anew when they rest", c.Foreign))
	}
}
