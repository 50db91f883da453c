package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"nsmodel/lab"
)

// A diffLine is a line of a report: '-' of the first side, '+' of the second,
// ' ' the command that both were given.
type diffLine struct {
	mark byte
	line int // in the lab; 0: the judge's own
	text string
}

func (d diffLine) String() string {
	at := "end"
	if d.line > 0 {
		at = fmt.Sprintf("%3d", d.line)
	}
	return fmt.Sprintf("%s %c %s", at, d.mark, d.text)
}

// A said is what one command said, in the form in which it is compared.
type said struct {
	line  lab.Line
	lines []string
}

// compare returns the smallest difference of two transcripts of one lab: of
// each command that said different things, the command and the lines.
func compare(a, b []said) []diffLine {
	var out []diffLine
	for i := range min(len(a), len(b)) {
		if slices.Equal(a[i].lines, b[i].lines) {
			continue
		}
		d := difference(readable(a[i].lines), readable(b[i].lines))
		if len(d) == 0 { // in the layout alone
			d = difference(a[i].lines, b[i].lines)
		}
		out = append(out, diffLine{' ', a[i].line.Num, "$ " + a[i].line.Text})
		for _, x := range d {
			x.line = a[i].line.Num
			out = append(out, x)
		}
	}
	if len(a) != len(b) {
		out = append(out, diffLine{' ', 0, fmt.Sprintf("%d commands here, %d there", len(a), len(b))})
	}
	return out
}

// readable returns lines with JSON taken apart, a line for each value.
func readable(lines []string) (out []string) {
	for _, line := range lines {
		if text, err := flatten(line); err == nil && text != "" {
			out = append(out, strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
			continue
		}
		out = append(out, line)
	}
	return out
}

// difference is a line diff by the longest common subsequence.
func difference(a, b []string) []diffLine {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []diffLine
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, diffLine{'-', 0, a[i]})
			i++
		default:
			out = append(out, diffLine{'+', 0, b[j]})
			j++
		}
	}
	return out
}

// explain takes from a diff what the lab's head explains, line by line and in
// order, and returns the rest, and those explanations that found nothing. One
// that is of another version than release may find nothing without hiding what
// comes after it.
func (l *Lab) explain(diff []diffLine, release string) (rest []diffLine, idle []Difference) {
	for i := range l.Differs {
		l.Differs[i].met = 0
	}
	at := 0
	var command *diffLine
	for i, d := range diff {
		if d.mark == ' ' {
			command = &diff[i]
			continue
		}
		if l.expected(d, &at, release) {
			continue
		}
		if command != nil {
			rest = append(rest, *command)
			command = nil
		}
		rest = append(rest, d)
	}
	for _, e := range l.Differs {
		if e.met < len(e.Lines) || len(e.Lines) == 0 {
			idle = append(idle, e)
		}
	}
	return rest, idle
}

// expected reports whether d is what the explanation that is due, the one at at,
// has next, and takes note of that.
func (l *Lab) expected(d diffLine, at *int, release string) bool {
	for i := *at; i < len(l.Differs); i++ {
		e := &l.Differs[i]
		if e.met == len(e.Lines) {
			continue
		}
		if e.Lines[e.met].Mark == d.mark && e.Lines[e.met].Want.MatchString(strings.TrimSpace(d.text)) {
			e.met++
			*at = i
			return true
		}
		if e.met > 0 || e.of(release) {
			return false
		}
	}
	return false
}

// report prints a diff.
func report(diff []diffLine) string {
	var b strings.Builder
	for _, d := range diff {
		fmt.Fprintln(&b, d)
	}
	return b.String()
}

// raw returns results as they stand: for judges that want equality to the byte.
func raw(parts ...[]lab.Result) (out []said) {
	for _, rs := range parts {
		for _, r := range rs {
			out = append(out, said{r.Line, strings.Split(strings.TrimSuffix(r.String(), "\n"), "\n")[1:]})
		}
	}
	return out
}

// counter is a line of an end state that holds a device's counter.
var counter = regexp.MustCompile(`(?m)^.* stats64\..*\n`)

// normalised returns results in the form in which the model's and Linux's are
// compared. Names for random MAC addresses are given over the whole transcript.
func (l *Lab) normalised(parts ...[]lab.Result) (out []said) {
	var all []lab.Result
	var b strings.Builder
	for _, rs := range parts {
		for _, r := range rs {
			r.Stdout = normal(r, r.Stdout)
			if l.Uncounted != "" && r.Line.Num == 0 {
				r.Stdout = counter.ReplaceAllString(r.Stdout, "")
			}
			all = append(all, r)
			b.WriteString(r.String() + "\x00")
		}
	}
	text := lab.Normalise(l.Text, b.String())
	for i, piece := range strings.Split(strings.TrimSuffix(text, "\x00"), "\x00") {
		if i < len(all) {
			out = append(out, said{all[i].Line, strings.Split(strings.TrimSuffix(piece, "\n"), "\n")[1:]})
		}
	}
	return out
}
