package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"nsmodel/compare"
)

// Groups that take twice what was expected change what is said of the rest; a
// group's own rounds decide about itself.
func TestTimeLeft(t *testing.T) {
	e := &compare.Experiment{Name: "e", Number: 3}
	left := &timeLeft{at: -1}
	for _, what := range []string{"a", "b", "c", "d"} {
		left.groups = append(left.groups, planned{"e", what, 60})
	}
	now := time.Unix(1000, 0)
	last := -1.0
	say := func(s compare.Step) time.Duration {
		s.Experiment = e
		left.tell(s, now)
		share, rest := left.left(now)
		if share < last || share < 0 || share > 1 {
			t.Errorf("%s: share %v after %v", s.What, share, last)
		}
		last = share
		return rest
	}
	near := func(what string, got time.Duration, want float64) {
		t.Helper()
		if s := got.Seconds(); s < want*0.9 || s > want*1.1 {
			t.Errorf("%s: %v left, want about %v s", what, got, want)
		}
	}
	near("at first what was expected", say(compare.Step{What: "a"}), 240)
	now = now.Add(120 * time.Second)
	near("b: each takes twice that", say(compare.Step{What: "b"}), 360)
	now = now.Add(20 * time.Second)
	near("b, set up", say(compare.Step{What: "b", Open: 1, Of: 10}), 340)
	now = now.Add(60 * time.Second)
	near("b, its rounds decide: 3 in 60 s", say(compare.Step{What: "b", Open: 1, Done: 3, Of: 10}), 140+240)
	now = now.Add(40 * time.Second)
	near("b, and 8 in 100 s", say(compare.Step{What: "b", Open: 1, Done: 8, Of: 10}), 25+240)
	near("c is held", say(compare.Step{What: "c", Skipped: true}), 120)
	near("d", say(compare.Step{What: "d"}), 120)
	now = now.Add(300 * time.Second)
	if rest := say(compare.Step{What: "d"}); rest <= 0 {
		t.Errorf("%v left of what takes longer than ever", rest)
	}
	now = now.Add(time.Minute)
	if rest := say(compare.Step{What: "d", Open: 1, Of: 1000}); rest <= 0 { // much more to do than thought: the share stays
		t.Errorf("%v left", rest)
	}
	now = now.Add(time.Minute)
	near("d, 1 in a minute", say(compare.Step{What: "d", Open: 1, Done: 1, Of: 1000}), 999*60)
}

// A group that nobody planned, and one left out as its experiment failed, do not
// upset the rest.
func TestTimeLeftUnplanned(t *testing.T) {
	left := &timeLeft{at: -1, groups: []planned{{"e", "a", 10}, {"e", "b", 10}, {"f", "c", 10}}}
	now := time.Unix(1000, 0)
	say := func(name, what string) time.Duration {
		left.tell(compare.Step{Experiment: &compare.Experiment{Name: name}, What: what}, now)
		_, rest := left.left(now)
		return rest
	}
	say("e", "a")
	now = now.Add(10 * time.Second)
	say("e", "surprise")
	if rest := say("f", "c"); rest < 9*time.Second || rest > 11*time.Second {
		t.Errorf("%v left in the last group", rest)
	}
}

// On a terminal the line is written over, elsewhere each group gets one.
func TestProgressLine(t *testing.T) {
	e := &compare.Experiment{Name: "teardown", Number: 5}
	for terminal, want := range map[bool]string{
		false: "[  0%, 1m0s left] 5 teardown: kernel\n",
		true:  "\r\x1b[K[  0%, 1m0s left] 5 teardown: kernel",
	} {
		var out bytes.Buffer
		p := &progressLine{out: &out, terminal: terminal, left: &timeLeft{at: -1, groups: []planned{{"teardown", "kernel", 60}}}, stop: make(chan struct{})}
		p.tell(compare.Step{Experiment: e, What: "kernel"})
		p.tell(compare.Step{Experiment: e, What: "kernel", Open: 1})
		if got := out.String(); got != want {
			t.Errorf("terminal %v: %q", terminal, got)
		}
	}
}

// runOf returns a Run without a directory.
func runOf(t *testing.T) *compare.Run {
	t.Helper()
	s, err := compare.OpenStore("", true)
	if err != nil {
		t.Fatal(err)
	}
	return compare.NewRun(compare.Tiny, s)
}

// An experiment that fails is told, and the next one is measured all the same.
func TestOthersGoOnAfterAFailure(t *testing.T) {
	fine := compare.All()[0]
	bad := *fine
	bad.Name, bad.Run = "bad", func(r *compare.Run) error { return errNoMemory }
	var out bytes.Buffer
	err := runExperiments(&out, runOf(t), []*compare.Experiment{&bad, fine})
	if err == nil || !strings.Contains(err.Error(), "bad: no memory") {
		t.Errorf("error %v", err)
	}
	text := out.String()
	if i := strings.Index(text, "FAILED: compare: bad: no memory"); i < 0 || !strings.Contains(text[i:], "Answer: Among") {
		t.Errorf("printed:\n%s", text)
	}
}

var errNoMemory = errorString("no memory")

type errorString string

func (e errorString) Error() string { return string(e) }

// A report wants a directory with samples, and a run one scale.
func TestCompareFlags(t *testing.T) {
	if got := compareRun([]string{"--report", "--out", t.TempDir()}); got != 1 {
		t.Errorf("a report of nothing ends with %d", got)
	}
	if got := compareRun([]string{"--report"}); got != 1 {
		t.Errorf("a report of no directory ends with %d", got)
	}
	if got := compareRun([]string{"--quick", "--full"}); got != 1 {
		t.Errorf("quick and full ends with %d", got)
	}
}
