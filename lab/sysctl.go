package lab

import (
	"strings"
	"syscall"
)

const sysctlHelp = `
Usage:
 sysctl [-w] [-n] [-N] [-e] [-q] KEY[=VALUE]...
 sysctl -a
`

// A Sysctls is a sysctl command.
type Sysctls struct {
	All        bool // -a
	Write      bool // -w
	ValuesOnly bool // -n
	NamesOnly  bool // -N
	Ignore     bool // -e
	Quiet      bool // -q
	Args       []string
}

func parseSysctl(a *args, net string) *Command {
	s := &Sysctls{}
	for a.more() {
		w := a.next()
		if long, ok := map[string]string{"--all": "-a", "--write": "-w", "--values": "-n", "--names": "-N",
			"--ignore": "-e", "--quiet": "-q", "--help": "-h"}[w]; ok {
			w = long
		}
		if len(w) < 2 || w[0] != '-' {
			s.Args = append(s.Args, w)
			continue
		}
		for _, o := range w[1:] {
			s.option(o)
		}
	}
	if len(s.Args) == 0 && !s.All {
		panic(usage(1, "sysctl: no variables specified\nTry `sysctl --help' for more information.\n"))
	}
	return &Command{Net: net, Do: s}
}

func (s *Sysctls) option(o rune) {
	switch o {
	case 'a', 'A', 'X':
		s.All = true
	case 'w':
		s.Write = true
	case 'n':
		s.ValuesOnly = true
	case 'N':
		s.NamesOnly = true
	case 'e':
		s.Ignore = true
	case 'q':
		s.Quiet = true
	case 'h', 'V':
		panic(usage(1, "%s", sysctlHelp))
	case 'p', 'f', 'r', 'b':
		panic(usage(1, "sysctl -%c is not modelled\n", o))
	default:
		panic(usage(1, "sysctl: invalid option -- '%c'\n%s", o, sysctlHelp))
	}
}

func (s *Sysctls) run(t *tool) int {
	if s.All {
		return s.read(t, "")
	}
	status := 0
	for _, w := range s.Args {
		key, value, set := strings.Cut(w, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		one := 0
		switch {
		case set && key == "":
			one = 1
		case set:
			one = s.write(t, key, value)
		case s.Write:
			one = t.failf(1, "sysctl: command line(0): invalid syntax, continuing...\n")
		default:
			one = s.read(t, key)
		}
		status = max(status, one)
	}
	return status
}

func (s *Sysctls) read(t *tool, key string) int {
	vars, err := t.m.Sysctl(t.c.Net, sysctlKey(key), nil)
	if err != nil {
		return s.failed(t, key, "reading", err)
	}
	for _, v := range vars {
		s.print(t, v)
	}
	return 0
}

func (s *Sysctls) write(t *tool, key, value string) int {
	if _, err := t.m.Sysctl(t.c.Net, sysctlKey(key), &value); err != nil {
		return s.failed(t, key, "setting", err)
	}
	if !s.Quiet {
		s.print(t, Sysctl{sysctlKey(key), value})
	}
	return 0
}

func (s *Sysctls) print(t *tool, v Sysctl) {
	switch {
	case s.NamesOnly:
		t.outf("%s\n", v.Key)
	case s.ValuesOnly:
		t.outf("%s\n", v.Value)
	default:
		for line := range strings.SplitSeq(v.Value, "\n") {
			t.outf("%s = %s\n", v.Key, line)
		}
	}
}

func (s *Sysctls) failed(t *tool, key, what string, err error) int {
	dots := sysctlKey(key)
	switch errnoOf(err) {
	case syscall.ENOENT:
		if s.Ignore {
			return 0
		}
		return t.failf(1, "sysctl: cannot stat /proc/sys/%s: %s\n", sysctlPath(key), errText(err))
	case syscall.EIO:
		if what == "reading" { // sysctl(8) says nothing of a stable_secret that nobody has given
			return 1
		}
	case syscall.EACCES, syscall.EPERM:
		// What sysctl(8) makes of a file that may not be written; its status is 0.
		return t.failf(0, "sysctl: %s key \"%s\": %s\n", what, dots, errText(syscall.EINVAL))
	}
	return t.failf(1, "sysctl: %s key \"%s\": %s\n", what, dots, errText(err))
}

// sysctlKey writes a key in dots; in one that came in slashes a dot is part of
// a device's name and becomes a slash, as sysctl(8) has it.
func sysctlKey(key string) string {
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '/' {
		return swapSlashes(key)
	}
	return key
}

func sysctlPath(key string) string { return swapSlashes(sysctlKey(key)) }

func swapSlashes(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, s)
}
