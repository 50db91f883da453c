package main

import (
	"fmt"
	"os"
	"strings"

	"nsmodel"
	"nsmodel/host"
	"nsmodel/lab"
	"nsmodel/live"
)

// A shell carries out commands on a machine that runs by the wall clock, and
// shows them as they are typed.
type shell struct {
	m     *nsmodel.Machine
	host  *host.Host
	run   *live.Runner
	in    *lab.Interp
	heard map[string]string
	saw   []string        // answers and what commands said, for a comparison of runs
	made  map[string]bool // Nets that --nic made before the lab's own ip netns add
}

// newShell builds and starts a machine.
func newShell(c nsmodel.Config) (*shell, error) {
	m, err := nsmodel.New(c)
	if err != nil {
		return nil, err
	}
	r, err := live.Start(m)
	if err != nil {
		return nil, err
	}
	h := host.New(m)
	h.Live = true
	return &shell{m: m, host: h, run: r, in: lab.New(h), heard: map[string]string{}, made: map[string]bool{}}, nil
}

// sh shows a command and carries it out; an error if it fails.
func (s *shell) sh(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	fmt.Printf("   $ %s\n", line)
	r, err := s.do(line)
	if err != nil {
		return err
	}
	s.saw = append(s.saw, r.String())
	if r.Exit != 0 {
		return fmt.Errorf("%s: %s", line, strings.TrimSpace(r.Stderr))
	}
	return nil
}

// show is sh with what the command prints.
func (s *shell) show(line string) error {
	fmt.Printf("   $ %s\n", line)
	r, err := s.do(line)
	if err != nil {
		return err
	}
	for l := range strings.Lines(r.Stdout) {
		fmt.Print("     ", l)
	}
	if r.Exit != 0 {
		return fmt.Errorf("%s: %s", line, strings.TrimSpace(r.Stderr))
	}
	return nil
}

func (s *shell) do(line string) (lab.Result, error) {
	lines, err := lab.Load("demo", line+"\n")
	if err != nil || len(lines) == 0 {
		return lab.Result{}, err
	}
	return s.in.Run(lines[0])
}

func (s *shell) close() {
	if err := s.host.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "nsmodel:", err)
	}
	s.run.Stop()
	if err := s.m.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "nsmodel:", err)
	}
}
