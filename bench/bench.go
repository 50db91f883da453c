package bench

import (
	"fmt"
	"slices"
	"time"

	"nsmodel"
	"nsmodel/netns"
)

// Words for [Case.Better].
const (
	Lower  = "lower"
	Higher = "higher"
)

// Sizes say how large and how long measurements are.
type Sizes struct {
	IdleNets   int           // Nets that an idle Net's cost is averaged over
	CrowdNets  int           // Nets beside the one whose packets are measured
	Others     int           // entries of other Nets while one is taken down
	Own        int           // entries of the Net that is taken down
	Routes     int           // routes in the table that is looked up
	Internet4  int           // routes in a large table of IPv4
	Internet6  int           // and of IPv6
	FIBNets    int           // Nets with four routes each
	TableNets  int           // Nets that share a table's lookups
	SocketNets int           // Nets with sockets on the same ports
	Slice      time.Duration // one round of one figure
	Rounds     int           // of which the median is taken
	NICSlice   time.Duration // the same for figures with real NICs
	NICRounds  int
	IdleRounds int
}

// Full are the sizes of a report, Quick those of a look at it, and Tiny those of
// a test that everything runs.
func Full() Sizes {
	return Sizes{IdleNets: 100_000, CrowdNets: 100_000, Others: 1_000_000, Own: 10_000, Routes: 1000, TableNets: 1000, SocketNets: 10_000,
		Internet4: 1_000_000, Internet6: 200_000, FIBNets: 10_000,
		Slice: 200 * time.Millisecond, Rounds: 9, NICSlice: 200 * time.Millisecond, NICRounds: 25, IdleRounds: 3}
}

// Quick finishes in less than a minute on two cores.
func Quick() Sizes {
	return Sizes{IdleNets: 20_000, CrowdNets: 100_000, Others: 1_000_000, Own: 10_000, Routes: 1000, TableNets: 1000, SocketNets: 10_000,
		Internet4: 100_000, Internet6: 20_000, FIBNets: 10_000,
		Slice: 50 * time.Millisecond, Rounds: 5, NICSlice: 100 * time.Millisecond, NICRounds: 11, IdleRounds: 1}
}

// Tiny measures nothing worth reading.
func Tiny() Sizes {
	return Sizes{IdleNets: 200, CrowdNets: 100, Others: 1000, Own: 100, Routes: 50, TableNets: 5, SocketNets: 20,
		Internet4: 500, Internet6: 500, FIBNets: 100,
		Slice: time.Millisecond, Rounds: 1, NICSlice: 20 * time.Millisecond, NICRounds: 1, IdleRounds: 1}
}

// A Case is one figure to be measured.
type Case struct {
	Name   string
	Place  string // "tagged" or "replicated"
	Nets   int    // Nets of the machine beside the initial one
	Unit   string
	Better string
	What   string   // what exactly is measured
	Target *float64 // that Better is to be at, nil for none
	Others *int     // entries of other Nets, where that is varied
	Sweep  string   // "own" or "walk", where that is varied

	group string // cases that are compared with each other take turns
	open  func(*Rig) (*stand, error)
}

// Key names the case as Go benchmarks are named, for benchstat.
func (c *Case) Key() string {
	s := fmt.Sprintf("%s/place=%s/nets=%d", c.Name, c.Place, c.Nets)
	if c.Others != nil {
		s += fmt.Sprintf("/others=%d", *c.Others)
	}
	if c.Sweep != "" {
		s += "/sweep=" + c.Sweep
	}
	return s
}

// A stand is a case set up and ready. One of run and sample is set.
type stand struct {
	run    func(k int) error         // does k operations: the figure is the time of one
	sample func() (float64, error)   // takes the figure once
	extra  func() map[string]float64 // what else was seen, to be called after the last round
	rounds int                       // 0: the Rig's
	once   bool                      // one sample tells as much as many: no warm-up
}

// A Rig is what cases share: sizes, and machines that take long to fill.
type Rig struct {
	Sizes
	crowds map[netns.Placement]*crowd
	nics   *nicRig
}

// NewRig returns an empty one; Close it.
func NewRig(s Sizes) *Rig { return &Rig{Sizes: s, crowds: map[netns.Placement]*crowd{}} }

// Close lets go of what was shared.
func (r *Rig) Close() {
	if r.nics != nil {
		r.nics.close()
	}
	r.nics, r.crowds = nil, map[netns.Placement]*crowd{}
}

// places are the two placements that everything is measured in.
func places() []netns.Placement { return []netns.Placement{netns.Tagged, netns.Replicated} }

// machine builds one with every subsystem in the same placement.
func machine(where netns.Placement, walk bool) (*nsmodel.Machine, error) {
	return nsmodel.New(nsmodel.Config{Seed: 1, Place: nsmodel.AllPlaces(where), Walk: walk})
}

// Cases lists every figure that s asks for, in the order of a report.
func Cases(s Sizes) []Case {
	var all []Case
	for _, where := range places() {
		all = append(all, idleCases(s, where)...)
	}
	for _, where := range places() {
		all = append(all, tableCases(s, where)...)
		all = append(all, lpmCases(s, where)...)
		all = append(all, forwardCases(s, where)...)
		all = append(all, socketCases(s, where)...)
		all = append(all, teardownCases(s, where)...)
		all = append(all, nicCases(s, where)...)
	}
	order := []string{}
	for i := range all {
		if all[i].group == "" {
			all[i].group = all[i].Name
		}
		if !slices.Contains(order, all[i].group) {
			order = append(order, all[i].group)
		}
	}
	slices.SortStableFunc(all, func(a, b Case) int { return slices.Index(order, a.group) - slices.Index(order, b.group) })
	return all
}

// Names lists the names of all figures, in the order of a report.
func Names() []string {
	var names []string
	for _, c := range Cases(Full()) {
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// target is a [Case.Target].
func target(v float64) *float64 { return &v }
