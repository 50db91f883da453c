package explore

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

var stories = flag.Bool("stories", false, "print the story of each planted race")

// built is the explorer that the tests share: to compile the model takes the longest.
var built struct {
	once sync.Once
	root string
	x    *Explorer
	err  error
}

func explorer(t *testing.T) *Explorer {
	built.once.Do(func() {
		if built.root, built.err = Root(); built.err == nil {
			built.x, built.err = Build(built.root, nil, Plants())
		}
	})
	if errors.Is(built.err, ErrNoSource) {
		t.Skip(built.err)
	}
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.x
}

func TestMain(m *testing.M) {
	status := m.Run()
	if built.x != nil {
		if err := built.x.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// The model as it is: no scene breaks, under any schedule if there are few, else with
// one interruption. `nsmodel explore` goes further.
func TestTrueCode(t *testing.T) {
	x := explorer(t)
	scenes, whole := 0, 0
	err := x.Run(context.Background(), Options{Bound: 1, Whole: 300}, func(r Report) {
		scenes++
		if r.Whole {
			whole++
		}
		switch {
		case r.Broke != "":
			t.Errorf("%s", Tell(built.root, r))
		case !r.Complete:
			t.Errorf("%s: not complete", r)
		case r.Runs < 2:
			t.Errorf("%s: a scene in which nobody meets", r)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d scenes, %d of them under every schedule there is", scenes, whole)
	if scenes < 40 {
		t.Errorf("%d scenes: some are gone", scenes)
	}
}

// Every planted race is found, and told.
func TestPlantedRaces(t *testing.T) {
	x := explorer(t)
	for _, p := range Plants() {
		t.Run(p.Name, func(t *testing.T) {
			found := 0
			err := x.Run(context.Background(), Options{Race: p.Name, Scenes: p.Scenes, Bound: 2, Whole: 100}, func(r Report) {
				if r.Broke == "" {
					t.Errorf("%s: %s was not found", r, p.Tells)
					return
				}
				found++
				story := Tell(built.root, r)
				if *stories {
					fmt.Println(story)
				}
				checkStory(t, story)
			})
			if err != nil {
				t.Fatal(err)
			}
			if found != len(p.Scenes) {
				t.Errorf("found in %d scenes of %v", found, p.Scenes)
			}
		})
	}
}

// checkStory asks for what a reader needs: who did what, where, in order, what broke,
// and not a page too much.
func checkStory(t *testing.T, s Story) {
	t.Helper()
	text := s.String()
	for _, want := range append([]string{"what broke: " + s.Broke, ".go:", "--schedule"}, s.Tasks[0]) {
		if !strings.Contains(text, want) {
			t.Errorf("the story does not say %q:\n%s", want, text)
		}
	}
	if k := strings.Count(text, "\n"); k < 5 || k > 120 {
		t.Errorf("a story of %d lines:\n%s", k, text)
	}
}

// A schedule that broke something breaks it again.
func TestReplay(t *testing.T) {
	x := explorer(t)
	run := func(o Options) (last Report) {
		t.Helper()
		o.Race, o.Scenes, o.Bound = "by-id", []string{"id-delete"}, 2
		if err := x.Run(context.Background(), o, func(r Report) { last = r }); err != nil {
			t.Fatal(err)
		}
		return last
	}
	first := run(Options{})
	again := run(Options{Schedule: first.Schedule})
	if first.Broke == "" || again.Broke != first.Broke || again.Runs != 1 {
		t.Errorf("%q, and again %q in %d runs", first.Broke, again.Broke, again.Runs)
	}
}

// The story of one planted race, word for word.
func TestStory(t *testing.T) {
	x := explorer(t)
	err := x.Run(context.Background(), Options{Race: "by-id", Scenes: []string{"id-delete"}, Bound: 2}, func(r Report) {
		text := Tell(built.root, r).String()
		for _, want := range []string{
			"id-delete: a lookup by ID meets delete and reap",
			"takes the name out of the directory",
			"gives a reference back: 0 left",
			"looks for the ID in the directory",
			"what broke: resurrection: red is dying",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Somebody else's edit, as the mutants' catalogue has them, is killed and told of; one
// that does not fit is an error.
func TestTry(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the model once more")
	}
	x := explorer(t)
	// Of two readers the end of their socket wakes one. Next to nothing imports udp.
	edit := []Edit{{"transport/udp/conn.go", "c.ready.Broadcast()\n	c.mu.Unlock()\n", "c.ready.Signal()\n	c.mu.Unlock()\n"}}
	story, err := Try(built.root, edit, "read-delete")
	if err != nil || !story.Found() || len(story.Lines) < 4 {
		t.Errorf("%v, %s", err, story)
	}
	edit[0].Old = "nowhere to be found"
	if _, err := Try(built.root, edit); err == nil {
		t.Error("an edit that does not fit is no error")
	}
	edit[0] = Edit{"lab/args.go", "package lab", "package lab"}
	if _, err := Try(built.root, edit); err == nil {
		t.Error("an edit of a file that is not explored is no error")
	}
	if err := x.Run(context.Background(), Options{Scenes: []string{"hold-delete"}, Schedule: "1*1000"}, func(Report) {}); err == nil {
		t.Error("a schedule that does not fit is no error")
	}
}

// What the overlay does to a file: steps in the place of atomics, probes, a planted
// variant behind it; and every line where it was.
func TestRewrite(t *testing.T) {
	const before = `package netns

import (
	"sync"
	"sync/atomic"
)

type net struct {
	mu     sync.Mutex
	count  atomic.Int64
	exited atomic.Bool
}

func (n *net) end(k int64) int64 {
	n.count.Add(k)
	n.exited.Store(true)
	return n.count.Add(k)
}
`
	out, err := rewrite("netns/x.go", "/src/netns/x.go", before, []Plant{{Name: "off-by-one", Edits: []Edit{{"netns/x.go", "return n.count.Add(k)", "return n.count.Add(k + 1)"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`sync "nsmodel/conformance/explore/step/sync"`,
		`atomic "nsmodel/conformance/explore/step/atomic"`,
		"n.count.AddBlind(k)\n",
		"n.exited.Store(true); step.Exited(n)\n",
		"return n.count.Add(k)\n",
		`if step.Planted("off-by-one") { return n.endPlantedoff_by_one(k) };`,
		"//line /src/netns/x.go:14\nfunc (n *net) endPlantedoff_by_one(k int64) int64 {",
		"return n.count.Add(k + 1)\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for i, line := range strings.Split(before, "\n") {
		if word := strings.TrimSpace(line); word == "type net struct {" && !strings.HasPrefix(strings.Split(out, "\n")[i], word) {
			t.Errorf("line %d is %q", i+1, strings.Split(out, "\n")[i])
		}
	}
}
