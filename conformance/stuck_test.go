package conformance

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A lab whose command does not come back is a failure, for which no shorter lab
// is looked for; those after it are left out by the judge that it keeps busy.
func TestStuck(t *testing.T) {
	var f failures
	f.add("- a, + b", "b", broke(fmt.Errorf("$ ip netns add red\n%w: %v", errStuck, comesBack)), nil) // nil: nobody tries again
	got := f.finding(nil)
	if got.Outcome != Failed || !got.Stuck || !strings.Contains(got.Text, "does not come back") {
		t.Errorf("finding: %+v", got)
	}
	labs := []*Lab{{Path: "one.lab"}, {Path: "two.lab"}}
	for i := range 20 { // one after the other would need no more
		labs = append(labs, &Lab{Path: fmt.Sprint(i)})
	}
	asked := 0
	judge := Judge{"patient", "?", func(*Lab) Finding { asked++; return got }}
	quick := Judge{"quick", "?", func(*Lab) Finding { return Finding{Outcome: Passed} }}
	all := JudgeAll(labs[:1], []Judge{judge}, func(Finding) {})
	if all[0][0].Outcome != Failed || asked != 1 {
		t.Errorf("the first: %+v, asked %d times", all[0][0], asked)
	}
	all = JudgeAll(labs, []Judge{{"patient", "?", func(l *Lab) Finding { return got }}, quick}, func(Finding) {})
	left := 0
	for i := range all {
		if all[i][0].Outcome == Skipped {
			left++
		}
		if all[i][1].Outcome != Passed {
			t.Errorf("the next judge on %s: %+v", labs[i].Path, all[i][1])
		}
	}
	if left == 0 {
		t.Error("no lab was left out after one that does not come back")
	}
	if errors.Is(errPanic, errStuck) {
		t.Error("a panic is not stuck")
	}
}
