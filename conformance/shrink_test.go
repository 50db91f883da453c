package conformance

import (
	"fmt"
	"strings"
	"testing"

	"nsmodel/lab"
)

// A lab of n lines that lab.Lex takes.
func manyLines(n int) (lines []lab.Line) {
	for i := range n {
		lines = append(lines, lab.Line{Num: i + 1, Text: fmt.Sprint("probe sleep ", i+1)})
	}
	return lines
}

// What is needed stays, in its order, whatever stands between; the rest goes.
func TestShrink(t *testing.T) {
	for _, c := range []struct {
		n, budget int
		needed    []int
		most      int // lines that may be left
	}{
		{1, 200, []int{1}, 1},
		{40, 200, []int{40}, 1},
		{40, 200, []int{1}, 1},
		{40, 200, []int{1, 20, 40}, 3},
		{100, 200, []int{3, 4, 50, 51, 97}, 5},
		{7, 200, []int{1, 2, 3, 4, 5, 6, 7}, 7},
		{100, 10, []int{3}, 13}, // not all can be tried
		{100, 0, []int{3}, 100},
	} {
		calls := 0
		holds := func(lines []lab.Line) bool {
			calls++
			at := 0
			for _, l := range lines {
				if at < len(c.needed) && l.Num == c.needed[at] {
					at++
				}
			}
			return at == len(c.needed)
		}
		got := Shrink(manyLines(c.n), holds, c.budget)
		if calls > c.budget {
			t.Errorf("%+v: %d calls", c, calls)
		}
		if len(got) > c.most || !holds(got) {
			t.Errorf("%+v: %d lines left: %v", c, len(got), Text(got))
		}
	}
}

// A line that needs another goes first, and then that one.
func TestShrinkFollows(t *testing.T) {
	// Of 1..8 each line needs the one before it; only line 9 fails.
	holds := func(lines []lab.Line) bool {
		there := map[int]bool{}
		for _, l := range lines {
			there[l.Num] = true
		}
		for n := 2; n <= 8; n++ {
			if there[n] && !there[n-1] {
				return false
			}
		}
		return there[9]
	}
	if got := Shrink(manyLines(9), holds, 200); len(got) != 1 || got[0].Num != 9 {
		t.Errorf("%s", Text(got))
	}
}

// What Text writes is the same lab.
func TestText(t *testing.T) {
	const src = "ip netns add red  # a comment\nip -batch - <<'E'\nlink\nE\nip -n red link set lo alias \"a # b\"\n"
	lines, err := lab.Load("x.lab", src)
	if err != nil {
		t.Fatal(err)
	}
	again, err := lab.Load("y.lab", Text(lines))
	if err != nil || len(again) != len(lines) {
		t.Fatalf("%v\n%s", err, Text(lines))
	}
	for i, l := range lines {
		if a := again[i]; strings.Join(a.Words, "\x00") != strings.Join(l.Words, "\x00") || a.Input != l.Input || a.Text != l.Text {
			t.Errorf("%+v, want %+v", a, l)
		}
	}
}
