package main

import (
	"time"

	"nsmodel/compare"
)

// A timeLeft guesses how long a comparison will still take.
type timeLeft struct {
	groups []planned
	at     int // the group that is measured now, len(groups) after the last

	began         time.Time // the present group
	turns         time.Time // when its rounds began, zero while arms are set up
	spent, wanted float64   // seconds that groups took, and were expected to
	step          compare.Step
	total         time.Duration // all groups that ended
	shown         float64       // a share is never taken back
}

// A planned group has its expected seconds.
type planned struct {
	experiment, what string
	seconds          float64
}

// newTimeLeft lists what a run is going to do.
func newTimeLeft(r *compare.Run, some []*compare.Experiment) *timeLeft {
	t := &timeLeft{at: -1}
	for _, e := range some {
		for _, g := range r.Plan(e) {
			seconds := g.Earlier.Seconds()
			if seconds == 0 {
				seconds = usually(e.Name, g.What, g.Arms, r.Scale)
			}
			t.groups = append(t.groups, planned{e.Name, g.What, seconds})
		}
	}
	return t
}

// tell takes note of a step.
func (t *timeLeft) tell(s compare.Step, now time.Time) {
	fresh := t.at < 0 || t.at >= len(t.groups) || t.groups[t.at].experiment != s.Experiment.Name || t.groups[t.at].what != s.What
	if fresh {
		t.close(now)
		t.open(s, now)
	}
	if s.Skipped && t.at < len(t.groups) {
		t.groups[t.at].seconds = 0
	}
	if s.Of > 0 && t.turns.IsZero() {
		t.turns = now
	}
	t.step = s
}

// open goes to the group of a step. Groups that were left out on the way, as
// their experiment failed, are not waited for.
func (t *timeLeft) open(s compare.Step, now time.Time) {
	t.began, t.turns = now, time.Time{}
	for i := t.at + 1; i < len(t.groups); i++ {
		if t.groups[i].experiment == s.Experiment.Name && t.groups[i].what == s.What {
			t.at = i
			return
		}
	}
	t.groups = append(t.groups[:t.at+1:t.at+1], append([]planned{{s.Experiment.Name, s.What, 1}}, t.groups[t.at+1:]...)...)
	t.at++
}

// close ends the present group.
func (t *timeLeft) close(now time.Time) {
	if t.at < 0 || t.at >= len(t.groups) {
		return
	}
	took := now.Sub(t.began)
	t.total += took
	if want := t.groups[t.at].seconds; want > 0 && !t.step.Skipped {
		t.spent, t.wanted = t.spent+took.Seconds(), t.wanted+want
	}
}

// pace is how this run compares with what was expected. A few seconds of doubt
// keep the first small group from deciding.
func (t *timeLeft) pace() float64 {
	const doubt = 5
	return (t.spent + doubt) / (t.wanted + doubt)
}

// left returns what share of the whole is done, and how long the rest will take.
func (t *timeLeft) left(now time.Time) (share float64, rest time.Duration) {
	pace, done, seconds := t.pace(), t.total.Seconds(), 0.0
	if t.at >= 0 && t.at < len(t.groups) {
		done += now.Sub(t.began).Seconds()
		seconds += t.present(now, pace)
	}
	for i := t.at + 1; i < len(t.groups); i++ {
		seconds += pace * t.groups[i].seconds
	}
	if done+seconds > 0 {
		t.shown = max(t.shown, done/(done+seconds))
	}
	return t.shown, time.Duration(seconds * float64(time.Second))
}

// present returns how many seconds the present group will still take: by its
// rounds once there are some, before that by what was expected.
func (t *timeLeft) present(now time.Time, pace float64) float64 {
	want := pace * t.groups[t.at].seconds
	if t.step.Done > 0 && t.step.Of > 0 {
		return now.Sub(t.turns).Seconds() * float64(t.step.Of-t.step.Done) / float64(t.step.Done)
	}
	return max(want-now.Sub(t.began).Seconds(), want/10)
}
