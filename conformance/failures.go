package conformance

import (
	"fmt"
	"slices"
	"strings"

	"nsmodel/lab"
)

// What a report of a failure costs at most: comparisons of shorter and shorter
// labs, and lines.
const (
	shrinkRuns = 200
	shownLines = 30
)

// A trial runs commands twice, as they should say the same, and tells by a diff
// where they do not; head says which two sides these are.
type trial func(lines []lab.Line) (head string, diff []diffLine)

// failures are the ways in which one lab failed, the plainest first.
type failures struct {
	head  []string
	diff  [][]diffLine
	names []string
	again []trial
}

// add notes a diff, if it is one, and how to have it again.
func (f *failures) add(head, name string, diff []diffLine, again trial) {
	if len(diff) == 0 {
		return
	}
	f.head, f.diff = append(f.head, head), append(f.diff, diff)
	f.names, f.again = append(f.names, name), append(f.again, again)
}

// finding tells the diff of the plainest way to fail on the shortest lab that
// has it, and where else there was one.
func (f *failures) finding(lines []lab.Line) Finding {
	if len(f.names) == 0 {
		return Finding{Outcome: Passed}
	}
	var b strings.Builder
	if i := slices.IndexFunc(f.diff, stuck); i >= 0 {
		// No shorter lab is looked for: each try would leave one more spinning.
		b.WriteString(f.head[i] + "\n")
		tellDiff(&b, f.diff[i])
		return Finding{Outcome: Failed, Text: b.String(), Stuck: true}
	}
	if i := f.steady(lines); i < 0 {
		fmt.Fprintf(&b, "It does not fail each time: where entries hang is a secret of each run.\n%s\n", f.head[0])
		tellDiff(&b, f.diff[0])
	} else {
		small, runs := shortest(lines, f.again[i])
		fmt.Fprintf(&b, "The shortest lab that shows it has %d of %d commands (%d runs):\n", len(small), len(lines), runs)
		for line := range strings.Lines(Text(small)) {
			b.WriteString("    " + line)
		}
		head, diff := f.again[i](small)
		b.WriteString(head + "\n")
		tellDiff(&b, diff)
	}
	if n := len(f.names); n > 1 {
		fmt.Fprintf(&b, "The whole lab fails in %d ways: %s", n, strings.Join(f.names[:min(n, 6)], "; "))
		if n > 6 {
			fmt.Fprintf(&b, "; and %d more", n-6)
		}
		b.WriteString("\n")
	}
	return Finding{Outcome: Failed, Text: b.String()}
}

// steady returns the first way to fail that shows each time, -1 if none does.
func (f *failures) steady(lines []lab.Line) int {
	for i, again := range f.again {
		if always(again, lines) {
			return i
		}
	}
	return -1
}

func fails(again trial, lines []lab.Line) bool {
	_, diff := again(lines)
	return len(diff) > 0
}

// always reports whether a trial fails as often as it is made: twice, since where
// entries hang is a secret of each run.
func always(again trial, lines []lab.Line) bool {
	for range 2 {
		if !fails(again, lines) {
			return false
		}
	}
	return true
}

// shortest returns the shortest part of a lab that fails a trial, or all of it if
// what is found does so by chance only.
func shortest(lines []lab.Line, again trial) (small []lab.Line, runs int) {
	small = Shrink(lines, func(part []lab.Line) bool {
		runs++
		return fails(again, part)
	}, shrinkRuns)
	if !always(again, small) {
		return lines, runs
	}
	return small, runs
}

// tellDiff writes what the lab itself shows, else what the end state does; when
// commands began is of interest only if they say the same.
func tellDiff(b *strings.Builder, diff []diffLine) {
	for _, leave := range []func(diffLine) bool{
		func(d diffLine) bool { return d.line > 0 && !strings.HasPrefix(d.text, beganAt) },
		func(d diffLine) bool { return d.line > 0 },
		func(diffLine) bool { return true },
	} {
		shown := only(diff, leave)
		if len(shown) == 0 {
			continue
		}
		shown = shown[:min(len(shown), shownLines)]
		b.WriteString(report(shown))
		if rest := len(diff) - len(shown); rest > 0 {
			fmt.Fprintf(b, "and %d lines more\n", rest)
		}
		return
	}
}

// only returns the lines of a diff that are to be left, each behind its command.
func only(diff []diffLine, leave func(diffLine) bool) (out []diffLine) {
	var command []diffLine
	for _, d := range diff {
		switch {
		case d.mark == ' ':
			command = []diffLine{d}
		case leave(d):
			out = append(append(out, command...), d)
			command = nil
		}
	}
	return out
}

// broke is the diff of a run that came to no end.
func broke(err error) []diffLine { return []diffLine{{'+', 0, err.Error()}} }

// stuck reports whether a diff is that of a run in which a command did not come
// back.
func stuck(diff []diffLine) bool {
	return slices.ContainsFunc(diff, func(d diffLine) bool { return strings.Contains(d.text, errStuck.Error()) })
}
