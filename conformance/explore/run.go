package explore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"nsmodel/conformance/explore/step"
)

// A Report is what became of one scene.
type Report struct {
	Scene     string        `json:"scene"`
	Tells     string        `json:"tells"`
	Race      string        `json:"race"`      // what was planted, "" for the true code
	Bound     int           `json:"bound"`     // interruptions that were tried, if not all
	Runs      int           `json:"runs"`      // schedules
	Redundant int           `json:"redundant"` // of them left as repetitions
	Complete  bool          `json:"complete"`  // no limit but the bound cut the search short
	Whole     bool          `json:"whole"`     // nor did the bound
	Steps     int           `json:"steps"`     // of the longest schedule
	Took      time.Duration `json:"took"`      // ns
	Broke     string        `json:"broke"`     // what did not hold; "" if all did
	Schedule  string        `json:"schedule"`
	Tasks     []string      `json:"tasks"`
	Events    []step.Event  `json:"events"`
	Stuck     []stuck       `json:"stuck"`
}

type stuck struct {
	Task  int          `json:"task"`
	Op    step.Op      `json:"op"`
	Stack []step.Frame `json:"stack"`
}

// String says in a line how far the search went.
func (r Report) String() string {
	far := fmt.Sprintf("all with at most %d interruptions", r.Bound)
	switch {
	case r.Broke != "":
		far = "until something broke"
	case r.Whole:
		far = "all there are"
	case !r.Complete:
		far = "not all: the limit was reached"
	}
	return fmt.Sprintf("%-24s %7d schedules of up to %4d steps, %s", r.Scene, r.Runs, r.Steps, far)
}

// ErrNoSource is returned where there are no sources of the model, or no go command,
// to build the explorer from.
var ErrNoSource = errors.New("explore: the explorer is built from nsmodel's sources with the go command")

// Root returns the root of the sources that the working directory is in; ErrNoSource
// if there are none.
func Root() (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoSource, err)
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoSource, err)
	}
	dir, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "nsmodel ")
	if !ok {
		return "", ErrNoSource
	}
	return dir, nil
}

// An Explorer is the program that tries schedules, built over an overlay.
type Explorer struct {
	root, dir, program string
}

// Build compiles the model below root with steps, with the edits made and the plants
// beside the true code. Close removes it.
func Build(root string, edits []Edit, plants []Plant) (*Explorer, error) {
	dir, err := os.MkdirTemp("", "nsmodel-explore-")
	if err != nil {
		return nil, err
	}
	x := &Explorer{root: root, dir: dir, program: filepath.Join(dir, "explorer")}
	overlay, err := Write(root, dir, edits, plants)
	if err != nil {
		x.Close()
		return nil, err
	}
	c := exec.Command("go", "build", "-overlay", overlay, "-o", x.program, "nsmodel/conformance/explore/explorer")
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		x.Close()
		return nil, fmt.Errorf("explore: go build: %w\n%s", err, out)
	}
	return x, nil
}

// Close removes the program.
func (x *Explorer) Close() error { return os.RemoveAll(x.dir) }

// Options say what is run.
type Options struct {
	Race     string        // the planted race; "" the true code
	Scenes   []string      // empty: all
	Bound    int           // interruptions; negative: any number
	AsScenes bool          // the bound is each scene's own, not Bound
	Whole    int           // schedules tried without a bound before it is used
	Time     time.Duration // for each scene and bound; 0: any
	Schedule string        // run this one alone
	Progress func(line string)
}

// Run tries the schedules and hands over each scene's report when it is there. A
// cancelled ctx ends it.
func (x *Explorer) Run(ctx context.Context, o Options, tell func(Report)) error {
	bound := max(o.Bound, -1)
	if o.AsScenes {
		bound = -2
	}
	args := []string{"-race", o.Race, "-bound", strconv.Itoa(bound), "-whole", strconv.Itoa(o.Whole), "-time", o.Time.String(), "-schedule", o.Schedule}
	c := exec.CommandContext(ctx, x.program, append(args, o.Scenes...)...)
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	news, err := c.StderrPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	said := make(chan string)
	go func() { said <- listen(news, o.Progress) }()
	d := json.NewDecoder(out)
	for {
		r := Report{Race: o.Race}
		if err = d.Decode(&r); err != nil {
			break
		}
		tell(r)
	}
	words := <-said
	if end := c.Wait(); end != nil {
		return fmt.Errorf("explore: %w\n%s", end, words)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// listen hands progress on and keeps all else that is said.
func listen(r io.Reader, progress func(string)) string {
	var rest strings.Builder
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if line, ok := strings.CutPrefix(lines.Text(), "progress "); ok {
			if progress != nil {
				progress(line)
			}
		} else if rest.Len() < 1<<16 {
			rest.WriteString(lines.Text() + "\n")
		}
	}
	return rest.String()
}

// Try builds the model below root with the edits made and tries all scenes, or those
// that are named, with their own bounds, for at most a minute a scene and bound. It
// returns the story of the first that breaks; the empty Story if none does. An error
// says that the edits do not fit or do not compile, or that a scene crashed the
// explorer.
func Try(root string, edits []Edit, scenes ...string) (Story, error) {
	// Plants of other files stay, switched off: so their packages are compiled
	// already, if Build has been called with all.
	x, err := Build(root, edits, slices.DeleteFunc(Plants(), func(p Plant) bool {
		return slices.ContainsFunc(p.Edits, func(e Edit) bool {
			return slices.ContainsFunc(edits, func(own Edit) bool { return own.File == e.File })
		})
	}))
	if err != nil {
		return Story{}, err
	}
	defer x.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var found *Report
	err = x.Run(ctx, Options{Scenes: scenes, AsScenes: true, Whole: 1000, Time: time.Minute}, func(r Report) {
		if found == nil && r.Broke != "" {
			found = &r
			stop()
		}
	})
	if found != nil {
		return Tell(root, *found), nil
	}
	return Story{}, err
}
