// Explorer is the program that package explore builds over its overlay: it tries the
// schedules of scenes and prints what it found, a line of JSON each.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"nsmodel/conformance/explore/scene"
	"nsmodel/conformance/explore/search"
	"nsmodel/conformance/explore/step"
)

// A Report is what became of one scene.
type Report struct {
	Scene     string        `json:"scene"`
	Bound     int           `json:"bound"`
	Runs      int           `json:"runs"`
	Redundant int           `json:"redundant,omitempty"`
	Complete  bool          `json:"complete"`
	Whole     bool          `json:"whole"`
	Steps     int           `json:"steps"`
	Took      time.Duration `json:"took"`
	Tells     string        `json:"tells"`
	Broke     string        `json:"broke,omitempty"`
	Schedule  string        `json:"schedule,omitempty"`
	Tasks     []string      `json:"tasks,omitempty"`
	Events    []step.Event  `json:"events,omitempty"`
	Stuck     []Stuck       `json:"stuck,omitempty"`
}

// Stuck is a task that waits for ever.
type Stuck struct {
	Task  int          `json:"task"`
	Op    step.Op      `json:"op"`
	Stack []step.Frame `json:"stack"`
}

func main() {
	bound := flag.Int("bound", -2, "interruptions; -1: any number; -2: as each scene has it")
	plant := flag.String("race", "", "the planted race")
	runs := flag.Int("runs", 0, "schedules at most for each scene and bound")
	whole := flag.Int("whole", 3000, "first try all schedules, giving up after so many")
	limit := flag.Duration("time", 0, "time at most for each scene and bound")
	schedule := flag.String("schedule", "", "run this one")
	flag.Parse()
	step.Plant(*plant)
	out := json.NewEncoder(os.Stdout)
	for _, s := range scene.Scenes() {
		switch {
		case flag.NArg() > 0 && !asked(s.Name, flag.Args()):
		case *schedule != "":
			ok(out.Encode(told(s, Report{Scene: s.Name, Tells: s.Tells, Runs: 1}, parse(*schedule))))
		default:
			if *bound > -2 {
				s.Bound = *bound
			}
			ok(out.Encode(try(s, *whole, search.Limits{Bound: s.Bound, Runs: *runs, Time: *limit})))
		}
	}
}

func ok(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "explorer:", err)
		os.Exit(1)
	}
}

func asked(name string, words []string) bool {
	for _, w := range words {
		if w == name {
			return true
		}
	}
	return false
}

// try searches one scene: all schedules if there are at most whole of them, else
// those within the bound. What is found is told with as few interruptions as can be.
func try(s scene.Scene, whole int, l search.Limits) Report {
	start := time.Now()
	l.Progress = func(runs int) { fmt.Fprintf(os.Stderr, "progress %s: %d schedules\n", s.Name, runs) }
	var r search.Result
	if l.Bound < 0 {
		r = search.Explore(s.Make, l)
	} else {
		if whole > 0 {
			all := l
			all.Bound, all.Runs = search.Unbounded, whole
			r = search.Explore(s.Make, all)
		}
		if !r.Whole || r.Broke != "" {
			few := search.Deepen(s.Make, l)
			few.Runs += r.Runs
			if few.Broke != "" || r.Broke == "" {
				r = few
			}
		}
	}
	rep := Report{Scene: s.Name, Tells: s.Tells, Bound: l.Bound, Runs: r.Runs, Redundant: r.Redundant, Complete: r.Complete, Whole: r.Whole, Steps: r.Steps, Broke: r.Broke}
	if r.Broke != "" {
		rep = told(s, rep, r.Schedule)
	}
	rep.Took = time.Since(start)
	return rep
}

// told runs a schedule once more and notes all that happens.
func told(s scene.Scene, rep Report, schedule []int) Report {
	var names []string
	run := search.Replay(func() ([]step.Task, func() error) {
		tasks, check := s.Make()
		names = nil
		for _, t := range tasks {
			names = append(names, t.Name)
		}
		return tasks, check
	}, schedule)
	rep.Broke, rep.Tasks, rep.Events, rep.Schedule = run.Broke, names, run.Events, format(schedule)
	rep.Steps = len(run.Events)
	for _, t := range run.Stuck {
		rep.Stuck = append(rep.Stuck, Stuck{t, run.Pending(t), run.StackOf(t)})
	}
	return rep
}

// format writes a schedule as task*steps, with commas.
func format(schedule []int) string {
	var b strings.Builder
	for i := 0; i < len(schedule); {
		k := i
		for k < len(schedule) && schedule[k] == schedule[i] {
			k++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d*%d", schedule[i], k-i)
		i = k
	}
	return b.String()
}

// parse reads what format writes.
func parse(text string) (schedule []int) {
	for part := range strings.SplitSeq(text, ",") {
		t, k, _ := strings.Cut(part, "*")
		task, err := strconv.Atoi(t)
		ok(err)
		n, err := strconv.Atoi(k)
		ok(err)
		for range n {
			schedule = append(schedule, task)
		}
	}
	return schedule
}
