package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/lab"
)

// A question is a command for a running nsmodel, and an answer what it printed:
// one JSON object each, over a unix socket.
type question struct {
	Words []string `json:"words"`
	Input string   `json:"input,omitempty"`
}

type answer struct {
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	Exit   int    `json:"exit"`
}

// largest is how long a question may be, in bytes.
const largest = 1 << 20

// oneShot returns the command that passes itself to a running nsmodel.
func oneShot(tool string) func([]string) int {
	return func(args []string) int {
		q := question{Words: append([]string{tool}, args...)}
		if tool == "probe" && len(args) > 0 && args[len(args)-1] == "-" {
			b, err := io.ReadAll(io.LimitReader(os.Stdin, largest))
			if err != nil {
				return fail(err)
			}
			q.Input = string(b)
		}
		path := socketPath()
		c, err := net.Dial("unix", path)
		if err != nil {
			if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
				return fail(fmt.Errorf("nothing runs at %s; start one with `nsmodel run`, or say where in NSMODEL_SOCKET", path))
			}
			return fail(err)
		}
		defer c.Close()
		var a answer
		if err := json.NewEncoder(c).Encode(q); err != nil {
			return fail(err)
		}
		if err := json.NewDecoder(c).Decode(&a); err != nil {
			return fail(fmt.Errorf("the run at %s hung up: %w", path, err))
		}
		fmt.Print(a.Stdout)
		fmt.Fprint(os.Stderr, a.Stderr)
		return a.Exit
	}
}

// answer serves one-shot commands, each connection by itself: a slow one does
// not hold up the others.
func (s *shell) answer(door net.Listener) {
	for {
		c, err := door.Accept()
		if err != nil {
			return
		}
		go s.serveOne(c)
	}
}

func (s *shell) serveOne(c net.Conn) {
	defer c.Close()
	if !ours(c) {
		return
	}
	var q question
	if json.NewDecoder(io.LimitReader(c, largest)).Decode(&q) != nil {
		return
	}
	var a answer
	r, err := s.in.Run(lab.Line{File: "nsmodel", Num: 1, Text: strings.Join(q.Words, " "), Words: q.Words, Input: q.Input})
	a = answer{r.Stdout, r.Stderr, r.Exit}
	if err != nil {
		a = answer{Stderr: fmt.Sprintln(err), Exit: 1}
	}
	_ = json.NewEncoder(c).Encode(a) // who asked may have gone
}

// ours reports whether the other end belongs to this process's user, or root:
// the socket's mode says so already, but not on every file system.
func ours(c net.Conn) bool {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return false
	}
	var cred *unix.Ucred
	err2 := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return err == nil && err2 == nil && (int(cred.Uid) == os.Getuid() || cred.Uid == 0)
}
