package conformance

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"nsmodel"
	"nsmodel/host"
	"nsmodel/lab"
)

// A Variant is one way to build and drive a machine. None may be told from
// another by what a lab prints.
type Variant struct {
	Name   string
	Config nsmodel.Config
	// Schedule, if not 0, is the seed of a scheduler that draws which worker
	// moves the next packet.
	Schedule uint64
}

// A run is a lab's results on one machine, and the judge's own after them.
type run struct {
	lab, tail []lab.Result
	nets      []string // the names of the Nets that were there in the end
	inner     []said   // what no tool tells, if it was asked for
}

// RunModel runs a lab on a new machine.
func RunModel(l *Lab, v Variant) (run, error) { return runModel(l.Lines, v, false) }

// runModel runs commands on a new machine, and in the end looks inside it if
// that is asked.
func runModel(lines []lab.Line, v Variant, inside bool) (r run, err error) {
	s, err := openSession(v)
	if err != nil {
		return r, err
	}
	defer s.close()
	if inside {
		if err := s.startWatch(); err != nil {
			return r, err
		}
	}
	if r.lab, err = s.runAll(lines); err != nil {
		return r, err
	}
	if r.nets, err = s.h.Netns(lab.NetnsList, ""); err != nil {
		return r, err
	}
	if r.tail, err = s.runAll(stateOf(r.nets)); err == nil && inside {
		r.inner, err = s.inner(func(string) bool { return true })
	}
	return r, err
}

// said returns all of a run in the order in which it was said.
func (r run) said() []said { return append(raw(r.lab, r.tail), r.inner...) }

// A session is a machine of its own, and what carries out commands on it.
type session struct {
	h  *host.Host
	in *lab.Interp

	watch  *watch // nil: nobody looks
	broken bool   // a command panicked or is stuck
}

func openSession(v Variant) (*session, error) {
	m, err := nsmodel.New(v.Config)
	if err != nil {
		return nil, err
	}
	s := &session{h: host.New(m)}
	// A capture's file is no part of what is judged.
	s.h.Create = func(string) (io.WriteCloser, error) { return nowhere{io.Discard}, nil }
	if v.Schedule != 0 {
		s.h.Pick = rand.New(rand.NewPCG(v.Schedule, 0)).IntN
	}
	s.in = lab.New(s.h)
	return s, nil
}

func (s *session) close() {
	if !s.broken {
		_ = s.h.Close()
	}
}

// runAll runs commands one after the other.
func (s *session) runAll(lines []lab.Line) (rs []lab.Result, err error) {
	for _, line := range lines {
		r, err := s.do(line)
		if err != nil {
			return nil, err
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// comesBack is how long a command may run, in real time: all take some
// milliseconds, and those that wait do so in virtual time.
const comesBack = 20 * time.Second

// errStuck wraps the error of a command that did not come back.
var errStuck = errors.New("the command does not come back")

// do runs one command. A panic is an error that says where, and the end of the
// session: nobody knows which locks are held. So is a command that does not come
// back; it is left to itself, for nobody can stop it.
func (s *session) do(line lab.Line) (r lab.Result, err error) {
	done := make(chan struct{})
	var got lab.Result
	var failed error
	go func() {
		defer close(done)
		got, failed = s.guarded(line)
	}()
	late := time.NewTimer(comesBack)
	defer late.Stop()
	select {
	case <-done:
		s.broken = s.broken || errors.Is(failed, errPanic)
		return got, failed
	case <-late.C:
		s.broken = true
		return r, fmt.Errorf("$ %s\n%w: %v, and still running", line.Text, errStuck, comesBack)
	}
}

// errPanic wraps the error of a command that panicked.
var errPanic = errors.New("panic")

func (s *session) guarded(line lab.Line) (r lab.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("$ %s\n%w: %v\n%s", line.Text, errPanic, v, ofModel(debug.Stack()))
		}
	}()
	r, err = s.in.Run(line)
	if err == nil && s.watch != nil {
		err = s.watch.look()
	}
	return r, err
}

// ofModel returns the innermost calls of a panic's stack that are the model's.
func ofModel(stack []byte) string {
	var out []string
	lines := strings.Split(string(stack), "\n")
	for i := 0; i+1 < len(lines) && len(out) < 6; i++ {
		if strings.HasPrefix(lines[i], "nsmodel") && !strings.HasPrefix(lines[i], "nsmodel/conformance.") {
			at := strings.TrimSpace(lines[i+1])
			if k := strings.LastIndex(at, " +0x"); k > 0 {
				at = at[:k]
			}
			out = append(out, at)
		}
	}
	return strings.Join(out, "\n")
}

// nowhere is a file that keeps nothing.
type nowhere struct{ io.Writer }

// Close does nothing.
func (nowhere) Close() error { return nil }

// transcript returns what the lab said, as the golden file has it.
func (r run) transcript() string {
	var b strings.Builder
	for _, res := range r.lab {
		b.WriteString(res.String())
	}
	return b.String()
}
