// Trial looks for a defect in the source that it was built from: it lets the
// laws and the judges work on machines of one placement, one after the other,
// and prints what each finds, a line of JSON each. Package mutant builds it once
// for each mutant.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"
)

// A report is a line of the trial's output. One without Took says that a
// detector begins, so that whoever reads knows whom a crash belongs to.
type report struct {
	Detector string        `json:"detector"`
	Place    string        `json:"place"`
	Killed   bool          `json:"killed,omitempty"`
	Cases    int           `json:"cases,omitempty"`
	Took     time.Duration `json:"took,omitempty"`
	Text     string        `json:"text,omitempty"`
}

func main() {
	testing.Init() // rapid asks it whether the tests are to be short
	place := flag.String("place", "mixed", "where tables stand: tagged, replicated or mixed (compared with each other)")
	rounds := flag.Int("rounds", 2, "how long to look: each round draws ten times the cases of the last")
	all := flag.Bool("all", false, "go on after the first find")
	skip := flag.String("skip", "", "detectors to leave out, with commas")
	only := flag.String("only", "", "detectors to ask, with commas")
	first := flag.String("first", "", "the detector to ask before all others")
	memory := flag.Int64("memory", 2<<30, "end with status 3 when more bytes than that are in use")
	seed := flag.Uint64("seed", 1, "where the drawing of cases starts")
	shrink := flag.Duration("shrink", 0, "how long to look for a smaller case")
	flag.Parse()
	for name, v := range map[string]string{"seed": fmt.Sprint(*seed), "nofailfile": "true", "shrinktime": shrink.String()} {
		if err := flag.Set("rapid."+name, v); err != nil {
			panic(err)
		}
	}
	debug.SetMemoryLimit(*memory)
	go watch(uint64(*memory))
	ds := detectors(*place, *rounds)
	slices.SortStableFunc(ds, func(a, b detector) int {
		switch *first {
		case a.name:
			return -1
		case b.name:
			return 1
		}
		return 0
	})
	for _, d := range ds {
		if slices.Contains(strings.Split(*skip, ","), d.name) || *only != "" && !slices.Contains(strings.Split(*only, ","), d.name) {
			continue
		}
		r := report{Detector: d.name, Place: *place}
		tell(r)
		start := time.Now()
		r.Cases, r.Text = d.run()
		r.Took, r.Killed = max(time.Since(start), 1), r.Text != ""
		r.Text = head(r.Text)
		tell(r)
		if r.Killed && !*all {
			return
		}
	}
}

func tell(r report) {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(b))
}

// head returns the first lines of a failure, which say what it is.
func head(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > 60 {
		lines = append(lines[:60], fmt.Sprintf("(%d lines more)", len(lines)-60))
	}
	return strings.Join(lines, "\n")
}

// watch ends the program when it has grown too large: a mutant may make things
// without end.
func watch(limit uint64) {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(100 * time.Millisecond) {
		if metrics.Read(s); s[0].Value.Uint64()-s[1].Value.Uint64() > limit {
			fmt.Fprintln(os.Stderr, "fatal error: more memory than a trial may have")
			os.Exit(3)
		}
	}
}
