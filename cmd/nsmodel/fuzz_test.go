package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel"
	"nsmodel/lab"
)

// FuzzQuestion says any bytes to a running nsmodel's socket: it hangs up without
// a word, or answers with one JSON object that says whether the command failed,
// and it goes on. What is no question does nothing.
func FuzzQuestion(f *testing.F) {
	s, err := newShell(nsmodel.Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.close)
	s.host.Create = func(string) (io.WriteCloser, error) { return nil, unix.EROFS } // a fuzzer writes no file
	for _, text := range []string{`{"words":["ip","netns","add","x"]}`, `{"words":["ip","link"]} {"words":["ip"]}`, `{"words":[]}`, `{}`, `[]`, `{"words":["ip","-b","-"],"input":"link\naddr"}`,
		`{"words":["probe","ledger"]}`, "\x00", `{"words":["rm","-rf"]}`, `{"words":["sysctl","-w","net.ipv4.ip_forward=2"]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var q question
		asked := json.NewDecoder(bytes.NewReader(b)).Decode(&q) == nil
		if unfit(q.Words) {
			return
		}
		before := s.names(t)
		near, far := pair(t)
		go func() {
			near.Write(b)
			near.CloseWrite()
		}()
		s.serveOne(far)
		near.SetReadDeadline(time.Now().Add(10 * time.Second))
		said, err := io.ReadAll(near)
		near.Close()
		if err != nil && !errors.Is(err, unix.ECONNRESET) {
			t.Fatalf("%q: %v", b, err)
		}
		if !asked {
			if len(said) > 0 || s.names(t) != before {
				t.Fatalf("%q is no question, and is answered with %q", b, said)
			}
			return
		}
		var a answer
		d := json.NewDecoder(bytes.NewReader(said))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil || d.More() {
			t.Fatalf("%q is answered with %q: %v", b, said, err)
		}
		if a.Exit < 0 || a.Exit > 255 || a.Exit != 0 && a.Stdout+a.Stderr == "" {
			t.Fatalf("%q fails with %d and nothing to say", b, a.Exit)
		}
	})
}

// unfit are questions that a fuzzer must not ask: those that take their time, and
// those that reach interfaces of the computer.
func unfit(words []string) bool {
	for _, w := range words {
		if w == "nic" || strings.Contains(w, "-b") {
			return true
		}
	}
	text := strings.Join(words, " ")
	return strings.Contains(text, "ping") || strings.Contains(text, "sleep") || strings.Contains(text, "wait")
}

// names lists the shell's Nets.
func (s *shell) names(t *testing.T) string {
	names, err := s.host.Netns(lab.NetnsList, "")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

// pair makes two ends of a unix socket.
func pair(t *testing.T) (near, far *net.UnixConn) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}

// FuzzNICFlag reads any text as a --nic: what is taken says again what it was.
func FuzzNICFlag(f *testing.F) {
	for _, s := range []string{"eth1=eth0@red", "eth1=eth0", "=", "a=@b", "a=b@c@d", "a=b=c@d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var list nicFlags
		err := list.Set(s)
		kernel, rest, _ := strings.Cut(s, "=")
		if good := kernel != "" && rest != "" && rest[0] != '@'; (err == nil) != good || (len(list) == 1) != good {
			t.Fatalf("%q: %+v, %v", s, list, err)
		}
		if err != nil {
			return
		}
		again := list[0].kernel + "=" + list[0].name
		if strings.Contains(rest, "@") {
			again += "@" + list[0].net
		}
		if again != s {
			t.Fatalf("%q is %q", s, again)
		}
	})
}
