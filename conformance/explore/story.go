package explore

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"nsmodel/conformance/explore/step"
)

// A Story tells a schedule that broke something.
type Story struct {
	Report
	Lines []Line
}

// A Line is one thing that a task did.
type Line struct {
	Task  string
	Call  string // what the task had called, outermost first
	Words string
	Where string // file:line
	More  int    // steps that followed and are not told
	// Between says that those are the middle of a long stretch, else nobody noticed them.
	Between bool

	milestone bool
}

// Found reports whether there is something to tell.
func (s Story) Found() bool { return s.Broke != "" }

// String prints the story, a numbered line for each step that somebody else could
// notice, in the order in which they happened.
func (s Story) String() string {
	if !s.Found() {
		return "nothing broke\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", s.Scene, s.Tells)
	task, call, number := "", "", 0
	for _, l := range s.Lines {
		if l.Task != task {
			fmt.Fprintf(&b, "\n  %s\n", l.Task)
			task, call = l.Task, ""
		}
		if l.Call != call && l.Call != "" {
			fmt.Fprintf(&b, "       in %s\n", l.Call)
			call = l.Call
		}
		if l.Words != "" {
			number++
			fmt.Fprintf(&b, " %4d  %-66s %s\n", number, l.Words, l.Where)
		}
		switch {
		case l.Between:
			fmt.Fprintf(&b, "       ... %s\n", count(l.More, "step", "in between"))
		case l.More > 0:
			fmt.Fprintf(&b, "       ... %s\n", count(l.More, "step", "that no other task notices"))
		}
	}
	fmt.Fprintf(&b, "\n  what broke: %s\n", s.Broke)
	for _, w := range s.Stuck {
		fmt.Fprintf(&b, "  %s waits for ever: %s\n", s.Tasks[w.Task], strings.Join(calls(w.Stack), " > "))
	}
	fmt.Fprintf(&b, "  found as one of %d schedules; again: nsmodel explore", s.Runs)
	if s.Race != "" {
		fmt.Fprintf(&b, " --race %s", s.Race)
	}
	fmt.Fprintf(&b, " --schedule %s %s\n", s.Schedule, s.Scene)
	return b.String()
}

func count(n int, one, rest string) string {
	if n == 1 {
		return "1 " + one + " " + rest
	}
	return fmt.Sprintf("%d %ss %s", n, one, rest)
}

// Tell makes a story of a report whose schedule broke something; root is where the
// sources are that its steps are quoted from.
func Tell(root string, r Report) Story {
	t := teller{Report: r, root: root, files: map[string][]string{}, shared: sharedSteps(r.Events)}
	return Story{Report: r, Lines: shorten(t.lines())}
}

// A stretch of one task is told with at most so many lines: those where it begins, and
// those before it is overtaken or ends, where the reasons are.
const (
	stretchHead = 6
	stretchTail = 9
)

// shorten leaves out the middle of long stretches.
func shorten(lines []Line) (list []Line) {
	for len(lines) > 0 {
		k := 1
		for k < len(lines) && lines[k].Task == lines[0].Task {
			k++
		}
		stretch := lines[:k]
		lines = lines[k:]
		if k <= stretchHead+stretchTail {
			list = append(list, stretch...)
			continue
		}
		list = append(list, stretch[:stretchHead]...)
		gap := Line{Task: stretch[0].Task, Between: true}
		for _, l := range stretch[stretchHead : k-stretchTail] {
			if l.milestone {
				if gap.More > 0 {
					list = append(list, gap)
				}
				gap.More = l.More
				l.More = 0
				list = append(list, l)
				continue
			}
			gap.More += l.More
			if l.Words != "" {
				gap.More++
			}
		}
		if gap.More > 0 {
			list = append(list, gap)
		}
		list = append(list, stretch[k-stretchTail:]...)
	}
	return list
}

// A teller puts steps into words.
type teller struct {
	Report
	root   string
	files  map[string][]string
	shared []bool
}

// sharedSteps says of each step whether another task takes one that it meets.
func sharedSteps(events []step.Event) []bool {
	type access struct {
		task int
		kind step.Kind
	}
	by := map[int32]map[access]bool{}
	for _, e := range events {
		if by[e.Op.Obj] == nil {
			by[e.Op.Obj] = map[access]bool{}
		}
		by[e.Op.Obj][access{e.Task, e.Op.Kind}] = true
	}
	shared := make([]bool, len(events))
	for i, e := range events {
		for a := range by[e.Op.Obj] {
			if a.task != e.Task && e.Op.Kind != step.Unlock && e.Op.Conflicts(step.Op{Kind: a.kind, Obj: e.Op.Obj}) {
				shared[i] = true
			}
		}
	}
	return shared
}

// mostInARow is how many steps are told of one call before the rest is only counted;
// the last of them is told always.
const mostInARow = 6

// lines tells the steps in their order.
func (t *teller) lines() (list []Line) {
	var row, held int // lines of the present call; steps counted behind the last line
	for i, e := range t.Events {
		if e.Op.Kind == step.Begin || e.Op.Kind == step.Unlock {
			continue
		}
		name := t.Tasks[e.Task]
		call := strings.Join(outer(calls(e.Stack)), " > ")
		fresh := len(list) == 0 || list[len(list)-1].Task != name || list[len(list)-1].Call != call
		ends := t.ends(i)
		if fresh {
			row = 0
		}
		words, ok := t.words(e)
		words, milestone := strings.CutPrefix(words, "!")
		again := len(list) > 0 && list[len(list)-1].Task == name && list[len(list)-1].Words == words
		if ok && !again && (t.shared[i] && row < mostInARow || ends || milestone) {
			list = append(list, Line{Task: name, Call: call, Words: words, Where: t.where(e), milestone: milestone})
			row++
			held = 0
			continue
		}
		if len(list) == 0 || list[len(list)-1].Task != name {
			list = append(list, Line{Task: name, Call: call})
			held = 0
		}
		held++
		list[len(list)-1].More = held
	}
	return list
}

// ends reports whether another task goes on after step i.
func (t *teller) ends(i int) bool {
	for _, e := range t.Events[i+1:] {
		if e.Op.Kind != step.Unlock {
			return e.Task != t.Events[i].Task
		}
	}
	return true
}

// calls returns a stack as Type.Func, outermost first, without the scene's helpers.
func calls(stack []step.Frame) (list []string) {
	for i := len(stack) - 1; i >= 0; i-- {
		name := short(stack[i].Func)
		if strings.Contains(stack[i].Func, "/explore/scene.") || len(list) > 0 && list[len(list)-1] == name {
			continue
		}
		list = append(list, name)
	}
	return list
}

// outer returns the calls that head a group of steps: the first two, but for the
// last of all.
func outer(calls []string) []string {
	if k := len(calls); k > 1 {
		return calls[:min(2, k-1)]
	}
	return calls
}

// short turns nsmodel/netns.(*System).Delete into System.Delete, and a planted variant
// into what it is a variant of.
func short(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	_, name, _ = strings.Cut(name, ".")
	name = strings.NewReplacer("(*", "", ")", "", "[...]", "").Replace(name)
	if i := strings.Index(name, "Planted"); i > 0 {
		rest := name[i:]
		name = name[:i]
		if j := strings.IndexByte(rest, '.'); j >= 0 {
			name += rest[j:]
		}
	}
	return name
}

func (t *teller) where(e step.Event) string {
	if len(e.Stack) == 0 {
		return ""
	}
	f := e.Stack[0]
	if rel, err := filepath.Rel(t.root, f.File); err == nil {
		f.File = rel
	}
	return fmt.Sprintf("%s:%d", filepath.ToSlash(f.File), f.Line)
}

// operand is what stands before the dot of an operation.
const operand = `([A-Za-z_][\w.]*(?:(?:\([^()]*\)|\[[^\[\]]*\])[\w.]*)*)\.`

var operations = [...]*regexp.Regexp{
	step.Read:   regexp.MustCompile(operand + `Load\(`),
	step.Write:  regexp.MustCompile(operand + `(?:Store|Add|Swap|CompareAndSwap|TryLock|Done)\(`),
	step.Blind:  regexp.MustCompile(operand + `Add\(`),
	step.Lock:   regexp.MustCompile(operand + `(?:Lock|Wait)\(`),
	step.Wait:   regexp.MustCompile(operand + `Wait\(`),
	step.Signal: regexp.MustCompile(operand + `(?:Signal|Broadcast)\(`),
	step.Pause:  nil,
}

// expression returns what the step's line calls the object, or "".
func (t *teller) expression(f step.Frame, k step.Kind) string {
	lines, ok := t.files[f.File]
	if !ok {
		b, err := os.ReadFile(f.File)
		if err == nil {
			lines = strings.Split(string(b), "\n")
		}
		t.files[f.File] = lines
	}
	if f.Line < 1 || f.Line > len(lines) || operations[k] == nil {
		return ""
	}
	if m := operations[k].FindStringSubmatch(lines[f.Line-1]); m != nil {
		return m[1]
	}
	return ""
}
