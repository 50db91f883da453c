package conformance

import (
	"strings"
)

// golden compares a transcript with the one on file; "" if they are equal.
func golden(l *Lab, want, got string) string {
	if want == got {
		return ""
	}
	return report(compare(l.cut(want), l.cut(got)))
}

// cut takes a transcript apart again: each command of the lab begins with its
// own line.
func (l *Lab) cut(text string) []said {
	rest := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var out []said
	for _, line := range l.Lines {
		s := said{line: line}
		if len(rest) == 0 {
			break
		}
		s.lines, rest = rest[:1], rest[1:]
		if s.lines[0] == "$ "+line.Text {
			s.lines = nil
		}
		for len(rest) > 0 && !strings.HasPrefix(rest[0], "$ ") {
			s.lines, rest = append(s.lines[:len(s.lines):len(s.lines)], rest[0]), rest[1:]
		}
		out = append(out, s)
	}
	for _, line := range rest {
		out = append(out, said{lines: []string{line}})
	}
	return out
}
