//go:build linux

package conformance

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/internal/linux"
	"nsmodel/lab"
)

// A job is a lab for a sandbox, with the judge's own commands after it.
type job struct {
	Lines []lab.Line
	Tail  []lab.Line
	Watch bool // tell of every step, see [Sandboxes.Steps]
}

// A verdict is what a sandbox says of a job.
type verdict struct {
	Lab, Tail []lab.Result
	Steps     []Step // of a watched job
	Fault     string // what kept the lab from running
	Took      time.Duration
}

// Main turns this process into a sandbox's worker if that is what it was
// started as, and does not return then. Whoever uses [NewSandboxes] calls it
// first in main.
func Main() {
	linux.Probe()
	if !linux.Inside() || os.Getenv(serving) == "" {
		return
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serving is set in the environment of a sandbox's worker.
const serving = "NSMODEL_SANDBOX_SERVES"

// serve runs jobs until there are no more.
func serve(in io.Reader, out io.Writer) error {
	if err := linux.Settle(); err != nil {
		return err
	}
	from, to := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var j job
		if err := from.Decode(&j); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := to.Encode(runKernel(&j)); err != nil {
			return err
		}
	}
}

// runKernel runs one job on namespaces of its own.
func runKernel(j *job) (v verdict) {
	start := time.Now()
	defer func() { v.Took = time.Since(start) }()
	k, err := startKernel()
	if err != nil {
		v.Fault = err.Error()
		return v
	}
	defer k.close()
	if j.Watch {
		if v.Steps, err = k.runSteps(j.Lines); err != nil {
			v.Fault = err.Error()
		}
		return v
	}
	for _, part := range []struct {
		lines   []lab.Line
		results *[]lab.Result
	}{{j.Lines, &v.Lab}, {j.Tail, &v.Tail}} {
		for _, l := range part.lines {
			r, err := k.do(l)
			if err != nil {
				v.Fault = fmt.Sprintf("%s:%d: %v", l.File, l.Num, err)
				return v
			}
			*part.results = append(*part.results, r)
		}
	}
	return v
}

// Sandboxes are child processes that run labs on namespaces of the real kernel.
// Several work side by side, since a lab mostly waits and the kernel takes some
// 35 ms to destroy a namespace.
type Sandboxes struct {
	jobs chan ask
	done sync.WaitGroup
}

type ask struct {
	job
	answer chan<- verdict
}

// NewSandboxes starts n of them. An error says why this machine has none.
func NewSandboxes(n int) (*Sandboxes, error) {
	if err := linux.Why(); err != nil {
		return nil, err
	}
	for _, tool := range []string{"ip", "ping", "sysctl"} {
		if _, err := linux.Tool(tool); err != nil {
			return nil, err
		}
	}
	s := &Sandboxes{jobs: make(chan ask)}
	for range n {
		s.done.Add(1)
		go s.work()
	}
	return s, nil
}

// Close ends them.
func (s *Sandboxes) Close() {
	close(s.jobs)
	s.done.Wait()
}

// run has a job done.
func (s *Sandboxes) run(j job) verdict {
	answer := make(chan verdict, 1)
	s.jobs <- ask{j, answer}
	return <-answer
}

// work feeds one sandbox, and starts another if it dies.
func (s *Sandboxes) work() {
	defer s.done.Done()
	runtime.LockOSThread() // the child dies with this thread
	defer runtime.UnlockOSThread()
	var b *box
	for a := range s.jobs {
		var v verdict
		var err error
		if b == nil {
			b, err = startBox()
		}
		if err == nil {
			v, err = b.do(a.job)
		}
		if err != nil {
			v.Fault = "sandbox: " + err.Error()
			if b != nil {
				b.end()
			}
			b = nil
		}
		a.answer <- v
	}
	if b != nil {
		b.end()
	}
}

// A box is one child process.
type box struct {
	in   io.WriteCloser
	out  *json.Decoder
	wait func() error
}

func startBox() (*box, error) {
	c := linux.Command("-test.run=^$")
	c.Env = append(c.Env, serving+"=1")
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	return &box{in, json.NewDecoder(bufio.NewReader(out)), c.Wait}, nil
}

func (b *box) do(j job) (v verdict, err error) {
	if err := json.NewEncoder(b.in).Encode(j); err != nil {
		return v, err
	}
	err = b.out.Decode(&v)
	return v, err
}

func (b *box) end() {
	b.in.Close()
	_ = b.wait()
}

// tries is how often the real kernel is asked before it is believed to disagree:
// it runs in real time, on a computer that may be busy, and a lab whose ping
// waited for 0.3 s may meet a timer that it ought to be long before.
const tries = 3

// JudgeLinux runs a lab on namespaces of the real kernel, with Linux's own
// tools, and compares transcript and end state with the model's. They disagree
// if they do so on each of three tries; a note tells of those that were not alike.
func JudgeLinux(l *Lab, boxes *Sandboxes) Finding { return JudgeLinuxOn(l, Variant{}, boxes) }

// JudgeLinuxOn is JudgeLinux with a machine of the caller's choice for the model.
func JudgeLinuxOn(l *Lab, on Variant, boxes *Sandboxes) Finding {
	if why := l.Unfit(); why != "" {
		return skipped(why)
	}
	r, err := RunModel(l, on)
	if err != nil {
		return failed("%v\n", err)
	}
	var f Finding
	for try := range tries {
		v := boxes.run(job{Lines: l.Lines, Tail: stateOf(r.nets)})
		if v.Fault != "" {
			return failed("%s\n", v.Fault)
		}
		f = l.verdict(compare(l.normalised(r.lab, r.tail), l.normalised(v.Lab, v.Tail)), release())
		if f.Outcome == Passed {
			if try > 0 {
				f.Notes = append(f.Notes, fmt.Sprintf("Linux agreed at try %d only: the computer is busy, or Linux does not always say the same", try+1))
			}
			break
		}
	}
	return f
}

// verdict judges by a diff between the model and a kernel of that release. What
// was explained of another version may be there or not.
func (l *Lab) verdict(diff []diffLine, release string) (f Finding) {
	rest, idle := l.explain(diff, release)
	text := ""
	if len(rest) > 0 {
		text = "- the model, + Linux\n" + report(rest)
	}
	for _, d := range l.Differs {
		missing := slices.ContainsFunc(idle, func(i Difference) bool { return i.Kernel == d.Kernel && i.Reason == d.Reason })
		switch {
		case d.of(release) && missing:
			text += fmt.Sprintf("an explained difference is not there (any more): %s\nthe whole diff:\n%s", d.Reason, report(diff))
		case !d.of(release) && missing:
			f.Notes = append(f.Notes, fmt.Sprintf("not so, or not wholly so, on %s, but on %s: %s", release, d.Kernel, d.Reason))
		case !d.of(release):
			f.Notes = append(f.Notes, fmt.Sprintf("also on %s, and not only on %s: %s", release, d.Kernel, d.Reason))
		}
	}
	if f.Outcome = Passed; text != "" {
		f.Outcome, f.Text = Failed, text
	}
	return f
}

// Kernel returns the release of the kernel that judges here.
func Kernel() string { return strings.TrimSpace("Linux " + release()) }

// release is what uname -r says.
func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
