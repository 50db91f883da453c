package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

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
	// a tool's name, or type=KIND for a kind of device that not every kernel has.
	Needs []string
	// Uncounted says why the devices' counters are not compared with Linux's,
	// "" if they are; UncountedOn is the version on which that was seen.
	Uncounted, UncountedOn string
	// Differs are the differences from Linux that are known and explained.
	Differs []Difference

	inside bool // it comes with the program
}

// sleeps returns how long the lab's own commands have it sleep, which is most of what
// the real kernel takes for it.
func (l *Lab) sleeps() (sum time.Duration) {
	for _, line := range l.Lines {
		if k := len(line.Words); k > 1 && line.Words[k-2] == "sleep" {
			d, _ := time.ParseDuration(line.Words[k-1]) // else the lab fails at it
			sum += d
		}
	}
	return sum
}

// A Difference is one place where Linux says something else, and why that is
// right. It was seen on a release that begins with Kernel, as 6.18. The lines are those of the report's diff, in its order, each a regular
// expression that matches the whole line after the mark but for outer blanks.
type Difference struct {
	Kernel string
	Reason string
	Lines  []DiffLine

	met int // how many of Lines the diff had
}

// A DiffLine is an expected line of a diff: '-' is the model's, '+' Linux's.
type DiffLine struct {
	Mark byte
	Want *regexp.Regexp
}

// An Explanation is what of a lab is known not to agree with Linux, or is not
// compared with it, and why.
type Explanation struct {
	Kernel string // the release of Linux that it is about; "" is all
	What   string // not judged, counters not compared, 3 lines differ
	Why    string
}

// Explained returns all of the lab's.
func (l *Lab) Explained() (all []Explanation) {
	if l.Skip != "" {
		all = append(all, Explanation{"", "not judged", l.Skip})
	}
	if l.Uncounted != "" {
		all = append(all, Explanation{l.UncountedOn, "counters not compared", l.Uncounted})
	}
	for _, d := range l.Differs {
		all = append(all, Explanation{d.Kernel, fmt.Sprintf("%d lines differ", len(d.Lines)), d.Reason})
	}
	return all
}

// of reports whether the difference was seen on a kernel of that release's
// version, as 6.18.44 or 6.18-rc1 is of 6.18.
func (d *Difference) of(release string) bool {
	rest, ok := strings.CutPrefix(release, d.Kernel)
	return ok && (rest == "" || rest[0] < '0' || rest[0] > '9')
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
//	#: linux: skip REASON            only the model knows what the lab is about
//	#: linux 6.18: uncounted REASON  the devices' counters are not compared
//	#: linux 6.18: differs REASON    something else is said here: these lines
//	#: - REGEXP                      of the diff are the model's,
//	#: + REGEXP                      and these Linux's; outer blanks do not count
//	#: needs TOOL...                 judged by Linux only where these tools are
//	#: needs type=KIND               and where the kernel has devices of this kind
//
// What differs, and what is not compared, names the version of Linux on which
// that was seen.
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

// version is what a difference has to say of the kernel on which it was seen.
var version = regexp.MustCompile(`^[0-9]+\.[0-9]+(\.[0-9]+)?$`)

func (l *Lab) directive(words string) error {
	verb, rest, _ := strings.Cut(words, " ")
	rest = strings.TrimSpace(rest)
	switch verb {
	case "linux:":
		return l.linux("", rest)
	case "linux":
		kernel, rest, _ := strings.Cut(rest, ":")
		if !version.MatchString(kernel) {
			return fmt.Errorf("linux %q: want a version as 6.18", kernel)
		}
		return l.linux(kernel, strings.TrimSpace(rest))
	case "needs":
		l.Needs = append(l.Needs, strings.Fields(rest)...)
	case "-", "+":
		if len(l.Differs) == 0 {
			return fmt.Errorf("%q without a \"linux VERSION: differs\" before it", words)
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

// linux reads what a lab's head says of the Linux judge.
func (l *Lab) linux(kernel, rest string) error {
	what, reason, _ := strings.Cut(rest, " ")
	switch {
	case reason == "":
		return fmt.Errorf("linux: %s without a reason", what)
	case what == "skip" && kernel == "":
		l.Skip = reason
	case what == "skip":
		return fmt.Errorf("linux %s: skip is about every version", kernel)
	case (what == "differs" || what == "uncounted") && kernel == "":
		return fmt.Errorf("linux: %s without the version on which that was seen, as in \"linux 6.18: %[1]s\"", what)
	case what == "differs":
		l.Differs = append(l.Differs, Difference{Kernel: kernel, Reason: reason})
	case what == "uncounted":
		l.Uncounted, l.UncountedOn = reason, kernel
	default:
		return fmt.Errorf("linux: %q is none of skip, uncounted and differs", what)
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
