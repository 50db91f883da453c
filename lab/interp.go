package lab

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// An Interp runs a lab's commands against a Machine.
type Interp struct{ m Machine }

// New returns an Interp for m.
func New(m Machine) *Interp { return &Interp{m} }

// A Result is what one command has said.
type Result struct {
	Line           Line
	Stdout, Stderr string
	Exit           int // the tool's exit status
}

// Run parses l and carries it out. A tool's refusal, of the command line or by
// the machine, is a Result with an exit status; an error, an *Error that names
// file and line, says that l is no command of a lab. If l does not parse
// nothing of it takes effect.
func (in *Interp) Run(l Line) (Result, error) {
	r := Result{Line: l}
	cmd, err := Parse(l)
	var u *UsageError
	switch {
	case errors.As(err, &u):
		if net := firstNet(l.Words); net != "" { // ip goes there before it reads on
			if _, err := in.m.Netns(NetnsCheck, net); err != nil {
				u = &UsageError{fmt.Sprintf("Cannot open network namespace \"%s\": %s\n", net, errText(err)), 255}
			}
		}
		r.Stderr, r.Exit = u.Text, u.Exit
		return r, nil
	case err != nil:
		return r, &Error{l.File, l.Num, err.Error()}
	}
	var out, errs bytes.Buffer
	r.Exit = (&tool{m: in.m, c: cmd, out: &out, err: &errs}).run()
	r.Stdout, r.Stderr = out.String(), errs.String()
	return r, nil
}

// firstNet returns the Net that an ip command names before all else, or "".
func firstNet(words []string) string {
	if len(words) > 2 && words[0] == "ip" && abbrev(words[1], "-netns") {
		return words[2]
	}
	return ""
}

// Load lexes a lab and checks that each line is a command, so that a mistake
// in its last line is told before its first one runs. A tool's refusal of its
// command line is not such a mistake: a lab may want to show it.
func Load(file, src string) ([]Line, error) {
	lines, err := Lex(file, src)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if _, err := Parse(l); err != nil && !IsUsage(err) {
			return nil, &Error{l.File, l.Num, err.Error()}
		}
	}
	return lines, nil
}

// RunLab runs a whole lab and hands each result on as it comes. A command that
// fails does not end a lab.
func (in *Interp) RunLab(file, src string, each func(Result)) error {
	lines, err := Load(file, src)
	if err != nil {
		return err
	}
	for _, l := range lines {
		r, err := in.Run(l)
		if err != nil {
			return err
		}
		each(r)
	}
	return nil
}

// String returns the result as a transcript has it: the command behind a $
// (and its input behind >), standard output, standard error, and the exit
// status if it is not 0.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ %s\n", r.Line.Text)
	for line := range strings.Lines(r.Line.Input) {
		b.WriteString("> " + line)
	}
	for _, s := range []string{r.Stdout, r.Stderr} {
		b.WriteString(s)
		if s != "" && !strings.HasSuffix(s, "\n") {
			b.WriteString("\n")
		}
	}
	if r.Exit != 0 {
		fmt.Fprintf(&b, "[exit %d]\n", r.Exit)
	}
	return b.String()
}

// Complaint returns standard error with file and line ahead of each line:
// lab.lab:12: RTNETLINK answers: File exists. It is "" if there is none.
func (r Result) Complaint() string {
	var b strings.Builder
	for line := range strings.Lines(r.Stderr) {
		if strings.TrimSpace(line) != "" {
			fmt.Fprintf(&b, "%s:%d: %s\n", r.Line.File, r.Line.Num, strings.TrimRight(line, "\n"))
		}
	}
	return b.String()
}
