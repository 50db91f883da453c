package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"nsmodel/lab"
)

// A Lab is a file of commands and what its head says about its judging.
type Lab struct {
	Path  string
	Text  string
	Lines []lab.Line

	// Transcript is what the golden file beside the lab holds, if there is one.
	Transcript string
	OnFile     bool

	// Skip says why Linux cannot judge the lab, "" if it can.
	Skip string
	// Needs are what the lab wants of the machine beside ip, ping and sysctl:
	// a tool's name.
	Needs []string
	// Uncounted says why the devices' counters are not compared with Linux's,
	// "" if they are.
	Uncounted string
	// Differs are the differences from Linux that are known and explained.
	Differs []Difference

	inside bool // it comes with the program
}

// A Difference is one place where Linux says something else, and why that is
// right. The lines are those of the report's diff, in its order, each a regular
// expression that matches the whole line after the mark but for outer blanks.
type Difference struct {
	Reason string
	Lines  []DiffLine

	met int // how many of Lines the diff had
}

// A DiffLine is an expected line of a diff: '-' is the model's, '+' Linux's.
type DiffLine struct {
	Mark byte
	Want *regexp.Regexp
}

// Explained returns what of the lab is known not to agree with Linux, or not
// compared with it, each with its reason.
func (l *Lab) Explained() (reasons []string) {
	if l.Skip != "" {
		reasons = append(reasons, "not judged: "+l.Skip)
	}
	if l.Uncounted != "" {
		reasons = append(reasons, "counters not compared: "+l.Uncounted)
	}
	for _, d := range l.Differs {
		reasons = append(reasons, fmt.Sprintf("%d lines differ: %s", len(d.Lines), d.Reason))
	}
	return reasons
}

// Name returns the file's name without its ending.
func (l *Lab) Name() string { return strings.TrimSuffix(filepath.Base(l.Path), ".lab") }

// Load reads a lab, and its transcript if there is one. An error names file and
// line.
func Load(path string) (*Lab, error) { return load(path, os.ReadFile) }

func load(path string, read func(string) ([]byte, error)) (*Lab, error) {
	src, err := read(path)
	if err != nil {
		return nil, err
	}
	l, err := Parse(path, string(src))
	if err == nil {
		err = l.readGolden(read)
	}
	return l, err
}

// Parse reads a lab's text. Its head, the comments before the first command,
// may hold directives:
//
//	#: linux: skip REASON       only the model knows what the lab is about
//	#: linux: uncounted REASON  the devices' counters are not compared
//	#: linux: differs REASON    Linux says something else here: these lines
//	#: - REGEXP                 of the diff are the model's,
//	#: + REGEXP                 and these Linux's; outer blanks do not count
//	#: needs TOOL...            judged by Linux only where these tools are
func Parse(path, text string) (*Lab, error) {
	l := &Lab{Path: path, Text: text}
	var err error
	if l.Lines, err = lab.Load(path, text); err != nil {
		return nil, err
	}
	first := len(text)
	if len(l.Lines) > 0 {
		first = l.Lines[0].Num
	}
	for i, line := range strings.Split(text, "\n") {
		words, ok := strings.CutPrefix(line, "#:")
		if !ok {
			continue
		}
		if i+1 > first {
			return nil, &lab.Error{File: path, Line: i + 1, Msg: "a directive stands before the first command"}
		}
		if err := l.directive(strings.TrimSpace(words)); err != nil {
			return nil, &lab.Error{File: path, Line: i + 1, Msg: err.Error()}
		}
	}
	return l, nil
}

func (l *Lab) directive(words string) error {
	verb, rest, _ := strings.Cut(words, " ")
	rest = strings.TrimSpace(rest)
	switch verb {
	case "linux:":
		what, reason, _ := strings.Cut(rest, " ")
		if reason == "" {
			return fmt.Errorf("linux: %s without a reason", what)
		}
		switch what {
		case "skip":
			l.Skip = reason
		case "uncounted":
			l.Uncounted = reason
		case "differs":
			l.Differs = append(l.Differs, Difference{Reason: reason})
		default:
			return fmt.Errorf("linux: %q is none of skip, uncounted and differs", what)
		}
	case "needs":
		l.Needs = append(l.Needs, strings.Fields(rest)...)
	case "-", "+":
		if len(l.Differs) == 0 {
			return fmt.Errorf("%q without a \"linux: differs\" before it", words)
		}
		want, err := regexp.Compile("^(?:" + rest + ")$")
		if err != nil {
			return err
		}
		d := &l.Differs[len(l.Differs)-1]
		d.Lines = append(d.Lines, DiffLine{verb[0], want})
	default:
		return fmt.Errorf("unknown directive %q", verb)
	}
	return nil
}

// Labs reads all labs of a directory, in the order of their names.
func Labs(dir string) ([]*Lab, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.lab"))
	if err != nil {
		return nil, err
	}
	return loadAll(paths, os.ReadFile)
}

// labsOf is Labs in a file system of its own.
func labsOf(fsys fs.ReadFileFS, dir string) ([]*Lab, error) {
	paths, err := fs.Glob(fsys, dir+"/*.lab")
	if err != nil {
		return nil, err
	}
	return loadAll(paths, fsys.ReadFile)
}

func loadAll(paths []string, read func(string) ([]byte, error)) ([]*Lab, error) {
	slices.Sort(paths)
	var labs []*Lab
	for _, p := range paths {
		l, err := load(p, read)
		if err != nil {
			return nil, err
		}
		labs = append(labs, l)
	}
	return labs, nil
}
