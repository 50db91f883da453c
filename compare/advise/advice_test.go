package advise

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// planted is a calibration with plain laws: what advice it gives is known.
func planted() *Calibration {
	law := func(terms []string, c ...float64) Law {
		return Law{Terms: terms, Coef: c, Error: Error{Median: 0.01, Worst: 0.05, Held: 9, Fitted: 18}}
	}
	ref := func(l Law) *Law { return &l }
	laws := func(entry float64) Laws {
		return Laws{
			Lookup: law(lookupTerms(), 20, 0, entry, 0, 1), Bytes: law(bytesTerms(), 100, 64, 8),
			Pair: ref(law(pairTerms(), 100, 0, 0)), Birth: ref(law(endTerms(), 100, 0, 0, 50, 0, 0)),
			End: ref(law(endTerms(), 100, 0, 0, 10, 0, 0)), Walk: ref(law(walkTerms(), 100, 10, 0.1, 1)),
		}
	}
	k := KindLaws{Tagged: laws(1), Replicated: laws(1), Ratio: Error{Median: 0.01, Held: 9}}
	c := &Calibration{Form: form, Idle: 3000, Latency: Latency{Bytes: []float64{1 << 10, 1 << 30}, NS: []float64{2, 102}},
		Kinds: map[Kind]*KindLaws{Table: &k, Cell: &k, Listeners: &k}, Homes: map[string]*Homes{}}
	for _, s := range subsystems() {
		home := func(fixed float64) HomeLaws {
			return HomeLaws{Bytes: law(homeTerms(), 3000, fixed, 100), End: law(lifeTerms(), 5000, 0, 100, 0), Birth: ref(law(lifeTerms()[1:], 0, 1000, 0))}
		}
		c.Homes[s.word] = &Homes{Tagged: home(100), Replicated: home(400), Each: 1, Tables: 1, Ops: map[string]float64{PathReceive: 1}}
	}
	return c
}

func advise(t *testing.T, c *Calibration, w Workload, word string) (*Advice, *Choice) {
	t.Helper()
	a, err := c.Advise(w, word)
	if err != nil {
		t.Fatal(err)
	}
	return a, &a.Choices[0]
}

// Where a Net's end walks the entries of all others, an own table is worth it, and
// the reason given is that.
func TestAdviceWalkIsForReplicated(t *testing.T) {
	w := Usual()
	w.Nets, w.Entries, w.Lives = 10_000, 100, 50
	_, before := advise(t, planted(), w, "udp")
	w.Walk = true
	_, c := advise(t, planted(), w, "udp")
	if before.Choose != ChooseEither || c.Choose != ChooseReplicated || !strings.Contains(c.Why, "the ends of Nets") {
		t.Errorf("own list: %s; walking: %s, %s", before.Choose, c.Choose, c.Why)
	}
	if c.Tagged.EndNS < 1e6 || c.Replicated.EndNS != before.Replicated.EndNS {
		t.Errorf("tagged %v ns, replicated %v ns, before %v ns", c.Tagged.EndNS, c.Replicated.EndNS, before.Replicated.EndNS)
	}
}

// A bound of memory overrules the time; one that nothing keeps is said to be so;
// one that is wide changes nothing.
func TestAdviceMemoryBindsForTagged(t *testing.T) {
	w := Usual()
	w.Nets, w.Entries, w.Lives, w.Walk = 10_000, 100, 50, true
	a, c := advise(t, planted(), w, "udp")
	if c.Choose != ChooseReplicated {
		t.Fatalf("without a bound: %s", c.Choose)
	}
	w.Memory = int64(a.Bytes) - 1
	a, c = advise(t, planted(), w, "udp")
	if c.Choose != ChooseTagged || c.Place != "tagged" || !strings.Contains(c.Why, "memory bound") || a.Bytes > float64(w.Memory) {
		t.Errorf("a byte too little: %s, %s; %v of %v bytes", c.Choose, c.Why, a.Bytes, w.Memory)
	}
	w.Memory = 1
	if a, _ = advise(t, planted(), w, "udp"); !slices.ContainsFunc(a.Notes, func(n string) bool { return strings.Contains(n, "cannot be kept") }) {
		t.Errorf("a bound of one byte: %q", a.Notes)
	}
	w.Memory = 1 << 40
	if _, c = advise(t, planted(), w, "udp"); c.Choose != ChooseReplicated {
		t.Errorf("a wide bound: %s", c.Choose)
	}
}

// Of several subsystems that one gives way first which saves the bytes for the
// least time.
func TestAdviceMemoryCheapestFirst(t *testing.T) {
	w := Usual()
	w.Nets, w.Entries, w.Lives, w.Walk = 10_000, 100, 50, true
	w.Of = map[string]int{"neigh": 10} // a walk there is a tenth as long
	for _, words := range [][]string{{"udp", "neigh"}, {"neigh", "udp"}} {
		w.Memory = 0
		a, err := planted().Advise(w, words...)
		if err != nil {
			t.Fatal(err)
		}
		w.Memory = int64(a.Bytes) - 1
		if a, err = planted().Advise(w, words...); err != nil {
			t.Fatal(err)
		}
		for _, ch := range a.Choices {
			if want := map[string]string{"udp": "replicated", "neigh": "tagged"}[ch.Subsystem]; ch.Place != want {
				t.Errorf("%s: %s, want %s", ch.Subsystem, ch.Place, want)
			}
		}
	}
}

// A difference in lookups decides if it is larger than the laws' error, and the
// same difference under worse laws is none.
func TestAdviceKnowsItsError(t *testing.T) {
	w := Usual()
	w.Lookups = 1e6
	c := planted()
	k := *c.Kinds[Table]
	k.Tagged.Lookup.Coef = slices.Clone(k.Tagged.Lookup.Coef)
	k.Tagged.Lookup.Coef[0] += 60
	c.Kinds[Table] = &k
	if _, ch := advise(t, c, w, "udp"); ch.Choose != ChooseReplicated || !strings.Contains(ch.Why, "lookups") {
		t.Errorf("60 ns more in a million lookups: %s, %s", ch.Choose, ch.Why)
	}
	k.Ratio.Median = 0.5
	if _, ch := advise(t, c, w, "udp"); ch.Choose != ChooseEither || !strings.Contains(ch.Why, "may be off") {
		t.Errorf("with laws that are off by half: %s, %s", ch.Choose, ch.Why)
	}
	k.Ratio.Median = 0.01
	w.Lookups, w.Packets = 0, 100 // a look for each
	if _, ch := advise(t, c, w, "udp"); ch.Choose != ChooseEither || !strings.Contains(ch.Why, "matters") {
		t.Errorf("in a hundred lookups: %s, %s", ch.Choose, ch.Why)
	}
	// The other way round it is tagged that costs less.
	w.Lookups = 1e6
	k.Tagged, k.Replicated = k.Replicated, k.Tagged
	if _, ch := advise(t, c, w, "udp"); ch.Choose != ChooseTagged {
		t.Errorf("60 ns less in a million lookups: %s", ch.Choose)
	}
}

// Fixed tables: those of others lengthen the chains of a shared one, and an own one
// of that size weighs.
func TestAdviceFixedTables(t *testing.T) {
	w := Usual()
	w.Nets, w.Entries, w.Buckets, w.Lookups = 1000, 1000, 1<<14, 1e6
	_, c := advise(t, planted(), w, "udp")
	if c.Choose != ChooseReplicated || c.Tagged.LookNS < 10*c.Replicated.LookNS {
		t.Errorf("%s: %v and %v ns", c.Choose, c.Tagged.LookNS, c.Replicated.LookNS)
	}
	if own := c.Replicated.Bytes - c.Tagged.Bytes; own < 100_000 {
		t.Errorf("own tables of 16,384 buckets weigh %v bytes more", own)
	}
}

func TestAdviseRefuses(t *testing.T) {
	w := Usual()
	if _, err := planted().Advise(w, "tcp"); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "udp") {
		t.Errorf("an unknown subsystem: %v", err)
	}
	w.Burst = -1
	if _, err := planted().Advise(w); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a workload that cannot be: %v", err)
	}
	w = Usual()
	w.Nets, w.Entries = 100_000, 1000
	if _, err := planted().Check(w, []string{"udp"}, nil); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a check of 100,000,000 sockets: %v", err)
	}
}
