package conformance

import (
	"fmt"
	"slices"
	"strings"

	"nsmodel/lab"
)

// Shrink returns a part of lines for which fails still holds, as small as budget
// calls of it can find. Lines keep their order, text and numbers. It takes for
// granted that fails holds for all of lines, and gives these back if no part
// will do. A candidate is tried once only.
//
// It is Zeller and Hildebrandt's ddmin, without the step that tries subsets:
// commands build on those before them, so that what is left out is what to try.
// The end of a lab goes first, for what fails there has mostly happened before.
func Shrink(lines []lab.Line, fails func([]lab.Line) bool, budget int) []lab.Line {
	kept := slices.Clone(lines)
	tried := map[string]bool{}
	try := func(candidate []lab.Line) bool {
		key := numbers(candidate)
		if tried[key] || budget <= 0 {
			return false
		}
		tried[key] = true
		budget--
		return fails(candidate)
	}
	for size := (len(kept) + 1) / 2; size > 0 && budget > 0; {
		again := false
		for end := len(kept); end > 0 && len(kept) > 1; end -= size {
			from := max(0, end-size)
			candidate := slices.Concat(kept[:from], kept[end:])
			if len(candidate) > 0 && try(candidate) {
				kept, again = candidate, true
			}
		}
		// What was needed by a line that is gone now may go, too.
		if size > 1 {
			size /= 2
		} else if !again {
			break
		}
	}
	return kept
}

// numbers tells apart the parts of one lab: lines stand in different places.
func numbers(lines []lab.Line) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%d %s\x00", l.Num, l.Text)
	}
	return b.String()
}

// Text returns lines as a lab's file has them, without comments. It can be
// parsed again; the lines are numbered anew then.
func Text(lines []lab.Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text + "\n")
		if l.Here {
			b.WriteString(l.Input + hereMark(l.Text) + "\n")
		}
	}
	return b.String()
}

// hereMark returns the word behind << in a command's text.
func hereMark(text string) string {
	_, mark, _ := strings.Cut(text, "<<")
	mark, _, _ = strings.Cut(strings.TrimLeft(mark, " "), " ")
	return strings.Trim(mark, `'"`)
}
