package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"nsmodel/conformance/explore"
	"nsmodel/conformance/explore/scene"
)

// exploreRun tries the interleavings of scenes on the model's code and tells what
// breaks. Its exit status is 1 if something did, a planted race included.
func exploreRun(args []string) int {
	fs := flag.NewFlagSet("nsmodel explore", flag.ContinueOnError)
	bound := fs.Int("bound", 2, "try schedules with at most `N` interruptions where not all can be tried; -1: all, however many")
	race := fs.String("race", "", "plant the race `NAME` first, or each in its turn: all")
	whole := fs.Int("whole", 5000, "try all schedules first, and give up after `N`")
	limit := fs.Duration("time", 0, "`TIME` at most for each scene and bound; 0: any")
	schedule := fs.String("schedule", "", "run one schedule, as a story gives it, of one scene")
	quiet := fs.Bool("quiet", false, "no progress")
	fs.Usage = func() { exploreUsage(fs) }
	scenes, err := parseMixed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	o := explore.Options{Race: *race, Scenes: scenes, Bound: *bound, Whole: *whole, Time: *limit, Schedule: *schedule}
	if *schedule != "" && len(scenes) != 1 {
		return fail(errors.New("explore: a schedule is one scene's"))
	}
	if _, err := choosePlants(o); err != nil {
		return fail(err)
	}
	root, err := explore.Root()
	if err != nil {
		return fail(err)
	}
	if !*quiet {
		fmt.Fprintln(os.Stderr, "compiling the model with steps in the place of atomics and locks")
	}
	x, err := explore.Build(root, nil, explore.Plants())
	if err != nil {
		return fail(err)
	}
	defer x.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if !*quiet {
		o.Progress = func(line string) { fmt.Fprintf(os.Stderr, "%s\x1b[K\r", line) }
	}
	e := exploration{x: x, root: root, out: os.Stdout}
	if err := e.run(ctx, o); err != nil {
		return fail(err)
	}
	if e.broke > 0 {
		return 1
	}
	return 0
}

// An exploration counts what was found.
type exploration struct {
	x             *explore.Explorer
	root          string
	out           io.Writer
	scenes, broke int
	whole         int
	began         time.Time
}

// run tries the scenes with the race planted, or with each race those that it breaks.
func (e *exploration) run(ctx context.Context, o explore.Options) error {
	e.began = time.Now()
	planted, err := choosePlants(o)
	if err != nil {
		return err
	}
	for _, p := range planted {
		if p.Name != "" {
			fmt.Fprintf(e.out, "planted: %s: %s\n\n", p.Name, p.Tells)
		}
		o.Race = p.Name
		if len(o.Scenes) == 0 || p.Name != "" && len(planted) > 1 {
			o.Scenes = p.Scenes
		}
		if err := e.x.Run(ctx, o, e.tell); err != nil {
			return err
		}
	}
	fmt.Fprintf(e.out, "explore: %d scenes, %d of them under every schedule there is; %d broke (%.0f s)\n", e.scenes, e.whole, e.broke, time.Since(e.began).Seconds())
	return nil
}

// choosePlants returns what is to be planted, one after the other; a nameless Plant is
// none. It refuses names that are not there.
func choosePlants(o explore.Options) ([]explore.Plant, error) {
	scenes := scene.Scenes()
	for _, name := range o.Scenes {
		if !slices.ContainsFunc(scenes, func(s scene.Scene) bool { return s.Name == name }) {
			return nil, fmt.Errorf("explore: no scene %q; nsmodel explore -h lists them", name)
		}
	}
	planted := explore.Plants()
	i := slices.IndexFunc(planted, func(p explore.Plant) bool { return p.Name == o.Race })
	switch {
	case o.Race == "all":
		return planted, nil
	case o.Race == "":
		return []explore.Plant{{Scenes: o.Scenes}}, nil
	case i < 0:
		return nil, fmt.Errorf("explore: no race %q; nsmodel explore -h lists them", o.Race)
	}
	return planted[i : i+1], nil
}

func (e *exploration) tell(r explore.Report) {
	e.scenes++
	if r.Whole && r.Broke == "" {
		e.whole++
	}
	fmt.Fprintln(e.out, r)
	if r.Broke != "" {
		e.broke++
		fmt.Fprintf(e.out, "\n%s\n", explore.Tell(e.root, r))
	}
}

func exploreUsage(fs *flag.FlagSet) {
	out := fs.Output()
	fmt.Fprint(out, "usage: nsmodel explore [--bound N] [--race NAME] [SCENE...]\n\nTries the interleavings of a few tasks, step by step, on the code of the model, which is\ncompiled for it once more: it needs the sources and the go command. docs/explorer.md says\nhow to read what it tells.\n\nRaces to plant:\n")
	for _, p := range explore.Plants() {
		fmt.Fprintf(out, "  %-18s %s (%s)\n", p.Name, p.Tells, strings.Join(p.Scenes, ", "))
	}
	fmt.Fprint(out, "\nScenes:\n")
	for _, s := range scene.Scenes() {
		fmt.Fprintf(out, "  %-26s %s\n", s.Name, s.Tells)
	}
	fmt.Fprintln(out)
	fs.PrintDefaults()
}
