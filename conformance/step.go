package conformance

import (
	"fmt"
	"strings"
)

// A Step is one command of a lab and what it said.
type Step struct {
	Line int    // in the lab, from 1; 0 of a judge's own command
	Text string // the command as written
	Out  string // its standard output
	Err  string // its standard error
	Exit int    // its exit status
}

// lines returns the step as lines of a transcript: the command, what it
// printed, what it complained of, and its exit status if that is not 0.
func (s Step) lines() []string {
	out := []string{"$ " + s.Text}
	for _, l := range split(s.Out) {
		out = append(out, "  "+l)
	}
	for _, l := range split(s.Err) {
		out = append(out, "! "+l)
	}
	if s.Exit != 0 {
		out = append(out, fmt.Sprintf("? %d", s.Exit))
	}
	return out
}

// split cuts text into lines; a last one without a newline says so.
func split(text string) []string {
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	} else {
		lines[last] += `\`
	}
	return lines
}
