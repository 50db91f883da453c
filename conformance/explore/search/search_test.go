package search

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"nsmodel/conformance/explore/step"
	"nsmodel/conformance/explore/step/atomic"
	"nsmodel/conformance/explore/step/sync"
)

// A toy is a random program of a few tasks over two numbers and two locks,
// whose outcome is what its reads have seen.
type toy [][]toyOp

type toyOp struct{ what, on, v int }

func drawToy(r *rand.Rand, tasks, steps int) toy {
	t := make(toy, tasks)
	for i := range t {
		held := -1
		for range steps {
			op := toyOp{what: r.IntN(7), on: r.IntN(2), v: 1 + i*10 + len(t[i])}
			if op.what == 5 { // lock, or unlock what is held
				if held >= 0 {
					op.what, op.on, held = 6, held, -1
				} else {
					held = op.on
				}
			} else if op.what == 6 {
				op.what = 0
			}
			t[i] = append(t[i], op)
		}
		if held >= 0 {
			t[i] = append(t[i], toyOp{what: 6, on: held})
		}
	}
	return t
}

// program runs t and notes each outcome in seen.
func (t toy) program(seen map[string]bool) Program {
	return func() ([]step.Task, func() error) {
		var x [2]atomic.Int64
		var m [2]sync.Mutex
		got := make([]string, len(t))
		var tasks []step.Task
		for i, ops := range t {
			tasks = append(tasks, step.Task{Name: fmt.Sprint("t", i), Do: func() {
				for _, op := range ops {
					switch op.what {
					case 0, 1:
						got[i] += fmt.Sprint(x[op.on].Load(), ",")
					case 2:
						x[op.on].Store(int64(op.v))
					case 3:
						x[op.on].AddBlind(100)
					case 4:
						got[i] += fmt.Sprint(x[op.on].CompareAndSwap(0, int64(op.v)), ",")
					case 5:
						m[op.on].Lock()
					case 6:
						m[op.on].Unlock()
					}
				}
			}})
		}
		return tasks, func() error {
			seen[fmt.Sprint(got, x[0].Load(), x[1].Load())] = true
			return nil
		}
	}
}

// all tries every schedule within the bound, with no reduction at all.
func all(p Program, bound int) (runs int) {
	var path []int
	for {
		tasks, check := p()
		at, cuts := 0, 0
		var open []uint32
		run := step.Execute(tasks, func(_ *step.Run, enabled uint32, last int) int {
			can := enabled
			if bound >= 0 && cuts == bound && last >= 0 && enabled>>last&1 == 1 {
				can = 1 << last
			}
			if at == len(path) {
				path = append(path, lowest(can))
			}
			t := path[at]
			open = append(open, can&^(1<<(t+1)-1))
			if last >= 0 && t != last && enabled>>last&1 == 1 {
				cuts++
			}
			at++
			return t
		}, false, 10_000)
		if run.Broke == "" {
			_ = check()
		}
		runs++
		i := len(open) - 1
		for i >= 0 && open[i] == 0 {
			i--
		}
		if i < 0 {
			return runs
		}
		path = append(path[:i], lowest(open[i]))
	}
}

func lowest(mask uint32) int {
	i := 0
	for mask>>i&1 == 0 {
		i++
	}
	return i
}

// Nothing is lost by the reduction: every outcome that trying all schedules shows is
// seen, without a bound and with one.
func TestReductionLosesNoOutcome(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	saved := [2]int{}
	for i := range 300 {
		p := drawToy(r, 2, 5)
		if i%2 == 1 {
			p = drawToy(r, 3, 2)
		}
		for _, bound := range []int{Unbounded, 0, 1, 2} {
			want, got := map[string]bool{}, map[string]bool{}
			runs := all(p.program(want), bound)
			res := Explore(p.program(got), Limits{Bound: bound})
			if !res.Complete {
				t.Fatal("not complete")
			}
			for o := range want {
				if !got[o] {
					t.Fatalf("program %d %v, bound %d: outcome %s is not found; %d of %d, %d runs of %d", i, p, bound, o, len(got), len(want), res.Runs, runs)
				}
			}
			if bound == Unbounded {
				saved[0] += runs
				saved[1] += res.Runs + res.Redundant
				if len(got) != len(want) {
					t.Fatalf("outcomes from nowhere: %v, %v", got, want)
				}
			}
		}
	}
	t.Logf("%d schedules in place of %d", saved[1], saved[0])
	if saved[1]*5 > saved[0] {
		t.Errorf("%d schedules in place of %d: nothing is reduced", saved[1], saved[0])
	}
}
