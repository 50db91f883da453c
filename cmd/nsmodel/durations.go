package main

import (
	_ "embed"
	"encoding/json"

	"nsmodel/compare"
)

// durationsText has how long groups of arms took where somebody last measured all
// of them, setting up included: by scale, experiment and group. It is only where a
// guess begins: what DIR remembers is better, and what this run takes better still.
// TestDurations -durations DIR writes it from a run.
//
//go:embed durations.json
var durationsText []byte

// A duration is a group's.
type duration struct {
	Seconds float64 `json:"s"`
	Arms    int     `json:"arms"`
}

// durations are by scale, experiment, and group.
type durations map[string]map[string]map[string]duration

func knownDurations() durations {
	var d durations
	if err := json.Unmarshal(durationsText, &d); err != nil {
		panic(err) // it is compiled in, and tested
	}
	return d
}

// fullTimes is how much longer an arm takes in a full run than in a usual one: it
// has 21 rounds for 11, of 150 ms for 60.
const fullTimes = 21. / 11 * 150 / 60

// usually returns how many seconds a group takes: of one that nobody has measured, as
// others of its experiment by their arms.
func usually(experiment, group string, arms int, scale compare.Scale) float64 {
	all, times := knownDurations()[scale.String()][experiment], 1.0
	if all == nil {
		all, times = knownDurations()[compare.Usual.String()][experiment], fullTimes
	}
	if d, ok := all[group]; ok && d.Arms > 0 {
		return times * d.Seconds * float64(arms) / float64(d.Arms)
	}
	sum := duration{0.5, 1} // a word for an experiment of which nothing is known
	for _, d := range all {
		sum.Seconds, sum.Arms = sum.Seconds+d.Seconds, sum.Arms+d.Arms
	}
	return times * sum.Seconds * float64(arms) / float64(sum.Arms)
}
