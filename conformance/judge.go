package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"nsmodel"
	"nsmodel/netns"
)

// An Outcome is how a judge's work on one lab ended.
type Outcome string

// What a judge can come to.
const (
	Passed  Outcome = "pass"
	Failed  Outcome = "FAIL"
	Skipped Outcome = "skip"
)

// A Finding is what one judge says of one lab.
type Finding struct {
	Judge   string
	Lab     *Lab
	Outcome Outcome
	Text    string   // of a failure the smallest diff, of a skip the reason, each with its newlines
	Notes   []string // what was not compared, with the reason
	Stuck   bool     // of a failure: a command did not come back, and may never
}

func failed(format string, a ...any) Finding {
	return Finding{Outcome: Failed, Text: fmt.Sprintf(format, a...)}
}

func skipped(reason string) Finding { return Finding{Outcome: Skipped, Text: reason + "\n"} }

// A Judge looks at labs from one side.
type Judge struct {
	Name string
	Asks string // its question
	Of   func(*Lab) Finding
}

// Judges returns all of them, in the order in which they are told of. The
// Linux judge works in boxes; where these could not be had, why says so.
func Judges(boxes *Sandboxes, why error) []Judge {
	return JudgesOn(nsmodel.Places{}, boxes, why)
}

// JudgesOn is Judges for machines with these placements: the matrix compares
// the default with them, in all that a machine can have beside.
func JudgesOn(at nsmodel.Places, boxes *Sandboxes, why error) []Judge {
	v, matrix, solo := Variant{}, Variants(), soloVariants()
	if at != (nsmodel.Places{}) {
		v = Variant{Name: "placed", Config: nsmodel.Config{Place: at}}
		matrix, solo = standing(at, matrix), standing(at, solo)
	}
	return []Judge{
		judge("golden", "is the transcript the one on file?", func(l *Lab) Finding { return JudgeGoldenOn(l, v) }),
		judge("matrix", "is it the same, to the byte, on every machine?", func(l *Lab) Finding { return JudgeMatrixOn(l, matrix) }),
		judge("solo", "does a Net see the same without those it has no path to?", func(l *Lab) Finding { return JudgeSoloOn(l, solo) }),
		judge("linux", "do Linux's own tools on real namespaces say the same?", func(l *Lab) Finding {
			if why != nil {
				return skipped(why.Error())
			}
			return JudgeLinuxOn(l, v, boxes)
		}),
	}
}

// standing returns the default and then each of the variants that differ in more
// than placement, with these placements.
func standing(at nsmodel.Places, vs []Variant) []Variant {
	out := []Variant{{Name: "default"}, {Name: "placed", Config: nsmodel.Config{Place: at}}}
	seen := map[string]bool{"": true}
	for _, v := range vs {
		v.Config.Place = nsmodel.Places{}
		v.Name = variant(v.Config, netns.Default, v.Schedule).Name
		if seen[v.Name] {
			continue
		}
		seen[v.Name] = true
		v.Name, v.Config.Place = v.Name+" placed", at
		out = append(out, v)
	}
	return out
}

// EveryPair returns a matrix judge that tries every two subsystems placed
// otherwise than all others, and nothing else: some seconds a lab.
func EveryPair() Judge {
	return judge("matrix", "is it the same, to the byte, whichever two subsystems are placed otherwise than the rest?", func(l *Lab) Finding {
		return JudgeMatrixOn(l, PairVectors())
	})
}

// judge makes one whose findings say whose they are.
func judge(name, asks string, of func(*Lab) Finding) Judge {
	return Judge{name, asks, func(l *Lab) Finding {
		f := of(l)
		f.Judge, f.Lab = name, l
		return f
	}}
}

// JudgeGolden compares a lab's transcript with the one on file.
func JudgeGolden(l *Lab) Finding { return JudgeGoldenOn(l, Variant{}) }

// JudgeGoldenOn is JudgeGolden on a machine of the caller's choice.
func JudgeGoldenOn(l *Lab, v Variant) Finding {
	if !l.OnFile {
		return skipped("no transcript on file (--rewrite writes one)")
	}
	r, err := RunModel(l, v)
	if err != nil {
		return failed("%v\n", err)
	}
	if diff := golden(l, l.Transcript, r.transcript()); diff != "" {
		return failed("- on file, + now\n%s", diff)
	}
	return Finding{Outcome: Passed}
}

// RewriteGolden puts a lab's transcript on file, beside the lab.
func RewriteGolden(l *Lab) error {
	if l.inside {
		return fmt.Errorf("%s is inside this program: its transcript can be rewritten in the source tree only: %w", l.Path, fs.ErrPermission)
	}
	r, err := RunModel(l, Variant{})
	if err != nil {
		return err
	}
	l.Transcript, l.OnFile = r.transcript(), true
	return os.WriteFile(goldenPath(l.Path), []byte(l.Transcript), 0o644)
}

func goldenPath(lab string) string { return strings.TrimSuffix(lab, ".lab") + ".golden" }

// readGolden looks up the transcript on file, if there is one.
func (l *Lab) readGolden(read func(string) ([]byte, error)) error {
	b, err := read(goldenPath(l.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	l.Transcript, l.OnFile = string(b), err == nil
	return err
}

// LabsInside returns the labs that this package carries, for a program that
// runs far from the source tree.
func LabsInside() ([]*Lab, error) {
	ls, err := labsOf(inside, "testdata")
	for _, l := range ls {
		l.inside = true
	}
	return ls, err
}

// side is how many labs a judge looks at side by side; on the real kernel a lab
// mostly waits.
const side = 6

// JudgeAll has every lab judged by every judge, one judge after the other so
// that none is hurried by another's load, and tells of each finding as it comes
// (from several goroutines). Those that sleep longest begin, so that none is waited
// for alone at the end. It returns each lab's findings, in the judges' order.
func JudgeAll(labs []*Lab, judges []Judge, tell func(Finding)) [][]Finding {
	out := make([][]Finding, len(labs))
	order := make([]int, len(labs))
	for i := range out {
		out[i] = make([]Finding, len(judges))
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(labs[b].sleeps(), labs[a].sleeps()) })
	for j, judge := range judges {
		var spins atomic.Bool
		var wg sync.WaitGroup
		next := make(chan int)
		for range side {
			wg.Go(func() {
				for i := range next {
					if spins.Load() {
						f := skipped("a lab before it does not come back, and keeps the computer busy")
						f.Judge, f.Lab = judge.Name, labs[i]
						out[i][j] = f
						continue
					}
					out[i][j] = judge.Of(labs[i])
					if out[i][j].Stuck {
						spins.Store(true)
					}
					tell(out[i][j])
				}
			})
		}
		for _, i := range order {
			next <- i
		}
		close(next)
		wg.Wait()
	}
	return out
}
