package mutant

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// A Finding is what one detector said of a mutant under one placement.
type Finding struct {
	Detector string        `json:"detector"`
	Place    string        `json:"place"` // tagged, replicated or mixed
	Killed   bool          `json:"killed"`
	Cases    int           `json:"cases"` // that it looked at, the one that killed included
	Took     time.Duration `json:"took"`  // in nanoseconds
	Text     string        `json:"text,omitempty"`
	// How is "crash" or "hang" if the detector did not live to speak.
	How string `json:"how,omitempty"`
}

// A Runner builds mutants and has them looked for.
type Runner struct {
	Tree *Tree
	Dir  string // for what is built; the caller takes it away
	// Rounds is how long to look, see package trial; Full says that every
	// detector is asked even after the first find.
	Rounds int
	Full   bool
	// Patience is how long one detector may take before it counts as hanging;
	// 0 is four minutes.
	Patience time.Duration
}

// Build builds the trial in which all of ms wait and returns the program's path.
func (r *Runner) Build(ctx context.Context, ms []Mutant) (string, error) {
	overlay, err := r.overlay(ms)
	if err != nil {
		return "", err
	}
	program := filepath.Join(r.Dir, "trial")
	// Nothing is inlined: that takes the compiler longer than it saves.
	c := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-gcflags=nsmodel/...=-l", "-ldflags=-s -w", "-o", program, "./conformance/mutant/trial")
	c.Dir = r.Tree.Root
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the mutants do not build: %w\n%s", err, out)
	}
	return program, nil
}

// overlay writes the files in which ms wait, and the one that tells the compiler
// of them.
func (r *Runner) overlay(ms []Mutant) (string, error) {
	files, err := r.Tree.Plant(ms)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, src := range files {
		path := filepath.Join(r.Dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(path, src, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(r.Tree.Root, name)] = path
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.Dir, "overlay.json")
	return path, os.WriteFile(path, b, 0o600)
}

// Try has the detectors look for the mutant of that number on machines of one
// placement, in processes of their own, until one finds something or, if full is
// set, all have looked. The detector called first, if any, is asked before all others.
func (r *Runner) Try(ctx context.Context, program string, number int, place, first string, rounds int, full bool) ([]Finding, error) {
	var all []Finding
	var done []string
	for {
		fs, err := r.try(ctx, program, number, place, first, rounds, full, done)
		all = append(all, fs...)
		if err != nil {
			return all, err
		}
		k := len(fs)
		if k == 0 || fs[k-1].How == "" || !full {
			return all, nil
		}
		for _, f := range fs { // it died half-way: go on behind
			done = append(done, f.Detector)
		}
	}
}

// try is one process. Of a detector that began and did not end it is said that
// it crashed, or that it hung.
func (r *Runner) try(ctx context.Context, program string, number int, place, first string, rounds int, full bool, skip []string) (fs []Finding, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := []string{"-place", place, "-rounds", fmt.Sprint(rounds), "-skip", strings.Join(skip, ","), "-first", first}
	if full {
		args = append(args, "-all")
	}
	c := exec.CommandContext(ctx, program, args...)
	var stderr opening
	c.Stderr = &stderr
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%d", Variable, number))
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	patience := r.Patience
	if patience == 0 {
		patience = 4 * time.Minute
	}
	var hung atomic.Bool
	alarm := time.AfterFunc(patience, func() { hung.Store(true); cancel() })
	defer alarm.Stop()
	var at string // who is at work
	began := time.Now()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		alarm.Reset(patience)
		var f Finding
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			continue // something that the model printed
		}
		if f.Took == 0 {
			at, began = f.Detector, time.Now()
			continue
		}
		at = ""
		fs = append(fs, f)
	}
	alarm.Stop()
	err = c.Wait()
	switch {
	case hung.Load():
		fs = append(fs, Finding{Detector: at, Place: place, Killed: true, Took: time.Since(began), How: "hang", Text: "nothing within " + patience.String()})
	case err != nil && at != "":
		fs = append(fs, Finding{Detector: at, Place: place, Killed: true, Took: time.Since(began), How: "crash", Text: stderr.head()})
	case err != nil:
		return fs, fmt.Errorf("trial: %w\n%s", errors.Join(err, ctx.Err()), stderr.head())
	}
	return fs, nil
}

// An opening keeps the beginning of what is written to it, where a crash says what
// it is, and lets the rest go.
type opening struct{ b []byte }

// Write keeps b as long as there is room.
func (o *opening) Write(b []byte) (int, error) {
	if room := 1<<14 - len(o.b); room > 0 {
		o.b = append(o.b, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

func (o *opening) head() string {
	lines := strings.SplitN(string(o.b), "\n", 31)
	return strings.TrimSpace(strings.Join(lines[:min(30, len(lines))], "\n"))
}
