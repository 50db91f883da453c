package advise

import (
	"fmt"
	"runtime"

	"nsmodel/netns"
)

// Laws are what one kind of home costs under one placement.
type Laws struct {
	Lookup Law  `json:"lookup"`
	Bytes  Law  `json:"bytes"`
	Pair   *Law `json:"pair,omitempty"`
	Birth  *Law `json:"birth,omitempty"` // the making of a Net's entries
	End    *Law `json:"end,omitempty"`   // a Net's end with them
	Walk   *Law `json:"walk,omitempty"`  // the same, if a shared home is walked
}

// A KindLaws has both placements', and how well their quotient is told.
type KindLaws struct {
	Tagged     Laws  `json:"tagged"`
	Replicated Laws  `json:"replicated"`
	Ratio      Error `json:"lookup_ratio_error"` // of a lookup, tagged : replicated
	PairRatio  Error `json:"pair_ratio_error"`
	BirthRatio Error `json:"birth_ratio_error"`
	EndRatio   Error `json:"end_ratio_error"`
}

func (k *KindLaws) of(place netns.Placement) *Laws {
	if place == netns.Tagged {
		return &k.Tagged
	}
	return &k.Replicated
}

// places are the two that are weighed.
func places() [2]netns.Placement { return [2]netns.Placement{netns.Tagged, netns.Replicated} }

// samples are what one kind's points came to under one placement.
type samples struct {
	scenes  []scene // of a point, in order
	bytes   []float64
	looks   []float64 // by point, then by burst
	lookAt  []scene
	pairs   []float64
	endsAt  []scene // of the Nets that were made and ended
	births  []float64
	ends    []float64
	walks   []float64
	walksAt []scene
}

// measureKind takes a kind's points and fits its laws.
func (r *rig) measureKind(k Kind, lat *Latency) (*KindLaws, error) {
	var got [2]samples
	list := points(k, r.most)
	for at, pt := range list {
		r.say("%s: %d Nets with %d entries (%d of %d)", k, pt.nets, pt.entries, at+1, len(list))
		if err := r.measurePoint(k, pt, &got); err != nil {
			return nil, fmt.Errorf("advise: %s of %d Nets with %d entries: %w", k, pt.nets, pt.entries, err)
		}
	}
	laws := new(KindLaws)
	var rows [2]fitted
	for i, place := range places() {
		var err error
		if rows[i], err = got[i].fit(fmt.Sprintf("%s, %v", k, place), laws.of(place), lat); err != nil {
			return nil, err
		}
	}
	t, p := &laws.Tagged, &laws.Replicated
	laws.Ratio = ratioError(&t.Lookup, &p.Lookup, rows[0].looks, rows[1].looks)
	if t.Pair != nil {
		laws.PairRatio = ratioError(t.Pair, p.Pair, rows[0].pairs, rows[1].pairs)
	}
	if t.End != nil {
		laws.BirthRatio = ratioError(t.Birth, p.Birth, rows[0].births, rows[1].births)
		laws.EndRatio = ratioError(t.End, p.End, rows[0].ends, rows[1].ends)
	}
	return laws, nil
}

// measurePoint measures both placements at a point, in turns.
func (r *rig) measurePoint(k Kind, pt point, got *[2]samples) error {
	var crowds [2]*crowd
	var ops []func(int) error
	for i, place := range places() {
		before := heap()
		c, err := newCrowd(k, place, pt, false)
		if err != nil {
			return err
		}
		crowds[i] = c
		s := scene{place: place, shares: []share{{float64(pt.nets), float64(pt.entries)}}, burst: 1, buckets: pt.buckets}
		g := &got[i]
		g.scenes = append(g.scenes, s)
		g.bytes = append(g.bytes, max(1, heap()-before))
		for _, b := range pt.bursts {
			s.burst = b
			g.lookAt = append(g.lookAt, s)
			ops = append(ops, c.look(b))
		}
		if c.pair != nil {
			ops = append(ops, c.pair)
		}
	}
	ns, err := turns(r.slice, r.rounds, ops)
	if err != nil {
		return err
	}
	for i, c := range crowds {
		mine := ns[i*len(ns)/2 : (i+1)*len(ns)/2]
		for j := range pt.bursts {
			got[i].looks = append(got[i].looks, mine[j])
		}
		if c.pair != nil {
			got[i].pairs = append(got[i].pairs, mine[len(pt.bursts)])
		}
		if c.end == nil || pt.nets < 8 { // of few Nets the one that ends is always warm
			continue
		}
		s := got[i].scenes[len(got[i].scenes)-1]
		got[i].endsAt = append(got[i].endsAt, s)
		end, birth, err := c.lives(4 * r.slice)
		if err != nil {
			return err
		}
		got[i].ends, got[i].births = append(got[i].ends, end), append(got[i].births, birth)
	}
	runtime.KeepAlive(crowds)
	if k != Listeners && pt.nets >= 8 && pt.nets*pt.entries <= 1<<18 {
		return r.measureWalk(k, pt, &got[0])
	}
	return nil
}

// measureWalk takes the end of a Net that has the shared table walked.
func (r *rig) measureWalk(k Kind, pt point, g *samples) error {
	c, err := newCrowd(k, netns.Tagged, pt, true)
	if err != nil {
		return err
	}
	end, _, err := c.lives(4 * r.slice)
	g.walks = append(g.walks, end)
	g.walksAt = append(g.walksAt, g.scenes[len(g.scenes)-1])
	return err
}

// fitted are the rows that laws were fitted to.
type fitted struct{ looks, pairs, births, ends []row }

// fit finds the laws of one placement.
func (g *samples) fit(name string, laws *Laws, lat *Latency) (f fitted, err error) {
	rows := func(scenes []scene, ys []float64, at func(*scene) []float64) (list []row) {
		for i := range scenes {
			list = append(list, row{x: at(&scenes[i]), y: ys[i]})
		}
		return list
	}
	if laws.Bytes, err = fitBytes(name+": bytes of all", g.scenes, g.bytes); err != nil {
		return f, err
	}
	b := &laws.Bytes
	one := func(at func(*scene, *Latency, *Law, share) []float64) func(*scene) []float64 {
		return func(s *scene) []float64 { return at(s, lat, b, s.shares[0]) }
	}
	f.looks = rows(g.lookAt, g.looks, one((*scene).lookupAt))
	if laws.Lookup, err = fit(name+": a lookup", "ns", lookupTerms(), f.looks); err != nil {
		return f, err
	}
	if len(g.pairs) > 0 {
		f.pairs = rows(g.scenes, g.pairs, one((*scene).pairAt))
		if laws.Pair, err = fitted1(name+": an entry added and deleted", pairTerms(), f.pairs); err != nil {
			return f, err
		}
	}
	if len(g.ends) > 0 {
		f.ends = rows(g.endsAt, g.ends, one((*scene).endAt))
		if laws.End, err = fitted1(name+": a Net's end", endTerms(), f.ends); err != nil {
			return f, err
		}
	}
	if len(g.births) > 0 {
		f.births = rows(g.endsAt, g.births, one((*scene).endAt))
		if laws.Birth, err = fitted1(name+": a Net's entries made", endTerms(), f.births); err != nil {
			return f, err
		}
	}
	if len(g.walks) > 0 {
		laws.Walk, err = fitted1(name+": a Net's end, walking", walkTerms(), rows(g.walksAt, g.walks, one((*scene).walkAt)))
	}
	return f, err
}

// fitBytes fits what Nets and entries weigh beside the buckets.
func fitBytes(name string, scenes []scene, bytes []float64) (Law, error) {
	var rest, all []row
	for i := range scenes {
		x := scenes[i].bytesAt()
		rest = append(rest, row{x: x[:2], y: bytes[i] - bucketSize*x[2], of: bytes[i]})
		all = append(all, row{x: x, y: bytes[i]})
	}
	l, err := fit(name, "bytes", bytesTerms()[:2], rest)
	if err != nil {
		return l, err
	}
	fitted := l.Error.Fitted
	l.Terms, l.Coef = bytesTerms(), append(l.Coef, bucketSize)
	l.Error = l.errorAt(all)
	l.Error.Fitted = fitted
	return l, nil
}

func fitted1(name string, terms []string, rows []row) (*Law, error) {
	l, err := fit(name, "ns", terms, rows)
	return &l, err
}
